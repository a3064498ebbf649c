"""The paragraphs of a document before they are lines: what every prose reader makes, and one place turns into lines."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

_DROPPED = re.compile("[\u00ad\u200b\u2060\ufeff\x00-\x08\x0e-\x1b\x7f\ud800-\udfff]")
_SPACE = re.compile(r"\s+")
_CJK = "\u3001-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef"
_CJK_WRAP = re.compile(rf"(?<=[{_CJK}])[^\S\n]*\n\s*(?=[{_CJK}])")
_SCENE = re.compile(r"[\s*＊#＃~～•·⁂❦❧☙◇◆○●□■✦✧†‡=_+\-–—―─]+\Z")


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text with one language and one speaker."""

    text: str
    spoken: str | None = None
    """How it is said, where that differs."""
    language: str | None = None
    """Where it differs from the block's."""
    character: str | None = None
    """Who says it; None is the narrator."""


LINE_BREAK = Piece("\u2028")
"""A line break inside a paragraph, as in verse."""


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph or a heading."""

    pieces: tuple[Piece, ...]
    language: str
    place: str
    heading: bool = False
    level: int = 0
    """1 to 6 for a heading."""

    @property
    def text(self) -> str:
        """The words, line breaks as spaces."""
        return "".join(" " if piece is LINE_BREAK else piece.text for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class SceneBreak:
    """A rule, or a line of asterisks."""

    place: str = ""


def clean(text: str) -> str:
    """Collapse white space to single spaces, drop what has no width and what no database takes, unwrap CJK lines."""
    if text.isprintable() and "  " not in text:
        return text  # the usual case: printable text has no white space but the space
    text = _DROPPED.sub("", text)
    if "\n" in text:
        text = _CJK_WRAP.sub("", text)
    return _SPACE.sub(" ", text)


def tidy(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Clean the pieces of one paragraph as a whole: no space at its edges, never two in a row, no empty piece."""
    done: list[Piece] = []
    spaced = True
    for piece in pieces:
        if piece is LINE_BREAK:
            _end_space(done)
            if done and done[-1] is not LINE_BREAK:
                done.append(LINE_BREAK)
            spaced = True
            continue
        text = clean(piece.text)
        if spaced:
            text = text.lstrip(" ")
        if not text:
            continue
        spoken = None if piece.spoken is None else clean(piece.spoken).strip()
        done.append(replace(piece, text=text, spoken=spoken) if text != piece.text or spoken != piece.spoken else piece)
        spaced = text.endswith(" ")
    while done and done[-1] is LINE_BREAK:
        done.pop()
    _end_space(done)
    while done and done[-1] is LINE_BREAK:
        done.pop()
    return tuple(done)


def _end_space(done: list[Piece]) -> None:
    if done and done[-1] is not LINE_BREAK and done[-1].text.endswith(" "):
        text = done[-1].text.rstrip(" ")
        if text:
            done[-1] = replace(done[-1], text=text)
        else:
            done.pop()


def plain_block(text: str, language: str, place: str, *, heading: bool = False, level: int = 0) -> Block:
    """Make a block of one run of text."""
    return Block(tidy([Piece(text)]), language, place, heading, level)


def is_scene_break(text: str) -> bool:
    """Whether a paragraph is only the ornament between two scenes, such as ``* * *``."""
    return bool(text) and len(text) <= 200 and _SCENE.match(text) is not None
