"""Ren'Py: scripts and translation files (``.rpy``), and the exported ``dialogue.tab``.

A line in a ``translate LANGUAGE ID:`` block and a row of dialogue.tab keep their identifier, which names the voice
file in the game. Lines of a plain script have the id of their ``id`` clause, or a hash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from scheduler.scripts.encodings import decode, to_lines
from scheduler.scripts.errors import HeaderMissing, ScriptUnreadable
from scheduler.scripts.gametext import Gatherer, Talk, load, short, together
from scheduler.scripts.languages import normal_tag
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.source import ScriptSource

_SNIFF = re.compile(rb"(?m)^(?:label [A-Za-z_.][\w.]*(?:\([^)\r\n]*\))?:|translate \w+ \w+:|define \w+ = Character\()")
_MARK = re.compile(r"\"\"\"|'''|```|[\"'`#\n(\[{)\]}]")
_NAME = r"[^\W\d]\w*"
_STRING = r"\"[^\"\\]*(?:\\.[^\"\\]*)*\"|'[^'\\]*(?:\\.[^'\\]*)*'|`[^`\\]*(?:\\.[^`\\]*)*`"
_TRIPLE = r"\"\"\"(?:[^\"\\]|\\.|\"(?!\"\"))*\"\"\"|'''(?:[^'\\]|\\.|'(?!''))*'''|```(?:[^`\\]|\\.|`(?!``))*```"
_TEXT = re.compile(rf"(?:{_TRIPLE}|{_STRING})", re.DOTALL)
_WHO = re.compile(rf"(?P<who>{_NAME}(?:\.{_NAME})*)(?P<looks>(?:\s+(?:@\s*)?-?\w+){{0,20}}(?:\s*@)?)\s*(?=[\"'`])")
_ID = re.compile(r"\bid\s+([\w.]+)")
_LABEL = re.compile(r"label\s+(\.?[\w.]+)")
_TRANSLATE = re.compile(r"translate\s+(\w+)\s+([\w.]+)\s*:")
_CHARACTER = re.compile(
    rf"(?:define\s+(?:-?\d+\s+)?|default\s+|\$\s*)(?P<short>{_NAME}(?:\.{_NAME})*)\s*=\s*(?P<class>\w*Character)\s*\("
    rf"\s*(?:name\s*=\s*)?(?:_\(\s*)?(?P<name>None|{_STRING})?",
    re.DOTALL,
)
_SKIPPED_BLOCK = re.compile(
    r"(?:(?:init\b.{0,80}?\b)?python\b|(?:show|scene|camera)\b|(?:init\b.{0,80}?\b)?(?:screen|image|transform|style|layeredimage|testcase|testsuite)\b)"
    r"|translate\s+\w+\s+(?:python|style)\b",
    re.DOTALL,
)
_STATEMENTS = frozenset({
    "return", "jump", "call", "scene", "show", "hide", "with", "play", "stop", "queue", "pause", "nvl", "window",
    "if", "elif", "else", "while", "for", "pass", "define", "default", "init", "image", "transform", "style",
    "screen", "python", "camera", "menu", "label", "translate", "rpy", "at", "layeredimage", "testcase", "import",
})  # fmt: skip
_NARRATORS = frozenset({"narrator", "centered", "vcentered", "_narrator"})
_TAG = re.compile(r"\{\{|\{([^{}]*)\}|\{")
_SILENT = re.compile(r"\{(rt|art|alt)\}.{0,500}?\{/\1\}", re.DOTALL)
_SUBSTITUTION = re.compile(r"\[\[|\[([^\[\]]*)|%%|%\(\w+\)\w")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{1,4})|(.))", re.DOTALL)
_IDENTIFIER = re.compile(r"(.+)_[0-9a-f]{8}(?:_\d+)?\Z")
_RUN_TIME = "is known only while the game runs; write a line for each value it can have"
_HEADER = ("Identifier", "Character", "Dialogue", "Filename", "Line Number", "Ren'Py Script")


class RenpyReader:
    """Reads ``.rpy`` scripts and translation files; one section per label."""

    name = "renpy"
    suffixes = (".rpy",)
    kind = "dialogue"

    def sniff(self, head: bytes) -> bool:
        """A label, a translate block or a character at the start of a line."""
        return _SNIFF.search(head) is not None

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read a script whole; Python in it is never run."""
        lines, encoding = load(source, options)
        statements = list(_statements("\n".join(lines), source.name))
        reading = _Script(Gatherer(source, options, "label"), _cast(statements))
        for statement in statements:
            reading.feed(statement)
        reading.finish()
        return reading.gatherer.document(self.name, encoding)


@dataclass(frozen=True, slots=True)
class _Statement:
    """A logical line: strings and brackets may take it over several lines of the file."""

    number: int
    indent: int
    text: str
    is_comment: bool = False

    @property
    def place(self) -> str:
        return f"line {self.number}"

    @property
    def word(self) -> str:
        return re.split(r"[^\w$]", self.text, maxsplit=1)[0]


def _statements(text: str, file: str) -> Iterator[_Statement]:
    start = depth = at = 0
    number = 1
    while True:
        match = _MARK.search(text, at)
        if match is None or match[0] in "#\n":
            stop = match.start() if match is not None else len(text)
            ends = match is None or match[0] == "#" or not depth
            if ends and not (depth and match is not None):
                yield from _statement(text[start:stop], number)
            if match is None:
                if depth:
                    raise ScriptUnreadable(file, f"line {number}", "a bracket opened here is not closed")
                return
            at = match.end()
            if match[0] == "#":
                end = text.find("\n", stop)
                end = len(text) if end < 0 else end
                if not depth:
                    yield _Statement(number + text.count("\n", start, stop), 0, text[stop + 1 : end].strip(), True)
                    number, start = number + text.count("\n", start, end), end
                at = end
            elif not depth:
                number, start = number + text.count("\n", start, at), at
        elif match[0] in "([{":
            depth, at = depth + 1, match.end()
        elif match[0] in ")]}":
            depth, at = max(0, depth - 1), match.end()
        else:
            at = _string_end(text, match)
            if at < 0:
                line = number + text.count("\n", start, match.start())
                raise ScriptUnreadable(file, f"line {line}", f"a string opened here is not closed by {match[0]}")


def _statement(text: str, number: int) -> Iterator[_Statement]:
    body = text.strip()
    if body:
        before = text[: len(text) - len(text.lstrip())]
        line_start = before.rfind("\n") + 1
        yield _Statement(number + before.count("\n"), len(before[line_start:].expandtabs(8)), body)


def _string_end(text: str, opening: re.Match[str]) -> int:
    """Return the position behind a string; -1 if it is not closed."""
    quote = opening[0]
    at = opening.end()
    while True:
        end = text.find(quote, at)
        if end < 0:
            return -1
        slashes = end - len(text[opening.end() : end].rstrip("\\")) - opening.end()
        if slashes % 2 == 0:
            return end + len(quote)
        at = end + 1


def _cast(statements: Sequence[_Statement]) -> dict[str, str | None]:
    """Short names of characters → their names; None is the narrator; a name made at run time is left out."""
    cast: dict[str, str | None] = {}
    for statement in statements:
        match = None if statement.is_comment else _CHARACTER.match(statement.text)
        if match is None or match["name"] is None or match["class"] == "DynamicCharacter":
            continue
        if match["name"] == "None":
            cast[match["short"]] = None
            continue
        name, problem = _shown(_unescaped(match["name"][1:-1]))
        if not problem and name.strip():
            cast[match["short"]] = name.strip()
    return cast


@dataclass(slots=True)
class _Script:
    """Goes through the statements of a file."""

    gatherer: Gatherer
    cast: dict[str, str | None]
    skip_over: int = -1
    """Indentation of the block that is skipped; -1 is none."""
    label: str = ""
    language: str = ""
    identity: str = ""
    """Identifier of the translate block now read."""
    originals: list[str] = field(default_factory=list)
    in_strings: bool = False
    voice: str = ""
    speaker: tuple[str, ...] = ()
    unknown: dict[str, int] = field(default_factory=dict)

    def feed(self, statement: _Statement) -> None:
        """Take one statement."""
        if statement.is_comment:
            if self.identity:
                self._original(statement.text)
            return
        if self.skip_over >= 0:
            if statement.indent > self.skip_over:
                return
            self.skip_over = -1
        if not statement.indent:
            self.identity, self.in_strings = "", False
            self.originals.clear()
        if _SKIPPED_BLOCK.match(statement.text) and statement.text.endswith(":"):
            self.skip_over = statement.indent
            return
        limit = self.gatherer.options.max_source_line_chars
        if len(statement.text) > limit:
            size = f"{len(statement.text):,} characters, more than {limit:,}"
            self.gatherer.reject(statement.place, f"a statement of {size}; is a string not closed?")
        elif not self._structure(statement):
            self._say(statement)

    def finish(self) -> None:
        """Say which short names stayed."""
        if self.unknown:
            names = ", ".join(f"{name} ({count})" for name, count in list(self.unknown.items())[:20])
            self.gatherer.notice("", f"characters whose names this file does not state keep their short names: {names}")

    def _original(self, comment: str) -> None:
        text = _first_text(comment)
        if text is not None:
            self.originals.append(_shown(_unescaped(text))[0])

    def _structure(self, statement: _Statement) -> bool:
        """Take labels, translate blocks and voices; False for what may be said."""
        text = statement.text
        label = _LABEL.match(text)
        if label is not None:
            name = label[1]
            if name.startswith("."):
                name = self.label.partition(".")[0] + name
            self.label = name
            self.gatherer.open_section(name)
            return True
        block = _TRANSLATE.match(text)
        if block is not None:
            self._translation(statement, block[1], block[2])
            return True
        if statement.word == "voice":
            self.voice = _first_text(text) or ""
            return True
        if self.in_strings:
            self.gatherer.left_out["strings of the interface"] += statement.word == "new"
            return True
        return False

    def _translation(self, statement: _Statement, language: str, identity: str) -> None:
        self.in_strings = identity == "strings"
        self.originals.clear()
        self.identity = "" if self.in_strings else identity
        known = normal_tag(language) if language != "None" else ""
        if known is None:
            self.gatherer.notice(statement.place, f"{language!r} is no language; read as the file's")
        self.language = normal_tag(self.gatherer.options.language) or known or ""
        if self.identity:
            self.gatherer.resume_section(_label_of(identity) or self.gatherer.stem)

    def _say(self, statement: _Statement) -> None:
        text = statement.text
        who = _WHO.match(text)
        name, looks = "", ""
        if who is not None:
            if statement.word in _STATEMENTS:
                return
            name, looks, text = who["who"], " ".join(who["looks"].split()), text[who.end() :]
        elif text[0] not in "\"'`":
            return
        first = _TEXT.match(text)
        if first is None:
            self.gatherer.reject(statement.place, f"is no statement that can be read: {short(statement.text)!r}")
            return
        rest = text[first.end() :].strip()
        second = _TEXT.match(rest) if not name else None
        if second is not None:
            self._spoken(statement, self._written(first[0]), second[0], rest[second.end() :], "")
        elif rest.endswith(":") and not name:
            self._choice(statement, first[0])
        else:
            self._spoken(statement, self._characters(name), first[0], rest, looks)

    def _written(self, literal: str) -> tuple[str, ...]:
        """The speaker of ``"Name" "text"``; a name made at run time stays as it is written."""
        name, problem = _shown(_unescaped(_inner(literal)))
        if not problem:
            return together(name)
        raw = " ".join(_inner(literal).split())
        self.unknown[raw] = self.unknown.get(raw, 0) + 1
        return (raw,)

    def _characters(self, name: str) -> tuple[str, ...]:
        if name == "extend":
            return self.speaker
        if not name or name in _NARRATORS:
            return ()
        if name in self.cast:
            known = self.cast[name]
            return together(known) if known is not None else ()
        self.unknown[name] = self.unknown.get(name, 0) + 1
        return (name,)

    def _spoken(
        self, statement: _Statement, characters: tuple[str, ...], literal: str, clauses: str, looks: str
    ) -> None:
        self.speaker = characters
        extra = {"voice": self.voice} if self.voice else {}
        self.voice = ""
        given = _ID.search(_TEXT.sub("", clauses))
        original = self.originals.pop(0) if self.originals else ""
        identity = self.identity or (given[1] if given is not None else "")
        if self.identity and not _inner(literal).strip():
            self.gatherer.reject(statement.place, f"{identity} is not translated")
            return
        emotion = " ".join(part for part in looks.replace("@", " ").split() if not part.startswith("-"))
        for part in _paragraphs(literal):
            said, problem = _shown(_unescaped(part))
            if problem:
                self.gatherer.reject(statement.place, problem)
                continue
            self.gatherer.say(
                Talk(
                    said,
                    statement.place,
                    identity,
                    characters,
                    direction={"emotion": emotion} if emotion else {},
                    extra=extra,
                    original=original,
                    language=self.language if self.identity else "",
                )
            )

    def _choice(self, statement: _Statement, literal: str) -> None:
        """Take the caption of a menu's choice, which stands in the picture."""
        said, problem = _shown(_unescaped(_inner(literal)))
        if problem:
            self.gatherer.reject(statement.place, problem)
        else:
            self.gatherer.say(Talk(said, statement.place, kind="onscreen", extra={"role": "choice"}))


def _first_text(text: str) -> str | None:
    """The first string in a text that is no statement; the second where the first is a name in front of it."""
    start = min((at for quote in "\"'`" if (at := text.find(quote)) >= 0), default=-1)
    match = _TEXT.match(text, start) if start >= 0 else None
    if match is None:
        return None
    second = _TEXT.match(text[match.end() :].lstrip()) if not start else None
    return _inner((second or match)[0])


def _inner(literal: str) -> str:
    size = 3 if literal[:3] in ('"""', "'''", "```") else 1
    return literal[size:-size]


def _paragraphs(literal: str) -> list[str]:
    """The lines of a string: a triple-quoted one is a line for each paragraph."""
    if literal[:3] not in ('"""', "'''", "```"):
        return [_inner(literal)]
    return [part for part in re.split(r"\n\s*\n\s*", _inner(literal).strip()) if part.strip()]


def _label_of(identity: str) -> str:
    match = _IDENTIFIER.match(identity)
    return match[1] if match is not None else identity


_ESCAPED = {"n": "\n", "t": "\t", "[": "[[", "{": "{{", "%": "%%"}


def _unescaped(text: str) -> str:
    """Resolve backslashes as in a script."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else _ESCAPED.get(match[2], match[2]), text)


def _shown(text: str) -> tuple[str, str]:
    """Return (text without tags, '') or ('', why it cannot be said)."""
    text = _SILENT.sub("", text)
    kept: list[str] = []
    at = 0
    for match in _TAG.finditer(text):
        part, problem = _filled(text[at : match.start()])
        kept.append(part)
        if problem:
            return "", problem
        at = match.end()
        if match[0] == "{{":
            kept.append("{")
        elif match[1] is None:
            return "", "a { is not closed by }; write {{ for one that is shown"
        elif match[1] == "done":
            return "".join(kept), ""
        elif match[1].split("=")[0].strip() in ("w", "p", "space", "vspace"):
            kept.append(" ")
    part, problem = _filled(text[at:])
    return ("", problem) if problem else ("".join([*kept, part]), "")


def _filled(text: str) -> tuple[str, str]:
    """Resolve doubled marks; a substitution is a problem."""
    kept: list[str] = []
    at = 0
    for match in _SUBSTITUTION.finditer(text):
        if match[0] not in ("[[", "%%"):
            shown = match[0] + "]" if match[0].startswith("[") else match[0]
            return "", f"{short(shown)!r} {_RUN_TIME}"
        kept.extend((text[at : match.start()], match[0][0]))
        at = match.end()
    return "".join([*kept, text[at:]]), ""


class RenpyDialogueReader:
    """Reads ``dialogue.tab`` as Ren'Py exports it; one section per label, taken from the identifiers.

    It takes ``.tab`` only by its header, so it stands after the sheet reader: a sheet without that header is a sheet.
    """

    name = "renpy-dialogue"
    suffixes = (".tab",)
    kind = "dialogue"

    def sniff(self, head: bytes) -> bool:
        """The header of the export."""
        return head.removeprefix(b"\xef\xbb\xbf").startswith(b"Identifier\tCharacter\tDialogue\t")

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read an export whole."""
        text, encoding = decode(source.data(options.max_file_bytes), source.name, options.encoding)
        lines = to_lines(text.removeprefix("\ufeff"), source.name, options.max_source_line_chars)
        gatherer = Gatherer(source, options, "label")
        at = {name: index for index, name in enumerate(lines[0].split("\t"))}
        missing = [name for name in _HEADER[:3] if name not in at]
        if missing:
            raise HeaderMissing(
                source.name, "row 1", f"lacks the columns {', '.join(missing)}; the export begins with them"
            )
        for number, line in enumerate(lines[1:], 2):
            if line.strip():
                cells = line.split("\t")
                _row(
                    gatherer, {name: cells[index] for name, index in at.items() if index < len(cells)}, f"row {number}"
                )
        return gatherer.document(self.name, encoding)


_CELL_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "", "b": "", "f": "\n", "v": "\n"}


def _row(gatherer: Gatherer, cells: dict[str, str], place: str) -> None:
    raw = _ESCAPE.sub(
        lambda match: match[0] if match[1] else _CELL_ESCAPES.get(match[2], match[2]), cells.get("Dialogue", "")
    )
    identity, name = cells.get("Identifier", "").strip(), cells.get("Character", "").strip()
    gatherer.resume_section(_label_of(identity) if identity else cells.get("Filename", "").strip() or gatherer.stem)
    said, problem = _shown(raw)
    if problem:
        gatherer.reject(place, problem)
        return
    extra = {title: cells[title].strip() for title in _HEADER[3:] if cells.get(title, "").strip()}
    if name[:1] in ('"', "'") and len(name) > 1 and name.endswith(name[0]):  # written in the script, not defined
        shown, problem = _shown(_unescaped(name[1:-1]))
        name = name[1:-1] if problem else shown
    characters = () if name in _NARRATORS else together(name)
    gatherer.say(Talk(said, place, identity, characters, extra=extra))
