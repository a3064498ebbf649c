"""The one-machine mode after a kill: nobody else can be alive, so nothing has to time out."""

from __future__ import annotations

import sqlalchemy as sa

from db.queries import reaper
from db.states import JobState, SectionState

END_ALL = sa.text("UPDATE worker_session SET ended_at = now() WHERE ended_at IS NULL")
"""Sessions of processes that are gone."""

END_LEASES = tuple(
    sa.text(f"UPDATE {table} SET lease_until = now() - interval '1 second' WHERE state = '{state}'")
    for table, state in (("section", SectionState.ASSEMBLING), ("job", JobState.DELIVERING))
)
"""Leases of post work nobody does any more."""


def take_over(conn: sa.Connection) -> int:
    """Take back at once whatever an ended process held or had in its in-process broker; returns how many things moved.

    Only for a database of one machine's own, by the one process that may work on it: with workers elsewhere, use the
    leases. Attempts in flight are burnt as after any crash, so that a line that kills the process finds itself.
    """
    conn.execute(END_ALL)
    for statement in END_LEASES:
        conn.execute(statement)
    lines = reaper.reap_sessions(conn, 0.0) + reaper.requeue_lost(conn, -1.0)
    return lines + reaper.reap_post(conn) + reaper.reconcile_post(conn, -1.0)
