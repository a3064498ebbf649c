"""How often the store lost what it was given: a disk that damages everything must not be fed for ever."""

from __future__ import annotations

import sqlalchemy as sa

from db.queries._moves import PERSON
from db.states import JobState, SectionState

ROUNDS = 3
"""Times in a row that files are made again before a person is asked."""

SENT_BACK = sa.text("""
SELECT count(*) FROM event
WHERE entity = :entity AND entity_id = :id AND from_state = :was AND to_state = :became AND actor <> :person
  AND id > coalesce((SELECT max(id) FROM event WHERE entity = :entity AND entity_id = :id AND to_state = 'failed'), 0)
""")
"""How often work under way was undone by a machine since it last failed: only damaged files do that."""


def takes_worn_out(conn: sa.Connection, section_id: int) -> bool:
    """Whether a section's takes were found damaged ``ROUNDS`` times since it last failed."""
    return _count(conn, "section", section_id, SectionState.ASSEMBLING, SectionState.OPEN) >= ROUNDS


def tracks_worn_out(conn: sa.Connection, job_id: int) -> bool:
    """Whether a job's tracks were found damaged ``ROUNDS`` times since it last failed."""
    return _count(conn, "job", job_id, JobState.DELIVERING, JobState.ACTIVE) >= ROUNDS


def _count(conn: sa.Connection, entity: str, entity_id: int, was: str, became: str) -> int:
    values = {"entity": entity, "id": entity_id, "was": was, "became": became, "person": PERSON}
    return int(conn.scalar(SENT_BACK, values) or 0)
