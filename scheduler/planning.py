"""From a script and its casting to what the database stores: lines with voice, pause, seed and digest."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from db.digest import line_digests, script_digest, seeds_for
from db.records import ImportPlan, JobOptions, PlannedLine, PlannedSection, VoiceRecord
from scheduler.casting import Casting
from scheduler.collector import held_back
from scheduler.lexicon import Lexicon, Speaking
from scheduler.scripts.errors import ScriptEmpty, ScriptUnreadable
from scheduler.scripts.model import Boundary, ScriptDocument, ScriptLine, ScriptSection

PAUSES_MS: Mapping[Boundary, int] = MappingProxyType(
    {
        "sentence": 350,
        "paragraph": 700,
        "heading": 1000,
        "scene": 1500,
        "section": 0,  # the silence at the end of a track is JobOptions.tail_ms
    }
)
"""Silence after a line, in milliseconds, by what follows it."""

_NO_DIRECTION: Mapping[str, str | float] = {}
"""Shared by lines without one: a plan has a hundred thousand of them."""
_BLOCK_BYTES = 1024 * 1024


def source_sha256(path: Path) -> str:
    """Return the sha256 of a file, read in blocks. Raises ScriptUnreadable."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
    except OSError as error:
        raise ScriptUnreadable(str(path), "", f"cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()


def make_plan(
    document: ScriptDocument,
    casting: Casting,
    *,
    slug: str,
    source_name: str,
    source_sha256: str,
    profile: str,
    options: JobOptions,
    out_url: str,
    priority: int = 0,
    title: str | None = None,
    pauses: Mapping[Boundary, int] = PAUSES_MS,
    lexicon: Lexicon | None = None,
) -> ImportPlan:
    """Plan the render of a script. Raises ScriptEmpty when it has no line that is spoken.

    Lines that are not speech stay out of the plan. The seed of a line comes from the production, the character and the
    words, not from where the line stands, so that moving a line or a chapter changes no digest; nor from the lexicon,
    so that an entry changes the digests of the lines it is spoken in, and of no other.
    """
    planner = _Planner(slug, source_name, casting, pauses, lexicon or Lexicon(()))
    with held_back():
        sections = tuple(planned for section in document.sections if (planned := planner.section(section)) is not None)
    if not sections:
        raise ScriptEmpty(source_name, "", "has no line that is spoken, only sounds")
    return ImportPlan(
        slug=slug,
        title=title or document.title,
        author=document.author,
        language=document.language,
        kind=document.kind,
        priority=priority,
        source_name=source_name,
        source_sha256=source_sha256,
        format=document.format,
        digest=plan_digest(document, title or document.title, sections, profile, options),
        out_url=out_url,
        profile=profile,
        options=options,
        sections=sections,
    )


def plan_digest(
    document: ScriptDocument, title: str, sections: tuple[PlannedSection, ...], profile: str, options: JobOptions
) -> str:
    """Everything that changes the deliverables, and nothing else: where they go and how urgent they are does not."""
    made = options.model_dump(mode="json", exclude={"reading"})
    head = [title, document.author, document.language, document.kind, profile, made]
    return script_digest([head, [_section_digest(section) for section in sections]])


def _section_digest(section: PlannedSection) -> str:
    """Texts and whole numbers only, so that the quick spelling is the only one."""
    lines = [[line.key, line.digest, line.pause_ms, line.character, line.text] for line in section.lines]
    raw = json.dumps([section.key, section.kind, section.title, lines], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(raw.encode("utf-8")).hexdigest()


@dataclass(frozen=True, slots=True)
class _Part:
    """What the lines of one character in one language have in common."""

    voice: VoiceRecord
    character: str
    speaking: Speaking
    seed: Callable[..., int]
    """From the words and the how-many-th time they are said."""
    digest: Callable[[str, Mapping[str, Any], int], str]


class _Planner:
    """Plans the sections of one script; counts equal lines so that each has its own seed."""

    def __init__(
        self, slug: str, file: str, casting: Casting, pauses: Mapping[Boundary, int], lexicon: Lexicon
    ) -> None:
        self._slug = slug
        self._file = file
        self._lexicon = lexicon if lexicon else None
        self._casting = casting
        self._pauses = pauses
        self._seen: dict[tuple[str, str], int] = {}
        self._parts: dict[tuple[tuple[str, ...], str], _Part] = {}

    def section(self, section: ScriptSection) -> PlannedSection | None:
        """Plan one section; None if nobody speaks in it."""
        lines = [line for line in section.lines if line.kind == "speech"]
        if not lines:
            return None
        planned = tuple(self._line(line, last=number + 1 == len(lines)) for number, line in enumerate(lines))
        return PlannedSection(section.key, section.kind, section.title, planned)

    def _line(self, line: ScriptLine, *, last: bool) -> PlannedLine:
        part = self._parts.get((line.characters, line.language)) or self._part(line)
        voice = part.voice
        said = line.said
        again = (part.character, said)
        count = self._seen[again] = self._seen.get(again, 0) + 1
        seed = part.seed(said, str(count))
        spoken = self._lexicon.applied(said, line.language, part.speaking) if self._lexicon is not None else said
        direction = _direction(line, self._file) if line.direction else _NO_DIRECTION
        return PlannedLine(
            key=line.key,
            kind=line.kind,
            character=part.character,
            text=line.text,
            spoken=spoken,
            language=line.language,
            pause_ms=self._pause(line, last=last),
            voice_id=voice.id,
            engine=voice.engine,
            seed=seed,
            digest=part.digest(spoken, direction, seed),
            in_ms=line.in_ms,
            out_ms=line.out_ms,
            direction=direction,
        )

    def _part(self, line: ScriptLine) -> _Part:
        """What is the same for every line of a character in a language, worked out at the first of them."""
        voice = self._casting.voice_of(line)
        character = self._casting.name_of(line)
        speaking = Speaking(self._slug, character, voice.name)
        seed = seeds_for(self._slug, character)
        digest = line_digests(line.language, voice.digest, voice.engine, voice.engine_version)
        part = self._parts[line.characters, line.language] = _Part(voice, character, speaking, seed, digest)
        return part

    def _pause(self, line: ScriptLine, *, last: bool) -> int:
        if line.pause_ms is not None:
            return line.pause_ms
        return self._pauses["section"] if last else self._pauses[line.boundary]


def _direction(line: ScriptLine, file: str) -> Mapping[str, str | float]:
    """A line's direction as engines take it: its rate is a number there."""
    if "rate" not in line.direction:
        return dict(line.direction)
    return {**line.direction, "rate": _rate(line, file)}


def _rate(line: ScriptLine, file: str) -> float:
    stated = line.direction["rate"]
    try:
        rate = float(stated)
    except ValueError:
        rate = math.nan
    if not math.isfinite(rate):
        raise ScriptUnreadable(file, line.place, f"the rate {stated!r} is no number; write such as 0.9")
    return rate
