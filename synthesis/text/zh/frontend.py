"""Mandarin: from text to initials and finals, for v1 models and for v2 and later.

v1 reads each word on its own; v2 reads whole clauses (pypinyin, or the polyphone network g2pW), corrects words with
one reading, and joins a final 儿 to the syllable before it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from synthesis.text.cuts import collapse_marks
from synthesis.text.language import PUNCTUATION
from synthesis.text.zh import readings as pinyin
from synthesis.text.zh import sandhi
from synthesis.text.zh.normalise import sentences, with_marks
from synthesis.text.zh.syllables import Syllable, symbols
from synthesis.text.zh.words import Word, words

ReadClause = Callable[[str], list[str]]
"""Readings of a clause, one for each of its characters."""
_CLAUSE = re.compile(f"[^{re.escape(''.join(PUNCTUATION))}]*[{re.escape(''.join(PUNCTUATION))}]?")
_RARE = str.maketrans({"嗯": "恩", "呣": "母"})
"""Hums without a vowel, as characters that have one."""


class Mandarin:
    """The front end of Mandarin (``zh``). Immutable; dictionaries are loaded at the first use.

    ``version`` is that of the symbol table. ``read`` replaces pypinyin as the reader of clauses (v2 only).
    """

    code = "zh"

    def __init__(self, version: Literal["v1", "v2"] = "v2", *, read: ReadClause | None = None) -> None:
        self.version = version
        self._read = read or pinyin.clause
        self._words = words()

    def normalise(self, text: str) -> str:
        """Simplified characters and the marks ``! ? … , . -``; numbers, units and Greek letters are words."""
        joined = "".join(with_marks(sentence.translate(_RARE)) for sentence in sentences(text))
        return collapse_marks(joined)

    def phonemes(self, norm: str) -> tuple[list[str], list[int]]:
        """Two symbols for each character and one for each mark of a normalised text.

        Raises UnreadableText for a character without pinyin.
        """
        return self.phonemes_as_read(norm, {})

    def phonemes_as_read(self, norm: str, given: Mapping[int, str]) -> tuple[list[str], list[int]]:
        """The same with readings given for characters: pinyin by position in ``norm``. Given tones do not change."""
        spoken: list[str] = []
        counts: list[int] = []
        start = 0
        for part in _CLAUSE.findall(norm):
            fixed = {at - start: reading for at, reading in given.items() if start <= at < start + len(part)}
            for syllable in self._clause(part, fixed) if part else ():
                found = symbols(syllable)
                spoken.extend(found)
                counts.append(len(found))
            start += len(part)
        return spoken, counts

    def _clause(self, clause: str, given: Mapping[int, str]) -> list[Syllable]:
        words = sandhi.join(self._words.cut(clause), pinyin.tones)
        whole = pinyin.clause(clause) if self.version == "v1" else self._read(clause)
        syllables: list[Syllable] = []
        for word in words:
            start = len(syllables)
            end = start + len(word.text)
            syllables.extend(self._word(word, whole[start:end]))
            for at in range(start, end):
                if at in given:
                    syllables[at] = pinyin.syllable(given[at])
        return syllables

    def _word(self, word: Word, read: Sequence[str]) -> list[Syllable]:
        read = pinyin.clause(word.text) if self.version == "v1" else pinyin.corrected(word.text, read)
        plain = [pinyin.syllable(reading) for reading in read]
        tones = sandhi.change(word, [syllable.tone for syllable in plain], self._words.halves)
        if self.version != "v1" and word.text[-1] == "儿":
            tones = _erhua(word, plain, tones)
        return [
            syllable if syllable.is_mark else Syllable(syllable.initial, syllable.final, tone)
            for syllable, tone in zip(plain, tones, strict=True)
        ]


def _erhua(word: Word, plain: Sequence[Syllable], tones: list[str]) -> list[str]:
    """A final 儿 has the tone of the syllable before it; first-tone er, which does not exist, is second."""
    last = "2" if tones[-1] == "1" and plain[-1].final == "er" else tones[-1]
    if plain[-1].final == "er" and last in ("2", "5") and sandhi.has_erhua(word):
        last = tones[-2]
    return [*tones[:-1], last]
