"""Japanese: words by the dictionary, pitch by its accents, readings by kana."""

from __future__ import annotations

import subprocess
import sys

import pytest

from synthesis.text.errors import BadReading, UnreadableText
from synthesis.text.ja import Japanese
from synthesis.text.ja.kana import MORAS, katakana, moras
from synthesis.text.ja.labels import parse
from synthesis.text.symbols import SymbolTable


def phones(text: str, *, accents: bool = True) -> str:
    front_end = Japanese(accents=accents)
    return " ".join(front_end.phonemes(front_end.normalise(text))[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "今日はとても天気がいいですね。",
            "ky o ] o w a UNK t o [ t e m o UNK t e ] N k i g a UNK i ] i d e s u n e .",
        ),
        (
            "昨日、橋の端で箸を拾った。",
            "k i [ n o ] o , h a [ sh i ] n o UNK h a [ sh i d e UNK h a ] sh i o UNK h i [ r o cl t a .",
        ),
        ("「ありがとう」と、", "UNK a [ r i ] g a t o o UNK t o ,"),
        ("待ちます", "m a [ ch i m a ] s u"),
        ("雨 雨", "a ] m e a ] m e"),
    ],
)
def test_words_have_their_pitch(text: str, expected: str) -> None:
    assert phones(text) == expected


def test_pitch_marks_can_be_left_out() -> None:
    assert phones("箸、橋", accents=False) == "h a sh i , h a sh i"


def test_devoiced_vowels_are_ordinary_ones() -> None:
    assert parse("xx^s-U+k=i/A:-1+2+3/B:xx/F:4_2#0").phone == "u"
    assert parse("xx^s-U+k=i/A:-1+2+3/B:xx/F:4_2#0").from_accent == -1
    assert parse("xx^xx-sil+a=m/A:xx+xx+xx/B:xx/F:xx_xx").position is None


@pytest.mark.parametrize(
    ("text", "norm"),
    [
        ("50％オフ", "50パーセントオフ"),
        ("$1,500から", "1500ドルから"),
        ("￥300", "300円"),
        ("3〜5個", "3から5個"),
        ("え〜と", "えーと"),
        ("A&B", "AアンドB"),
        ("本当!?...", "本当!"),
        ("すごい！", "すごい！"),
        ("", ""),
    ],
)
def test_signs_are_read(text: str, norm: str) -> None:
    assert Japanese().normalise(text) == norm


@pytest.mark.parametrize(("text", "characters"), [("привет", "привет"), ("ね😀", "😀"), ("안녕", "안녕")])
def test_what_no_japanese_text_has_is_named(text: str, characters: str) -> None:
    with pytest.raises(UnreadableText) as caught:
        Japanese().normalise(text)
    assert caught.value.characters == characters


def test_a_chinese_character_without_a_japanese_reading_is_named_instead_of_silent() -> None:
    with pytest.raises(UnreadableText) as caught:
        phones("真的很难修")
    assert "很" in caught.value.characters


def test_a_rare_character_with_a_reading_is_read() -> None:
    assert phones("𠮷野家") == "y o [ sh i n o ] y a"


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        ("こんにちは", "k o [ N n i ch i h a"),
        ("ハ]シ", "h a ] sh i"),
        ("[シャ]ッター", "[ sh a ] cl t a a"),
        ("ｶﾞｸｾｲ", "g a [ k u s e i"),
        ("え", "e"),
        ("ティー チャー", "t i [ i ch a a"),
        ("クヮ", "k w a"),
    ],
)
def test_a_reading_is_kana(reading: str, expected: str) -> None:
    assert " ".join(Japanese().reading(reading)) == expected


@pytest.mark.parametrize("wrong", ["", "abc", "漢字", "ー", "カ1", "[]"])
def test_a_reading_that_is_not_kana_is_refused(wrong: str) -> None:
    with pytest.raises(BadReading) as caught:
        Japanese().reading(wrong)
    assert caught.value.reading == wrong


def test_every_mora_is_in_the_symbol_tables() -> None:
    for version in ("v1", "v2"):
        table = SymbolTable(version)
        assert {phone for mora in MORAS.values() for phone in mora if phone not in table} == set()
    assert moras(katakana("きゃ")) == [("ky", "a")]


def test_the_kana_table_agrees_with_the_dictionary_engine() -> None:
    for word in (
        "ちょっと",
        "びょういん",
        "じゅぎょう",
        "ふつう",
        "つづく",
        "ファイル",
        "ヂャ",
        "ぢ",
        "デュオ",
        "チェック",
    ):
        plain = Japanese(accents=False)
        assert plain.phonemes(word)[0] == plain.reading(word.replace("ょう", "ょー").replace("つう", "つー")), word


def test_importing_prints_nothing() -> None:
    program = "from synthesis.text.ja import Japanese; Japanese().phonemes('雨')"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == ""
