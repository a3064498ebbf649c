"""Rows turned into lines of script, whatever file they came from: sheets (sheet.py) and workbooks (xlsx.py)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from scheduler.scripts.blocks import clean
from scheduler.scripts.clock import MAX_MS, counts_frames, parse_clock, to_ms
from scheduler.scripts.columns import (
    FIELDS,
    KINDS,
    WALLA_NAMES,
    Field,
    Marks,
    divided,
    find_columns,
    has_marks,
    header_language,
    is_thought,
    may_be_several,
    name_marks,
    presence_of,
    sure_names,
    take_marks,
    text_kind,
    without_narrator,
)
from scheduler.scripts.detection import of_text
from scheduler.scripts.errors import HeaderMissing, ScriptEmpty, ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.keys import LineKeys, SectionKeys
from scheduler.scripts.languages import normal_tag
from scheduler.scripts.markup import refuse_tags
from scheduler.scripts.model import (
    LineKind,
    ReadOptions,
    Rejection,
    ScriptDocument,
    ScriptKind,
    ScriptLine,
    ScriptSection,
    nothing,
)
from scheduler.scripts.segmentation import speakable, split, spoken_length
from scheduler.scripts.timecode import DropFrameRefused, TimecodeInvalid, parse_timecode

MAX_COLUMNS = 200
_MAX_NAME_CHARS = 1_000
_NOTES_LIKE_TAGS = re.compile(r"\[(?:pause|break|reactions?)\]", re.IGNORECASE)
"""Markup elsewhere, in sheets ordinary notes in brackets."""


@dataclass(slots=True)
class _Section:
    key: str
    title: str
    kind: str
    lines: list[ScriptLine] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Who:
    """What a character cell says."""

    names: tuple[str, ...]
    presence: str
    kind: LineKind
    is_sure: bool
    """False where a name may be several, which only the whole sheet tells."""


_NO_MARKS = Marks("")
_NOBODY = _Who((), "", "speech", True)
_Time = tuple[Fraction, int]
"""Seconds, exact, and the milliseconds nearest to them."""
_Times = tuple[_Time | None, _Time | None]
_USUAL_CLOCK = re.compile(r"([0-9]{2}):([0-5][0-9]):([0-5][0-9])[.,]([0-9]{3})")
_DIRECTIONS: tuple[Field, ...] = ("emotion", "action", "presence")


@dataclass(frozen=True, slots=True)
class _Part:
    """What a row becomes a line of."""

    text: str
    kind: LineKind
    who: _Who = _NOBODY
    marks: Marks = _NO_MARKS


@dataclass(slots=True)
class Rows:
    """Gathers sections while the rows of one or more sheets go by."""

    file: str
    options: ReadOptions
    title: str
    column_name: Callable[[int], str] = lambda at: str(at + 1)
    """What messages call the column at an index."""
    rejected: list[Rejection] = field(default_factory=list)
    notices: list[Rejection] = field(default_factory=list)
    columns: dict[Field, int] = field(default_factory=dict)
    """Of the sheet being read."""
    _headers: list[str] = field(default_factory=list)
    _text_at: int = 0
    _text_header: str = ""
    _has_directions: bool = False
    """Any column says how a line is said."""
    _others: list[tuple[int, str]] = field(default_factory=list)
    _sections: dict[tuple[str, str], _Section] = field(default_factory=dict)
    _sheet: str = ""
    _sheet_title: str = ""
    _section: str = ""
    _open: _Section | None = None
    """Of the row before; None where the next row may be of another."""
    _language: str = ""
    _column_language: str | None = None
    _is_guessed: bool = False
    """The language was told from the letters of the text."""
    _is_timed: bool = False
    _kinds: dict[str, LineKind] = field(default_factory=dict)
    _skip: list[tuple[int, frozenset[str]]] = field(default_factory=list)
    _who: dict[str, _Who] = field(default_factory=dict)
    _tongues: dict[str, str | None] = field(default_factory=dict)
    _unsure: list[tuple[_Section, int]] = field(default_factory=list)
    _line_keys: LineKeys = field(default_factory=LineKeys)
    _section_keys: SectionKeys = field(default_factory=SectionKeys)

    def begin(self, sheet: str, head: Sequence[Sequence[str]], at: int, *, title: str = "") -> None:
        """Start a sheet (its name in messages) whose row ``head[at]`` names the columns.

        ``title`` is its section's where no column says otherwise; '' is the document's.
        """
        options = self.options
        self.check_names()
        self._headers = [cell.strip().strip("\ufeff") for cell in head[at]]
        self._sheet, self._section, self._sheet_title, self._open = sheet, "", title, None
        if len(self._headers) > MAX_COLUMNS:
            raise ScriptTooLarge(self.file, self.place(at + 1), f"has {len(self._headers):,} columns")
        self.columns = find_columns(self._headers, options.columns)
        for name, header in options.columns.items():
            if name not in self.columns:
                found = ", ".join(repr(cell) for cell in self._headers[:20])
                raise HeaderMissing(self.file, self.place(at + 1), f"has no column {header!r}; found {found}")
        self._text_at = self.columns["text"]
        self._text_header = self._headers[self._text_at]
        self._has_directions = any(name in self.columns for name in _DIRECTIONS)
        known = set(self.columns.values())
        self._others = _named_apart([(n, name) for n, name in enumerate(self._headers) if n not in known])
        self._column_language = header_language(self._text_header)
        self._is_timed = self._is_timed or "in" in self.columns
        self._kinds = {word.casefold(): kind for word, kind in {**KINDS, **options.kinds}.items()}
        self._skip = [
            (self.columns[name], frozenset(value.casefold() for value in options.skip[name]))
            for name in self.columns
            if name in options.skip
        ]
        above = [n for n, row in enumerate(head[:at], 1) if any(cell.strip() for cell in row)]
        if above:
            count = f"row {above[0]} is" if len(above) == 1 else f"{len(above)} rows are"
            self.notices.append(Rejection(self.place(above[0]), f"{count} above the header and not read"))
        if not self._language:
            self._language = normal_tag(options.language) or ""

    def take(self, row: list[str], number: int, faults: Mapping[int, str] | None = None) -> None:
        """Read one row; ``faults`` says what is wrong with cells that have no value of their own."""
        joined = "".join(row)
        if not joined.strip() and not faults:
            return
        if len(joined) > self.options.max_source_line_chars:
            self._check_lengths(row, number)
        if len(row) < len(self._headers):
            row = [*row, *[""] * (len(self._headers) - len(row))]
        columns = self.columns
        if "section" in columns and (section := row[columns["section"]].strip()) and section != self._section:
            self._section, self._open = section, None
        cell = row[self._text_at].strip()
        if (cell == self._text_header or self._skip) and self._is_left_out(row, cell, number):
            return
        if faults and (fault := next((at for at in columns.values() if at in faults), None)) is not None:
            self._reject(number, fault, faults[fault])
            return
        times = self._times(row, number)
        if times is None:
            return
        shown = clean(self._cell(row, "onscreen")).strip() if "onscreen" in columns else ""
        if cell or not shown:
            self._spoken(row, number, cell, times)
        if shown:
            # its own line beside the spoken one of the same row, which has the row's id
            identity = self._cell(row, "id")
            self._append(_Part(shown, "onscreen"), row, number, times, identity and f"{identity}~onscreen")

    def document(self, format: str, notices: Sequence[Rejection]) -> ScriptDocument:
        """Make the document. Raises ScriptEmpty when no row was read."""
        self._settle_names()
        sections = tuple(
            ScriptSection(section.key, section.kind, section.title, _closed(section.lines))
            for section in self._sections.values()
            if section.lines
        )
        if not sections:
            why = f"; the first of {len(self.rejected):,} rows that could not be read: " if self.rejected else ""
            why += f"{self.rejected[0].place}: {self.rejected[0].reason}" if self.rejected else ""
            header = self._headers[self.columns["text"]] if self._headers else "text"
            raise ScriptEmpty(self.file, "", f"holds no row with text under {header!r}{why}")
        kind: ScriptKind = "dubbing" if self._is_timed else "dialogue"
        return ScriptDocument(
            title=self.title,
            author="",
            language=self._language or sections[0].lines[0].language,
            kind=kind,
            format=format,
            sections=sections,
            rejected=tuple(self.rejected),
            notices=(*self.notices, *notices),
            language_stated=not self._is_guessed,
        )

    def check_names(self) -> None:
        """Raise HeaderMissing where the options name a field that no column can be."""
        for given in (self.options.columns, self.options.skip):
            unknown = next((name for name in given if name not in FIELDS), None)
            if unknown is not None:
                reason = f"{unknown!r} is none of the fields that a column can be: {', '.join(FIELDS)}"
                raise HeaderMissing(self.file, "", reason)

    def _check_lengths(self, row: Sequence[str], number: int) -> None:
        longest = max(map(len, row))
        if longest > self.options.max_source_line_chars:
            raise ScriptTooLarge(self.file, self.place(number), f"a cell has {longest:,} characters; divide it")

    def place(self, number: int) -> str:
        """Return what messages call a row."""
        return f"{self._sheet}, row {number}" if self._sheet else f"row {number}"

    def _cell_place(self, number: int, at: int) -> str:
        return f"{self.place(number)}, column {self.column_name(at)} ({self._headers[at]})"

    def _reject(self, number: int, at: int, reason: str) -> None:
        self.rejected.append(Rejection(self._cell_place(number, at), reason))

    def _cell(self, row: Sequence[str], name: Field) -> str:
        at = self.columns.get(name)
        return "" if at is None else row[at].strip()

    def _is_left_out(self, row: Sequence[str], text: str, number: int) -> bool:
        """Whether the row is the header once more, or one that the mapping skips."""
        if text == self._text_header and [cell.strip() for cell in row[: len(self._headers)]] == self._headers:
            self.notices.append(Rejection(self.place(number), "is the header again and not read"))
            return True
        for at, values in self._skip:
            if row[at].strip().casefold() in values:
                self.notices.append(Rejection(self._cell_place(number, at), f"left out for {row[at].strip()[:40]!r}"))
                return True
        return False

    def _spoken(self, row: list[str], number: int, cell: str, times: _Times) -> None:
        """Read what somebody says, or the sound that somebody makes."""
        who = self._character(row, number)
        if who is None:
            return
        stated = self._cell(row, "kind") if "kind" in self.columns else ""
        kind = self._kinds.get(stated.casefold(), "speech") if stated else "speech"
        part = self._part(clean(cell).strip(), kind, who, number)
        if not part.text and part.kind in ("reaction", "walla"):
            part = replace(part, text=stated or "; ".join(who.names))
        if not part.text or (part.kind == "speech" and not speakable(part.text)):
            reason = f"nothing speakable in {cell[:40]!r}" if cell else "no text"
            self._reject(number, self.columns["text"], reason)
            return
        identity = self._cell(row, "id")
        line = self._append(part, row, number, times, identity)
        if identity and line.key != identity:
            reason = f"the id {identity[:40]!r} is used before; this line is {line.key[:45]!r}"
            self.notices.append(Rejection(self.place(number), reason))

    def _part(self, text: str, kind: LineKind, who: _Who, number: int) -> _Part:
        """Take the marks out of a text and find what kind of line it is."""
        if kind == "speech":
            kind = text_kind(text) or who.kind
        if kind == "onscreen" or not has_marks(text):
            return _Part(text, kind, who)
        if "[" in text:
            refuse_tags(_NOTES_LIKE_TAGS.sub(" ", text), self.file, self.place(number))
        marks = take_marks(text)
        if speakable(marks.text):
            return _Part(marks.text, kind, who, marks)
        sound = marks.reaction or marks.action
        if kind == "speech" and not marks.reaction and not marks.presence and is_thought(text):
            return _Part(text.strip("()（） "), kind, who)
        return _Part(sound, "reaction" if sound and kind == "speech" else kind, who, Marks("", presence=marks.presence))

    def _character(self, row: Sequence[str], number: int) -> _Who | None:
        """Return who speaks, or None after rejecting the row."""
        cell = self._cell(row, "character")
        who = self._who.get(cell)
        if who is None:
            if len(cell) > _MAX_NAME_CHARS:
                self._reject(number, self.columns["character"], f"a name of {len(cell):,} characters is none")
                return None
            who = self._who[cell] = _who(cell)
        return who

    def _append(self, part: _Part, row: list[str], number: int, times: _Times, identity: str) -> ScriptLine:
        """Put the line of a row into its section; a long one without times is divided."""
        section = self._open or self._section_now()
        start, end = times
        text, who = part.text, part.who
        line = ScriptLine(
            key=self._line_keys.claim(identity) if identity else self._line_keys.of_text(section.key, text),
            text=text,
            language=self._language_of(row, text, number),
            kind=part.kind,
            characters=who.names,
            original=self._cell(row, "original") if part.kind != "onscreen" else "",
            in_ms=None if start is None else start[1],
            out_ms=None if end is None else end[1],
            in_time=None if start is None else start[0],
            out_time=None if end is None else end[0],
            boundary="paragraph",
            direction=self._direction(row, part),
            notes=self._cell(row, "notes"),
            extra=({name: row[at] for at, name in self._others if row[at]} if self._others else None) or nothing(),
            place=self.place(number),
        )
        first = len(section.lines)
        if start is not None or part.kind != "speech" or spoken_length(text) <= self.options.max_line_chars:
            section.lines.append(line)
        else:
            section.lines.extend(self._divided(line, section.key, identity))
        if not who.is_sure:
            self._unsure.extend((section, at) for at in range(first, len(section.lines)))
        return line

    def _direction(self, row: list[str], part: _Part) -> Mapping[str, str]:
        plain = not self._has_directions and part.marks is _NO_MARKS and not part.who.presence
        if plain or part.kind == "onscreen":
            return nothing()
        facts: dict[str, str] = {}
        columns, marks = self.columns, part.marks
        if "emotion" in columns and (emotion := self._cell(row, "emotion")):
            facts["emotion"] = emotion
        if marks.reaction:
            facts["reaction"] = marks.reaction
        action = self._cell(row, "action").strip("()（） ") if "action" in columns else ""
        if action or marks.action:
            facts["action"] = "; ".join(words for words in (action, marks.action) if words)
        stated = self._cell(row, "presence") if "presence" in columns else ""
        presence = (presence_of(stated) or stated if stated else "") or marks.presence or part.who.presence
        if presence:
            facts["onscreen"] = presence
        return facts or nothing()

    def _divided(self, line: ScriptLine, section: str, identity: str) -> Iterator[ScriptLine]:
        """Divide a row without times that is too long for one take; a timed row stays whole."""
        spans = split(line.text, line.language, self.options.max_line_chars)
        parts = [part for a, b in spans if speakable(part := line.text[a:b].strip())]
        for number, part in enumerate(parts):
            key = line.key
            if number:
                key = self._line_keys.claim(identity) if identity else self._line_keys.of_text(section, part)
            yield replace(line, key=key, text=part, boundary="paragraph" if number + 1 == len(parts) else "sentence")

    def _times(self, row: Sequence[str], number: int) -> _Times | None:
        """Return (in, out), or None after rejecting the row."""
        columns = self.columns
        start = end = length = None
        if "in" in columns and (cell := row[columns["in"]].strip()):
            start = self._time(cell, number, columns["in"])
            if start is None:
                return None
        if "out" in columns and (cell := row[columns["out"]].strip()):
            end = self._time(cell, number, columns["out"])
            if end is None:
                return None
        if "duration" in columns and (cell := row[columns["duration"]].strip()):
            length = self._time(cell, number, columns["duration"])
            if length is None:
                return None
        if end is None and start is not None and length is not None:
            seconds = start[0] + length[0]
            end = (seconds, to_ms(seconds))
        # whole milliseconds tell most of them apart, and comparing fractions is slow
        if start is not None and end is not None and end[1] <= start[1] and end[0] < start[0]:
            at = columns["out"] if "out" in columns else columns["in"]
            self._reject(number, at, f"{row[at].strip()[:40]!r} ends before it begins")
            return None
        return start, end

    def _time(self, cell: str, number: int, at: int) -> _Time | None:
        """Return the time in a cell, or None after rejecting the row.

        Raises ScriptUnreadable where the whole file would come out shifted: frames without a rate, or with a wrong one.
        """
        usual = _USUAL_CLOCK.fullmatch(cell)
        if usual is not None:  # as parse_clock has it, at a third of the cost: a sheet has two of these a row
            hours, minutes, seconds, rest = usual.groups()
            ms = (int(hours) * 3600 + int(minutes) * 60 + int(seconds)) * 1000 + int(rest)
            return Fraction(ms, 1000), ms
        time = parse_clock(cell)
        if time is None and counts_frames(cell):
            rate = self.options.frame_rate
            place = self._cell_place(number, at)
            if rate is None:
                reason = f"{cell!r} counts frames, and nothing says how many a second has; name the frame rate with"
                raise ScriptUnreadable(self.file, place, f"{reason} --fps, such as --fps 25")
            try:
                time = parse_timecode(cell, rate, drop=self.options.drop_frame)
            except DropFrameRefused as error:
                raise ScriptUnreadable(self.file, place, str(error)) from error
            except TimecodeInvalid as error:
                self._reject(number, at, str(error))
                return None
            return time, to_ms(time)
        ms = MAX_MS + 1 if time is None else to_ms(time)
        if time is None or ms > MAX_MS:
            self._reject(number, at, f"{cell[:40]!r} is not a time")
            return None
        return time, ms

    def _language_of(self, row: Sequence[str], text: str, number: int) -> str:
        if "language" in self.columns and (cell := row[at := self.columns["language"]].strip()):
            if cell not in self._tongues:
                self._tongues[cell] = normal_tag(cell)
                if self._tongues[cell] is None:
                    reason = f"{cell[:20]!r} is no language; read as the sheet's"
                    self.notices.append(Rejection(self._cell_place(number, at), reason))
            stated = self._tongues[cell]
            if stated is not None:
                return stated
        if not self._language:
            self._language, sure = self._column_language or "", True
            if not self._language:
                self._language, sure = of_text(text)
                self._is_guessed = True
            if not sure:
                reason = f"no language is stated: read as {self._language!r}; --language says otherwise"
                self.notices.append(Rejection("", reason))
        return self._language

    def _section_now(self) -> _Section:
        """Return the section of the row; an empty cell goes on with the section above."""
        section = self._sections.get((self._sheet, self._section))
        if section is None:
            title = self._section or self._sheet_title or self.title
            if any(other.title == title for other in self._sections.values()):
                title = f"{self._sheet}: {title}"  # two sheets with a reel 1 each
            key = self._section_keys.of_title(title)
            section = _Section(key, title, "reel" if "in" in self.columns else "scene")
            self._sections[self._sheet, self._section] = section
        self._open = section
        return section

    def _settle_names(self) -> None:
        """Divide ``Mara & Tom`` where the sheet, now read whole, has one of them alone."""
        alone = frozenset(
            name.casefold() for who in self._who.values() for name in who.names if not may_be_several(name)
        )
        for section, at in self._unsure:
            line = section.lines[at]
            names = [name for whole in line.characters for name in divided(whole, alone)]
            section.lines[at] = replace(line, characters=without_narrator(names))


def _who(cell: str) -> _Who:
    names: list[str] = []
    presence = ""
    kind: LineKind = "speech"
    for name in sure_names(cell):
        bare, mark, is_reaction = name_marks(name)
        names.append(bare)
        presence = presence or mark
        if is_reaction:
            kind = "reaction"
        elif bare.casefold() in WALLA_NAMES:
            kind = "walla"
    is_sure = not any(may_be_several(name) for name in names)
    return _Who(without_narrator(names), presence, kind, is_sure)


def _named_apart(columns: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """Give each carried column a name of its own."""
    named: dict[str, int] = {}
    for at, header in columns:
        name = header or f"column {at + 1}"
        named[name if name not in named else f"{name} ({at + 1})"] = at
    return [(at, name) for name, at in named.items()]


def _closed(lines: list[ScriptLine]) -> tuple[ScriptLine, ...]:
    lines[-1] = replace(lines[-1], boundary="section")
    return tuple(lines)
