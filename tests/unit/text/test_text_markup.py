from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthesis.text.errors import BadPause, BadReading
from synthesis.text.lexicon import Lexicon, Spelling, is_phonetic, spellings
from synthesis.text.markup import Run, hide_readings, show_readings, split_pauses, split_readings


@pytest.mark.parametrize(
    ("mark", "length"),
    [
        ("[pause 500ms]", 500),
        ("[pause 1.5s]", 1500),
        ("[pause:1.5]", 1500),
        ("[PAUSE: 2]", 2000),
        ("[pause]", 500),
        ("[break]", 500),
        ("[pause 0ms]", 0),
    ],
)
def test_pause_marks_split_a_line(mark: str, length: int) -> None:
    assert split_pauses(f"一{mark}二") == [("一", length), ("二", 0)]


def test_marks_at_both_ends_leave_no_empty_end() -> None:
    assert split_pauses("[pause 1s]一[pause 2s]") == [("", 1000), ("一", 2000)]
    assert split_pauses("") == [("", 0)]


def test_an_escaped_mark_is_text() -> None:
    assert split_pauses(r"say \[pause 1s] now") == [("say [pause 1s] now", 0)]


@pytest.mark.parametrize("mark", ["[pause soon]", "[pause -1s]", "[pause 11s]", "[pause 10001ms]", "[pause 1h]"])
def test_a_pause_without_a_usable_length_is_refused(mark: str) -> None:
    with pytest.raises(BadPause) as caught:
        split_pauses(f"一{mark}二")
    assert caught.value.mark == mark


def test_other_brackets_are_text() -> None:
    assert split_pauses("[note] 一 [paused]") == [("[note] 一 [paused]", 0)]


def test_readings_are_runs_of_their_own() -> None:
    assert split_readings("在{重庆|chong2 qing4}。") == [Run("在"), Run("重庆", "chong2 qing4"), Run("。")]
    assert split_readings(r"\{a|b}") == [Run("{a|b}")]


@pytest.mark.parametrize("text", ["{重庆|}", "{|chong2}", "{ | }"])
def test_a_reading_with_an_empty_side_is_refused(text: str) -> None:
    with pytest.raises(BadReading):
        split_readings(text)


@given(st.text(st.sampled_from("{}|\\a重\ue000\uf8ff ")))
def test_hiding_readings_can_be_undone(text: str) -> None:
    hidden, marks = hide_readings(text)
    assert show_readings(hidden, marks) == "".join(char for char in text if not "\ue000" <= char <= "\uf8ff")


def test_the_longest_term_of_a_lexicon_wins_and_latin_terms_are_words() -> None:
    lexicon = Lexicon({"重庆": "chong2 qing4", "重庆路": "chong2 qing4 lu4", "SQL": "sequel"})
    clean, found = spellings("重庆路和重庆，SQL与MySQL", lexicon)
    assert clean == "重庆路和重庆，sequel与MySQL"
    assert found == [Spelling(0, 3, "chong2 qing4 lu4"), Spelling(4, 6, "chong2 qing4")]


def test_an_inline_reading_wins_over_the_lexicon() -> None:
    _, found = spellings("{重庆|zhong4 qing4}", Lexicon({"重庆": "chong2 qing4"}))
    assert [spelling.reading for spelling in found] == ["zhong4 qing4"]


@pytest.mark.parametrize(
    ("term", "reading", "phonetic"),
    [
        ("重庆", "chong2 qing4", True),
        ("漢字", "かんじ", False),
        ("女", "nü3", True),
        ("tomato", "T AH0 M AA1 T OW2", True),
        ("SQL", "sequel", False),
        ("OK", "OK", False),
        ("行", "hang4", True),
    ],
)
def test_what_is_sounds_and_what_is_other_words(term: str, reading: str, phonetic: bool) -> None:
    assert is_phonetic(term, reading) is phonetic


def test_an_empty_lexicon_entry_is_refused() -> None:
    with pytest.raises(BadReading):
        Lexicon({"重庆": " "})
