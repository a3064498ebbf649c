"""Which reader reads a file. Adding a format takes four steps:

1. Write one file in this folder with a class that has what ``Reader`` asks for; prose becomes ``blocks.Block`` values
   that ``builder.Builder`` turns into lines, rows and cues become ``ScriptLine`` values directly.
2. Raise only ``ScriptError`` classes, with the file and the place; put what was left out into ``rejected``.
3. Add a row to ``ENTRIES`` below, before the readers that would also take its files.
4. Add a row to docs/scripts.md, and tests in tests/unit/scripts/ that make a sample and read it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path, PurePath
from typing import Protocol

from scheduler.scripts.errors import FormatUnknown
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.source import ScriptSource


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


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a reader is. It is loaded when a file may be its: two dozen readers take longer to load than most files."""

    suffixes: tuple[str, ...]
    """As the reader itself says."""
    module: str
    """Below ``scheduler.scripts``."""
    name: str
    """Of the class."""

    def load(self) -> Reader:
        """The reader."""
        made: Reader = getattr(import_module(f"scheduler.scripts.{self.module}"), self.name)()
        return made


ENTRIES = (
    Entry((".epub",), "epub", "EpubReader"),
    Entry((".docx", ".docm"), "docx", "DocxReader"),
    Entry((".pptx", ".pptm"), "pptx", "PptxReader"),
    Entry((".xlsx", ".xlsm"), "xlsx", "XlsxReader"),
    Entry((".zip",), "scorm", "ScormReader"),  # behind the other archives: any zip may be a package
    Entry((".pdf",), "pdf", "PdfReader"),
    Entry((".ttml", ".dfxp", ".itt"), "ttml", "TtmlReader"),
    Entry((".dapt", ".ttml", ".xml"), "dapt.reader", "DaptReader"),
    Entry((".ssml", ".xml"), "ssml", "SsmlReader"),
    Entry((".html", ".htm", ".xhtml", ".xht"), "html", "HtmlReader"),
    Entry((".vtt", ".webvtt"), "vtt", "VttReader"),
    Entry((".srt",), "srt", "SrtReader"),
    Entry((".ass", ".ssa"), "ass", "AssReader"),
    Entry((".stl",), "stl", "StlReader"),
    Entry((".scc",), "scc", "SccReader"),
    Entry((".csv", ".tsv", ".tab"), "sheet", "SheetReader"),
    Entry((".csv",), "yarn", "YarnStringsReader"),  # behind the sheet: by their headers alone
    Entry((".tab",), "renpy", "RenpyDialogueReader"),
    Entry((".yarn",), "yarn", "YarnReader"),
    Entry((".ink",), "ink", "InkReader"),
    Entry((".rpy",), "renpy", "RenpyReader"),
    Entry((".twee", ".tw"), "twee", "TweeReader"),
    Entry((".fountain", ".spmd"), "fountain", "FountainReader"),
    Entry((".md", ".markdown", ".mkd"), "markdown", "MarkdownReader"),
    Entry((".yaml", ".yml", ".json"), "lessons", "LessonsReader"),
    Entry((".txt", ".text"), "text", "TextReader"),
    Entry((".txt",), "aozora", "AozoraReader"),
)
"""In the order in which they are asked: of several that claim a file the first that knows its signature reads it, and
the first of all where none does."""


CONTAINERS = frozenset({".zip", ".xml"})
"""Endings that say how a file is packed and nothing of what is in it: only signatures count."""


def readers() -> tuple[Reader, ...]:
    """Every reader."""
    return tuple(entry.load() for entry in ENTRIES)


def format_names() -> tuple[str, ...]:
    """What ``--format`` may be."""
    return tuple(reader.name for reader in readers())


def read_script(
    path: Path, *, format: str | None = None, kind: str | None = None, options: ReadOptions | None = None
) -> ScriptDocument:
    """Read a script, in the format named or the one that it looks like. Raises ScriptError.

    ``kind`` (audiobook, dubbing, course, dialogue) chooses among the readers that take such a file, and is what the
    document is then called.
    """
    source = ScriptSource.open(path)
    reader = _named(format, source) if format is not None else _fitting(source, kind)
    document = reader.read(source, options or ReadOptions())
    if not document.language_stated:
        from scheduler.scripts.detection import line_by_line

        document = line_by_line(document)
    return document if kind is None else replace(document, kind=kind)  # type: ignore[arg-type]  # the caller checked it


def _named(name: str, source: ScriptSource) -> Reader:
    for reader in readers():
        if reader.name == name.lower().lstrip(".") or f".{name.lower().lstrip('.')}" in reader.suffixes:
            return reader
    raise FormatUnknown(source.name, "", f"there is no format {name!r}; known: {', '.join(format_names())}")


def _fitting(source: ScriptSource, kind: str | None) -> Reader:
    """The reader for a file: by its ending, the signature deciding where several claim it; else by signature alone.

    Without a telling name only a signature counts: taking anything for text would speak any file aloud.
    """
    head = source.head()
    suffix = PurePath(source.name).suffix.lower()
    claiming = [entry.load() for entry in ENTRIES if suffix in entry.suffixes and suffix not in CONTAINERS]
    signed = [reader for reader in claiming or readers() if reader.sniff(head)]
    for choice in ([reader for reader in signed if reader.kind == kind], signed, claiming):
        if choice:
            return choice[0]
    raise FormatUnknown(
        source.name, "", f"its format was not recognised; name it with --format, one of: {', '.join(format_names())}"
    )
