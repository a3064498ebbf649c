"""Yarn Spinner 2 and 3: dialogue nodes (``.yarn``), and the strings tables exported from them (CSV).

The key of a line is its id as the strings table writes it, ``line:1a2b3c``: the prefix is part of the id.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from scheduler.scripts.encodings import decode, to_lines
from scheduler.scripts.errors import HeaderMissing, ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.gametext import DIRECTIONS, Gatherer, Talk, load, short, sort_tags, together, without_tags
from scheduler.scripts.languages import normal_tag
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.segmentation import speakable
from scheduler.scripts.source import ScriptSource

_SNIFF = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s|(?:#|//)[^\r\n]*[\r\n])*title[ \t]*:")
_BODY = re.compile(rb"(?m)^---[ \t]*\r?$")
_BULLET = re.compile(r"\s*(->|=>)\s*")
_TOKEN = re.compile(r"\\.|//|<<|[#{\[\]]")
_TAG = re.compile(r"#([^\s#<]+)")
_CONSTANT = re.compile(r"\{\s*\"([^\"\\{}]*)\"\s*\}")
_MARKUP = re.compile(r"\\(.)|\[((?:[^\]\"\\]|\"[^\"]*\"|\\.)*)(\])?")
_ATTRIBUTE = re.compile(r"([\w.-]+)\s*=\s*(?:\"([^\"]*)\"|([^\s\"/\]]+))")
_CHARACTER = re.compile(r"(?<!\\)\[\s*character\b([^\]]{0,200}?)(?<!/)\](.{0,1000}?)\[\s*/\s*(?:character\s*)?\]")
_COLON = re.compile(r"\\.|[\[\]:]")
_CHOSEN_AT_RUN = frozenset({"select", "plural", "ordinal"})
_MAX_NAME_CHARS = 60


@dataclass(slots=True)
class _Parts:
    """One line of a node, taken apart."""

    text: str = ""
    """With its marks and escapes."""
    tags: list[str] = field(default_factory=list)
    commands: int = 0
    problem: str = ""
    """Why it cannot be spoken; '' is nothing."""


class YarnReader:
    """Reads ``.yarn``; one section per node."""

    name = "yarn"
    suffixes = (".yarn",)
    kind = "dialogue"

    def sniff(self, head: bytes) -> bool:
        """A title header, and the dashes that open a body."""
        return _SNIFF.match(head) is not None and _BODY.search(head) is not None

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read a file of nodes whole."""
        lines, encoding = load(source, options)
        reading = _Nodes(Gatherer(source, options, "node"))
        for number, line in enumerate(lines, 1):
            reading.feed(number, line)
        reading.finish()
        return reading.gatherer.document(self.name, encoding)


@dataclass(slots=True)
class _Nodes:
    """Goes through a file line by line: headers, body, headers …"""

    gatherer: Gatherer
    opened: int = 0
    """Line on which the body now read was opened; 0 is among headers."""
    title: str = ""
    any_node: bool = False

    def feed(self, number: int, line: str) -> None:
        """Take one line of the file."""
        text = line.strip()
        if self.opened:
            if text == "===":
                self.opened, self.title = 0, ""
            elif text:
                _body_line(self.gatherer, line, f"line {number}")
            return
        if text == "---":
            self._open(number)
        elif text and not text.startswith(("//", "#")):
            self._header(number, line)

    def finish(self) -> None:
        """Check that the file is whole."""
        file = self.gatherer.file
        if self.opened:
            raise ScriptUnreadable(
                file, f"line {self.opened}", f"the node {short(self.title)!r} is not closed by a line ==="
            )
        if not self.any_node:
            raise ScriptUnreadable(file, "", "holds no node: a line title: NAME, a line ---, what is said, a line ===")

    def _open(self, number: int) -> None:
        if not self.title:
            raise ScriptUnreadable(self.gatherer.file, f"line {number}", "a node has no title; write title: NAME above")
        self.opened, self.any_node = number, True
        self.gatherer.open_section(self.title)

    def _header(self, number: int, line: str) -> None:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            self.gatherer.reject(
                f"line {number}", f"stands outside any node: {short(line)!r}; a body opens with --- and closes with ==="
            )
        elif name.strip().lower() == "title":
            self.title = value.partition("//")[0].strip()


def _body_line(gatherer: Gatherer, line: str, place: str) -> None:
    if line.lstrip().startswith("[["):
        gatherer.reject(
            place,
            f"{short(line)!r} is how version 1 writes options; upgrade the file, or write -> TEXT and <<jump NODE>>",
        )
        return
    bullet = _BULLET.match(line)
    parts = _taken_apart(line[bullet.end() :] if bullet else line)
    if parts.commands:
        gatherer.left_out["commands and conditions"] += parts.commands
    if not parts.text.strip():
        if parts.problem:
            gatherer.reject(place, parts.problem)
        return
    identity = next((tag for tag in parts.tags if tag.startswith("line:")), "")
    if any(tag.startswith("shadow:") for tag in parts.tags):
        gatherer.left_out["shadow lines, which use the take of another line"] += 1
        return
    problem = parts.problem
    talk = None if problem else _talk(gatherer, parts.text, place, identity)
    if talk is None:
        if problem:
            gatherer.reject(place, problem)
        return
    direction, extra = sort_tags(tag for tag in parts.tags if tag != identity)
    if bullet is not None and bullet[1] == "->":
        extra["role"] = "choice"
    gatherer.say(
        Talk(
            talk.text,
            place,
            identity,
            talk.characters,
            direction={**direction, **talk.direction},
            extra=extra,
        )
    )


def _taken_apart(line: str) -> _Parts:
    """Divide a line into text, commands and hashtags; a comment ends it."""
    parts = _Parts()
    kept: list[str] = []
    at = depth = 0
    ended = False
    while at < len(line):
        match = _TOKEN.search(line, at)
        stop = match.start() if match else len(line)
        if not ended:
            kept.append(line[at:stop])
        if match is None or match[0] == "//":
            break
        at = match.end()
        mark = match[0]
        if mark == "<<":
            ended = True
            parts.commands += 1
            end = line.find(">>", at)
            if end < 0:
                parts.problem = "a << is not closed by >>"
                break
            at = end + 2
        elif mark == "#" and not depth:
            tag = _TAG.match(line, stop)
            ended = True
            if tag is not None:
                parts.tags.append(tag[1])
                at = tag.end()
        elif mark == "{":
            at = _expression(line, stop, kept, parts)
        else:
            depth = max(0, depth + {"[": 1, "]": -1}.get(mark, 0))
            if not ended:
                kept.append(mark)
    parts.text = "".join(kept)
    return parts


def _expression(line: str, start: int, kept: list[str], parts: _Parts) -> int:
    """Take ``{…}``: words in quotation marks are said, anything else is known only while the game runs."""
    constant = _CONSTANT.match(line, start)
    if constant is not None:
        kept.append(re.sub(r"([\[\]\\:])", r"\\\1", constant[1]))
        return constant.end()
    end = line.find("}", start)
    shown = short(line[start : end + 1] if end >= 0 else line[start:])
    parts.problem = f"{shown!r} is known only while the game runs; write a line for each value it can have"
    kept.append(" ")
    return end + 1 if end >= 0 else len(line)


@dataclass(frozen=True, slots=True)
class _Said:
    text: str
    characters: tuple[str, ...]
    direction: dict[str, str]


def _talk(gatherer: Gatherer, raw: str, place: str, identity: str) -> _Said | None:
    """Resolve marks, escapes and the name in front; None after rejecting the line."""
    marks: dict[str, str] = {}
    name = ""
    held = _CHARACTER.search(raw)
    if held is not None:
        name = _attributes("character" + held[1]).get("name", "")
        rest = raw[: held.start()] + raw[held.end() :]
        # the mark stands around the name in most scripts, around the words in some
        raw = rest if speakable(rest) else held[2]
    before, words = _split_name(without_tags(raw))
    try:
        label = _plain(before, marks)
        text = _plain(words, marks)
    except ValueError as error:
        gatherer.reject(place, str(error))
        return None
    direction = {DIRECTIONS[key]: value for key, value in marks.items() if key in DIRECTIONS}
    return _Said(text, together(marks.get("character", "") or name or label), direction)


def _split_name(raw: str) -> tuple[str, str]:
    """Divide at the first colon that is neither escaped, inside a mark, nor in a number such as 10:30."""
    depth = 0
    for match in _COLON.finditer(raw):
        mark = match[0]
        if mark == "[":
            depth += 1
        elif mark == "]":
            depth = max(0, depth - 1)
        elif mark == ":" and not depth:
            name, rest = raw[: match.start()].strip(), raw[match.end() :]
            in_number = name[-1:].isdigit() and rest[:1].isdigit()
            ends_sentence = (not rest.strip() and " " in name) or name.count("(") != name.count(")")
            is_name = speakable(name) and len(name) <= _MAX_NAME_CHARS and not in_number and not ends_sentence
            return (name, rest) if is_name else ("", raw)
    return "", raw


def _plain(raw: str, marks: dict[str, str]) -> str:
    """Text without marks; what they state is added to ``marks``. Raises ValueError saying what is wrong."""
    kept: list[str] = []
    at = 0
    for match in _MARKUP.finditer(raw):
        if match.start() < at:
            continue  # inside [nomarkup]
        kept.append(raw[at : match.start()])
        at = match.end()
        if match[1] is not None:
            kept.append(match[1])
            continue
        content = match[2].strip()
        if match[3] is None:
            raise ValueError(r"a [ is not closed by ]; write \[ for a bracket that is no mark")
        if content == "nomarkup":
            end = raw.find("[/nomarkup]", at)
            kept.append(raw[at:] if end < 0 else raw[at:end])
            at = len(raw) if end < 0 else end + len("[/nomarkup]")
            continue
        name = re.split(r"[\s=/]", content, maxsplit=1)[0]
        if name in _CHOSEN_AT_RUN:
            raise ValueError(f"[{short(content)}] chooses words while the game runs; write a line for each of them")
        _note(name, _attributes(content), marks)
    kept.append(raw[at:])
    return "".join(kept)


def _note(name: str, attributes: dict[str, str], marks: dict[str, str]) -> None:
    if name == "character" and attributes.get("name"):
        marks["character"] = attributes["name"]
    value = attributes.get(name) or attributes.get("value") or attributes.get("name")
    if name in DIRECTIONS and value:
        marks[name] = value


def _attributes(content: str) -> dict[str, str]:
    return {match[1]: match[2] if match[2] is not None else match[3] for match in _ATTRIBUTE.finditer(content)}


_COLUMNS = ("language", "id", "text", "file", "node", "lineNumber", "lock", "comment")
_NEEDED = frozenset({"id", "text", "node"})
_SIGNATURE = frozenset({"id", "text", "file", "node", "linenumber"})
_PLACEHOLDER = re.compile(r"(?<!\\)\{[^{}]*\}")


class YarnStringsReader:
    """Reads a strings table (``language,id,text,file,node,lineNumber,lock,comment``); one section per node.

    It takes ``.csv`` only by its header, so it stands after the sheet reader: a sheet without that header is a sheet.
    """

    name = "yarn-strings"
    suffixes = (".csv",)
    kind = "dialogue"

    def sniff(self, head: bytes) -> bool:
        """The header that Yarn Spinner writes."""
        first = head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n").splitlines()[:1]
        names = first[0].decode("utf-8", "replace").split(",") if first else []
        return frozenset(name.strip().strip('"').lower() for name in names) >= _SIGNATURE

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read a strings table whole."""
        text, encoding = decode(source.data(options.max_file_bytes), source.name, options.encoding)
        text = text.removeprefix("\ufeff")
        to_lines(text, source.name, options.max_source_line_chars)
        gatherer = Gatherer(source, options, "node")
        rows = csv.reader(re.findall(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+", text))
        number = 0
        try:
            at: dict[str, int] | None = None
            for number, row in enumerate(rows, 1):
                if at is None:
                    at = _columns(row, source.name) if any(row) else None
                elif any(cell.strip() for cell in row):
                    _string_row(gatherer, row, at, f"row {number}")
        except csv.Error as error:
            place = f"row {number + 1}"
            if "field limit" in str(error):
                reason = f"a cell has more than {csv.field_size_limit():,} characters; is a quotation mark not closed?"
                raise ScriptTooLarge(source.name, place, reason) from error
            raise ScriptUnreadable(source.name, place, f"is not a strings table: {error}") from error
        return gatherer.document(self.name, encoding)


def _columns(row: Sequence[str], file: str) -> dict[str, int]:
    known = {name.lower(): name for name in _COLUMNS}
    names = [cell.strip() for cell in row]
    at = {known.get(name.lower(), name): index for index, name in enumerate(names) if name}
    missing = sorted(_NEEDED - at.keys())
    if missing:
        raise HeaderMissing(
            file, "row 1", f"lacks the columns {', '.join(missing)}; a strings table has {','.join(_COLUMNS)}"
        )
    return at


def _string_row(gatherer: Gatherer, row: Sequence[str], at: dict[str, int], place: str) -> None:
    cells = {name: row[index].strip() for name, index in at.items() if index < len(row)}
    raw, identity = cells.get("text", ""), cells.get("id", "")
    gatherer.resume_section(cells.get("node", "") or gatherer.stem)
    if not raw:
        gatherer.reject(place, "no text")
        return
    hole = _PLACEHOLDER.search(raw)
    if hole is not None:
        gatherer.reject(
            place, f"{short(hole[0])!r} is known only while the game runs; write a line for each value it can have"
        )
        return
    talk = _talk(gatherer, raw, place, identity)
    if talk is None:
        return
    stated = cells.get("language", "")
    language = normal_tag(gatherer.options.language) or normal_tag(stated) or ""
    if stated and normal_tag(stated) is None:
        gatherer.notice(place, f"{short(stated)!r} is no language; read as the table's")
    gatherer.say(
        Talk(
            talk.text,
            place,
            identity,
            talk.characters,
            direction=talk.direction,
            extra=dict(_carried(cells)),
            language=language,
            notes=cells.get("comment", ""),
        )
    )


def _carried(cells: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in cells.items():
        if value and name not in ("language", "id", "text", "node", "comment"):
            yield name, value
