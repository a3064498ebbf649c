"""What the words of a Korean text are: marks behind the syllables whose sound depends on it.

The analyser is MeCab with mecab-ko-dic, both in wheels (python-mecab-ko, python-mecab-ko-dic).
"""

from __future__ import annotations

import unicodedata
from functools import cache
from importlib import import_module
from typing import Any

from synthesis.text.errors import LanguageDataMissing

STEM, PARTICLE, ENDING, COUNTER = "\ue001", "\ue002", "\ue003", "\ue004"
"""Marks: a verb stem that tenses what follows, the particle 의, an ending in ㄹ, a bound noun that counts."""
MARKS = STEM + PARTICLE + ENDING + COUNTER
_TENSING = frozenset("ᆫᆬᆷᆱᆰᆲᆴ")


@cache
def _analyser() -> Any:
    try:
        return import_module("mecab").MeCab()
    except ImportError:
        raise LanguageDataMissing("ko", "python-mecab-ko") from None


def annotate(text: str) -> str:
    """The text with a mark after each syllable that has one. Unchanged when the analyser loses characters."""
    words: list[tuple[str, str]] = _analyser().pos(text) if text.strip() else []
    if text.replace(" ", "") != "".join(word for word, _ in words):
        return text
    marks = iter([mark for word, tag in words for mark in ("",) * (len(word) - 1) + (_mark(word[-1], tag),)])
    return "".join(char if char == " " else char + next(marks) for char in text)


def _mark(syllable: str, tag: str) -> str:
    last = tag.split("+")[-1]
    coda = unicodedata.normalize("NFD", syllable)[-1]
    if last == "NNBC":
        return COUNTER
    if last.startswith("J") and syllable == "의":
        return PARTICLE
    if last.startswith("E") and coda == "ᆯ":
        return ENDING
    return STEM if last.startswith("V") and coda in _TENSING else ""
