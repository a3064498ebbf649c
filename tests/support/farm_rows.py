"""A small farm written row by row, and the moves of a worker in one call: for tests of db.queries.

Nothing here goes through the import, so that a test can put a line into any state it wants to start from.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from db.queries import dispatch, jobs, lines, sections, workers
from db.records import ClaimedLine, FinishedTake, NewTrack
from db.states import LINE_SETTLED, LineState

ENGINE = "fake"
WORKER = "gpu0@test"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Farm:
    """Ids of what was written."""

    production_id: int
    job_id: int
    voice_id: int
    section_ids: tuple[int, ...]
    line_ids: tuple[int, ...]


def add_voice(conn: sa.Connection, name: str = "fake-1", *, engine: str = ENGINE, consent: bool = True) -> int:
    """A voice, by default with a consent."""
    voice_id: int = conn.execute(
        sa.text("""INSERT INTO voice (name, version, engine, engine_version, languages, digest)
                   VALUES (:name, 1, :engine, '1', '["en"]', md5(:name)) RETURNING id"""),
        {"name": name, "engine": engine},
    ).scalar_one()
    if consent:
        conn.execute(sa.text("INSERT INTO consent (voice_id, kind) VALUES (:id, 'synthetic')"), {"id": voice_id})
    return voice_id


def add_farm(
    conn: sa.Connection,
    lines_per_section: Sequence[int] = (3,),
    *,
    voice_id: int | None = None,
    priority: int = 50,
    review: bool = False,
    engine: str = ENGINE,
) -> Farm:
    """A production with one job; every line pending, every counter right."""
    number = next(_numbers)
    if voice_id is None:
        voice_id = add_voice(conn, f"fake-{number}", engine=engine)
    values = {"slug": f"title-{number}", "title": f"Title {number}", "priority": priority}
    production_id = conn.execute(
        sa.text("""INSERT INTO production (slug, title, language, kind, priority, watermark_key)
                   VALUES (:slug, :title, 'en', 'audiobook', :priority, '\\x00') RETURNING id"""),
        values,
    ).scalar_one()
    script_id = conn.execute(
        sa.text("""INSERT INTO script (production_id, revision, source_name, source_sha256, format, digest)
                   VALUES (:id, 1, 'a.txt', 'sha', 'text', 'digest') RETURNING id"""),
        {"id": production_id},
    ).scalar_one()
    job_id = conn.execute(
        sa.text("""INSERT INTO job (production_id, script_id, waiting, out_url, profile, options)
                   VALUES (:production_id, :script_id, :waiting, 'file:///out', 'audiobook',
                           jsonb_build_object('review', CAST(:review AS boolean))) RETURNING id"""),
        {
            "production_id": production_id,
            "script_id": script_id,
            "waiting": len(lines_per_section),
            "review": review,
        },
    ).scalar_one()
    section_ids = tuple(
        conn.execute(
            sa.text("""INSERT INTO section (production_id, script_id, job_id, position, key, kind, title, waiting)
                       VALUES (:p, :s, :j, :position, 'c' || :position, 'chapter', 'Chapter ' || :position, :waiting)
                       RETURNING id"""),
            {"p": production_id, "s": script_id, "j": job_id, "position": position, "waiting": count},
        ).scalar_one()
        for position, count in enumerate(lines_per_section)
    )
    line_ids: list[int] = []
    for section_id, count in zip(section_ids, lines_per_section, strict=True):
        line_ids += conn.scalars(
            sa.text("""INSERT INTO line (production_id, section_id, position, key, kind, character, text, spoken,
                                         language, pause_ms, voice_id, engine, seed, digest)
                       SELECT :p, :s, n, 'l' || n, 'speech', 'narrator', 'Line ' || n, 'Line ' || n, 'en', 300, :voice,
                              :engine, n, md5(:s || '.' || n)
                       FROM generate_series(0, :count - 1) n RETURNING id"""),
            {"p": production_id, "s": section_id, "count": count, "voice": voice_id, "engine": engine},
        ).all()
    return Farm(production_id, job_id, voice_id, section_ids, tuple(line_ids))


def start_session(conn: sa.Connection, *, name: str = WORKER, kind: str = "line", capacity: int = 8) -> uuid.UUID:
    """A worker session that has just begun."""
    session_id = uuid.uuid4()
    workers.start(conn, session_id, name, kind, ENGINE, "cpu", capacity, "test", 1)
    return session_id


def offer(line_id: int, attempt: int, *, digest: str = "d", seed: int = 1, review: bool = False) -> FinishedTake:
    """One second of audio, as a worker would offer it."""
    return FinishedTake(
        line_id=line_id,
        attempt=attempt,
        digest=digest,
        audio_sha256=f"{line_id:064x}.flac",
        samples=24_000,
        sample_rate=24_000,
        voice="fake-1@1",
        engine=ENGINE,
        engine_version="1",
        seed=seed,
        findings=({"code": "quiet", "message": "quiet"},) if review else (),
        render_ms=5,
        hold_for_review=review,
    )


def take_for(line: ClaimedLine, *, review: bool = False) -> FinishedTake:
    """One second of audio for a claimed line."""
    return offer(line.id, line.attempt, digest=line.digest, seed=line.seed, review=review)


TRACK = NewTrack(
    digest="track",
    files={"flac": "a.flac"},
    samples=480_000,
    sample_rate=48_000,
    loudness_lufs=-19.0,
    true_peak_dbtp=-3.1,
    measurements={"gain_db": 1.5},
    offsets=({"line_id": 1, "take_id": 1, "start": 0, "samples": 240_000, "pause": 0},),
    watermark=7,
)


def revision(conn: sa.Connection, table: str, id_: int) -> int:
    """Present revision of a section or a job."""
    return int(conn.execute(sa.text(f"SELECT revision FROM {table} WHERE id = :id"), {"id": id_}).scalar_one())


def assemble(conn: sa.Connection, section_id: int, session_id: uuid.UUID) -> bool:
    """Claim a ready section and give it a track."""
    current = revision(conn, "section", section_id)
    if sections.claim(conn, section_id, current, session_id, 30) is None:
        return False
    return sections.finish(conn, section_id, current, session_id, TRACK)


def deliver(conn: sa.Connection, job_id: int, session_id: uuid.UUID) -> bool:
    """Claim a ready job and deliver it, with no files."""
    current = revision(conn, "job", job_id)
    if jobs.claim_delivery(conn, job_id, current, session_id, 30) is None:
        return False
    return jobs.finish_delivery(conn, job_id, current, session_id, [])


def queued(conn: sa.Connection, limit: int = 1000) -> list[tuple[int, int]]:
    """Dispatch, and return the (line id, attempt) of the messages, taken out of the outbox."""
    dispatch.dispatch(conn, ENGINE, limit)
    rows = conn.execute(
        sa.text(
            "DELETE FROM outbox WHERE task = 'voicefarm.line' RETURNING id, args -> 1 AS line, args -> 2 AS attempt"
        )
    ).all()
    return [(row.line, row.attempt) for row in sorted(rows)]


def rendering(conn: sa.Connection, session_id: uuid.UUID, limit: int = 1000) -> list[ClaimedLine]:
    """Dispatch and claim."""
    return lines.claim(conn, queued(conn, limit), session_id, WORKER)


def render_all(conn: sa.Connection, session_id: uuid.UUID) -> set[int]:
    """Dispatch, claim and accept whatever is pending."""
    return lines.accept(conn, [take_for(line) for line in rendering(conn, session_id)], session_id, WORKER)


def bring_back(conn: sa.Connection, farm: Farm) -> None:
    """Undo a cancellation as a person would: any line that is wanted again brings its job back."""
    ids = conn.scalars(
        sa.text("SELECT id FROM line WHERE section_id = ANY(:ids) AND state = 'cancelled'"),
        {"ids": list(farm.section_ids)},
    ).all()
    if not ids and row(conn, "job", farm.job_id).state == "cancelled":
        ids = farm.line_ids[:1]
    lines.retry(conn, ids)


def finish_everything(conn: sa.Connection, farm: Farm, session_id: uuid.UUID) -> None:
    """Do what people and workers would, until the job is delivered: retry what failed, approve what waits, make it."""
    bring_back(conn, farm)
    lines.retry(conn, job_id=farm.job_id)
    waiting = conn.scalars(
        sa.text("SELECT id FROM line WHERE section_id = ANY(:ids) AND state = 'rendered'"),
        {"ids": list(farm.section_ids)},
    ).all()
    lines.approve(conn, waiting)
    conn.execute(sa.text("UPDATE line SET not_before = NULL"))
    render_all(conn, session_id)
    jobs.retry_failed(conn, farm.job_id)
    for section_id in farm.section_ids:
        assemble(conn, section_id, session_id)
    deliver(conn, farm.job_id, session_id)


def force(conn: sa.Connection, line_id: int, state: LineState) -> None:
    """Put a line into a state without any move, keeping its section's counter right; for tests of single moves."""
    conn.execute(
        sa.text("""
            WITH was AS (SELECT id, section_id, state FROM line WHERE id = :id),
            moved AS (UPDATE line SET state = :state, take_id = CASE WHEN :state IN ('accepted', 'stale', 'rendered')
                                                                   THEN 1 ELSE take_id END WHERE id = :id)
            UPDATE section s SET waiting = s.waiting + (was.state = ANY(:settled))::int - (:state = ANY(:settled))::int
            FROM was WHERE s.id = was.section_id"""),
        {"id": line_id, "state": state.value, "settled": [state.value for state in LINE_SETTLED]},
    )


def line_states(conn: sa.Connection, line_ids: Iterable[int]) -> list[str]:
    """States of lines, in the order of their ids."""
    return list(
        conn.scalars(sa.text("SELECT state FROM line WHERE id = ANY(:ids) ORDER BY id"), {"ids": list(line_ids)})
    )


def row(conn: sa.Connection, table: str, id_: int) -> sa.Row[tuple[object, ...]]:
    """One row of a table."""
    return conn.execute(sa.text(f"SELECT * FROM {table} WHERE id = :id"), {"id": id_}).one()


def trail(conn: sa.Connection, entity: str, id_: int) -> list[tuple[str, str]]:
    """Moves of an entity, oldest first."""
    rows = conn.execute(
        sa.text("SELECT from_state, to_state FROM event WHERE entity = :entity AND entity_id = :id ORDER BY id"),
        {"entity": entity, "id": id_},
    )
    return [(row.from_state, row.to_state) for row in rows]


def counters_right(conn: sa.Connection) -> bool:
    """Whether every ``waiting`` is what counting the rows gives."""
    wrong = conn.execute(
        sa.text("""
            SELECT 'section', s.id FROM section s LEFT JOIN line l ON l.section_id = s.id
            GROUP BY s.id HAVING s.waiting <> count(l.id) FILTER (WHERE l.state <> ALL(:settled))
            UNION ALL
            SELECT 'job', j.id FROM job j LEFT JOIN section s ON s.job_id = j.id
            GROUP BY j.id HAVING j.waiting <> count(s.id) FILTER (WHERE s.state <> 'assembled')"""),
        {"settled": [state.value for state in LINE_SETTLED]},
    ).all()
    return not wrong


def messages(conn: sa.Connection, task: str) -> list[list[int]]:
    """Arguments of the messages of a task in the outbox, oldest first."""
    return list(conn.scalars(sa.text("SELECT args FROM outbox WHERE task = :task ORDER BY id"), {"task": task}))
