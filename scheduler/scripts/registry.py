"""Which reader reads a file. Adding a format takes four steps:

1. Write one file in this folder with a class that has what ``Reader`` asks for; prose becomes ``blocks.Block`` values
   that ``builder.Builder`` turns into lines, rows and cues become ``ScriptLine`` values directly.
2. Raise only ``ScriptError`` classes, with the file and the place; put what was left out into ``rejected``.
3. Name the class in ``readers()`` below, before the readers that would also take its files.
4. Add a row to docs/scripts.md, a sample builder to tests/support/script_samples.py and tests that read it.
"""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Protocol

from scheduler.scripts.epub import EpubReader
from scheduler.scripts.errors import FormatUnknown
from scheduler.scripts.markdown import MarkdownReader
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.sheet import SheetReader
from scheduler.scripts.source import ScriptSource
from scheduler.scripts.srt import SrtReader
from scheduler.scripts.text import TextReader
from scheduler.scripts.vtt import VttReader


class Reader(Protocol):
    """Reads one format."""

    @property
    def name(self) -> str:
        """What ``--format`` calls it."""
        ...

    @property
    def suffixes(self) -> tuple[str, ...]:
        """File name endings, lower case, with the dot."""
        ...

    @property
    def kind(self) -> str:
        """What such files usually are: audiobook, dubbing, course or dialogue."""
        ...

    def sniff(self, head: bytes) -> bool:
        """Whether the first 4 kB of a file bear the format's signature; False for formats that have none."""
        ...

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read a file whole. Raises ScriptError and nothing else, whatever the bytes are."""
        ...


def readers() -> tuple[Reader, ...]:
    """Every reader, in the order in which they are asked."""
    return (EpubReader(), VttReader(), SrtReader(), SheetReader(), MarkdownReader(), TextReader())


def format_names() -> tuple[str, ...]:
    """What ``--format`` may be."""
    return tuple(reader.name for reader in readers())


def read_script(path: Path, *, format: str | None = None, options: ReadOptions | None = None) -> ScriptDocument:
    """Read a script, in the format named or the one that it looks like. Raises ScriptError."""
    source = ScriptSource.open(path)
    reader = _named(format, source) if format is not None else _fitting(source)
    return reader.read(source, options or ReadOptions())


def _named(name: str, source: ScriptSource) -> Reader:
    for reader in readers():
        if reader.name == name.lower().lstrip(".") or f".{name.lower().lstrip('.')}" in reader.suffixes:
            return reader
    raise FormatUnknown(source.name, "", f"there is no format {name!r}; known: {', '.join(format_names())}")


def _fitting(source: ScriptSource) -> Reader:
    head = source.head()
    suffix = PurePath(source.name).suffix.lower()
    known = readers()
    for reader in known:
        if suffix in reader.suffixes:
            return reader
    # without a telling name only a signature counts: taking anything for text would speak any file aloud
    for reader in known:
        if reader.sniff(head):
            return reader
    raise FormatUnknown(
        source.name, "", f"its format was not recognised; name it with --format, one of: {', '.join(format_names())}"
    )
