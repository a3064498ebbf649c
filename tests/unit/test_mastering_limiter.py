from __future__ import annotations

import numpy as np
import pytest
from voicelike import speechlike

from synthesis.mastering.limiter import TruePeakLimiter
from synthesis.mastering.loudness import to_db
from synthesis.mastering.truepeak import TruePeakMeter

RATE = 48_000


def limited(samples: np.ndarray, gain_db: float, ceiling_dbtp: float, size: int = 48_000) -> np.ndarray:
    limiter = TruePeakLimiter(gain_db=gain_db, ceiling_dbtp=ceiling_dbtp)
    blocks = [limiter.process(samples[start : start + size]) for start in range(0, len(samples), size)]
    return np.concatenate([*blocks, limiter.flush()])


def true_peak_db(samples: np.ndarray) -> float:
    meter = TruePeakMeter()
    meter.add(samples)
    return to_db(meter.peak())


def bursts() -> np.ndarray:
    n = np.arange(2 * RATE)
    return (np.sign(np.sin(2 * np.pi * n / 37)) * ((n // 3000) % 2) * 0.9).astype(np.float32)


def quarter_rate() -> np.ndarray:
    n = np.arange(2 * RATE)
    return (np.sin(2 * np.pi * n / 4 + np.pi / 4) * ((n // 5000) % 2)).astype(np.float32)


def clicks() -> np.ndarray:
    samples = np.zeros(RATE, np.float32)
    samples[[0, 1, 777, 778, 5000, 20_000, RATE - 1]] = [1, -1, 1, -1, 1, -1, 1]
    return samples


def noise() -> np.ndarray:
    return np.random.default_rng(5).standard_normal(RATE).astype(np.float32)


@pytest.mark.parametrize("make", [bursts, quarter_rate, clicks, noise, lambda: speechlike(3, RATE, level=0.9)])
@pytest.mark.parametrize("gain_db", [0.0, 6.0, 20.0])
def test_the_ceiling_holds_on_hostile_signals(make, gain_db: float) -> None:
    samples = make()
    out = limited(samples, gain_db, -3.0)
    assert len(out) == len(samples)
    assert true_peak_db(out) <= -3.0 + 0.1


def test_below_the_ceiling_it_is_a_constant_gain() -> None:
    samples = speechlike(2, RATE, level=0.1)
    limiter = TruePeakLimiter(gain_db=6.0, ceiling_dbtp=-3.0)
    out = np.concatenate([limiter.process(samples), limiter.flush()])
    assert np.array_equal(out, samples * np.float32(10 ** (6 / 20)))
    assert limiter.limited_samples == 0
    assert limiter.max_reduction_db == 0


def test_only_the_surroundings_of_a_peak_are_touched() -> None:
    samples = np.full(RATE, 0.1, np.float32)
    samples[24_000] = 1.0
    out = limited(samples, 0.0, -6.0)
    touched = np.flatnonzero(np.abs(out - samples) > 1e-6)
    assert touched.min() > 24_000 - 1_500
    assert touched.max() < 24_000 + 1_500
    # the gain moves slowly: no step that would click
    assert np.abs(np.diff(out[touched.min() : 23_990])).max() < 1e-3


def test_silence_and_nothing() -> None:
    assert not limited(np.zeros(5_000, np.float32), 20.0, -3.0).any()
    assert len(limited(np.zeros(0, np.float32), 20.0, -3.0)) == 0


@pytest.mark.parametrize("size", [1, 3, 100, 971, 972, 973, 1953, 40_000])
def test_block_size_does_not_matter(size: int) -> None:
    samples = bursts()[: max(4_000, 20 * size)]
    assert np.allclose(limited(samples, 9.0, -1.0, size), limited(samples, 9.0, -1.0, len(samples)), atol=1e-6)
