"""Light levelling of lines before assembly: voices meet at one level, lines keep half of what makes them differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from synthesis.mastering.takes import TakeMeasure

_CLAMP_DB = 6.0
_KEPT = 0.5
"""Share of a line's distance from its voice's median that stays: a whisper remains quieter than a shout."""


def line_gains_db(measures: Sequence[TakeMeasure], voices: Sequence[str]) -> list[float]:
    """Gain of each take in dB, within ±6.

    A voice's median is brought to the median of the whole cast, and half of each line's distance from its voice's
    median is taken out. Takes without a level of their own (silent, or under 400 ms) get their voice's gain; a voice
    none of whose takes has a level is left as it is.
    """
    levels: dict[str, list[float]] = {}
    weighted: list[tuple[float, float]] = []
    for measure, voice in zip(measures, voices, strict=True):
        if measure.loudness_lufs is not None:
            levels.setdefault(voice, []).append(measure.loudness_lufs)
            weighted.append((measure.loudness_lufs, (measure.stop - measure.start) / measure.rate))
    if not weighted:
        return [0.0] * len(measures)
    cast = _weighted_median(weighted)
    medians = {voice: float(np.median(found)) for voice, found in levels.items()}
    return [
        _gain(measure.loudness_lufs, medians.get(voice), cast) for measure, voice in zip(measures, voices, strict=True)
    ]


def _gain(level: float | None, voice: float | None, cast: float) -> float:
    if voice is None:
        return 0.0
    correction = 0.0 if level is None else -(1.0 - _KEPT) * (level - voice)
    return min(_CLAMP_DB, max(-_CLAMP_DB, cast - voice + correction))


def _weighted_median(pairs: Sequence[tuple[float, float]]) -> float:
    """The value at half of the total weight; ``pairs`` are (value, weight > 0), at least one."""
    ordered = sorted(pairs)
    weights = np.cumsum([weight for _, weight in ordered])
    return ordered[int(np.searchsorted(weights, weights[-1] / 2))][0]
