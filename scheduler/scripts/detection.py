"""Which language a text is in, where neither the file nor the caller says so.

Letters decide first (kana, Hangul, Greek …). For alphabets that many languages share, lingua's statistics of letter
triples do, and only where they are clear: a wrong language is a wrong voice for the whole line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from scheduler.scripts.languages import by_letters, primary
from scheduler.scripts.model import Rejection, ScriptDocument, ScriptLine

if TYPE_CHECKING:
    from lingua import LanguageDetector

SAMPLE_CHARS = 5_000
LEAST_LETTERS = 30
"""Shorter texts say nothing: 'No.' is Italian, Spanish and English."""
CLEAR = 0.95
"""lingua's confidence from which it is believed."""
PROBES = 200
"""Lines looked at before all are: most scripts are in one language from end to end."""

_LETTERS_DECIDE = frozenset({"ja", "zh", "ko", "yue"})


def of_text(text: str) -> tuple[str, bool]:
    """A language for a whole text, and whether it is sure; English where nothing tells."""
    tag, sure = by_letters(text)
    if sure or tag in _LETTERS_DECIDE:
        return tag, sure
    found = _told(text[:SAMPLE_CHARS])
    return (tag, False) if found is None else (found, True)


def line_by_line(document: ScriptDocument) -> ScriptDocument:
    """Give lines of a script that nobody stated a language for the language they are in.

    A line stays in the script's language unless its own is clear. Text in Han characters alone is never told apart:
    short lines in Chinese and Japanese look the same.
    """
    lines = [line for section in document.sections for line in section.lines if _undecided(line, document.language)]
    step = max(1, len(lines) // PROBES)
    if not any(_other(line.text, document.language) for line in lines[::step]):
        return document
    told = {id(line): tag for line in lines if (tag := _other(line.text, document.language)) is not None}
    sections = tuple(
        replace(
            section,
            lines=tuple(replace(line, language=told.get(id(line), line.language)) for line in section.lines),
        )
        for section in document.sections
    )
    tags = ", ".join(sorted(set(told.values())))
    notice = Rejection("", f"{len(told)} lines are read as {tags}, by their words; a language column says otherwise")
    return replace(document, sections=sections, notices=(*document.notices, notice))


def _undecided(line: ScriptLine, language: str) -> bool:
    return line.language == language and line.kind == "speech"


def _other(text: str, language: str) -> str | None:
    """The language of a line where it is clear and not the script's; else None."""
    tag, sure = by_letters(text)
    if tag == "zh":
        return None
    if sure:
        return None if tag == primary(language) else tag
    found = _told(text)
    return None if found == primary(language) else found


def _told(text: str) -> str | None:
    """What the statistics say, if they say it clearly."""
    if sum(map(str.isalpha, text)) < LEAST_LETTERS:
        return None
    best: Sequence[Any] = _detector().compute_language_confidence_values(text)[:1]
    if not best or best[0].value < CLEAR:
        return None
    tag = best[0].language.iso_code_639_1.name.lower()
    return "no" if tag == "nb" else tag


@cache
def _detector() -> LanguageDetector:
    """Languages with many speakers or books; each one more makes close relatives harder to tell."""
    from lingua import Language, LanguageDetectorBuilder

    names = (
        "ENGLISH GERMAN FRENCH SPANISH ITALIAN PORTUGUESE DUTCH SWEDISH DANISH BOKMAL POLISH CZECH HUNGARIAN ROMANIAN "
        "TURKISH FINNISH RUSSIAN UKRAINIAN BULGARIAN GREEK ARABIC PERSIAN HEBREW HINDI THAI VIETNAMESE INDONESIAN"
    )
    languages = [getattr(Language, name) for name in names.split()]
    # triples alone: half a second and 50 MB to load, not six seconds and 500 MB, and as good from 30 letters on
    return LanguageDetectorBuilder.from_languages(*languages).with_low_accuracy_mode().build()
