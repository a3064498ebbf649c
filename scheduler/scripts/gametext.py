"""What the scripts of games and films have in common: sections of lines that are each one take.

A line of a game is recorded as one file that the game finds by the line's id, so it is never divided; where two lines
bear one id, the later is numbered and a notice says so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from scheduler.scripts.blocks import clean
from scheduler.scripts.cues import take_effects
from scheduler.scripts.detection import of_text
from scheduler.scripts.encodings import decode, to_lines
from scheduler.scripts.errors import ScriptEmpty, ScriptTooLarge
from scheduler.scripts.keys import LineKeys, SectionKeys
from scheduler.scripts.languages import by_letters, normal_tag
from scheduler.scripts.model import (
    LineKind,
    ReadOptions,
    Rejection,
    ScriptDocument,
    ScriptLine,
    ScriptSection,
    nothing,
)
from scheduler.scripts.segmentation import speakable, split, spoken_length
from scheduler.scripts.source import ScriptSource

DIRECTIONS: Mapping[str, str] = {
    "emotion": "emotion", "mood": "emotion", "tone": "emotion", "feeling": "emotion", "pace": "pace", "speed": "pace",
    "reaction": "reaction", "action": "action", "direction": "action", "onscreen": "onscreen",
}  # fmt: skip
"""Names of tags and marks that say how a line is said → our names."""

_NARRATORS = frozenset({"narrator", "narration", "narrateur", "erzähler", "旁白", "ナレーション", "ナレーター"})
_TOGETHER = re.compile(r"\s*[/+&、，]\s*")
_PREFIX = re.compile(r"(?P<name>[^\s:：][^:：]{0,39}?)\s*[:：](?!\d|//)\s*")
_NO_NAME = re.compile(r"[?!,;…\"“”«»|<>{}\[\]]")
_RICH_TEXT = re.compile(
    r"</?(?P<name>align|allcaps|alpha|b|br|color|cspace|em|font|font-weight|gradient|i|indent|line-height|line-indent|link"
    r"|lowercase|margin|mark|mspace|nobr|noparse|page|pos|rotate|s|size|smallcaps|space|span|sprite|strikethrough|strong"
    r"|style|sub|sup|u|uppercase|voffset|width)(?:[\s=][^<>]{0,200})?\s*/?>|<#[0-9a-fA-F]{3,8}>",
    re.IGNORECASE,
)
"""Tags of Unity's rich text and the few of HTML that games show their text with."""
_SPACING = frozenset({"br", "page", "space"})
_MAX_NAME_WORDS = 4
_MAX_NAMES_TOLD = 20
_SHOWN_CHARS = 60


@dataclass(frozen=True, slots=True)
class Talk:
    """What a reader found about one line, before it has its key and language."""

    text: str
    place: str
    identity: str = ""
    """The file's own id; '' makes one."""
    characters: tuple[str, ...] = ()
    kind: LineKind = "speech"
    direction: Mapping[str, str] = field(default_factory=nothing)
    extra: Mapping[str, str] = field(default_factory=nothing)
    original: str = ""
    language: str = ""
    notes: str = ""


@dataclass(slots=True)
class Gathered:
    """A section while its lines are gathered."""

    key: str
    kind: str
    title: str
    lines: list[ScriptLine] = field(default_factory=list)


def load(source: ScriptSource, options: ReadOptions) -> tuple[list[str], str]:
    """Return the lines of a text file and the encoding it was read in. Raises ScriptError."""
    text, encoding = decode(source.data(options.max_file_bytes), source.name, options.encoding)
    return to_lines(text.removeprefix("\ufeff"), source.name, options.max_source_line_chars), encoding


def short(text: str) -> str:
    """A text cut to what a message has room for."""
    text = text.strip()
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 3] + "..."


def together(name: str) -> tuple[str, ...]:
    """The characters in a speaker's name: several at ``/``, ``&`` or ``+``; none for the narrator."""
    names = (" ".join(clean(part).split()) for part in _TOGETHER.split(name))
    return tuple(part for part in names if part and part.casefold() not in _NARRATORS)


def take_name(text: str) -> tuple[str, str]:
    """Take ``Name:`` off the front of a text; returns ('', text) where what stands before the colon is no name.

    A name has up to four words and no punctuation of a sentence, and starts with no small letter. Several words with
    nothing behind them are a sentence that ends in a colon.
    """
    match = _PREFIX.match(text)
    if match is None or (match.end() == len(text) and " " in match["name"]):
        return "", text
    name = match["name"]
    is_name = (
        name[0].isalnum()
        and not name[0].islower()
        and not name.isdigit()
        and len(name.split()) <= _MAX_NAME_WORDS
        and _NO_NAME.search(name) is None
        and speakable(name)
    )
    return (name, text[match.end() :]) if is_name else ("", text)


def without_tags(text: str) -> str:
    """Take the tags of rich text out, such as ``<i>`` and ``<color=#f00>``; others are text, as a smiley is."""
    if "<" not in text:
        return text
    return _RICH_TEXT.sub(lambda tag: " " if (tag["name"] or "").lower() in _SPACING else "", text)


def sort_tags(tags: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Divide tags such as ``emotion:sad`` and ``shout`` into directions and extras; plain ones come under 'tags'."""
    direction: dict[str, str] = {}
    extra: dict[str, str] = {}
    plain: list[str] = []
    for tag in tags:
        name, colon, value = (part.strip() for part in tag.partition(":"))
        if colon and name and value:
            known = DIRECTIONS.get(name.lower())
            target, key = (direction, known) if known is not None else (extra, name)
            target[key] = f"{target[key]}; {value}" if key in target else value
        elif tag.strip():
            plain.append(tag.strip())
    if plain:
        extra["tags"] = "; ".join(plain)
    return direction, extra


class Gatherer:
    """Gathers the sections of one file, and what was left out of it."""

    def __init__(self, source: ScriptSource, options: ReadOptions, kind: str) -> None:
        self.file = source.name
        self.stem = PurePath(source.name).stem
        self.options = options
        self.rejected: list[Rejection] = []
        self.notices: list[Rejection] = []
        self.left_out: Counter[str] = Counter()
        """What is not spoken in such files → how often it came."""
        self.labels: Counter[str] = Counter()
        """Names taken from before a colon by our own convention → how often."""
        self._kind = kind
        self._sections: list[Gathered] = []
        self._by_name: dict[str, Gathered] = {}
        self._now: Gathered | None = None
        self._line_keys = LineKeys()
        self._section_keys = SectionKeys()
        self._long = 0

    def open_section(self, name: str, title: str = "") -> Gathered:
        """Begin a section; one of the same name before it stays another."""
        shown = clean(title or name).strip()
        section = self._now = Gathered(self._section_keys.of_title(name), self._kind, shown)
        self._sections.append(section)
        return section

    def resume_section(self, name: str) -> None:
        """Go on with the section of that name, or begin it."""
        if name in self._by_name:
            self._now = self._by_name[name]
        else:
            self._by_name[name] = self.open_section(name)

    def reject(self, place: str, reason: str) -> None:
        """Note a part that should have been read and was not."""
        self.rejected.append(Rejection(place, reason))

    def notice(self, place: str, reason: str) -> None:
        """Note a choice made."""
        self.notices.append(Rejection(place, reason))

    def labelled(self, text: str) -> tuple[tuple[str, ...], str]:
        """Return the characters that ``Name:`` in front of a text names, and the text without it."""
        text = without_tags(text)
        if not self.options.speaker_labels:
            return (), text
        name, rest = take_name(text)
        if name:
            self.labels[" ".join(name.split())] += 1
        return together(name), rest

    def say(self, talk: Talk, *, divide: bool = False) -> None:
        """Take a line, or reject it when there is nothing to say in it; ``divide`` cuts a long one into sentences."""
        text = clean(without_tags(talk.text)).strip()
        if len(text) > self.options.max_source_line_chars:
            raise ScriptTooLarge(self.file, talk.place, f"a line has {len(text):,} characters; divide it")
        kind, direction = talk.kind, talk.direction
        if "[" in text and kind == "speech":
            said, reaction = take_effects(text)
            if speakable(said):
                text, direction = said, {**direction, "reaction": reaction} if reaction else direction
            elif speakable(reaction):
                kind, text = "reaction", reaction
        if not speakable(text):
            empty = f"{short(' / '.join(talk.characters))} has nothing to say" if talk.characters and not text else ""
            self.reject(talk.place, empty or f"nothing speakable in {short(talk.text)!r}")
            return
        line = ScriptLine(
            key="",
            text=text,
            language=talk.language,
            kind=kind,
            characters=talk.characters,
            original=clean(talk.original).strip(),
            boundary="paragraph",
            direction={name: clean(value) for name, value in direction.items()} or nothing(),
            notes=clean(talk.notes).strip(),
            extra={clean(name): clean(value) for name, value in talk.extra.items()} or nothing(),
            place=talk.place,
        )
        long = spoken_length(text) > self.options.max_line_chars
        self._long += long and not divide
        for part in self._divided(line) if long and divide else (line,):
            self._add(part, clean(talk.identity).strip())

    def _add(self, line: ScriptLine, identity: str) -> None:
        section = self._current()
        key = self._line_keys.claim(identity) if identity else self._line_keys.of_text(section.key, line.text)
        if identity and key != identity:
            self.notice(line.place, f"the id {identity!r} is used before; this line is {key!r}")
        section.lines.append(replace(line, key=key))

    def _divided(self, line: ScriptLine) -> Iterator[ScriptLine]:
        language = line.language or normal_tag(self.options.language) or by_letters(line.text)[0]
        spans = split(line.text, language, self.options.max_line_chars)
        parts = [part for a, b in spans if speakable(part := line.text[a:b].strip())]
        for number, part in enumerate(parts, 1):
            yield replace(line, text=part, boundary="paragraph" if number == len(parts) else "sentence")

    def _current(self) -> Gathered:
        return self._now or self.open_section(self.stem)

    def document(
        self, format: str, encoding: str, *, title: str = "", author: str = "", language: str | None = None
    ) -> ScriptDocument:
        """Make the document; ``language`` is what the file says. Raises ScriptEmpty when no line was taken."""
        found = [section for section in self._sections if section.lines]
        if not found:
            what = "; ".join(self._left_out())
            reason = (
                f"nothing in it is to be spoken{f' ({what})' if what else ''}; see docs/scripts.md for what is skipped"
            )
            if self.rejected:
                first = self.rejected[0]
                reason = f"no line of it can be spoken; the first, at {first.place or 'its start'}: {first.reason}"
            raise ScriptEmpty(self.file, "", reason)
        tongue = normal_tag(self.options.language) or language or self._guess(found)
        return ScriptDocument(
            title=clean(title).strip() or self.stem,
            author=clean(author).strip(),
            language=tongue,
            kind="dialogue",
            format=format,
            sections=tuple(_closed(section, tongue) for section in found),
            rejected=tuple(self.rejected),
            notices=(*self.notices, *self._closing_notices(encoding)),
        )

    def _guess(self, found: list[Gathered]) -> str:
        lines = [line for section in found for line in section.lines]
        stated = {line.language for line in lines if line.language}
        if stated and all(line.language for line in lines):
            return lines[0].language
        tongue, sure = of_text("\n".join(line.text for line in lines[:500]))
        if not sure:
            self.notice("", f"no language is stated: read as {tongue!r}; --language says otherwise")
        return tongue

    def _left_out(self) -> Iterator[str]:
        left_out = [f"{count} {what}" for what, count in self.left_out.items() if count]
        if left_out:
            yield f"not spoken: {', '.join(left_out)}"

    def _closing_notices(self, encoding: str) -> Iterator[Rejection]:
        if encoding not in ("utf-8", "ascii"):
            yield Rejection("", f"read as {encoding}")
        yield from (Rejection("", told) for told in self._left_out())
        if self.labels:
            most = self.labels.most_common(_MAX_NAMES_TOLD)
            more = f" and {len(self.labels) - len(most)} more" if len(self.labels) > len(most) else ""
            told = ", ".join(f"{name} ({count})" for name, count in most)
            yield Rejection("", f"taken as characters from before a colon: {told}{more}")
        if self._long:
            limit = self.options.max_line_chars
            yield Rejection("", f"{self._long} lines are longer than {limit} characters and stay whole: one take each")


def _closed(section: Gathered, language: str) -> ScriptSection:
    lines = [line if line.language else replace(line, language=language) for line in section.lines]
    lines[-1] = replace(lines[-1], boundary="section")
    return ScriptSection(section.key, section.kind, section.title, tuple(lines))
