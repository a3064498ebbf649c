"""The syntax tree of marked-up text: what SSML and brackets both mean.

    leaves       Text, Break, Phoneme, Sub, SayAs, Reaction, Mark
    containers   Lang, Prosody, Voice, Emotion, Paragraph, Sentence

A tree is a tuple of nodes in normal form: no empty Text, no two Texts in a row (``normal``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal, get_args

SayAsKind = Literal["characters", "cardinal", "ordinal", "date", "time", "telephone"]
SAY_AS_KINDS: tuple[str, ...] = get_args(SayAsKind)
LONGEST_BREAK_MS = 10_000
PLAIN_BREAK_MS = 500
"""A break that does not say how long it is."""
LEAST_RATE, GREATEST_RATE = Decimal("0.8"), Decimal("1.25")
MAX_DEPTH = 32
"""Containers inside each other."""


@dataclass(frozen=True, slots=True)
class Text:
    """Words as they stand."""

    text: str


@dataclass(frozen=True, slots=True)
class Break:
    """Silence."""

    ms: int
    """0 … LONGEST_BREAK_MS."""


@dataclass(frozen=True, slots=True)
class Phoneme:
    """Words with their reading."""

    text: str
    phonemes: str
    alphabet: str
    """One of scheduler.markup.readings.ALPHABETS."""
    line: int = field(default=0, compare=False)
    """Where it stands, for messages; 0 is unknown."""


@dataclass(frozen=True, slots=True)
class Sub:
    """Words in whose place others are said."""

    text: str
    alias: str


@dataclass(frozen=True, slots=True)
class SayAs:
    """Words of a kind that is read in its own way."""

    text: str
    kind: SayAsKind


@dataclass(frozen=True, slots=True)
class Reaction:
    """A sound that somebody makes: laugh, sigh."""

    name: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A named place."""

    name: str


@dataclass(frozen=True, slots=True)
class Lang:
    """In another language."""

    tag: str
    """BCP 47 in its usual case."""
    children: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Prosody:
    """Faster or slower."""

    rate: Decimal
    """LEAST_RATE … GREATEST_RATE; 1 is the voice's own pace."""
    children: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Voice:
    """Said by a character."""

    name: str
    children: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Emotion:
    """Said in a mood."""

    name: str
    children: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph. It holds no other paragraph."""

    children: tuple[Node, ...] = ()
    line: int = field(default=0, compare=False)
    """Where it stands, for messages; 0 is unknown."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence. It holds no paragraph and no other sentence."""

    children: tuple[Node, ...] = ()


Leaf = Text | Break | Phoneme | Sub | SayAs | Reaction | Mark
Container = Lang | Prosody | Voice | Emotion | Paragraph | Sentence
Node = Leaf | Container
Tree = tuple[Node, ...]


def normal(nodes: Iterable[Node]) -> Tree:
    """The nodes with Texts that follow each other joined and empty ones left out."""
    done: list[Node] = []
    for node in nodes:
        if isinstance(node, Text):
            if not node.text:
                continue
            if done and isinstance(done[-1], Text):
                done[-1] = Text(done[-1].text + node.text)
                continue
        done.append(node)
    return tuple(done)


def with_children(node: Container, children: Iterable[Node]) -> Container:
    """The container with other contents."""
    return replace(node, children=normal(children))


def misplaced(node: Container, around: Iterable[Container]) -> str | None:
    """Why a container may not stand inside those around it; None if it may."""
    outer = list(around)
    if len(outer) >= MAX_DEPTH:
        return f"stands inside more than {MAX_DEPTH} others; close those that are over"
    if isinstance(node, Paragraph) and any(isinstance(other, Paragraph | Sentence) for other in outer):
        return "a paragraph stands inside a paragraph or a sentence; close that before it"
    if isinstance(node, Sentence) and any(isinstance(other, Sentence) for other in outer):
        return "a sentence stands inside a sentence; close that before it"
    return None
