"""Payloads of the watermark: which number was put into which file."""

from __future__ import annotations

import secrets
from typing import Any

import sqlalchemy as sa

PAYLOAD_BITS = 32

_TAKE = sa.text(
    "INSERT INTO watermark (payload, production_id, deliverable) VALUES (:payload, :production_id, :deliverable) "
    "ON CONFLICT (payload) DO NOTHING RETURNING payload"
)
_LOOKUP = sa.text(
    "SELECT p.id AS production_id, p.slug AS production, p.title, w.deliverable, w.made_at FROM watermark w "
    "JOIN production p ON p.id = w.production_id WHERE w.payload = :payload"
)
_KEYS = sa.text("SELECT id, title, watermark_key FROM production ORDER BY id")


def allocate(conn: sa.Connection, production_id: int, deliverable: str) -> int:
    """Draw a payload nobody has, 1 … 2**32-1, and record what it stands for. Random, so that it tells nothing."""
    while True:
        payload = secrets.randbelow(2**PAYLOAD_BITS - 1) + 1
        values = {"payload": payload, "production_id": production_id, "deliverable": deliverable}
        if conn.scalar(_TAKE, values) is not None:
            return payload


def lookup(conn: sa.Connection, payload: int) -> dict[str, Any] | None:
    """What a payload stands for, or None: 'production_id', 'production' (slug), 'title', 'deliverable', 'made_at'."""
    row = conn.execute(_LOOKUP, {"payload": payload}).one_or_none()
    return None if row is None else dict(row._mapping)


def title_keys(conn: sa.Connection) -> list[tuple[int, str, bytes]]:
    """(production id, title, 16 secret bytes) of every title, to try them on a file."""
    return [(row.id, row.title, bytes(row.watermark_key)) for row in conn.execute(_KEYS)]
