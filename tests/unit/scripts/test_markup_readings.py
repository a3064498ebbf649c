from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.markup import ipa, kana
from scheduler.markup.readings import ALPHABETS, inline_reading
from synthesis.text.lexicon import is_phonetic
from synthesis.text.markup import split_readings


@pytest.mark.parametrize(
    ("text", "phonemes", "alphabet", "language", "expected"),
    [
        ("重庆", "chong2 qing4", "x-pinyin", "zh", "{重庆|chong2 qing4}"),
        ("重庆", "chóngqìng", "x-pinyin", "zh-Hans", "{重庆|chong2 qing4}"),
        ("重庆", "Chong2Qing4", "X-Pinyin", "zh", "{重庆|chong2 qing4}"),
        ("中国人民", "zhōngguó rénmín", "x-pinyin", "zh", "{中国人民|zhong1 guo2 ren2 min2}"),
        ("西安", "Xī'ān", "x-pinyin", "zh", "{西安|xi1 an1}"),
        ("西安", "xīān", "x-pinyin", "zh", "{西安|xi1 an1}"),
        ("女", "nǚ", "x-pinyin", "zh", "{女|nü3}"),
        ("绿", "lv4", "x-pinyin", "zh", "{绿|lü4}"),
        ("绿", "lu:4", "x-pinyin", "zh", "{绿|lü4}"),
        ("妈妈", "mā ma", "x-pinyin", "zh", "{妈妈|ma1 ma5}"),
        ("的", "de", "x-pinyin", "zh", "{的|de5}"),
        ("你好", "nei5 hou2", "x-jyutping", "yue", "{你好|nei5 hou2}"),
        ("廣東話", "gwong2dung1waa6", "x-jyutping", "zh-HK", "{廣東話|gwong2 dung1 waa6}"),
        ("tomato", "t ah0 m aa1 t ow2", "x-cmu", "en", "{tomato|T AH0 M AA1 T OW2}"),
        ("tomato", "T AH0 M AA1 T OW2", "x-arpabet", "en", "{tomato|T AH0 M AA1 T OW2}"),
        ("漢字", "かんじ", "x-kana", "ja", "{漢字|かんじ}"),
        ("漢字", "カンジ", "x-kana", "ja", "{漢字|カンジ}"),
        ("東京", "tōkyō", "x-romaji", "ja", "{東京|とーきょー}"),
        ("雑誌", "zasshi", "x-romaji", "ja", "{雑誌|ざっし}"),
        ("新橋", "shimbashi", "x-romaji", "ja", "{新橋|しんばし}"),
        ("簡易", "kan'i", "x-romaji", "ja", "{簡易|かんい}"),
        ("tomato", "təˈmeɪtoʊ", "ipa", "en-US", "{tomato|T AH0 M EY1 T OW0}"),
        ("tomato", "/təˈmɑːtəʊ/", "ipa", "en-GB", "{tomato|T AH0 M AA1 T OW0}"),
        ("bottle", "ˈbɒtl̩", "ipa", "en", "{bottle|B AA1 T AH0 L}"),
        ("church", "t͡ʃɜːt͡ʃ", "ipa", "en", "{church|CH ER1 CH}"),
        ("日本", "ɲipːoɴ", "ipa", "ja", "{日本|にっぽん}"),
        ("東京", "toːkʲoː", "ipa", "ja", "{東京|とーきょー}"),
        ("人", "çito", "ipa", "ja", "{人|ひと}"),
        ("SQL", "sequel", "x-inline", "en", "{SQL|sequel}"),
        (" two\n words ", "a  b", "x-inline", "en", "{two words|a b}"),
    ],
)
def test_a_reading_is_what_engines_take(text: str, phonemes: str, alphabet: str, language: str, expected: str) -> None:
    assert inline_reading(text, phonemes, alphabet, language) == expected


@pytest.mark.parametrize(
    ("text", "phonemes", "alphabet", "language"),
    [
        ("重庆", "chong2", "x-pinyin", "zh"),
        ("重庆", "chong2 qing4 shi4", "x-pinyin", "zh"),
        ("西安", "xian", "x-pinyin", "zh"),  # no tone at all
        ("重庆", "chong2 xqz4", "x-pinyin", "zh"),
        ("重庆", "chóng2 qing4", "x-pinyin", "zh"),
        ("Chongqing", "chong2 qing4", "x-pinyin", "zh"),
        ("你好", "nei5", "x-jyutping", "yue"),
        ("你好", "nei9 hou2", "x-jyutping", "yue"),
        ("tomato", "T QQ0", "x-arpabet", "en"),
        ("日本", "N IH1", "x-arpabet", "en"),  # engines would take Latin letters over Han for pinyin
        ("漢字", "kanji", "x-kana", "ja"),
        ("漢字", "xqz", "x-romaji", "ja"),
        ("rouge", "ʁuʒ", "ipa", "en"),
        ("rouge", "ʁuʒ", "ipa", "fr"),
        ("tomato", "ˈ", "ipa", "en"),
        ("word", "word", "x-sampa", "en"),
        ("a|b", "ab", "x-inline", "en"),
        ("ab", "a}b", "x-inline", "en"),
        ("{ab", "ab", "x-inline", "en"),
        ("a\\b", "ab", "x-inline", "en"),
        ("[ab]", "ab", "x-inline", "en"),
        ("", "ab", "x-inline", "en"),
        ("ab", " ", "x-inline", "en"),
        ("ab", "a" * 501, "x-inline", "en"),
    ],
)
def test_a_reading_that_cannot_be_used_is_none(text: str, phonemes: str, alphabet: str, language: str) -> None:
    assert inline_reading(text, phonemes, alphabet, language) is None


def test_pinyin_without_an_apostrophe_follows_the_rules_of_its_spelling() -> None:
    assert inline_reading("长安", "chang'ān", "x-pinyin", "zh") == "{长安|chang5 an1}"
    assert inline_reading("产干", "chǎngàn", "x-pinyin", "zh") == "{产干|chan3 gan4}"


@pytest.mark.parametrize("word", ["ka-ki", "kyōto", "n", "konnichiwa", "matcha"])
def test_romaji_becomes_hiragana(word: str) -> None:
    said = kana.from_romaji(word)
    assert said is not None
    assert all("\u3041" <= char <= "\u3096" or char == "ー" for char in said)


def test_every_english_sound_is_arpabet_of_the_engine() -> None:
    for sound in ("tʃ", "dʒ", "aɪ", "aʊ", "eɪ", "ɔɪ", "oʊ", "θ", "ð", "ʃ", "ʒ", "ŋ", "ɹ", "j", "w", "h"):
        said = ipa.to_arpabet(f"ˈ{sound}ə")
        assert said is not None
        assert is_phonetic("word", said), sound


@settings(max_examples=400, deadline=None)
@given(
    st.text(max_size=30),
    st.one_of(st.text(max_size=40), st.text("aeiouüngzhxqtˈəːɪ12345' ", max_size=60)),
    st.sampled_from(ALPHABETS),
    st.sampled_from(["en", "ja", "zh", "yue", "fr"]),
)
def test_whatever_comes_is_none_or_one_reading(text: str, phonemes: str, alphabet: str, language: str) -> None:
    found = inline_reading(text, phonemes, alphabet, language)
    if found is not None:
        (run,) = split_readings(found)
        assert run.text == " ".join(text.split()).strip()
        assert run.reading


def test_a_very_long_run_of_pinyin_takes_no_time() -> None:
    assert inline_reading("安" * 200, "anan" * 100, "x-pinyin", "zh") is None
