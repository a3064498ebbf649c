"""A reference clip: any format and rate in, two waves out; what cannot be cloned from is refused with a reason."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile
from voicelike import speechlike

from synthesis.audio import Audio
from synthesis.gptsovits.errors import ReferenceLength, ReferenceSilent, ReferenceUnreadable
from synthesis.gptsovits.reference import (
    LONGEST,
    PROMPT_TAIL,
    SHORTEST,
    BoundedCache,
    loudest_dbfs,
    read_reference,
    waves_of,
)
from synthesis.qc.clips import export_take


def test_the_prompt_ends_in_six_tenths_of_a_second_of_zeros() -> None:
    waves = waves_of(speechlike(5.0, 44_100), 44_100, name="clip")
    assert len(waves.prompt) == 5 * 16_000 + PROMPT_TAIL == 5 * 16_000 + 9_600
    assert not waves.prompt[-PROMPT_TAIL:].any()
    assert waves.prompt[:-PROMPT_TAIL].any()
    assert len(waves.timbre) == 5 * 32_000
    assert len(waves.speaker) == 5 * 16_000


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "m4a"])
def test_any_format_is_heard(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"clip.{suffix}"
    export_take(Audio(speechlike(4.0, 24_000), 24_000), path)
    waves = read_reference(path)
    assert abs(len(waves.timbre) / 32_000 - 4.0) < 0.1  # lossy formats pad
    assert float(np.abs(waves.timbre).max()) == pytest.approx(0.3, abs=0.1)


def test_two_channels_are_averaged(tmp_path: Path) -> None:
    left, right = speechlike(3.5, 16_000), speechlike(3.5, 16_000, seed=1)
    soundfile.write(tmp_path / "clip.wav", np.stack([left, right], axis=1), 16_000, subtype="FLOAT")
    waves = read_reference(tmp_path / "clip.wav")
    assert np.allclose(waves.prompt[: len(left)], (left + right) / 2, atol=1e-4)


@pytest.mark.parametrize("peak,expected", [(0.4, 0.4), (1.6, 1.0), (3.0, 1.5)])
def test_a_peak_above_one_is_divided_away_up_to_a_factor_of_two(peak: float, expected: float) -> None:
    waves = waves_of(speechlike(4.0, 32_000, level=peak), 32_000, name="clip")
    assert float(np.abs(waves.timbre).max()) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("count,good", [(SHORTEST - 1, False), (SHORTEST, True), (LONGEST, True), (LONGEST + 1, False)])
def test_three_to_ten_seconds_to_the_sample(count: int, good: bool) -> None:
    samples = speechlike(count / 16_000, 16_000)[:count]
    assert len(samples) == count
    if good:
        waves_of(samples, 16_000, name="clip")
        return
    with pytest.raises(ReferenceLength) as caught:
        waves_of(samples, 16_000, name="clip")
    assert caught.value.seconds == pytest.approx(count / 16_000)


@pytest.mark.parametrize("seconds,advice", [(2, "longer one"), (11, "cut a passage")])
def test_two_and_eleven_seconds_say_what_to_do(tmp_path: Path, seconds: int, advice: str) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, speechlike(seconds, 22_050), 22_050)
    with pytest.raises(ReferenceLength, match=advice) as caught:
        read_reference(path)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.clip, round(again.seconds), str(again)) == (str(path), seconds, str(caught.value))


def test_the_length_of_a_further_clip_is_free() -> None:
    assert len(waves_of(speechlike(1.0, 16_000), 16_000, name="clip", timbre_only=True).timbre) == 32_000


@pytest.mark.parametrize("level", [0.0, 0.001])
def test_a_silent_clip_is_refused(level: float) -> None:
    hum = (level * np.sin(np.arange(64_000) / 20)).astype(np.float32)
    with pytest.raises(ReferenceSilent, match="somebody speaks") as caught:
        waves_of(hum, 16_000, name="clip")
    assert pickle.loads(pickle.dumps(caught.value)).peak_dbfs == caught.value.peak_dbfs


@pytest.mark.parametrize("content", [None, b"", b"this is no sound"])
def test_what_is_no_audio_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "clip.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ReferenceUnreadable) as caught:
        read_reference(path)
    assert caught.value.clip == str(path)
    assert pickle.loads(pickle.dumps(caught.value)).reason == caught.value.reason != ""


def test_not_a_number_is_refused() -> None:
    samples = speechlike(4.0, 16_000)
    samples[500] = np.nan
    with pytest.raises(ReferenceUnreadable, match="NaN"):
        waves_of(samples, 16_000, name="clip")


def test_loudest_passage_of_nothing_is_minus_infinity() -> None:
    assert loudest_dbfs(np.zeros(0, np.float32)) == loudest_dbfs(np.zeros(999, np.float32)) == float("-inf")
    assert loudest_dbfs(np.ones(16_000, np.float32)) == pytest.approx(0)


def test_a_cache_keeps_what_was_asked_for_last_and_no_more() -> None:
    cache: BoundedCache[str, str] = BoundedCache(2)
    made: list[str] = []

    def make(key: str) -> str:
        made.append(key)
        return key.upper()

    for key in ("a", "b", "a", "c", "a", "b"):
        assert cache.get(key, lambda key=key: make(key)) == key.upper()
    assert made == ["a", "b", "c", "b"]
    assert len(cache) == 2


def test_a_cache_forgets_what_could_not_be_made() -> None:
    cache: BoundedCache[str, int] = BoundedCache(2)
    with pytest.raises(ZeroDivisionError):
        cache.get("a", lambda: 1 // 0)
    assert cache.get("a", lambda: 7) == 7
