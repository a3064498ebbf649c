"""Moves of jobs that a post worker makes: claim, renew, finish and fail a delivery, send damaged tracks back."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence

import sqlalchemy as sa

from db.errors import NotFound
from db.notify import notify
from db.queries import sections
from db.queries._moves import NOTE_JOBS, PERSON, legal, settle
from db.queries._outbox import ask_delivery
from db.queries.holds import hold_store
from db.queries.lines import printable
from db.records import DeliverySection, DeliveryWork, JobOptions, NewDeliverable
from db.states import JobState, SectionState

CLAIM = sa.text(f"""
WITH picked AS (
    SELECT id, state AS was FROM job
    WHERE id = :id AND revision = :revision AND waiting = 0
      AND state IN ({legal(JobState.DELIVERING, [JobState.READY])})
    FOR NO KEY UPDATE
), moved AS (
    UPDATE job j
    SET state = '{JobState.DELIVERING}', session_id = :session, message = '', updated_at = now(),
        lease_until = now() + make_interval(secs => :lease_s)
    FROM picked WHERE j.id = picked.id
    RETURNING j.id, j.revision, picked.was, j.state
), noted AS (
    {NOTE_JOBS}
)
SELECT id FROM moved""")
"""ready → delivering, under a lease."""

RENEW = sa.text(f"""
UPDATE job SET lease_until = now() + make_interval(secs => :lease_s)
WHERE id = :id AND revision = :revision AND session_id = :session AND state = '{JobState.DELIVERING}'
RETURNING id""")
"""Prolongs the lease of a delivery that is still the caller's."""

WORK = sa.text("""
SELECT j.id AS job_id, j.revision, j.production_id, p.slug, p.title, p.author, p.language, p.kind, j.profile, j.options,
       j.out_url, c.source_name, c.source_sha256, j.created_at
FROM job j JOIN production p ON p.id = j.production_id JOIN script c ON c.id = j.script_id
WHERE j.id = :id""")
"""What a delivery is made of, besides its sections."""

SECTIONS = sa.text("""
SELECT id AS section_id, position, key, kind, title, track_id FROM section WHERE job_id = :id ORDER BY position""")
"""Sections of a job in order."""

TRACKS = sa.text("SELECT * FROM track WHERE id = ANY(CAST(:ids AS bigint[]))")
"""Tracks by id."""

FINISH = sa.text(f"""
WITH picked AS (
    SELECT id, state AS was FROM job
    WHERE id = :id AND revision = :revision AND session_id = :session
      AND state IN ({legal(JobState.DELIVERED, [JobState.DELIVERING])})
    FOR NO KEY UPDATE
), moved AS (
    UPDATE job j
    SET state = '{JobState.DELIVERED}', session_id = NULL, lease_until = NULL, message = '', updated_at = now(),
        finished_at = now()
    FROM picked WHERE j.id = picked.id
    RETURNING j.id, j.revision, picked.was, j.state
), noted AS (
    {NOTE_JOBS}
)
SELECT id FROM moved""")
"""delivering → delivered."""

FORGET_FILES = sa.text("DELETE FROM deliverable WHERE job_id = :id")
"""What an earlier delivery of the job handed over."""

ADD_FILES = sa.text("""
INSERT INTO deliverable (job_id, kind, name, sha256, size)
SELECT :id, kind, name, sha256, size
FROM json_to_recordset(CAST(:files AS json)) AS f(kind text, name text, sha256 text, size bigint)""")
"""Files just handed over."""

LOCK_ASSEMBLED = sa.text(f"""
SELECT id FROM section
WHERE id = ANY(CAST(:ids AS bigint[])) AND job_id = :job_id AND state = '{SectionState.ASSEMBLED}'
ORDER BY id FOR NO KEY UPDATE""")
"""Locks the sections whose tracks are damaged, before their job is locked."""

LOCK_MINE = sa.text(f"""
SELECT id FROM job
WHERE id = :id AND revision = :revision AND session_id = :session AND state = '{JobState.DELIVERING}'
FOR NO KEY UPDATE""")
"""The job, locked, if its delivery is still the caller's."""

FAIL = sa.text(f"""
WITH picked AS (
    SELECT id, state AS was FROM job
    WHERE id = :id AND revision = :revision AND session_id = :session
      AND state IN ({legal(JobState.FAILED, [JobState.DELIVERING])})
    FOR NO KEY UPDATE
), moved AS (
    UPDATE job j
    SET state = '{JobState.FAILED}', message = :message, session_id = NULL, lease_until = NULL, updated_at = now()
    FROM picked WHERE j.id = picked.id
    RETURNING j.id, j.revision, picked.was, j.state
), noted AS (
    {NOTE_JOBS}
)
SELECT id FROM moved""")
"""delivering → failed, with the reason."""

POSTPONE = sa.text(f"""
WITH picked AS (
    SELECT id, state AS was FROM job
    WHERE id = :id AND revision = :revision AND session_id = :session
      AND state IN ({legal(JobState.READY, [JobState.DELIVERING])})
    FOR NO KEY UPDATE
), moved AS (
    UPDATE job j
    SET state = '{JobState.READY}', revision = j.revision + 1, message = :message, session_id = NULL,
        lease_until = NULL, updated_at = now()
    FROM picked WHERE j.id = picked.id
    RETURNING j.id, j.revision, picked.was, j.state
), noted AS (
    {NOTE_JOBS}
)
SELECT id FROM moved""")
"""delivering → ready, with the reason: nobody is asked until the store's hold ends."""

RETRY_FAILED = sa.text(f"""
WITH picked AS (
    SELECT id, state AS was FROM job
    WHERE id = :job_id AND waiting = 0 AND state IN ({legal(JobState.READY, [JobState.FAILED])})
    FOR NO KEY UPDATE
), moved AS (
    UPDATE job j
    SET state = '{JobState.READY}', revision = j.revision + 1, message = '', updated_at = now()
    FROM picked WHERE j.id = picked.id
    RETURNING j.id, j.revision, picked.was, j.state
), noted AS (
    {NOTE_JOBS}
)
SELECT id FROM moved""")
"""failed → ready."""

JOB_THERE = sa.text("SELECT true FROM job WHERE id = :job_id")


def claim_delivery(
    conn: sa.Connection, job_id: int, revision: int, session_id: uuid.UUID, lease_s: float
) -> DeliveryWork | None:
    """Take a job's delivery for ``lease_s`` seconds; None when that revision is superseded or taken already."""
    values = {"id": job_id, "revision": revision, "session": session_id, "lease_s": lease_s}
    if conn.scalar(CLAIM, values | {"actor": sections.actor(conn, session_id)}) is None:
        return None
    row = conn.execute(WORK, {"id": job_id}).mappings().one()
    options = JobOptions.model_validate(row["options"])
    return DeliveryWork(**{**row, "options": options, "sections": _sections(conn, job_id)})


def renew(conn: sa.Connection, job_id: int, revision: int, session_id: uuid.UUID, lease_s: float) -> bool:
    """Prolong the lease; False when the delivery is not the caller's any more and may as well stop."""
    values = {"id": job_id, "revision": revision, "session": session_id, "lease_s": lease_s}
    return conn.scalar(RENEW, values) is not None


def finish_delivery(
    conn: sa.Connection, job_id: int, revision: int, session_id: uuid.UUID, deliverables: Sequence[NewDeliverable]
) -> bool:
    """Record what was handed over, in place of what an earlier delivery had. False when superseded."""
    values = {"id": job_id, "revision": revision, "session": session_id, "actor": sections.actor(conn, session_id)}
    if conn.scalar(FINISH, values) is None:
        return False
    files = [{"kind": file.kind, "name": file.name, "sha256": file.sha256, "size": file.size} for file in deliverables]
    conn.execute(FORGET_FILES, {"id": job_id})
    conn.execute(ADD_FILES, {"id": job_id, "files": json.dumps(files)})
    notify(conn)
    return True


def fail_delivery(conn: sa.Connection, job_id: int, revision: int, session_id: uuid.UUID, message: str) -> bool:
    """Give up on a delivery: it waits for a person. False when superseded."""
    values = {"id": job_id, "revision": revision, "session": session_id, "message": printable(message)}
    return conn.scalar(FAIL, values | {"actor": sections.actor(conn, session_id)}) is not None


def postpone(conn: sa.Connection, job_id: int, revision: int, session_id: uuid.UUID, reason: str) -> bool:
    """Put a delivery off because the store did not do its part, and hold the store. False when superseded.

    The job is ready again, with the reason as its message; ``db.queries.reaper.release_holds`` asks for it when the
    hold is over.
    """
    values = {"id": job_id, "revision": revision, "session": session_id, "message": printable(reason)}
    if conn.scalar(POSTPONE, values | {"actor": sections.actor(conn, session_id)}) is None:
        return False
    hold_store(conn, printable(reason))
    notify(conn)
    return True


def mark_damaged(
    conn: sa.Connection, job_id: int, revision: int, session_id: uuid.UUID, section_ids: Sequence[int]
) -> set[int]:
    """Send sections of a delivery under way back to be assembled: their tracks in the store are damaged.

    Opens the job again, which voids the delivery; the last section made asks for it anew. Returns the sections moved;
    none when the delivery was superseded.
    """
    ids = list(conn.scalars(LOCK_ASSEMBLED, {"ids": list(section_ids), "job_id": job_id}))
    mine = {"id": job_id, "revision": revision, "session": session_id}
    if not ids or conn.scalar(LOCK_MINE, mine) is None:
        return set()
    settle(conn, dict.fromkeys(ids, 0), sections.actor(conn, session_id))
    notify(conn)
    return set(ids)


def retry_failed(conn: sa.Connection, job_id: int) -> int:
    """Ask again for what failed after the lines: a job's failed sections, and its delivery. Returns how many.

    Raises NotFound. Lines are retried by ``db.queries.lines.retry``.
    """
    if conn.scalar(JOB_THERE, {"job_id": job_id}) is None:
        raise NotFound("job", job_id)
    again = sections.retry_failed(conn, job_id)
    ids = list(conn.scalars(RETRY_FAILED, {"job_id": job_id, "actor": PERSON}))
    ask_delivery(conn, ids)
    notify(conn)
    return again + len(ids)


def _sections(conn: sa.Connection, job_id: int) -> tuple[DeliverySection, ...]:
    rows = conn.execute(SECTIONS, {"id": job_id}).mappings().all()
    found = conn.execute(TRACKS, {"ids": [row["track_id"] for row in rows]}).mappings()
    tracks = {row["id"]: sections.track_record(row) for row in found}
    lines = sections.section_lines(conn, [row["section_id"] for row in rows])
    return tuple(
        DeliverySection(
            section_id=row["section_id"],
            position=row["position"],
            key=row["key"],
            kind=row["kind"],
            title=row["title"],
            track=tracks[row["track_id"]],
            lines=lines[row["section_id"]],
        )
        for row in rows
    )
