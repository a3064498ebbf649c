"""Korean: pronunciation rules, counters, letters; hangul readings."""

from __future__ import annotations

import subprocess
import sys

import pytest

from synthesis.text.errors import BadReading, UnreadableText
from synthesis.text.ko import Korean, numbers


def said(text: str) -> str:
    front_end = Korean()
    return "".join(front_end.phonemes(front_end.normalise(text))[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("국물이 뜨거우니까 조심하세요!", "ㄱㅜㅇㅁㅜㄹㅣ空ㄸㅡㄱㅓㅇㅜㄴㅣㄲㅏ空ㅈㅗㅅㅣㅁㅎㅏㅅㅔㅇㅣㅗ!"),
        (
            "사과 3개와 우유 2병을 샀습니다.",
            "ㅅㅏㄱㅗㅏ空ㅅㅔㄱㅐㅇㅗㅏ空ㅇㅜㅇㅣㅜ空ㅇㅣㅂㅣㅓㅇㅇㅡㄹ空ㅅㅏㄷㅆㅡㅁㄴㅣㄷㅏ.",
        ),
        ("같이 해돋이를", "ㄱㅏㅊㅣ空ㅎㅐㄷㅗㅈㅣㄹㅡㄹ."),
        ("TV를", "ㅌㅣㅂㅡㅇㅣㄹㅡㄹ."),
        ("색연필 20%", "ㅅㅐㅇㄴㅣㅓㄴㅍㅣㄹ空ㅇㅣㅅㅣㅂㅍㅓㅅㅔㄴㅌㅡ."),
        ("갈 곳", "ㄱㅏㄹ空ㄲㅗㄷ."),
        ("을 리가", "ㅇㅡㄹ空ㄴㅣㄱㅏ."),
        ("신을 신고", "ㅅㅣㄴㅡㄹ空ㅅㅣㄴㄲㅗ."),
        ("밟다", "ㅂㅏㅂㄸㅏ."),
        ("할수록", "ㅎㅏㄹㅆㅜㄹㅗㄱ."),
        ("희망의", "ㅎㅣㅁㅏㅇㅇㅡㅣ."),
        ("100 이상, 3.5배", "ㅂㅐㄱ空ㅇㅣㅅㅏㅇ,空ㅅㅏㅁ空ㅈㅓㅁ空ㅇㅗㅂㅐ."),
        ("010-12", "ㅇㅣㅓㅇㅇㅣㄹㅣㅓㅇ空ㅇㅣㄹㅣ."),
        ("ㅋㅋ ㅠ ㄳ", "ㅋㅋ空ㅣㅜ空ㄱㅅ."),
        ("“네”", "停ㄴㅔ停"),
        ("", ""),
    ],
)
def test_spelling_becomes_sound(text: str, expected: str) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(
    ("digits", "name"),
    [
        ("0", "영"),
        ("10", "십"),
        ("111", "백십일"),
        ("10000", "만"),
        ("110000", "십일만"),
        ("2026", "이천이십육"),
        ("100010000", "일억일만"),
        ("007", "영영칠"),
        ("1" * 21, "일" * 21),
    ],
)
def test_sino_korean_numbers(digits: str, name: str) -> None:
    assert numbers.sino(digits) == name


@pytest.mark.parametrize(
    ("digits", "name"), [("1", "한"), ("20", "스무"), ("21", "스물한"), ("123", "백스물세"), ("0", "영")]
)
def test_native_numbers(digits: str, name: str) -> None:
    assert numbers.native(digits) == name


@pytest.mark.parametrize(
    ("text", "norm"), [("$5와 ₩3,000", "5달러와 3,000원"), ("３~５시", "3에서 5시"), ("A&B", "A앤드B"), ("25℃", "25도")]
)
def test_signs_are_read(text: str, norm: str) -> None:
    assert Korean().normalise(text) == norm


@pytest.mark.parametrize(("text", "characters"), [("漢字", "漢字"), ("네😀", "😀"), ("あ네", "あ")])
def test_what_cannot_be_read_is_named(text: str, characters: str) -> None:
    with pytest.raises(UnreadableText) as caught:
        Korean().normalise(text)
    assert caught.value.characters == characters


def test_a_reading_is_hangul() -> None:
    assert "".join(Korean().reading("서울력")) == "ㅅㅓㅇㅜㄹㄹㅣㅓㄱ"
    for wrong in ("", "abc", "漢", "네!"):
        with pytest.raises(BadReading) as caught:
            Korean().reading(wrong)
        assert caught.value.reading == wrong


def test_no_corpus_reader_is_imported() -> None:
    program = (
        "import sys; from synthesis.text.ko import Korean; k = Korean(); k.phonemes(k.normalise('네 3개')); "
        "print(sorted({'nltk', 'g2pk2', 'torch'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
