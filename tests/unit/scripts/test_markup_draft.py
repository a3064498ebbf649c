"""What the draft voice does with marks in a line."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from synthesis.audio import Audio
from synthesis.draft import catalog
from synthesis.draft.engine import DraftEngine
from synthesis.draft.text import MAX_CHARACTERS, parts
from synthesis.engine import LineRequest, RenderedLine
from synthesis.errors import TextError

VOICE = next(voice for voice in catalog.draft_voices() if voice.name == "draft-narrator")


@pytest.fixture(scope="module")
def engine() -> Iterator[DraftEngine]:
    engine = DraftEngine()
    yield engine
    engine.close()


def render(engine: DraftEngine, text: str, language: str = "en") -> RenderedLine:
    engine.submit([LineRequest(1, text, language, VOICE, seed=7)])
    (result,) = engine.step()
    return result


def speak(engine: DraftEngine, text: str, language: str = "en") -> Audio:
    result = render(engine, text, language)
    assert result.audio is not None, result.error
    return result.audio


def test_a_pause_is_silence_of_its_length(engine: DraftEngine) -> None:
    before, after = speak(engine, "Good day to you. "), speak(engine, "How are you?")
    whole = speak(engine, "Good day to you. [pause 700ms]How are you?")
    silence = round(0.7 * whole.sample_rate)
    assert len(whole.samples) == len(before.samples) + silence + len(after.samples)
    assert not np.any(whole.samples[len(before.samples) : len(before.samples) + silence])


def test_pauses_at_the_edges_are_kept(engine: DraftEngine) -> None:
    plain = speak(engine, "Hello there.")
    edged = speak(engine, "[pause 100ms]Hello there.[pause:0.2]")
    rate = plain.sample_rate
    assert len(edged.samples) == len(plain.samples) + rate // 10 + rate // 5
    assert np.array_equal(edged.samples[rate // 10 :][: len(plain.samples)], plain.samples)


@pytest.mark.parametrize(
    ("marked", "said", "language"),
    [
        ("Ask {SQL|sequel} about it.", "Ask sequel about it.", "en"),
        ("A {tomato|T AH0 M AA1 T OW2} fell.", "A tomato fell.", "en"),
        ("他住在{重庆|chong2 qing4}。", "他住在重庆。", "zh"),
        ("{漢字|かんじ}をよむ。", "かんじをよむ。", "ja"),
        (r"Type \[pause 500ms] now.", "Type [pause 500ms] now.", "en"),
        (r"Type \{a|b} now.", "Type {a|b} now.", "en"),
    ],
)
def test_readings_that_can_be_said_are_said(engine: DraftEngine, marked: str, said: str, language: str) -> None:
    assert "".join(text for text, _ in parts(marked)) == said
    if "[" not in said and "{" not in said:
        assert np.array_equal(speak(engine, marked, language).samples, speak(engine, said, language).samples)


@pytest.mark.parametrize(
    "text", ["[pause 1s]", "[pause 1s] … [pause 1s]", "[pause 60s] Hello.", "Hello {|x}.", "[pause lots] x"]
)
def test_marks_that_cannot_be_used_fail_the_line(engine: DraftEngine, text: str) -> None:
    assert isinstance(render(engine, text).error, TextError)


def test_a_long_line_of_pauses_is_refused(engine: DraftEngine) -> None:
    error = render(engine, "a [pause 10s] " * (MAX_CHARACTERS // 10)).error
    assert isinstance(error, TextError)
    assert "split it" in str(error)
