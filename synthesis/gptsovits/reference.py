"""Reference clips: from a sound file to the two waves the networks listen to.

The same file is heard twice. At 16 kHz, with 0.6 s of silence behind it, HuBERT turns it into the codes that s1 goes on
from; at 32 kHz its spectrogram gives s2 the timbre. Only the first has a length limit: s1 was trained to go on from
3 to 10 s. Features are kept by the content of the file, never by its name, and only so many of them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

import numpy as np
import soxr

from synthesis.audio import Samples
from synthesis.errors import AudioUnreadable
from synthesis.gptsovits.errors import ReferenceLength, ReferenceSilent, ReferenceUnreadable
from synthesis.qc.clips import import_clip

PROMPT_RATE: Final = 16_000
"""Hz, of what HuBERT and the speaker network hear."""
TIMBRE_RATE: Final = 32_000
"""Hz, of what the spectrogram is made from."""
SHORTEST, LONGEST = 48_000, 160_000
"""Samples at PROMPT_RATE: 3 s and 10 s."""
PROMPT_TAIL: Final = 9_600
"""Zeros behind the wave HuBERT hears: 0.3 s counted at 32 kHz and appended at 16 kHz, so 0.6 s. They are heard in the
last codes of the prompt, and every checkpoint is used with them."""
SILENT_DBFS: Final = -50.0
"""A clip whose loudest 10 ms stay at or below this RMS level is silent."""
_FRAME = PROMPT_RATE // 100
_GREATEST_DIVISOR = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceWaves:
    """A clip as the networks hear it."""

    prompt: Samples
    """float32 [n], 16 kHz, PROMPT_TAIL zeros at the end."""
    timbre: Samples
    """float32 [m], 32 kHz; a peak above 1 was divided away, as far as a factor of 2 does it."""
    speaker: Samples
    """float32 [m / 2], 16 kHz: ``timbre`` resampled, for the speaker network."""


def read_reference(path: Path, *, timbre_only: bool = False) -> ReferenceWaves:
    """Read a clip in any format and at any rate; channels are averaged.

    ``timbre_only``: a further clip of a speaker, whose length is free (up to a minute).
    Raises ReferenceUnreadable, ReferenceLength, ReferenceSilent.
    """
    try:
        audio = import_clip(path)
    except AudioUnreadable as error:
        raise ReferenceUnreadable(str(path), error.reason) from error
    return waves_of(audio.samples, audio.sample_rate, name=str(path), timbre_only=timbre_only)


def waves_of(samples: Samples, rate: int, *, name: str, timbre_only: bool = False) -> ReferenceWaves:
    """The waves of mono ``samples`` [n] at ``rate`` Hz. Raises as ``read_reference`` does."""
    if not np.isfinite(samples).all():
        raise ReferenceUnreadable(name, "some samples are NaN or infinite")
    prompt = resample(samples, rate, PROMPT_RATE)
    if not timbre_only and not SHORTEST <= len(prompt) <= LONGEST:
        raise ReferenceLength(name, len(prompt) / PROMPT_RATE, SHORTEST / PROMPT_RATE, LONGEST / PROMPT_RATE)
    loudest = loudest_dbfs(prompt)
    if loudest <= SILENT_DBFS:
        raise ReferenceSilent(name, loudest)
    timbre = resample(samples, rate, TIMBRE_RATE)
    peak = float(np.abs(timbre).max())
    if peak > 1:
        timbre = timbre / np.float32(min(_GREATEST_DIVISOR, peak))
    return ReferenceWaves(
        prompt=np.concatenate([prompt, np.zeros(PROMPT_TAIL, np.float32)]),
        timbre=timbre,
        speaker=resample(timbre, TIMBRE_RATE, PROMPT_RATE),
    )


def resample(samples: Samples, rate: int, wanted: int) -> Samples:
    """``samples`` [n] at another rate, [about n × wanted / rate]; the same array when nothing is to be done."""
    if rate == wanted:
        return samples
    out: Samples = soxr.resample(samples, rate, wanted, quality="HQ").astype(np.float32, copy=False)
    return out


def loudest_dbfs(samples: Samples) -> float:
    """RMS of the loudest 10 ms of a wave at PROMPT_RATE, in dBFS; -inf for digital silence and for no samples."""
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)  # [frames, 160]
    loudest = float(np.square(frames, dtype=np.float64).mean(axis=1).max()) if len(frames) else 0.0
    return 10 * float(np.log10(loudest)) if loudest > 0 else float("-inf")


K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """The last ``limit`` values that were asked for. Keys are made of content hashes, so nothing in here gets old."""

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"limit is 1 or more, got {limit}")
        self._limit = limit
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value of ``key``, made now if it is not there. What ``make`` raises is not remembered."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        value = self._values[key] = make()
        while len(self._values) > self._limit:
            self._values.popitem(last=False)
        return value

    def __len__(self) -> int:
        return len(self._values)
