"""Advisory locks: who is the one scheduler, and one import of a title at a time."""

from __future__ import annotations

import sqlalchemy as sa

SCHEDULER_LOCK = 0x766F6963_73636864
"""'voic' 'schd': held by the active scheduler for as long as its connection lives."""

_TITLE = "voicefarm.title:"


def try_lock(conn: sa.Connection, key: int) -> bool:
    """Take a session-level lock if it is free; held until ``unlock`` or until the connection ends.

    Once per holder: taken twice by one session it has to be given back twice.
    """
    return bool(conn.execute(sa.text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar_one())


def holds(conn: sa.Connection, key: int) -> bool:
    """Whether this very session holds the lock: after a lost connection it does not, whatever it believes."""
    found = conn.execute(
        sa.text(
            "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
            "AND classid = CAST(:high AS bigint)::oid AND objid = CAST(:low AS bigint)::oid AND objsubid = 1"
        ),
        {"high": key >> 32, "low": key & 0xFFFFFFFF},
    )
    return found.first() is not None


def holder(conn: sa.Connection, key: int) -> str | None:
    """Who holds a session-level lock, in words: the program, its server process and its host; None when nobody does."""
    found = conn.execute(
        sa.text(
            "SELECT a.application_name, l.pid, coalesce(host(a.client_addr), 'the server''s own machine') AS place "
            "FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.granted "
            "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
            "AND l.classid = CAST(:high AS bigint)::oid AND l.objid = CAST(:low AS bigint)::oid AND l.objsubid = 1"
        ),
        {"high": key >> 32, "low": key & 0xFFFFFFFF},
    ).first()
    return None if found is None else f"{found.application_name or 'unnamed'} from {found.place}, session {found.pid}"


def unlock(conn: sa.Connection, key: int) -> bool:
    """Give a session-level lock back; False when this session did not hold it."""
    return bool(conn.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": key}).scalar_one())


def lock_title(conn: sa.Connection, slug: str) -> None:
    """Wait for every other transaction that imports this title; released at the end of ours."""
    conn.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": _TITLE + slug})
