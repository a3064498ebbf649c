"""How each character of a clause is read: pinyin with a tone digit, from pypinyin; words override single characters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

from synthesis.text.errors import BadReading, LanguageDataMissing, UnreadableText
from synthesis.text.zh.syllables import Syllable, is_pinyin

LONGEST_WORD = 4
# Where the training texts read a word otherwise than pypinyin, or pypinyin does not know it.
_WORDS = {
    "柏树": "bai3 shu4", "口吃": "kou3 chi1", "露背": "lu4 bei4", "圈养": "juan4 yang3", "眼眶": "yan3 kuang4",
    "撒切尔": "sa4 qie4 er3", "比比皆是": "bi3 bi3 jie1 shi4", "手里": "shou2 li3", "怀揣": "huai2 chuai1",
    "中医": "zhong1 yi1", "嘚瑟": "de4 se5", "朝鲜": "chao2 xian3", "幸免于难": "xing4 mian3 yu2 nan4",
    "抗住": "kang2 zhu4", "行行": "xing2 xing2", "牦牛": "mao2 niu2", "标识": "biao1 zhi4", "挑剔": "tiao1 ti4",
    "解法": "jie3 fa3", "分子": "fen1 zi3",
}  # fmt: skip
_CHARACTERS = {"唉": "ai4", "牦": "mao2", "唑": "zuo4"}


def clause(text: str) -> list[str]:
    """The reading of each character of a clause; a mark is its own. Raises UnreadableText naming what has no pinyin."""
    readings = _pinyin(text)
    lost = [char for char, reading in zip(text, readings, strict=True) if reading[:1] == char and char >= "\u3400"]
    if lost:
        raise UnreadableText(text, "".join(dict.fromkeys(lost)))
    return readings


def corrected(word: str, readings: Sequence[str]) -> list[str]:
    """The readings of a word as the dictionary has it, when it does: a dictionary word has one reading."""
    known = _dictionary_word(word)
    if known is not None:
        return list(known)
    return [_CHARACTERS.get(char, reading) for char, reading in zip(word, readings, strict=True)]


@lru_cache(maxsize=16384)
def tones(word: str) -> tuple[str, ...]:
    """The tone of each character of a word read on its own; a mark is its own tone."""
    return tuple(syllable(reading).tone for reading in _pinyin(word))


@lru_cache(maxsize=8192)
def syllable(reading: str) -> Syllable:
    """Initial, strict final and tone of a reading such as ``zhong4``, ``lv4`` or ``de`` (neutral); marks pass."""
    if not reading[0].isalpha():
        return Syllable(reading[0], "", reading[0])
    convert = _tone_convert()
    if reading.rstrip("12345") in ("m", "n", "ng", "hm", "hng"):
        return Syllable("", reading.rstrip("12345"), reading[-1] if reading[-1].isdigit() else "5")
    final: str = convert.to_finals_tone3(reading, neutral_tone_with_five=True)
    return Syllable(convert.to_initials(reading), final[:-1].replace("ü", "v"), final[-1:])


def given(term: str, reading: str) -> list[str]:
    """A reading that somebody wrote for a term, one syllable with its tone for each character. Raises BadReading."""
    parts = reading.lower().replace("u:", "v").split()
    if len(parts) != len(term):
        raise BadReading(term, reading, f"write {len(term)} syllables of pinyin separated by spaces, as in ni3 hao3")
    for part in parts:
        if not is_pinyin(part) or not syllable(part).final:
            raise BadReading(term, reading, f"{part!r} is not pinyin with a tone from 1 to 5")
    return parts


@lru_cache(maxsize=16384)
def _word(text: str) -> tuple[str, ...]:
    return tuple(_read(text))


def _pinyin(text: str) -> list[str]:
    # Words come again, clauses hardly ever: keeping them would only fill the memory.
    return list(_word(text)) if len(text) <= LONGEST_WORD else _read(text)


def _read(text: str) -> list[str]:
    pypinyin = _package()
    readings = pypinyin.lazy_pinyin(
        text, style=pypinyin.Style.TONE3, neutral_tone_with_five=True, v_to_u=False, errors=list
    )
    return list(readings)


@lru_cache(maxsize=16384)
def _dictionary_word(word: str) -> tuple[str, ...] | None:
    if word in _WORDS:
        return tuple(_WORDS[word].split())
    if len(word) < 2 or word[-1] == "儿":  # the dictionary's neutral 儿 would hide what erhua decides
        return None
    _package()
    from pypinyin.constants import PHRASES_DICT

    phrase = PHRASES_DICT.get(word)
    if phrase is None or len(phrase) != len(word):
        return None
    to_tone3 = _tone_convert().to_tone3
    return tuple(to_tone3(reading[0], neutral_tone_with_five=True) for reading in phrase)


@cache
def _package() -> Any:
    try:
        import pypinyin
    except ImportError as missing:
        raise LanguageDataMissing("zh", "pypinyin") from missing
    return pypinyin


@cache
def _tone_convert() -> Any:
    _package()
    from pypinyin.contrib import tone_convert

    return tone_convert
