"""Readings that people give: a lexicon of terms, and ``{term|reading}`` in the text.

A reading of pinyin or jyutping (for Chinese characters) or ARPAbet (for anything else) becomes phonemes as it stands;
any other reading (kana, hangul, other words) is text that is read in place of the term.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from synthesis.text.errors import BadReading
from synthesis.text.markup import Run, split_readings

_HAN = re.compile("[\u3005\u3400-\u4dbf\u4e00-\u9fff]+")
_LETTERS = re.compile("[A-Za-züÜêÊ:]+[0-9]?(?: +[A-Za-züÜêÊ:]+[0-9]?)*")
_ARPABET = re.compile("(?:A[AEHOWY]|E[HRY]|I[HY]|O[WY]|U[HW])[0-2]?|B|CH|DH?|F|G|HH|JH|[KLMNPRSTVWYZ]|NG|SH|TH|ZH")


@dataclass(frozen=True)
class Spelling:
    """Characters ``start`` to ``end`` of a text are read as ``reading``: pinyin, jyutping or ARPAbet."""

    start: int
    end: int
    reading: str

    def moved(self, by: int) -> Spelling:
        """The same further on in another text."""
        return Spelling(self.start + by, self.end + by, self.reading)


class Lexicon:
    """Terms with their readings. Longer terms win; Latin terms match whole words with their capitals."""

    def __init__(self, terms: Mapping[str, str]) -> None:
        for term, reading in terms.items():
            if not term.strip() or not reading.strip():
                raise BadReading(term, reading, "both the term and its reading must be filled")
        self.terms = dict(terms)

    def runs(self, text: str) -> Iterator[Run]:
        """The text as runs with and without a reading from the lexicon."""
        start = 0
        for found in self._pattern.finditer(text) if self.terms else ():
            if found.start() > start:
                yield Run(text[start : found.start()])
            yield Run(found.group(), self.terms[found.group()].strip())
            start = found.end()
        if start < len(text):
            yield Run(text[start:])

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(_as_word(term) for term in sorted(self.terms, key=len, reverse=True)))


def spellings(text: str, lexicon: Lexicon) -> tuple[str, list[Spelling]]:
    """The text with readings in other words put in place, and the spellings of it that are phonetic.

    Inline readings win over the lexicon. Raises BadReading for an inline reading with an empty side.
    """
    clean = ""
    found: list[Spelling] = []
    for run in split_readings(text):
        for part in lexicon.runs(run.text) if run.reading is None else (run,):
            if part.reading is None:
                clean += part.text
            elif is_phonetic(part.text, part.reading):
                found.append(Spelling(len(clean), len(clean) + len(part.text), part.reading))
                clean += part.text
            else:
                clean += part.reading
    return clean, found


def heard(text: str) -> str:
    """The text with readings in other words in place of their terms, and terms alone where the reading is sounds."""
    return "".join(
        run.text if run.reading is None or is_phonetic(run.text, run.reading) else run.reading
        for run in split_readings(text)
    )


def is_phonetic(term: str, reading: str) -> bool:
    """Whether the reading is sounds (pinyin, jyutping, ARPAbet) and not other words."""
    if is_han(term):
        return _LETTERS.fullmatch(reading) is not None
    return is_arpabet(reading)


def is_arpabet(reading: str) -> bool:
    """Whether the reading is upper-case ARPAbet such as ``HH AH0 L OW1``."""
    parts = reading.split()
    return bool(parts) and all(_ARPABET.fullmatch(part) for part in parts)


def is_han(text: str) -> bool:
    """Whether the text is Chinese characters alone."""
    return _HAN.fullmatch(text) is not None


def _as_word(term: str) -> str:
    before = r"(?<![A-Za-z0-9])" if term[0].isascii() and term[0].isalnum() else ""
    after = r"(?![A-Za-z0-9])" if term[-1].isascii() and term[-1].isalnum() else ""
    return before + re.escape(term) + after
