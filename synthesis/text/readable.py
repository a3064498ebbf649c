"""Which characters a language can read, and which may be left out without loss."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from synthesis.text.segmentation import is_latin

_ORNAMENTS = re.compile(
    "[\u200b-\u200f\u2060\ufe00-\ufe0f\u20e3\ufeff\U0001f000-\U0001faff\U000e0000-\U000e007f\u2600-\u27bf\u2b00-\u2bff\u25a0-\u25ff]"
)
"""Emoji, dingbats, shapes and invisible characters: nothing is lost when words around them are spoken."""
_HAN = re.compile("[\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
_KANA = re.compile("[\u3041-\u309f\u30a0-\u30ff\uff66-\uff9f]")
_HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]")
_GREEK = re.compile("[\u0391-\u03c9]")
_CHINESE_NUMBERS = frozenset("①②③④⑤⑥⑦⑧⑨⑩⁰¹²³⁴⁵⁶⁷⁸⁹ˣʸⁿ")
_SCRIPTS = {
    "zh": (_HAN, _GREEK),
    "yue": (_HAN, _GREEK),
    "ja": (_HAN, _KANA),
    "ko": (_HANGUL,),
    "en": (),
}


def without_ornaments(text: str) -> str:
    """The text without emoji, shapes and invisible characters."""
    return _ORNAMENTS.sub("", text)


def unreadable(text: str, language: str) -> str:
    """Letters and numbers of the text that the front end of ``language`` would leave out, each once, in order."""
    return "".join(dict.fromkeys(char for char in text if not _can_read(char, language)))


@cache
def _can_read(char: str, language: str) -> bool:
    if unicodedata.category(char)[0] not in "LN":
        return True  # marks, signs and space: spoken or silent, but not a word
    if char.isascii() or is_latin(char) or (char.isdigit() and unicodedata.normalize("NFKC", char).isascii()):
        return True
    if language in ("zh", "yue") and char in _CHINESE_NUMBERS:
        return True
    return any(script.match(char) for script in _SCRIPTS[language])
