"""One line of a script as the markup of a Script Event."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from scheduler.scripts.dapt.flow import needs_kept_space
from scheduler.scripts.dapt.lines import NATIVE_EXTRA, ON_SCREEN, REPRESENTS, description_type
from scheduler.scripts.dapt.markup import element, escaped, opened, raw_element
from scheduler.scripts.dapt.names import OURS, RECOGNISED, is_identifier, is_language
from scheduler.scripts.languages import primary
from scheduler.scripts.model import ScriptLine

_CLARK = re.compile(r"\{([!-z|~]+)\}(.+)\Z", re.DOTALL)
_UNDETERMINED = frozenset({"und", "zxx"})
_RESERVED = frozenset({*RECOGNISED, OURS, "http://www.w3.org/2000/xmlns/"})
_OTHER_TEXT = "text:"


@dataclass(frozen=True, slots=True)
class EventPlan:
    """Everything settled about an event before it is written."""

    line: ScriptLine
    identity: str
    begin: str | None
    end: str | None
    agents: tuple[str, ...]
    actor: str | None
    """Who plays the character, as the agents will say it."""
    represents: str
    is_kind_told: bool
    """A reader finds the kind from what the event represents."""
    is_boundary_told: bool
    """A reader finds the boundary from the clock."""
    script_language: str
    script_type: str
    original_language: str
    """Well-formed, or ''."""
    parts: tuple[tuple[str, str, str | None], ...]
    """Text, begin and end of spans."""
    address: str | None
    """Of the recording."""
    media_type: str
    recording_facts: tuple[tuple[str, str], ...]

    @property
    def source(self) -> str | None:
        """Language the text was made from, as far as it is known."""
        if self.original_language:
            return self.original_language
        if self.script_type != "originalTranscript":
            return None
        return self.line.language if self.represents.endswith(("audio.dialogue", ".text", ".dialogue")) else "zxx"

    @property
    def has_native_original(self) -> bool:
        """The original text can be a text object: a reader takes the other one for the line's."""
        if not self.line.text.strip() or not self.line.original.strip():
            return False
        own, other = self.line.language.lower(), self.original_language.lower()
        if own == other:
            return False
        own_rank = (self._distance(own), other in _UNDETERMINED)
        return own_rank < (self._distance(other), True)

    def _distance(self, language: str) -> int:
        wanted = self.script_language.lower()
        return 0 if language == wanted else 1 if primary(language) == primary(wanted) else 2

    def other_texts(self) -> dict[str, str]:
        """Language → translation into it that can be a text object beside the line's own."""
        if self.line.language.lower() != self.script_language.lower() or not self.line.text.strip():
            return {}
        source = self.original_language.lower()
        taken = {self.line.language.lower(), source, "", *_UNDETERMINED}
        found: dict[str, str] = {}
        for key, text in self.line.extra.items():
            language = key[len(_OTHER_TEXT) :] if key.startswith(_OTHER_TEXT) else ""
            if language.lower() in taken or not is_language(language) or not text.strip():
                continue
            if source and source not in _UNDETERMINED:
                taken.add(language.lower())
                found[language] = text
        return found

    def told_extra(self) -> dict[str, str]:
        """What a reader finds in the DAPT part of the event and puts into ``extra``."""
        extra = self.line.extra
        told = {key: extra[key] for key in NATIVE_EXTRA if extra.get(key, "").strip()}
        told.update({key: value for key, value in extra.items() if _foreign_name(key, value) is not None})
        if self.represents != REPRESENTS[self.line.kind]:
            told["represents"] = self.represents
        if self.line.text.strip():
            told.update(self._told_by_texts())
        if self.actor is not None:
            told["actor"] = self.actor
        return told

    def _told_by_texts(self) -> dict[str, str]:
        told = {f"{_OTHER_TEXT}{language}": text for language, text in self.other_texts().items()}
        source = self.original_language.lower()
        if self.has_native_original or (source not in ("", *_UNDETERMINED) and source != self.line.language.lower()):
            told["original.language"] = self.original_language
        if self.parts:
            told["spans"] = self.line.extra["spans"]
        if self.address is not None:
            told["audio"] = self.address
            told.update({f"audio.{name}": value for name, value in self.recording_facts})
        return told


def event_markup(plan: EventPlan, indent: str) -> Iterator[str]:
    """Yield the lines of the file for one event."""
    seen = ON_SCREEN.get(plan.line.direction.get("onscreen", ""))
    attributes = (
        ("xml:id", plan.identity),
        ("begin", plan.begin),
        ("end", plan.end),
        ("ttm:agent", " ".join(plan.agents) or None),
        ("daptm:represents", plan.represents),
        ("daptm:onScreen", seen),
    )
    yield indent + opened("div", attributes)
    for item in (*_descriptions(plan), *_metadata(plan), *_texts(plan)):
        yield f"{indent}  {item}"
    yield f"{indent}</div>"


def _descriptions(plan: EventPlan) -> Iterator[str]:
    line = plan.line
    for key in NATIVE_EXTRA:
        if line.extra.get(key, "").strip():
            yield element("ttm:desc", line.extra[key], (("daptm:descType", key),))
    for key, value in line.direction.items():
        if _is_description(key, value):
            yield element("ttm:desc", value, (("daptm:descType", description_type(key)),))
    if line.notes.strip():
        yield element("ttm:desc", line.notes)


def _is_description(key: str, value: str) -> bool:
    return bool(value.strip()) and not (key == "onscreen" and value in ON_SCREEN)


def _metadata(plan: EventPlan) -> Iterator[str]:
    """Yield a metadata element with what DAPT has no word for, or nothing."""
    inside = "".join(_kept(plan))
    if inside:
        yield f"<metadata>{inside}</metadata>"


def _kept(plan: EventPlan) -> Iterator[str]:
    line = plan.line
    fields = (
        ("key", line.key if line.key != plan.identity else None),
        ("kind", None if plan.is_kind_told else line.kind),
        ("spoken", line.spoken or None),
        ("boundary", None if plan.is_boundary_told else line.boundary),
        ("pause", None if line.pause_ms is None else str(line.pause_ms)),
        ("notes", line.notes if line.notes and not line.notes.strip() else None),
    )
    if any(value is not None for _, value in fields):
        yield opened("vf:line", fields, is_empty=True)
    if line.original and not plan.has_native_original:
        yield raw_element("vf:original", line.original)
    for key, value in line.direction.items():
        if not value.strip():
            yield raw_element("vf:direction", value, (("name", key),))
    told = plan.told_extra()
    for key, value in line.extra.items():
        foreign = _foreign_name(key, value)
        if foreign is not None:
            namespace, name = foreign
            yield raw_element(f"x:{name}", value, (("xmlns:x", namespace),))
        elif told.get(key) != value and not (plan.address is not None and key.partition(".")[0] == "audio"):
            yield raw_element("vf:extra", value, (("name", key),))


def _foreign_name(key: str, value: str) -> tuple[str, str] | None:
    """Return namespace and name of an extra that came from another tool's metadata, if it can go back there."""
    match = _CLARK.match(key)
    if match is None or match[1] in _RESERVED or not is_identifier(match[2]):
        return None
    return None if not value.strip() or needs_kept_space(value) else (match[1], match[2])


def _texts(plan: EventPlan) -> Iterator[str]:
    line = plan.line
    if plan.has_native_original:
        language = plan.original_language
        yield _paragraph(escaped_text(line.original), line.original, language, language)
    if line.text.strip():
        spans = "".join(
            f"{opened('span', (('begin', begin), ('end', end)))}{escaped(text)}</span>"
            for text, begin, end in plan.parts
        )
        body = (spans or escaped_text(line.text)) + _audio(plan)
        yield _paragraph(body, line.text, line.language, plan.source)
    for language, text in plan.other_texts().items():
        yield _paragraph(escaped_text(text), text, language, plan.original_language)


def escaped_text(text: str) -> str:
    """Return the content of a text object; its line ends are line breaks."""
    return escaped(text).replace("\n", "<br/>")


def _paragraph(body: str, text: str, language: str, source: str | None) -> str:
    kept = "preserve" if needs_kept_space(text) else None
    return f"{opened('p', (('xml:lang', language), ('daptm:langSrc', source), ('xml:space', kept)))}{body}</p>"


def _audio(plan: EventPlan) -> str:
    if plan.address is None:
        return ""
    attributes = (("src", plan.address), ("type", plan.media_type))
    if not plan.recording_facts:
        return opened("audio", attributes, is_empty=True)
    facts = opened("metadata", ((f"vf:{name}", value) for name, value in plan.recording_facts), is_empty=True)
    return f"{opened('audio', attributes)}{facts}</audio>"
