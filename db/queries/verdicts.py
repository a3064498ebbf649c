"""Moves of lines that people decide: retry, skip, approve, cancel, and calling a take stale.

A person names lines; a line that is not in a state to make the move raises InvalidTransition and the caller's
transaction should end there, so that either all named lines moved or none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from db.errors import InvalidTransition, NotFound
from db.notify import notify
from db.queries._moves import NOTE_JOBS, NOTE_SECTIONS, PERSON, deltas, legal, line_move, settle
from db.states import JobState, LineState, SectionState, prior

RETRY_FROM = frozenset(
    {LineState.FAILED, LineState.CANCELLED, LineState.SKIPPED, LineState.RENDERED, LineState.ACCEPTED}
)
"""States a person may send a line back from."""

_NAMED = "l.id = ANY(CAST(:ids AS bigint[]))"
_FRESH = "take_id = NULL, burnt = 0, alone = false, not_before = NULL, failure_class = NULL, failure_message = NULL"

RETRY = line_move(to=LineState.PENDING, froms=RETRY_FROM, where=_NAMED, sets=_FRESH)
"""Named lines start over with all their attempts."""

RETRY_JOB = line_move(
    source="JOIN section s ON s.id = l.section_id",
    to=LineState.PENDING,
    froms=[LineState.FAILED],
    where="s.job_id = :job_id",
    sets=_FRESH,
)
"""The failed lines of a job start over."""

SKIP = line_move(to=LineState.SKIPPED, froms=prior(LineState.SKIPPED), where=_NAMED, sets="not_before = NULL")
"""Named lines are left out of their tracks."""

APPROVE = line_move(
    to=LineState.ACCEPTED,
    froms=(LineState.RENDERED, LineState.STALE),
    where=f"{_NAMED} AND l.take_id IS NOT NULL",
)
"""The selected take is good: flagged ones that waited for a verdict, or one whose inputs changed meanwhile."""

MARK_STALE = line_move(to=LineState.STALE, froms=prior(LineState.STALE), where=_NAMED)
"""An input of an accepted line changed."""

CANCEL_LINES = line_move(
    source="JOIN section s ON s.id = l.section_id",
    to=LineState.CANCELLED,
    froms=prior(LineState.CANCELLED),
    where="s.job_id = :job_id",
    sets="not_before = NULL",
)
"""Every line of a job that is not settled."""

_CANCEL_SECTION = [state for state in SectionState if state not in (SectionState.ASSEMBLED, SectionState.CANCELLED)]
_CANCEL_JOB = [state for state in JobState if state not in (JobState.DELIVERED, JobState.CANCELLED)]

CANCEL_SECTIONS = sa.text(f"""
WITH picked AS (
    SELECT id, state AS was FROM section
    WHERE job_id = :job_id AND state IN ({legal(SectionState.CANCELLED, _CANCEL_SECTION)})
    ORDER BY id FOR NO KEY UPDATE
), moved AS (
    UPDATE section s
    SET state = '{SectionState.CANCELLED}', revision = s.revision + 1, session_id = NULL, lease_until = NULL,
        updated_at = now()
    FROM picked WHERE s.id = picked.id
    RETURNING s.id, s.revision, picked.was, s.state
), noted AS (
    {NOTE_SECTIONS}
)
SELECT count(*) FROM moved""")
"""Every section of a job that is not a track yet; a track under way is void."""

CANCEL_JOB = sa.text(f"""
WITH picked AS (
    SELECT id, state AS was FROM job
    WHERE id = :job_id AND state IN ({legal(JobState.CANCELLED, _CANCEL_JOB)}) FOR NO KEY UPDATE
), moved AS (
    UPDATE job j
    SET state = '{JobState.CANCELLED}', revision = j.revision + 1, session_id = NULL, lease_until = NULL,
        updated_at = now(), finished_at = now()
    FROM picked WHERE j.id = picked.id
    RETURNING j.id, j.revision, picked.was, j.state
), noted AS (
    {NOTE_JOBS}
)
SELECT id FROM moved""")
"""The job itself."""

CANCELLED_BESIDE = sa.text(f"""
SELECT id FROM section WHERE state = '{SectionState.CANCELLED}' AND job_id IN (
    SELECT job_id FROM section WHERE id = ANY(CAST(:ids AS bigint[])))""")
"""Cancelled sections of the jobs that these sections belong to."""

LINE_STATE = sa.text("SELECT state FROM line WHERE id = :id")
JOB_STATE = sa.text("SELECT state FROM job WHERE id = :id")


def retry(conn: sa.Connection, line_ids: Sequence[int] | None = None, *, job_id: int | None = None) -> int:
    """Render lines again with all their attempts: the named ones, or the failed ones of a job. Returns how many.

    A cancelled line brings its job back with all its sections; lines cancelled with it stay so until they are named, or
    until the script is submitted again. Raises InvalidTransition for a named line that is not failed,
    cancelled, skipped, rendered or accepted, and NotFound for one that is not there.
    """
    if (line_ids is None) == (job_id is None):
        raise ValueError("name either lines or a job")
    if line_ids is not None:
        rows = _move_named(conn, RETRY, line_ids, LineState.PENDING)
    else:
        rows = conn.execute(RETRY_JOB, {"job_id": job_id, "actor": PERSON}).all()
    change = deltas(rows)
    back = sorted({row.section_id for row in rows if row.was == LineState.CANCELLED} | change.keys())
    for section_id in conn.scalars(CANCELLED_BESIDE, {"ids": back}) if back else ():
        change.setdefault(section_id, 0)
    settle(conn, change, PERSON, revive=True)
    if rows:
        notify(conn)
    return len(rows)


def skip(conn: sa.Connection, line_ids: Sequence[int]) -> int:
    """Leave lines out of their tracks; returns how many. Raises InvalidTransition for a cancelled or skipped one."""
    rows = _move_named(conn, SKIP, line_ids, LineState.SKIPPED)
    settle(conn, deltas(rows), PERSON)
    notify(conn)
    return len(rows)


def approve(conn: sa.Connection, line_ids: Sequence[int]) -> int:
    """Accept takes that waited for a verdict, or keep takes called stale. Raises InvalidTransition for any other."""
    rows = _move_named(conn, APPROVE, line_ids, LineState.ACCEPTED)
    settle(conn, deltas(rows), PERSON)
    notify(conn)
    return len(rows)


def mark_stale(conn: sa.Connection, line_ids: Sequence[int]) -> int:
    """Say that an input of accepted lines changed; the next dispatch renders them anew. Raises InvalidTransition."""
    rows = _move_named(conn, MARK_STALE, line_ids, LineState.STALE)
    settle(conn, deltas(rows), PERSON)
    notify(conn)
    return len(rows)


def cancel_job(conn: sa.Connection, job_id: int) -> None:
    """Cancel a job: every line that is not settled, every section that is not a track. Takes and tracks are kept.

    Raises NotFound, or InvalidTransition when the job is delivered or cancelled already.
    """
    state = conn.scalar(JOB_STATE, {"id": job_id})
    if state is None:
        raise NotFound("job", job_id)
    if state not in _CANCEL_JOB:
        raise InvalidTransition("job", job_id, JobState.CANCELLED, state)
    values = {"job_id": job_id, "actor": PERSON}
    conn.execute(CANCEL_LINES, values)
    conn.execute(CANCEL_SECTIONS, values)
    if conn.scalar(CANCEL_JOB, values) is None:  # it was delivered or cancelled while its lines were locked
        raise InvalidTransition("job", job_id, JobState.CANCELLED, conn.scalar(JOB_STATE, {"id": job_id}))
    notify(conn)


def _move_named(
    conn: sa.Connection, statement: sa.TextClause, line_ids: Sequence[int], wanted: LineState
) -> Sequence[sa.Row[Any]]:
    ids = sorted(set(line_ids))
    rows = conn.execute(statement, {"ids": ids, "actor": PERSON}).all()
    left = set(ids) - {row.id for row in rows}
    if left:
        refused = min(left)
        state = conn.scalar(LINE_STATE, {"id": refused})
        if state is None:
            raise NotFound("line", refused)
        raise InvalidTransition("line", refused, wanted, state)
    return rows
