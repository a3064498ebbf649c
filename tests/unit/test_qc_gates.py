from __future__ import annotations

import json

import numpy as np
import pytest

from synthesis.audio import Audio, Samples
from synthesis.engine import LineRequest, VoiceSpec
from synthesis.qc.gates import Finding, check_take, plausible_seconds

RATE = 24_000
TEXT = "Some said this, and some said that; but at last a young mouse got up."


def request(text: str = TEXT) -> LineRequest:
    return LineRequest(1, text, "en", VoiceSpec("any", 1, "any", ("en",)), 0)


def tone(seconds: float, amplitude: float = 0.3) -> Samples:
    time = np.arange(round(seconds * RATE)) / RATE
    return (amplitude * np.sin(2 * np.pi * 220 * time)).astype(np.float32)


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.float32)


def check(*parts: Samples, text: str = TEXT, rate: int = RATE) -> list[Finding]:
    return check_take(Audio(np.concatenate(parts), rate), request(text))


def codes(findings: list[Finding]) -> list[str]:
    return [finding.code for finding in findings]


def test_a_plausible_take_has_no_findings() -> None:
    assert check(silence(0.1), tone(2), silence(0.4), tone(1.5), silence(0.2)) == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers_reject(value: float) -> None:
    samples = tone(4)
    samples[1000:1010] = value
    (finding,) = check(samples)
    assert (finding.code, finding.severity, finding.value) == ("not_finite", "reject", 10)


def test_no_samples_reject() -> None:
    (finding,) = check(silence(0))
    assert (finding.code, finding.severity) == ("empty", "reject")


@pytest.mark.parametrize("level", [0.0, 0.0005])
def test_silence_rejects(level: float) -> None:
    (finding,) = check(tone(4, level))
    assert (finding.code, finding.severity) == ("silent", "reject")


@pytest.mark.parametrize("rate", [100, 400_000])
def test_a_rate_nobody_speaks_at_rejects(rate: int) -> None:
    (finding,) = check(tone(4), rate=rate)
    assert (finding.code, finding.severity, finding.value) == ("sample_rate", "reject", rate)


def test_clipping_is_flagged_and_a_single_full_sample_is_not() -> None:
    assert codes(check(np.clip(tone(4, 0.99) * 4, -1, 1))) == ["clipped"]
    touched = tone(4)
    touched[::5000] = 1.0
    assert check(touched) == []


def test_a_peak_over_full_scale_is_flagged() -> None:
    assert "over_full_scale" in codes(check(tone(4, 1.5)))
    assert "over_full_scale" not in codes(check(tone(4, 0.99)))


def test_a_faint_take_is_flagged() -> None:
    assert codes(check(tone(4, 0.005))) == ["quiet"]


@pytest.mark.parametrize("offset", [0.05, -0.05])
def test_an_offset_is_flagged(offset: float) -> None:
    (finding,) = check(tone(4) + np.float32(offset))
    assert finding.code == "dc_offset"
    assert finding.value == pytest.approx(offset, abs=1e-3)


@pytest.mark.parametrize(
    ("parts", "code", "milliseconds"),
    [
        ((silence(1.0), tone(3)), "leading_silence", 1000),
        ((tone(3), silence(2.0)), "trailing_silence", 2000),
        ((tone(1.5), silence(2.5), tone(1.5)), "inner_silence", 2500),
    ],
)
def test_long_silence_is_flagged_where_it_is(parts: tuple[Samples, ...], code: str, milliseconds: int) -> None:
    (finding,) = check(*parts)
    assert finding.code == code
    assert finding.value == pytest.approx(milliseconds, abs=20)


def test_hiss_under_the_speech_counts_as_silence() -> None:
    hiss = np.random.default_rng(1).normal(0, 3e-4, 2 * RATE).astype(np.float32)
    assert codes(check(tone(3), hiss)) == ["trailing_silence"]


@pytest.mark.parametrize(
    ("text", "seconds", "expected"),
    [
        (TEXT, 0.6, ["too_short"]),
        (TEXT, 30, ["too_long"]),
        (TEXT, 4, []),
        ("你好，世界。", 0.2, ["too_short"]),
        ("你好，世界。", 1.2, []),
        ("おはようございます。", 1.5, []),
        ("안녕하세요", 1.0, []),
        ("In 1894.", 2.2, []),
        ("Yes.", 0.3, []),
        ("Yes.", 8, ["too_long"]),
        ("…", 0.5, []),
    ],
)
def test_length_is_held_against_the_text(text: str, seconds: float, expected: list[str]) -> None:
    assert codes(check(tone(seconds), text=text)) == expected


def test_syllabic_scripts_take_longer_per_character() -> None:
    letters, characters = plausible_seconds("abcdef"), plausible_seconds("狐狸和葡萄架")
    assert letters[2] == characters[2] == 6
    assert characters[0] > letters[0]
    assert characters[1] > letters[1]


@pytest.mark.parametrize("count", [1, 7, 100])
def test_a_take_of_a_few_samples_is_checked_too(count: int) -> None:
    assert check(np.full(count, 0.5, np.float32), text="a") != []


def test_a_finding_is_plain_json() -> None:
    for finding in check(tone(0.3, 1.2)):
        assert json.loads(json.dumps(finding.to_json())) == finding.to_json()
        assert finding.message


def test_pauses_that_the_text_asks_for_are_not_suspicious() -> None:
    text = "[pause 2s] Some said this, [pause 3s] and some said that; [break] but at last it got up. [pause 2.5s]"
    take = (silence(2.1), tone(1.2), silence(3.3), tone(1.2), silence(0.6), tone(1.2), silence(2.7))
    assert codes(check(*take, text=text)) == []
    without = "Some said this, and some said that; but at last it got up."
    assert codes(check(*take, text=without)) == ["leading_silence", "trailing_silence", "inner_silence"]


def test_more_silence_than_the_text_asks_for_is_suspicious() -> None:
    text = "Some said this, [pause 3s] and some said that."
    assert codes(check(tone(1.2), silence(5), tone(1.2), text=text)) == ["inner_silence"]
    assert codes(check(tone(1.2), silence(3), tone(9), text=text)) == ["too_long"]


def test_a_mark_without_a_usable_length_is_text() -> None:
    assert codes(check(tone(1.2), silence(3), tone(1.2), text="Some said [pause for long] this.")) == ["inner_silence"]


def test_seconds_of_a_pause_are_no_letters() -> None:
    assert codes(check(tone(0.45), silence(3), text="Go. [pause 3s]")) == []
