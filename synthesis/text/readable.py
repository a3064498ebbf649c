"""Which characters a language can read, and which may be left out without loss."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from synthesis.text.segmentation import is_latin
from synthesis.text.zh.normalise import SIGNS, simplified

_ORNAMENTS = re.compile("[\ufe00-\ufe0f\u20e3\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u25a0-\u25ff]")
"""Emoji, dingbats and shapes: nothing is lost when words around them are spoken."""
_HAN = re.compile("[\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
_KANA = re.compile("[\u3041-\u309f\u30a0-\u30ff\uff66-\uff9f]")
_HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]")
_SCRIPTS = {"ja": (_HAN, _KANA), "ko": (_HANGUL,), "en": ()}
_POWERS = "⁰¹²³⁴⁵⁶⁷⁸⁹ˣʸⁿ"
_CIRCLE_AS_ZERO = re.compile("(?<=[〇零○一二三四五六七八九])○")


def plain(text: str) -> str:
    """The text without emoji, shapes and invisible characters, composed, and with odd numerals (Ⅳ, ½, ⑫) as digits."""
    text = _CIRCLE_AS_ZERO.sub("〇", unicodedata.normalize("NFC", text))
    return "".join(map(_plain, _ORNAMENTS.sub("", text)))


@cache
def _plain(char: str) -> str:
    kind = unicodedata.category(char)
    if kind[0] == "C":  # control and format characters, lone surrogates, private use
        return " " if char.isspace() else ""
    if kind not in ("Nl", "No") or char in _POWERS or char in SIGNS or char == "〇":
        return char
    value = unicodedata.numeric(char, -1)
    if value == int(value):
        return str(int(value)) if value >= 0 else char
    return unicodedata.normalize("NFKC", char).replace("\u2044", "/")


def unreadable(text: str, language: str) -> str:
    """Letters and numbers of the text that the front end of ``language`` would leave out, each once, in order."""
    return "".join(dict.fromkeys(char for char in text if not _can_read(char, language)))


@cache
def _can_read(char: str, language: str) -> bool:
    if unicodedata.category(char)[0] not in "LN" or char in "ーｰ":
        return True  # marks, signs and space: spoken or silent, but not a word
    if char.isascii() or is_latin(char) or (char.isdigit() and unicodedata.normalize("NFKC", char).isascii()):
        return True
    if language in ("zh", "yue"):
        return char in SIGNS or char in _POWERS or char == "〇" or "\u4e00" <= simplified(char) <= "\u9fa5"
    return any(script.match(char) for script in _SCRIPTS[language])
