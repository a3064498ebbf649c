"""A DAPT script as a typed model, every inherited and relative value computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from scheduler.scripts.dapt.times import Interval, Rates
from scheduler.scripts.model import nothing

_NO_LANGUAGE = frozenset({"", "und", "zxx"})


@dataclass(frozen=True, slots=True)
class Agent:
    """A character, or the person who plays one."""

    identity: str
    kind: str
    """person, character, group, organization or other."""
    name: str
    """Alias of a character, full name of a person."""
    actor: str = ""
    """Name of the person who plays it."""


@dataclass(frozen=True, slots=True)
class Description:
    """A note about an event."""

    kind: str
    """scene, pronunciationNote …; '' is any."""
    text: str


@dataclass(frozen=True, slots=True)
class TimedPart:
    """A part of a text with a time of its own, in seconds on the programme's time line."""

    text: str
    begin: Fraction
    end: Fraction | None


@dataclass(frozen=True, slots=True)
class Recording:
    """An audio recording of a text; embedded ones are named by their fragment or not at all."""

    address: str
    facts: Mapping[str, str] = field(default_factory=nothing)
    """sha256 and duration, where the file gives them."""


@dataclass(frozen=True, slots=True)
class TextObject:
    """One text of an event, in one language."""

    text: str
    spoken: str
    """With ruby readings in place of what they annotate; '' without ruby."""
    language: str
    source: str
    """Language it was made from; '' is not known."""
    represents: str
    agents: tuple[str, ...]
    interval: Interval
    parts: tuple[TimedPart, ...]
    recordings: tuple[Recording, ...]
    line: int

    @property
    def is_original(self) -> bool:
        """Whether it is no translation."""
        return self.source.lower() in _NO_LANGUAGE or self.source.lower() == self.language.lower()


@dataclass(frozen=True, slots=True)
class ScriptEvent:
    """What is said, shown or described in a stretch of the programme."""

    identity: str
    interval: Interval
    represents: str
    agents: tuple[str, ...]
    on_screen: str
    """ON, OFF, ON_OFF, OFF_ON; '' is not stated, which means ON."""
    descriptions: tuple[Description, ...]
    texts: tuple[TextObject, ...]
    foreign: Mapping[str, str]
    """Proprietary metadata: '{namespace}name' → value."""
    kept: Mapping[str, str]
    """What our own writer put into the event's metadata, by field."""
    kept_original: str
    kept_extra: Mapping[str, str]
    kept_direction: Mapping[str, str]
    line: int


@dataclass(frozen=True, slots=True)
class EventGroup:
    """Events under one ``div`` of the body, or directly in the body one after the other."""

    title: str
    key: str
    kind: str
    events: tuple[ScriptEvent, ...]


@dataclass(frozen=True, slots=True)
class DaptScript:
    """A whole document."""

    title: str
    language: str
    script_type: str
    represents: tuple[str, ...]
    agents: Mapping[str, Agent]
    groups: tuple[EventGroup, ...]
    rates: Rates
    origin_timecode: str
    """Timecode of media time zero; '' is not stated."""
    start_timecode: str
    """Timecode at which the programme starts; '' is not stated."""
    stray_lines: tuple[int, ...]
    """Lines of texts that belong to no event."""
