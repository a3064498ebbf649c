"""Import plans for tests: small, exact, without a script file."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from db import digest
from db.queries import voices
from db.records import ImportPlan, JobOptions, PlannedLine, PlannedSection

ENGINE = "fake"


def add_voice(conn: sa.Connection, name: str = "fake-1", *, consent: bool = True) -> int:
    """A voice of the fake engine, with a consent unless told otherwise."""
    mark = digest.voice_digest(name, 1, ENGINE, "1", {})
    voice_id = voices.upsert_voice(
        conn,
        name=name,
        version=1,
        engine=ENGINE,
        engine_version="1",
        languages=["en"],
        parameters={},
        description="a tone",
        digest=mark,
    )
    if consent:
        voices.ensure_consent(conn, voice_id, "synthetic")
    return voice_id


def make_line(voice_id: int, key: str, text: str) -> PlannedLine:
    """A line of narration in English."""
    seed = digest.seed_for(text)
    return PlannedLine(
        key=key,
        kind="speech",
        character="narrator",
        text=text,
        spoken=text,
        language="en",
        pause_ms=300,
        voice_id=voice_id,
        engine=ENGINE,
        seed=seed,
        digest=digest.line_digest(text, "en", f"voice {voice_id}", {}, ENGINE, "1", seed),
    )


def make_plan(
    voice_id: int,
    sections: Sequence[Sequence[str]],
    *,
    slug: str = "the-fables",
    title: str = "The Fables",
    out_url: str = "file:///tmp/out",
    priority: int = 50,
    options: JobOptions | None = None,
) -> ImportPlan:
    """A plan from the texts of each section's lines. The same texts make the same digest."""
    planned = tuple(
        PlannedSection(
            key=f"s{number}",
            kind="chapter",
            title=f"Chapter {number}",
            lines=tuple(make_line(voice_id, f"s{number}.{n}", text) for n, text in enumerate(texts, 1)),
        )
        for number, texts in enumerate(sections, 1)
    )
    return ImportPlan(
        slug=slug,
        title=title,
        author="Aesop",
        language="en",
        kind="audiobook",
        priority=priority,
        source_name="fables.epub",
        source_sha256="0" * 64,
        format="epub",
        digest=digest.script_digest([[line.digest for line in section.lines] for section in planned]),
        out_url=out_url,
        profile="audiobook",
        options=options or JobOptions(),
        sections=planned,
    )
