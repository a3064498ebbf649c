"""Markdown: lessons and books, sections at # and ##."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from markdown_it import MarkdownIt
from markdown_it.token import Token

from scheduler.scripts.blocks import LINE_BREAK, Block, Piece, SceneBreak, tidy
from scheduler.scripts.builder import Builder, Draft, Item, only_titles
from scheduler.scripts.encodings import decode, to_lines
from scheduler.scripts.frontmatter import split_front_matter
from scheduler.scripts.languages import by_letters, normal_tag
from scheduler.scripts.markup import Speakers
from scheduler.scripts.model import ReadOptions, Rejection, ScriptDocument
from scheduler.scripts.source import ScriptSource

_FENCE = re.compile(r"\s{0,3}:{3,}")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_HIDDEN = re.compile(r"<(script|style)\b.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_HTML_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_ATTRIBUTES = re.compile(r"\{(?:[:#.]|[\w-]+=[\"'])[^{}]*\}")
_NOTE_MARK = re.compile(r"\[\^[^\[\]\s]+\]")
_NOTE_TEXT = re.compile(r"\s{0,3}\[\^[^\[\]\s]+\]:")
_SECTION_LEVEL = 2
_MAX_BYTES = 16 * 1024 * 1024
"""Markdown is read whole into tokens, about a hundred times its size."""


class MarkdownReader:
    """Reads ``.md``: front matter, headings as sections, ``---`` as a change of scene; code is not read."""

    name = "markdown"
    suffixes = (".md", ".markdown", ".mkd")
    kind = "course"

    def sniff(self, head: bytes) -> bool:
        """Markdown has no signature: it is known by its suffix alone."""
        return False

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read a Markdown file whole."""
        text, encoding = decode(source.data(min(options.max_file_bytes, _MAX_BYTES)), source.name, options.encoding)
        lines = to_lines(text, source.name, options.max_source_line_chars)
        facts, skip = split_front_matter(lines)
        walk = _Walk(source.name, options, facts)
        # line numbers of tokens stay those of the file: what is taken out leaves an empty line
        walk.run(["" if number < skip or _FENCE.match(line) else line for number, line in enumerate(lines)])
        builder = Builder(source.name, options)
        sections = builder.sections([draft for draft in walk.drafts if draft.items], "lesson")
        notices = [Rejection("", f"{count} {what} left out") for what, count in sorted(walk.skipped.items())]
        if encoding not in ("utf-8", "ascii"):
            notices.append(Rejection("", f"read as {encoding}"))
        if walk.assumed:
            notices.append(
                Rejection("", f"no language is stated: read as {walk.language!r}; --language says otherwise")
            )
        return ScriptDocument(
            title=walk.title,
            author=facts.get("author", ""),
            language=walk.language,
            kind="course",
            format=self.name,
            sections=sections,
            year=facts.get("date", facts.get("year", ""))[:4],
            rejected=(*walk.rejected, *builder.rejected),
            notices=tuple(notices),
        )


class _Walk:
    """Goes through the tokens once and gathers drafts of sections."""

    def __init__(self, file: str, options: ReadOptions, facts: dict[str, str]) -> None:
        self.file = file
        self.options = options
        self.facts = facts
        self.title = facts.get("title") or PurePath(file).stem
        self.drafts: list[Draft] = [Draft(self.title, self.title, [])]
        self.rejected: list[Rejection] = []
        self.skipped: Counter[str] = Counter()
        self.language = "en"
        self.assumed = False
        self._speakers = Speakers.start(file)
        self._before = 0

    def run(self, lines: list[str]) -> None:
        """Read the lines, whose numbers are those of the file."""
        # the escape \[ must stay apart from [, so the rule that joins text tokens is off
        parser = MarkdownIt("commonmark").enable("table").disable("text_join")
        text = "\n".join(lines)
        self._choose_language(text)
        tokens = parser.parse(text)
        at = 0
        while at < len(tokens):
            at = self._step(tokens, at)
        self._speakers.finish()

    def _choose_language(self, text: str) -> None:
        stated = normal_tag(self.options.language) or normal_tag(self.facts.get("language") or self.facts.get("lang"))
        if stated is not None:
            self.language = stated
            return
        self.language, sure = by_letters(text)
        self.assumed = not sure

    def _step(self, tokens: Sequence[Token], at: int) -> int:
        token = tokens[at]
        line = token.map[0] + 1 if token.map else 0
        if token.type in ("fence", "code_block"):
            self.skipped["blocks of code"] += 1
        elif token.type == "html_block":
            self._html(token.content, line)
        elif token.type == "hr":
            self._items.append(SceneBreak(f"line {line}"))
        elif token.type == "table_open" and self.options.tables == "skip":
            self.rejected.append(Rejection(f"line {line}", "a table is not read; write it out as sentences"))
            return next(n for n in range(at, len(tokens)) if tokens[n].type == "table_close") + 1
        elif token.type == "heading_open":
            self._heading(tokens[at + 1], int(token.tag[1:]), line)
            return at + 2
        elif token.type == "inline":
            self._paragraph(token, line)
        return at + 1

    @property
    def _items(self) -> list[Item]:
        return self.drafts[-1].items

    def _heading(self, inline: Token, level: int, line: int) -> None:
        block = Block(tidy(self._pieces(inline, line)), self.language, f"line {line}", True, level)
        if not block.text:
            return
        if level <= _SECTION_LEVEL:
            self._section(block)
        self._items.append(block)

    def _section(self, heading: Block) -> None:
        """Open a section; a title with nothing below it goes with the next, unless what it stood over is not read."""
        if not only_titles(self._items):
            self.drafts.append(Draft(heading.text, heading.text, []))
            self._before = sum(self.skipped.values())
            return
        left_out = sum(self.skipped.values()) > self._before
        if self._items and left_out:
            self.skipped["titles over what is not read"] += 1
        self._before = sum(self.skipped.values())
        self.drafts[-1] = Draft(heading.text, heading.text, [] if left_out else self._items)

    def _paragraph(self, token: Token, line: int) -> None:
        if _NOTE_TEXT.match(token.content):
            self.skipped["footnotes"] += 1
            return
        pieces = tidy(self._pieces(token, line))
        if pieces:
            self._items.append(Block(pieces, self.language, f"line {line}"))

    def _html(self, content: str, line: int) -> None:
        left = _HTML_TAG.sub(" ", _HIDDEN.sub(" ", _COMMENT.sub(" ", content)))
        if any(char.isalnum() for char in left):
            self.rejected.append(Rejection(f"line {line}", "a block of HTML is not read; write its text as Markdown"))

    def _pieces(self, inline: Token, line: int) -> Iterator[Piece]:
        for text in _runs(inline.children or [], self.skipped):
            if text is None:
                yield LINE_BREAK
                continue
            plain = _ATTRIBUTES.sub(lambda match: "\n" * match[0].count("\n"), text)
            yield from self._speakers.pieces(plain, line)
            line += text.count("\n")


def _runs(children: Sequence[Token], skipped: Counter[str]) -> Iterator[str | None]:
    r"""Yield text between line breaks (None), ``\[`` kept as an escape for the bracket markup."""
    run: list[str] = []
    for child in children:
        if child.type == "text_special":
            run.append("\\" + child.content if child.markup in ("\\[", "\\]") else child.content)
        elif child.type == "text":
            text, notes = _NOTE_MARK.subn("", child.content)
            skipped["footnote marks"] += notes
            run.append(text)
        elif child.type == "code_inline":
            run.append(child.content.replace("[", "\\[").replace("]", "\\]"))
        elif child.type == "softbreak":
            run.append("\n")
        elif child.type == "hardbreak" or (child.type == "html_inline" and child.content.lower().startswith("<br")):
            yield "".join(run)
            yield None
            run = []
        elif child.type == "image":
            skipped["pictures"] += 1
    yield "".join(run)
    for name in [name for name, count in skipped.items() if not count]:
        del skipped[name]
