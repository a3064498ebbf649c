"""Phonemes of one stretch of a text, whatever its language, with the readings given for parts of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from synthesis.text.errors import BadReading, LanguageUnknown, UnreadableText
from synthesis.text.language import Language, Phonemes
from synthesis.text.lexicon import Spelling
from synthesis.text.readable import unreadable
from synthesis.text.segmentation import Stretch
from synthesis.text.symbols import SymbolTable
from synthesis.text.yue import Cantonese
from synthesis.text.yue import frontend as jyutping
from synthesis.text.zh import Mandarin
from synthesis.text.zh import readings as pinyin
from synthesis.text.zh.normalise import simplified, with_marks

if TYPE_CHECKING:
    from synthesis.text.en import English

SILENCES = {"￥": "SP2", "^": "SP3"}
"""Marks in Chinese text that turn the commas of their stretch into silence symbols."""
SHORTEST_ENGLISH = 4
Spoken = tuple[list[str], list[int] | None, str]
"""Symbols, their counts by character of the normalised text (Chinese only), the normalised text."""


class Speaker:
    """The front ends of all languages, each made at its first use."""

    def __init__(self, table: SymbolTable, read_clause: Callable[[str], list[str]] | None) -> None:
        self.table = table
        self._read_clause = read_clause
        self._made: dict[str, Language] = {}

    def phonemes(self, stretch: Stretch, spelled: Sequence[Spelling]) -> Phonemes:
        """Phonemes of a stretch; ``spelled`` are readings by position in it.

        Raises UnreadableText when letters or digits of the stretch would be left out, and BadReading.
        """
        lost = unreadable(stretch.text, stretch.language)
        if lost:
            raise UnreadableText(stretch.text, lost)
        symbols, counts, norm = self._spoken(stretch, spelled)
        known = self.table.known(symbols)
        word2ph = tuple(counts) if counts is not None else None
        return Phonemes(known, self.table.ids(known), word2ph, norm, stretch.language)

    def _spoken(self, stretch: Stretch, spelled: Sequence[Spelling]) -> Spoken:
        front_end = self.language(stretch.language)
        if isinstance(front_end, Mandarin | Cantonese):
            return _chinese(front_end, stretch.text, spelled)
        if not spelled:
            norm = front_end.normalise(stretch.text)
            symbols, counts = front_end.phonemes(norm)
            return symbols, counts, norm
        if stretch.language == "en":
            return _english(cast("English", front_end), stretch.text, spelled)
        first = spelled[0]
        own = {"ja": "kana", "ko": "hangul"}[stretch.language]
        raise BadReading(stretch.text[first.start : first.end], first.reading, f"write it in {own}")

    def language(self, code: str) -> Language:
        """The front end of a language. Raises LanguageUnknown."""
        if code not in self._made:
            self._made[code] = self._make(code)
        return self._made[code]

    def _make(self, code: str) -> Language:
        match code:
            case "zh":
                return Mandarin(self.table.version, read=self._read_clause)
            case "yue":
                return Cantonese()
            case "en":
                from synthesis.text.en import English

                return English()
            case "ja":
                from synthesis.text.ja import Japanese

                return Japanese()
            case "ko":
                from synthesis.text.ko import Korean

                return Korean()
        raise LanguageUnknown(code, ("zh", "en", "ja", "ko", "yue"))


def _chinese(front_end: Mandarin | Cantonese, text: str, spelled: Sequence[Spelling]) -> Spoken:
    silence = next((mark for mark in SILENCES if mark in text), None) if front_end.code == "zh" else None
    if silence:
        text = text.replace(silence, ",")
    norm = ""
    given: dict[int, str] = {}
    start = 0
    for spelling in spelled:
        written = text[spelling.start : spelling.end]
        term = with_marks(simplified(written))
        readings = (pinyin if front_end.code == "zh" else jyutping).given(written, spelling.reading)
        if len(term) != len(written):
            raise UnreadableText(text, written)
        norm += front_end.normalise(text[start : spelling.start])
        given |= {len(norm) + at: reading for at, reading in enumerate(readings)}
        norm += term
        start = spelling.end
    norm += front_end.normalise(text[start:])
    symbols, counts = front_end.phonemes_as_read(norm, given)
    if silence:
        symbols = [SILENCES[silence] if symbol == "," else symbol for symbol in symbols]
    return symbols, counts, norm


def _english(front_end: English, text: str, spelled: Sequence[Spelling]) -> Spoken:
    symbols: list[str] = []
    norm = ""
    start = 0
    for spelling in (*spelled, Spelling(len(text), len(text), "")):
        before = front_end.normalise(text[start : spelling.start])
        symbols.extend(front_end.phonemes(before, lead=False)[0])
        norm += before
        if spelling.reading:
            symbols.extend(front_end.reading(spelling.reading))
            norm += text[spelling.start : spelling.end]
        start = spelling.end
    return ([","] if len(symbols) < SHORTEST_ENGLISH else []) + symbols, None, norm
