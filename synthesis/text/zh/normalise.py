"""Chinese text as the front ends of Mandarin and Cantonese read it: simplified characters and six marks."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from synthesis.text.errors import LanguageDataMissing
from synthesis.text.zh.lexical import lexical
from synthesis.text.zh.rules import spell_out

_FULL_WIDTH = {code + 0xFEE0: code for code in (*range(0x30, 0x3A), *range(0x41, 0x5B), *range(0x61, 0x7B))}
_PLAIN = _FULL_WIDTH | str.maketrans({"\u3000": " ", "〇": "零"})
_CHINESE = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
_DROPPED = re.compile(r"[—《》【】<>{}()（）#&@“”^_|\\ ]")
_DROPPED_AT_THE_END = re.compile(r"[—《》【】<>{}()（）#&@“”^_|\\=-]")
_SENTENCE_END = re.compile(r"([：、，；。？！,;?!][”’]?)")
_GREEK = {
    "α": "阿尔法", "β": "贝塔", "γΓ": "伽玛", "δΔ": "德尔塔", "ε": "艾普西龙", "ζ": "捷塔", "η": "依塔",
    "θΘ": "西塔", "ι": "艾欧塔", "κ": "喀帕", "λΛ": "拉姆达", "μ": "缪", "ν": "拗", "ξΞ": "克西", "ο": "欧米克伦",
    "πΠ": "派", "ρ": "肉", "ςΣσ": "西格玛", "τ": "套", "υ": "宇普西龙", "φΦ": "服艾", "χ": "器", "ψ": "普赛",
    "ωΩ": "欧米伽",
}  # fmt: skip
SIGNS = (
    {"/": "每", "+": "加", "-": "减", "×": "乘", "÷": "除", "=": "等"}
    | dict(zip("①②③④⑤⑥⑦⑧⑨⑩", "一二三四五六七八九十", strict=True))
    | {letter: name for letters, name in _GREEK.items() for letter in letters}
)
_SIGN_WORDS = str.maketrans(SIGNS)
_MARKS = {
    **dict.fromkeys("：；，·、/", ","),
    **dict.fromkeys("。\n$", "."),
    **dict.fromkeys("~～", "…"),
    "！": "!",
    "？": "?",
    "—": "-",
}
_MARK_TABLE = str.maketrans(_MARKS)
_HEARD = re.compile(r"[^\u4e00-\u9fa5!?…,.\-]+")


def sentences(text: str) -> list[str]:
    """Sentences of a Chinese text, simplified and with every number and sign in words; marks are still as written."""
    text = _SENTENCE_END.sub(r"\1\n", _DROPPED.sub("", text)).strip()
    return [_sentence(part.strip()) for part in re.split(r"\n+", text)]


def with_marks(sentence: str) -> str:
    """The sentence with ``! ? … , . -`` for all marks and nothing else but characters U+4E00 to U+9FA5."""
    return _HEARD.sub("", sentence.replace("...", "…").translate(_MARK_TABLE))


def simplified(text: str) -> str:
    """Traditional characters as simplified ones, one for one."""
    return "".join(_simplified(char) if _CHINESE.match(char) else char for char in text)


def _sentence(sentence: str) -> str:
    sentence = spell_out(simplified(sentence).translate(_PLAIN))
    return _DROPPED_AT_THE_END.sub("", sentence.translate(_SIGN_WORDS))


@cache
def _simplified(char: str) -> str:
    variant = lexical().variants.get(char)
    if variant is not None:
        return variant
    other: str = _converter().convert(char)
    # Simplified forms outside the characters that are read would be dropped; the written one may have a reading.
    return other if len(other) == 1 and "\u4e00" <= other <= "\u9fa5" else char


@cache
def _converter() -> Any:
    try:
        from opencc import OpenCC
    except ImportError as missing:
        raise LanguageDataMissing("zh", "OpenCC") from missing
    return OpenCC("t2s")
