"""Plans the stored lines of a production again: with other voices, other versions of them, the lexicon as it is now."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scheduler.local.order import OrderError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from db.queries.history import StoredLine, StoredScript
    from db.records import ImportPlan, VoiceRecord
    from scheduler.lexicon import Lexicon
    from scheduler.local.order import Order

_READING = re.compile(r"(?<!\\)\{([^{}|]*)\|[^{}|]*\}")
"""An inline reading: the script's own, or one that the lexicon put there."""
_MOST_READINGS = 10
"""Readings in one line up to which each choice of them is tried; beyond, only all of them or none."""


class Recast:
    """Gives stored lines other voices, and the readings that the lexicon has now."""

    def __init__(
        self,
        stored: StoredScript,
        told: Mapping[str, str],
        versions: Mapping[str, str],
        voices: Sequence[VoiceRecord],
        lexicon: Lexicon,
    ) -> None:
        from scheduler.casting import same_name
        from scheduler.errors import CharacterUnknown

        self._slug = stored.production.slug
        self._lines = stored.lines
        self._lexicon = lexicon
        self._said = said_of(stored)
        self._by_name = {name: voice for voice in reversed(voices) for name in (voice.name, voice.label)}
        self._told = {same_name(name): voice for name, voice in told.items()}
        self._versions = versions
        people = {same_name(line.character): line.character for line in stored.lines}
        for name in told:
            if same_name(name) not in people and same_name(name).rpartition(":")[0] not in people:
                raise CharacterUnknown(name, tuple(people.values()))

    @property
    def undecided(self) -> tuple[str, ...]:
        """Keys of lines whose readings stay as they are: nobody can tell which of them are the script's own."""
        return tuple(line.key for line in self._lines if self._said.get(line.line_id, "") is None)

    def line(self, line: StoredLine) -> dict[str, Any]:
        """Values of the planned line. Raises VoiceUnknown, NobodySpeaks, ConsentMissing."""
        values = {
            name: getattr(line, name)
            for name in ("key", "kind", "character", "text", "language", "pause_ms", "in_ms", "out_ms")
        }
        values |= {"direction": line.direction, "seed": line.seed}
        voice = self._voice(line)
        name = line.voice.rpartition("@")[0] if voice is None else voice.name
        spoken = self._spoken(line, name)
        if spoken == line.spoken and (voice is None or voice.label == line.voice):
            kept = {"voice_id": line.voice_id, "engine": line.engine, "digest": line.digest}
            return values | {"spoken": spoken} | kept
        voice = voice or self._able(self._by_name[line.voice], line)
        digest = _digest(line, spoken, voice)
        return values | {"spoken": spoken, "voice_id": voice.id, "engine": voice.engine, "digest": digest}

    def _spoken(self, line: StoredLine, voice: str) -> str:
        from scheduler.lexicon import Speaking

        said = self._said.get(line.line_id, line.spoken)
        if said is None:
            return line.spoken
        return self._lexicon.applied(said, line.language, Speaking(self._slug, line.character, voice))

    def _voice(self, line: StoredLine) -> VoiceRecord | None:
        from scheduler.casting import same_name
        from scheduler.errors import VoiceUnknown
        from scheduler.scripts.languages import primary

        who = same_name(line.character)
        keys = (f"{who}:{line.language.casefold()}", f"{who}:{primary(line.language)}", who)
        name = next((self._told[key] for key in keys if key in self._told), None)
        name = name or self._versions.get(line.voice.rpartition("@")[0])
        if name is None:
            return None
        voice = self._by_name.get(name)
        if voice is None:
            raise VoiceUnknown(name, tuple(sorted({known.name for known in self._by_name.values()})))
        return self._able(voice, line)

    def _able(self, voice: VoiceRecord, line: StoredLine) -> VoiceRecord:
        """The voice, if it can and may speak the line."""
        from scheduler.casting import speaks
        from scheduler.errors import ConsentMissing, NobodySpeaks

        if not speaks(voice, line.language):
            able = {known.name for known in self._by_name.values() if known.live and speaks(known, line.language)}
            raise NobodySpeaks(line.character, line.language, tuple(sorted(able)))
        if not voice.live:
            raise ConsentMissing(voice.name, line.character)
        return voice


def said_of(stored: StoredScript) -> dict[int, str | None]:
    """What lines said before the lexicon, by line id, where readings stand in them; None where that cannot be told.

    It is not stored. But a line's seed was made of it, so each way of taking readings out is tried on the seed.
    """
    seen: Counter[tuple[str, str]] = Counter()
    found: dict[int, str | None] = {}
    for line in stored.lines:
        said: str | None = line.spoken
        if _READING.search(line.spoken):
            ways = _without_readings(line.spoken)
            said = next((way for way in ways if _is_of(line, way, stored, seen[line.character, way] + 1)), None)
            found[line.line_id] = said
        if said is not None:
            seen[line.character, said] += 1
    return found


def _is_of(line: StoredLine, said: str, stored: StoredScript, number: int) -> bool:
    from db.digest import seed_for

    return line.seed == seed_for(stored.production.slug, line.character, said, str(number))


def _without_readings(spoken: str) -> Iterator[str]:
    """A text with all its readings, with none, and with each choice of them between."""
    yield spoken
    yield _READING.sub(r"\1", spoken)
    count = len(_READING.findall(spoken))
    if not 1 < count <= _MOST_READINGS:
        return
    for kept in itertools.product((False, True), repeat=count):
        if any(kept) and not all(kept):
            keeps = iter(kept)
            yield _READING.sub(lambda match: match[0] if next(keeps) else match[1], spoken)  # noqa: B023  used at once


def plan_again(stored: StoredScript, order: Order, desk: Recast) -> ImportPlan:
    """Plan the stored lines again as ``desk`` gives them. Raises what ``Recast.line`` raises."""
    from db.records import ImportPlan, PlannedLine, PlannedSection
    from scheduler.planning import plan_digest
    from scheduler.scripts.model import ScriptDocument

    sections = tuple(
        PlannedSection(
            section.key, section.kind, section.title, tuple(PlannedLine(**desk.line(line)) for line in section.lines)
        )
        for section in stored.sections
    )
    production = stored.production
    formats = stored.options.formats if order.formats is None else order.formats
    options = stored.options.model_copy(update={"formats": formats, "review": order.review})
    title, author = order.title or production.title, order.author or ""
    head = ScriptDocument(title, author, production.language, production.kind, stored.format, ())  # type: ignore[arg-type]  # as it was stored
    return ImportPlan(
        slug=production.slug,
        title=title,
        author=author,
        language=production.language,
        kind=production.kind,
        priority=order.priority,
        source_name=stored.source_name,
        source_sha256=stored.source_sha256,
        format=stored.format,
        digest=plan_digest(head, title, sections, order.profile, options),
        out_url=order.out_url,
        profile=order.profile,
        options=options,
        sections=sections,
    )


def _digest(line: StoredLine, spoken: str, voice: VoiceRecord) -> str:
    from db.digest import line_digest

    return line_digest(
        spoken, line.language, voice.digest, dict(line.direction), voice.engine, voice.engine_version, line.seed
    )


def versions(conn: sa.Connection, names: Sequence[str], stored: StoredScript) -> dict[str, str]:
    """Voice name → the label that its lines get. Raises OrderError for a voice nobody has, NotFound for a version."""
    from db.queries.voices import get_voice

    found: dict[str, str] = {}
    speaking = {line.voice.rpartition("@")[0] for line in stored.lines}
    for text in names:
        name, mark, number = text.rpartition("@")
        if mark and number.isascii() and number.isdigit() and len(number) < 10:
            version: int | None = int(number)
        else:
            name, version = text, None
        if name not in speaking:
            raise OrderError(
                f"--voice-version {text}: nobody of {stored.production.slug} has that voice; "
                f"in use are {', '.join(sorted(speaking))}"
            )
        found[name] = get_voice(conn, name, version).label
    return found


def label(label: str, versions: Mapping[str, str]) -> str:
    """The label that lines with this one get: of another version where one is asked for."""
    return versions.get(label.rpartition("@")[0], label)


def stored_cast(stored: StoredScript) -> dict[tuple[str, str], str]:
    """(character as compared, language) → label of the voice that most of its lines have."""
    from scheduler.casting import same_name

    counts: dict[tuple[str, str], Counter[str]] = {}
    for line in stored.lines:
        counts.setdefault((same_name(line.character), line.language), Counter())[line.voice] += 1
    return {key: found.most_common(1)[0][0] for key, found in counts.items()}


def stored_narrator(stored: StoredScript) -> str:
    """The narrator's voice; where nobody narrates, the one that speaks most."""
    from scheduler.casting import NARRATOR

    lines = stored.lines
    telling = [line.voice for line in lines if line.character == NARRATOR]
    return Counter(telling or [line.voice for line in lines]).most_common(1)[0][0]


def voices(conn: sa.Connection, wanted: set[str]) -> list[VoiceRecord]:
    """The newest version of every voice, and before them the earlier ones that are asked for by label."""
    from db.queries.voices import get_voice, list_voices

    newest = list_voices(conn)
    labels = {voice.label for voice in newest} | {voice.name for voice in newest}
    earlier = []
    for label in sorted(wanted - labels):
        name, _, number = label.rpartition("@")
        if number.isascii() and number.isdigit() and len(number) < 10:
            earlier.append(get_voice(conn, name, int(number)))
    return [*newest, *earlier]
