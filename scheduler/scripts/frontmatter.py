"""The YAML between two ``---`` at the top of a Markdown file, and YAML from a stranger in general.

Every scalar stays the text that was written: ``language: no`` is Norwegian and a date is its digits. Nothing is
constructed from tags, no alias is followed, and a mapping that names a key twice is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from scheduler.scripts.errors import ScriptRefused, ScriptTooLarge, ScriptUnreadable

if TYPE_CHECKING:
    import yaml

Value = dict[str, "Value"] | list["Value"] | str | int | float | bool | None
"""What YAML and JSON hold; from YAML, scalars are text or None."""

MAX_DEPTH = 32
"""Mappings and lists inside each other."""
MAX_NODES = 1_000_000
_MAX_FRONT_CHARS = 64 * 1024
_MAX_LINES = 200
_PAIR = re.compile(r"(?:[\"'][^\"']{1,40}[\"']|[A-Za-z][\w -]{0,40}?)\s*:(?:\s|\Z)")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_NOT_YAML = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def split_front_matter(lines: list[str], file: str = "") -> tuple[dict[str, str], int]:
    """Return the values, keys in lower case, and how many lines they take; ({}, 0) where there are none.

    Only text values are kept; a list of authors becomes one. Raises ScriptError naming the line of what is not YAML.
    """
    if not lines or lines[0].strip().lstrip("\ufeff") != "---":
        return {}, 0
    end = next((n for n, line in enumerate(lines[1:_MAX_LINES], 1) if line.rstrip() in ("---", "...")), 0)
    if not opens_mapping(lines[1:end]):
        return {}, 0
    found = load_yaml("\n".join(lines[1:end]), file, first_line=2, limit=_MAX_FRONT_CHARS)
    if not isinstance(found, dict):
        return {}, 0
    return flat(found), end + 1


def opens_mapping(lines: list[str]) -> bool:
    """Whether the first line that says something is ``key:``, so that YAML was meant."""
    first = next((line for line in lines if line.strip() and not line.lstrip().startswith("#")), "")
    return _PAIR.match(first) is not None


def flat(values: Mapping[str, Value]) -> dict[str, str]:
    """Return the text values, keys in lower case; authors, also as a list of names, under 'author'."""
    found = {key.strip().lower(): value.strip() for key, value in values.items() if isinstance(value, str)}
    for key, value in values.items():
        if key.strip().lower() in ("author", "authors") and "author" not in found:
            found["author"] = ", ".join(_names(value))
    return {key: value for key, value in found.items() if value}


def _names(value: Value) -> Iterator[str]:
    for one in value if isinstance(value, list) else [value]:
        name = one.get("name") if isinstance(one, dict) else one
        if isinstance(name, str) and name.strip():
            yield name.strip()


def load_yaml(text: str, file: str, *, first_line: int = 1, limit: int = 64 * 1024 * 1024) -> Value:
    """Return what one YAML document holds.

    Raises ScriptTooLarge past ``limit`` characters, 32 levels or a million values, ScriptRefused for anchors and
    aliases, ScriptUnreadable for what is not YAML, each naming the line; ``first_line`` is the number of the first.
    """
    import yaml

    if len(text) > limit:
        raise ScriptTooLarge(file, _line(first_line), f"its YAML has {len(text):,} characters, more than {limit:,}")
    bad = _NOT_YAML.search(text)
    if bad is not None:
        line = first_line + text.count("\n", 0, bad.start())
        raise ScriptUnreadable(file, _line(line), f"is not YAML: the character U+{ord(bad[0]):04X} cannot be in it")
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # the one in C where PyYAML has it: twenty times as fast
    tree = _Tree(file, first_line)
    try:
        for event in yaml.parse(text, Loader=loader):
            tree.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = first_line + (min(mark.line, text.count("\n")) if mark is not None else 0)
        reason = f"is not YAML: {error.problem or error.context}; quote text with ': ' or ' #' in it"
        raise ScriptUnreadable(file, _line(line), reason) from error
    except yaml.YAMLError as error:
        raise ScriptUnreadable(file, _line(first_line), f"is not YAML: {error}") from error
    return tree.root


def _line(number: int) -> str:
    return f"line {number}"


class _Tree:
    """Puts the events of the parser together without recursion."""

    def __init__(self, file: str, first_line: int) -> None:
        self.root: Value = None
        self._file = file
        self._first = first_line
        self._documents = 0
        self._nodes = 0
        self._open: list[tuple[dict[str, Value] | list[Value], list[str]]] = []
        """Open mappings and lists; beside a mapping, the key whose value comes next."""

    def take(self, event: yaml.Event) -> None:
        """Take the next event of the document."""
        import yaml

        place = _line(self._first + (event.start_mark.line if event.start_mark is not None else 0))
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise ScriptRefused(self._file, place, "uses a YAML anchor or alias (& or *); quote it, or write it out")
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise ScriptUnreadable(self._file, place, "a second YAML document begins; give it its own file")
        elif isinstance(event, yaml.ScalarEvent):
            is_null = not event.style and event.tag is None and event.value in _NULLS
            self._add(None if is_null else event.value, place)
        elif isinstance(event, yaml.MappingStartEvent):
            self._down({}, place)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._down([], place)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._open.pop()

    def _down(self, value: dict[str, Value] | list[Value], place: str) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise ScriptTooLarge(self._file, place, f"has more than {MAX_DEPTH} levels inside each other")
        self._add(value, place)
        self._open.append((value, []))

    def _add(self, value: Value, place: str) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise ScriptTooLarge(self._file, place, f"holds more than {MAX_NODES:,} values; divide it")
        if not self._open:
            self.root = value
            return
        parent, pending = self._open[-1]
        if isinstance(parent, list):
            parent.append(value)
        elif pending:
            parent[pending.pop()] = value
        elif not isinstance(value, str):
            raise ScriptUnreadable(self._file, place, "a key is not text; write it as a word before the colon")
        elif value in parent:
            raise ScriptUnreadable(self._file, place, f"the key {value[:40]!r} is there twice; keep one of them")
        else:
            parent[value] = None
            pending.append(value)
