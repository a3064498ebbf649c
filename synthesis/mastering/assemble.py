"""Takes and pauses to one programme at 48 kHz: planned to the sample first, streamed after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import soxr

from synthesis.audio import Samples
from synthesis.errors import NothingToMaster
from synthesis.mastering.levels import line_gains_db
from synthesis.mastering.loudness import from_db
from synthesis.mastering.profiles import MASTER_RATE
from synthesis.mastering.takes import Part, TakeMeasure, measure_take, read_take

PER_MS = MASTER_RATE // 1000
"""Samples in a millisecond of programme."""


@dataclass(frozen=True, slots=True)
class Offset:
    """Where a part lies in the track, in samples at 48 kHz."""

    key: int
    start: int
    samples: int
    pause: int
    """Silence after it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A programme laid out: ``head`` + every part with its pause + ``tail`` = ``samples``, exactly."""

    parts: tuple[Part, ...]
    measures: tuple[TakeMeasure, ...]
    gains_db: tuple[float, ...]
    offsets: tuple[Offset, ...]
    head: int
    tail: int
    samples: int
    warnings: tuple[str, ...]


def plan_programme(parts: Sequence[Part], *, head_ms: int, tail_ms: int, target: str = "track") -> Plan:
    """Measure every take and lay the programme out. Silence follows every part, the last one included.

    Raises NothingToMaster for no parts or no samples, PartUnusable for a take that cannot be used, ValueError for
    negative times.
    """
    if not parts:
        raise NothingToMaster(target)
    if min(head_ms, tail_ms, *(part.pause_ms for part in parts)) < 0:
        raise ValueError("head, tail and pauses are 0 ms or more")
    measures = tuple(measure_take(part) for part in parts)
    gains = line_gains_db(measures, [part.voice for part in parts])
    position = head_ms * PER_MS
    offsets: list[Offset] = []
    for part, measure in zip(parts, measures, strict=True):
        samples = _length(measure)
        offsets.append(Offset(part.key, position, samples, part.pause_ms * PER_MS))
        position += samples + part.pause_ms * PER_MS
    samples = position + tail_ms * PER_MS
    if samples == 0:
        raise NothingToMaster(target)
    warnings = tuple(f"part {p.key} is silent" for p, m in zip(parts, measures, strict=True) if m.silent)
    return Plan(
        parts=tuple(parts),
        measures=measures,
        gains_db=tuple(gains),
        offsets=tuple(offsets),
        head=head_ms * PER_MS,
        tail=tail_ms * PER_MS,
        samples=samples,
        warnings=warnings,
    )


def stream_programme(plan: Plan, *, block: int = 10 * MASTER_RATE) -> Iterator[Samples]:
    """Yield the programme in float32 blocks of ``block`` samples, the last one shorter; ``plan.samples`` in all."""
    yield from rechunk(_pieces(plan, block), block)


def rechunk(pieces: Iterator[Samples], size: int) -> Iterator[Samples]:
    """Cut a stream of pieces of any size into blocks of ``size``, the last one shorter."""
    filling = np.empty(size, np.float32)
    filled = 0
    for piece in pieces:
        taken = 0
        while taken < len(piece):
            count = min(size - filled, len(piece) - taken)
            filling[filled : filled + count] = piece[taken : taken + count]
            filled += count
            taken += count
            if filled == size:
                yield filling
                filling, filled = np.empty(size, np.float32), 0
    if filled:
        yield filling[:filled]


def _length(measure: TakeMeasure) -> int:
    """Samples of a take at 48 kHz, rounded to nearest."""
    return ((measure.stop - measure.start) * MASTER_RATE * 2 + measure.rate) // (2 * measure.rate)


def _pieces(plan: Plan, block: int) -> Iterator[Samples]:
    yield from _silence(plan.head, block)
    for part, measure, gain_db, offset in zip(plan.parts, plan.measures, plan.gains_db, plan.offsets, strict=True):
        yield from _exactly(_resampled(part, measure, from_db(gain_db)), offset.samples)
        yield from _silence(offset.pause, block)
    yield from _silence(plan.tail, block)


def _resampled(part: Part, measure: TakeMeasure, gain: float) -> Iterator[Samples]:
    blocks = read_take(part, measure)
    scale = np.float32(gain)
    if measure.rate == MASTER_RATE:
        for block in blocks:
            yield block * scale
        return
    stream = soxr.ResampleStream(measure.rate, MASTER_RATE, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(block) * scale
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True) * scale


def _exactly(pieces: Iterator[Samples], samples: int) -> Iterator[Samples]:
    """Hold a stream to its planned length: resamplers end a sample early or late."""
    left = samples
    for piece in pieces:
        if left > 0:
            yield piece[:left]
        left -= len(piece)
    if left > 0:
        yield np.zeros(left, np.float32)


def _silence(samples: int, block: int) -> Iterator[Samples]:
    left = samples
    while left > 0:
        yield np.zeros(min(left, block), np.float32)
        left -= block
