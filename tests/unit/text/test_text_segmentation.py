from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthesis.text.errors import LanguageUnknown
from synthesis.text.segmentation import TAGS, TAGS_V1, stretches


def found(text: str, tag: str, version: str = "v2") -> list[tuple[str, str]]:
    return [(stretch.language, stretch.text) for stretch in stretches(text, tag, version=version)]


@pytest.mark.parametrize("tag", ["zh", "yue", "ja", "ko"])
def test_with_a_tag_all_but_latin_words_are_in_that_language(tag: str) -> None:
    text = {"ja": "今日は", "ko": "오늘은 "}.get(tag, "今天的 ")
    assert found(f"{text}meeting {text}", tag) == [(tag, text), ("en", "meeting "), (tag, text)]


def test_marks_and_space_stay_with_what_is_before_them() -> None:
    assert found("发到我的 email，谢谢。", "zh") == [("zh", "发到我的 "), ("en", "email，"), ("zh", "谢谢。")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("我有3个", [("zh", "我有3个")]),
        ("version 3", [("en", "version 3")]),
        ("12", [("zh", "12")]),
        ("5 times", [("en", "5 times")]),
        ("买了。12 apples", [("zh", "买了。"), ("en", "12 apples")]),
        ("他买了12 apples", [("zh", "他买了"), ("en", "12 apples")]),
        ("他昨天一共买了12 apples", [("zh", "他昨天一共买了12 "), ("en", "apples")]),
    ],
)
def test_numbers_take_the_language_of_a_neighbour(text: str, expected: list[tuple[str, str]]) -> None:
    assert found(text, "zh") == expected


def test_a_forced_language_takes_the_numbers_from_english() -> None:
    assert found("version 3", "all_zh") == [("en", "version "), ("zh", "3")]


def test_a_long_mark_without_a_sound_before_it_is_no_japanese() -> None:
    assert found("嗯ー好", "zh") == [("zh", "嗯ー好")]
    assert found("他喊スープ！", "zh") == [("zh", "他喊"), ("ja", "スープ！")]


def test_kana_and_hangul_inside_chinese_are_read_as_what_they_are() -> None:
    assert found("他说ありがとう就走了", "zh") == [("zh", "他说"), ("ja", "ありがとう"), ("zh", "就走了")]
    assert found("他说안녕就走了", "zh") == [("zh", "他说"), ("ko", "안녕"), ("zh", "就走了")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今日、東京に行きます。", ["ja"]),
        ("東京駅", ["ja"]),
        ("真的很难修，我们走吧。", ["zh"]),
        ("他说「ありがとう」，然后走了。", ["zh", "ja", "zh"]),
        ("你好 안녕", ["zh", "ko"]),
        ("오늘은 날씨가 좋네요.", ["ko"]),
        ("The end.", ["en"]),
    ],
)
def test_auto_tells_languages_apart(text: str, expected: list[str]) -> None:
    assert [language for language, _ in found(text, "auto")] == expected


def test_auto_yue_reads_chinese_as_cantonese() -> None:
    assert found("今日天氣好好。", "auto_yue") == [("yue", "今日天氣好好。")]


def test_accented_letters_are_latin() -> None:
    assert found("Café 很好", "zh") == [("en", "Café "), ("zh", "很好")]


@pytest.mark.parametrize("tag", ["ko", "yue", "all_ko", "auto_yue", "fr", ""])
def test_v1_has_three_languages(tag: str) -> None:
    with pytest.raises(LanguageUnknown) as caught:
        stretches("你好", tag, version="v1")
    assert caught.value.known == TAGS_V1


@given(st.text(st.sampled_from("一あア안a1é,。 😀的们?") | st.characters()), st.sampled_from(TAGS))
def test_the_stretches_are_the_text_and_neighbours_differ(text: str, tag: str) -> None:
    parts = found(text, tag)
    assert "".join(part for _, part in parts) == text
    assert all(part for _, part in parts)
    assert all(one[0] != two[0] for one, two in pairwise(parts))
