"""What nobody finishes is taken back here: the scheduler calls each of these again and again.

All times are the server's. Every function is safe to run twice at once, and does nothing when there is nothing to do.
"""

from __future__ import annotations

import logging
import uuid

import sqlalchemy as sa

from db.failures import ATTEMPT_CAP, decide
from db.notify import notify
from db.queries import lines
from db.queries._moves import NOTE_JOBS, NOTE_SECTIONS, SCHEDULER, legal, line_move, settle, sql_list
from db.queries._outbox import ASSEMBLE_TASK, DELIVER_TASK, LINE_TASK, ask_assembly, ask_delivery
from db.queries.holds import FREE, OVER, STORE_HELD
from db.records import FailedLine
from db.states import LINE_SETTLED, FailureClass, JobState, LineState, SectionState

log = logging.getLogger(__name__)

END_SILENT = sa.text("""
UPDATE worker_session SET ended_at = now()
WHERE ended_at IS NULL
  AND greatest(heartbeat_at, CASE WHEN pg_postmaster_start_time() > started_at THEN pg_postmaster_start_time() END)
      < now() - make_interval(secs => :lease_s)""")
"""Sessions silent for longer than the lease. A server that was away heard nobody: silence counts from its return."""

ABANDONED = sa.text(f"""
SELECT l.id, l.attempt, l.burnt, l.session_id, coalesce(w.name, 'a worker') AS worker
FROM line l LEFT JOIN worker_session w ON w.id = l.session_id
WHERE l.state = '{LineState.RENDERING}' AND (w.id IS NULL OR w.ended_at IS NOT NULL)
ORDER BY l.id""")
"""Lines in the hands of sessions that are over."""

LOCK_LINES = sa.text("SELECT id FROM line WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id FOR NO KEY UPDATE")
"""Locks lines in the one order, before they are moved session by session."""

REQUEUE = line_move(
    to=LineState.PENDING,
    froms=[LineState.QUEUED],
    where=f"""l.queued_at < now() - make_interval(secs => :timeout_s)
      AND NOT EXISTS (SELECT FROM outbox o WHERE o.task = '{LINE_TASK}' AND o.args -> 1 = to_jsonb(l.id))""",
)
"""Messages published long ago that no worker took: lost with the broker's data, or dropped by a worker that died."""

DROP_HOLDS = sa.text(f"DELETE FROM hold h WHERE {OVER}")
"""Holds that are over."""

RELEASE_HELD = line_move(
    to=LineState.PENDING,
    froms=[LineState.HELD],
    where=FREE,
)
"""Held lines that nothing holds any more."""

LAPSED_SECTIONS = sa.text(f"""
WITH picked AS (
    SELECT s.id, s.state AS was, CASE WHEN 1 + (
        SELECT count(*) FROM event e
        WHERE e.entity = 'section' AND e.entity_id = s.id AND e.actor = '{SCHEDULER}'
          AND e.from_state = '{SectionState.ASSEMBLING}' AND e.to_state = '{SectionState.READY}'
          AND e.id > coalesce((SELECT max(id) FROM event f WHERE f.entity = 'section' AND f.entity_id = s.id
                                 AND f.from_state <> '{SectionState.ASSEMBLING}'
                                 AND f.to_state = '{SectionState.READY}'), 0)
    ) >= {ATTEMPT_CAP} THEN '{SectionState.FAILED}' ELSE '{SectionState.READY}' END AS state
    FROM section s
    WHERE s.state IN ({legal(SectionState.READY, [SectionState.ASSEMBLING])}) AND s.lease_until < now()
    ORDER BY s.id FOR NO KEY UPDATE OF s
), moved AS (
    UPDATE section s
    SET state = p.state, revision = s.revision + 1, session_id = NULL, lease_until = NULL, updated_at = now(),
        message = CASE p.state WHEN '{SectionState.FAILED}' THEN :message ELSE '' END
    FROM picked p WHERE s.id = p.id
    RETURNING s.id, s.revision, p.was, s.state
), noted AS (
    {NOTE_SECTIONS}
)
SELECT id, state FROM moved ORDER BY id""")
"""Assemblies whose worker went silent are asked for again; one that keeps killing workers waits for a person."""

LAPSED_JOBS = sa.text(f"""
WITH picked AS (
    SELECT j.id, j.state AS was, CASE WHEN 1 + (
        SELECT count(*) FROM event e
        WHERE e.entity = 'job' AND e.entity_id = j.id AND e.actor = '{SCHEDULER}'
          AND e.from_state = '{JobState.DELIVERING}' AND e.to_state = '{JobState.READY}'
          AND e.id > coalesce((SELECT max(id) FROM event f WHERE f.entity = 'job' AND f.entity_id = j.id
                                 AND f.from_state <> '{JobState.DELIVERING}'
                                 AND f.to_state = '{JobState.READY}'), 0)
    ) >= {ATTEMPT_CAP} THEN '{JobState.FAILED}' ELSE '{JobState.READY}' END AS state
    FROM job j
    WHERE j.state IN ({legal(JobState.READY, [JobState.DELIVERING])}) AND j.lease_until < now()
    ORDER BY j.id FOR NO KEY UPDATE OF j
), moved AS (
    UPDATE job j
    SET state = p.state, revision = j.revision + 1, session_id = NULL, lease_until = NULL, updated_at = now(),
        message = CASE p.state WHEN '{JobState.FAILED}' THEN :message ELSE '' END
    FROM picked p WHERE j.id = p.id
    RETURNING j.id, j.revision, p.was, j.state
), noted AS (
    {NOTE_JOBS}
)
SELECT id, state FROM moved ORDER BY id""")
"""The same for deliveries."""

legal(SectionState.FAILED, [SectionState.ASSEMBLING])
legal(JobState.FAILED, [JobState.DELIVERING])

WAKE_SECTIONS = sa.text(f"""
UPDATE section s SET message = '', updated_at = now() FROM (
    SELECT id FROM section WHERE state = '{SectionState.READY}' AND message <> '' AND NOT {STORE_HELD}
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
) picked WHERE s.id = picked.id RETURNING s.id""")
"""Ready sections that waited for the end of the store's hold: only those carry a message."""

WAKE_JOBS = sa.text(f"""
UPDATE job j SET message = '', updated_at = now() FROM (
    SELECT id FROM job WHERE state = '{JobState.READY}' AND message <> '' AND NOT {STORE_HELD}
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
) picked WHERE j.id = picked.id RETURNING j.id""")
"""The same for jobs."""

_POST_IDLE = f"""(SELECT coalesce(sum(capacity), 0) FROM worker_session WHERE kind = 'post' AND ended_at IS NULL)
        > (SELECT count(*) FROM section WHERE state = '{SectionState.ASSEMBLING}')
        + (SELECT count(*) FROM job WHERE state = '{JobState.DELIVERING}')"""
"""A post worker has nothing to do. While all are at work what is ready waits for its turn, and its message with it."""

FORGOTTEN_SECTIONS = sa.text(f"""
UPDATE section s SET updated_at = now() FROM (
    SELECT id FROM section r
    WHERE r.state = '{SectionState.READY}' AND r.message = '' AND {_POST_IDLE}
      AND r.updated_at < now() - make_interval(secs => :timeout_s)
      AND NOT EXISTS (SELECT FROM outbox o WHERE o.task = '{ASSEMBLE_TASK}' AND o.args -> 1 = to_jsonb(r.id))
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
) picked WHERE s.id = picked.id RETURNING s.id""")
"""Sections ready for long whose message is not in the outbox, while somebody could make them.

The clock starts again for each.

Those that wait for the store are left out: the end of its hold asks for them.
"""

FORGOTTEN_JOBS = sa.text(f"""
UPDATE job j SET updated_at = now() FROM (
    SELECT id FROM job r
    WHERE r.state = '{JobState.READY}' AND r.message = '' AND {_POST_IDLE}
      AND r.updated_at < now() - make_interval(secs => :timeout_s)
      AND NOT EXISTS (SELECT FROM outbox o WHERE o.task = '{DELIVER_TASK}' AND o.args -> 1 = to_jsonb(r.id))
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
) picked WHERE j.id = picked.id RETURNING j.id""")
"""The same for jobs."""

_UNDER_WAY = (JobState.ACTIVE, JobState.READY, JobState.DELIVERING)

LINE_COUNTS = f"""
SELECT s.id, s.job_id, count(l.id) FILTER (WHERE l.state NOT IN ({sql_list(LINE_SETTLED)})) - s.waiting AS delta
FROM section s LEFT JOIN line l ON l.section_id = s.id
WHERE {{which}}
GROUP BY s.id
HAVING count(l.id) FILTER (WHERE l.state NOT IN ({sql_list(LINE_SETTLED)})) <> s.waiting
ORDER BY s.id"""

WRONG_SECTIONS = sa.text(
    LINE_COUNTS.format(which=f"s.job_id IN (SELECT id FROM job WHERE state IN ({sql_list(_UNDER_WAY)}))")
)
"""Sections of jobs under way whose ``waiting`` is not the number of their unsettled lines."""

LOCK_SECTIONS = sa.text("SELECT id FROM section WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id FOR NO KEY UPDATE")
"""Keeps the counters of sections still while they are counted again."""

RECOUNT_SECTIONS = sa.text(LINE_COUNTS.format(which="s.id = ANY(CAST(:ids AS bigint[]))"))
"""The same for chosen sections."""

_WITHOUT_TRACK = f"""(SELECT count(*) FROM section s
    WHERE s.job_id = j.id AND s.state <> '{SectionState.ASSEMBLED}')"""

WRONG_JOBS = sa.text(f"""
SELECT j.id FROM job j WHERE j.state IN ({sql_list(_UNDER_WAY)}) AND j.waiting <> {_WITHOUT_TRACK}""")
"""Jobs under way whose ``waiting`` is not the number of their sections without a track."""

LOCK_JOBS = sa.text("SELECT id FROM job WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id FOR NO KEY UPDATE")
"""Keeps the counters of jobs still while they are counted again."""

REPAIR_JOBS = sa.text(f"""
WITH picked AS (
    SELECT j.id, j.state AS was, {_WITHOUT_TRACK} AS waiting FROM job j
    WHERE j.id = ANY(CAST(:ids AS bigint[])) AND j.state IN ({sql_list(_UNDER_WAY)}) AND j.waiting <> {_WITHOUT_TRACK}
), moved AS (
    UPDATE job j
    SET waiting = p.waiting, updated_at = now(),
        state = CASE WHEN p.waiting > 0 THEN '{JobState.ACTIVE}'
                     WHEN p.was = '{JobState.ACTIVE}' THEN '{JobState.READY}' ELSE p.was END,
        revision = j.revision + CASE WHEN (p.waiting = 0) = (p.was = '{JobState.ACTIVE}') THEN 1 ELSE 0 END,
        session_id = CASE WHEN p.waiting > 0 THEN NULL ELSE j.session_id END,
        lease_until = CASE WHEN p.waiting > 0 THEN NULL ELSE j.lease_until END
    FROM picked p WHERE j.id = p.id
    RETURNING j.id, j.revision, p.was, j.state
), noted AS (
    {NOTE_JOBS}
)
SELECT id, was, state FROM moved ORDER BY id""")
"""Sets the counters of locked jobs right, and their states with them."""

PRUNE = sa.text("""
DELETE FROM worker_session w WHERE w.ended_at < now() - interval '7 days'
  AND NOT EXISTS (SELECT FROM line l WHERE l.state = 'rendering' AND l.session_id = w.id)""")
"""Sessions that ended long ago."""


def reap_sessions(conn: sa.Connection, lease_s: float) -> int:
    """End sessions silent for longer than ``lease_s`` and take their lines back as crashed; returns lines moved.

    Sessions that ended otherwise and still hold lines (killed and restarted workers) are covered too.
    """
    conn.execute(END_SILENT, {"lease_s": lease_s})
    by_session: dict[uuid.UUID, list[FailedLine]] = {}
    abandoned = conn.execute(ABANDONED).all()
    if abandoned:
        conn.execute(LOCK_LINES, {"ids": [row.id for row in abandoned]})
    for row in abandoned:
        message = f"{row.worker} ended or fell silent while it rendered this line"
        decision = decide(FailureClass.CRASH, row.burnt)
        failure = FailedLine(row.id, row.attempt, FailureClass.CRASH, message, decision)
        by_session.setdefault(row.session_id, []).append(failure)
    return sum(len(lines.fail(conn, failed, session, SCHEDULER)) for session, failed in sorted(by_session.items()))


def requeue_lost(conn: sa.Connection, queue_timeout_s: float) -> int:
    """Make pending again what was published more than ``queue_timeout_s`` ago and never claimed; burns no attempt."""
    return len(conn.execute(REQUEUE, {"timeout_s": queue_timeout_s, "actor": SCHEDULER}).all())


def release_holds(conn: sa.Connection) -> int:
    """Drop holds that are over: their lines become pending, post work that waited is asked for. Returns how many."""
    released = len(conn.execute(RELEASE_HELD, {"actor": SCHEDULER}).all())
    released += ask_assembly(conn, conn.scalars(WAKE_SECTIONS).all())
    released += ask_delivery(conn, conn.scalars(WAKE_JOBS).all())
    conn.execute(DROP_HOLDS)  # last: a failure locks what failed first and its hold second, too
    return released


def reap_post(conn: sa.Connection) -> int:
    """Take back assemblies and deliveries whose lease ran out; returns how many.

    They are asked for again under a new revision. After ``ATTEMPT_CAP`` times in a row they fail: whatever is in them
    ends the process that touches it.
    """
    message = f"the worker making this ended or fell silent {ATTEMPT_CAP} times in a row"
    values = {"actor": SCHEDULER, "message": message}
    sections = conn.execute(LAPSED_SECTIONS, values).all()
    jobs = conn.execute(LAPSED_JOBS, values).all()
    ask_assembly(conn, [row.id for row in sections if row.state == SectionState.READY])
    ask_delivery(conn, [row.id for row in jobs if row.state == JobState.READY])
    return len(sections) + len(jobs)


def reconcile_post(conn: sa.Connection, queue_timeout_s: float) -> int:
    """Ask again for assemblies and deliveries that idle post workers left for ``queue_timeout_s``; returns how many."""
    values = {"timeout_s": queue_timeout_s}
    sections = list(conn.scalars(FORGOTTEN_SECTIONS, values))
    jobs = list(conn.scalars(FORGOTTEN_JOBS, values))
    return ask_assembly(conn, sections) + ask_delivery(conn, jobs)


def repair_counters(conn: sa.Connection) -> int:
    """Count the lines and sections of jobs under way again; returns how many counters were wrong, and logs them.

    There is no known way for one to go wrong: a number other than 0 is a bug, or a hand in the database.
    """
    wrong = [row.id for row in conn.execute(WRONG_SECTIONS).all()]
    found = 0
    if wrong:
        conn.execute(
            LOCK_SECTIONS, {"ids": wrong}
        )  # moves under way wait, moves done are visible to the next statement
        rows = conn.execute(RECOUNT_SECTIONS, {"ids": wrong}).all()
        log.error("counters of sections were wrong: %s", {row.id: row.delta for row in rows})
        settle(conn, {row.id: row.delta for row in rows}, SCHEDULER)
        found += len(rows)
    suspects = list(conn.scalars(WRONG_JOBS))
    if suspects:
        conn.execute(LOCK_JOBS, {"ids": sorted(suspects)})
        jobs = conn.execute(REPAIR_JOBS, {"ids": suspects, "actor": SCHEDULER}).all()
        log.error("counters of jobs were wrong: %s", [row.id for row in jobs])
        ask_delivery(conn, [row.id for row in jobs if row.was != row.state])
        found += len(jobs)
    if found:
        notify(conn)
    return found


def prune(conn: sa.Connection) -> int:
    """Delete worker sessions that ended more than 7 days ago and hold nothing; returns how many."""
    return conn.execute(PRUNE).rowcount
