"""From sound to a plane of band levels in which speech weighs little and a keyed pattern stands out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy  # which loads its ndimage when something is looked for
import scipy.fft
import soxr
from numpy.typing import NDArray

from synthesis.audio import Samples
from synthesis.watermark.pattern import BAND_HZ, BANDS, LOWEST_HZ

RATE = 16000
"""Rate in Hz at which a mark is looked for; nothing of it lies above 6.1 kHz."""
FRAME = 512
HOP = 256

Plane = NDArray[np.float32]
"""Shape (frames, BANDS)."""

_FLOOR_DB = -60.0
_TIME_SPAN = 13
_BAND_SPAN = 7
_CLIP = 4.0
_REGULARISATION = 0.05


def to_detection_rate(samples: Samples, sample_rate: int) -> Samples:
    """Resample (samples,) to ``RATE``."""
    if sample_rate == RATE:
        return samples
    return np.asarray(soxr.resample(samples, sample_rate, RATE), np.float32)


def power_spectrum(samples: Samples) -> NDArray[np.float32]:
    """Power of 32 ms Hann frames every 16 ms, shape (frames, FRAME // 2 + 1), of samples at ``RATE``."""
    if len(samples) < FRAME:
        return np.zeros((0, FRAME // 2 + 1), np.float32)
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]
    spectrum = scipy.fft.rfft(frames * window, axis=1)
    return np.asarray(spectrum.real**2 + spectrum.imag**2, np.float32)


def running_power(power: NDArray[np.float32]) -> NDArray[np.float64]:
    """Power summed from the lowest bin up, shape (bins + 1, frames): any band is a difference of two rows."""
    summed = np.zeros((power.shape[1] + 1, len(power)))
    np.cumsum(power.T, axis=0, dtype=np.float64, out=summed[1:])
    return summed


def band_levels(running: NDArray[np.float64], scale: float) -> Plane:
    """Level of each band in dB, its edges moved by ``scale``, shape (frames, BANDS).

    Levels end softly 60 dB under the loud frames: what lies below is codec noise and carries nothing.
    """
    bin_hz = RATE / FRAME
    edges = ((LOWEST_HZ - bin_hz / 2 + BAND_HZ * np.arange(BANDS + 1)) * scale) / bin_hz + 0.5
    whole = edges.astype(np.int64)
    part = (edges - whole)[:, None]
    at_edges = running[whole] * (1 - part) + running[whole + 1] * part
    energy = np.maximum(np.diff(at_edges, axis=0), 0.0).T.astype(np.float32)
    loud = float(np.quantile(energy.mean(axis=1), 0.95)) if len(energy) else 0.0
    if loud <= 1e-20:
        return np.zeros(energy.shape, np.float32)
    return np.asarray(10.0 * np.log10(energy / np.float32(loud) + np.float32(10.0 ** (_FLOOR_DB / 10.0))), np.float32)


@dataclass(frozen=True, eq=False)
class Whitener:
    """Takes a programme out of its own levels as far as it can be foretold.

    Local means go first and outliers are clipped; then the plane is made white along time (by its own modulation
    spectrum) and across bands (by their own covariance). Speech is slow and smooth along both axes, a keyed pattern is
    neither, and each programme shows by itself how slow and how smooth it is.
    """

    density: NDArray[np.float32]
    """Modulation spectrum along time, mean 1."""
    turn: NDArray[np.float32]
    """Inverse square root of the covariance of the bands, shape (BANDS, BANDS)."""

    @classmethod
    def fit(cls, levels: Plane) -> Whitener:
        """Learn from levels (frames, BANDS), at least one frame."""
        rest = _rest(levels)
        spectrum = scipy.fft.rfft(rest, _fft_size(rest), axis=0)
        density = scipy.ndimage.uniform_filter1d(
            np.mean(spectrum.real**2 + spectrum.imag**2, axis=1), 9, mode="nearest"
        )
        density /= density.mean() + 1e-20
        blocks = _blocks(_flat_in_time(rest, density))
        covariance = np.matmul(blocks.transpose(0, 2, 1), blocks).sum(axis=0)
        values, vectors = np.linalg.eigh(covariance.astype(np.float64))
        values = np.maximum(values / (values.mean() + 1e-20), 0.0)
        turn = (vectors / np.sqrt(values + _REGULARISATION)) @ vectors.T
        return cls(density, turn.astype(np.float32))

    def apply(self, levels: Plane) -> Plane:
        """Return levels of as many frames as were learnt from, whitened; zeros where there is nothing but silence."""
        blocks = _blocks(_flat_in_time(_rest(levels), self.density))
        return np.asarray(np.matmul(blocks, self.turn).reshape(-1, BANDS)[: len(levels)])


def _rest(levels: Plane) -> Plane:
    rest = levels - scipy.ndimage.uniform_filter1d(levels, min(_TIME_SPAN, len(levels)), axis=0, mode="nearest")
    rest -= scipy.ndimage.uniform_filter1d(rest, _BAND_SPAN, axis=1, mode="nearest")
    spread = float(np.sqrt(np.mean(rest**2)))
    if spread <= 1e-6:
        return np.zeros_like(levels)
    return np.asarray(np.clip(rest / np.float32(spread), -_CLIP, _CLIP), np.float32)


def _flat_in_time(rest: Plane, density: NDArray[np.float32]) -> Plane:
    size = _fft_size(rest)
    spectrum = scipy.fft.rfft(rest, size, axis=0)
    spectrum /= np.sqrt(density + _REGULARISATION).astype(np.float32)[:, None]
    return np.asarray(scipy.fft.irfft(spectrum, size, axis=0)[: len(rest)], np.float32)


def _fft_size(plane: Plane) -> int:
    return int(scipy.fft.next_fast_len(len(plane), real=True))


def _blocks(plane: Plane) -> NDArray[np.float32]:
    """Rows in blocks of 24, padded with zeros, shape (blocks, 24, BANDS).

    Products of blocks this small stay in one thread of the BLAS: on a machine that is busy rendering, its threads
    spend ten times longer waiting for each other than multiplying.
    """
    padded = np.zeros((-(-len(plane) // 24) * 24, BANDS), np.float32)
    padded[: len(plane)] = plane
    return padded.reshape(-1, 24, BANDS)
