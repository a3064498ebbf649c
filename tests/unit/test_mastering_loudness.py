"""EBU Tech 3341 cases 1-5 and 15-19, rebuilt from their definitions, at the standard's tolerances.

The standard's files are stereo with the same signal in both channels; ours are mono, which measures 3.01 LU lower.
"""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from voicelike import speechlike, tone

from synthesis.mastering.loudness import LoudnessMeter, from_db, to_db
from synthesis.mastering.truepeak import FRAME, OVERSHOOT, REACH, TruePeakMeter, frame_bounds, frame_peaks

RATE = 48_000
MONO_LU = 10 * np.log10(2)


def integrated(blocks: list[np.ndarray], rate: int = RATE) -> float:
    meter = LoudnessMeter(rate)
    for block in blocks:
        meter.add(block)
    return meter.integrated_lufs()


def true_peak_db(samples: np.ndarray, size: int = 7919) -> float:
    meter = TruePeakMeter()
    for start in range(0, len(samples), size):
        meter.add(samples[start : start + size])
    return to_db(meter.peak())


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([(-23, 20)], -23),
        ([(-33, 20)], -33),
        ([(-36, 10), (-23, 60), (-36, 10)], -23),
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23),
    ],
    ids=["case 1", "case 2", "case 3", "case 4", "case 5"],
)
def test_integrated_loudness_within_a_tenth(levels: list[tuple[float, float]], expected: float) -> None:
    assert integrated([tone(level, seconds) for level, seconds in levels]) + MONO_LU == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize(
    ("divider", "degrees", "amplitude", "expected"),
    [(4, 0, 0.5, -6), (4, 45, 0.5, -6), (6, 60, 0.5, -6), (8, 67.5, 0.5, -6), (4, 45, 1.41, 3)],
    ids=["case 15", "case 16", "case 17", "case 18", "case 19"],
)
def test_true_peak_within_the_standard(divider: int, degrees: float, amplitude: float, expected: float) -> None:
    n = np.arange(RATE)
    wave = amplitude * np.sin(2 * np.pi * n / divider + np.radians(degrees))
    # faded, as the standard's files are: a sine that starts abruptly overshoots for real
    ramp = np.clip(np.minimum(n, n[::-1]) / 2400, 0, 1)
    assert -0.4 <= true_peak_db((wave * ramp).astype(np.float32)) - expected <= 0.2


def test_loudness_range_of_two_levels() -> None:
    meter = LoudnessMeter(RATE, with_range=True)
    for level in (-20, -30):
        meter.add(tone(level, 20))
    assert meter.range_lu() == pytest.approx(10, abs=1)


def test_silence_and_nothing_have_defined_levels() -> None:
    assert integrated([np.zeros(RATE, np.float32)]) == -70
    assert integrated([]) == -70
    assert integrated([tone(-20, 0.3)]) == -70
    assert true_peak_db(np.zeros(RATE, np.float32)) == -120
    assert true_peak_db(np.zeros(0, np.float32)) == -120


def test_range_must_be_asked_for() -> None:
    with pytest.raises(ValueError, match="with_range"):
        LoudnessMeter(RATE).range_lu()


def test_a_peak_in_the_last_samples_is_found() -> None:
    samples = np.zeros(5000, np.float32)
    samples[-1] = -0.5
    assert true_peak_db(samples) == pytest.approx(to_db(0.5), abs=0.01)


def all_peaks(padded: np.ndarray) -> np.ndarray:
    frames = np.arange(-(-(len(padded) - 2 * REACH + 1) // FRAME))
    return frame_peaks(padded, frames)


def test_skipping_frames_changes_nothing() -> None:
    samples = speechlike(5, RATE, seed=3)
    padded = np.concatenate([np.zeros(2 * REACH - 1, np.float32), samples, np.zeros(REACH, np.float32)])
    assert true_peak_db(samples) == pytest.approx(to_db(float(all_peaks(padded).max())), abs=1e-6)


def test_the_bound_holds_for_random_signs() -> None:
    square = np.sign(np.random.default_rng(1).standard_normal(20_011)).astype(np.float32)
    peaks = all_peaks(square)
    assert np.all(peaks.max(axis=1) <= frame_bounds(square))
    assert 1.5 < float(peaks.max()) <= OVERSHOOT


def test_peaks_agree_with_another_oversampler() -> None:
    samples = speechlike(4, RATE, seed=1)
    oversampled = soxr.resample(samples.astype(np.float64), RATE, 4 * RATE, quality="VHQ")
    assert true_peak_db(samples) == pytest.approx(to_db(float(np.abs(oversampled).max())), abs=0.1)


def test_decibels_round_trip() -> None:
    assert to_db(from_db(-7.5)) == pytest.approx(-7.5)
    assert to_db(0.0) == -120
