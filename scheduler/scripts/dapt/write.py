"""Scripts as DAPT documents: the same script is the same bytes, and reading it back gives the same lines.

What DAPT has a word for is written in DAPT: ids, times, characters, languages, originals, descriptions, inner times,
recordings. The rest of a line goes into the event's metadata under a namespace of our own, where other tools keep it.
Not written: the document's author, year and cover, and lines without text come back as events without a line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from scheduler.scripts.cues import time_fault
from scheduler.scripts.dapt.event_markup import EventPlan, event_markup
from scheduler.scripts.dapt.findings import errors
from scheduler.scripts.dapt.flow import needs_kept_space, settled
from scheduler.scripts.dapt.lines import REPRESENTS, boundary_after, kind_of, parts_from_text
from scheduler.scripts.dapt.markup import element, impossible, opened
from scheduler.scripts.dapt.model import TimedPart
from scheduler.scripts.dapt.names import (
    CONTENT_PROFILE,
    DAPTM,
    OURS,
    SCRIPT_TYPES,
    TT,
    TTM,
    TTP,
    descriptor_fault,
    is_identifier,
    is_language,
    is_subtype,
)
from scheduler.scripts.dapt.times import MAX_RATE, Rates, written
from scheduler.scripts.dapt.validate import MAX_EVENTS, validate
from scheduler.scripts.errors import ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.model import ScriptDocument, ScriptLine, ScriptSection

_ADDRESS = re.compile(r"[^\s<>\"{}|\\^`#][^\s<>\"{}|\\^`]*\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


class AudioRecording(NamedTuple):
    """Where the recording of a line is."""

    uri: str
    sha256: str | None = None
    """Of the file, 64 hexadecimal digits."""
    duration: Fraction | None = None
    """Seconds."""
    media_type: str = "audio/wave"


def write_dapt(
    document: ScriptDocument,
    *,
    script_type: str = "translatedTranscript",
    frame_rate: Fraction | None = None,
    original_language: str | None = None,
    recordings: Mapping[str, AudioRecording] | None = None,
) -> bytes:
    """Return a script as a DAPT document.

    ``frame_rate`` writes times in frames where they fall on one; all others are decimal seconds, or ticks where no
    decimal is exact. ``original_language`` is the language of ``original`` texts whose line does not say it in
    ``extra['original.language']``. ``recordings`` are the audio of an as-recorded script by line key. Raises
    ScriptUnreadable naming the line that cannot be written.
    """
    _check_arguments(document, script_type, original_language, recordings or {})
    plan = _Plan(document, script_type, original_language, recordings or {})
    plan.rates = _rates(document, plan, frame_rate)
    data = ("\n".join(plan.markup()) + "\n").encode("utf-8")
    wrong = errors(validate(data, document.title))
    if wrong:  # what is handed over is DAPT, or nothing is
        raise ScriptUnreadable(document.title, "", f"cannot be written as DAPT: {wrong[0]}")
    return data


def _check_arguments(
    document: ScriptDocument,
    script_type: str,
    original_language: str | None,
    recordings: Mapping[str, AudioRecording],
) -> None:
    title = document.title
    if script_type not in SCRIPT_TYPES:
        raise ScriptUnreadable(title, "", f"script type {script_type!r} is none of {', '.join(SCRIPT_TYPES)}")
    for tag in (document.language, original_language):
        if tag is not None and not is_language(tag):
            raise ScriptUnreadable(title, "", f"{tag!r} is not a BCP 47 language tag; name the script's language")
    if recordings and script_type != "asRecorded":
        raise ScriptUnreadable(title, "", f"recordings belong into an asRecorded script, not {script_type}")
    if document.line_count > MAX_EVENTS:
        raise ScriptTooLarge(title, "", f"has more than {MAX_EVENTS:,} lines; divide it into reels")
    keys = [line.key for section in document.sections for line in section.lines]
    if len(set(keys)) < len(keys):
        twice = next(key for index, key in enumerate(keys) if key in keys[:index])
        raise ScriptUnreadable(title, f"line {twice}", "two lines have this key; give each its own")
    unknown = sorted(set(recordings) - set(keys))
    if unknown:
        raise ScriptUnreadable(title, "", f"there is a recording for {unknown[0]!r}, which is no line of the script")
    for key, recording in recordings.items():
        _check_recording(title, key, recording)
    _check_characters(title, "", title)


def _check_recording(title: str, key: str, recording: AudioRecording) -> None:
    if _ADDRESS.match(recording.uri) is None:
        reason = f"{recording.uri!r} is not the address of a recording; write a URI with spaces as %20"
        raise ScriptUnreadable(title, f"line {key}", reason)
    if recording.sha256 is not None and _SHA256.match(recording.sha256) is None:
        raise ScriptUnreadable(title, f"line {key}", "the recording's sha256 is not 64 hexadecimal digits")


def _check_characters(title: str, place: str, text: str) -> None:
    found = impossible(text)
    if found is not None:
        raise ScriptUnreadable(title, place, f"holds the character {found}, which no XML file can; take it out")


def _rates(document: ScriptDocument, plan: _Plan, frame_rate: Fraction | None) -> Rates:
    """The rates that make every time of a script exact."""
    rates = Rates() if frame_rate is None else _frame_rates(document.title, frame_rate)
    inexact: dict[int, str] = {}
    for key, seconds in plan.times():
        if written(seconds, rates) is None:
            inexact.setdefault(seconds.denominator, key)
    ticks = math.lcm(*inexact) if inexact else None
    if ticks is not None and ticks > MAX_RATE:
        key = inexact[max(inexact)]
        reason = "no tick rate makes its time exact beside the others; round it to milliseconds"
        raise ScriptUnreadable(document.title, f"line {key}", reason)
    return Rates(rates.frames, rates.nominal, None if ticks is None else Fraction(ticks))


def _frame_rates(title: str, frame_rate: Fraction) -> Rates:
    if not 0 < frame_rate <= 1000 or frame_rate.denominator > 1_000_000:
        raise ScriptUnreadable(title, "", f"{frame_rate} is no frame rate; give frames per second, such as 24000/1001")
    return Rates(frame_rate, math.ceil(frame_rate), None)


@dataclass(slots=True)
class _Plan:
    """A script on its way to markup: which ids, agents and attributes it takes."""

    document: ScriptDocument
    script_type: str
    original_language: str | None
    recordings: Mapping[str, AudioRecording]
    rates: Rates = field(default_factory=Rates)
    ids: dict[str, str] = field(init=False)
    agents: dict[str, str] = field(init=False)
    """Character → id."""
    actors: dict[str, str] = field(init=False)
    """Character → name of the person who plays it, where that holds for every line of the character."""
    represents: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.ids = _ids([line.key for line in self._lines()])
        taken = set(self.ids.values())
        names = dict.fromkeys(name for line in self._lines() for name in line.characters)
        self.agents = dict(zip(names, _unused("character", len(names), taken), strict=True))
        self.actors = _actors(list(self._lines()))
        self.represents = _widest([_represented(line) for line in self._lines()])

    def _lines(self) -> Iterator[ScriptLine]:
        return (line for section in self.document.sections for line in section.lines)

    def times(self) -> Iterator[tuple[str, Fraction]]:
        """Every time that will be written, with the line it belongs to."""
        for line in self._lines():
            begin, end = self._times(line)
            for value in (begin, end):
                if value is not None:
                    yield line.key, value
            for part in _parts(line, begin, end):
                for value in (part.begin, part.end):
                    if value is not None:
                        yield line.key, value - (begin or 0)

    def _times(self, line: ScriptLine) -> tuple[Fraction | None, Fraction | None]:
        begin = line.in_time if line.in_time is not None or line.in_ms is None else Fraction(line.in_ms, 1000)
        end = line.out_time if line.out_time is not None or line.out_ms is None else Fraction(line.out_ms, 1000)
        fault = time_fault(begin or Fraction(0), end) if end is not None else None
        if begin is not None and begin < 0:
            fault = "the cue begins before the programme"
        if fault is not None:
            raise ScriptUnreadable(self.document.title, f"line {line.key}", fault)
        return begin, end

    def markup(self) -> Iterator[str]:
        """Yield the lines of the file."""
        yield '<?xml version="1.0" encoding="UTF-8"?>'
        yield from self._root()
        yield from self._head()
        sections = [section for section in self.document.sections if section.lines]
        if sections:
            yield "  <body>"
            is_whole = len(sections) == 1 and sections[0].title in ("", self.document.title)
            for section in sections:
                yield from self._section(section, is_whole=is_whole)
            yield "  </body>"
        yield "</tt>"

    def _root(self) -> Iterator[str]:
        rates = self.rates
        multiplier = None if rates.frames is None or rates.nominal is None else rates.frames / rates.nominal
        attributes: list[tuple[str, str | None]] = [
            ("xmlns", TT),
            ("xmlns:ttp", TTP),
            ("xmlns:ttm", TTM),
            ("xmlns:daptm", DAPTM),
            ("xmlns:vf", OURS),
            ("ttp:contentProfiles", CONTENT_PROFILE),
            ("ttp:frameRate", None if rates.nominal is None else str(rates.nominal)),
            (
                "ttp:frameRateMultiplier",
                None if multiplier in (None, 1) else f"{multiplier.numerator} {multiplier.denominator}",
            ),
            ("ttp:tickRate", None if rates.ticks is None else str(rates.ticks)),
            ("xml:lang", self.document.language),
            ("daptm:scriptType", self.script_type),
            ("daptm:scriptRepresents", " ".join(self.represents)),
        ]
        yield opened("tt", attributes)

    def _head(self) -> Iterator[str]:
        yield "  <head>"
        yield "    <metadata>"
        if self.document.title:
            yield f"      {element('ttm:title', self.document.title)}"
        people = list(dict.fromkeys(self.actors.values()))
        taken = {*self.ids.values(), *self.agents.values()}
        person_ids = dict(zip(people, _unused("actor", len(people), taken), strict=True))
        for person, identity in person_ids.items():
            yield from _agent(identity, "person", "full", person, None)
        for character, identity in self.agents.items():
            self._check_name(character)
            actor = self.actors.get(character)
            yield from _agent(identity, "character", "alias", character, None if actor is None else person_ids[actor])
        yield "    </metadata>"
        yield "  </head>"

    def _check_name(self, character: str) -> None:
        if not character.strip():
            raise ScriptUnreadable(self.document.title, "", "a character has no name; give it one")
        _check_characters(self.document.title, f"character {character!r}", character)

    def _section(self, section: ScriptSection, *, is_whole: bool) -> Iterator[str]:
        if not is_whole:
            _check_characters(self.document.title, "section", section.title + section.key + section.kind)
            yield "    <div>"
            if section.title:
                yield f"      {element('ttm:title', section.title)}"
            kept = opened("vf:section", (("key", section.key), ("kind", section.kind)), is_empty=True)
            yield f"      <metadata>{kept}</metadata>"
        spoken = [line for line in section.lines if line.text.strip()]
        following = {line.key: after for line, after in zip(spoken, (*spoken[1:], None), strict=True)}
        for line in section.lines:
            yield from event_markup(self._event(line, following.get(line.key)), "    " if is_whole else "      ")
        if not is_whole:
            yield "    </div>"

    def _event(self, line: ScriptLine, after: ScriptLine | None) -> EventPlan:
        title = self.document.title
        self._check_line(line)
        begin, end = self._times(line)
        recording = self.recordings.get(line.key)
        represents = _represented(line)
        has_characters = bool(line.characters)
        original_language = line.extra.get("original.language") or self.original_language
        if line.original.strip() and (original_language is None or not is_language(original_language)):
            reason = "nobody says which language its original text is in; give original_language"
            raise ScriptUnreadable(title, f"line {line.key}", reason)
        return EventPlan(
            line=line,
            identity=self.ids[line.key],
            begin=None if begin is None else self._time(begin),
            end=None if end is None else self._time(end),
            agents=tuple(self.agents[name] for name in line.characters),
            actor=_native_actor(line, self.actors),
            represents=represents,
            is_kind_told=kind_of(represents, self.represents, has_characters=has_characters) == line.kind,
            is_boundary_told=boundary_after(end, self._begin(after), is_last=after is None) == line.boundary,
            script_language=self.document.language,
            script_type=self.script_type,
            original_language=original_language if original_language and is_language(original_language) else "",
            parts=tuple(self._written_part(part, begin or Fraction(0)) for part in _parts(line, begin, end)),
            address=None if recording is None else recording.uri,
            media_type="" if recording is None else recording.media_type,
            recording_facts=() if recording is None else tuple(_facts(recording)),
        )

    def _begin(self, line: ScriptLine | None) -> Fraction | None:
        return None if line is None else self._times(line)[0]

    def _time(self, seconds: Fraction) -> str:
        text = written(seconds, self.rates)
        if text is None:  # the rates were made for every time of the script
            raise ScriptUnreadable(self.document.title, "", f"the time {seconds} s cannot be written exactly")
        return text

    def _written_part(self, part: TimedPart, start: Fraction) -> tuple[str, str, str | None]:
        return part.text, self._time(part.begin - start), None if part.end is None else self._time(part.end - start)

    def _check_line(self, line: ScriptLine) -> None:
        title, place = self.document.title, f"line {line.key!r}"
        if not is_language(line.language):
            raise ScriptUnreadable(title, place, f"its language {line.language!r} is not a BCP 47 tag; name it")
        if line.pause_ms is not None and not 0 <= line.pause_ms < 10**9:
            raise ScriptUnreadable(title, place, f"its pause of {line.pause_ms} ms is none; give 0 or more")
        for text in (line.key, line.text, line.spoken, line.original, line.notes):
            _check_characters(title, place, text)
        for mapping in (line.direction, line.extra):
            for key, value in mapping.items():
                _check_characters(title, place, key + value)


def _agent(identity: str, kind: str, name_type: str, name: str, actor: str | None) -> Iterator[str]:
    yield f"      {opened('ttm:agent', (('type', kind), ('xml:id', identity)))}"
    yield f"        {element('ttm:name', name, (('type', name_type),))}"
    if actor is not None:
        yield f"        {opened('ttm:actor', (('agent', actor),), is_empty=True)}"
    yield "      </ttm:agent>"


def _ids(keys: Sequence[str]) -> dict[str, str]:
    """Line key → ``xml:id``: the key itself where it may be one, else a number."""
    found = {key: key for key in keys if is_identifier(key)}
    others = [key for key in keys if key not in found]
    found.update(zip(others, _unused("event", len(others), set(found)), strict=True))
    return found


def _unused(stem: str, count: int, taken: set[str]) -> list[str]:
    made: list[str] = []
    number = 0
    while len(made) < count:
        number += 1
        name = f"{stem}_{number}"
        if name not in taken:
            made.append(name)
    return made


def _actors(lines: Sequence[ScriptLine]) -> dict[str, str]:
    """Characters that speak alone in every line, and whose lines all name the same actor."""
    found: dict[str, set[str | None]] = {}
    for line in lines:
        actor = line.extra.get("actor") if len(line.characters) == 1 else None
        usable = actor if actor and actor.strip() and not needs_kept_space(actor) else None
        for character in line.characters:
            found.setdefault(character, set()).add(usable)
    return {character: actor for character, names in found.items() if len(names) == 1 and (actor := names.pop())}


def _native_actor(line: ScriptLine, actors: Mapping[str, str]) -> str | None:
    return actors.get(line.characters[0]) if len(line.characters) == 1 else None


def _represented(line: ScriptLine) -> str:
    told = line.extra.get("represents")
    return told if told is not None and descriptor_fault(told) is None else REPRESENTS[line.kind]


def _widest(descriptors: Sequence[str]) -> tuple[str, ...]:
    """What a script represents: what its lines do, without sub-types of each other, private ones by their parents."""
    known = {descriptor.partition(".x-")[0] for descriptor in descriptors}
    wide = {item for item in known if not any(item != other and is_subtype(item, other) for other in known)}
    return tuple(sorted(wide)) or ("audio.dialogue",)


def _parts(line: ScriptLine, begin: Fraction | None, end: Fraction | None) -> tuple[TimedPart, ...]:
    """Inner times that can be written as spans: those that join to the text and lie within the line."""
    parts = parts_from_text(line.extra.get("spans", ""))
    is_usable = (
        begin is not None
        and "".join(part.text for part in parts) == line.text
        and not needs_kept_space(line.text)
        and all(_lies_within(part, begin, end) for part in parts)
        and settled([TimedPart(part.text.strip(), part.begin, part.end) for part in parts], line.text) == parts
    )
    return parts if is_usable else ()


def _lies_within(part: TimedPart, begin: Fraction, end: Fraction | None) -> bool:
    if part.end is None:
        return end is None and begin <= part.begin
    return begin <= part.begin <= part.end and (end is None or part.end <= end)


def _facts(recording: AudioRecording) -> Iterator[tuple[str, str]]:
    if recording.sha256 is not None:
        yield "sha256", recording.sha256
    if recording.duration is not None:
        yield "duration", str(recording.duration)
