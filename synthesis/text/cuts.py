"""Cutting a text into pieces that are synthesised one by one, by the six methods the community knows.

``cut`` is the method alone; ``segments_for_synthesis`` adds the clean-up before it (a stop before a very short first
clause, which would otherwise let the reference clip leak into the audio) and after it (short pieces merged, a stop at
the end).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping

from synthesis.text.errors import TextMethodUnknown, UnreadableText
from synthesis.text.markup import hide_readings, show_readings

SEPARATORS = frozenset("，。？！,.?!~:：—…")
"""Marks that end a clause."""
SILENT = frozenset("!?…,.- ")
"""A piece of nothing but these is dropped."""
STOPS = frozenset(",.;?!、，。？！：…")
"""Marks that cut5 cuts after (a full stop between digits excepted)."""
SHORTEST_PIECE = 5
LONGEST_PIECE = 510
"""Characters: the text network has 512 positions, two of which are taken."""
CLAUSES_PER_PIECE = 4
CHARACTERS_PER_PIECE = 50
SHORTEST_OPENING = 4


def cut(text: str, method: str) -> str:
    """Cut by ``method`` (cut0..cut5); the pieces come back separated by newlines. Raises TextMethodUnknown."""
    if method not in METHODS:
        raise TextMethodUnknown(method, tuple(METHODS))
    return METHODS[method](text)


def segments_for_synthesis(text: str, language: str, method: str = "cut5") -> list[str]:
    """Pieces of ``text`` to synthesise, in order: each at most 510 characters and ending in a stop.

    Inline readings ``{term|reading}`` are kept whole. Raises UnreadableText when nothing is left to speak.
    """
    hidden, readings = hide_readings(text.strip("\n"))
    stop = "." if language == "en" else "。"
    if hidden and hidden[0] not in SEPARATORS and len(first_clause(hidden)) < SHORTEST_OPENING:
        hidden = stop + hidden
    lines = [line for line in cut(hidden, method).split("\n") if line not in ("", " ")] if hidden else []
    pieces: list[str] = []
    for piece in _merge_short(lines):
        shown = show_readings(piece, readings)
        if not re.search(r"\w", shown):
            continue
        finished = piece if piece[-1] in SEPARATORS else piece + stop
        pieces.extend(show_readings(part, readings) for part in split_long(finished))
    if not pieces:
        raise UnreadableText(text, "".join(dict.fromkeys(char for char in text if not char.isspace())))
    return pieces


def first_clause(text: str) -> str:
    """What stands before the first separator, without surrounding space."""
    for position, char in enumerate(text):
        if char in SEPARATORS:
            return text[:position].strip()
    return text.strip()


def collapse_marks(text: str) -> str:
    """Runs of ``! ? … , . -`` reduced to their first mark."""
    return re.sub(r"([!?…,.\-])[!?…,.\-]+", r"\1", text)


def split_long(text: str) -> Iterator[str]:
    """Pieces of at most LONGEST_PIECE characters that joined are the text, cut at marks, or anywhere without any."""
    piece = ""
    for part in re.split(f"([{''.join(SEPARATORS)}])", text):
        if piece and len(piece) + len(part) > LONGEST_PIECE:
            yield piece
            piece = ""
        piece += part
        while len(piece) > LONGEST_PIECE:
            yield piece[:LONGEST_PIECE]
            piece = piece[LONGEST_PIECE:]
    if piece:
        yield piece


def _uncut(text: str) -> str:
    return "\n" if SILENT.issuperset(text) else text


def _by_four_clauses(text: str) -> str:
    text = text.strip("\n")
    clauses = _clauses(text)
    # The last group takes the rest: 7 clauses are one piece, 9 are 4 and 5.
    groups = max(1, -(-len(clauses) // CLAUSES_PER_PIECE) - 1)
    if len(clauses) <= CLAUSES_PER_PIECE:
        return _spoken([text])
    bounds = [CLAUSES_PER_PIECE * number for number in range(groups)] + [len(clauses)]
    return _spoken("".join(clauses[start:end]) for start, end in itertools.pairwise(bounds))


def _by_fifty_characters(text: str) -> str:
    text = text.strip("\n")
    clauses = _clauses(text)
    if len(clauses) < 2:
        return text
    pieces = [""]
    for clause in clauses:
        if len(pieces[-1]) > CHARACTERS_PER_PIECE:
            pieces.append("")
        pieces[-1] += clause
    if len(pieces) > 1 and len(pieces[-1]) < CHARACTERS_PER_PIECE:
        last = pieces.pop()
        pieces[-1] += last
    return _spoken(pieces)


def _by_chinese_stop(text: str) -> str:
    return _spoken(text.strip("\n").strip("。").split("。"))


def _by_english_stop(text: str) -> str:
    return _spoken(re.split(r"(?<!\d)\.(?!\d)", text.strip("\n").strip(".")))


def _by_every_mark(text: str) -> str:
    text = text.strip("\n")
    pieces = [""]
    for position, char in enumerate(text):
        pieces[-1] += char
        if char in STOPS and not _is_decimal_point(text, position):
            pieces.append("")
    return "\n".join(piece for piece in pieces if not STOPS.issuperset(piece))


METHODS: Mapping[str, Callable[[str], str]] = {
    "cut0": _uncut,
    "cut1": _by_four_clauses,
    "cut2": _by_fifty_characters,
    "cut3": _by_chinese_stop,
    "cut4": _by_english_stop,
    "cut5": _by_every_mark,
}


def _is_decimal_point(text: str, position: int) -> bool:
    around = text[max(position - 1, 0)] + text[position + 1 : position + 2]
    return text[position] == "." and 0 < position < len(text) - 1 and all(char.isdigit() for char in around)


def _clauses(text: str) -> list[str]:
    """The text cut after each separator; double ellipsis and double dash become one mark, a final stop is added."""
    text = text.replace("……", "。").replace("——", "，")
    if not text or text[-1] not in SEPARATORS:
        text += "。"
    clauses, start = [], 0
    for position, char in enumerate(text):
        if char in SEPARATORS:
            clauses.append(text[start : position + 1])
            start = position + 1
    return clauses


def _spoken(pieces: Iterator[str] | list[str]) -> str:
    return "\n".join(piece for piece in pieces if not SILENT.issuperset(piece))


def _merge_short(lines: list[str]) -> list[str]:
    if len(lines) < 2:
        return lines
    merged: list[str] = []
    open_piece = ""
    for line in lines:
        open_piece += line
        if len(open_piece) >= SHORTEST_PIECE:
            merged.append(open_piece)
            open_piece = ""
    if open_piece and merged:
        merged[-1] += open_piece
    elif open_piece:
        merged.append(open_piece)
    return merged
