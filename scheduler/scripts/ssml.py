"""A whole SSML document as a script: one section, a line's manner from the elements around it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath

from scheduler.markup.nodes import Node, Phoneme, SayAs, Sub, Text
from scheduler.markup.pieces import Edge, Lowering, Manner
from scheduler.markup.ssml import parse
from scheduler.scripts.blocks import Block, Piece, tidy
from scheduler.scripts.builder import Builder, Draft
from scheduler.scripts.detection import of_text
from scheduler.scripts.languages import normal_tag
from scheduler.scripts.model import ReadOptions, Rejection, ScriptDocument
from scheduler.scripts.source import ScriptSource

_ROOT = re.compile(
    rb"\A(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?(?:\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*>)*<(?:[\w.-]+:)?speak[\s>/]",
    re.DOTALL,
)
_MAX_BYTES = 16 * 1024 * 1024
"""SSML is read whole into a tree, many times its size."""


class SsmlReader:
    """Reads ``.ssml``, and ``.xml`` with ``<speak>`` as its root: paragraphs, voices, breaks, readings."""

    name = "ssml"
    suffixes = (".ssml", ".xml")
    kind = "audiobook"

    def sniff(self, head: bytes) -> bool:
        """Whether the root element is ``speak``."""
        return _ROOT.match(head.replace(b"\0", b"")) is not None

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read a document whole. Raises ScriptError."""
        tree, stated = parse(source.data(min(options.max_file_bytes, _MAX_BYTES)), source.name)
        notices: list[Rejection] = []
        language = normal_tag(options.language) or stated
        if language is None:
            language, sure = of_text(_words(tree))
            if not sure:
                reason = (
                    f"no language is stated: read as {language!r}; xml:lang on <speak>, or --language, says otherwise"
                )
                notices.append(Rejection("", reason))
        pieces = Lowering(source.name, notices).pieces(tree, Manner(language))
        builder = Builder(source.name, options)
        title = PurePath(source.name).stem
        sections = builder.sections([Draft(title, title, list(_blocks(pieces, language)))], "chapter")
        return ScriptDocument(
            title=title,
            author="",
            language=language,
            kind="audiobook",
            format=self.name,
            sections=sections,
            rejected=tuple(builder.rejected),
            notices=tuple(notices),
        )


def _blocks(pieces: Iterator[Piece | Edge], language: str) -> Iterator[Block]:
    run: list[Piece] = []
    line = 1
    for piece in pieces:
        if isinstance(piece, Piece):
            run.append(piece)
            continue
        if block := tidy(run):
            yield Block(block, language, f"line {line}")
        run = []
        line = piece.line or line
    if block := tidy(run):
        yield Block(block, language, f"line {line}")


def _words(tree: tuple[Node, ...]) -> str:
    """The text of a tree, for guessing its language."""
    found = []
    for node in tree:
        if isinstance(node, Text | Phoneme | Sub | SayAs):
            found.append(node.text)
        elif children := getattr(node, "children", ()):
            found.append(_words(children))
    return "".join(found)
