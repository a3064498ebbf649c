"""Bring a database to the schema this code needs, from a checkout or an installed wheel."""

from __future__ import annotations

import threading
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from db.models import Base
from db.session import make_engine

_ALEMBIC = threading.Lock()
"""Alembic's ``context`` is one per process; processes take turns by the advisory lock in migrations/env.py."""


def script_location() -> Path:
    """Directory of the migrations: it lies beside ``db``, in a checkout and in site-packages alike."""
    return Path(__file__).resolve().parent.parent / "migrations"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(script_location()).replace("%", "%%"))
    return config


def head() -> str:
    """The newest revision this code knows."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    if revision is None:
        raise FileNotFoundError(f"no migrations in {script_location()}")
    return revision


def upgrade(url: str) -> str:
    """Apply every migration that is missing; returns the revision reached.

    Safe to call from several processes at once: they take turns by an advisory lock. An interrupted migration leaves
    nothing behind.
    """
    engine = make_engine(url, pool_size=1, application_name="voicefarm-migrate")
    try:
        with _ALEMBIC, engine.connect() as connection:
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()
    return head()


def drift(url: str) -> list[str]:
    """Differences between the tables in the database and ``db.models``; empty when there are none."""
    engine = make_engine(url, pool_size=1, application_name="voicefarm-migrate")
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection,
                opts={"compare_type": True, "compare_server_default": True, "target_metadata": Base.metadata},
            )
            return [str(difference) for difference in compare_metadata(context, Base.metadata)]
    finally:
        engine.dispose()
