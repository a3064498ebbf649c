"""Speech-like signals from formulas, and reference signals of known level: no recordings needed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter


def speechlike(seconds: float, rate: int, *, seed: int = 0, level: float = 0.3) -> NDArray[np.float32]:
    """Pulses through moving formants in syllables and pauses, peak ``level``; starts and ends with 0.1 s of silence."""
    rng = np.random.default_rng(seed)
    count = round(seconds * rate)
    t = np.arange(count) / rate
    pitch = 120 + 25 * np.sin(2 * np.pi * 0.31 * t + seed) + 6 * np.sin(2 * np.pi * 1.7 * t)
    phase = np.cumsum(pitch) / rate
    source = 2 * (phase % 1) - 1 + 0.08 * rng.standard_normal(count)
    voiced = source
    for frequency, width in ((550 + 60 * (seed % 4), 90), (1500, 120), (2600, 180)):
        radius = np.exp(-np.pi * width / rate)
        cosine = 2 * radius * np.cos(2 * np.pi * min(frequency, 0.45 * rate) / rate)
        voiced = lfilter([1 - radius], [1, -cosine, radius**2], voiced)
    syllables = np.clip(0.55 + 0.6 * np.sin(2 * np.pi * 3.7 * t + seed), 0, 1) ** 1.5
    phrases = np.clip(4 * (np.sin(2 * np.pi * 0.28 * t + 0.4 + seed) + 0.85), 0, 1)
    quiet = (t < 0.1) | (t > seconds - 0.1)
    audio = voiced * syllables * phrases * ~quiet
    peak = float(np.abs(audio).max()) if count else 0.0
    return (audio / peak * level if peak else audio).astype(np.float32)


def tone(dbfs: float, seconds: float, rate: int = 48_000, frequency: float = 1000.0) -> NDArray[np.float32]:
    """A sine whose peak is ``dbfs``, shape (samples,)."""
    t = np.arange(round(seconds * rate)) / rate
    return (10 ** (dbfs / 20) * np.sin(2 * np.pi * frequency * t)).astype(np.float32)
