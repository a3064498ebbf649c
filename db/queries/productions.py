"""Titles: list them, pause and resume them, change their priority."""

from __future__ import annotations

import sqlalchemy as sa

from db.errors import BadPlan, NotFound
from db.notify import notify
from db.records import ProductionRecord
from db.states import ProductionState

PERSON = "person"

_COLUMNS = "id, slug, title, author, language, kind, priority, state, created_at"
_LIST = sa.text(f"SELECT {_COLUMNS} FROM production ORDER BY priority DESC, slug")
_BY_SLUG = sa.text(f"SELECT {_COLUMNS} FROM production WHERE slug = :slug")
_SET_STATE = sa.text("""
WITH picked AS (
    SELECT id, state AS was FROM production WHERE slug = :slug FOR UPDATE
), moved AS (
    UPDATE production p SET state = :state FROM picked WHERE p.id = picked.id AND picked.was <> :state
    RETURNING p.id, picked.was, p.state
), noted AS (
    INSERT INTO event (entity, entity_id, from_state, to_state, actor)
    SELECT 'production', id, was, state, :actor FROM moved
)
SELECT id FROM picked
""")
_SET_PRIORITY = sa.text("UPDATE production SET priority = :priority WHERE slug = :slug RETURNING id")


def check_priority(slug: str, priority: int) -> int:
    """Refuse a priority outside 0 … 100. Raises BadPlan."""
    if not 0 <= priority <= 100:
        raise BadPlan(slug, f"priority {priority} is not within 0 … 100")
    return priority


def list_productions(conn: sa.Connection) -> list[ProductionRecord]:
    """Every title, most urgent first."""
    return [ProductionRecord(*row) for row in conn.execute(_LIST)]


def get_by_slug(conn: sa.Connection, slug: str) -> ProductionRecord:
    """One title. Raises NotFound."""
    row = conn.execute(_BY_SLUG, {"slug": slug}).one_or_none()
    if row is None:
        raise NotFound("production", slug)
    return ProductionRecord(*row)


def set_state(conn: sa.Connection, slug: str, state: ProductionState) -> None:
    """Pause or resume a title; what it is already stays so. Raises NotFound."""
    if conn.scalar(_SET_STATE, {"slug": slug, "state": state.value, "actor": PERSON}) is None:
        raise NotFound("production", slug)
    notify(conn)


def set_priority(conn: sa.Connection, slug: str, priority: int) -> None:
    """Change how urgent a title is: 0 … 100, higher first. Raises NotFound, BadPlan."""
    values = {"slug": slug, "priority": check_priority(slug, priority)}
    if conn.scalar(_SET_PRIORITY, values) is None:
        raise NotFound("production", slug)
    notify(conn)
