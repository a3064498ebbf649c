"""Workbooks: .xlsx and .xlsm, read as they are stored. Formulas and macros are never run, links never followed.

Cells are streamed from the sheet's XML: what matters in a script (a formula without a stored value, hidden rows, merged
cells, the exact fraction of a day) is lost in a reader's view of values. A formula counts as the value that was stored
with it; where none was, the row is rejected and names the cell.
"""

from __future__ import annotations

import functools
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import PurePath

from lxml import etree

from scheduler.collector import held_back
from scheduler.scripts.archive import Archive
from scheduler.scripts.clock import MAX_MS
from scheduler.scripts.columns import Field, find_columns
from scheduler.scripts.errors import HeaderMissing, ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.model import ReadOptions, Rejection, ScriptDocument
from scheduler.scripts.rows import MAX_COLUMNS, Rows
from scheduler.scripts.sheet import HEADER_WITHIN, header_at, no_header
from scheduler.scripts.source import ScriptSource
from scheduler.scripts.timecode import FrameRateInvalid, parse_frame_rate, shown_rate
from scheduler.scripts.xlsx_parts import elements, forget, merged_over_rows
from scheduler.scripts.xmlsafe import parse_xml

MAX_ROWS = 1_048_576
MAX_SHEETS = 256
_MAX_CELLS_A_ROW = 16_384
_OLD_WORKBOOK = bytes.fromhex("d0cf11e0a1b11ae1")
_RELATIONSHIP = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_STRICT_RELATIONSHIP = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"
_DATE_FORMATS = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
"""Built-in number formats that show a date or a time."""
_NOT_SHOWN = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.IGNORECASE)
_DATE_LETTER = re.compile(r"[ymdhs]", re.IGNORECASE)
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_GENERIC = re.compile(
    r"(?:sheet|tabelle|feuil|hoja|foglio|planilha|blad|arkusz|лист|工作表|シート|시트)\s*\d*", re.IGNORECASE
)
_MS_A_DAY = 86_400_000
_REPEATED: tuple[Field, ...] = ("section", "character", "language", "kind", "emotion", "presence")
"""Columns in which a cell merged over several rows counts for each; a text is said once."""
_RATE_NAMES = frozenset({"frame rate", "framerate", "fps", "frames per second", "timecode rate", "cadence", "bildrate"})


class XlsxReader:
    """Reads the sheets of a workbook that have the columns of a script, or those that a mapping names."""

    name = "xlsx"
    suffixes = (".xlsx", ".xlsm")
    kind = "dubbing"

    def sniff(self, head: bytes) -> bool:
        """A zip archive says too little: a workbook is known by its suffix alone."""
        return False

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read a workbook whole."""
        if source.head().startswith(_OLD_WORKBOOK):
            reason = "is a workbook with a password, or of the old .xls kind; save it as .xlsx without a password"
            raise ScriptUnreadable(source.name, "", reason)
        with Archive(source) as archive:
            book = _Book.open(archive)
            rows = Rows(source.name, options, PurePath(source.name).stem, column_letters)
            chosen = _chosen(book, rows)
            rows.options = _with_own_rate(book, rows)
            for sheet in chosen:
                generic = len(chosen) == 1 and _GENERIC.fullmatch(sheet.name.strip()) is not None
                rows.begin(sheet.name, sheet.head, sheet.header, title="" if generic else sheet.name)
                with held_back():
                    _read_sheet(book, sheet, rows)
        return rows.document(self.name, [])


def column_letters(at: int) -> str:
    """Return the letters of a column: 'A' of 0, 'AA' of 26."""
    letters = ""
    at += 1
    while at:
        at, rest = divmod(at - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


@functools.lru_cache(maxsize=1024)
def _column_index(letters: str) -> int:
    """Return 0 of 'A'; -1 of what names no column."""
    at = 0
    for letter in letters[:4]:
        if not "A" <= letter <= "Z":
            return -1
        at = at * 26 + ord(letter) - 64
    return at - 1


@dataclass(slots=True)
class _Sheet:
    name: str
    part: str
    is_hidden: bool
    head: list[list[str]] = field(default_factory=list)
    """Its first rows, by number from 1."""
    header: int = -1
    """Which of them names the columns."""


@dataclass(slots=True)
class _Row:
    number: int
    cells: list[str]
    faults: dict[int, str]
    is_hidden: bool


@dataclass(slots=True)
class _Book:
    archive: Archive
    sheets: list[_Sheet]
    strings: list[str]
    time_styles: frozenset[int]
    epoch: datetime

    @classmethod
    def open(cls, archive: Archive) -> _Book:
        """Read what the sheets share. Raises ScriptError."""
        start = _relations(archive, "_rels/.rels", "")
        part = next((target for kind, target in start.values() if kind == "officeDocument"), "xl/workbook.xml")
        root = parse_xml(archive.read(part), archive.name, part)
        folder, name = posixpath.split(part)
        links = _relations(archive, posixpath.join(folder, "_rels", f"{name}.rels"), folder)
        shared = dict(links.values())
        sheets = list(_sheets(root, links))
        if len(sheets) > MAX_SHEETS:
            raise ScriptTooLarge(archive.name, part, f"has {len(sheets):,} sheets, more than {MAX_SHEETS}")
        properties = root.find("{*}workbookPr")
        is_1904 = properties is not None and properties.get("date1904") in ("1", "true")
        names = archive.names()
        strings, styles = shared.get("sharedStrings", ""), shared.get("styles", "")
        return cls(
            archive,
            sheets,
            list(_strings(archive, strings)) if strings in names else [],
            _time_styles(parse_xml(archive.read(styles), archive.name, styles)) if styles in names else frozenset(),
            datetime(1904, 1, 1) if is_1904 else datetime(1899, 12, 30),
        )

    def rows(self, sheet: _Sheet, max_chars: int) -> Iterator[_Row]:
        """Yield the rows of a sheet that hold a value. Raises ScriptError."""
        file = self.archive.name
        row: _Row | None = None
        number = count = chars = 0
        for element in elements(self.archive, sheet.part, ("row", "c")):
            is_row = element.tag[-3:] == "row"
            if row is None:  # the first cell of a row, or a row without cells
                parent = element.getparent()
                opened = element if is_row or parent is None else parent
                number, count = _number(opened.get("r")) or number + 1, 0
                row = _Row(number, [], {}, opened.get("hidden") in ("1", "true"))
                if number > MAX_ROWS:
                    raise ScriptTooLarge(file, sheet.name, f"has a row {number:,}, past the last of a workbook")
            if is_row:
                if row.cells or row.faults:
                    yield row
                row = None
                forget(element)
                continue
            count += 1
            if count > _MAX_CELLS_A_ROW:
                raise ScriptTooLarge(file, f"{sheet.name}, row {number}", "has more cells than a workbook can")
            chars += self._take(element, row)
            if chars > max_chars:
                reason = f"holds more than {max_chars:,} characters of text; divide the workbook"
                raise ScriptTooLarge(file, f"{sheet.name}, row {number}", reason)

    def _take(self, cell: etree._Element, row: _Row) -> int:
        """Put a cell into its row; returns its characters."""
        at = _column_index((cell.get("r") or "").rstrip("0123456789"))
        if at < 0:
            at = len(row.cells)
        if at >= MAX_COLUMNS + 1:
            return 0
        value, fault = self._value(cell)
        if fault:
            row.faults[at] = fault
        if not value:
            return 0
        if at >= len(row.cells):
            row.cells.extend([""] * (at + 1 - len(row.cells)))
        row.cells[at] = value
        return len(value)

    def _value(self, cell: etree._Element) -> tuple[str, str]:
        """Return the text of a cell and what is wrong with it."""
        kind = cell.get("t") or "n"
        if kind == "inlineStr":
            only = cell[0][0] if len(cell) == 1 and len(cell[0]) == 1 else None
            plain = only is not None and _local(only) == "t"
            return (_unescaped(only.text or "") if plain and only is not None else _plain(cell)), ""
        stored, has_formula = None, False
        for child in cell:
            name = _local(child)
            if name == "v":
                stored = child.text
            elif name == "f":
                has_formula = True
        if stored is None or not stored.strip():
            missing = has_formula and kind != "str"
            return "", "is a formula without a stored value; open the workbook, let it calculate, and save it" * missing
        if kind == "s":
            at = _number(stored)
            return (self.strings[at], "") if at is not None and at < len(self.strings) else ("", "its text is missing")
        if kind == "e":
            return "", f"holds the error {stored[:20]}"
        if kind == "b":
            return ("TRUE" if stored.strip() == "1" else "FALSE"), ""
        if kind in ("str", "d"):
            return _unescaped(stored), ""
        return self._numeral(stored, _number(cell.get("s")) in self.time_styles), ""

    def _numeral(self, stored: str, is_time: bool) -> str:
        """Write a number as a sheet shows it: days as a clock time to the millisecond, or as a date."""
        try:
            value = float(stored)
        except ValueError:
            return stored
        if not abs(value) < 1e15:
            return stored.strip()
        if not is_time or value < 0:
            return str(int(value)) if value == int(value) else f"{value:.9f}".rstrip("0").rstrip(".")
        ms = round(value * _MS_A_DAY)
        if ms <= MAX_MS:
            seconds, ms = divmod(ms, 1000)
            return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{ms:03}"
        try:
            moment = self.epoch + timedelta(milliseconds=ms)
        except OverflowError:
            return stored
        return moment.date().isoformat() if ms % _MS_A_DAY == 0 else moment.isoformat(" ", "seconds")


def _chosen(book: _Book, rows: Rows) -> list[_Sheet]:
    """Return the sheets to read, their headers found; what is not read is noticed."""
    options = rows.options
    wanted = [_named(book, name) for name in options.sheets]
    depth = max(HEADER_WITHIN, options.header_row or 0)
    for sheet in book.sheets:
        if wanted and sheet not in wanted:
            continue
        sheet.head = _head(book, sheet, depth, options)
        found = header_at(sheet.head, options)
        sheet.header = -1 if found is None else found
    if wanted:
        without = next((sheet for sheet in wanted if sheet.header < 0), None)
        if without is not None:
            raise _no_header(rows, without)
        return wanted
    chosen = [sheet for sheet in book.sheets if sheet.header >= 0 and not sheet.is_hidden]
    timed = [sheet for sheet in chosen if "in" in find_columns(sheet.head[sheet.header], options.columns)]
    chosen = timed or chosen
    for sheet in book.sheets:
        if sheet not in chosen:
            rows.notices.append(Rejection(sheet.name, _why_not(sheet)))
    if not chosen:
        if not book.sheets:
            raise ScriptUnreadable(rows.file, "", "holds no sheet of cells")
        raise _no_header(rows, next((sheet for sheet in book.sheets if not sheet.is_hidden), book.sheets[0]))
    return chosen


def _why_not(sheet: _Sheet) -> str:
    if sheet.is_hidden:
        return "is a hidden sheet and not read; a mapping that names it under sheets has it read"
    if sheet.header < 0:
        return "is not read: no row names a column for the text"
    return "is not read: it has no times, and other sheets have; a mapping that names it under sheets has it read"


def _named(book: _Book, name: str) -> _Sheet:
    for sheet in book.sheets:
        if sheet.name.strip().casefold() == name.strip().casefold():
            return sheet
    known = ", ".join(repr(sheet.name) for sheet in book.sheets[:20])
    raise HeaderMissing(book.archive.name, "", f"has no sheet {name!r}; it has {known or 'none'}")


def _no_header(rows: Rows, sheet: _Sheet) -> HeaderMissing:
    error = no_header(rows, sheet.head)
    return HeaderMissing(error.file, f"{sheet.name}, {error.place}", error.reason)


def _head(book: _Book, sheet: _Sheet, depth: int, options: ReadOptions) -> list[list[str]]:
    """Return the first rows of a sheet, empty ones in their place."""
    head: list[list[str]] = []
    for row in book.rows(sheet, options.max_file_bytes):
        if row.number > depth:
            break
        head.extend([] for _ in range(row.number - 1 - len(head)))
        head.append(row.cells)
    return head


def _with_own_rate(book: _Book, rows: Rows) -> ReadOptions:
    """Take the frame rate that a sheet of project data states, where the caller names none."""
    if rows.options.frame_rate is not None:
        return rows.options
    for sheet in book.sheets:
        for number, row in enumerate(sheet.head if sheet.header < 0 else sheet.head[: sheet.header], 1):
            cells = [cell.strip() for cell in row if cell.strip()]
            if len(cells) < 2 or cells[0].rstrip(": ").casefold() not in _RATE_NAMES:
                continue
            try:
                rate = parse_frame_rate(cells[1])
            except FrameRateInvalid:
                continue
            reason = f"the workbook states {shown_rate(rate)} frames a second, and its timecodes are read so"
            rows.notices.append(Rejection(f"{sheet.name}, row {number}", reason))
            return replace(rows.options, frame_rate=rate)
    return rows.options


def _read_sheet(book: _Book, sheet: _Sheet, rows: Rows) -> None:
    merged = _merged(book, sheet)
    repeated = {rows.columns[name] for name in _REPEATED if name in rows.columns}
    active: dict[int, tuple[int, str]] = {}
    hidden: list[int] = []
    for row in book.rows(sheet, rows.options.max_file_bytes):
        if row.number <= sheet.header + 1:
            continue
        for at, (last, value) in active.items():
            if row.number <= last and at in repeated:
                row.cells.extend([""] * (at + 1 - len(row.cells)))
                row.cells[at] = row.cells[at] or value
        for at, last in merged.pop(row.number, ()):
            active[at] = (last, row.cells[at] if at < len(row.cells) else "")
        if row.is_hidden:
            hidden.append(row.number)
        rows.take(row.cells, row.number, row.faults)
    if hidden:
        count = "1 hidden row is" if len(hidden) == 1 else f"{len(hidden):,} hidden rows are"
        rows.notices.append(Rejection(f"{sheet.name}, row {hidden[0]}", f"{count} read like the others"))


def _merged(book: _Book, sheet: _Sheet) -> dict[int, list[tuple[int, int]]]:
    """Return first row → (column, last row) of the cells that are merged over several rows."""
    found = merged_over_rows(book.archive, sheet.part)
    columns = {row: [(_column_index(letters), last) for letters, last in cells] for row, cells in found.items()}
    return {row: [(at, last) for at, last in cells if at < MAX_COLUMNS] for row, cells in columns.items()}


def _relations(archive: Archive, part: str, folder: str) -> dict[str, tuple[str, str]]:
    """Return id → (kind, target) of the links inside the archive; links to the outside are left alone."""
    if part not in archive.names():
        return {}
    links: dict[str, tuple[str, str]] = {}
    for link in parse_xml(archive.read(part), archive.name, part).iterfind("{*}Relationship"):
        if link.get("TargetMode") != "External":
            target = link.get("Target") or ""
            path = target.lstrip("/") if target.startswith("/") else posixpath.join(folder, target)
            links[link.get("Id") or ""] = ((link.get("Type") or "").rpartition("/")[2], posixpath.normpath(path))
    return links


def _sheets(root: etree._Element, links: dict[str, tuple[str, str]]) -> Iterator[_Sheet]:
    """Yield the sheets of cells in the order of their tabs; charts and dialogs are none."""
    for element in root.iterfind("{*}sheets/{*}sheet"):
        kind, part = links.get(element.get(_RELATIONSHIP) or element.get(_STRICT_RELATIONSHIP) or "", ("", ""))
        if kind == "worksheet":
            state = element.get("state") or "visible"
            yield _Sheet(" ".join((element.get("name") or part)[:100].split()), part, state != "visible")


def _strings(archive: Archive, part: str) -> Iterator[str]:
    for element in elements(archive, part, ("si",)):
        yield _plain(element)
        forget(element)


def _time_styles(root: etree._Element) -> frozenset[int]:
    """Return the indices of the cell styles that show a date or a time."""
    custom = {
        _number(style.get("numFmtId")): style.get("formatCode") or "" for style in root.iterfind("{*}numFmts/{*}numFmt")
    }
    found: set[int] = set()
    for at, style in enumerate(root.iterfind("{*}cellXfs/{*}xf")):
        number = _number(style.get("numFmtId"))
        code = custom.get(number)
        if number in _DATE_FORMATS if code is None else _DATE_LETTER.search(_NOT_SHOWN.sub("", code.split(";")[0])):
            found.add(at)
    return frozenset(found)


def _plain(element: etree._Element) -> str:
    """Return the text of a string: its runs one after the other, readings above the letters left out."""
    runs = [node.text or "" for node in element.iter("{*}t") if not any(True for _ in node.iterancestors("{*}rPh"))]
    return _unescaped("".join(runs))


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(_character, text) if "_x" in text else text


def _character(match: re.Match[str]) -> str:
    code = int(match[1], 16)
    return "" if 0xD800 <= code <= 0xDFFF or (code < 32 and code not in (9, 10, 13)) else chr(code)


def _local(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _number(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None
