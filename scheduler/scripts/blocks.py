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
    """A run of text with one language, one speaker and one direction; or, without text, a point between runs."""

    text: str
    spoken: str | None = None
    """How it is said, where that differs."""
    language: str | None = None
    """Where it differs from the block's."""
    character: str | None = None
    """Who says it; None is the narrator."""
    direction: tuple[tuple[str, str], ...] = ()
    """How it is said, as pairs of ScriptLine.direction."""
    pause_ms: int | None = None
    """Of a point: a silence here, in milliseconds."""
    reaction: str = ""
    """Of a point: a sound that the speaker makes here."""
    mark: str = ""
    """Of a point: its name."""

    @property
    def is_point(self) -> bool:
        """Whether it has no text and stands between runs that have."""
        return not self.text


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
            last = _last_run(done)
            if last is not None and done[last] is not LINE_BREAK:
                done.append(LINE_BREAK)
            spaced = True
            continue
        if piece.is_point and (piece.pause_ms is not None or piece.reaction or piece.mark):
            done.append(piece)
            continue
        text = clean(piece.text)
        if spaced:
            text = text.lstrip(" ")
        if not text:
            continue
        spoken = None if piece.spoken is None else clean(piece.spoken).strip()
        done.append(replace(piece, text=text, spoken=spoken) if text != piece.text or spoken != piece.spoken else piece)
        spaced = text.endswith(" ")
    while (last := _last_run(done)) is not None:
        if done[last] is LINE_BREAK:
            done.pop(last)
        elif not _end_space(done):
            break
    return tuple(done)


def _end_space(done: list[Piece]) -> bool:
    """Take the space off the end of the last run; whether there was one."""
    last = _last_run(done)
    if last is None or done[last] is LINE_BREAK or not done[last].text.endswith(" "):
        return False
    text = done[last].text.rstrip(" ")
    if text:
        done[last] = replace(done[last], text=text)
    else:
        done.pop(last)
    return True


def _last_run(done: list[Piece]) -> int | None:
    """Where the last piece that has text is: points may follow it."""
    return next((at for at in range(len(done) - 1, -1, -1) if not done[at].is_point), None)


def plain_block(text: str, language: str, place: str, *, heading: bool = False, level: int = 0) -> Block:
    """Make a block of one run of text."""
    return Block(tidy([Piece(text)]), language, place, heading, level)


def is_scene_break(text: str) -> bool:
    """Whether a paragraph is only the ornament between two scenes, such as ``* * *``."""
    return bool(text) and len(text) <= 200 and _SCENE.match(text) is not None
