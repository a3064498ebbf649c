r"""Advanced SubStation Alpha and its ancestor SSA: events in any column order, drawn text told from spoken text.

Read line by line here, because a library that skips a line it cannot read does not say which one. What is set in the
picture (signs, titles, karaoke) comes as on-screen text: it is kept, and never spoken as dialogue.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType

from scheduler.scripts.blocks import clean
from scheduler.scripts.clock import parse_clock
from scheduler.scripts.cues import Cue, Run, joined, time_fault
from scheduler.scripts.encodings import decode, to_lines
from scheduler.scripts.errors import HeaderMissing, ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.model import ReadOptions, Rejection, ScriptDocument
from scheduler.scripts.source import ScriptSource
from scheduler.scripts.vtt import subtitle_document

MAX_EVENTS = 500_000
"""Most events of a file: a film with its karaoke drawn syllable by syllable has a tenth."""

_SNIFF = re.compile(r"\s*(?:(?:;|!)[^\n]*\n\s*)*\[script info\]", re.IGNORECASE)
_SECTION = re.compile(r"\[([^\[\]]{1,60})\]\s*\Z")
_FIELD = re.compile(r"([A-Za-z][A-Za-z ]{0,40}?)\s*:[ \t]*(.*)\Z", re.DOTALL)
_V4PLUS = ("layer", "start", "end", "style", "name", "marginl", "marginr", "marginv", "effect", "text")
_V4 = ("marked", *_V4PLUS[1:])
_SYNONYMS = {"actor": "name"}
_NEEDED = ("start", "end", "text")
_NOT_READ = frozenset({"picture", "sound", "movie", "command"})
_WORDS = _NOT_READ | {"format", "dialogue", "comment"}
_DRAW = re.compile(r"\\p(\d+)")
_PLACED = re.compile(r"\\(?:pos|move|org|i?clip)\s*\(")
_SUNG = re.compile(r"\\[kK][fo]?\d")
_SIGN = re.compile(
    r"(?:^|[\s_.-])(?:(?i:signs?|titles?|kara|karaoke|songs?|lyrics|typeset|typesetting|ts|on-?screen)(?=$|[\s_.\dA-Z-])"
    r"|(?i:openings?|endings?|insert|credits?|romaji|eyecatch)(?=$|[\s_.\d-])|(?:OP|ED)(?=$|[\s_.\d-])|(?:[oO]p|[eE]d)(?=[_\d-]))"
)
_SIGN_ACTOR = re.compile(
    r"(?:signs?|titles?|karaoke|songs?|lyrics|ts|typeset|typesetting|on-?screen)(?=$|[\s_\d-])", re.IGNORECASE
)
_EFFECT = re.compile(r"(?:banner|scroll|karaoke|fx|template)\b", re.IGNORECASE)
_SEPARATORS = re.compile(r"\s*[/;&]\s*")
_UNTITLED = frozenset({"", "<untitled>", "untitled", "default aegisub file"})


class AssReader:
    """Reads ``.ass`` and ``.ssa``; one section per file."""

    name = "ass"
    suffixes = (".ass", ".ssa")
    kind = "dubbing"

    def sniff(self, head: bytes) -> bool:
        """Every such file starts with its [Script Info], after comments at most."""
        for encoding in ("utf-8-sig", "utf-16"):
            text = head.decode(encoding, "ignore")
            if _SNIFF.match(text) is not None:
                return True
        return False

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read a SubStation file whole."""
        text, encoding = decode(source.data(options.max_file_bytes), source.name, options.encoding)
        script = _Script(source.name, options.max_source_line_chars)
        # a drawing or an embedded font may be one very long line: it is no reason to refuse the dialogue
        script.read(to_lines(text, source.name, options.max_file_bytes))
        if not script.has_events:
            raise ScriptUnreadable(source.name, "", "has no [Events] section; save it again as .ass")
        cues = _in_order(script.events, script.notices)
        script.count_notices()
        facts: dict[str, str] = {key: script.info[key] for key in ("language", "title") if key in script.info}
        if facts.get("title", "").casefold() in _UNTITLED:
            facts.pop("title", None)
        return subtitle_document(source, options, self.name, cues, script.rejected, facts, encoding, script.notices)


@dataclass(frozen=True, slots=True)
class _Event:
    cue: Cue
    text: str
    """What all layers of the same text share."""


class _Script:
    """One file as its lines go by."""

    def __init__(self, file: str, limit: int) -> None:
        self.file = file
        self.limit = limit
        self.info: dict[str, str] = {}
        self.events: list[_Event] = []
        self.rejected: list[Rejection] = []
        self.notices: list[Rejection] = []
        self.has_events = False
        self._columns: tuple[str, ...] | None = None
        self._is_v4 = False
        self._left_out: Counter[str] = Counter()

    def read(self, lines: Sequence[str]) -> None:
        section = ""
        for number, line in enumerate(lines, 1):
            line = line.strip("\ufeff").lstrip() if number == 1 else line.lstrip()
            header = _SECTION.match(line) if line[:1] == "[" else None
            if header is not None:
                section = header[1].strip().lower()
                self._is_v4 = self._is_v4 or section == "v4 styles"
                self.has_events = self.has_events or section == "events"
            elif section == "script info":
                self._take_info(line)
            elif section == "events" and line and line[0] not in ";!":
                self._take_event(line, number)

    def count_notices(self) -> None:
        """Say what was left out, kind by kind."""
        for what, count in sorted(self._left_out.items()):
            self.notices.append(Rejection("", f"{count} {what} left out"))
        if self.info.get("timer", "100").replace(",", ".").rstrip("0").rstrip(".") not in ("", "1", "100"):
            speed = self.info["timer"][:20]
            self.notices.append(Rejection("", f"Timer: {speed} is not applied: times are taken as they stand"))

    def _take_info(self, line: str) -> None:
        match = _FIELD.match(line[:1000])
        if match is not None:
            self.info.setdefault(match[1].lower(), match[2].strip())

    def _take_event(self, line: str, number: int) -> None:
        place = f"line {number}"
        word, colon, rest = line.partition(":")
        word = word.strip().lower()
        if not colon or word not in _WORDS:
            self.rejected.append(
                Rejection(place, f"is no event: {_short(line)!r}; it starts with Dialogue: or Comment:")
            )
        elif word == "format":
            self._take_format(rest, place)
        elif word == "comment":
            self._left_out["comment lines"] += 1
        elif word != "dialogue":
            self._left_out[f"{word} events"] += 1
        elif len(line) > self.limit:
            if _DRAW.search(line[: self.limit]) is not None:
                self._left_out["drawings"] += 1
            else:
                self.rejected.append(
                    Rejection(place, f"has {len(line):,} characters, more than {self.limit:,}; divide it")
                )
        else:
            self._take_dialogue(rest, number)
        if len(self.events) + len(self.rejected) > MAX_EVENTS:
            raise ScriptTooLarge(self.file, place, f"holds more than {MAX_EVENTS:,} events; divide the file")

    def _take_format(self, rest: str, place: str) -> None:
        names = [name.strip().lower() for name in rest.split(",")]
        columns = tuple(_SYNONYMS.get(name, name) for name in names)
        missing = [name.title() for name in _NEEDED if name not in columns]
        if missing:
            raise HeaderMissing(
                self.file, place, f"the Format line of [Events] names no {', '.join(missing)}; restore the column"
            )
        self._columns = columns

    def _take_dialogue(self, rest: str, number: int) -> None:
        place = f"line {number}"
        if self._columns is None:
            self._columns = _V4 if self._is_v4 else _V4PLUS
            self.notices.append(
                Rejection(place, f"no Format line stands before it: {', '.join(self._columns)} assumed")
            )
        fields = self._fields(rest, self._columns)
        if fields is None:
            self.rejected.append(
                Rejection(place, f"has not the {len(self._columns)} fields of the Format line: {_short(rest)!r}")
            )
            return
        times = [_time(fields[name]) for name in ("start", "end")]
        start, end = times
        shown = f"{fields['start'].strip()} to {fields['end'].strip()}"[:60]
        if start is None or end is None:
            why = "a time before zero" if "-" in shown else "no time as H:MM:SS.cc"
            self.rejected.append(Rejection(place, f"{shown!r} has {why}; correct it"))
            return
        text, drawn = _plain(fields["text"])
        if not text.strip():
            if drawn:
                self._left_out["drawings"] += 1
            else:
                self.rejected.append(Rejection(place, "the event has no text"))
        elif (fault := time_fault(start, end)) is not None:
            self.rejected.append(Rejection(place, f"{fault}: {shown!r}"))
        else:
            self.events.append(_event(fields, text, start, end, number))

    @staticmethod
    def _fields(rest: str, columns: tuple[str, ...]) -> dict[str, str] | None:
        """Divide an event at its commas; the text has commas of its own and takes what is left."""
        values = rest.split(",")
        at = columns.index("text")
        after = len(columns) - at - 1
        if len(values) < len(columns):
            return None
        end = len(values) - after
        return dict(zip(columns, [*values[:at], ",".join(values[at:end]), *values[end:]], strict=True))


def _time(text: str) -> Fraction | None:
    return parse_clock(text) if ":" in text else None


def _event(fields: dict[str, str], text: str, start: Fraction, end: Fraction, number: int) -> _Event:
    facts = _facts(fields.get("style", ""), fields.get("name", ""), fields.get("effect", ""))
    is_drawn = facts.is_drawn or ("\\" in fields["text"] and _is_drawn_text(fields["text"], actor=facts.actor))
    names = () if is_drawn else facts.names
    extra = {**facts.extra, "actor": facts.actor} if is_drawn and facts.actor else facts.extra
    run = Run(text, names[0] if names else "", together=names[1:])
    cue = Cue("", start, end, (run,), number, "onscreen" if is_drawn else "speech", extra)
    return _Event(cue, joined(text.split("\n")))


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the columns beside the text say."""

    actor: str
    names: tuple[str, ...]
    extra: Mapping[str, str]
    is_drawn: bool
    """Whether they alone make it text in the picture."""


@lru_cache(maxsize=4096)
def _facts(style: str, name: str, effect: str) -> _Facts:
    """Read the style, actor and effect of an event: a file has few that differ."""
    style, effect, actor = clean(style).strip().lstrip("*"), clean(effect).strip(), clean(name).strip()
    return _Facts(
        actor,
        tuple(dict.fromkeys(part for part in _SEPARATORS.split(actor) if part)),
        MappingProxyType({key: value for key, value in (("style", style), ("effect", effect)) if value}),
        bool(_SIGN.search(style) or _SIGN_ACTOR.match(actor) or _EFFECT.match(effect)),
    )


def _is_drawn_text(text: str, *, actor: str) -> bool:
    """Whether the text of an event is set in the picture: timed by syllables, or at a position of its own.

    A position counts only where no actor is named: dialogue is moved aside for a sign, too.
    """
    return _SUNG.search(text) is not None or (not actor and _PLACED.search(text) is not None)


def _plain(text: str) -> tuple[str, bool]:
    r"""Return the words of an event with ``\N`` as line ends, and whether it draws shapes."""
    if "{" not in text and "\\" not in text:
        return text, False
    kept: list[str] = []
    at, drawing, drawn = 0, False, False
    for start, end in _blocks(text):
        if not drawing:
            kept.append(text[at:start])
        at = end
        for scale in _DRAW.findall(text, start, end):
            drawing = scale.strip("0") != ""
            drawn = drawn or drawing
    if not drawing:
        kept.append(text[at:])
    words = "".join(kept).replace("\\N", "\n").replace("\\n", " ").replace("\\h", " ")
    return words.replace("\\{", "{").replace("\\}", "}"), drawn


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    r"""Yield where the override blocks are; ``\{`` is a brace, and one that is never closed is text."""
    start = text.find("{")
    while start >= 0:
        end = text.find("}", start)
        if end < 0:
            return
        if start and text[start - 1] == "\\":
            start = text.find("{", start + 1)
            continue
        yield start, end + 1
        start = text.find("{", end + 1)


def _in_order(events: Sequence[_Event], notices: list[Rejection]) -> list[Cue]:
    """Return the cues by time; the same text on several layers, or frame after frame, is one."""
    ordered = sorted(events, key=lambda event: _units(event.cue.start))  # equal ones stay in the file's order
    if any(one is not other for one, other in zip(ordered, events, strict=True)):
        notices.append(Rejection("", "the events were not in the order of their times: sorted"))
    kept, layers = _without_layers(ordered)
    if layers:
        notices.append(Rejection("", f"{layers} events that repeat another's text at the same time merged with it"))
    cues, frames = _without_frames(kept)
    if frames:
        notices.append(
            Rejection("", f"{frames} on-screen events that go on with the same text joined to the one before")
        )
    return cues


def _without_layers(events: Sequence[_Event]) -> tuple[list[_Event], int]:
    seen: set[tuple[int, int, str, tuple[str, ...]]] = set()
    kept: list[_Event] = []
    for event in events:
        cue = event.cue
        speakers = () if cue.kind == "onscreen" else (cue.runs[0].name, *cue.runs[0].together)
        key = (_units(cue.start), _units(cue.end), event.text, speakers)
        if key not in seen:
            seen.add(key)
            kept.append(event)
    return kept, len(events) - len(kept)


def _without_frames(events: Sequence[_Event]) -> tuple[list[Cue], int]:
    """Typesetting animates a sign by an event per frame: they follow each other without a gap and say the same."""
    open_at: dict[tuple[str, str], int] = {}
    cues: list[Cue] = []
    for event in events:
        cue = event.cue
        if cue.kind != "onscreen":
            cues.append(cue)
            continue
        key = (event.text, cue.extra.get("style", ""))
        before = open_at.get(key)
        if before is not None and cue.start <= cues[before].end:
            cues[before] = replace(cues[before], end=max(cue.end, cues[before].end))
        else:
            open_at[key] = len(cues)
            cues.append(cue)
    return cues, len(events) - len(cues)


def _units(time: Fraction) -> int:
    """A time in whole nanoseconds, of which a clock with nine decimals has no fractions: integers compare fast."""
    return time.numerator * 1_000_000_000 // time.denominator


def _short(text: str) -> str:
    text = text.strip()
    return text if len(text) <= 60 else text[:57] + "..."
