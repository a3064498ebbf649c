r"""Bracket markup in plain text and Markdown: ``[voice:Name] … [/voice]`` says who speaks, ``\[`` is a bracket.

Anything else that looks like a tag is an error with its line: markup is never spoken. A few notes that transcribers
put in brackets (illustrations, footnotes) are left out instead. Brackets around ordinary words are ordinary text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from scheduler.scripts.blocks import Piece
from scheduler.scripts.errors import MarkupError

_TAG = re.compile(r"(?P<escape>\\[\[\]\\])|\[(?P<body>/?[A-Za-z][\w-]*(?:\s*:[^\[\]\n]*|\s+\d+(?:\.\d+)?\s*m?s\s*)?)\]")
_NOTES = re.compile(
    r"\[(?:illustrations?|illus|footnotes?|sidenote|transcribers?['’]s? notes?|transcriber['’]?s? note"
    r"|decoration|blank page|editor['’]s note)\b(?:[^\[\]]|\[[^\[\]]*\]){0,20000}\]",
    re.IGNORECASE,
)
_OPEN = re.compile(r"\[(?P<name>[A-Za-z][\w-]*)\s*:(?!\s|//)")
_RESERVED = frozenset({
    "voice", "pause", "break", "emotion", "reaction", "lang", "say-as", "sub", "phoneme", "prosody", "mark", "rate",
})  # fmt: skip
UNDERSTOOD = "[voice:Name] and [/voice]"


@dataclass
class Speakers:
    """Who is speaking as a document is read from top to bottom; one per document."""

    file: str
    stack: list[tuple[str, int]]

    @classmethod
    def start(cls, file: str) -> Speakers:
        """Begin with the narrator."""
        return cls(file, [])

    @property
    def current(self) -> str | None:
        """The character that speaks now; None for the narrator."""
        return self.stack[-1][0] if self.stack else None

    def finish(self) -> None:
        """Raise MarkupError if a voice is still open."""
        if self.stack:
            name, line = self.stack[-1]
            raise MarkupError(
                self.file, f"line {line}", f"[voice:{name}] is never closed; write [/voice] where it ends"
            )

    def pieces(self, text: str, line: int) -> Iterator[Piece]:
        """Yield the runs of ``text``, which starts at ``line``, with the character that speaks each.

        Raises MarkupError for a tag that is not understood, with the line it stands on.
        """
        at = 0
        for match in _TAG.finditer(text):
            here = line + text.count("\n", 0, match.start())
            escaped = match["escape"]
            if escaped is None and not _is_tag(match["body"]):
                continue
            yield from self._run(text[at : match.start()], here)
            at = match.end()
            if escaped is not None:
                yield Piece(escaped[1], character=self.current)
            else:
                self._apply(match["body"], here)
        yield from self._run(text[at:], line + text.count("\n", 0, at))

    def _run(self, text: str, line: int) -> Iterator[Piece]:
        half = _OPEN.search(text)
        if half is not None:
            raise self._unknown(half[0], line + text.count("\n", 0, half.start()))
        if text:
            yield Piece(text, character=self.current)

    def _apply(self, body: str, line: int) -> None:
        if body.lower() == "/voice":
            if not self.stack:
                raise MarkupError(self.file, f"line {line}", "[/voice] closes nothing; open it with [voice:Name]")
            self.stack.pop()
            return
        name, colon, value = body.partition(":")
        if name.strip().lower() != "voice" or not colon:
            raise self._unknown(f"[{body}]", line)
        if not value.strip():
            raise MarkupError(self.file, f"line {line}", "[voice:] names nobody; write [voice:Name]")
        self.stack.append((" ".join(value.split()), line))

    def _unknown(self, tag: str, line: int) -> MarkupError:
        reason = f"{tag} is not markup that is understood ({UNDERSTOOD}); write \\[ for a bracket that is text"
        return MarkupError(self.file, f"line {line}", reason)


def _is_tag(body: str) -> bool:
    name = re.split(r"[\s:]", body.lstrip("/"), maxsplit=1)[0].lower()
    if body.startswith("/") or name in _RESERVED:
        return True
    value = body.partition(":")[2]
    return bool(value) and not value[0].isspace() and not value.startswith("//")


def without_notes(text: str) -> tuple[str, int]:
    """Take transcribers' bracketed notes out, keeping their line breaks; the number says how many there were."""
    return _NOTES.subn(lambda match: "\n" * match[0].count("\n"), text)


def refuse_tags(text: str, file: str, place: str) -> None:
    """Raise MarkupError if a cell holds markup: in a sheet, columns say who speaks and how."""
    for match in _TAG.finditer(text):
        if match["escape"] is None and _is_tag(match["body"]):
            raise MarkupError(file, place, f"[{match['body']}] is not understood in a sheet; use its columns instead")
