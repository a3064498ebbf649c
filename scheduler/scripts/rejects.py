"""The report of what a reader did not take: a CSV that opens in a spreadsheet beside the script."""

from __future__ import annotations

import csv
from pathlib import Path

from scheduler.scripts.errors import ScriptUnreadable
from scheduler.scripts.model import ScriptDocument

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_rejects(document: ScriptDocument, source_name: str, path: Path) -> int:
    """Write one row for each rejected part: file, place, reason; returns how many. Raises ScriptUnreadable.

    A file is written also when nothing was rejected, so that its absence never reads as success.
    """
    try:
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("file", "place", "reason"))
            rows.writerows((_plain(source_name), _plain(item.place), _plain(item.reason)) for item in document.rejected)
    except OSError as error:
        raise ScriptUnreadable(str(path), "", f"the report cannot be written: {error.strerror or error}") from error
    return len(document.rejected)


def _plain(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
