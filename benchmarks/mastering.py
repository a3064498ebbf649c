"""How fast a programme is mastered, per core, and how much memory it takes.

    python benchmarks/mastering.py                 one hour, against ffmpeg's two-pass loudnorm in the same run
    python benchmarks/mastering.py --rss           peak memory at 1 and at 10 hours
    python benchmarks/mastering.py --json

× real time per core = seconds of programme / CPU seconds (user + system) of this process and of its children. Counted
is everything from takes to a checked MP3: trimming, levelling, resampling, assembling, the watermark, loudness,
limiter, the FLAC master, the MP3, and decoding that MP3 again to measure it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import soundfile as sf
from scipy.signal import lfilter

from synthesis.mastering.assemble import plan_programme, stream_programme
from synthesis.mastering.encode import TrackTags, check_encoded, encode_track
from synthesis.mastering.ffmpeg import ffmpeg_exe
from synthesis.mastering.limiter import TruePeakLimiter
from synthesis.mastering.meter import MasterMeter
from synthesis.mastering.profiles import MASTER_RATE, get_profile
from synthesis.mastering.track import Part, WatermarkSpec, master_track
from synthesis.watermark.embedder import Embedder

RATE = 22_050
TAKES = 60
PAUSE_MS = 350
T = TypeVar("T")


def cpu_seconds() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def timed(work: Callable[[], T]) -> tuple[T, float]:
    start = cpu_seconds()
    result = work()
    return result, cpu_seconds() - start


def speechlike(seconds: float, seed: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Pulses through formants, in syllables: as loud, as peaky and as full of gaps as the draft voice."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    phase = np.cumsum(115 + 10 * (seed % 6) + 25 * np.sin(2 * np.pi * 0.31 * t + seed)) / RATE
    voiced = 2 * (phase % 1) - 1 + 0.1 * rng.standard_normal(len(t))
    for frequency, width in ((500 + 50 * (seed % 5), 90), (1500, 120), (2600, 180)):
        radius = np.exp(-np.pi * width / RATE)
        voiced = lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * frequency / RATE), radius**2], voiced)
    audio = voiced * np.clip(0.5 + 0.6 * np.sin(2 * np.pi * 3.7 * t + seed), 0, 1) ** 1.5
    return np.asarray(audio / np.abs(audio).max() * (0.3 + 0.05 * (seed % 6)), dtype=np.float32)


def make_parts(folder: Path, hours: float) -> list[Part]:
    lengths = [1.5 + 0.12 * index for index in range(TAKES)]
    paths = []
    for index, seconds in enumerate(lengths):
        paths.append(folder / f"take{index}.flac")
        sf.write(paths[-1], speechlike(seconds, index), RATE, subtype="PCM_24")
    parts: list[Part] = []
    filled = 0.0
    while filled < hours * 3600:
        index = len(parts) % TAKES
        parts.append(Part(len(parts), paths[index], PAUSE_MS, f"voice {index % 5}"))
        filled += lengths[index] + PAUSE_MS / 1000
    return parts


def master_and_encode(folder: Path, parts: list[Part]) -> dict[str, Any]:
    profile = get_profile("audiobook")
    mark = WatermarkSpec(bytes(range(16)), 0xC0FFEE)
    tags = TrackTags("One", "Benchmark", "Nobody", "Formula", 1, 1, "2026", "en", "AI-generated speech (benchmark)")
    track, mastering = timed(
        lambda: master_track(parts, profile, folder / "m.flac", watermark=mark, head_ms=500, tail_ms=1500)
    )
    made, encoding = timed(lambda: encode_track(track.path, folder / "m.mp3", "mp3", profile, tags))
    checking = timed(lambda: check_encoded(made.path, "mp3"))[1]
    seconds = track.samples / track.sample_rate
    return {
        "programme_s": round(seconds, 1),
        "cpu_s": {
            "master": round(mastering, 2),
            "encode": round(encoding - checking, 2),
            "check": round(checking, 2),
        },
        "x_realtime_per_core": round(seconds / (mastering + encoding), 1),
        "x_realtime_without_check": round(seconds / (mastering + encoding - checking), 1),
        "loudness_lufs": track.measurements.loudness_lufs,
        "true_peak_dbtp": track.measurements.true_peak_dbtp,
        "limited_ms": track.measurements.limited_ms,
        "mp3": {"lufs": made.loudness_lufs, "dbtp": made.true_peak_dbtp, "gain_db": made.gain_db},
    }


def consume(blocks: Iterable[Any]) -> None:
    for _ in blocks:
        pass


def stages(folder: Path, parts: list[Part]) -> dict[str, float]:
    """× real time per core of each stage on its own, on the first minutes of the material."""
    plan, measuring = timed(lambda: plan_programme(parts, head_ms=0, tail_ms=0))
    blocks, assembling = timed(lambda: list(stream_programme(plan)))
    embedder = Embedder(bytes(16), 1, MASTER_RATE)
    limiter = TruePeakLimiter(gain_db=3.0, ceiling_dbtp=-3.5)
    meter = MasterMeter(MASTER_RATE, plan.samples)
    seconds = plan.samples / MASTER_RATE

    def write() -> None:
        with sf.SoundFile(folder / "s.flac", "w", MASTER_RATE, 1, "PCM_24", compression_level=0.5) as file:
            for block in blocks:
                file.write(block)

    costs = {
        "measure takes": measuring,
        "assemble": assembling,
        "watermark": timed(lambda: consume(embedder.process(block) for block in blocks))[1],
        "limiter": timed(lambda: consume(limiter.process(block) for block in blocks))[1],
        "measure master": timed(lambda: consume(map(meter.add, blocks)))[1],
        "write flac": timed(write)[1],
    }
    tags = TrackTags("One", "Benchmark", "Nobody", "Formula", 1, 1, "2026", "en", "AI-generated speech")
    mp3 = folder / "s.mp3"
    encoding = timed(lambda: encode_track(folder / "s.flac", mp3, "mp3", get_profile("podcast"), tags))[1]
    checking = timed(lambda: check_encoded(mp3, "mp3"))[1]
    m4a = timed(lambda: encode_track(folder / "s.flac", folder / "s.m4a", "m4a", get_profile("podcast"), tags))[1]
    costs |= {"encode mp3": max(encoding - checking, 1e-9), "check mp3": checking, "m4a, checked (not counted)": m4a}
    return {name: round(seconds / cost, 0) for name, cost in costs.items()}


def peer(folder: Path, parts: list[Part]) -> float:
    """What is commonly done: ffmpeg concatenates, runs loudnorm twice, and encodes. Returns × real time per core."""
    listing = folder / "list.txt"
    listing.write_text("".join(f"file '{part.path}'\n" for part in parts))
    source = [ffmpeg_exe(), "-hide_banner", "-nostdin", "-y", "-f", "concat", "-safe", "0", "-i", str(listing)]
    wanted = "loudnorm=I=-19:TP=-3:LRA=11"

    def both() -> None:
        first = [*source, "-af", f"{wanted}:print_format=json", "-f", "null", "-"]
        said = subprocess.run(first, check=True, capture_output=True, text=True).stderr
        found = json.loads(said[said.rindex("{") : said.rindex("}") + 1])
        measured = f"measured_I={found['input_i']}:measured_TP={found['input_tp']}:measured_LRA={found['input_lra']}"
        measured += f":measured_thresh={found['input_thresh']}:offset={found['target_offset']}:linear=true"
        second = [*source, "-af", f"{wanted}:{measured}", "-ar", "44100", "-ac", "1"]
        second += ["-c:a", "libmp3lame", "-b:a", "192k", str(folder / "peer.mp3")]
        subprocess.run(second, check=True, capture_output=True)

    cost = timed(both)[1]
    seconds = sum(sf.info(part.path).duration for part in parts)
    return float(seconds / cost)


def peak_rss_mb(hours: float) -> dict[str, Any]:
    """Master ``hours`` in a fresh process and report its peak memory."""
    command = [sys.executable, __file__, "--child", str(hours)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def own_peak_mb() -> int:
    """Peak resident memory of this process since its program started; ``ru_maxrss`` remembers the parent's as well."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) // 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def child(hours: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        result = master_and_encode(Path(name), make_parts(Path(name), hours))
    result["peak_rss_mb"] = {
        "python": own_peak_mb(),
        "ffmpeg": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
    }
    return result


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--hours", type=float, default=1.0, help="length of the programme")
    options.add_argument(
        "--peer-hours", type=float, default=0.25, help="length the peer is measured on; 0 leaves it out"
    )
    options.add_argument("--rss", action="store_true", help="also: peak memory at 1 and at 10 hours")
    options.add_argument("--json", action="store_true")
    options.add_argument("--child", type=float, help=argparse.SUPPRESS)
    args = options.parse_args()
    if args.child:
        print(json.dumps(child(args.child)))
        return
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts = make_parts(folder, args.hours)
        result = master_and_encode(folder, parts)
        result["stages_x_realtime"] = stages(folder, parts[: 60 * 5])
        if args.peer_hours:
            theirs = peer(folder, make_parts(folder, args.peer_hours))
            result["peer_x_realtime_per_core"] = round(theirs, 1)
            result["ratio"] = round(result["x_realtime_per_core"] / theirs, 2)
    if args.rss:
        result["rss"] = {f"{hours} h": peak_rss_mb(hours)["peak_rss_mb"] for hours in (1, 10)}
    result["wall_s"] = round(time.monotonic() - start, 1)
    if args.json:
        print(json.dumps(result))
        return
    for key, value in result.items():
        print(f"{key:26} {value}")


if __name__ == "__main__":
    main()
