"""Sheets: CSV and TSV with one line of script per row. Cells are text; a formula is never run."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice
from pathlib import PurePath

from scheduler.collector import held_back
from scheduler.scripts.columns import SPELLINGS, find_columns
from scheduler.scripts.encodings import decode
from scheduler.scripts.errors import HeaderMissing, ScriptError, ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.model import ReadOptions, Rejection, ScriptDocument
from scheduler.scripts.rows import MAX_COLUMNS, Rows
from scheduler.scripts.source import ScriptSource

HEADER_WITHIN = 30
"""Rows in which the header is looked for: titles and project data stand above it in many sheets."""
_DELIMITERS = ",;\t|"
_SAMPLE_CHARS = 200_000
_SURE_COLUMNS = 3
"""A row that names so many columns is the header, even below a title that happens to be one of their names."""
_PHYSICAL_LINE = re.compile(r"[^\r\n]+(?:\r\n?|\n)?|\r\n?|\n")
_BLOCK_CHARS = 256 * 1024


class SheetReader:
    """Reads ``.csv`` and ``.tsv`` with a row that names the columns (docs/scripts.md lists the spellings)."""

    name = "csv"
    suffixes = (".csv", ".tsv", ".tab")
    kind = "dubbing"

    def sniff(self, head: bytes) -> bool:
        """A sheet has no signature: it is known by its suffix alone."""
        return False

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read a sheet whole."""
        text, encoding = decode(source.data(options.max_file_bytes), source.name, options.encoding)
        text = text.removeprefix("\ufeff").replace("\x00", "")  # no database takes it, and every cell may come to one
        rows = Rows(source.name, options, PurePath(source.name).stem)
        with held_back():
            _read_rows(text, rows)
        notices = [] if encoding in ("utf-8", "ascii") else [Rejection("", f"read as {encoding}")]
        return rows.document(self.name, notices)


def _read_rows(text: str, rows: Rows) -> None:
    options = rows.options
    lines = _physical_lines(text, rows.file, options.max_source_line_chars)
    records = csv.reader(lines, delimiter=_delimiter(text, options))
    head: list[list[str]] = []
    number = 0
    try:
        for row in islice(records, max(HEADER_WITHIN, options.header_row or 0)):
            head.append(row)
            number += 1
        at = header_at(head, options)
        if at is None:
            raise no_header(rows, head)
        rows.begin("", head, at)
        for number, row in enumerate(chain(head[at + 1 :], records), at + 2):
            rows.take(row, number)
    except csv.Error as error:
        raise _csv_error(error, rows.file, number) from error


def _physical_lines(text: str, file: str, limit: int) -> Iterator[str]:
    """Yield lines with their ends, found a block at a time; io.StringIO would hold four bytes for each character."""
    at = number = 0
    while at < len(text):
        end = text.find("\n", at + _BLOCK_CHARS) + 1 or len(text)
        lines = _PHYSICAL_LINE.findall(text, at, end)
        yield from lines if max(map(len, lines)) <= limit else _until_long(lines, file, number, limit)
        at = end
        number += len(lines)


def _until_long(lines: Sequence[str], file: str, before: int, limit: int) -> Iterator[str]:
    """Yield lines up to one that is too long, for which it raises ScriptTooLarge."""
    for number, line in enumerate(lines, before + 1):
        if len(line) > limit:
            reason = f"has {len(line):,} characters, more than {limit:,}; divide it"
            raise ScriptTooLarge(file, f"line {number}", reason)
        yield line


def _csv_error(error: csv.Error, file: str, row: int) -> ScriptError:
    if "field limit" in str(error):
        reason = f"a cell has more than {csv.field_size_limit():,} characters; is a quotation mark not closed?"
        return ScriptTooLarge(file, f"row {row + 1}", reason)
    return ScriptUnreadable(file, f"row {row + 1}", f"is not a sheet: {error}")


def _delimiter(text: str, options: ReadOptions) -> str:
    """Choose the separator under which one of the first rows names most columns."""
    start = "\n".join(
        re.split(r"\r\n?|\n", text[:_SAMPLE_CHARS].lstrip("\r\n"), maxsplit=HEADER_WITHIN)[:HEADER_WITHIN]
    )
    best, most = ",", (-1, 0)
    for delimiter in _DELIMITERS:
        head: list[list[str]] = []
        # what the csv module cannot read under this separator is told when the file is read under the best one
        with suppress(csv.Error):
            head.extend(row[:MAX_COLUMNS] for row in csv.reader(io.StringIO(start, newline=""), delimiter=delimiter))
        named = max((_score(row, options) for row in head), default=0)
        score = (named, max(map(len, head), default=0))
        if score > most:
            best, most = delimiter, score
    return best


def _score(row: Sequence[str], options: ReadOptions) -> int:
    found = find_columns(row, options.columns)
    return len(found) if "text" in found else min(len(found), 1)


def header_at(rows: Sequence[Sequence[str]], options: ReadOptions) -> int | None:
    """Return which of the first rows names the columns: the first full one that names the text, and one more."""
    if options.header_row is not None:
        at = options.header_row - 1
        return at if 0 <= at < len(rows) and "text" in find_columns(rows[at], options.columns) else None
    likely: int | None = None
    is_first = True
    for at, row in enumerate(rows[:HEADER_WITHIN]):
        if not any(cell.strip() for cell in row):
            continue
        found = find_columns(row[:MAX_COLUMNS], options.columns)
        if "text" in found and (len(found) >= _SURE_COLUMNS or (likely is None and (is_first or len(found) > 1))):
            if len(found) >= _SURE_COLUMNS:
                return at
            likely = at
        is_first = False
    return likely


def no_header(rows: Rows, head: Sequence[Sequence[str]]) -> HeaderMissing:
    """Make the error for a sheet whose first rows name no column for the text."""
    rows.check_names()
    number = next((n for n, row in enumerate(head, 1) if any(cell.strip() for cell in row)), 1)
    number = rows.options.header_row or number
    names = head[number - 1] if number <= len(head) else []
    found = ", ".join(repr(name.strip()) for name in names[:20]) or "nothing"
    understood = "; ".join(f"{name}: {', '.join(spellings[:6])}" for name, spellings in SPELLINGS.items())
    wanted = rows.options.columns.get("text")
    missing = f"has no column {wanted!r}" if wanted else "names no column for the text"
    return HeaderMissing(rows.file, rows.place(number), f"{missing}; found {found}; understood are {understood}")
