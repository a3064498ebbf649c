"""The script as it was recorded, as a workbook: what was asked for and what was made of it, a row per line.

Office Open XML (ECMA-376) with one sheet. Texts are texts whatever they begin with: no cell is a formula or a link. The
same rows give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from synthesis.errors import SheetUnwritable

Value = str | float | None
MAX_ROWS = 1_048_575
"""Below the header."""
MAX_COLUMNS = 16_384
MAX_CELL_CHARS = 32_767
_WIDEST = 60
_NARROWEST = 8
_LOOKED_AT = 200
"""Rows from which the width of a column is told."""


def write_sheet(
    path: Path, title: str, columns: Sequence[str], rows: Sequence[Mapping[str, Value]], made_at: datetime
) -> None:
    """Write rows (header → value) under the headers, in order; a header that a row lacks is an empty cell.

    Numbers become numbers, everything else text. Raises SheetUnwritable for more than a workbook can hold.
    """
    import xlsxwriter

    _check(columns, rows)
    options = {"constant_memory": True, "tmpdir": str(path.parent)}
    with xlsxwriter.Workbook(str(path), options) as book:
        book.set_properties({"title": title, "created": made_at.replace(tzinfo=None, microsecond=0)})
        sheet = book.add_worksheet("Script")
        head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        text = book.add_format({"text_wrap": True, "valign": "top"})
        number = book.add_format({"num_format": "0.000", "valign": "top"})
        for at, name in enumerate(columns):
            sheet.set_column(at, at, _width(name, rows))
        sheet.freeze_panes(1, 0)
        for at, name in enumerate(columns):
            sheet.write_string(0, at, name, head)
        for place, row in enumerate(rows, 1):
            for at, name in enumerate(columns):
                value = row.get(name)
                if isinstance(value, str):
                    if value:
                        sheet.write_string(place, at, value, text)
                elif value is not None:
                    sheet.write_number(place, at, value, number)
        sheet.autofilter(0, 0, len(rows), len(columns) - 1)


def _check(columns: Sequence[str], rows: Sequence[Mapping[str, Value]]) -> None:
    if len(rows) > MAX_ROWS:
        raise SheetUnwritable("", f"{len(rows):,} lines are more than the {MAX_ROWS:,} rows of a workbook")
    if len(columns) > MAX_COLUMNS:
        raise SheetUnwritable("", f"{len(columns):,} columns are more than the {MAX_COLUMNS:,} of a workbook")
    for place, row in enumerate(rows, 1):
        for name, value in row.items():
            if isinstance(value, str) and len(value) > MAX_CELL_CHARS:
                reason = f"{name} has {len(value):,} characters, more than the {MAX_CELL_CHARS:,} of a cell"
                raise SheetUnwritable(f"row {place + 1}", reason)


def _width(name: str, rows: Sequence[Mapping[str, Value]]) -> int:
    """Characters that show most of what is in the column."""
    shown = (len(value) for row in rows[:_LOOKED_AT] if isinstance(value := row.get(name), str))
    return max(_NARROWEST, min(_WIDEST, max((len(name), *shown)) + 2))
