"""WebVTT with speakers: one or more cues per line, wrapped so that nobody has to read more than two short rows."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROW_WIDTH = 42
"""Columns of one row; a wide (East Asian) character takes two."""
ROWS = 2
"""Rows of one cue."""

_NO_BREAK_BEFORE = frozenset(
    "、。，．！？：；」』）】〉》〕｝ー々ゝゞぁぃぅぇぉっゃゅょァィゥェォッャュョ…‥％”’!?,.:;)]}%"
)
_NO_BREAK_AFTER = frozenset("「『（【〈《〔｛“‘([{")


@dataclass(frozen=True, slots=True)
class Cue:
    """One spoken line. Times in ms from the start of the file; ``speaker`` may be empty."""

    start_ms: int
    end_ms: int
    text: str
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class _Atom:
    """Text that is never split across rows, and whether a space goes before it."""

    text: str
    spaced: bool


def write_vtt(cues: Iterable[Cue], dst: Path) -> None:
    """Write cues to ``dst`` as WebVTT (UTF-8), aside first and then renamed.

    Cues come out in order of time, never overlapping and each at least 1 ms long, whatever went in; a long text becomes
    several cues that share its time in proportion to their width. Cues without text are left out.
    """
    aside = dst.with_name(f".{dst.name}.{os.getpid()}.part")
    try:
        aside.write_text(render_vtt(cues), encoding="utf-8", newline="\n")
        aside.replace(dst)
    finally:
        aside.unlink(missing_ok=True)


def render_vtt(cues: Iterable[Cue]) -> str:
    """Return the document that ``write_vtt`` writes."""
    blocks = ["WEBVTT\n"]
    for cue, rows in _laid_out(cues):
        body = "\n".join(_escape(row) for row in rows)
        speaker = _escape(_clean(cue.speaker))
        if speaker:
            body = f"<v {speaker}>{body}"
        blocks.append(f"{_timestamp(cue.start_ms)} --> {_timestamp(cue.end_ms)}\n{body}\n")
    return "\n".join(blocks)


def wrap(text: str, width: int = ROW_WIDTH) -> list[str]:
    """Break text into as few rows of at most ``width`` columns as fit, about equally long.

    Latin words stay whole unless one alone is wider than a row; between wide characters a break is allowed except
    before closing and after opening punctuation.
    """
    atoms = list(_atoms(_clean(text), width))
    rows = _fill(atoms, width)
    low, high = 1, width
    while low < high:  # the narrowest row that needs no more rows: an even block instead of a last orphan
        middle = (low + high) // 2
        widest = max((_width(atom.text) for atom in atoms), default=0)
        if middle >= widest and len(_fill(atoms, middle)) == len(rows):
            high = middle
        else:
            low = middle + 1
    return _fill(atoms, low)


def _laid_out(cues: Iterable[Cue]) -> Iterator[tuple[Cue, Sequence[str]]]:
    """Cues split, in order and apart, each with its rows."""
    ordered = sorted((cue for cue in cues if _clean(cue.text)), key=lambda cue: (cue.start_ms, cue.end_ms))
    cursor = 0
    for index, cue in enumerate(ordered):
        start = max(cue.start_ms, cursor, 0)
        end = cue.end_ms
        if index + 1 < len(ordered):
            end = min(end, max(ordered[index + 1].start_ms, start))
        rows = wrap(cue.text)
        pieces = [rows[at : at + ROWS] for at in range(0, len(rows), ROWS)]
        end = max(end, start + len(pieces))
        weights = [sum(_width(row) for row in piece) for piece in pieces]
        total, seen, cursor = sum(weights), 0, start
        for number, (piece, weight) in enumerate(zip(pieces, weights, strict=True)):
            seen += weight
            left = len(pieces) - number - 1
            until = min(max(start + (end - start) * seen // total, cursor + 1), end - left)
            yield Cue(cursor, until, cue.text, cue.speaker), piece
            cursor = until


def _atoms(text: str, width: int) -> Iterator[_Atom]:
    """Unbreakable pieces of the text, in order, none wider than ``width``."""
    for number, word in enumerate(text.split(" ")):
        piece = ""
        spaced = number > 0
        for char in word:
            if piece and (_may_break(piece[-1], char) or _width(piece + char) > width):
                yield _Atom(piece, spaced)
                piece, spaced = "", False
            piece += char
        if piece:
            yield _Atom(piece, spaced)


def _may_break(before: str, after: str) -> bool:
    if after in _NO_BREAK_BEFORE or before in _NO_BREAK_AFTER or unicodedata.combining(after):
        return False
    return _columns(before) == 2 or _columns(after) == 2


def _fill(atoms: Sequence[_Atom], width: int) -> list[str]:
    rows: list[str] = []
    row = ""
    for atom in atoms:
        longer = f"{row} {atom.text}" if row and atom.spaced else row + atom.text
        if row and _width(longer) > width:
            rows.append(row)
            row = atom.text
        else:
            row = longer
    return [*rows, row] if row else rows


def _width(text: str) -> int:
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def _clean(text: str) -> str:
    """One line of printable text: a blank line would end a cue, a control character has no place in one."""
    return " ".join("".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in text).split())


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _timestamp(ms: int) -> str:
    seconds, millis = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}.{millis:03d}"
