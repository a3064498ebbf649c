"""Whatever the text, English, Japanese and Korean give symbols of the table or a typed error, in bounded time."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synthesis.text.en import English
from synthesis.text.errors import BadReading, UnreadableText
from synthesis.text.ja import Japanese
from synthesis.text.ko import Korean
from synthesis.text.symbols import SymbolTable

FrontEnd = English | Japanese | Korean
FRONT_ENDS = [English(), Japanese(), Korean()]
TABLE = SymbolTable("v2")
ALPHABETS = {
    English: "abcxyzABCXYZ'-.,!?:;()0123456789/$£€%&@#+=°–—…’ éß\n\t½²",
    Japanese: "あいうんっゃーカキッャヴァ今日本語東京々〆、。！？「」・〜ｱﾞ0123456789AbｃＺ％$¥,. \n",
    Korean: "가나닭값않읽밟넓꽃끝의희ㅋㅠ 0123456789,.!?~%-TVmp개시월년을할것",
}
LIMIT_S = 8.0
"""Far above what any of these takes on a quiet machine; below it only if nothing is quadratic."""


def own_text(front_end: FrontEnd) -> st.SearchStrategy[str]:
    return st.text(st.sampled_from(ALPHABETS[type(front_end)]), max_size=60) | st.text(max_size=40)


def outcome(front_end: FrontEnd, text: str) -> list[str] | UnreadableText:
    """Symbols of a text, or the error that names what is wrong with it."""
    try:
        return front_end.phonemes(front_end.normalise(text))[0]
    except UnreadableText as error:
        return error


def check(front_end: FrontEnd, text: str) -> None:
    found = outcome(front_end, text)
    if isinstance(found, UnreadableText):
        assert found.characters
        assert set(found.characters) <= set(found.text)
    else:
        assert [symbol for symbol in found if symbol not in TABLE] == []


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=lambda front_end: type(front_end).__name__)
def test_any_text_gives_symbols_or_names_its_unreadable_characters(front_end: FrontEnd) -> None:
    @given(own_text(front_end))
    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def holds(text: str) -> None:
        check(front_end, text)

    holds()


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=lambda front_end: type(front_end).__name__)
def test_any_reading_gives_symbols_or_is_refused(front_end: FrontEnd) -> None:
    @given(own_text(front_end) | st.text(st.sampled_from("AH0 K IY1[]あカー가")))
    @settings(max_examples=60, deadline=None)
    def holds(text: str) -> None:
        try:
            symbols = front_end.reading(text)
        except BadReading:
            return
        assert symbols
        assert [symbol for symbol in symbols if symbol not in TABLE] == []

    holds()


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=lambda front_end: type(front_end).__name__)
@pytest.mark.parametrize("unit", ["9", "A", "qzx", "-", " ", "1,", "1/", "1:", "a-", "e.g.", "ー", "漢字", "닭", "ㅋ"])
def test_long_monotonous_text_takes_bounded_time(front_end: FrontEnd, unit: str) -> None:
    check(front_end, unit)
    start = time.monotonic()
    check(front_end, unit * (2000 // len(unit)))
    assert time.monotonic() - start < LIMIT_S


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=lambda front_end: type(front_end).__name__)
def test_threads_do_not_disturb_each_other(front_end: FrontEnd) -> None:
    alphabet = "".join(char for char in ALPHABETS[type(front_end)] if char.isalnum()) + " ."
    texts = [(alphabet[start::3] + alphabet[::start]) * 3 for start in range(1, 13)]
    alone = [outcome(front_end, text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda text: outcome(front_end, text), texts * 2))
    assert [str(found) for found in together] == [str(found) for found in alone * 2]
