"""Lessons written as data, in YAML or JSON: what is said of each slide or lesson, with ids that stay.

    title: …                            also author, language, date, character
    slides:                             or lessons, sections, chapters; lists of them may be inside each other
      - id: intro                       optional, stays when the title changes
        title: …
        speaker_notes: |                or narration, script, notes, text: the first of these that is there
          Paragraphs, set apart by empty lines.
      - title: …
        speaker_notes:
          - A paragraph.
          - {id: l-7, text: …, character: …, language: …, emotion: …, pause: 1.5}

A file may also be nothing but a list of such lines.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import PurePath

from scheduler.scripts.blocks import LINE_BREAK, Block, clean, tidy
from scheduler.scripts.builder import Builder, Draft
from scheduler.scripts.detection import of_text
from scheduler.scripts.encodings import decode
from scheduler.scripts.errors import MarkupError, ScriptEmpty, ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.frontmatter import MAX_DEPTH, MAX_NODES, Value, flat, load_yaml
from scheduler.scripts.keys import LineKeys, SectionKeys
from scheduler.scripts.languages import normal_tag
from scheduler.scripts.markup import Speakers
from scheduler.scripts.model import ReadOptions, Rejection, ScriptDocument, ScriptLine, ScriptSection, nothing
from scheduler.scripts.segmentation import spoken_length
from scheduler.scripts.slides import WHY_NO_ID, is_id
from scheduler.scripts.source import ScriptSource

_PARTS: Mapping[str, str] = {"lessons": "lesson", "slides": "slide", "sections": "lesson", "chapters": "chapter"}
_SPEECH = ("speaker_notes", "narration", "script", "notes", "text")
_WHO = ("character", "speaker")
_KNOWN_ROOT = frozenset({"title", "author", "authors", "language", "lang", "date", "year", *_WHO, *_PARTS})
_KNOWN_PART = frozenset({"id", "title", "language", "lang", *_WHO, *_PARTS})
_KNOWN_LINE = frozenset({"id", "text", "language", "lang", "emotion", "pause", *_WHO})
_NARRATOR = frozenset({"narrator", "narration"})
_SHAPE = (
    "expected is {title, slides: [{id, title, speaker_notes: text or [text or {id, text, character}]}]} "
    "(lessons, sections or chapters for slides), or a list of {id, text, character}"
)
_MAX_BYTES = 16 * 1024 * 1024
_MAX_PAUSE_MS = 600_000
_MAX_ID_CHARS = 200
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\Z)|[\[\]{},]', re.DOTALL)
_TIME = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)\s*(ms|s)?\Z")
_EMPTY_LINE = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")


class LessonsReader:
    """Reads ``.yaml``, ``.yml`` and ``.json``."""

    name = "lessons"
    suffixes = (".yaml", ".yml", ".json")
    kind = "course"

    def sniff(self, head: bytes) -> bool:
        """Data has no signature: it is known by its suffix alone."""
        return False

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read a file of lessons whole."""
        text, encoding = decode(source.data(min(options.max_file_bytes, _MAX_BYTES)), source.name, options.encoding)
        suffix = PurePath(source.name).suffix.lower()
        is_json = suffix == ".json" or (suffix not in (".yaml", ".yml") and text.lstrip()[:1] in ("{", "["))
        root = _load_json(text, source.name) if is_json else load_yaml(text, source.name)
        course = _Course(source.name, options, PurePath(source.name).stem)
        course.read(root)
        sections, rejected = course.sections()
        notices = course.notices
        if encoding not in ("utf-8", "ascii"):
            notices.append(Rejection("", f"read as {encoding}"))
        return ScriptDocument(
            title=course.title,
            author=course.author,
            language=course.language,
            kind="dialogue" if isinstance(root, list) else "course",
            format=self.name,
            sections=sections,
            year=course.year,
            rejected=rejected,
            notices=tuple(notices),
        )


@dataclass(frozen=True, slots=True)
class _Context:
    """What a part says for all in it."""

    language: str
    characters: tuple[str, ...]
    extra: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Item:
    """What is said in one go."""

    place: str
    text: str
    context: _Context
    key: str = ""
    """The file's own id."""
    is_line: bool = False
    """Written as one line: it stays one, unless it is too long for one take."""
    emotion: str = ""
    pause_ms: int | None = None


@dataclass(slots=True)
class _Part:
    """A slide, lesson or chapter."""

    key: str
    kind: str
    title: str
    items: list[_Item]


@dataclass(slots=True)
class _Course:
    """Gathers parts while the tree is walked."""

    file: str
    options: ReadOptions
    title: str
    author: str = ""
    year: str = ""
    language: str = ""
    notices: list[Rejection] = field(default_factory=list)
    _parts: list[_Part] = field(default_factory=list)
    _ids: dict[tuple[str, str], str] = field(default_factory=dict)
    """(part or line, id) → where it stands."""

    def read(self, root: Value) -> None:
        """Read the whole tree. Raises ScriptUnreadable where its shape is another, naming the path."""
        facts = flat(root) if isinstance(root, dict) else {}
        self._choose_language(root, facts)
        if isinstance(root, list):
            context = _Context(self.language, (), nothing())
            self._parts.append(_Part("", "scene", self.title, list(self._speech(root, "", context))))
            return
        if not isinstance(root, dict) or not any(name in root for name in _PARTS):
            raise ScriptUnreadable(self.file, "", f"holds {_kind_of(root)} without slides or lessons; {_SHAPE}")
        self.title = self._text(root, ("title",), "") or self.title
        self.author = clean(facts.get("author", "")).strip()
        self.year = clean(facts.get("date", facts.get("year", ""))).strip()[:4]
        others = sorted(clean(name)[:40] for name in root if name not in _KNOWN_ROOT)
        if others:
            self.notices.append(Rejection("", f"not understood and left out: {', '.join(others[:20])}"))
        self._lists(root, "", _Context(self.language, self._characters(root, ""), nothing()))

    def sections(self) -> tuple[tuple[ScriptSection, ...], tuple[Rejection, ...]]:
        """Make the sections. Raises ScriptEmpty when nothing is said."""
        spoken = [part for part in self._parts if part.items]
        if not spoken:
            raise ScriptEmpty(self.file, "", f"no slide or lesson says anything; {_SHAPE}")
        self._name(spoken)
        builder = Builder(self.file, self.options)
        drafts, blocks = self._drafts(spoken)
        keys = SectionKeys()
        parts = {keys.of_title(part.key): part for part in spoken}
        items = {item.place: item for part in spoken for item in part.items}
        ids = LineKeys()
        for identity in [item.key for item in items.values() if item.key]:
            ids.claim(identity)
        made = []
        for section in builder.sections(drafts, ""):
            part = parts[section.key]
            lines = tuple(_finished(section.lines, items, blocks, ids, self.options.max_line_chars))
            made.append(ScriptSection(part.key, part.kind, part.title, lines))
        return tuple(made), tuple(builder.rejected)

    def _choose_language(self, root: Value, facts: Mapping[str, str]) -> None:
        stated = facts.get("language") or facts.get("lang")
        self.language = normal_tag(self.options.language) or (self._tag(stated, "language") if stated else "")
        if not self.language:
            self.language, sure = of_text("\n".join(_some_text(root)))
            if not sure:
                reason = f"no language is stated: read as {self.language!r}; --language says otherwise"
                self.notices.append(Rejection("", reason))

    def _lists(self, holder: Mapping[str, Value], path: str, context: _Context) -> None:
        """Read the lists of parts that something holds."""
        for name, parts in holder.items():
            if name not in _PARTS or parts is None:
                continue
            place, kind = _joined(path, name), _PARTS[name]
            if not isinstance(parts, list):
                raise self._wrong(place, parts, "a list")
            for number, part in enumerate(parts):
                self._part(part, kind, f"{place}[{number}]", context)

    def _part(self, part: Value, kind: str, path: str, above: _Context) -> None:
        if not isinstance(part, dict):
            raise self._wrong(path, part, "a mapping with a title and speaker_notes")
        spoken = next((name for name in _SPEECH if part.get(name) is not None), None)
        extra = {**above.extra, **_others(part, _KNOWN_PART | {spoken or ""})}
        tag = self._language_of(part, path)
        characters = self._characters(part, path) if any(name in part for name in _WHO) else above.characters
        context = _Context(tag or above.language, characters, extra or nothing())
        title = self._text(part, ("title",), path)
        identity = self._identity(part, "part", path)
        if identity and not is_id(identity):
            raise ScriptUnreadable(self.file, f"{path}.id", f"{identity[:60]!r} {WHY_NO_ID}")
        items = list(self._speech(part[spoken], f"{path}.{spoken}", context)) if spoken is not None else []
        holds_parts = any(part.get(name) is not None for name in _PARTS)
        if not items and not holds_parts:
            self.notices.append(Rejection(path, f"{title or identity or kind!r} has no notes: nothing is spoken"))
        self._parts.append(_Part(identity, kind, title, items))
        self._lists(part, path, _Context(context.language, context.characters, above.extra))

    def _speech(self, value: Value, path: str, context: _Context) -> Iterator[_Item]:
        if isinstance(value, str):
            if value.strip():
                yield _Item(path, value, context)
        elif isinstance(value, dict):
            yield self._line(value, path, context)
        elif isinstance(value, list):
            for number, one in enumerate(value):
                place = f"{path}[{number}]"
                if isinstance(one, dict):
                    yield self._line(one, place, context)
                elif not isinstance(one, str):
                    raise self._wrong(place, one, "text or a mapping with a text")
                elif one.strip():
                    yield _Item(place, one, context)
        else:
            raise self._wrong(path, value, "text or a list")

    def _line(self, line: Mapping[str, Value], path: str, context: _Context) -> _Item:
        text = line.get("text")
        if not isinstance(text, str):
            raise self._wrong(f"{path}.text", text, "text") if "text" in line else self._no_text(line, path)
        extra = {**context.extra, **_others(line, _KNOWN_LINE)}
        given = self._characters(line, path) if any(name in line for name in _WHO) else context.characters
        return _Item(
            place=path,
            text=text,
            context=_Context(self._language_of(line, path) or context.language, given, extra or nothing()),
            key=self._identity(line, "line", path),
            is_line=True,
            emotion=self._text(line, ("emotion",), path),
            pause_ms=self._pause(line.get("pause"), f"{path}.pause"),
        )

    def _no_text(self, line: Mapping[str, Value], path: str) -> ScriptUnreadable:
        names = ", ".join(repr(clean(name)[:40]) for name in list(line)[:8]) or "nothing"
        return ScriptUnreadable(self.file, path, f"has no 'text', only {names}; {_SHAPE}")

    def _identity(self, holder: Mapping[str, Value], what: str, path: str) -> str:
        identity = self._text(holder, ("id",), path)
        if len(identity) > _MAX_ID_CHARS:
            raise ScriptUnreadable(self.file, f"{path}.id", f"has {len(identity):,} characters; 200 are enough")
        before = self._ids.setdefault((what, identity), path) if identity else path
        if before != path:
            raise ScriptUnreadable(self.file, f"{path}.id", f"{identity!r} is the id of {before}; give it another")
        return identity

    def _language_of(self, holder: Mapping[str, Value], path: str) -> str:
        text = self._text(holder, ("language", "lang"), path)
        return self._tag(text, f"{path}.language") if text else ""

    def _tag(self, text: str, path: str) -> str:
        tag = normal_tag(text)
        if tag is None:
            raise ScriptUnreadable(self.file, path, f"{clean(text)[:20]!r} is no language; write a tag such as 'en-GB'")
        return tag

    def _characters(self, holder: Mapping[str, Value], path: str) -> tuple[str, ...]:
        """One name, or a list of those who speak together; the narrator is nobody."""
        name = next((name for name in _WHO if holder.get(name) is not None), None)
        if name is None:
            return ()
        value = holder[name]
        found = []
        for one in value if isinstance(value, list) else [value]:
            if not isinstance(one, str):
                raise self._wrong(_joined(path, name), one, "a name")
            found.append(clean(one).strip())
        return tuple(one for one in dict.fromkeys(found) if one and one.casefold() not in _NARRATOR)

    def _text(self, holder: Mapping[str, Value], names: Sequence[str], path: str) -> str:
        """Return a short text; a number is one as well."""
        name = next((name for name in names if holder.get(name) is not None), None)
        value = holder[name] if name is not None else ""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self._wrong(_joined(path, name or ""), value, "text")
        return clean(str(value)).strip()

    def _pause(self, value: Value, path: str) -> int | None:
        """Milliseconds, from a number of seconds or a text such as '500ms'."""
        if value is None:
            return None
        found = None if isinstance(value, bool | dict | list) else _TIME.match(str(value).strip())
        length = -1 if found is None else round(Fraction(found[1]) * (1 if found[2] == "ms" else 1000))
        if not 0 <= length <= _MAX_PAUSE_MS:
            reason = "is no silence of up to 600 seconds; write seconds, such as 1.5, or '500ms'"
            raise ScriptUnreadable(self.file, path, f"{clean(str(value))[:40]!r} {reason}")
        return length

    def _wrong(self, path: str, value: Value, wanted: str) -> ScriptUnreadable:
        return ScriptUnreadable(self.file, path, f"is {_kind_of(value)}, where {wanted} belongs")

    def _name(self, parts: Sequence[_Part]) -> None:
        """Give every part a title and a key; ids in the file come first, so that no made one takes theirs."""
        taken = {part.key for part in parts if part.key}
        keys = SectionKeys()
        for number, part in enumerate(parts, 1):
            if not part.key:
                said = "\n".join(item.text for item in part.items)
                digest = hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:12]
                made = (keys.of_title(part.title or f"{part.kind}-{digest}") for _ in range(len(taken) + 1))
                part.key = next(key for key in made if key not in taken)
            part.title = part.title or f"{part.kind.title()} {number}"

    def _drafts(self, parts: Sequence[_Part]) -> tuple[list[Draft], dict[str, Block]]:
        """Return the drafts, and for each line written as one its block."""
        speakers = Speakers.start(self.file, self.language)
        drafts: list[Draft] = []
        single: dict[str, Block] = {}
        place = ""
        try:
            for part in parts:
                draft = Draft(part.key, part.title, [])
                drafts.append(draft)
                for item in part.items:
                    place = item.place
                    texts = [item.text] if item.is_line else _EMPTY_LINE.split(item.text.replace("\r\n", "\n"))
                    for text in texts:
                        # JSON can write half a character, which no file and no database takes
                        whole = text.encode("utf-8", "ignore").decode("utf-8")
                        block = Block(tidy(speakers.pieces(whole, 1)), item.context.language, place)
                        draft.items.extend([block] if block.pieces else [])
                        if item.is_line:
                            single[place] = block
            speakers.finish()
        except MarkupError as error:
            raise MarkupError(error.file, place, error.reason) from error
        return drafts, single


def _finished(
    lines: Sequence[ScriptLine], items: Mapping[str, _Item], blocks: Mapping[str, Block], ids: LineKeys, limit: int
) -> Iterator[ScriptLine]:
    """Give the lines of each item what the file says of it."""
    at = 0
    while at < len(lines):
        item = items[lines[at].place]
        end = next((n for n in range(at, len(lines)) if lines[n].place != item.place), len(lines))
        group = list(lines[at:end])
        if item.is_line:
            group = _as_one(group, blocks[item.place], limit)
        for number, line in enumerate(group, 1):
            own = item.key if number == 1 or not item.key else ids.claim(item.key)
            yield replace(
                line,
                key=own or line.key,
                characters=line.characters or item.context.characters,
                direction={"emotion": item.emotion, **line.direction} if item.emotion else line.direction,
                extra={**item.context.extra, **line.extra} if line.extra else item.context.extra,
                pause_ms=item.pause_ms if number == len(group) and item.pause_ms is not None else line.pause_ms,
            )
        at = end


def _as_one(group: list[ScriptLine], block: Block, limit: int) -> list[ScriptLine]:
    """Undo the division into sentences, unless the line is too long, or markup says that it has several parts."""
    manners = {(line.characters, tuple(line.direction.items())) for line in group}
    has_points = any(piece.is_point for piece in block.pieces)
    if len(group) == 1 or len(manners) > 1 or has_points or spoken_length(block.text) > limit:
        return group
    said = "".join(" " if piece is LINE_BREAK else piece.spoken or piece.text for piece in block.pieces)
    spoken = said if said != block.text else ""
    return [replace(group[0], text=block.text, spoken=spoken, boundary=group[-1].boundary)]


def _others(holder: Mapping[str, Value], known: frozenset[str] | set[str]) -> dict[str, str]:
    """The fields nobody knows, as text."""
    found = {}
    for name, value in holder.items():
        if name not in known and value is not None:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            found[clean(name).strip()] = clean(text).strip()
    return found


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _kind_of(value: Value) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    names = ((str, "text"), (list, "a list"), (dict, "a mapping"))
    return next((name for kind, name in names if isinstance(value, kind)), "a number")


def _some_text(root: Value) -> Iterator[str]:
    """Yield the texts of a tree in order, without recursion."""
    left: list[Value] = [root]
    while left:
        value = left.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            left.extend(reversed(value))
        elif isinstance(value, dict):
            left.extend(reversed(value.values()))


class _NotPlain(ValueError):
    """Something that Python reads and JSON does not have, or should not."""


def _load_json(text: str, file: str) -> Value:
    _measure(text, file)
    try:
        found: Value = json.loads(text, object_pairs_hook=_unique, parse_constant=_constant, parse_int=_whole)
    except json.JSONDecodeError as error:
        reason = f"is not JSON: {error.msg} (column {error.colno})"
        raise ScriptUnreadable(file, f"line {error.lineno}", reason) from error
    except _NotPlain as error:
        raise ScriptUnreadable(file, "", f"is not JSON as it should be: {error}") from error
    return found


def _measure(text: str, file: str) -> None:
    """Refuse what is too deep or too much before it is built; brackets in strings do not count."""
    depth = count = 0
    for found in _TOKEN.finditer(text):
        mark = found[0][0]
        if mark == '"':
            continue
        depth += (mark in "[{") - (mark in "]}")
        count += 1
        if depth > MAX_DEPTH or count > 2 * MAX_NODES:
            line = text.count("\n", 0, found.start()) + 1
            what = f"{MAX_DEPTH} levels inside each other" if depth > MAX_DEPTH else f"{MAX_NODES:,} values"
            raise ScriptTooLarge(file, f"line {line}", f"has more than {what}")


def _unique(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, value in pairs:
        if name in found:
            raise _NotPlain(f"the key {clean(name)[:40]!r} is there twice in one object; keep one of them")
        found[name] = value
    return found


def _constant(name: str) -> Value:
    raise _NotPlain(f"{name} is no number; write null or a text")


def _whole(digits: str) -> int:
    if len(digits) > 20:
        raise _NotPlain(f"a number of {len(digits):,} digits; write it as text")
    return int(digits)
