"""Slide decks in Markdown: slides, their stable ids, and the speaker notes, which are what is spoken.

Four ways of writing them are understood. Marp: a comment that is no directive is a note. Slidev: the comment at the end
of a slide. reveal.js: all after ``Note:``, and ``<aside class="notes">``. Pandoc: ``::: notes``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from scheduler.scripts.errors import ScriptUnreadable
from scheduler.scripts.frontmatter import flat, load_yaml, opens_mapping
from scheduler.scripts.keys import SectionKeys
from scheduler.scripts.model import Rejection
from scheduler.scripts.slide_lines import (
    ANY_RULE,
    DIV,
    HEADING,
    comment_end,
    div_name,
    fence_end,
    first_heading,
    is_paragraph,
    names_notes,
    slide_level,
)

Dialect = Literal["marp", "slidev", "reveal", "pandoc", "any"]
"""How a deck is written; any: nothing says which, and all notes count (comments only where nothing else is a note)."""

_REVEAL_THEMES = frozenset({
    "black", "white", "league", "beige", "night", "serif", "simple", "solarized", "moon", "sky", "blood", "dracula",
    "black-contrast", "white-contrast", "reveal", "revealjs", "reveal.js",
})  # fmt: skip
_SLIDEV_THEMES = frozenset({"seriph", "apple-basic", "bricks", "shibainu", "slidev"})
_SLIDEV_KEYS = frozenset({"mdc", "drawings", "routermode", "colorschema", "hideintoc", "favicon", "monaco"})
_SLIDEV_SLIDE = re.compile(r"(?:src|layout|transition|hideInToc|clicks|routeAlias|preload)\s*:")
_NAMED: Mapping[str, Dialect] = {
    "marp": "marp", "slidev": "slidev", "reveal": "reveal", "revealjs": "reveal", "pandoc": "pandoc", "true": "any",
    "yes": "any", "on": "any",
}  # fmt: skip
_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})

_RULE = re.compile(r"-{3,}\s*\Z")
_VERTICAL = re.compile(r"--\s*\Z")
_NOTE = re.compile(r" {0,3}notes?:[ \t]*(.*)\Z", re.IGNORECASE)
_ASIDE = re.compile(r" {0,3}<aside\b([^<>]*)>", re.IGNORECASE)
_ASIDE_END = re.compile(r"</aside\s*>", re.IGNORECASE)
_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")

_SLIDE_ID = re.compile(r"slide[-_]id\s*:(.*)\Z", re.DOTALL)
_SLIDE_ATTRIBUTE_ID = re.compile(r"\.slide:.*?\bid\s*=\s*[\"']([^\"']*)[\"']")
_NOTE_PREFIX = re.compile(r"\s*(?:speaker[_-])?notes?\s*:[ \t]*", re.IGNORECASE)
_DIRECTIVE = re.compile(
    r"[_$]?(?:marp|theme|style|headingDivider|size|math|title|author|description|keywords|url|image|paginate|header"
    r"|footer|class|background(?:Color|Image|Position|Repeat|Size)|color|transition|lang)\s*:"
)
_REMARK = re.compile(
    r"\.(?:slide|element)\b|(?:fit|pause|stop|end_slide|new_lines?|jump_to_middle|reset_layout|toc|/toc|tocstop"
    r"|omit in toc)\s*\Z|(?:column|column_layout|font_size|alignment|incremental_lists|include)\s*:"
    r"|(?:prettier|markdownlint|vale|cspell|textlint|eslint|todo|fixme|xxx)\b",
    re.IGNORECASE,
)
_CLICK = re.compile(r"\[click(?::\s*[\w.+-]+)?\][ \t]*")
_ID = re.compile(r"\w[\w.:-]{0,99}\Z")

WHY_NO_ID = "is no id; write a letter or digit first, then letters, digits, '-', '_', '.', ':', at most 100"


@dataclass(frozen=True, slots=True)
class Note:
    """Speaker notes that stand together, in Markdown."""

    line: int
    """Line of the file on which the first of ``lines`` stands, from 1."""
    lines: tuple[str, ...]

    @property
    def says_something(self) -> bool:
        """Whether there is a letter or a digit in it."""
        return any(char.isalnum() for line in self.lines for char in line)


@dataclass(slots=True)
class Slide:
    """One slide."""

    line: int
    """Line on which it begins, from 1."""
    key: str = ""
    title: str = ""
    notes: list[Note] = field(default_factory=list)
    hidden: bool = False
    """Not shown, so not spoken."""
    source: str = ""
    """The other file that its content is taken from."""
    body: list[str] = field(default_factory=list)
    comments: list[Note] = field(default_factory=list)
    marked: list[Note] = field(default_factory=list)
    trailing: bool = False
    """Whether nothing came after the last comment."""


@dataclass(frozen=True, slots=True)
class Deck:
    """The slides of a file."""

    slides: tuple[Slide, ...]
    declared: bool
    """Whether the front matter says that it is a deck."""
    front: frozenset[int]
    """Offsets of lines that are front matter of single slides."""
    rejected: tuple[Rejection, ...]

    @property
    def has_notes(self) -> bool:
        """Whether any slide has notes."""
        return any(slide.notes for slide in self.slides)


def find_deck(lines: Sequence[str], skip: int, facts: Mapping[str, str], file: str) -> Deck | None:
    """Return the deck that a Markdown file is, or None if it is a lesson.

    ``skip`` lines of front matter with the values ``facts`` come first; ``slides: false`` among them says that the
    file is a lesson. Raises ScriptUnreadable for an id that is none or is there twice, naming the line.
    """
    if facts.get("slides", "").lower() in _FALSE:
        return None
    dialect = _declared(facts)
    scan = _Scan(lines, skip, dialect or _guessed(lines, skip), facts, file)
    scan.run()
    if dialect is None and scan.has_notes_div and len(scan.slides) == 1:
        # nobody but Pandoc has such notes, and its slides need no break: headings begin them
        scan = _Scan(lines, skip, "pandoc", facts, file)
        scan.run()
    elif dialect is None and not _looks_like_deck(scan):
        return None
    for slide in scan.slides:
        slide.notes = _notes(slide, scan)
    slides = [slide for slide in scan.slides if slide.body or slide.notes or slide.source or slide.key]
    _name(slides, file)
    return Deck(tuple(slides), dialect is not None, frozenset(scan.front), tuple(scan.rejected))


def is_id(text: str) -> bool:
    """Whether a text may name a slide or a lesson; ``WHY_NO_ID`` says what may."""
    return _ID.match(text) is not None


def _declared(facts: Mapping[str, str]) -> Dialect | None:
    if facts.get("marp", "").lower() in _TRUE:
        return "marp"
    named = _NAMED.get(facts.get("slides", "").lower())
    theme = facts.get("theme", "").lower()
    is_slidev = theme in _SLIDEV_THEMES or "slidev" in theme or not facts.keys().isdisjoint(_SLIDEV_KEYS)
    if named not in (None, "any"):
        return named
    if is_slidev:
        return "slidev"
    return "reveal" if theme in _REVEAL_THEMES else named


def _guessed(lines: Sequence[str], skip: int) -> Dialect:
    """Slidev, if front matter of slides is there."""
    pairs = pairwise(lines[skip:])
    return "slidev" if any(a.rstrip() == "---" and _SLIDEV_SLIDE.match(b) for a, b in pairs) else "any"


def _looks_like_deck(scan: _Scan) -> bool:
    """Whether slide breaks and notes make a deck of a file that does not say so.

    Comments are weak evidence, since lessons hold them too: there must be two breaks, and notes on most slides.
    """
    count = len(scan.slides)
    if count < 2:
        return False
    if scan.has_notes_div or scan.dialect == "slidev":
        return True
    marked = sum(1 for slide in scan.slides if slide.marked)
    commented = sum(1 for slide in scan.slides if slide.comments)
    return marked * 2 >= count if marked else count > 2 and commented * 2 > count


def _notes(slide: Slide, scan: _Scan) -> list[Note]:
    if scan.dialect == "slidev":
        last = slide.comments[-1:] if slide.trailing else []
        found = [*slide.marked, *(Note(note.line, tuple(_CLICK.sub("", line) for line in note.lines)) for note in last)]
    elif scan.dialect == "marp":
        found = sorted([*slide.marked, *slide.comments], key=lambda note: note.line)
    elif scan.dialect == "any" and not any(other.marked for other in scan.slides):
        found = slide.comments
    else:
        found = slide.marked
    return [note for note in found if note.says_something]


def _name(slides: Sequence[Slide], file: str) -> None:
    """Give every slide its title and key; ids in the file come first, so that no made one takes theirs."""
    taken: dict[str, int] = {}
    for slide in slides:
        heading, identity = first_heading(slide.body)
        slide.title = slide.title or heading
        slide.key = slide.key or identity
        if not slide.key:
            continue
        if not is_id(slide.key):
            raise ScriptUnreadable(file, f"line {slide.line}", f"{slide.key[:60]!r} {WHY_NO_ID}")
        if slide.key in taken:
            reason = f"the slide id {slide.key!r} is that of the slide on line {taken[slide.key]}; give it another"
            raise ScriptUnreadable(file, f"line {slide.line}", reason)
        taken[slide.key] = slide.line
    keys = SectionKeys()
    for slide in slides:
        if not slide.key:
            made = (keys.of_title(slide.title or _digest(slide)) for _ in range(len(taken) + 1))
            slide.key = next(key for key in made if key not in taken)


def _digest(slide: Slide) -> str:
    """A name for a slide without a title: it stays when slides are put before it."""
    said = "\n".join(line for note in slide.notes for line in note.lines)
    shown = "\n".join(slide.body).strip() or said
    return f"slide-{hashlib.sha256(shown.encode('utf-8', 'replace')).hexdigest()[:12]}"


class _Scan:
    """Goes through the lines once."""

    def __init__(self, lines: Sequence[str], skip: int, dialect: Dialect, facts: Mapping[str, str], file: str) -> None:
        self.slides: list[Slide] = [Slide(skip + 1)]
        self.dialect = dialect
        self.front: list[int] = []
        self.rejected: list[Rejection] = []
        self.has_notes_div = False
        self._lines = lines
        self._at = skip
        self._file = file
        self._noting: tuple[int, list[str]] | None = None
        """Where the notes that run to the end of the slide began, and their lines."""
        divider = facts.get("headingdivider", "")
        self._level = int(divider) if dialect == "marp" and divider in ("1", "2", "3", "4", "5", "6") else 0
        if dialect == "pandoc":
            self._level = slide_level(lines[skip:])
        if dialect == "slidev":
            self.slides[0].key, self.slides[0].source = facts.get("id", ""), facts.get("src", "")

    def run(self) -> None:
        """Read every line."""
        while self._at < len(self._lines):
            self._at = self._step(self._at)
        self._close_note()

    def _step(self, at: int) -> int:
        """Take what begins at a line; return where the next begins."""
        line = self._lines[at]
        end = fence_end(self._lines, at)
        if end is not None:
            self._say(self._lines[at:end])
            return end
        if self._is_break(at):
            return self._open(at + 1)
        if self._noting is None and (found := self._notes_at(at)) is not None:
            return found
        if self._is_divider(line):
            self._close_note()
            self.slides.append(Slide(at + 1))
        if "<!--" in line and (start := _CODE_SPAN.sub(lambda m: " " * len(m[0]), line).find("<!--")) >= 0:
            return self._comment(at, start)
        self._say([line])
        return at + 1

    @property
    def _slide(self) -> Slide:
        return self.slides[-1]

    def _say(self, lines: Sequence[str]) -> None:
        if self._noting is not None:
            self._noting[1].extend(lines)
            return
        self._slide.body.extend(lines)
        if any(line.strip() for line in lines):
            self._slide.trailing = False

    def _is_break(self, at: int) -> bool:
        line = self._lines[at]
        before = self._lines[at - 1] if at > 0 and not self._is_first(at) else ""
        if self.dialect == "slidev":
            return _RULE.match(line) is not None
        if self.dialect in ("reveal", "any") and _VERTICAL.match(line):
            after = self._lines[at + 1] if at + 1 < len(self._lines) else ""
            return not before.strip() and not after.strip()
        if _RULE.match(line) is not None:
            return not is_paragraph(before)
        return self.dialect == "marp" and ANY_RULE.match(line) is not None

    def _is_first(self, at: int) -> bool:
        return at + 1 == self.slides[0].line

    def _is_divider(self, line: str) -> bool:
        heading = HEADING.match(line) if self._level else None
        opened = any(text.strip() for text in self._slide.body)
        return heading is not None and len(heading[1]) <= self._level and opened

    def _open(self, at: int) -> int:
        """Begin a slide at a line, with its own front matter if it has some."""
        self._close_note()
        self.slides.append(Slide(at + 1))
        if self.dialect != "slidev" or at >= len(self._lines) or not opens_mapping([self._lines[at]]):
            return at
        end = next((n for n in range(at, min(len(self._lines), at + 200)) if self._lines[n].rstrip() == "---"), None)
        if end is None:
            return at
        values = load_yaml("\n".join(self._lines[at:end]), self._file, first_line=at + 1)
        if not isinstance(values, dict):
            return at
        facts = flat(values)
        self.front.extend(range(at - 1, end + 1))
        slide = self._slide
        slide.key, slide.title, slide.source = facts.get("id", ""), facts.get("title", ""), facts.get("src", "")
        slide.hidden = facts.get("disabled", facts.get("hide", "")).lower() in _TRUE
        return end + 1

    def _notes_at(self, at: int) -> int | None:
        """Take notes that are marked as such, if they begin here."""
        line = self._lines[at]
        if names_notes(div_name(line) or ""):
            return self._div(at)
        aside = _ASIDE.match(line)
        if aside is not None and "notes" in re.split(r"[\s\"'=]+", aside[1]):
            return self._aside(at, aside.end())
        note = _NOTE.match(line) if self.dialect in ("reveal", "any") else None
        if note is None:
            return None
        self._noting = (at + 1, [note[1]])
        return at + 1

    def _close_note(self) -> None:
        if self._noting is not None:
            line, lines = self._noting
            self._slide.marked.append(Note(line, tuple(lines)))
            self._noting = None

    def _div(self, at: int) -> int:
        """Take ``::: notes`` to its end; other divs may be inside it."""
        self.has_notes_div = True
        depth = 1
        end = at + 1
        while end < len(self._lines):
            fence = fence_end(self._lines, end)
            name = div_name(self._lines[end]) if fence is None else None
            if name is not None:
                depth += 1 if name else -1
                if not depth:
                    break
            end = fence or end + 1
        else:
            self._unclosed(at, "the notes are never closed; write ::: on a line of its own where they end")
        lines = ["" if DIV.match(line) else line for line in self._lines[at + 1 : end]]
        self._slide.marked.append(Note(at + 2, tuple(lines)))
        return end + 1

    def _aside(self, at: int, start: int) -> int:
        lines: list[str] = []
        for number in range(at, len(self._lines)):
            text = self._lines[number][start:] if number == at else self._lines[number]
            end = _ASIDE_END.search(text)
            lines.append((text if end is None else text[: end.start()]).strip())
            if end is not None:
                break
        else:
            self._unclosed(at, "the notes are never closed; write </aside> where they end")
        self._slide.marked.append(Note(at + 1, tuple(lines)))
        return at + len(lines)

    def _comment(self, at: int, start: int) -> int:
        """Take the comments that begin on a line; what stands around them is the slide's."""
        line = self._lines[at]
        outside: list[str] = []
        text, rest = line[:start], line[start + 4 :]
        first = at
        while True:
            outside.append(text)
            self._slide.trailing &= not text.strip()
            content, closed, rest, end = comment_end(rest, self._lines, at)
            self._heed(content, at + 1)
            if not closed:
                self._unclosed(first, "the comment is never closed; write --> where it ends")
            at = end
            text, more, rest = rest.partition("<!--")
            if not more:
                break
        outside.append(text)
        self._slide.trailing &= not text.strip()
        around = "".join(outside)
        if around.strip():
            (self._slide.body if self._noting is None else self._noting[1]).append(around)
        return at + 1

    def _heed(self, content: Sequence[str], line: int) -> None:
        """Take a comment for what it is: an id, a directive, a remark to tools, a note."""
        text = "\n".join(content).strip()
        named = _SLIDE_ID.match(text) or _SLIDE_ATTRIBUTE_ID.match(text)
        if named is not None:
            self._slide.key = named[1].strip()
        elif text and self._noting is None and not _DIRECTIVE.match(text) and not _REMARK.match(text):
            lines = [part.strip() for part in content]
            first = next(number for number, part in enumerate(lines) if part)
            lines[first] = _NOTE_PREFIX.sub("", lines[first], count=1)
            self._slide.comments.append(Note(line, tuple(lines)))
            self._slide.trailing = True

    def _unclosed(self, at: int, reason: str) -> None:
        self.rejected.append(Rejection(f"line {at + 1}", reason))


def numbered(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the lines outside code fences with their offsets."""
    at = 0
    while at < len(lines):
        end = fence_end(lines, at)
        if end is None:
            yield at, lines[at]
        at = end or at + 1
