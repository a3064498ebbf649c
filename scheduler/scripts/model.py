"""What a script is once it has been read, whatever the file was: sections of lines, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Literal

LineKind = Literal["speech", "reaction", "walla", "onscreen"]
"""speech: words to say. reaction: a sound somebody makes. walla: a crowd. onscreen: text in the picture."""

Boundary = Literal["sentence", "paragraph", "heading", "scene", "section"]
"""What follows a line: the next sentence of the paragraph, a new paragraph, the far or near side of a heading,
a change of scene, the end of the section."""

ScriptKind = Literal["audiobook", "dubbing", "course", "dialogue"]

MAX_FILE_BYTES = 64 * 1024 * 1024
"""Largest text file that is read whole."""
MAX_LINE_CHARS = 100_000
"""Longest line, cell or paragraph of a source: about two hours of speech without a break is not a script."""

_NOTHING: Mapping[str, str] = MappingProxyType({})


def nothing() -> Mapping[str, str]:
    """Return the empty mapping that lines without direction or extras share."""
    return _NOTHING


@dataclass(frozen=True, slots=True)
class ScriptLine:
    """The smallest thing somebody says."""

    key: str
    """Stable id inside the script: the file's own id where it has one."""
    text: str
    """As written."""
    language: str
    """BCP 47, such as 'en-GB'."""
    kind: LineKind = "speech"
    characters: tuple[str, ...] = ()
    """Who speaks, together if several; empty is the narrator."""
    spoken: str = ""
    """As it is to be said, where that differs from ``text`` (readings in place of kanji); '' is ``text``."""
    original: str = ""
    """The text it was translated from, where the file has it."""
    in_ms: int | None = None
    out_ms: int | None = None
    in_time: Fraction | None = None
    """Exact, in seconds; None where the script has no clock."""
    out_time: Fraction | None = None
    boundary: Boundary = "sentence"
    pause_ms: int | None = None
    """Silence after the line in milliseconds where the script states it; None leaves it to the boundary."""
    direction: Mapping[str, str] = field(default_factory=nothing)
    """How to say it: emotion, pace, reaction …"""
    notes: str = ""
    extra: Mapping[str, str] = field(default_factory=nothing)
    """Columns nobody knows, carried through to the way out."""
    place: str = ""
    """Where in the file it stands, for messages."""

    @property
    def said(self) -> str:
        """What goes to the engine."""
        return self.spoken or self.text


@dataclass(frozen=True, slots=True)
class ScriptSection:
    """A chapter, scene, lesson or reel: what becomes one track."""

    key: str
    kind: str
    title: str
    lines: tuple[ScriptLine, ...]


@dataclass(frozen=True, slots=True)
class Rejection:
    """A part of the file that was not read, or a choice made while reading it."""

    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class ScriptDocument:
    """A whole script as read."""

    title: str
    author: str
    language: str
    kind: ScriptKind
    format: str
    """Name of the reader."""
    sections: tuple[ScriptSection, ...]
    cover: bytes | None = field(default=None, repr=False)
    """JPEG or PNG."""
    year: str = ""
    rejected: tuple[Rejection, ...] = ()
    """Parts of the file that should have been read and could not be."""
    notices: tuple[Rejection, ...] = ()
    """Choices made while reading: roles skipped, an encoding or a language assumed."""
    language_stated: bool = True
    """Whether the file or the caller said which language it is; else it was told from the text."""

    @property
    def line_count(self) -> int:
        """Lines in all sections."""
        return sum(len(section.lines) for section in self.sections)


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a caller may ask of any reader; each takes the part that concerns it."""

    language: str | None = None
    """Language of the script as a whole, over what the file says of itself; switches inside it still count."""
    encoding: str | None = None
    """Encoding of a text file; None finds it."""
    include_roles: frozenset[str] = frozenset()
    """Roles read although they are skipped by default, such as 'footnote' (docs/scripts.md lists them)."""
    max_line_chars: int = 300
    """Longest spoken line before a sentence is divided; a CJK character counts as three."""
    tables: Literal["skip", "read"] = "skip"
    """skip: captions only, each table reported. read: cell after cell."""
    merge_unlisted: bool = True
    """A spine file the navigation does not name continues the section before it."""
    speaker_labels: bool = True
    """Take ``NAME:`` and ``[NAME]`` at the start of a cue as its character."""
    frame_rate: Fraction | None = None
    """Frames per second, exact (30000/1001 for 29.97), for timecodes that count frames; over what the file says."""
    columns: Mapping[str, str] = field(default_factory=nothing)
    """Our field → header of the sheet's column, where the header is none that is known."""
    max_file_bytes: int = MAX_FILE_BYTES
    max_source_line_chars: int = MAX_LINE_CHARS
    drop_frame: bool = False
    """Timecodes count drop-frame although a colon stands before the frames."""
    kinds: Mapping[str, LineKind] = field(default_factory=dict)
    """What a sheet's kind column says → kind of line, over the words that are known; case does not matter."""
    sheets: tuple[str, ...] = ()
    """Sheets of a workbook that are read, by name; none named reads all that have the columns of a script."""
    header_row: int | None = None
    """The row that names the columns, from 1; None finds it."""
    skip: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Our field → values; a row of a sheet with one of them is left out. Case does not matter."""
