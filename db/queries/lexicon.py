"""The lexicon: terms, how they are said, and where that holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

import sqlalchemy as sa

from db.errors import NotFound

Scope = Literal["farm", "production", "character", "voice"]
Status = Literal["draft", "reviewed"]
SCOPES: tuple[str, ...] = get_args(Scope)
"""From the widest to the narrowest."""
STATUSES: tuple[str, ...] = get_args(Status)


@dataclass(frozen=True, slots=True)
class LexiconEntry:
    """A term and how it is said."""

    term: str
    reading: str
    alphabet: str = "x-inline"
    language: str = ""
    """BCP 47; '' is every language."""
    scope: Scope = "farm"
    scope_key: str = ""
    """Slug of the production, name of the character or of the voice; '' for the farm."""
    status: Status = "draft"
    id: int = 0
    """0 for one that is not stored."""
    created_at: datetime | None = None


_COLUMNS = "id, term, reading, alphabet, language, scope, scope_key, status, created_at"
_PUT = sa.text(
    "INSERT INTO lexicon_entry AS e (term, reading, alphabet, language, scope, scope_key, status) "
    "VALUES (:term, :reading, :alphabet, :language, :scope, :scope_key, :status) "
    "ON CONFLICT (term, language, scope, scope_key) DO UPDATE "
    "SET reading = excluded.reading, alphabet = excluded.alphabet, status = excluded.status "
    "WHERE (e.reading, e.alphabet, e.status) IS DISTINCT FROM (excluded.reading, excluded.alphabet, excluded.status) "
    "RETURNING id, (xmax = 0) AS added"
)
_SAME = sa.text(
    "SELECT id FROM lexicon_entry WHERE term = :term AND language = :language AND scope = :scope "
    "AND scope_key = :scope_key"
)
_LIST = sa.text(
    f"SELECT {_COLUMNS} FROM lexicon_entry "
    "WHERE (CAST(:scope AS text) IS NULL OR scope = :scope) "
    "AND (CAST(:scope_key AS text) IS NULL OR scope_key = :scope_key) "
    "AND (CAST(:language AS text) IS NULL OR language = :language) "
    "AND (CAST(:status AS text) IS NULL OR status = :status) "
    "AND (CAST(:term AS text) IS NULL OR term = :term) "
    "ORDER BY term, language, scope, scope_key"
)
_UPDATE = sa.text(
    "UPDATE lexicon_entry SET reading = coalesce(CAST(:reading AS text), reading), "
    "alphabet = coalesce(CAST(:alphabet AS text), alphabet), status = coalesce(CAST(:status AS text), status) "
    f"WHERE id = :id RETURNING {_COLUMNS}"
)
_REMOVE = sa.text(f"DELETE FROM lexicon_entry WHERE id = :id RETURNING {_COLUMNS}")

Outcome = Literal["added", "changed", "unchanged"]


def put_entry(conn: sa.Connection, entry: LexiconEntry) -> tuple[int, Outcome]:
    """Store an entry, over the one of the same term, language and scope; returns its id and what happened."""
    values = _values(entry)
    row = conn.execute(_PUT, values).one_or_none()
    if row is None:  # it stands there in just this form
        return int(conn.execute(_SAME, values).scalar_one()), "unchanged"
    return int(row.id), "added" if row.added else "changed"


def import_entries(conn: sa.Connection, entries: Iterable[LexiconEntry]) -> dict[Outcome, int]:
    """Store entries as ``put_entry`` does; returns how many were added, changed and left as they were."""
    counts: dict[Outcome, int] = {"added": 0, "changed": 0, "unchanged": 0}
    # in one order for everybody, so that two imports at once wait for each other instead of locking up
    for entry in sorted(entries, key=lambda entry: (entry.term, entry.language, entry.scope, entry.scope_key)):
        counts[put_entry(conn, entry)[1]] += 1
    return counts


def update_entry(
    conn: sa.Connection,
    entry_id: int,
    *,
    reading: str | None = None,
    alphabet: str | None = None,
    status: Status | None = None,
) -> LexiconEntry:
    """Change what is given of an entry, and return it as it is now. Raises NotFound."""
    values = {"id": entry_id, "reading": reading, "alphabet": alphabet, "status": status}
    row = conn.execute(_UPDATE, values).one_or_none()
    if row is None:
        raise NotFound("lexicon entry", entry_id)
    return _record(row)


def remove_entry(conn: sa.Connection, entry_id: int) -> LexiconEntry:
    """Remove an entry, and return what it was. Raises NotFound."""
    row = conn.execute(_REMOVE, {"id": entry_id}).one_or_none()
    if row is None:
        raise NotFound("lexicon entry", entry_id)
    return _record(row)


def list_entries(
    conn: sa.Connection,
    *,
    scope: Scope | None = None,
    scope_key: str | None = None,
    language: str | None = None,
    status: Status | None = None,
    term: str | None = None,
) -> list[LexiconEntry]:
    """Entries by term; of one scope, language, status or term where that is given."""
    values = {"scope": scope, "scope_key": scope_key, "language": language, "status": status, "term": term}
    return [_record(row) for row in conn.execute(_LIST, values)]


def _values(entry: LexiconEntry) -> dict[str, Any]:
    return {
        "term": entry.term,
        "reading": entry.reading,
        "alphabet": entry.alphabet,
        "language": entry.language,
        "scope": entry.scope,
        "scope_key": entry.scope_key,
        "status": entry.status,
    }


def _record(row: sa.Row[Any]) -> LexiconEntry:
    return LexiconEntry(
        id=row.id,
        term=row.term,
        reading=row.reading,
        alphabet=row.alphabet,
        language=row.language,
        scope=row.scope,
        scope_key=row.scope_key,
        status=row.status,
        created_at=row.created_at,
    )
