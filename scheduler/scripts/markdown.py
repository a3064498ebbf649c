"""Markdown: lessons and books, sections at # and ##; slide decks, sections are slides and their notes are spoken."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePath

from markdown_it import MarkdownIt
from markdown_it.token import Token

from scheduler.scripts.blocks import LINE_BREAK, Block, Piece, SceneBreak, tidy
from scheduler.scripts.builder import Builder, Draft, Item, only_titles
from scheduler.scripts.detection import of_text
from scheduler.scripts.encodings import decode, to_lines
from scheduler.scripts.errors import MarkupError, ScriptEmpty
from scheduler.scripts.frontmatter import split_front_matter
from scheduler.scripts.keys import SectionKeys
from scheduler.scripts.languages import normal_tag
from scheduler.scripts.markup import Speakers
from scheduler.scripts.model import ReadOptions, Rejection, ScriptDocument, ScriptSection
from scheduler.scripts.slides import Deck, Slide, find_deck, numbered
from scheduler.scripts.source import ScriptSource

_FENCE = re.compile(r"\s{0,3}:{3,}")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_HIDDEN = re.compile(r"<(script|style)\b.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_HTML_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_ATTRIBUTES = re.compile(r"\{(?:[:#.]|[\w-]+=[\"'])[^{}]*\}")
_NOTE_MARK = re.compile(r"\[\^[^\[\]\s]+\]")
_NOTE_TEXT = re.compile(r"\s{0,3}\[\^[^\[\]\s]+\]:")
_STAGE = re.compile(r" {0,3}\(([A-Za-z][A-Za-z-]{0,30})[ \t]*:[ \t]*([^()]{0,200})\)[ \t]*\Z")
_SECONDS = re.compile(r"(\d{1,4}(?:\.\d{1,3})?)\s*(ms|s|sec|seconds?)?\Z")
_STAGE_UNHEARD = frozenset({
    "image", "video", "audio", "background", "callout", "transition", "duration", "font", "font-size", "font-color",
    "font-family", "layout", "volume", "subtitles", "zoom", "theme", "canvas", "size",
})  # fmt: skip
"""Stage directions about the picture; they stand on a line of their own, as ``(voice: …)`` and ``(pause: …)`` do."""
_MAX_PAUSE_MS = 600_000
_KEPT_ESCAPES = frozenset({"\\[", "\\]", "\\{", "\\}"})
_MARKUP_SIGN = re.compile(r"[\[\]{}]")
_SECTION_LEVEL = 2
_MAX_BYTES = 16 * 1024 * 1024
"""Markdown is read whole into tokens, about a hundred times its size."""


class MarkdownReader:
    """Reads ``.md``: front matter, headings as sections, ``---`` as a change of scene; code is not read.

    A deck is read slide by slide, and of a slide its speaker notes, unless no slide has any.
    """

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
        facts, skip = split_front_matter(lines, source.name)
        deck = find_deck(lines, skip, facts, source.name)
        walk = _Walk(source.name, options, facts)
        walk.choose_language("\n".join(lines[skip:]))
        builder = Builder(source.name, options)
        if deck is not None and deck.has_notes:
            sections = _slides(deck, walk, builder)
        else:
            sections = _lesson(deck, lines, skip, walk, builder)
        notices = [*walk.notices, *(Rejection("", f"{n} {what} left out") for what, n in sorted(walk.skipped.items()))]
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


def _lesson(
    deck: Deck | None, lines: Sequence[str], skip: int, walk: _Walk, builder: Builder
) -> tuple[ScriptSection, ...]:
    """Read all text, sections at # and ##."""
    front: frozenset[int] = frozenset()
    if deck is not None:
        front = deck.front
        elsewhere = "is taken from {!r}, which is not read; read that file as a script of its own"
        walk.rejected.extend(
            Rejection(f"line {slide.line}", elsewhere.format(slide.source[:80]))
            for slide in deck.slides
            if slide.source and not slide.hidden
        )
        walk.notices.append(Rejection("", "no slide has speaker notes: the text of the slides is read"))
    # line numbers of tokens stay those of the file: what is taken out leaves an empty line
    walk.run(["" if n < skip or n in front or _FENCE.match(line) else line for n, line in enumerate(lines)])
    walk.finish()
    return builder.sections([draft for draft in walk.drafts if draft.items], "lesson")


def _slides(deck: Deck, walk: _Walk, builder: Builder) -> tuple[ScriptSection, ...]:
    """Read the notes of every slide."""
    walk.rejected.extend(deck.rejected)
    if not deck.declared:
        reason = "this is a slide deck, of which only the speaker notes are spoken; 'slides: false' in its front matter"
        walk.notices.append(Rejection("", f"{reason} makes it a lesson"))
    spoken: list[Slide] = []
    for slide in deck.slides:
        if slide.source and not slide.hidden:
            reason = f"is taken from {slide.source[:80]!r}, which is not read; read that file as a script of its own"
            walk.rejected.append(Rejection(f"line {slide.line}", reason))
        elif slide.hidden or not slide.notes:
            why = "is not shown: it is left out" if slide.hidden else "has no speaker notes: nothing is spoken"
            walk.notices.append(Rejection(f"line {slide.line}", f"the slide {slide.title or slide.key!r} {why}"))
        else:
            spoken.append(slide)
            walk.open_slide(slide.key, slide.title)
            for note in slide.notes:
                walk.run(["" if _FENCE.match(line) else line for line in note.lines], first=note.line)
    walk.finish()
    if not spoken:
        raise ScriptEmpty(walk.file, "", "no slide that is shown has speaker notes; write some, or show a slide")
    drafts = [draft for draft in walk.drafts if draft.items]
    keys = SectionKeys()
    ids = {keys.of_title(draft.name): draft.name for draft in drafts}  # the builder's keys are made from the ids
    sections = builder.sections(drafts, "slide")
    return tuple(replace(section, key=ids[section.key]) for section in sections)


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
        self.notices: list[Rejection] = []
        # the escape \[ must stay apart from [, so the rule that joins text tokens is off
        self._parser = MarkdownIt("commonmark").enable(["table", "strikethrough"]).disable("text_join")
        self._speakers = Speakers.start(file)  # until the language is known
        self._voice = " ".join(facts.get("voice", "").split()) or None
        self._staged: str | None = None
        self._lead_ms = 0
        self._stages: list[tuple[int, str, str]] = []
        self._divides = True
        self._first = 1
        self._before = 0

    def run(self, lines: list[str], *, first: int = 1) -> None:
        """Read lines, the first of which is the ``first`` of the file."""
        self._first = first
        self._stages = []
        for at, line in numbered(lines):
            if (found := _STAGE.match(line)) and found[1].lower() in {"voice", "pause", *_STAGE_UNHEARD}:
                self._stages.append((first + at, found[1].lower(), found[2].strip()))
                lines[at] = ""
        self._stages.reverse()
        tokens = self._parser.parse("\n".join(lines))
        at = 0
        while at < len(tokens):
            at = self._step(tokens, at)
        self._stage(first + len(lines))

    def open_slide(self, key: str, title: str) -> None:
        """Begin a section for a slide; headings in its notes divide nothing."""
        self._divides = False
        self._staged = None
        self._lead_ms = 0
        self.drafts.append(Draft(key, title or key, []))

    def finish(self) -> None:
        """Raise MarkupError if a voice is still open."""
        self._speakers.finish()

    def _stage(self, before: int) -> None:
        """Follow the stage directions above a line."""
        while self._stages and self._stages[-1][0] < before:
            line, name, value = self._stages.pop()
            if name == "voice":
                self._staged = " ".join(value.split()) or None
            elif name == "pause":
                self._pause(value, line)
            else:
                self.skipped["stage directions"] += 1

    def _pause(self, value: str, line: int) -> None:
        found = _SECONDS.match(value)
        length = 0 if found is None else round(float(found[1]) * (1 if found[2] == "ms" else 1000))
        if found is None or length > _MAX_PAUSE_MS:
            reason = f"(pause: {value}) is no silence of up to 600 seconds; write seconds, such as (pause: 1.5)"
            raise MarkupError(self.file, f"line {line}", reason)
        last = self._items[-1] if self._items else None
        if isinstance(last, Block):
            point = replace(last.pieces[-1], text="", spoken=None, pause_ms=length, reaction="", mark="")
            self._items[-1] = replace(last, pieces=(*last.pieces, point))
        else:
            self._lead_ms += length

    def choose_language(self, text: str) -> None:
        """Take the language that is stated, or guess it from the text."""
        stated = normal_tag(self.options.language) or normal_tag(self.facts.get("language") or self.facts.get("lang"))
        if stated is not None:
            self.language = stated
        else:
            self.language, sure = of_text(text)
            self.assumed = not sure
        self._speakers = Speakers.start(self.file, self.language)

    def _step(self, tokens: Sequence[Token], at: int) -> int:
        token = tokens[at]
        line = token.map[0] + self._first if token.map else 0
        self._stage(line)
        if token.type in ("fence", "code_block"):
            self.skipped["blocks of code"] += 1
        elif token.type == "html_block":
            self._html(token.content, line)
        elif token.type == "hr":
            self._staged = None
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
        if level <= _SECTION_LEVEL and self._divides:
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
            if self._lead_ms:
                pieces = (replace(pieces[0], text="", spoken=None, pause_ms=self._lead_ms), *pieces)
                self._lead_ms = 0
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
            voice = self._staged or self._voice
            for piece in self._speakers.pieces(plain, line):
                is_said_by_it = voice is not None and piece.character is None and piece is not LINE_BREAK
                yield replace(piece, character=voice) if is_said_by_it else piece
            line += text.count("\n")


def _runs(children: Sequence[Token], skipped: Counter[str]) -> Iterator[str | None]:
    r"""Yield text between line breaks (None), ``\[`` kept as an escape for the bracket markup."""
    run: list[str] = []
    for child in children:
        if child.type == "text_special":
            run.append("\\" + child.content if child.markup in _KEPT_ESCAPES else child.content)
        elif child.type == "text":
            text, notes = _NOTE_MARK.subn("", child.content)
            skipped["footnote marks"] += notes
            run.append(text)
        elif child.type == "code_inline":
            run.append(_MARKUP_SIGN.sub(r"\\\g<0>", child.content))
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
