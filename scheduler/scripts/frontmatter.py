"""The ``key: value`` lines between two ``---`` at the top of a Markdown file. Flat values only: no YAML is run."""

from __future__ import annotations

import re

_PAIR = re.compile(r"([A-Za-z][\w -]{0,40}?)\s*:(?:\s+(.*))?\Z")
_MAX_LINES = 200


def split_front_matter(lines: list[str]) -> tuple[dict[str, str], int]:
    """Return the values, keys in lower case, and how many lines they take; ({}, 0) where there are none."""
    if not lines or lines[0].strip().lstrip("\ufeff") != "---":
        return {}, 0
    end = next((n for n, line in enumerate(lines[1:_MAX_LINES], 1) if line.strip() in ("---", "...")), 0)
    inside = lines[1:end]
    if not any(_PAIR.match(line.rstrip()) for line in inside):
        return {}, 0
    values: dict[str, str] = {}
    for line in inside:
        match = _PAIR.match(line.rstrip())
        if match is not None and match[2]:
            values[match[1].lower()] = _unquoted(match[2])
    return values, end + 1


def _unquoted(value: str) -> str:
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value.split(" #", 1)[0].strip()
