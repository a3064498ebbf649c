"""Takes as a track needs them: read in blocks, checked, measured, and cut to what is spoken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from synthesis.audio import Samples
from synthesis.errors import PartUnusable
from synthesis.mastering.loudness import GATING_BLOCK_MS, LoudnessMeter, from_db
from synthesis.mastering.measurements import LOUDNESS_FLOOR_LUFS

RATES = (8_000, 192_000)
"""Least and greatest sample rate of a take, in Hz."""

_FRAME_MS = 10
_BLOCK_FRAMES = 1_000
_BELOW_LOUDEST_DB = 50.0
"""Quieter than this below the take's loudest 10 ms is silence …"""
_FLOOR_DBFS = -66.0
"""… and so is everything under this."""
_KEEP_BEFORE_MS = 40
_KEEP_AFTER_MS = 50
"""Consonants start and decay below any threshold: what is kept around the first and last frame heard."""
_FADE_MS = 5
_LEAST_FADE_MS = 1


@dataclass(frozen=True, slots=True)
class Part:
    """One take of a track, in the order of the script."""

    key: int
    """The caller's name for it, e.g. the line's id."""
    path: Path
    """Mono audio file that libsndfile reads, at 8 to 192 kHz."""
    pause_ms: int
    """Silence after it, 0 or more."""
    voice: str
    """Parts of one voice are levelled together."""


@dataclass(frozen=True, slots=True)
class TakeMeasure:
    """What the first pass learns about a take."""

    rate: int
    start: int
    """First sample kept, at ``rate``."""
    stop: int
    """One past the last sample kept."""
    fade_in: int
    fade_out: int
    """Samples faded at the ends of what is kept, so that no cut clicks."""
    loudness_lufs: float | None
    """Speech level (gated integrated loudness); None for silence and for less than 400 ms."""
    silent: bool
    """Nothing in it is above the floor; it is kept whole."""


def measure_take(part: Part) -> TakeMeasure:
    """Read a take once: find where speech starts and ends, and how loud it is.

    Raises PartUnusable when the file cannot be read, is empty, is not mono, has a rate outside RATES, ends early or
    holds samples that are not finite.
    """
    with _opened(part) as file:
        rate = int(file.samplerate)
        frame = max(1, rate * _FRAME_MS // 1000)
        meter = LoudnessMeter(rate)
        levels: list[NDArray[np.float32]] = []
        total = 0
        for block in _blocks(part, file, frame * _BLOCK_FRAMES, int(file.frames)):
            levels.append(_frame_rms(block, frame))
            if not np.isfinite(levels[-1]).all():
                raise PartUnusable(part.key, str(part.path), "holds samples that are not finite")
            meter.add(block)
            total += len(block)
    heard = _heard(np.concatenate(levels))
    if heard is None:
        return TakeMeasure(rate, 0, total, 0, 0, None, silent=True)
    first, last = heard[0] * frame, min(total, (heard[1] + 1) * frame)
    start = max(0, first - rate * _KEEP_BEFORE_MS // 1000)
    stop = min(total, last + rate * _KEEP_AFTER_MS // 1000)
    lufs = meter.integrated_lufs()
    long_enough = (last - first) * 1000 >= GATING_BLOCK_MS * rate and lufs > LOUDNESS_FLOOR_LUFS
    return TakeMeasure(
        rate=rate,
        start=start,
        stop=stop,
        fade_in=_fade(first - start, rate),
        fade_out=_fade(stop - last, rate),
        loudness_lufs=lufs if long_enough else None,
        silent=False,
    )


def read_take(part: Part, measure: TakeMeasure, *, block_ms: int = 10_000) -> Iterator[Samples]:
    """Yield what is kept of a take at its own rate, faded at both ends, in float32 blocks of shape (samples,)."""
    with _opened(part) as file:
        file.seek(measure.start)
        length = measure.stop - measure.start
        done = 0
        for block in _blocks(part, file, measure.rate * block_ms // 1000, length):
            _fade_in(block, done, measure.fade_in)
            _fade_in(block[::-1], length - done - len(block), measure.fade_out)
            done += len(block)
            yield block


def _opened(part: Part) -> sf.SoundFile:
    try:
        file = sf.SoundFile(part.path)
    except (sf.SoundFileError, OSError) as error:
        raise PartUnusable(part.key, str(part.path), f"cannot be read: {error}") from error
    reason = ""
    if file.channels != 1:
        reason = f"has {file.channels} channels, a take is mono"
    elif not RATES[0] <= file.samplerate <= RATES[1]:
        reason = f"has a sample rate of {file.samplerate} Hz, takes have {RATES[0]} to {RATES[1]} Hz"
    elif file.frames <= 0:
        reason = "holds no audio"
    if reason:
        file.close()
        raise PartUnusable(part.key, str(part.path), reason)
    return file


def _blocks(part: Part, file: sf.SoundFile, size: int, count: int) -> Iterator[Samples]:
    """Read exactly ``count`` samples in blocks of ``size``."""
    left = count
    while left > 0:
        try:
            block = file.read(min(size, left), dtype="float32")
        except sf.SoundFileError as error:
            raise PartUnusable(part.key, str(part.path), f"cannot be read: {error}") from error
        if len(block) == 0:
            raise PartUnusable(part.key, str(part.path), f"ends {left} samples early")
        left -= len(block)
        yield block


def _frame_rms(block: Samples, frame: int) -> NDArray[np.float32]:
    whole = len(block) // frame
    rows = block[: whole * frame].reshape(whole, frame)
    rms = np.sqrt(np.einsum("ij,ij->i", rows, rows) / frame)
    rest = block[whole * frame :]
    if len(rest):
        rms = np.append(rms, np.sqrt(np.einsum("i,i->", rest, rest) / len(rest)))
    return np.asarray(rms, dtype=np.float32)


def _heard(rms: NDArray[np.float32]) -> tuple[int, int] | None:
    """Index of the first and last frame above the threshold; None when there is none."""
    threshold = max(float(rms.max()) * from_db(-_BELOW_LOUDEST_DB), from_db(_FLOOR_DBFS))
    above = np.flatnonzero(rms > threshold)
    return (int(above[0]), int(above[-1])) if len(above) else None


def _fade(margin: int, rate: int) -> int:
    """Length of a fade that stays in the margin around speech, but is never shorter than 1 ms."""
    return max(rate * _LEAST_FADE_MS // 1000, min(margin, rate * _FADE_MS // 1000))


def _fade_in(block: Samples, done: int, length: int) -> None:
    """Apply in place what falls into ``block`` of a raised-cosine fade that began ``done`` samples before it."""
    count = min(length - done, len(block))
    if count > 0:
        phase = (np.arange(done, done + count) + 0.5) / length
        block[:count] *= (0.5 - 0.5 * np.cos(np.pi * phase)).astype(np.float32)
