"""ink: knots and stitches with choices, gathers, diverts and tags.

What is said of a choice is what ink prints once it is taken: the text before the brackets and the text after them.
``inkids`` writes ids into such files with the same parser, so that it marks the lines this reader takes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from scheduler.scripts.gametext import Gatherer, Talk, load, short, sort_tags, together
from scheduler.scripts.ink_content import LABEL, RUN_TIME, SEQUENCE, Scan, past_condition, past_conditions, scanned
from scheduler.scripts.languages import normal_tag
from scheduler.scripts.model import ReadOptions, Rejection, ScriptDocument
from scheduler.scripts.segmentation import speakable
from scheduler.scripts.source import ScriptSource

_KNOT = re.compile(r"\s*={2,}\s*(function\s+)?(\w+)")
_STITCH = re.compile(r"\s*=\s*(\w+)")
_STATEMENT = re.compile(r"\s*(VAR|CONST|LIST|EXTERNAL|INCLUDE)(?:\s+(\S[^\r\n]*)?|\Z)")
_TODO = re.compile(r"\s*TODO\s*:")
_GATHER = re.compile(r"\s*-(?!>)")
_BULLET = re.compile(r"\s*[*+]")
_LOGIC = re.compile(r"\s*(?:~|<-)")
_RESUMES = re.compile(r"\s*(?![-*+~=]|<-)\S")
_COMMENT = re.compile(r"//|/\*")
_SPEAKER_TAGS = frozenset({"speaker", "character"})
_TITLE_TAGS = ("title", "author", "language", "lang")

_MAX_OPENED = 8
"""Blocks that one line may open; a person writes one or two."""


@dataclass(frozen=True, slots=True)
class InkLine:
    """A line that prints text."""

    number: int
    """From 1."""
    section: str
    """``knot.stitch``; '' before the first knot."""
    text: str
    """What is said, escapes resolved."""
    tags: tuple[str, ...]
    tag_at: int
    """Column at which a tag may be written without touching anything else."""
    is_choice: bool = False
    glued: bool = False
    """Whether ``<>`` joins it to the line before or after."""
    problem: str = ""
    """Why it is no single take; '' is nothing."""

    @property
    def identity(self) -> str:
        """The value of its ``#id:`` tag, or ''."""
        for tag in self.tags:
            name, _, value = tag.partition(":")
            if name.strip().lower() == "id" and value.strip():
                return value.strip()
        return ""


@dataclass(slots=True)
class InkScript:
    """A file taken apart."""

    lines: list[InkLine] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    """Title, author and language from the tags at the top."""
    rejected: list[Rejection] = field(default_factory=list)
    includes: list[tuple[int, str]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


class InkReader:
    """Reads ``.ink``; one section per knot and per stitch."""

    name = "ink"
    suffixes = (".ink",)
    kind = "dialogue"

    def sniff(self, head: bytes) -> bool:
        """Ink has no signature: it is known by its suffix alone."""
        return False

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read an ink file whole; files that it includes are named, never opened."""
        lines, encoding = load(source, options)
        script = parse_ink(lines)
        gatherer = Gatherer(source, options, "knot")
        gatherer.rejected.extend(script.rejected)
        gatherer.left_out.update(script.left_out)
        for number, name in script.includes:
            gatherer.notice(f"line {number}", f"INCLUDE {short(name)!r} is not opened; read it as a script of its own")
        section = ""
        for line in script.lines:
            if line.section != section:
                section = line.section
                gatherer.open_section(section)
            _say(gatherer, line)
        facts = script.facts
        return gatherer.document(
            self.name,
            encoding,
            title=facts.get("title", ""),
            author=facts.get("author", ""),
            language=normal_tag(facts.get("language") or facts.get("lang")),
        )


def _say(gatherer: Gatherer, line: InkLine) -> None:
    place = f"line {line.number}"
    if line.problem:
        gatherer.reject(place, line.problem)
        return
    tags, speaker = [], ""
    for tag in line.tags:
        name, _, value = tag.partition(":")
        if name.strip().lower() in _SPEAKER_TAGS and value.strip():
            speaker = value.strip()
        elif name.strip().lower() != "id" or not value.strip():
            tags.append(tag)
    direction, extra = sort_tags(tags)
    characters, text = (together(speaker), line.text) if speaker else gatherer.labelled(line.text)
    if line.is_choice:
        extra["role"] = "choice"
    if line.glued:
        gatherer.notice(place, "joined to another line by <>; each is a take of its own")
    gatherer.say(Talk(text, place, line.identity, characters, direction=direction, extra=extra))


def parse_ink(lines: Sequence[str]) -> InkScript:
    """Take a file apart; ``lines`` have no line ends."""
    parser = _Parser()
    for number, line in enumerate(_without_comments(lines), 1):
        parser.feed(number, line)
    parser.finish()
    return parser.script


def _without_comments(lines: Sequence[str]) -> Iterator[str]:
    """Blank comments with spaces, so that every column stays where it was."""
    inside = False
    for line in lines:
        kept: list[str] = []
        at = 0
        while at < len(line):
            if inside:
                end = line.find("*/", at)
                stop = len(line) if end < 0 else end + 2
                inside = end < 0
                kept.append(" " * (stop - at))
            else:
                opening = _COMMENT.search(line, at)
                stop = opening.start() if opening else len(line)
                kept.append(line[at:stop])
                if opening is not None and opening[0] == "//":
                    kept.append(" " * (len(line) - stop))
                    stop = len(line)
                elif opening is not None:
                    inside = True
                    kept.append("  ")
                    stop += 2
            at = stop
        yield "".join(kept)


@dataclass(slots=True)
class _Block:
    """A ``{`` that is closed on a later line."""

    number: int
    is_sequence: bool
    mixed: bool
    """Whether text stands beside it, so that its lines are parts of another."""


@dataclass(slots=True)
class _Parser:
    script: InkScript = field(default_factory=InkScript)
    knot: str = ""
    section: str = ""
    in_function: bool = False
    blocks: list[_Block] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    """Tags on lines of their own, which belong to the next line of text."""
    at_top: bool = True
    choosing: bool = False
    """Whether a choice has its conditions and not yet its text, which may stand on the next line."""

    def feed(self, number: int, line: str) -> None:
        """Take one line."""
        if not line.strip():
            return
        if self._heading(number, line) or self._statement(number, line):
            self.choosing = False
            return
        if self.in_function:
            self.script.left_out["lines of functions"] += 1
            return
        self._flow(number, line)

    def finish(self) -> None:
        """Say which blocks were never closed."""
        for block in self.blocks:
            self.script.rejected.append(Rejection(f"line {block.number}", "a { is not closed by }"))
        self.blocks.clear()

    def _heading(self, number: int, line: str) -> bool:
        knot = _KNOT.match(line)
        stitch = None if knot else _STITCH.match(line)
        if knot is None and stitch is None:
            return False
        self.finish()
        self.waiting.clear()
        self.at_top = False
        if knot is not None:
            self.in_function = knot[1] is not None
            self.knot = self.section = knot[2]
        elif stitch is not None:
            self.section = f"{self.knot}.{stitch[1]}" if self.knot else stitch[1]
        return True

    def _statement(self, number: int, line: str) -> bool:
        if _TODO.match(line):
            return True
        match = _STATEMENT.match(line)
        if match is not None:
            if match[1] == "INCLUDE":
                self.script.includes.append((number, (match[2] or "").strip()))
            return True
        start = line.lstrip()
        if start.startswith("~"):
            self._close(max(0, line.count("}") - line.count("{")))
            return True
        return start.startswith("<-")

    def _close(self, count: int) -> None:
        for _ in range(min(count, len(self.blocks))):
            self.blocks.pop()

    def _flow(self, number: int, line: str) -> None:
        """Take the marks off the front of a line, then its content."""
        at, is_choice = 0, self.choosing and _RESUMES.match(line) is not None
        self.choosing = False
        in_branch = bool(self.blocks) and not self.blocks[-1].is_sequence
        dash = _GATHER.match(line)
        if dash is not None and in_branch:
            at = past_condition(line, dash.end())
        elif dash is not None:
            while dash is not None:
                at = dash.end()
                dash = _GATHER.match(line, at)
        bullet = _BULLET.match(line, at)
        while bullet is not None:
            is_choice, at = True, bullet.end()
            bullet = _BULLET.match(line, at)
        label = LABEL.match(line, at) if at else None
        if label is not None:
            at = label.end()
        if is_choice:
            start, at = at, past_conditions(line, at)
            if at > start and not line[at:].strip():
                self.choosing = True
                return
        self._content(number, line, at, is_choice=is_choice)

    def _content(self, number: int, line: str, start: int, *, is_choice: bool, opened: int = 0) -> None:
        """Take what a line prints from a column on; ``opened`` is how many blocks it has opened before it."""
        if not is_choice and _LOGIC.match(line, start):
            self._close(max(0, line.count("}", start) - line.count("{", start)))
            return
        scan = scanned(line, start, len(self.blocks), is_choice=is_choice)
        mixed = bool(self.blocks) and self.blocks[-1].mixed
        self._close(scan.closed)
        has_text = speakable(scan.text)
        if has_text and scan.block_at >= 0:
            scan.problem = scan.problem or f"the rest of the line {RUN_TIME}"
        if mixed and has_text and not scan.problem:
            scan.problem = f"a part of the line around the braces: that line {RUN_TIME}"
        self._keep(number, scan, is_choice=is_choice)
        if scan.block_at >= 0:
            self._open(number, line, scan.block_at, opened + 1, mixed=has_text)

    def _keep(self, number: int, scan: Scan, *, is_choice: bool) -> None:
        tags = [tag for tag in scan.tags if tag]
        is_empty = not scan.text.strip()
        if is_empty and not scan.problem:
            if is_choice and scan.said:
                self.script.left_out["choices that print nothing"] += 1
            self._wait(tags)
            return
        if is_empty and scan.problem and not scan.tags and scan.block_at >= 0:
            return  # an opening brace alone
        line = InkLine(
            number=number,
            section=self.section,
            text=scan.text.strip(),
            tags=(*self.waiting, *tags),
            tag_at=scan.end,
            is_choice=is_choice,
            glued=scan.glued,
            problem=scan.problem,
        )
        self.waiting.clear()
        self.at_top = False
        self.script.lines.append(line)

    def _wait(self, tags: list[str]) -> None:
        """Keep tags for the next line; those at the top that describe the whole file are the file's."""
        for tag in tags:
            name, _, value = (part.strip() for part in tag.partition(":"))
            if self.at_top and name.lower() in _TITLE_TAGS and value:
                self.script.facts.setdefault(name.lower(), value)
            else:
                self.waiting.append(tag)

    def _open(self, number: int, line: str, at: int, opened: int, *, mixed: bool) -> None:
        """Begin a block; what stands behind its condition is a line of its own."""
        sequence = SEQUENCE.match(line, at)
        mixed = mixed or (bool(self.blocks) and self.blocks[-1].mixed)
        rest = line[at:]
        if sequence is not None or not rest.strip():
            self.blocks.append(_Block(number, sequence is not None, mixed))
            return
        after = past_condition(line, at) if opened <= _MAX_OPENED else at
        self.blocks.append(_Block(number, False, mixed or after == at))
        if after == at:
            self.script.rejected.append(Rejection(f"line {number}", f"{short('{' + rest)!r} {RUN_TIME}"))
        elif line[after:].strip():
            self._content(number, line, after, is_choice=False, opened=opened)
