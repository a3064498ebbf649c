"""Marks inside a line: pauses ``[pause 500ms]`` and readings ``{term|reading}``.

A backslash before ``[`` or ``{`` makes it text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from synthesis.text.errors import BadPause, BadReading

LONGEST_PAUSE_MS = 10_000
PLAIN_BREAK_MS = 500
"""Length of ``[break]`` and of ``[pause]``."""
_PAUSE = re.compile(r"(?<!\\)\[(pause|break)(?:[ :]\s*([^\[\]]*))?\]", re.IGNORECASE)
_LENGTH = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*(ms|s|)", re.IGNORECASE)
_READING = re.compile(r"(?<!\\)\{([^{}|]*)\|([^{}|]*)\}")
_HIDDEN = 0xE000  # private use: no text that people write contains these
_HIDDEN_LAST = 0xF8FF


@dataclass(frozen=True)
class Run:
    """A stretch of a line: text as it stands, or a term with the reading that somebody gave it."""

    text: str
    reading: str | None = None


def split_pauses(text: str) -> list[tuple[str, int]]:
    """Text between pause marks and the silence after each, in ms (0 at the end unless a mark ends the line).

    ``[pause 500ms]``, ``[pause 1.5s]``, ``[pause:1.5]`` (seconds) and ``[break]``. Text may be empty before a mark that
    opens the line. Raises BadPause for a length that is missing, not a number or over 10 s.
    """
    parts: list[tuple[str, int]] = []
    start = 0
    for mark in _PAUSE.finditer(text):
        parts.append((_unescape(text[start : mark.start()]), _length(mark)))
        start = mark.end()
    rest = _unescape(text[start:])
    if rest.strip() or not parts:
        parts.append((rest, 0))
    return parts


def split_readings(text: str) -> list[Run]:
    """The text as runs without and with a given reading. Raises BadReading when a term or its reading is empty."""
    runs: list[Run] = []
    start = 0
    for mark in _READING.finditer(text):
        term, reading = mark.group(1).strip(), mark.group(2).strip()
        if not term or not reading:
            raise BadReading(term, reading, "write {term|reading} with both sides filled")
        if mark.start() > start:
            runs.append(Run(_plain(text[start : mark.start()])))
        runs.append(Run(term, reading))
        start = mark.end()
    if start < len(text):
        runs.append(Run(_plain(text[start:])))
    return runs


def hide_readings(text: str) -> tuple[str, list[str]]:
    """The text with each ``{term|reading}`` as one private-use character, and the marks that they stand for."""
    marks: list[str] = []

    def hide(mark: re.Match[str]) -> str:
        if len(marks) > _HIDDEN_LAST - _HIDDEN:
            return mark.group()
        marks.append(mark.group())
        return chr(_HIDDEN + len(marks) - 1)

    without = "".join(char for char in text if not _HIDDEN <= ord(char) <= _HIDDEN_LAST)
    return _READING.sub(hide, without), marks


def show_readings(text: str, marks: Sequence[str]) -> str:
    """The inverse of hide_readings, for any part of its text."""
    if not marks:
        return text
    return "".join(marks[ord(char) - _HIDDEN] if 0 <= ord(char) - _HIDDEN < len(marks) else char for char in text)


def _length(mark: re.Match[str]) -> int:
    written = (mark.group(2) or "").strip()
    if not written:
        return PLAIN_BREAK_MS
    found = _LENGTH.fullmatch(written)
    if found is None:
        raise BadPause(mark.group(), "write a length such as 500ms or 1.5s")
    seconds = float(found.group(1)) / (1000 if found.group(2).lower() == "ms" else 1)
    length = round(seconds * 1000)
    if length > LONGEST_PAUSE_MS:
        raise BadPause(mark.group(), f"it is longer than {LONGEST_PAUSE_MS / 1000:g} s")
    return length


def _unescape(text: str) -> str:
    return text.replace("\\[", "[")


def _plain(text: str) -> str:
    return text.replace("\\{", "{")
