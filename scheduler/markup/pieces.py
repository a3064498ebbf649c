"""What a tree does to the lines: pieces of text with how they are spoken, by whom and in which manner."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from scheduler.markup.nodes import (
    Break,
    Container,
    Emotion,
    Lang,
    Mark,
    Node,
    Paragraph,
    Phoneme,
    Prosody,
    Reaction,
    SayAs,
    Sentence,
    Sub,
    Text,
    Voice,
)
from scheduler.markup.readings import ALPHABETS, inline_reading
from scheduler.markup.values import plain_number
from scheduler.scripts.blocks import LINE_BREAK, Piece
from scheduler.scripts.errors import MarkupError
from scheduler.scripts.model import Rejection

_ESCAPED = re.compile(r"\[(?=pause|break)|\{(?=[^{}]*\|)", re.IGNORECASE)
"""Brackets and braces that an engine would take for a pause or a reading, were they not escaped."""


@dataclass(frozen=True, slots=True)
class Edge:
    """Stands before and after a paragraph."""

    line: int = 0
    """Where what follows begins; 0 is unknown."""


@dataclass(frozen=True, slots=True)
class Manner:
    """Who speaks, in which language and how."""

    language: str
    """Of the text around, BCP 47."""
    character: str | None = None
    switched: str | None = None
    """Language inside [lang], where there is one."""
    direction: tuple[tuple[str, str], ...] = ()

    def inside(self, node: Container) -> Manner:
        """The manner inside a container."""
        match node:
            case Voice(name):
                return replace(self, character=name)
            case Lang(tag):
                return replace(self, switched=tag)
            case Emotion(name):
                return self._directed("emotion", name)
            case Prosody(rate):
                return self._directed("rate", plain_number(rate))
        return self

    def _directed(self, key: str, value: str) -> Manner:
        return replace(self, direction=tuple(sorted((dict(self.direction) | {key: value}).items())))

    def piece(self, text: str, spoken: str | None = None) -> Piece:
        """A run of text said so."""
        return Piece(text, spoken, self.switched, self.character, self.direction)

    def point(self, *, pause_ms: int | None = None, reaction: str = "", mark: str = "") -> Piece:
        """A point between runs."""
        return replace(self.piece(""), pause_ms=pause_ms, reaction=reaction, mark=mark)


@dataclass(frozen=True, slots=True)
class Lowering:
    """Turns trees of one file into pieces."""

    file: str
    notices: list[Rejection] | None = None
    """Takes note of readings that cannot be used; None makes them errors."""

    def pieces(self, nodes: Iterable[Node], manner: Manner) -> Iterator[Piece | Edge]:
        """Pieces in order, an Edge at each end of a paragraph. Raises MarkupError."""
        for node in nodes:
            match node:
                case Paragraph(children, line):
                    yield Edge(line)
                    yield from self.pieces(children, manner)
                    yield Edge()
                case Sentence(children):
                    yield LINE_BREAK
                    yield from self.pieces(children, manner)
                    yield LINE_BREAK
                case Lang() | Prosody() | Voice() | Emotion():
                    yield from self.pieces(node.children, manner.inside(node))
                case Text(text):
                    yield from _escaped(text, manner)
                case Break(ms):
                    yield manner.point(pause_ms=ms)
                case Reaction(name):
                    yield manner.point(reaction=name)
                case Mark(name):
                    yield manner.point(mark=name)
                case Phoneme():
                    yield from self._reading(node, manner)
                case Sub(text, alias):
                    yield manner.piece(text, escaped(alias))
                case SayAs(text, "characters"):
                    yield manner.piece(text, escaped(" ".join(char for char in text if not char.isspace())))
                case SayAs(text):
                    yield from _escaped(text, manner)

    def _reading(self, node: Phoneme, manner: Manner) -> Iterator[Piece]:
        language = manner.switched or manner.language
        found = inline_reading(node.text, node.phonemes, node.alphabet, language)
        if found is not None:
            yield manner.piece(node.text, found)
            return
        where = f"line {node.line}" if node.line else ""
        reason = (
            f"the reading {node.phonemes!r} of {node.text.strip()!r} cannot be used as {node.alphabet} in {language!r}"
            f"; write it in one of {', '.join(ALPHABETS)}, or in other words"
        )
        if self.notices is None:
            raise MarkupError(self.file, where, reason)
        self.notices.append(Rejection(where, f"{reason}; the word is read as it is spelled"))
        yield from _escaped(node.text, manner)


def escaped(text: str) -> str:
    """Text as an engine is to be given it, so that it reads what stands there."""
    return _ESCAPED.sub(r"\\\g<0>", text)


def _escaped(text: str, manner: Manner) -> Iterator[Piece]:
    """Text as pieces that can be divided; a bracket that needs an escape is a piece of its own."""
    at = 0
    for match in _ESCAPED.finditer(text):
        if match.start() > at:
            yield manner.piece(text[at : match.start()])
        yield manner.piece(match[0], "\\" + match[0])
        at = match.end()
    if at < len(text):
        yield manner.piece(text[at:])
