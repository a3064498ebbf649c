"""True peak by 4× oversampling (BS.1770-4 Annex 2), computed only where it can matter.

The interpolator is a Nyquist filter: one of its four phases is the signal itself, so three are computed. Its L1 norm
bounds how far an interpolated value can rise above the samples around it; a stretch whose samples stay below the
level in question by more than that bound is skipped, and the result is the same as if it had not been.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthesis.audio import Samples

_HALF = 16
"""Samples on either side that an interpolated value depends on."""
_FRAME = 1024
"""Samples decided about at once."""


def _interpolator() -> NDArray[np.float32]:
    """Phases 1/4, 2/4, 3/4 of a Kaiser-windowed sinc, shape (2 * _HALF, 3), each with unit gain at 0 Hz."""
    offsets = np.arange(-_HALF + 1, _HALF + 1)[:, None] - np.array([0.25, 0.5, 0.75])[None, :]
    # window over the same continuous time axis, so that all phases share one filter
    window = np.i0(7.0 * np.sqrt(1.0 - (offsets / _HALF) ** 2)) / np.i0(7.0)
    taps = np.sinc(offsets) * window
    return np.asarray(taps / taps.sum(axis=0), dtype=np.float32)


_TAPS = _interpolator()
REACH = _HALF
"""Samples of context needed on either side of a stretch."""
OVERSHOOT = float(np.abs(_TAPS).sum(axis=0).max())
"""An interpolated value is at most this many times the greatest sample within reach."""


def interpolated_peaks(padded: Samples) -> Samples:
    """Greatest magnitude at and shortly after each sample.

    ``padded`` has shape (REACH - 1 + samples + REACH,); returns shape (samples,), the greatest of |x| at n, n + 1/4,
    n + 1/2 and n + 3/4. Fewer than 2 * REACH samples give an empty result.
    """
    if len(padded) < 2 * _HALF:
        return np.zeros(0, np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _HALF)
    between = np.abs(windows @ _TAPS).max(axis=1)
    count = len(between)
    peaks: Samples = np.maximum(between, np.abs(padded[_HALF - 1 : _HALF - 1 + count]))
    return peaks


def frame_bounds(padded: Samples, frame: int = _FRAME) -> NDArray[np.float32]:
    """Upper bound of the true peak in each frame of the stretch that ``padded`` surrounds (see interpolated_peaks)."""
    count = len(padded) - 2 * _HALF + 1
    frames = -(-count // frame)
    magnitude = np.abs(padded)
    whole = np.zeros(frames * frame + 2 * _HALF, np.float32)
    whole[: len(magnitude)] = magnitude
    inner = whole[: frames * frame].reshape(frames, frame).max(axis=1)
    # what reaches into a frame from the next one
    beyond = np.lib.stride_tricks.sliding_window_view(whole, 2 * _HALF)[frame::frame][:frames].max(axis=1)
    bounds: NDArray[np.float32] = np.maximum(inner, beyond) * np.float32(OVERSHOOT)
    return bounds


class TruePeakMeter:
    """Greatest true peak of a stream of float32 blocks, shape (samples,), of any size."""

    def __init__(self) -> None:
        self._tail: Samples = np.zeros(2 * _HALF - 1, np.float32)
        self._peak = 0.0

    def add(self, block: Samples) -> None:
        """Measure another block. The last REACH samples are settled by the next one, or by ``peak``."""
        if len(block) == 0:
            return
        padded = np.concatenate([self._tail, block])
        self._tail = padded[-(2 * _HALF - 1) :]
        bounds = frame_bounds(padded)
        # loudest first: the sooner the maximum is found, the more frames fall below it
        for index in np.argsort(bounds)[::-1]:
            if bounds[index] <= self._peak:
                break
            start = int(index) * _FRAME
            part = interpolated_peaks(padded[start : start + _FRAME + 2 * _HALF - 1])
            self._peak = max(self._peak, float(part.max()))

    def peak(self) -> float:
        """Greatest magnitude so far, 1.0 = 0 dBTP; 0.0 for silence or nothing."""
        rest = interpolated_peaks(np.concatenate([self._tail, np.zeros(_HALF, np.float32)]))
        return max(self._peak, float(rest.max()))
