"""From sound to a plane of band levels in which speech weighs little and a keyed pattern stands out."""

from __future__ import annotations

import numpy as np
import scipy.fft
import soxr
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

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


def band_levels(power: NDArray[np.float32], scale: float) -> Plane:
    """Level of each band in dB, its edges moved by ``scale``, shape (frames, BANDS).

    Levels end softly 60 dB under the loud frames: what lies below is codec noise and carries nothing.
    """
    bin_hz = RATE / FRAME
    running = np.concatenate((np.zeros((len(power), 1)), np.cumsum(power, axis=1, dtype=np.float64)), axis=1)
    edges = ((LOWEST_HZ - bin_hz / 2 + BAND_HZ * np.arange(BANDS + 1)) * scale) / bin_hz + 0.5
    whole = edges.astype(np.int64)
    part = edges - whole
    at_edges = running[:, whole] * (1 - part) + running[:, whole + 1] * part
    energy = np.maximum(np.diff(at_edges, axis=1), 0.0)
    loud = np.quantile(energy.mean(axis=1), 0.95)
    if loud <= 0.0:
        return np.zeros((len(power), BANDS), np.float32)
    return np.asarray(10.0 * np.log10(energy / loud + 10.0 ** (_FLOOR_DB / 10.0)), np.float32)


def whiten(levels: Plane) -> Plane:
    """Take the programme out of its levels as far as it can be foretold, shape kept.

    Local means go first and outliers are clipped; then the plane is made white along time (by its own modulation
    spectrum) and across bands (by their own covariance). Speech is slow and smooth along both axes, a keyed pattern is
    neither, and each programme shows by itself how slow and how smooth it is.
    """
    rest = levels - uniform_filter1d(levels, min(_TIME_SPAN, len(levels)), axis=0, mode="nearest")
    rest -= uniform_filter1d(rest, _BAND_SPAN, axis=1, mode="nearest")
    spread = float(np.sqrt(np.mean(rest**2)))
    if spread <= 1e-6:
        return np.zeros_like(levels)
    rest = np.asarray(np.clip(rest / spread, -_CLIP, _CLIP), np.float32)
    return _white_across_bands(_white_along_time(rest))


def _white_along_time(plane: Plane) -> Plane:
    size = scipy.fft.next_fast_len(len(plane), real=True)
    spectrum = scipy.fft.rfft(plane, size, axis=0)
    density = uniform_filter1d(np.mean(spectrum.real**2 + spectrum.imag**2, axis=1), 9, mode="nearest")
    density /= density.mean() + 1e-20
    spectrum /= np.sqrt(density + _REGULARISATION)[:, None]
    return np.asarray(scipy.fft.irfft(spectrum, size, axis=0)[: len(plane)], np.float32)


def _white_across_bands(plane: Plane) -> Plane:
    covariance = plane.T @ plane
    values, vectors = np.linalg.eigh(covariance.astype(np.float64))
    values = np.maximum(values / (values.mean() + 1e-20), 0.0)
    turn = (vectors / np.sqrt(values + _REGULARISATION)) @ vectors.T
    return np.asarray(plane @ turn.astype(np.float32), np.float32)
