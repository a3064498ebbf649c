"""Takes to a mastered track: assemble, mark, measure, one constant gain, limit, measure again.

Memory stays flat whatever the length: the marked programme is spooled to disk (4 bytes a sample, beside the
destination) because its gain is known only when it has been heard to the end.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
import soundfile as sf

from synthesis.audio import Samples
from synthesis.errors import EncodeError, LoudnessUnreachable
from synthesis.mastering.assemble import Offset, Plan, plan_programme, rechunk, stream_programme
from synthesis.mastering.limiter import TruePeakLimiter
from synthesis.mastering.loudness import LoudnessMeter, from_db, to_db
from synthesis.mastering.measurements import LEVEL_FLOOR_DB, LOUDNESS_FLOOR_LUFS, Measurements
from synthesis.mastering.meter import LevelMeter, MasterMeter
from synthesis.mastering.profiles import MASTER_RATE, Profile
from synthesis.mastering.takes import Part
from synthesis.watermark.embedder import Embedder

__all__ = ["MasteredTrack", "Offset", "Part", "WatermarkSpec", "master_track"]

_BLOCK = 10 * MASTER_RATE
_ROUNDS = 3
"""Most attempts at the target: limiting lowers loudness, so the gain may have to rise."""
_EXTRA_DB = 3.0
"""Most gain beyond what an unlimited programme would need: more would squash it."""
_FLAC_EFFORT = 0.5
"""libsndfile's compression_level: levels above cost more time than they save space."""
_TONE_PERIOD = 479_909
"""Samples after which room tone repeats: ten seconds, and no whole number of anything else."""

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class WatermarkSpec:
    """The keyed mark to lay on a programme."""

    key: bytes = field(repr=False)
    payload: int
    """32-bit, unsigned."""


@dataclass(frozen=True, slots=True)
class MasteredTrack:
    """A finished master on disk."""

    path: Path
    """FLAC, 24 bit, 48 kHz, mono."""
    samples: int
    sample_rate: int
    measurements: Measurements
    offsets: tuple[Offset, ...]
    """Where each part lies, in the order given."""


def master_track(
    parts: Sequence[Part],
    profile: Profile,
    dst: Path,
    *,
    watermark: WatermarkSpec | None,
    head_ms: int,
    tail_ms: int,
    progress: Progress | None = None,
) -> MasteredTrack:
    """Master ``parts`` to ``profile`` and write ``dst`` (FLAC, 24 bit, 48 kHz, mono).

    The track is head + every part followed by its pause + tail, to the sample. Takes are trimmed to what is spoken,
    levelled lightly by voice, resampled, assembled and marked; then the whole gets one constant gain to the profile's
    target and a true-peak limiter. ``progress`` is called with 0 … 1.

    A target out of reach is no error: the track is made as near as it gets without squashing it, and
    ``measurements.warnings`` says so with the numbers. A silent programme, or one under 400 ms, has no loudness: it
    gets no gain and a warning. The same parts and arguments give the same file, byte for byte.

    Raises NothingToMaster, PartUnusable (naming the part), ValueError for negative times, EncodeError or OSError where
    ``dst`` cannot be written. ``dst`` appears only whole.
    """
    report = progress or _quiet
    plan = plan_programme(parts, head_ms=head_ms, tail_ms=tail_ms, target=dst.name)
    report(0.15)
    with tempfile.TemporaryFile(dir=dst.parent) as spool:
        level = _spool(plan, profile, watermark, spool, _part(report, 0.15, 0.65))
        measurements = _reach_target(plan, profile, level, spool, dst, _part(report, 0.65, 1.0))
    report(1.0)
    return MasteredTrack(dst, plan.samples, MASTER_RATE, measurements, plan.offsets)


def _quiet(_: float) -> None:
    """Report nothing: nobody listens, or this part of the work was reported before."""


def _part(report: Progress, low: float, high: float) -> Progress:
    return lambda share: report(low + (high - low) * min(1.0, share))


def _spool(
    plan: Plan, profile: Profile, watermark: WatermarkSpec | None, spool: IO[bytes], progress: Progress
) -> float | None:
    """Write the marked programme as raw float32; return its level in the profile's unit, None when it has none."""
    loudness, rms = LoudnessMeter(MASTER_RATE), LevelMeter(MASTER_RATE)
    done = 0
    for block in rechunk(_marked(stream_programme(plan), watermark), _BLOCK):
        loudness.add(block)
        if profile.measure == "rms":
            rms.add(block)
        spool.write(block.tobytes())
        done += len(block)
        progress(done / plan.samples)
    lufs = loudness.integrated_lufs()
    if lufs <= LOUDNESS_FLOOR_LUFS:
        return None
    return lufs if profile.measure == "lufs" else rms.rms_dbfs()


def _marked(blocks: Iterator[Samples], watermark: WatermarkSpec | None) -> Iterator[Samples]:
    if watermark is None:
        yield from blocks
        return
    embedder = Embedder(watermark.key, watermark.payload, MASTER_RATE)
    for block in blocks:
        yield embedder.process(block)
    yield embedder.flush()


def _reach_target(
    plan: Plan, profile: Profile, level: float | None, spool: IO[bytes], dst: Path, progress: Progress
) -> Measurements:
    """Write the master with the gain that reaches the target; raise the gain again if limiting cost too much."""
    first = 0.0 if level is None else profile.target - level
    gain = first
    aside = dst.with_name(dst.name + ".part")
    try:
        for left in reversed(range(_ROUNDS)):
            measured = _write_master(plan, profile, gain, spool, aside, progress)
            progress = _quiet
            miss = profile.target - profile.level(measured)
            raised = min(first + _EXTRA_DB, gain + miss)
            near = abs(miss) <= profile.tolerance / 2
            if level is None or near or not measured.limited_ms or not left or raised <= gain:
                break
            gain = raised
        aside.replace(dst)
    finally:
        aside.unlink(missing_ok=True)
    measured.warnings.extend(plan.warnings)
    if level is None:
        measured.warnings.append("the programme is silent or too short to have a loudness: no gain was applied")
    elif abs(miss) > profile.tolerance:
        measured.warnings.append(_unreachable(profile, measured))
    return measured


def _unreachable(profile: Profile, measured: Measurements) -> str:
    reached = profile.level(measured)
    text = str(LoudnessUnreachable(profile.target, reached, profile.ceiling_dbtp))
    return text if profile.measure == "lufs" else text.replace("LUFS", profile.unit)


def _write_master(
    plan: Plan, profile: Profile, gain_db: float, spool: IO[bytes], dst: Path, progress: Progress
) -> Measurements:
    limiter = TruePeakLimiter(gain_db=gain_db, ceiling_dbtp=profile.limit_dbtp)
    meter = MasterMeter(MASTER_RATE, plan.samples)
    tone = _RoomTone(profile.room_tone_dbfs)
    done = 0
    try:
        with sf.SoundFile(
            dst, "w", MASTER_RATE, 1, subtype="PCM_24", format="FLAC", compression_level=_FLAC_EFFORT
        ) as file:
            for block in _limited(limiter, spool):
                tone.add_to(block)
                file.write(block)
                meter.add(block)
                done += len(block)
                progress(done / plan.samples)
    except sf.SoundFileError as error:
        raise EncodeError(str(dst), str(error)) from error
    last = plan.offsets[-1]
    return Measurements(
        loudness_lufs=round(meter.loudness.integrated_lufs(), 3),
        true_peak_dbtp=round(to_db(meter.true_peak.peak()), 3),
        lra_lu=round(meter.loudness.range_lu(), 2),
        rms_dbfs=round(meter.level.rms_dbfs(), 3),
        noise_floor_dbfs=round(meter.level.noise_floor_dbfs(), 2),
        gain_db=round(gain_db, 3),
        limited_ms=-(-limiter.limited_samples * 1000 // MASTER_RATE),
        max_reduction_db=round(limiter.max_reduction_db, 2),
        duration_ms=round(plan.samples * 1000 / MASTER_RATE),
        head_ms=plan.head * 1000 // MASTER_RATE,
        tail_ms=(last.pause + plan.tail) * 1000 // MASTER_RATE,
        peaks=meter.picture.peaks(),
    )


def _limited(limiter: TruePeakLimiter, spool: IO[bytes]) -> Iterator[Samples]:
    spool.seek(0)
    while data := spool.read(4 * _BLOCK):
        yield limiter.process(np.frombuffer(data, np.float32))
    yield limiter.flush()


class _RoomTone:
    """Deterministic noise under a stream, the same wherever the stream is cut; nothing when the level is None."""

    def __init__(self, level_dbfs: float | None) -> None:
        self._position = 0
        self._tone: Samples | None = None
        if level_dbfs is not None and level_dbfs > LEVEL_FLOOR_DB:
            rng = np.random.default_rng(0)
            tone = rng.random(_TONE_PERIOD, np.float32) - rng.random(_TONE_PERIOD, np.float32)
            self._tone = (tone * np.float32(from_db(level_dbfs) / float(np.std(tone)))).astype(np.float32)

    def add_to(self, block: Samples) -> None:
        """Add in place."""
        if self._tone is not None:
            block += np.take(self._tone, np.arange(self._position, self._position + len(block)), mode="wrap")
            self._position += len(block)
