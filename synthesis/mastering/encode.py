"""A master to the files people receive: tagged, encoded, decoded again and measured."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr

from synthesis.audio import Samples
from synthesis.errors import AudioUnreadable, EncodeError
from synthesis.mastering.ffmpeg import decode_pipe, run_ffmpeg
from synthesis.mastering.loudness import LoudnessMeter, from_db, to_db
from synthesis.mastering.meter import LevelMeter
from synthesis.mastering.profiles import Profile
from synthesis.mastering.tags import Kind, TrackTags, metadata_args
from synthesis.mastering.truepeak import TruePeakMeter

__all__ = ["EncodedFile", "Kind", "TrackTags", "check_encoded", "encode_track"]

_BLOCK = 480_000
_ATTEMPTS = 3
"""Encoding again after lowering the gain: once is usual when lossy peaks overshoot, twice the most."""
_BELOW_CEILING_DB = 0.1
_LENGTH_TOLERANCE_MS = 60
"""Encoders pad to whole frames; players are told, but not every decoder listens."""
_LAME_EFFORT = "7"
"""libmp3lame's speed setting; see benchmarks/mastering.py."""
_LAME_SCALE = ((160, 0.95), (192, 0.97), (224, 0.98))
"""libmp3lame turns its input down at low bit rates (by its own table, with no switch): (up to kbps, factor)."""
_AAC_TOOLS = ["-aac_coder", "fast"]
"""Half again as fast as the default search and, at this rate, nearer to the original (30 dB by SNR)."""
_MUXERS: Mapping[Kind, list[str]] = {
    "mp3": ["-id3v2_version", "3", "-write_id3v1", "1", "-f", "mp3"],
    "flac": ["-f", "flac"],
    "m4a": ["-movflags", "+faststart", "-f", "ipod"],
}


@dataclass(frozen=True, slots=True)
class EncodedFile:
    """A deliverable as it measures when decoded again."""

    path: Path
    kind: Kind
    duration_ms: int
    loudness_lufs: float
    true_peak_dbtp: float
    rms_dbfs: float
    noise_floor_dbfs: float
    gain_db: float = 0.0
    """0, or what had to be taken off because the encoded peaks rose above the profile's ceiling."""


@dataclass(frozen=True, slots=True)
class _Job:
    master: Path
    info: sf._SoundFileInfo
    kind: Kind
    profile: Profile
    tags: TrackTags
    picture: Path | None


def encode_track(
    master: Path, dst: Path, kind: Kind, profile: Profile, tags: TrackTags, cover: bytes | None = None
) -> EncodedFile:
    """Make one deliverable of a master (mono, any file libsndfile reads) and measure it.

    ``mp3``: constant bit rate, ID3v2.3 and ID3v1. ``flac``: 24 bit at the master's rate. ``m4a``: AAC with the same
    parameters for every track of a profile, so that chapters can be joined without encoding again. ``cover`` is a
    JPEG or PNG. When the decoded true peak is above the profile's ceiling, a lossy file is encoded again, quieter.
    The same master and tags give the same bytes.

    Raises AudioUnreadable for a master that cannot be read, EncodeError for all else. ``dst`` appears only whole.
    """
    info = _info(master)
    duration_ms = info.frames * 1000 / info.samplerate
    aside = dst.with_name(dst.name + ".part")
    gain_db = 0.0
    try:
        with tempfile.TemporaryDirectory(dir=dst.parent) as folder:
            job = _Job(master, info, kind, profile, tags, _write_cover(cover, Path(folder), str(dst)))
            for left in reversed(range(_ATTEMPTS)):
                _encode(job, aside, gain_db)
                made = check_encoded(aside, kind, aac_rate=profile.mp3_rate)
                over = made.true_peak_dbtp - profile.ceiling_dbtp
                if kind == "flac" or over <= 0 or not left:
                    break
                gain_db -= over + _BELOW_CEILING_DB
        if abs(made.duration_ms - duration_ms) > _LENGTH_TOLERANCE_MS:
            raise EncodeError(str(dst), f"decodes to {made.duration_ms} ms of {duration_ms:.0f} ms")
        aside.replace(dst)
    finally:
        aside.unlink(missing_ok=True)
    return replace(made, path=dst, gain_db=round(gain_db, 3))


def check_encoded(path: Path, kind: Kind, *, aac_rate: int = 44_100) -> EncodedFile:
    """Decode a file and measure it, M4A at ``aac_rate``. Raises AudioUnreadable when it cannot be decoded."""
    rate, blocks = _decoded(path, kind, aac_rate)
    loudness, level, peak = LoudnessMeter(rate), LevelMeter(rate), TruePeakMeter()
    samples = 0
    for block in blocks:
        loudness.add(block)
        level.add(block)
        peak.add(block)
        samples += len(block)
    return EncodedFile(
        path=path,
        kind=kind,
        duration_ms=round(samples * 1000 / rate),
        loudness_lufs=round(loudness.integrated_lufs(), 3),
        true_peak_dbtp=round(to_db(peak.peak()), 3),
        rms_dbfs=round(level.rms_dbfs(), 3),
        noise_floor_dbfs=round(level.noise_floor_dbfs(), 2),
    )


def _info(master: Path) -> sf._SoundFileInfo:
    try:
        info = sf.info(master)
    except (sf.SoundFileError, OSError) as error:
        raise AudioUnreadable(str(master), str(error)) from error
    if info.channels != 1 or info.frames <= 0:
        raise AudioUnreadable(str(master), f"a master is mono and not empty; this has {info.channels} channels")
    return info


def _encode(job: _Job, aside: Path, gain_db: float) -> None:
    """Run ffmpeg once: a FLAC master is copied as it is, everything else is fed as samples at its final rate."""
    rate, timeout_s = job.info.samplerate, 60 + 2 * job.info.frames / job.info.samplerate
    if job.kind == "flac" and job.info.format == "FLAC":
        args = _command(job, ["-i", f"file:{job.master}"], ["-c:a", "copy"], aside)
        run_ffmpeg(args, target=str(aside), timeout_s=timeout_s)
        return
    wanted = rate if job.kind == "flac" else job.profile.mp3_rate
    source = ["-f", "f32le", "-ar", str(wanted), "-ac", "1", "-i", "pipe:0"]
    lost_db = _lame_loss_db(job.profile.mp3_kbps) if job.kind == "mp3" else 0.0
    feed = _resampled(_read(job.master), rate, wanted, gain_db - lost_db)
    args = _command(job, source, _codec(job.kind, job.profile), aside)
    run_ffmpeg(args, target=str(aside), timeout_s=timeout_s, feed=feed)


def _command(job: _Job, source: list[str], codec: list[str], aside: Path) -> list[str]:
    maps = ["-map", "0:a:0"]
    if job.picture is not None:
        source = [*source, "-i", f"file:{job.picture}"]
        maps += ["-map", "1:v:0", "-c:v", "copy", "-disposition:v:0", "attached_pic"]
        maps += ["-metadata:s:v:0", "title=Cover", "-metadata:s:v:0", "comment=Cover (front)"]
    # bitexact: no encoder versions and no clock in the file, so that the same master gives the same bytes
    exact = ["-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact"]
    return [*source, *maps, *codec, *exact, *metadata_args(job.tags, job.kind), *_MUXERS[job.kind], f"file:{aside}"]


def _codec(kind: Kind, profile: Profile) -> list[str]:
    if kind == "mp3":
        rate = ["-b:a", f"{profile.mp3_kbps}k", "-abr", "0", "-compression_level", _LAME_EFFORT]
        return ["-c:a", "libmp3lame", *rate]
    if kind == "m4a":
        return ["-c:a", "aac", "-b:a", f"{profile.m4a_kbps}k", *_AAC_TOOLS]
    return ["-c:a", "flac", "-sample_fmt", "s32", "-bits_per_raw_sample", "24"]


def _lame_loss_db(kbps: int) -> float:
    """Level that libmp3lame takes away, in dB (0 or less)."""
    return to_db(next((factor for most, factor in _LAME_SCALE if kbps <= most), 1.0))


def _write_cover(cover: bytes | None, folder: Path, target: str) -> Path | None:
    if cover is None:
        return None
    for start, suffix in ((b"\xff\xd8\xff", ".jpg"), (b"\x89PNG\r\n\x1a\n", ".png")):
        if cover.startswith(start):
            path = folder / f"cover{suffix}"
            path.write_bytes(cover)
            return path
    raise EncodeError(target, "the cover is neither JPEG nor PNG")


def _decoded(path: Path, kind: Kind, aac_rate: int) -> tuple[int, Iterator[Samples]]:
    """Rate and samples of a file. MP3 and FLAC by libsndfile, which did not write them; AAC by ffmpeg."""
    if kind == "m4a":
        return aac_rate, decode_pipe(path, aac_rate, strict=True)
    return _info(path).samplerate, _read(path)


def _read(path: Path) -> Iterator[Samples]:
    try:
        with sf.SoundFile(path) as file:
            while len(block := file.read(_BLOCK, dtype="float32")):
                yield block
    except (sf.SoundFileError, OSError) as error:
        raise AudioUnreadable(str(path), str(error)) from error


def _resampled(blocks: Iterable[Samples], rate: int, wanted: int, gain_db: float) -> Iterator[Samples]:
    gain = np.float32(from_db(gain_db))
    if rate == wanted:
        yield from (block * gain for block in blocks)
        return
    stream = soxr.ResampleStream(rate, wanted, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(block) * gain
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True) * gain
