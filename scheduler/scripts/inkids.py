"""Writes ``#id:`` tags into ink, which has no ids of its own: a line then keeps its take when its words change.

The tag stands behind the text and before a divert and other tags (``Hello. #id:1a2b3c4d -> next``), which ink has
understood since version 1.0.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scheduler.scripts.encodings import decode, marked, to_lines
from scheduler.scripts.errors import ScriptUnreadable
from scheduler.scripts.ink import parse_ink
from scheduler.scripts.model import MAX_FILE_BYTES, MAX_LINE_CHARS
from scheduler.scripts.segmentation import speakable
from scheduler.scripts.source import ScriptSource

_LINE = re.compile(r"([^\r\n]*)(\r\n?|\n|\Z)")
_ID = re.compile(r"#\s*id\s*:\s*([^\s#\]\[}]+)", re.IGNORECASE)
_ID_CHARS = 8


@dataclass(frozen=True, slots=True)
class NewId:
    """An id that a line lacked."""

    line: int
    """From 1."""
    name: str
    text: str
    """What is said in the line."""


@dataclass(frozen=True, slots=True)
class Identified:
    """A script in which every line that is one take has an id."""

    text: str
    lines: int
    """How many lines have an id now."""
    new: tuple[NewId, ...]
    """Those that had none before, in their order."""


def assign_ids(text: str) -> str:
    """Return the script with an id on every line that is spoken and has none; all else stays byte for byte.

    Run on its own result it changes nothing. An id is made from the knot, the words and the how-many-th equal line of
    the knot; one that the file uses already is never given again.
    """
    return identify(text).text


def identify(text: str) -> Identified:
    """Give ids as ``assign_ids`` does, and say which."""
    parts = [(match[1], match[2]) for match in _LINE.finditer(text)]
    taken = set(_ID.findall(text))
    seen: Counter[tuple[str, str]] = Counter()
    new: dict[int, NewId] = {}
    columns: dict[int, int] = {}
    named = 0
    for line in parse_ink([body for body, _ in parts]).lines:
        seen[line.section, line.text] += 1
        if line.problem or not speakable(line.text) or line.number in columns:
            continue
        named += 1
        if line.identity:
            continue
        facts = f"{line.section}\0{line.text}\0{seen[line.section, line.text]}"
        name = _unused(facts, taken)
        taken.add(name)
        new[line.number], columns[line.number] = NewId(line.number, name, line.text), line.tag_at
    done = []
    for number, (body, end) in enumerate(parts, 1):
        if number in columns:
            body = f"{body[: columns[number]]} #id:{new[number].name}{body[columns[number] :]}"
        done.append(body + end)
    return Identified("".join(done), named, tuple(new.values()))


def identify_file(path: Path, encoding: str | None = None) -> tuple[Identified, bytes]:
    """Return what ``identify`` makes of a file, and the bytes it then has, in its own encoding. Raises ScriptError."""
    source = ScriptSource.open(path)
    if path.suffix.lower() != ".ink":
        raise ScriptUnreadable(source.name, "", "is no ink script: its name does not end in .ink")
    data = source.data(MAX_FILE_BYTES)
    text, name = decode(data, source.name, encoding)
    to_lines(text, source.name, MAX_LINE_CHARS)
    mark = data[: found[1]] if (found := marked(data)) is not None else b""
    if mark + text.encode(name, "replace") != data:
        raise ScriptUnreadable(source.name, "", f"cannot be written back as it stands in {name}; save it as UTF-8")
    made = identify(text)
    return made, mark + made.text.encode(name)


def write_back(path: Path, data: bytes) -> None:
    """Put ``data`` in the place of a file, which is whole at every moment. Raises ScriptUnreadable."""
    target = path.resolve()  # a link stays one
    part = target.with_name(f".{target.name}.part")
    try:
        part.write_bytes(data)
        shutil.copymode(target, part)
        part.replace(target)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise ScriptUnreadable(str(path), "", f"cannot be written: {error.strerror or error}") from error


def _unused(facts: str, taken: set[str]) -> str:
    """Return the first digits of the hash that nobody has."""
    turn = 0
    while True:
        name = hashlib.sha256(f"{facts}\0{turn}".encode("utf-8", "replace")).hexdigest()[:_ID_CHARS]
        if name not in taken:
            return name
        turn += 1
