from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from voicelike import speechlike

from synthesis.errors import AudioUnreadable
from synthesis.watermark import detect, detect_file, embed
from synthesis.watermark.detector import (
    TARGET_FALSE_POSITIVES,
    _fold,
    _scores,
    _templates,
    false_positive_bound,
    threshold_for,
)
from synthesis.watermark.frontend import RATE, Whitener, band_levels, power_spectrum, running_power

KEY = b"title key"


def harmonics(seconds: float) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    return sum(np.sin(2 * np.pi * 220 * n * t) / n for n in range(1, 12)).astype(np.float32) * 0.1


@pytest.mark.parametrize(
    "sound",
    [
        speechlike(12.0, RATE, seed=1),
        np.tile(speechlike(4.096, RATE, seed=2), 5),
        harmonics(20.0),
        np.random.default_rng(0).standard_normal(RATE * 10).astype(np.float32),
        embed(speechlike(20.0, RATE, seed=4), b"another key", 9, RATE),
    ],
    ids=["speech", "looped at an eighth of the cycle", "steady harmonics", "noise", "carries another key"],
)
def test_scores_of_unused_keys_have_variance_one_on_any_sound(sound: np.ndarray) -> None:
    """The false positive bound stands on this: mean 0, deviation 1, and a tail under the Gaussian one."""
    templates = _templates([b"unused %d" % n for n in range(150)])
    levels = band_levels(running_power(power_spectrum(sound)), 1.0)
    scores = _scores(_fold(Whitener.fit(levels).apply(levels), 1.0)[None], templates)
    assert scores.shape == (1, 2048, 150)
    per_position = scores[0].std(axis=1)
    assert 0.97 < float(np.sqrt(np.mean(per_position**2))) < 1.03
    assert abs(float(scores.mean())) < 0.02
    assert float(scores.max()) < 5.6  # 3 * 10**5 correlated trials; the Gaussian tail expects 0.003 beyond


def test_thresholds_keep_the_bound_over_any_number_of_windows_and_keys() -> None:
    for keys in (1, 7, 500):
        hypotheses = 2048 * 73
        spent = sum(
            false_positive_bound(threshold_for(window, hypotheses, keys), hypotheses, keys) for window in range(1, 400)
        )
        assert spent <= TARGET_FALSE_POSITIVES
    assert threshold_for(1, 2048, 1) >= 5.5
    assert threshold_for(1, 2048 * 73, 100) > threshold_for(1, 2048 * 73, 1)


def test_a_mark_names_its_key_speed_and_place() -> None:
    marked = embed(speechlike(60.0, 48_000, seed=6), KEY, 0xC0FFEE, 48_000)
    piece = marked[20 * 48_000 : 45 * 48_000]
    found = detect(piece, 48_000, [b"first", KEY, b"third"])
    assert (found.found, found.payload, found.key_index, found.speed) == (True, 0xC0FFEE, 1, 1.0)
    assert found.offset_s == pytest.approx(20.0, abs=0.035)
    assert found.score > found.threshold
    assert 0 < found.false_positive_rate <= TARGET_FALSE_POSITIVES
    assert detect(piece, 48_000, [KEY], thorough=False).payload == 0xC0FFEE


def test_without_thorough_a_changed_speed_is_not_searched() -> None:
    marked = embed(speechlike(30.0, 16_000, seed=6), KEY, 3, 16_000)
    fast = np.interp(np.arange(0, len(marked), 1.02), np.arange(len(marked)), marked).astype(np.float32)
    assert not detect(fast, 16_000, [KEY], thorough=False).found
    found = detect(fast, 16_000, [KEY])
    assert found.payload == 3
    assert found.speed == pytest.approx(1.02, abs=0.003)
    assert found.pitch == pytest.approx(1.02, abs=0.003)


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(0, np.float32),
        np.zeros(100, np.float32),
        np.zeros(RATE * 5, np.float32),
        np.full(RATE * 5, 0.5, np.float32),
        np.ones(600, np.float32),
        np.random.default_rng(1).standard_normal(RATE).astype(np.float32),
    ],
    ids=["empty", "a moment", "silence", "DC", "one frame", "a second of noise"],
)
def test_sounds_too_poor_to_tell_are_not_marked(sound: np.ndarray) -> None:
    found = detect(sound, RATE, [KEY])
    assert not found.found
    assert found.payload is None
    assert np.isfinite(found.score)


def test_a_search_needs_keys() -> None:
    with pytest.raises(ValueError, match="key"):
        detect(np.zeros(RATE, np.float32), RATE, [])
    with pytest.raises(ValueError, match="key"):
        detect(np.zeros(RATE, np.float32), RATE, [b""])


def test_a_mark_that_begins_late_in_a_long_file_is_found(tmp_path: Path) -> None:
    plain = speechlike(150.0, RATE, seed=8)
    marked = embed(speechlike(60.0, RATE, seed=9), KEY, 77, RATE)
    path = tmp_path / "late.flac"
    soundfile.write(path, np.stack([np.concatenate((plain, marked))] * 2, axis=1), RATE, subtype="PCM_16")
    found = detect_file(path, [KEY])
    assert found.payload == 77
    assert found.threshold > threshold_for(1, 2048 * 73, 1)


def test_a_file_that_is_no_audio_says_so(tmp_path: Path) -> None:
    path = tmp_path / "book.mp3"
    path.write_bytes(b"no audio at all")
    with pytest.raises(AudioUnreadable, match="book"):
        detect_file(path, [KEY])
