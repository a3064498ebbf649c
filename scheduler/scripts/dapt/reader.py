"""DAPT: dubbing and audio description scripts, one line per Script Event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import PurePath

from scheduler.scripts.clock import MAX_MS, to_ms
from scheduler.scripts.cues import time_fault
from scheduler.scripts.dapt.findings import Finding, errors
from scheduler.scripts.dapt.lines import (
    BOUNDARIES,
    KINDS,
    NATIVE_EXTRA,
    ON_SCREEN,
    REPRESENTS,
    boundary_after,
    direction_key,
    kind_of,
    parts_as_text,
)
from scheduler.scripts.dapt.model import DaptScript, EventGroup, ScriptEvent, TextObject
from scheduler.scripts.dapt.names import CONTENT_PROFILE, DAPTM
from scheduler.scripts.dapt.parse import build
from scheduler.scripts.dapt.times import timecode_seconds
from scheduler.scripts.dapt.tree import NotSerializable, parse_tree
from scheduler.scripts.dapt.validate import judge
from scheduler.scripts.errors import ScriptEmpty, ScriptRefused, ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.keys import LineKeys, SectionKeys
from scheduler.scripts.languages import normal_tag, primary
from scheduler.scripts.model import LineKind, ReadOptions, Rejection, ScriptDocument, ScriptLine, ScriptSection
from scheduler.scripts.source import ScriptSource

_SIGNATURES = (CONTENT_PROFILE.encode(), DAPTM.encode())
_NAMED_ERRORS = 3
_STRAY = "scriptEventMapping"
"""Texts outside of events are rejected, each with what to do."""


class DaptReader:
    """Reads DAPT documents; a section per group of events, or one for the programme.

    ``.ttml`` and ``.xml`` files are DAPT only if they bear its names, so this reader is asked before that of TTML.
    """

    name = "dapt"
    suffixes = (".dapt", ".ttml", ".xml")
    kind = "dubbing"

    def sniff(self, head: bytes) -> bool:
        """The profile's name or the namespace of its metadata, in a TTML root element."""
        return b"<" in head[:64] and any(signature in head for signature in _SIGNATURES)

    def read(self, source: ScriptSource, options: ReadOptions) -> ScriptDocument:
        """Read a DAPT document whole. Raises ScriptError; a document that is not valid is refused with the rule."""
        data = source.data(options.max_file_bytes)
        try:
            root = parse_tree(data, source.name)
        except NotSerializable as fault:
            kind = ScriptRefused if fault.is_refused else ScriptUnreadable
            raise kind(source.name, f"line {fault.line}", f"serialization: {fault.message}") from fault
        findings = judge(root, data, source.name, strict=False)
        _refuse(findings, source.name)
        reading = _Reading(build(root), options, source.name)
        reading.notices.extend(
            Rejection(f"line {item.line}", f"{item.rule}: {item.message}") for item in findings if item.rule != _STRAY
        )
        return reading.document()


def _refuse(findings: Sequence[Finding], file: str) -> None:
    wrong = errors(findings)
    if not wrong:
        return
    first, *others = wrong
    more = "".join(f"; line {item.line}: {item.rule}: {item.message}" for item in others[: _NAMED_ERRORS - 1])
    rest = len(others) - _NAMED_ERRORS + 1
    more += f"; and {rest} more" if rest > 0 else ""
    raise ScriptUnreadable(file, f"line {first.line}", f"{first.rule}: {first.message}{more}")


@dataclass(slots=True)
class _Reading:
    """One document on its way to lines."""

    script: DaptScript
    options: ReadOptions
    file: str
    keys: LineKeys = field(default_factory=LineKeys)
    rejected: list[Rejection] = field(default_factory=list)
    notices: list[Rejection] = field(default_factory=list)
    empty_events: list[str] = field(default_factory=list)

    def document(self) -> ScriptDocument:
        script = self.script
        self._check_language()
        for line in script.stray_lines:
            reason = "the text belongs to no Script Event; give the <div> around it an xml:id, and no <div> inside"
            self.rejected.append(Rejection(f"line {line}", reason))
        title = script.title or PurePath(self.file).stem
        sections = tuple(self._sections(title))
        if not any(section.lines for section in sections):
            more = f"; the first fault: {self.rejected[0].place}, {self.rejected[0].reason}" if self.rejected else ""
            raise ScriptEmpty(self.file, "", f"holds no Script Event with a text{more}")
        self._note_facts()
        return ScriptDocument(
            title=title,
            author="",
            language=self.language,
            kind="dubbing",
            format=DaptReader.name,
            sections=sections,
            rejected=tuple(self.rejected),
            notices=tuple(self.notices),
        )

    @property
    def language(self) -> str:
        """Language of the script: what the caller said, else what the file says."""
        return normal_tag(self.options.language) or self.script.language

    def _check_language(self) -> None:
        """A caller who names a language wants that text of each event: there is to be one."""
        wanted = normal_tag(self.options.language)
        if wanted is None:
            return
        found = {text.language for event in self._events() for text in event.texts if text.text.strip()}
        if found and not any(primary(language) == primary(wanted) for language in found):
            raise ScriptEmpty(self.file, "", f"holds no text in {wanted}; it has {', '.join(sorted(found))}")

    def _events(self) -> list[ScriptEvent]:
        return [event for group in self.script.groups for event in group.events]

    def _sections(self, title: str) -> list[ScriptSection]:
        keys = SectionKeys()
        made = []
        for group in self.script.groups:
            lines = self._lines(group)
            if lines:
                shown = group.title or title
                key = keys.of_title(group.key or (shown if group.title else "events"))
                made.append(ScriptSection(key, group.kind or "reel", shown, lines))
        return made

    def _lines(self, group: EventGroup) -> tuple[ScriptLine, ...]:
        made = []
        for event in group.events:
            line = self._line(event)
            if line is not None:
                made.append((event, line))
        done = []
        for index, (event, line) in enumerate(made):
            following = made[index + 1][1].in_time if index + 1 < len(made) else None
            boundary = boundary_after(line.out_time, following, is_last=index + 1 == len(made))
            boundary = next((item for item in BOUNDARIES if item == event.kept.get("boundary")), boundary)
            done.append(replace(line, boundary=boundary))
        return tuple(done)

    def _line(self, event: ScriptEvent) -> ScriptLine | None:
        place = f"line {event.line}"
        filled = [text for text in event.texts if text.text.strip()]
        limit = self.options.max_source_line_chars
        if any(len(text.text) > limit for text in filled):
            reason = f"{event.identity[:60]} has a text of more than {limit:,} characters; divide it into events"
            raise ScriptTooLarge(self.file, place, reason)
        if not filled:
            self.empty_events.append(event.identity)
            return None
        chosen = self._chosen(filled, place, event.identity)
        begin, end = _times(event, chosen)
        fault = _fault(begin, end)
        if fault is not None:
            self.rejected.append(Rejection(place, f"{event.identity}: {fault}"))
            return None
        originals = _originals(filled, chosen)
        agents = event.agents or next((text.agents for text in chosen if text.agents), ())
        direction, notes = _described(event)
        return ScriptLine(
            key=self.keys.claim(event.kept.get("key") or event.identity),
            text=" ".join(text.text for text in chosen),
            language=chosen[0].language or self.language,
            kind=self._kind(event, has_characters=bool(agents)),
            characters=tuple(self._name(agent) for agent in agents),
            spoken=_spoken(event, chosen),
            original=" ".join(text.text for text in originals) or event.kept_original,
            in_ms=None if begin is None else to_ms(begin),
            out_ms=None if end is None else to_ms(end),
            in_time=begin,
            out_time=end,
            pause_ms=_whole(event.kept.get("pause")),
            direction=direction,
            notes=notes,
            extra=self._extra(event, filled, chosen, originals, agents),
            place=place,
        )

    def _chosen(self, texts: Sequence[TextObject], place: str, identity: str) -> list[TextObject]:
        """The texts in the script's language; without one, a translation, else what is there."""
        wanted = self.language.lower()

        def rank(text: TextObject) -> tuple[int, bool]:
            found = text.language.lower()
            return (0 if found == wanted else 1 if primary(found) == primary(wanted) else 2, text.is_original)

        best = min(texts, key=rank)
        if rank(best)[0] == 2 and self.script.script_type != "originalTranscript":
            reason = f"{identity} has no text in {self.language}; its text in {best.language or '?'} is taken"
            self.notices.append(Rejection(place, reason))
        return [text for text in texts if text.language.lower() == best.language.lower()]

    def _kind(self, event: ScriptEvent, *, has_characters: bool) -> LineKind:
        derived = kind_of(event.represents, self.script.represents, has_characters=has_characters)
        return next((kind for kind in KINDS if kind == event.kept.get("kind")), derived)

    def _name(self, agent: str) -> str:
        known = self.script.agents.get(agent)
        return agent if known is None else known.name

    def _extra(
        self,
        event: ScriptEvent,
        texts: Sequence[TextObject],
        chosen: Sequence[TextObject],
        originals: Sequence[TextObject],
        agents: Sequence[str],
    ) -> Mapping[str, str]:
        extra: dict[str, str] = dict(event.foreign)
        for kind in NATIVE_EXTRA:
            found = [item.text for item in event.descriptions if item.kind == kind]
            if found:
                extra[kind] = "; ".join(found)
        kind_found = self._kind(event, has_characters=bool(agents))
        if event.represents != REPRESENTS[kind_found]:
            extra["represents"] = event.represents
        source = originals[0].language if originals else "" if chosen[0].is_original else chosen[0].source
        if source:
            extra["original.language"] = source
        actors = [known.actor for agent in agents if (known := self.script.agents.get(agent)) and known.actor]
        if actors:
            extra["actor"] = "; ".join(actors)
        taken = {id(text) for text in (*chosen, *originals)}
        for text in texts:
            if id(text) not in taken:
                key = f"text:{text.language}"
                extra[key] = f"{extra[key]} {text.text}" if key in extra else text.text
        extra.update(_timing(chosen))
        extra.update(_recorded(chosen))
        extra.update(event.kept_extra)
        return extra

    def _note_facts(self) -> None:
        script = self.script
        if self.empty_events:
            shown = ", ".join(self.empty_events[:5]) + (", …" if len(self.empty_events) > 5 else "")
            self.notices.append(Rejection("", f"{len(self.empty_events)} Script Events hold no text yet: {shown}"))
        for what, value in (
            ("script's time zero", script.origin_timecode),
            ("programme's start", script.start_timecode),
        ):
            if value:
                self.notices.append(Rejection("", f"the {what} is at timecode {value}"))
        if script.origin_timecode and script.start_timecode and script.origin_timecode != script.start_timecode:
            self.notices.append(Rejection("", _shift(script)))


def _shift(script: DaptScript) -> str:
    origin = timecode_seconds(script.origin_timecode, script.rates)
    start = timecode_seconds(script.start_timecode, script.rates)
    if origin is None or start is None:
        return "its two timecodes differ: the times are not those of the programme; shift them before rendering"
    delta = origin - start
    return f"its two timecodes differ: add {float(delta):+.3f} s to every time to match the programme; none was added"


def _times(event: ScriptEvent, chosen: Sequence[TextObject]) -> tuple[Fraction | None, Fraction | None]:
    """The event's times; those of its text where only that has some."""
    interval = event.interval
    if not interval.is_stated and len(chosen) == 1:
        interval = chosen[0].interval
    if not interval.is_stated:
        return None, None
    return interval.begin, interval.end


def _fault(begin: Fraction | None, end: Fraction | None) -> str | None:
    if begin is not None and end is not None:
        return time_fault(begin, end)
    if begin is not None and to_ms(begin) > MAX_MS:
        return "the cue is more than 596 hours in"
    return None


def _originals(texts: Sequence[TextObject], chosen: Sequence[TextObject]) -> list[TextObject]:
    """The original texts behind the chosen ones, those of the first original language."""
    taken = {id(text) for text in chosen}
    found = [text for text in texts if id(text) not in taken and text.is_original]
    return [text for text in found if text.language.lower() == found[0].language.lower()]


def _spoken(event: ScriptEvent, chosen: Sequence[TextObject]) -> str:
    kept = event.kept.get("spoken", "")
    if kept or not any(text.spoken for text in chosen):
        return kept
    return " ".join(text.spoken or text.text for text in chosen)


def _described(event: ScriptEvent) -> tuple[dict[str, str], str]:
    """Return direction and notes from an event's descriptions."""
    direction: dict[str, str] = {}
    notes: list[str] = []
    for item in event.descriptions:
        key = direction_key(item.kind)
        if key is not None:
            direction[key] = f"{direction[key]}; {item.text}" if key in direction else item.text
        elif item.kind not in NATIVE_EXTRA:
            notes.append(item.text)
    seen = next((value for value, name in ON_SCREEN.items() if name == event.on_screen), None)
    if seen is not None:
        direction["onscreen"] = seen
    direction.update(event.kept_direction)
    return direction, event.kept.get("notes") or "\n".join(notes)


def _timing(chosen: Sequence[TextObject]) -> dict[str, str]:
    parts = [part for text in chosen for part in text.parts]
    return {"spans": parts_as_text(parts)} if parts else {}


def _recorded(chosen: Sequence[TextObject]) -> dict[str, str]:
    found = [recording for text in chosen for recording in text.recordings]
    addresses = [recording.address for recording in found if recording.address]
    extra = {"audio": "; ".join(addresses)} if addresses else {}
    if len(found) == 1:
        extra.update({f"audio.{name}": value for name, value in found[0].facts.items()})
    return extra


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 9 else None
