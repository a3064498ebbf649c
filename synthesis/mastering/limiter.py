"""A look-ahead true-peak limiter for streams. What cannot reach the ceiling passes untouched and costs nothing."""

from __future__ import annotations

import numpy as np
import scipy  # which loads its ndimage at the first loud peak: a third of a second that most programmes save
from numpy.typing import NDArray

from synthesis.audio import Samples
from synthesis.mastering.loudness import from_db, to_db
from synthesis.mastering.truepeak import FRAME, REACH, frame_bounds, frame_peaks

_HOLD = 480
"""Half width in samples (10 ms at 48 kHz) of the minimum filter, and of the smoothing after it: the look-ahead is twice
this. A period of the lowest voice fits in, so the gain does not follow single pitch pulses."""
_SMOOTH = _HOLD + 1
"""Length of each of the two boxes; together they reach exactly as far as the minimum was held, so that the smoothed
gain at a peak is never above the gain that the peak asks for."""
_CONTEXT = 2 * _HOLD + REACH
_MARGIN_DB = 0.02
"""For what interpolates between two samples of slightly different gain."""
_AUDIBLE = from_db(-0.01)


class TruePeakLimiter:
    """Constant gain, then limiting; float32 blocks of shape (samples,) and of any size in, as many samples out in all.

    ``process`` returns what is settled (it lags by about 20 ms), ``flush`` the rest. Results do not depend on how the
    stream is cut. Silence stays silence; where the limiter does not act, output = input × gain exactly.
    """

    def __init__(self, *, gain_db: float, ceiling_dbtp: float) -> None:
        self._gain = np.float32(from_db(gain_db))
        self._limit = from_db(ceiling_dbtp - _MARGIN_DB)
        self._held: Samples = np.zeros(_CONTEXT, np.float32)
        self._limited = 0
        self._least = 1.0

    @property
    def limited_samples(self) -> int:
        """Samples turned down by 0.01 dB or more so far."""
        return self._limited

    @property
    def max_reduction_db(self) -> float:
        """The most that was taken away so far, 0 or more."""
        return max(0.0, -to_db(self._least))

    def process(self, block: Samples) -> Samples:
        """Take in a block, return the samples that are settled (possibly none)."""
        held = np.concatenate([self._held, block * self._gain])
        ready = len(held) - 2 * _CONTEXT
        if ready <= 0:
            self._held = held
            return np.zeros(0, np.float32)
        self._held = held[ready:].copy()
        return self._limit_middle(held, ready)

    def flush(self) -> Samples:
        """Return what is still held. The limiter is done afterwards."""
        missing = max(0, _CONTEXT - len(self._held))
        held = np.concatenate([self._held, np.zeros(_CONTEXT + missing, np.float32)])
        self._held = np.zeros(_CONTEXT, np.float32)
        ready = len(held) - 2 * _CONTEXT
        return self._limit_middle(held, ready) if ready > 0 else np.zeros(0, np.float32)

    def _limit_middle(self, held: Samples, ready: int) -> Samples:
        """Limit ``held[_CONTEXT : _CONTEXT + ready]``; the rest of ``held`` is its surroundings."""
        out: Samples = held[_CONTEXT : _CONTEXT + ready].copy()
        wanted = self._wanted_gain(held[1:])
        if wanted is None:
            return out
        for start, stop in _clusters(wanted):
            curve = _smooth(wanted[start:stop])
            # positions in ``wanted`` begin 2 * _HOLD before those in ``out``
            first, last = max(0, start - 2 * _HOLD), min(ready, stop - 2 * _HOLD)
            if first < last:
                part = curve[first + 2 * _HOLD - start : last + 2 * _HOLD - start]
                out[first:last] *= part
                self._limited += int(np.count_nonzero(part < _AUDIBLE))
                self._least = min(self._least, float(part.min()))
        return out

    def _wanted_gain(self, padded: Samples) -> NDArray[np.float32] | None:
        """Gain each sample's true peak asks for, at most 1; None when all of it is 1."""
        hot = np.flatnonzero(frame_bounds(padded) > self._limit)
        if len(hot) == 0:
            return None
        count = len(padded) - 2 * REACH + 1
        wanted = np.ones(-(-count // FRAME) * FRAME, np.float32)
        wanted.reshape(-1, FRAME)[hot] = self._limit / np.maximum(frame_peaks(padded, hot), self._limit)
        wanted = wanted[:count]
        return wanted if float(wanted.min()) < 1.0 else None


def _clusters(wanted: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Stretches, with their surroundings, in which the smoothed gain can differ from 1."""
    low = np.flatnonzero(wanted < 1.0)
    breaks = np.flatnonzero(np.diff(low) > 4 * _HOLD)
    firsts = low[np.concatenate([[0], breaks + 1])]
    lasts = low[np.concatenate([breaks, [len(low) - 1]])]
    return [
        (max(0, int(first) - 2 * _HOLD), min(len(wanted), int(last) + 2 * _HOLD + 1))
        for first, last in zip(firsts, lasts, strict=True)
    ]


def _smooth(wanted: NDArray[np.float32]) -> NDArray[np.float32]:
    """Hold each minimum for _HOLD on both sides, then smooth with two boxes."""
    held = scipy.ndimage.minimum_filter1d(wanted.astype(np.float64), 2 * _HOLD + 1, mode="constant", cval=1.0)
    box = scipy.ndimage.uniform_filter1d
    smooth = box(box(held, _SMOOTH, mode="nearest"), _SMOOTH, mode="nearest")
    return np.asarray(np.minimum(smooth, 1.0), dtype=np.float32)
