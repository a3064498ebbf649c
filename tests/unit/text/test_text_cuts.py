from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthesis.text.cuts import LONGEST_PIECE, METHODS, SEPARATORS, collapse_marks, cut, segments_for_synthesis
from synthesis.text.errors import TextMethodUnknown, UnreadableText

CLAUSES = "一二三四五，"
TEXTS = st.text(st.sampled_from("春天来了，。！？、；：…—~ \n.3aB-{|}") | st.characters(), max_size=80)


@pytest.mark.parametrize(("clauses", "sizes"), [(1, [1]), (4, [4]), (7, [7]), (8, [8]), (9, [4, 5]), (13, [4, 4, 5])])
def test_cut1_takes_four_clauses_and_the_last_piece_the_rest(clauses: int, sizes: list[int]) -> None:
    assert [piece.count("，") for piece in cut(CLAUSES * clauses, "cut1").split("\n")] == sizes


def test_cut2_gathers_fifty_characters_and_gives_a_short_rest_back() -> None:
    pieces = cut("一二三四五六七八九，" * 13, "cut2").split("\n")
    assert [len(piece) for piece in pieces] == [60, 70]


def test_cut3_and_cut4_cut_at_one_kind_of_stop() -> None:
    assert cut("好。不好。", "cut3") == "好\n不好"
    assert cut("Pi is 3.14 here. Yes.", "cut4") == "Pi is 3.14 here\n Yes"


def test_cut5_spares_decimal_points() -> None:
    assert cut("3.14, yes. no", "cut5") == "3.14,\n yes.\n no"


def test_an_unknown_method_is_named_with_those_there_are() -> None:
    with pytest.raises(TextMethodUnknown, match=r"cut9.*cut0"):
        cut("好", "cut9")


@pytest.mark.parametrize(("language", "stop"), [("zh", "。"), ("en", ".")])
def test_a_short_first_clause_gets_a_stop_before_it(language: str, stop: str) -> None:
    (first, *_) = segments_for_synthesis("好啊，我们明天就一起去吧", language, "cut0")
    assert first == f"{stop}好啊，我们明天就一起去吧{stop}"


def test_short_pieces_go_to_their_neighbours() -> None:
    assert segments_for_synthesis("春天已经来了。好。花也开了。嗯。", "zh", "cut5") == [
        "春天已经来了。",
        "好。花也开了。嗯。",
    ]


def test_a_long_piece_without_marks_is_cut_all_the_same() -> None:
    pieces = segments_for_synthesis("长" * 1200, "zh", "cut0")
    assert [len(piece) for piece in pieces] == [510, 510, 181]


def test_inline_readings_are_not_cut() -> None:
    pieces = segments_for_synthesis("他住在{重庆|chong2. qing4}，她也住在那里。", "zh", "cut5")
    assert pieces == ["他住在{重庆|chong2. qing4}，", "她也住在那里。"]


@pytest.mark.parametrize("text", ["", "\n\n", "……！？", " ", "，。"])
def test_a_text_of_marks_alone_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableText):
        segments_for_synthesis(text, "zh")


def test_runs_of_marks_become_their_first() -> None:
    assert collapse_marks("什么?!……好...") == "什么?好."


@given(TEXTS, st.sampled_from(sorted(METHODS)), st.sampled_from(["zh", "en"]))
def test_every_text_is_cut_into_bounded_pieces_or_refused(text: str, method: str, language: str) -> None:
    try:
        pieces = segments_for_synthesis(text, language, method)
    except UnreadableText:
        return
    assert pieces
    for piece in pieces:
        assert 0 < len(piece) <= LONGEST_PIECE
    assert pieces[-1][-1] in SEPARATORS or "}" in pieces[-1]


@given(TEXTS)
def test_cut5_loses_no_letter(text: str) -> None:
    kept = [char for char in cut(text, "cut5") if char.isalnum()]
    assert kept == [char for char in text.strip("\n") if char.isalnum()]
