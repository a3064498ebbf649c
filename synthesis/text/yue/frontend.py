"""Cantonese: simplified characters through ToJyutping to initials and finals, all with a Y in front."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from synthesis.text.errors import BadReading, LanguageDataMissing, UnreadableText
from synthesis.text.language import PUNCTUATION
from synthesis.text.zh.normalise import sentences, with_marks

# Where a syllable is cut: after the first of these that it begins with. Syllables that begin with a vowel are cut too.
_HEADS = (
    "aa", "ai", "au", "ap", "at", "ak", "a", "p", "b", "e", "t", "d", "kw", "k", "gw", "g", "f", "h", "l", "m", "ng",
    "n", "s", "w", "c", "z", "j", "ong", "on", "ou", "oi", "ok", "o", "uk", "ung",
)  # fmt: skip
_WAVES = str.maketrans("~～", "--")
_JYUTPING = re.compile(r"[a-z]+[1-6]")


class Cantonese:
    """The front end of Cantonese (``yue``, v2 and later). Immutable; the dictionary is loaded at the first use."""

    code = "yue"

    def normalise(self, text: str) -> str:
        """As for Mandarin, but runs of marks stay and a wave is a dash: numbers in words, simplified characters."""
        return "".join(with_marks(sentence.translate(_WAVES)) for sentence in sentences(text))

    def phonemes(self, norm: str) -> tuple[list[str], list[int]]:
        """Two symbols for each character, one for each mark. Raises UnreadableText for a character without jyutping."""
        return self.phonemes_as_read(norm, {})

    def phonemes_as_read(self, norm: str, given: Mapping[int, str]) -> tuple[list[str], list[int]]:
        """The same with jyutping given for characters, by position in ``norm``."""
        spoken: list[str] = []
        counts: list[int] = []
        for at, (char, reading) in enumerate(zip(norm, _readings(norm, given), strict=True)):
            found = [char] if char in PUNCTUATION else symbols(given.get(at, reading))
            spoken.extend(found)
            counts.append(len(found))
        return spoken, counts


def symbols(syllable: str) -> list[str]:
    """The symbols of one syllable of jyutping with its tone: ``hoi1`` is Yh Yoi1, ``m4`` Ym Ym4, ``aa3`` Yaa Ya3."""
    letters, tone = syllable[:-1], syllable[-1]
    if letters.startswith("nga"):
        head = "ng"
    else:
        head = next((head for head in _HEADS if letters.startswith(head)), letters[:1])
    return [f"Y{head}", f"Y{letters[len(head) :] or head[-1]}{tone}"]


def given(term: str, reading: str) -> list[str]:
    """A reading that somebody wrote for a term, one syllable of jyutping for each character. Raises BadReading."""
    parts = reading.lower().split()
    if len(parts) != len(term):
        raise BadReading(term, reading, f"write {len(term)} syllables of jyutping separated by spaces, as in nei5 hou2")
    for part in parts:
        if not _JYUTPING.fullmatch(part):
            raise BadReading(term, reading, f"{part!r} is not jyutping with a tone from 1 to 6")
    return parts


def _readings(norm: str, given: Mapping[int, str]) -> list[str]:
    """Jyutping of each character; marks stand for themselves."""
    readings: list[str] = []
    lost: list[str] = []
    for chunk, jyutping in _converter().get_jyutping_list(norm) if norm else []:
        if jyutping is None or not _JYUTPING.match(jyutping):
            lost.extend(char for char in chunk if char not in PUNCTUATION)
            readings.extend(chunk)
        else:
            syllables = jyutping.split()
            # Several syllables for one character cannot be told apart later: the first is kept.
            readings.extend(syllables if len(syllables) == len(chunk) else syllables[:1] * len(chunk))
    unknown = [char for at, char in enumerate(norm) if char in lost and at not in given]
    if unknown:
        raise UnreadableText(norm, "".join(dict.fromkeys(unknown)))
    return readings


@cache
def _converter() -> Any:
    try:
        return import_module("ToJyutping")
    except ImportError as missing:
        raise LanguageDataMissing("yue", "ToJyutping") from missing
