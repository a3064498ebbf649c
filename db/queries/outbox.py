"""The relay's side of the outbox: fetch, publish, delete, in one transaction."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from db.records import OutboxRow

FETCH = sa.text("""
SELECT id, queue, task, args, label FROM outbox ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED""")
"""The oldest messages that no other relay is publishing now."""

DELETE = sa.text("DELETE FROM outbox WHERE id = ANY(CAST(:ids AS bigint[]))")
"""Messages the broker confirmed."""

DEPTH = sa.text("SELECT count(*) FROM outbox")
"""Messages waiting to be published."""


def fetch(conn: sa.Connection, limit: int) -> list[OutboxRow]:
    """The oldest messages, locked until the caller's transaction ends."""
    rows = conn.execute(FETCH, {"limit": limit})
    return [OutboxRow(row.id, row.queue, row.task, tuple(row.args), row.label) for row in rows]


def delete(conn: sa.Connection, ids: Collection[int]) -> None:
    """Forget messages that the broker has."""
    if ids:
        conn.execute(DELETE, {"ids": list(ids)})


def depth(conn: sa.Connection) -> int:
    """How many messages wait to be published."""
    return int(conn.execute(DEPTH).scalar_one())
