"""Worker sessions: one row for one life of one worker process. Its heartbeat is the lease of every line it holds."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Mapping

import sqlalchemy as sa

from db.records import WorkerRecord

START = sa.text("""
INSERT INTO worker_session (id, name, kind, engine, device, capacity, host, pid)
VALUES (:id, :name, :kind, :engine, :device, :capacity, :host, :pid)""")
"""A worker process begins."""

BEAT = sa.text("""
UPDATE worker_session SET heartbeat_at = now(), voices = CAST(:voices AS jsonb), counters = CAST(:counters AS jsonb)
WHERE id = :id AND ended_at IS NULL
RETURNING id""")
"""It lives."""

END = sa.text("UPDATE worker_session SET ended_at = now() WHERE id = :id AND ended_at IS NULL")
"""It leaves in good order."""

END_PREVIOUS = sa.text("""
UPDATE worker_session SET ended_at = now() WHERE name = :name AND id <> :id AND ended_at IS NULL""")
"""Earlier lives of the same worker are over, or this one would not have started."""

LIST = sa.text("""
SELECT DISTINCT ON (name) id AS session_id, name, kind, engine, device, capacity, voices, counters,
       ended_at IS NULL AND heartbeat_at > now() - make_interval(secs => :lease_s) AS alive,
       extract(epoch FROM now() - heartbeat_at)::double precision AS silent_s
FROM worker_session
WHERE ended_at IS NULL OR ended_at > now() - interval '1 hour'
ORDER BY name, ended_at DESC NULLS FIRST, started_at DESC""")
"""The latest life of each worker that is here, or left within the last hour."""


def start(
    conn: sa.Connection,
    session_id: uuid.UUID,
    name: str,
    kind: str,
    engine: str,
    device: str,
    capacity: int,
    host: str,
    pid: int,
) -> None:
    """Enter a session. ``kind`` is line or post; ``capacity`` is how many lines it renders at once."""
    values = {"name": name, "kind": kind, "engine": engine, "device": device, "capacity": capacity}
    conn.execute(START, {"id": session_id, "host": host, "pid": pid, **values})


def beat(conn: sa.Connection, session_id: uuid.UUID, voices: Collection[str], counters: Mapping[str, int]) -> bool:
    """Say that the session lives, what it has loaded and what it has done.

    False when the farm ended the session, having heard nothing for too long: its lines are somebody else's now, and
    the worker goes on under a new session.
    """
    values = {"id": session_id, "voices": json.dumps(sorted(voices)), "counters": json.dumps(dict(counters))}
    return conn.scalar(BEAT, values) is not None


def end(conn: sa.Connection, session_id: uuid.UUID) -> None:
    """Leave in good order. Lines it still holds are taken back by the reaper, as if it had crashed."""
    conn.execute(END, {"id": session_id})


def end_previous(conn: sa.Connection, name: str, session_id: uuid.UUID) -> int:
    """End every other live session of the worker of this name; returns how many."""
    return conn.execute(END_PREVIOUS, {"name": name, "id": session_id}).rowcount


def list_workers(conn: sa.Connection, lease_s: float) -> list[WorkerRecord]:
    """Workers by name: those here, and those that left within the last hour."""
    rows = conn.execute(LIST, {"lease_s": lease_s}).mappings()
    return [WorkerRecord(**{**row, "voices": tuple(row["voices"])}) for row in rows]
