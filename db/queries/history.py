"""What a production's script was in its newest revision: everything a next revision is compared with and made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from db.errors import NotFound
from db.queries import productions
from db.records import JobOptions, ProductionRecord

LATEST = sa.text("""
SELECT c.id AS script_id, c.revision, c.source_name, c.source_sha256, c.format, c.digest, j.id AS job_id, j.out_url,
       j.profile, j.options
FROM production p JOIN script c ON c.production_id = p.id
JOIN LATERAL (SELECT * FROM job j WHERE j.script_id = c.id ORDER BY j.id DESC LIMIT 1) j ON true
WHERE p.slug = :slug ORDER BY c.revision DESC LIMIT 1""")
"""The newest revision of a script with its newest job."""

SECTIONS = sa.text("""
SELECT id, position, key, kind, title, state FROM section WHERE script_id = :script_id ORDER BY position""")
"""Sections of a script in order."""

LINES = sa.text("""
SELECT l.section_id, l.id AS line_id, l.key, l.kind, l.character, l.text, l.spoken, l.language, l.pause_ms, l.in_ms,
       l.out_ms, l.direction, l.voice_id, v.name || '@' || v.version AS voice, l.engine, l.seed, l.digest, l.state,
       l.take_id
FROM section s JOIN line l ON l.section_id = s.id JOIN voice v ON v.id = l.voice_id
WHERE s.script_id = :script_id ORDER BY s.position, l.position""")
"""Lines of a script in order."""


@dataclass(frozen=True, slots=True)
class StoredLine:
    """A line as it was planned, and the take it has."""

    line_id: int
    key: str
    kind: str
    character: str
    text: str
    spoken: str
    language: str
    pause_ms: int
    in_ms: int | None
    out_ms: int | None
    direction: Mapping[str, Any]
    voice_id: int
    voice: str
    """name@version."""
    engine: str
    seed: int
    digest: str
    state: str
    take_id: int | None


@dataclass(frozen=True, slots=True)
class StoredSection:
    """A section with its lines, in order."""

    key: str
    kind: str
    title: str
    state: str
    lines: tuple[StoredLine, ...]


@dataclass(frozen=True, slots=True)
class StoredScript:
    """One revision of a production's script, and the order its job was given."""

    production: ProductionRecord
    script_id: int
    revision: int
    source_name: str
    source_sha256: str
    format: str
    digest: str
    job_id: int
    out_url: str
    profile: str
    options: JobOptions
    sections: tuple[StoredSection, ...]

    @property
    def lines(self) -> tuple[StoredLine, ...]:
        """Lines of all sections, in order."""
        return tuple(line for section in self.sections for line in section.lines)


def latest(conn: sa.Connection, slug: str) -> StoredScript:
    """The newest revision of a production's script. Raises NotFound."""
    production = productions.get_by_slug(conn, slug)
    row = conn.execute(LATEST, {"slug": slug}).mappings().first()
    if row is None:
        raise NotFound("script of production", slug)
    return StoredScript(
        production=production,
        sections=_sections(conn, row["script_id"]),
        **{**row, "options": JobOptions.model_validate(row["options"])},
    )


def _sections(conn: sa.Connection, script_id: int) -> tuple[StoredSection, ...]:
    values = {"script_id": script_id}
    rows = conn.execute(SECTIONS, values).mappings().all()
    found: dict[int, list[StoredLine]] = {row["id"]: [] for row in rows}
    for line in conn.execute(LINES, values).mappings():
        facts = dict(line)
        found[facts.pop("section_id")].append(StoredLine(**facts))
    return tuple(
        StoredSection(row["key"], row["kind"], row["title"], row["state"], tuple(found[row["id"]])) for row in rows
    )
