"""Files of single lines that were made for a section before: most serve again when one line of it changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

FORMER = sa.text("""
SELECT t.files, coalesce(t.measurements -> 'files', '{}'::jsonb) AS facts
FROM script c JOIN section s ON s.script_id = c.id JOIN track t ON t.section_id = s.id
WHERE c.production_id = :production_id AND s.key = :key ORDER BY t.id DESC LIMIT 1""")
"""The newest track of a section, whatever the revision."""


@dataclass(frozen=True, slots=True)
class FormerFiles:
    """Files of a track by kind."""

    files: Mapping[str, str]
    """Kind → store key."""
    facts: Mapping[str, Mapping[str, Any]]
    """Kind → what was measured on it."""


def former(conn: sa.Connection, production_id: int, section_key: str) -> FormerFiles:
    """Files of the newest track of a production's section; none where there is no track yet."""
    row = conn.execute(FORMER, {"production_id": production_id, "key": section_key}).one_or_none()
    return FormerFiles({}, {}) if row is None else FormerFiles(row.files, row.facts)
