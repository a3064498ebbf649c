from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthesis.text.errors import BadReading, UnreadableText
from synthesis.text.yue import Cantonese
from synthesis.text.yue.frontend import given as jyutping
from synthesis.text.yue.frontend import symbols


@pytest.mark.parametrize(
    ("syllable", "expected"),
    [
        ("hoi1", "Yh Yoi1"), ("m4", "Ym Ym4"), ("aa3", "Yaa Ya3"), ("ngo5", "Yng Yo5"), ("gwai3", "Ygw Yai3"),
        ("ngaau5", "Yng Yaau5"), ("ng5", "Yng Yg5"), ("oi3", "Yoi Yi3"), ("jyut6", "Yj Yyut6"), ("uk1", "Yuk Yk1"),
    ],
)  # fmt: skip
def test_syllables_are_cut_after_their_head(syllable: str, expected: str) -> None:
    assert " ".join(symbols(syllable)) == expected


def test_a_sentence_has_two_symbols_for_each_character() -> None:
    phones, counts = Cantonese().phonemes("你食咗饭未呀?")
    assert " ".join(phones) == "Yn Yei5 Ys Yik6 Yz Yo2 Yf Yaan6 Ym Yei6 Yaa Ya3 ?"
    assert counts == [2, 2, 2, 2, 2, 2, 1]


@pytest.mark.parametrize(("term", "reading"), [("香港", "hoeng1"), ("港", "gong7"), ("港", "gong"), ("港", "港")])
def test_a_reading_that_is_not_jyutping_is_refused(term: str, reading: str) -> None:
    with pytest.raises(BadReading):
        jyutping(term, reading)


@settings(max_examples=60, deadline=None)
@given(
    st.text(
        st.sampled_from("我哋食飯未呀嘅好,.!…-") | st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5),
        max_size=20,
    )
)
def test_any_characters_become_two_symbols_each_or_are_named(text: str) -> None:
    norm = Cantonese().normalise(text)
    try:
        phones, counts = Cantonese().phonemes(norm)
    except UnreadableText as error:
        named = set(error.characters)
        assert named <= set(norm)
        return
    assert len(counts) == len(norm)
    assert sum(counts) == len(phones)
