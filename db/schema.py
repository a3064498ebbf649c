"""Which schema this code needs, and whether a database has it. Knows no Alembic: every command asks, few migrate."""

from __future__ import annotations

import sqlalchemy as sa

from db.errors import SchemaOutdated
from db.session import make_engine

REVISION = "0005"
"""The newest migration; ``db.migrate.head`` finds the same in the folder of migrations, a test compares them."""

VERSION_TABLE = sa.text("SELECT to_regclass('alembic_version') IS NOT NULL")
"""Whether the database was ever migrated."""

VERSION = sa.text("SELECT version_num FROM alembic_version")
"""Its revision; Alembic keeps one row."""


def revision_of(connection: sa.Connection) -> str | None:
    """Revision of the database; None when it was never migrated."""
    if not connection.scalar(VERSION_TABLE):
        return None
    revision: str | None = connection.scalar(VERSION)
    return revision


def current(url: str) -> str | None:
    """Revision of the database at ``url``; None when it was never migrated."""
    engine = make_engine(url, pool_size=1, application_name="voicefarm-schema")
    try:
        with engine.connect() as connection:
            return revision_of(connection)
    finally:
        engine.dispose()


def require_current(connection: sa.Connection) -> None:
    """Refuse to work on a database of another revision. Raises SchemaOutdated."""
    found = revision_of(connection)
    if found != REVISION:
        raise SchemaOutdated(found, REVISION)
