"""A script as it was read, for people and for programs: what `voicefarm script show` prints."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from scheduler.scripts.model import Rejection, ScriptDocument, ScriptLine


def as_json(document: ScriptDocument) -> dict[str, Any]:
    """The document as JSON-like values; docs/scripts.md says what each key holds."""
    return {
        "title": document.title,
        "author": document.author,
        "language": document.language,
        "kind": document.kind,
        "format": document.format,
        "sections": [
            {
                "id": section.key,
                "title": section.title,
                "kind": section.kind,
                "lines": [line_as_json(line) for line in section.lines],
            }
            for section in document.sections
        ],
        "rejected": [_noted(item) for item in document.rejected],
        "notices": [_noted(item) for item in document.notices],
    }


def line_as_json(line: ScriptLine) -> dict[str, Any]:
    """One line; times are exact fractions of a second, and milliseconds."""
    return {
        "id": line.key,
        "kind": line.kind,
        "characters": list(line.characters),
        "in": exact(line.in_time),
        "out": exact(line.out_time),
        "in_ms": line.in_ms,
        "out_ms": line.out_ms,
        "text": line.said,
        "written": line.text,
        "original": line.original,
        "language": line.language,
        "direction": "; ".join(line.direction.values()),
        "directions": dict(line.direction),
        "notes": line.notes,
        "extra": dict(line.extra),
        "place": line.place,
    }


def exact(seconds: Fraction | None) -> str | None:
    """Seconds as 'numerator/denominator', or None."""
    return None if seconds is None else f"{seconds.numerator}/{seconds.denominator}"


def _noted(item: Rejection) -> dict[str, str]:
    return {"place": item.place, "reason": item.reason}
