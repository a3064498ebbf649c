"""Spectrograms of the reference: linear magnitudes for every version, mel bands for v3 and v4.

All take a mono wave in [-1, 1] (a peak above 1 is allowed), float32, and centre nothing: the wave is mirrored by half
of what a window is longer than its hop at each side, so n samples give n // hop frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from synthesis.gptsovits.errors import BadInput

POWER_FLOOR = 1e-8
"""Added to the power before the root."""
MEL_FLOOR = 1e-5
SAMPLE_RATE = 32_000
BANDS = 100


@dataclass(frozen=True)
class Mel:
    """A mel spectrogram: sample rate in Hz, window and hop in samples."""

    sample_rate: int
    window: int
    hop: int


V3 = Mel(24_000, 1024, 256)
V4 = Mel(32_000, 1280, 320)


def spectrogram(wave: Tensor) -> Tensor:
    """Linear magnitudes [1025, frames] of a 32 kHz wave [n], 50 frames/s; silence gives 1e-4 everywhere.

    Raises BadInput for a wave that is not one-dimensional or is shorter than 705 samples.
    """
    return _magnitudes(wave, 2048, 640)


def mel_v3(wave: Tensor) -> Tensor:
    """Natural logarithm of 100 mel bands [100, frames] of a 24 kHz wave [n], 93.75 frames/s; silence gives -11.5."""
    return _log_mel(wave, V3)


def mel_v4(wave: Tensor) -> Tensor:
    """Natural logarithm of 100 mel bands [100, frames] of a 32 kHz wave [n], 100 frames/s; silence gives -11.5."""
    return _log_mel(wave, V4)


def _log_mel(wave: Tensor, mel: Mel) -> Tensor:
    bands = torch.from_numpy(slaney_bands(mel.sample_rate, mel.window, BANDS)).to(wave)
    return (bands @ _magnitudes(wave, mel.window, mel.hop)).clamp(min=MEL_FLOOR).log()


def _magnitudes(wave: Tensor, window: int, hop: int) -> Tensor:
    margin = (window - hop) // 2
    if wave.ndim != 1 or wave.shape[0] <= margin:
        raise BadInput(
            "wave", f"has shape {tuple(wave.shape)}; at least {margin + 1} samples of one channel are needed"
        )
    padded = torch.nn.functional.pad(wave[None], (margin, margin), mode="reflect")  # [1, n + window - hop]
    shape = torch.hann_window(window, dtype=wave.dtype, device=wave.device)
    spectrum = torch.stft(padded, window, hop, window, shape, center=False, return_complex=True)  # [1, bins, frames]
    parts = torch.view_as_real(spectrum)[0]  # [bins, frames, 2]
    return (parts.square().sum(-1) + POWER_FLOOR).sqrt()


@lru_cache(maxsize=4)
def slaney_bands(sample_rate: int, window: int, bands: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Triangles [bands, window // 2 + 1] of equal area on Slaney's mel scale, from 0 Hz to half the sample rate.

    The scale is linear up to 1 kHz (15 mel) and logarithmic above, 27 mel for a factor of 6.4 (Slaney, Auditory
    Toolbox, Interval Research technical report 1998-010).
    """
    edges = _slaney_hz(np.linspace(0.0, _slaney_mel(sample_rate / 2), bands + 2))
    bins = np.linspace(0.0, sample_rate / 2, window // 2 + 1)
    ramps = edges[:, None] - bins[None]  # [bands + 2, bins]
    widths = np.diff(edges)[:, None]
    rising, falling = -ramps[:-2] / widths[:-1], ramps[2:] / widths[1:]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


_LINEAR_HZ, _LINEAR_MEL = 1000.0, 15.0
_LOG_STEP = np.log(6.4) / 27.0


def _slaney_mel(hz: float) -> float:
    if hz < _LINEAR_HZ:
        return hz * _LINEAR_MEL / _LINEAR_HZ
    return float(_LINEAR_MEL + np.log(hz / _LINEAR_HZ) / _LOG_STEP)


def _slaney_hz(mel: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    above = _LINEAR_HZ * np.exp(_LOG_STEP * (mel - _LINEAR_MEL))
    return np.where(mel < _LINEAR_MEL, mel * _LINEAR_HZ / _LINEAR_MEL, above)
