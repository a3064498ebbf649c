"""What every move shares: the tables' word on who may go where, and what a line's move does to its section and job.

Locks are always taken in one order, so that no two transactions wait for each other: lines by id, then sections by id,
then jobs by id, then holds. Each statement locks its rows in that order before it changes the first one. NO KEY UPDATE
is the lock that the foreign keys of other rows do not wait for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from db.queries._outbox import ask_assembly
from db.states import JOB_MOVES, LINE_MOVES, LINE_SETTLED, SECTION_MOVES, JobState, LineState, SectionState

SCHEDULER = "scheduler"
PERSON = "person"
"""Actors in the event trail, besides the names of workers."""

_TABLES: Mapping[type[StrEnum], Mapping[Any, frozenset[Any]]] = {
    LineState: LINE_MOVES,
    SectionState: SECTION_MOVES,
    JobState: JOB_MOVES,
}


class IllegalMove(ValueError):
    """A statement was written for a move that the tables in db.states do not list."""


def sql_list(states: Iterable[StrEnum]) -> str:
    """States as the inside of an SQL ``IN (…)``, in a stable order."""
    return ", ".join(f"'{state.value}'" for state in sorted(states))


def legal(to: StrEnum, froms: Iterable[StrEnum]) -> str:
    """Prior states as the inside of ``IN (…)``; a move missing from the tables fails when the module is loaded."""
    moves = _TABLES[type(to)]
    chosen = frozenset(froms)
    for state in chosen:
        if to not in moves[state]:
            raise IllegalMove(f"{state} -> {to}")
    return sql_list(chosen)


NOTE_LINES = """INSERT INTO event (entity, entity_id, from_state, to_state, attempt, actor)
    SELECT 'line', id, was, state, attempt, :actor FROM moved ORDER BY id"""
"""Writes the trail of a statement whose CTE ``moved`` has id, was, state and attempt."""

NOTE_SECTIONS = """INSERT INTO event (entity, entity_id, from_state, to_state, attempt, actor)
    SELECT 'section', id, was, state, revision, :actor FROM moved WHERE was <> state ORDER BY id"""
"""The same for sections; raising the revision of a section that stays ready is not a move."""

NOTE_JOBS = """INSERT INTO event (entity, entity_id, from_state, to_state, attempt, actor)
    SELECT 'job', id, was, state, revision, :actor FROM moved WHERE was <> state ORDER BY id"""
"""The same for jobs."""


def line_move(
    *, to: LineState, froms: Iterable[LineState], where: str, sets: str = "", source: str = ""
) -> sa.TextClause:
    """SQL that moves every line ``where`` holds, in one of ``froms``, to ``to``; returns id, section_id, was, state.

    ``source`` joins what ``where`` needs to the line ``l``; ``sets`` are further assignments. Binds :actor.
    """
    return sa.text(f"""
WITH picked AS (
    SELECT l.id, l.state AS was FROM line l {source}
    WHERE l.state IN ({legal(to, froms)}) AND {where}
    ORDER BY l.id FOR NO KEY UPDATE OF l
), moved AS (
    UPDATE line l SET state = '{to.value}', session_id = NULL, updated_at = now(){", " + sets if sets else ""}
    FROM picked WHERE l.id = picked.id
    RETURNING l.id, l.section_id, l.attempt, picked.was, l.state
), noted AS (
    {NOTE_LINES}
)
SELECT id, section_id, was, state FROM moved""")


def deltas(rows: Iterable[sa.Row[Any]]) -> dict[int, int]:
    """Change of ``section.waiting`` by section, from rows with section_id, was and state.

    A section whose lines moved among the settled states is in it with 0: its track has to be made again.
    """
    change: dict[int, int] = {}
    for row in rows:
        before, after = row.was in LINE_SETTLED, row.state in LINE_SETTLED
        if before or after:
            change[row.section_id] = change.get(row.section_id, 0) + before - after
    return change


SETTLE = sa.text(f"""
WITH change AS (
    SELECT id, delta FROM unnest(CAST(:ids AS bigint[]), CAST(:deltas AS bigint[])) AS c(id, delta)
), picked AS (
    SELECT s.id, s.state AS was, s.waiting + c.delta AS waiting,
           CASE WHEN s.state = '{SectionState.CANCELLED}' AND NOT :revive THEN s.state
                WHEN s.waiting + c.delta > 0 THEN '{SectionState.OPEN}'
                ELSE '{SectionState.READY}' END AS state
    FROM section s JOIN change c ON c.id = s.id
    ORDER BY s.id FOR NO KEY UPDATE OF s
), moved AS (
    UPDATE section s
    SET waiting = p.waiting, state = p.state, session_id = NULL, lease_until = NULL, message = '', updated_at = now(),
        revision = s.revision
            + CASE WHEN p.was = p.state AND p.state IN ({sql_list((SectionState.OPEN, SectionState.CANCELLED))})
                   THEN 0 ELSE 1 END
    FROM picked p WHERE s.id = p.id
    RETURNING s.id, s.job_id, s.revision, p.was, s.state
), noted AS (
    {NOTE_SECTIONS}
)
SELECT id, job_id, was, state FROM moved ORDER BY id""")
"""Applies changes of ``waiting``: the section that reaches zero becomes ready, any other change voids its assembly."""

REOPEN_JOBS = sa.text(f"""
WITH change AS (
    SELECT id, lost FROM unnest(CAST(:ids AS bigint[]), CAST(:lost AS bigint[])) AS c(id, lost)
), picked AS (
    SELECT j.id, j.state AS was, c.lost,
           CASE WHEN j.state = '{JobState.CANCELLED}' AND NOT :revive THEN j.state
                ELSE '{JobState.ACTIVE}' END AS state
    FROM job j JOIN change c ON c.id = j.id
    ORDER BY j.id FOR NO KEY UPDATE OF j
), moved AS (
    UPDATE job j
    SET waiting = j.waiting + p.lost, state = p.state, session_id = NULL, lease_until = NULL, message = '',
        finished_at = CASE WHEN p.state = '{JobState.ACTIVE}' THEN NULL ELSE j.finished_at END, updated_at = now(),
        revision = j.revision + CASE WHEN p.was = p.state THEN 0 ELSE 1 END
    FROM picked p WHERE j.id = p.id
    RETURNING j.id, j.revision, p.was, j.state
), noted AS (
    {NOTE_JOBS}
)
SELECT id FROM moved""")
"""Takes back the delivery of jobs that lost an assembled section; brings cancelled ones back when asked to."""

for _to, _froms in (
    (SectionState.OPEN, set(SectionState) - {SectionState.OPEN}),
    (SectionState.READY, set(SectionState) - {SectionState.READY}),
    (JobState.ACTIVE, set(JobState) - {JobState.ACTIVE}),
):
    legal(_to, _froms)


def settle(conn: sa.Connection, change: Mapping[int, int], actor: str, *, revive: bool = False) -> None:
    """Carry moves of lines over to their sections and jobs; asks for the assembly of sections that became ready.

    ``change``: section id → change of its ``waiting`` (see ``deltas``). ``revive`` brings cancelled sections and their
    job back: only a person's retry does that.
    """
    if not change:
        return
    ids = sorted(change)
    rows = conn.execute(
        SETTLE, {"ids": ids, "deltas": [change[id_] for id_ in ids], "revive": revive, "actor": actor}
    ).all()
    ask_assembly(conn, [row.id for row in rows if row.state == SectionState.READY])
    lost: dict[int, int] = {row.job_id: 0 for row in rows} if revive else {}
    for row in rows:
        if row.was == SectionState.ASSEMBLED:
            lost[row.job_id] = lost.get(row.job_id, 0) + 1
    if lost:
        jobs = sorted(lost)
        values = {"ids": jobs, "lost": [lost[job] for job in jobs], "revive": revive, "actor": actor}
        conn.execute(REOPEN_JOBS, values)
