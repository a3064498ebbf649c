"""A farm's steps on the database without any process: render lines, make tracks, deliver. Uses the real queries."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from db.queries import jobs, lines, sections
from db.records import DeliveryWork, FinishedTake, NewDeliverable, NewTrack, SectionWork

WORKER = "cpu@test"


def start_session(conn: sa.Connection) -> uuid.UUID:
    """A live worker session."""
    session = uuid.uuid4()
    conn.execute(
        sa.text(
            "INSERT INTO worker_session (id, name, kind, capacity, host, pid) VALUES (:id, :name, 'line', 8, 'test', 1)"
        ),
        {"id": session, "name": WORKER},
    )
    return session


def queue_all(conn: sa.Connection, job_id: int) -> list[tuple[int, int]]:
    """Put every pending line of a job in the window, as the dispatcher does; (line id, attempt)."""
    rows = conn.execute(
        sa.text(
            "UPDATE line l SET state = 'queued', attempt = attempt + 1, queued_at = now() FROM section s "
            "WHERE s.id = l.section_id AND s.job_id = :job AND l.state = 'pending' RETURNING l.id, l.attempt"
        ),
        {"job": job_id},
    )
    return sorted((row.id, row.attempt) for row in rows)


def render_all(
    conn: sa.Connection, job_id: int, *, findings: Sequence[Mapping[str, Any]] = (), review: bool = False
) -> int:
    """Render every pending line; returns how many were accepted (or left for a verdict)."""
    session = start_session(conn)
    claimed = lines.claim(conn, queue_all(conn, job_id), session, WORKER)
    takes = [
        FinishedTake(
            line_id=line.id,
            attempt=line.attempt,
            digest=line.digest,
            audio_sha256=f"{line.digest}.flac",
            samples=24_000,
            sample_rate=24_000,
            voice=f"{line.voice_name}@{line.voice_version}",
            engine="fake",
            engine_version="1",
            seed=line.seed,
            findings=tuple(findings),
            render_ms=1,
            hold_for_review=review,
        )
        for line in claimed
    ]
    return len(lines.accept(conn, takes, session, WORKER))


def claim_ready(conn: sa.Connection, job_id: int) -> list[SectionWork]:
    """Start the assembly of every ready section."""
    session = start_session(conn)
    ready = conn.execute(
        sa.text("SELECT id, revision FROM section WHERE job_id = :job AND state = 'ready' ORDER BY position"),
        {"job": job_id},
    ).all()
    work = [sections.claim(conn, row.id, row.revision, session, 30.0) for row in ready]
    return [item for item in work if item is not None]


def assemble_all(conn: sa.Connection, job_id: int, *, but: Collection[int] = ()) -> int:
    """Make the track of every ready section, except the positions in ``but``, which fail; returns how many."""
    made = 0
    for work in claim_ready(conn, job_id):
        session = conn.scalar(sa.text("SELECT session_id FROM section WHERE id = :id"), {"id": work.section_id})
        if work.position in but:
            sections.fail(conn, work.section_id, work.revision, session, "no space left")
            continue
        digest = "-".join(str(line.take_id) for line in work.lines)
        track = NewTrack(digest, {"flac": "x"}, 48_000, 48_000, -19.0, -3.0, {}, (), None)
        found = sections.find_track(conn, digest)
        made += sections.finish(conn, work.section_id, work.revision, session, track if found is None else found.id)
    return made


def deliver(conn: sa.Connection, job_id: int) -> DeliveryWork | None:
    """Package a ready job; what was packaged, or None when it was not ready."""
    session = start_session(conn)
    row = conn.execute(sa.text("SELECT revision FROM job WHERE id = :id AND state = 'ready'"), {"id": job_id}).first()
    if row is None:
        return None
    work = jobs.claim_delivery(conn, job_id, row.revision, session, 30.0)
    jobs.finish_delivery(conn, job_id, row.revision, session, [NewDeliverable("m4b", "book.m4b", "0" * 64, 1)])
    return work


def finish_job(conn: sa.Connection, job_id: int) -> None:
    """Everything until delivered."""
    render_all(conn, job_id)
    assemble_all(conn, job_id)
    deliver(conn, job_id)


def states(conn: sa.Connection, job_id: int) -> tuple[str, list[str], list[str]]:
    """State of the job, of its sections and of its lines, in order."""
    values = {"job": job_id}
    job = conn.execute(sa.text("SELECT state FROM job WHERE id = :job"), values).scalar_one()
    of_sections = conn.scalars(sa.text("SELECT state FROM section WHERE job_id = :job ORDER BY position"), values).all()
    of_lines = conn.scalars(
        sa.text(
            "SELECT l.state FROM line l JOIN section s ON s.id = l.section_id WHERE s.job_id = :job "
            "ORDER BY s.position, l.position"
        ),
        values,
    ).all()
    return job, list(of_sections), list(of_lines)


def asked(conn: sa.Connection) -> list[tuple[str, list[int]]]:
    """Post-production messages in the outbox: (task, [id, revision])."""
    rows = conn.execute(sa.text("SELECT task, args FROM outbox WHERE task <> 'voicefarm.line' ORDER BY id"))
    return [(row.task, row.args[1:]) for row in rows]


def clear_outbox(conn: sa.Connection) -> None:
    """As if the relay had published everything."""
    conn.execute(sa.text("DELETE FROM outbox"))


def counters_are_exact(conn: sa.Connection) -> bool:
    """Whether ``waiting`` of every section and job is what counting gives."""
    wrong = conn.scalar(
        sa.text(
            "SELECT (SELECT count(*) FROM section s WHERE waiting <> (SELECT count(*) FROM line l "
            "WHERE l.section_id = s.id AND l.state NOT IN ('accepted', 'skipped'))) + (SELECT count(*) FROM job j "
            "WHERE waiting <> (SELECT count(*) FROM section s WHERE s.job_id = j.id AND s.state <> 'assembled'))"
        )
    )
    return wrong == 0
