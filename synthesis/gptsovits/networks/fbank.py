"""Kaldi's filter-bank features, as speaker networks are trained on: 80 log mel energies for every 10 ms."""

from __future__ import annotations

from functools import lru_cache
from math import log

import torch
from torch import Tensor

from synthesis.gptsovits.errors import BadInput

SAMPLE_RATE = 16_000
BANDS = 80
FRAME = 400
"""Samples of a frame: 25 ms."""
HOP = 160
"""Samples from one frame to the next: 10 ms."""
TRANSFORM = 512
LOWEST_HZ = 20.0
PRE_EMPHASIS = 0.97


def fbank(wave: Tensor) -> Tensor:
    """Features [frames, 80] of a 16 kHz wave [n] in [-1, 1]; silence gives -15.9, the smallest float32's logarithm.

    Frames lie wholly inside the wave; each loses its mean, is pre-emphasised and windowed with Kaldi's "povey" window
    (a Hann window to the power 0.85). No dither, no energy, no mean removal over time. Raises BadInput below
    400 samples.
    """
    if wave.ndim != 1 or wave.shape[0] < FRAME:
        raise BadInput("wave", f"has shape {tuple(wave.shape)}; at least {FRAME} samples of one channel are needed")
    frames = wave.unfold(0, FRAME, HOP)  # [frames, 400]
    frames = frames - frames.mean(dim=1, keepdim=True)
    before = torch.cat((frames[:, :1], frames[:, :-1]), dim=1)
    frames = (frames - PRE_EMPHASIS * before) * _window().to(wave)
    power = torch.fft.rfft(frames, n=TRANSFORM).abs().square()  # [frames, 257]
    energies = power[:, : TRANSFORM // 2] @ _bands().to(wave).T  # [frames, 80]; no band reaches the last bin
    log_energies: Tensor = energies.clamp(min=torch.finfo(torch.float32).eps).log()
    return log_energies


@lru_cache(maxsize=1)
def _window() -> Tensor:
    return torch.hann_window(FRAME, periodic=False).pow(0.85)


@lru_cache(maxsize=1)
def _bands() -> Tensor:
    """Triangles [80, 256] over the bins below half the sample rate, their corners evenly spaced in mel."""
    corners = torch.linspace(_mel(LOWEST_HZ), _mel(SAMPLE_RATE / 2), BANDS + 2, dtype=torch.float64)
    hz = torch.arange(TRANSFORM // 2, dtype=torch.float64) * SAMPLE_RATE / TRANSFORM
    mel = 1127.0 * (1.0 + hz / 700.0).log()
    step = corners[1] - corners[0]
    rising = (mel[None] - corners[:-2, None]) / step
    falling = (corners[2:, None] - mel[None]) / step
    return torch.minimum(rising, falling).clamp(min=0.0).float()


def _mel(hz: float) -> float:
    return 1127.0 * log(1.0 + hz / 700.0)
