"""Sheets: CSV and TSV with one line of script per row. Cells are text; a formula is never run."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import PurePath

from scheduler.scripts.blocks import clean
from scheduler.scripts.clock import MAX_MS, counts_frames, parse_clock, to_ms
from scheduler.scripts.columns import SPELLINGS, Field, find_columns
from scheduler.scripts.cues import take_effects
from scheduler.scripts.encodings import decode
from scheduler.scripts.errors import HeaderMissing, ScriptEmpty, ScriptError, ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.keys import LineKeys, SectionKeys
from scheduler.scripts.languages import by_letters, normal_tag
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
from scheduler.scripts.source import ScriptSource

_DELIMITERS = ",;\t|"
_SAMPLE_LINES = 20
_KINDS: Mapping[str, LineKind] = {
    "reaction": "reaction",
    "walla": "walla",
    "onscreen": "onscreen",
    "on-screen": "onscreen",
}
_NARRATOR = frozenset({"narrator", "narration", "narrateur", "erzähler", "旁白", "ナレーション", "ナレーター"})
_TOGETHER = re.compile(r"\s*[/+&、，]\s*")
_PHYSICAL_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n|\Z)")
_MAX_COLUMNS = 200


class SheetReader:
    """Reads ``.csv`` and ``.tsv`` whose first row names the columns (docs/scripts.md lists the spellings)."""

    name = "csv"
    suffixes = (".csv", ".tsv", ".tab")
    kind = "dubbing"

    def sniff(self, head: bytes) -> bool:
        """A sheet has no signature: it is known by its suffix alone."""
        return False

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read a sheet whole."""
        text, encoding = decode(source.data(options.max_file_bytes), source.name, options.encoding)
        delimiter = _delimiter(text, source.name)
        rows = _Rows(source.name, options, PurePath(source.name).stem)
        try:
            rows.read(
                csv.reader(_physical_lines(text, source.name, options.max_source_line_chars), delimiter=delimiter)
            )
        except csv.Error as error:
            raise _csv_error(error, source.name, rows.number) from error
        notices = [] if encoding in ("utf-8", "ascii") else [Rejection("", f"read as {encoding}")]
        return rows.document(self.name, notices)


def _physical_lines(text: str, file: str, limit: int) -> Iterator[str]:
    """Yield lines with their ends; io.StringIO would hold four bytes for each character."""
    for number, match in enumerate(_PHYSICAL_LINE.finditer(text), 1):
        line = match[0]
        if len(line) > limit:
            raise ScriptTooLarge(
                file, f"line {number}", f"has {len(line):,} characters, more than {limit:,}; divide it"
            )
        if line:
            yield line


def _csv_error(error: csv.Error, file: str, row: int) -> ScriptError:
    if "field limit" in str(error):
        reason = f"a cell has more than {csv.field_size_limit():,} characters; is a quotation mark not closed?"
        return ScriptTooLarge(file, f"row {row + 1}", reason)
    return ScriptUnreadable(file, f"row {row + 1}", f"is not a sheet: {error}")


def _delimiter(text: str, file: str) -> str:
    """Choose the separator under which the first row names most columns."""
    start = "\n".join(
        re.split(r"\r\n?|\n", text[:200_000].lstrip("\ufeff\r\n"), maxsplit=_SAMPLE_LINES)[:_SAMPLE_LINES]
    )
    best, most = ",", (-1, 0)
    for delimiter in _DELIMITERS:
        try:
            header = next(csv.reader(io.StringIO(start, newline=""), delimiter=delimiter), [])
        except csv.Error as error:
            raise _csv_error(error, file, 0) from error
        score = (len(find_columns(header[:_MAX_COLUMNS])), len(header))
        if score > most:
            best, most = delimiter, score
    return best


@dataclass(slots=True)
class _Section:
    key: str
    title: str
    lines: list[ScriptLine] = field(default_factory=list)


@dataclass(slots=True)
class _Rows:
    """Gathers sections while the rows go by."""

    file: str
    options: ReadOptions
    title: str
    number: int = 0
    """Rows read, the header included."""
    rejected: list[Rejection] = field(default_factory=list)
    notices: list[Rejection] = field(default_factory=list)
    sections: dict[str, _Section] = field(default_factory=dict)
    columns: dict[Field, int] = field(default_factory=dict)
    headers: list[str] = field(default_factory=list)
    others: list[tuple[int, str]] = field(default_factory=list)
    languages: set[str] = field(default_factory=set)
    _line_keys: LineKeys = field(default_factory=LineKeys)
    _section_keys: SectionKeys = field(default_factory=SectionKeys)
    _language: str = ""
    _section: str = ""

    def read(self, rows: Iterator[list[str]]) -> None:
        """Read the header, then every row."""
        self._header(rows)
        self._language = normal_tag(self.options.language) or ""
        for row in rows:
            self.number += 1
            if any(cell.strip() for cell in row):
                self._row(row)

    def document(self, format: str, notices: Sequence[Rejection]) -> ScriptDocument:
        """Make the document. Raises ScriptEmpty when no row was read."""
        sections = tuple(
            ScriptSection(section.key, "reel" if self._is_timed else "scene", section.title, _closed(section.lines))
            for section in self.sections.values()
            if section.lines
        )
        if not sections:
            raise ScriptEmpty(self.file, "", f"holds no row with text under {self.headers[self.columns['text']]!r}")
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
        )

    @property
    def _is_timed(self) -> bool:
        return "in" in self.columns

    def _header(self, rows: Iterator[list[str]]) -> None:
        for row in rows:
            self.number += 1
            if any(cell.strip() for cell in row):
                self.headers = [cell.strip().strip("\ufeff") for cell in row]
                break
        if len(self.headers) > _MAX_COLUMNS:
            raise ScriptTooLarge(self.file, f"row {self.number}", f"has {len(self.headers):,} columns")
        self.columns = find_columns(self.headers)
        if "text" not in self.columns:
            raise HeaderMissing(self.file, f"row {self.number}", self._missing())
        known = set(self.columns.values())
        self.others = [(at, name or f"column {at + 1}") for at, name in enumerate(self.headers) if at not in known]

    def _missing(self) -> str:
        found = ", ".join(repr(name) for name in self.headers[:20]) or "nothing"
        understood = "; ".join(f"{name}: {', '.join(spellings[:6])}" for name, spellings in SPELLINGS.items())
        return f"names no column for the text; found {found}; understood are {understood}"

    def _cell(self, row: Sequence[str], name: Field) -> str:
        at = self.columns.get(name)
        return row[at].strip() if at is not None and at < len(row) else ""

    def _row(self, row: list[str]) -> None:
        place = f"row {self.number}"
        longest = max(row, key=len)
        if len(longest) > self.options.max_source_line_chars:
            raise ScriptTooLarge(self.file, place, f"a cell has {len(longest):,} characters; divide it")
        text = clean(self._cell(row, "text")).strip()
        if not text:
            self.rejected.append(Rejection(place, "no text"))
            return
        kind = _KINDS.get(self._cell(row, "kind").casefold(), "speech")
        reaction = ""
        if "[" in text and kind == "speech":
            refuse_tags(text, self.file, place)
            said, reaction = take_effects(text)
            kind, text = ("speech", said) if speakable(said) else ("reaction", reaction)
        if kind == "speech" and not speakable(text):
            self.rejected.append(Rejection(place, f"nothing speakable in {text[:40]!r}"))
            return
        times = self._times(row, place)
        if times is None:
            return
        emotion = self._cell(row, "emotion")
        identity, section = self._cell(row, "id"), self._section_of(row)
        line = ScriptLine(
            key=self._line_keys.claim(identity) if identity else self._line_keys.of_text(section.key, text),
            text=text,
            language=self._language_of(row, text, place),
            kind=kind,
            characters=_characters(self._cell(row, "character")),
            original=self._cell(row, "original"),
            in_ms=None if times[0] is None else to_ms(times[0]),
            out_ms=None if times[1] is None else to_ms(times[1]),
            in_time=times[0],
            out_time=times[1],
            boundary="paragraph",
            direction=_direction(emotion, reaction if kind == "speech" else ""),
            notes=self._cell(row, "notes"),
            extra={name: row[at] for at, name in self.others if at < len(row) and row[at]}
            if self.others
            else nothing(),
            place=place,
        )
        if identity and line.key != identity:
            self.notices.append(Rejection(place, f"the id {identity!r} is used before; this line is {line.key!r}"))
        if line.in_time is not None or spoken_length(text) <= self.options.max_line_chars:
            section.lines.append(line)
        else:
            section.lines.extend(self._divided(line, section.key, identity))

    def _divided(self, line: ScriptLine, section: str, identity: str) -> Iterator[ScriptLine]:
        """Divide a row without times that is too long for one take; a timed row stays whole."""
        spans = split(line.text, line.language, self.options.max_line_chars)
        parts = [part for a, b in spans if speakable(part := line.text[a:b].strip())]
        for number, part in enumerate(parts):
            key = line.key
            if number:
                key = self._line_keys.claim(identity) if identity else self._line_keys.of_text(section, part)
            yield replace(line, key=key, text=part, boundary="paragraph" if number + 1 == len(parts) else "sentence")

    def _times(self, row: Sequence[str], place: str) -> tuple[Fraction | None, Fraction | None] | None:
        """Return (in, out), or None after rejecting the row."""
        found: list[Fraction | None] = []
        for name in ("in", "out"):
            cell = self._cell(row, name)
            if cell and counts_frames(cell):
                raise ScriptUnreadable(
                    self.file, place, f"{cell!r} counts frames, and the frame rate is unknown; write HH:MM:SS.mmm"
                )
            time = parse_clock(cell) if cell else None
            if cell and (time is None or to_ms(time) > MAX_MS):
                self.rejected.append(Rejection(place, f"{cell[:40]!r} is not a time"))
                return None
            found.append(time)
        start, end = found
        if start is not None and end is not None and end < start:
            self.rejected.append(Rejection(place, "ends before it begins"))
            return None
        return start, end

    def _language_of(self, row: Sequence[str], text: str, place: str) -> str:
        cell = self._cell(row, "language")
        stated = normal_tag(cell)
        if cell and stated is None:
            self.notices.append(Rejection(place, f"{cell[:20]!r} is no language; read as the sheet's"))
        if stated is not None:
            return stated
        if not self._language:
            self._language, sure = by_letters(text)
            if not sure:
                reason = f"no language is stated: read as {self._language!r}; --language says otherwise"
                self.notices.append(Rejection("", reason))
        return self._language

    def _section_of(self, row: Sequence[str]) -> _Section:
        """Return the section of a row; an empty cell goes on with the section above."""
        self._section = self._cell(row, "section") or self._section
        section = self.sections.get(self._section)
        if section is None:
            title = self._section or self.title
            section = self.sections[self._section] = _Section(self._section_keys.of_title(title), title)
        return section


def _direction(emotion: str, reaction: str) -> Mapping[str, str]:
    facts = {"emotion": emotion, "reaction": reaction}
    return {name: value for name, value in facts.items() if value} or nothing()


def _characters(cell: str) -> tuple[str, ...]:
    names = (" ".join(name.split()) for name in _TOGETHER.split(cell))
    return tuple(name for name in names if name and name.casefold() not in _NARRATOR)


def _closed(lines: list[ScriptLine]) -> tuple[ScriptLine, ...]:
    lines[-1] = replace(lines[-1], boundary="section")
    return tuple(lines)
