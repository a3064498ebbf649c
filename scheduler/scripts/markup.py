r"""Bracket markup in plain text and Markdown, paragraph by paragraph, as ``scheduler.markup.brackets`` has it.

A few notes that transcribers put in brackets (illustrations, footnotes) are left out instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from scheduler.markup.brackets import BracketParser, is_markup
from scheduler.markup.pieces import Edge, Lowering, Manner
from scheduler.scripts.blocks import LINE_BREAK, Piece
from scheduler.scripts.errors import MarkupError
from scheduler.scripts.languages import by_letters

_NOTES = re.compile(
    r"\[(?:illustrations?|illus|footnotes?|sidenote|transcribers?['’]s? notes?|transcriber['’]?s? note"
    r"|decoration|blank page|editor['’]s note)\b(?:[^\[\]]|\[[^\[\]]*\]){0,20000}\]",
    re.IGNORECASE,
)
_MAYBE_MARKUP = re.compile(r"[\[{\\]")


@dataclass
class Speakers:
    """Who is speaking, and how, as a document is read from top to bottom; one per document."""

    file: str
    language: str | None = None
    """Of the document, for readings in phonetic alphabets; None lets the letters of a paragraph decide."""
    _parser: BracketParser = field(init=False)
    _lowering: Lowering = field(init=False)

    def __post_init__(self) -> None:
        self._parser = BracketParser(self.file)
        self._lowering = Lowering(self.file)

    @classmethod
    def start(cls, file: str, language: str | None = None) -> Speakers:
        """Begin with the narrator."""
        return cls(file, language)

    def finish(self) -> None:
        """Raise MarkupError if a voice, or another tag, is still open."""
        self._parser.finish()

    def pieces(self, text: str, line: int) -> Iterator[Piece]:
        """Yield the runs of ``text``, which starts at ``line``, with who speaks each and how.

        Raises MarkupError for a tag that is not understood, with the line it stands on.
        """
        if not self._parser.is_open and not _MAYBE_MARKUP.search(text):  # the usual case
            if text:
                yield Piece(text)
            return
        tree = self._parser.run(text, line)
        manner = Manner(self.language or by_letters(text)[0])
        for piece in self._lowering.pieces(tree, manner):
            yield LINE_BREAK if isinstance(piece, Edge) else piece


def without_notes(text: str) -> tuple[str, int]:
    """Take transcribers' bracketed notes out, keeping their line breaks; the number says how many there were."""
    return _NOTES.subn(lambda match: "\n" * match[0].count("\n"), text)


def refuse_tags(text: str, file: str, place: str) -> None:
    """Raise MarkupError if a cell holds markup: in a sheet, columns say who speaks and how."""
    found = is_markup(text)
    if found is not None:
        raise MarkupError(file, place, f"{found} is not understood in a sheet; use its columns instead")
