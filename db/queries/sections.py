"""Moves of sections that a post worker makes: claim, renew, finish, fail, postpone; and what a track is made of.

Fenced like lines, with the revision in place of the attempt: a section that was opened again, or taken by the reaper,
has a higher one, and whatever comes in for the old one is superseded.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from db.failures import Scope
from db.notify import notify
from db.queries._moves import NOTE_JOBS, NOTE_SECTIONS, PERSON, legal
from db.queries._outbox import ask_assembly, ask_delivery
from db.queries.holds import hold_store
from db.queries.lines import printable
from db.records import JobOptions, MadeTrack, NewTrack, SectionLine, SectionWork, TrackRecord
from db.states import JobState, LineState, SectionState

CLAIM = sa.text(f"""
WITH picked AS (
    SELECT id, state AS was FROM section
    WHERE id = :id AND revision = :revision AND waiting = 0
      AND state IN ({legal(SectionState.ASSEMBLING, [SectionState.READY])})
    FOR NO KEY UPDATE
), moved AS (
    UPDATE section s
    SET state = '{SectionState.ASSEMBLING}', session_id = :session, message = '', updated_at = now(),
        lease_until = now() + make_interval(secs => :lease_s)
    FROM picked WHERE s.id = picked.id
    RETURNING s.id, s.revision, picked.was, s.state
), noted AS (
    {NOTE_SECTIONS}
)
SELECT id FROM moved""")
"""ready → assembling, under a lease."""

RENEW = sa.text(f"""
UPDATE section SET lease_until = now() + make_interval(secs => :lease_s)
WHERE id = :id AND revision = :revision AND session_id = :session AND state = '{SectionState.ASSEMBLING}'
RETURNING id""")
"""Prolongs the lease of an assembly that is still the caller's."""

WORK = sa.text("""
SELECT s.id AS section_id, s.revision, s.job_id, s.production_id, p.slug, p.title AS production_title, p.author,
       p.language, p.kind, p.watermark_key, s.title, s.key AS section_key, s.kind AS section_kind, s.position,
       (SELECT count(*) FROM section o WHERE o.script_id = s.script_id) AS section_count, j.profile, j.options
FROM section s JOIN job j ON j.id = s.job_id JOIN production p ON p.id = s.production_id
WHERE s.id = :id""")
"""What a section's track is made of, besides its lines."""

LINES = sa.text(f"""
SELECT l.section_id, l.id AS line_id, l.position, l.key, l.character, l.text, l.spoken, l.language, l.pause_ms, l.in_ms,
       l.out_ms, l.state = '{LineState.SKIPPED}' AS skipped, t.id AS take_id, t.audio_sha256, t.samples, t.sample_rate,
       t.voice, t.engine, t.engine_version, t.seed, l.digest, nullif(t.findings, '[]'::jsonb) AS findings
FROM line l LEFT JOIN take t ON t.id = l.take_id AND l.state <> '{LineState.SKIPPED}'
WHERE l.section_id = ANY(CAST(:ids AS bigint[]))
ORDER BY l.section_id, l.position""")
"""Lines of sections in order, each with its selected take. Most takes have no findings: nothing is parsed for those."""

FIND_TRACK = sa.text("SELECT id, files FROM track WHERE digest = :digest ORDER BY id DESC LIMIT 1")
"""The newest track made of exactly these takes, pauses, title and profile."""

LOCK_MINE = sa.text(f"""
SELECT id FROM section
WHERE id = :id AND revision = :revision AND session_id = :session AND state = '{SectionState.ASSEMBLING}'
FOR NO KEY UPDATE""")
"""The section, locked, if its assembly is still the caller's."""

ADD_TRACK = sa.text("""
INSERT INTO track (section_id, digest, files, samples, sample_rate, loudness_lufs, true_peak_dbtp, measurements,
                   offsets, watermark)
VALUES (:id, :digest, CAST(:files AS jsonb), :samples, :sample_rate, :loudness_lufs, :true_peak_dbtp,
        CAST(:measurements AS jsonb), CAST(:offsets AS jsonb), :watermark)
RETURNING id""")
"""A track just made."""

FINISH = sa.text(f"""
WITH picked AS (
    SELECT id, state AS was FROM section
    WHERE id = :id AND state IN ({legal(SectionState.ASSEMBLED, [SectionState.ASSEMBLING])})
), moved AS (
    UPDATE section s
    SET state = '{SectionState.ASSEMBLED}', track_id = :track_id, session_id = NULL, lease_until = NULL, message = '',
        updated_at = now()
    FROM picked WHERE s.id = picked.id
    RETURNING s.id, s.job_id, s.revision, picked.was, s.state
), noted AS (
    {NOTE_SECTIONS}
)
SELECT job_id FROM moved""")
"""assembling → assembled."""

COUNT_DOWN = sa.text(f"""
WITH picked AS (
    SELECT id, state AS was, CASE WHEN waiting = 1 AND state IN ({legal(JobState.READY, [JobState.ACTIVE])})
                                  THEN '{JobState.READY}' ELSE state END AS state
    FROM job WHERE id = :job_id FOR NO KEY UPDATE
), moved AS (
    UPDATE job j
    SET waiting = j.waiting - 1, state = p.state, updated_at = now(),
        revision = j.revision + CASE WHEN p.was = p.state THEN 0 ELSE 1 END
    FROM picked p WHERE j.id = p.id
    RETURNING j.id, j.revision, p.was, j.state
), noted AS (
    {NOTE_JOBS}
)
SELECT id FROM moved WHERE was <> state""")
"""One section of the job less to wait for; the last one makes the job ready."""

FAIL = sa.text(f"""
WITH picked AS (
    SELECT id, state AS was FROM section
    WHERE id = :id AND revision = :revision AND session_id = :session
      AND state IN ({legal(SectionState.FAILED, [SectionState.ASSEMBLING])})
    FOR NO KEY UPDATE
), moved AS (
    UPDATE section s
    SET state = '{SectionState.FAILED}', message = :message, session_id = NULL, lease_until = NULL, updated_at = now()
    FROM picked WHERE s.id = picked.id
    RETURNING s.id, s.revision, picked.was, s.state
), noted AS (
    {NOTE_SECTIONS}
)
SELECT id FROM moved""")
"""assembling → failed, with the reason."""

POSTPONE = sa.text(f"""
WITH picked AS (
    SELECT id, state AS was FROM section
    WHERE id = :id AND revision = :revision AND session_id = :session
      AND state IN ({legal(SectionState.READY, [SectionState.ASSEMBLING])})
    FOR NO KEY UPDATE
), moved AS (
    UPDATE section s
    SET state = '{SectionState.READY}', revision = s.revision + 1, message = :message, session_id = NULL,
        lease_until = NULL, updated_at = now()
    FROM picked WHERE s.id = picked.id
    RETURNING s.id, s.revision, picked.was, s.state
), noted AS (
    {NOTE_SECTIONS}
)
SELECT id FROM moved""")
"""assembling → ready, with the reason: nobody is asked until the store's hold ends."""

WAIT_FOR_STORE = sa.text(f"""
UPDATE section SET message = h.reason, updated_at = now() FROM hold h
WHERE section.id = :id AND revision = :revision AND state = '{SectionState.READY}'
  AND h.scope = '{Scope.STORE}' AND h.until > now()
RETURNING section.id""")
"""A ready section that cannot be made while the store is on hold."""

RETRY_FAILED = sa.text(f"""
WITH picked AS (
    SELECT id, state AS was FROM section
    WHERE job_id = :job_id AND waiting = 0 AND state IN ({legal(SectionState.READY, [SectionState.FAILED])})
    ORDER BY id FOR NO KEY UPDATE
), moved AS (
    UPDATE section s
    SET state = '{SectionState.READY}', revision = s.revision + 1, message = '', updated_at = now()
    FROM picked WHERE s.id = picked.id
    RETURNING s.id, s.revision, picked.was, s.state
), noted AS (
    {NOTE_SECTIONS}
)
SELECT id FROM moved ORDER BY id""")
"""failed → ready, for every section of a job whose lines are all settled."""


def claim(
    conn: sa.Connection, section_id: int, revision: int, session_id: uuid.UUID, lease_s: float
) -> SectionWork | None:
    """Take a section's assembly for ``lease_s`` seconds; None when that revision is superseded or taken already."""
    values = {"id": section_id, "revision": revision, "session": session_id, "lease_s": lease_s}
    if conn.scalar(CLAIM, values | {"actor": actor(conn, session_id)}) is None:
        return None
    row = conn.execute(WORK, {"id": section_id}).mappings().one()
    options = JobOptions.model_validate(row["options"])
    return SectionWork(**{**row, "options": options, "lines": section_lines(conn, [section_id])[section_id]})


def section_lines(conn: sa.Connection, section_ids: Sequence[int]) -> dict[int, tuple[SectionLine, ...]]:
    """Lines of sections, in order, by section id."""
    found: dict[int, list[SectionLine]] = {section_id: [] for section_id in section_ids}
    for row in conn.execute(LINES, {"ids": list(section_ids)}).mappings():
        values = {**row, "findings": tuple(row["findings"] or ())}
        found[values.pop("section_id")].append(SectionLine(**values))
    return {section_id: tuple(lines) for section_id, lines in found.items()}


def renew(conn: sa.Connection, section_id: int, revision: int, session_id: uuid.UUID, lease_s: float) -> bool:
    """Prolong the lease; False when the assembly is not the caller's any more and may as well stop."""
    values = {"id": section_id, "revision": revision, "session": session_id, "lease_s": lease_s}
    return conn.scalar(RENEW, values) is not None


def find_track(conn: sa.Connection, digest: str) -> MadeTrack | None:
    """A track made of the same takes, pauses, title and profile before, if there is one."""
    row = conn.execute(FIND_TRACK, {"digest": digest}).mappings().first()
    return None if row is None else MadeTrack(**row)


def track_record(row: sa.RowMapping) -> TrackRecord:
    """A track from a row with all its columns."""
    return TrackRecord(**{**row, "offsets": tuple(row["offsets"])})


def finish(conn: sa.Connection, section_id: int, revision: int, session_id: uuid.UUID, track: NewTrack | int) -> bool:
    """Record a section's track: a new one, or the id of one found by digest. False when superseded: nothing is kept.

    The last section of a job makes it ready and asks for the delivery, in the caller's transaction.
    """
    mine = {"id": section_id, "revision": revision, "session": session_id}
    if conn.scalar(LOCK_MINE, mine) is None:
        return False
    track_id = track if isinstance(track, int) else conn.scalar(ADD_TRACK, {"id": section_id, **_as_values(track)})
    who = actor(conn, session_id)
    job_id = conn.execute(FINISH, {"id": section_id, "track_id": track_id, "actor": who}).scalar_one()
    ask_delivery(conn, list(conn.scalars(COUNT_DOWN, {"job_id": job_id, "actor": who})))
    notify(conn)
    return True


def fail(conn: sa.Connection, section_id: int, revision: int, session_id: uuid.UUID, message: str) -> bool:
    """Give up on a section's track: it waits for a person. False when superseded."""
    values = {"id": section_id, "revision": revision, "session": session_id, "message": printable(message)}
    return conn.scalar(FAIL, values | {"actor": actor(conn, session_id)}) is not None


def postpone(conn: sa.Connection, section_id: int, revision: int, session_id: uuid.UUID, reason: str) -> bool:
    """Put an assembly off because the store did not do its part, and hold the store. False when superseded.

    The section is ready again, with the reason as its message; ``db.queries.reaper.release_holds`` asks for it when
    the hold is over.
    """
    values = {"id": section_id, "revision": revision, "session": session_id, "message": printable(reason)}
    if conn.scalar(POSTPONE, values | {"actor": actor(conn, session_id)}) is None:
        return False
    hold_store(conn, printable(reason))
    notify(conn)
    return True


def wait_for_store(conn: sa.Connection, section_id: int, revision: int) -> bool:
    """Whether the store is on hold; then the section waits for the end of it, and its message may be dropped.

    Asked before a claim: mastering takes minutes, and what comes of it could not be kept.
    """
    return conn.scalar(WAIT_FOR_STORE, {"id": section_id, "revision": revision}) is not None


def retry_failed(conn: sa.Connection, job_id: int) -> int:
    """Ask for the assembly of a job's failed sections again; returns how many."""
    ids = list(conn.scalars(RETRY_FAILED, {"job_id": job_id, "actor": PERSON}))
    ask_assembly(conn, ids)
    return len(ids)


def actor(conn: sa.Connection, session_id: uuid.UUID) -> str:
    """Who moves: the worker's name, for the event trail."""
    name: str | None = conn.scalar(sa.text("SELECT name FROM worker_session WHERE id = :id"), {"id": session_id})
    return name or str(session_id)


def _as_values(track: NewTrack) -> dict[str, Any]:
    return {
        "digest": track.digest,
        "files": json.dumps(dict(track.files)),
        "samples": track.samples,
        "sample_rate": track.sample_rate,
        "loudness_lufs": track.loudness_lufs,
        "true_peak_dbtp": track.true_peak_dbtp,
        "measurements": json.dumps(dict(track.measurements)),
        "offsets": json.dumps([dict(offset) for offset in track.offsets]),
        "watermark": track.watermark,
    }
