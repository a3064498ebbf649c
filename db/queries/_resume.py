"""The same script, submitted again: its job goes on where it stands, and puts right whatever is stuck."""

from __future__ import annotations

import json

import sqlalchemy as sa

from db.notify import notify
from db.queries._moves import NOTE_JOBS, PERSON, deltas, legal, line_move, settle
from db.queries._outbox import ASSEMBLE_TASK, DELIVER_TASK, ask_assembly, ask_delivery
from db.records import ImportPlan
from db.states import JobState, LineState, SectionState

_RETRY = line_move(
    source="JOIN section s ON s.id = l.section_id",
    to=LineState.PENDING,
    froms=(LineState.FAILED, LineState.CANCELLED),
    where="s.job_id = :job_id",
    sets="take_id = NULL, burnt = 0, alone = false, not_before = NULL, failure_class = NULL, failure_message = NULL",
)
"""Lines that gave up, or were given up, start over with all their attempts."""

_ACCEPT = line_move(
    source="JOIN section s ON s.id = l.section_id",
    to=LineState.ACCEPTED,
    froms=(LineState.RENDERED,),
    where="s.job_id = :job_id AND l.take_id IS NOT NULL",
)
"""Flagged takes, when the job no longer asks for a person's verdict."""

_JOB = sa.text("SELECT state, waiting, out_url, profile, options FROM job WHERE id = :job_id")

_ORDER = sa.text("""
UPDATE job SET out_url = :out_url, profile = :profile, options = CAST(:options AS jsonb), message = '',
    updated_at = now() WHERE id = :job_id
""")

_STOPPED = sa.text("""
SELECT id FROM section WHERE job_id = :job_id AND (state IN ('failed', 'cancelled') OR (:again AND waiting = 0
    AND state IN ('assembled', 'assembling', 'ready')))
""")
"""Sections that wait for nobody: those that gave up, and, where what goes into tracks changed, those that are made."""

_UNASKED_SECTIONS = sa.text(f"""
SELECT s.id FROM section s WHERE s.job_id = :job_id AND s.state = '{SectionState.READY}' AND NOT EXISTS (
    SELECT 1 FROM outbox o WHERE o.task = '{ASSEMBLE_TASK}' AND o.args -> 1 = to_jsonb(s.id)
        AND o.args -> 2 = to_jsonb(s.revision))
""")

_UNASKED_JOB = sa.text(f"""
SELECT j.id FROM job j WHERE j.id = :job_id AND j.state = '{JobState.READY}' AND NOT EXISTS (
    SELECT 1 FROM outbox o WHERE o.task = '{DELIVER_TASK}' AND o.args -> 1 = to_jsonb(j.id)
        AND o.args -> 2 = to_jsonb(j.revision))
""")

_RESTING = (JobState.DELIVERED, JobState.FAILED, JobState.CANCELLED)


def _move_job(to: JobState, where: str) -> sa.TextClause:
    froms = (*_RESTING, JobState.DELIVERING) if to is JobState.READY else _RESTING
    return sa.text(f"""
WITH picked AS (
    SELECT id, state AS was FROM job
    WHERE id = :job_id AND state IN ({legal(to, froms)}) AND {where} FOR UPDATE
), moved AS (
    UPDATE job j SET state = '{to}', revision = j.revision + 1, session_id = NULL, lease_until = NULL,
        finished_at = NULL, message = '', updated_at = now()
    FROM picked WHERE j.id = picked.id
    RETURNING j.id, j.revision, picked.was, j.state
), noted AS (
    {NOTE_JOBS}
)
SELECT id FROM moved""")


_DELIVER_AGAIN = _move_job(JobState.READY, f"waiting = 0 AND (state <> '{JobState.DELIVERING}' OR :moved)")
"""Every track is there: package again, which puts missing files back. A delivery under way goes on, unless the order
changed under it."""

_REOPEN = _move_job(JobState.ACTIVE, "waiting > 0")

_COUNT = sa.text("""
SELECT count(*) AS lines, count(*) FILTER (WHERE l.state = 'accepted') AS reused
FROM line l JOIN section s ON s.id = l.section_id WHERE s.job_id = :job_id
""")


def resume(conn: sa.Connection, job_id: int, plan: ImportPlan, *, retitled: bool) -> tuple[int, int]:
    """Let a job go on, with the order (place, formats, options) as it is now; returns its lines and those accepted.

    Called with the title's lock held. ``retitled``: title, author, language or kind changed, which tracks carry in
    their tags.
    """
    values = {"job_id": job_id, "actor": PERSON}
    before = conn.execute(_JOB, values).one()
    options = plan.options.model_dump(mode="json")
    again = retitled or before.profile != plan.profile or before.options != options
    order = {"out_url": plan.out_url, "profile": plan.profile, "options": json.dumps(options)}

    moved = list(conn.execute(_RETRY, values))
    if not plan.options.review:
        moved += conn.execute(_ACCEPT, values).all()
    stopped = conn.scalars(_STOPPED, {**values, "again": again}).all()
    change = dict.fromkeys(stopped, 0)
    change |= {row.section_id: 0 for row in moved if row.was == LineState.CANCELLED}
    settle(conn, change | deltas(moved), PERSON, revive=True)
    ask_assembly(conn, conn.scalars(_UNASKED_SECTIONS, values).all())

    conn.execute(_ORDER, {**values, **order})
    conn.execute(_REOPEN, values)
    ready = conn.scalar(_DELIVER_AGAIN, {**values, "moved": again or before.out_url != plan.out_url})
    if ready is not None:
        ask_delivery(conn, [job_id])
    else:
        ask_delivery(conn, conn.scalars(_UNASKED_JOB, values).all())
    notify(conn)
    count = conn.execute(_COUNT, values).one()
    return count.lines, count.reused
