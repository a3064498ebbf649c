"""How every migration runs: one deployer at a time, with short locks, one transaction per migration."""

from __future__ import annotations

import os

import sqlalchemy as sa
from alembic import context

from db.models import Base
from db.session import make_engine

MIGRATION_LOCK = 0x766F6963_6D696772
"""'voic' 'migr': two deployers must not race."""


def run_on(connection: sa.Connection) -> None:
    """Migrate on a connection that has no transaction open."""
    # a second deployer waits for the first one here, well before anything is locked
    connection.exec_driver_sql("SET lock_timeout = '120s'")
    connection.exec_driver_sql("SET statement_timeout = '120s'")
    connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
    connection.exec_driver_sql("SET lock_timeout = '4s'")
    connection.exec_driver_sql("SET statement_timeout = '30s'")
    connection.commit()
    try:
        context.configure(connection=connection, target_metadata=Base.metadata, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
    finally:
        connection.rollback()
        connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
        connection.commit()


given = context.config.attributes.get("connection")
if given is not None:
    run_on(given)
else:
    engine = make_engine(os.environ["DATABASE_URL"], application_name="voicefarm-migrate")
    try:
        with engine.connect() as opened:
            run_on(opened)
    finally:
        engine.dispose()
