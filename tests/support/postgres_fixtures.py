"""Fixtures that hand a test a real PostgreSQL: the one DATABASE_URL names, or the wheel's, started once per run.

Every test gets a database of its own, copied from a template that was migrated once, so commits are real and cheap.
With pytest-xdist the processes of a run share one server.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from broker_fixtures import missing
from psycopg import sql

from db import migrate
from db.errors import ServerFailed
from db.server import EmbeddedPostgres
from db.session import make_engine, normalise_url, plain_url

SHARED_HOME = "VF_TEST_POSTGRES_HOME"


def pytest_configure(config: pytest.Config) -> None:
    if SHARED_HOME not in os.environ:  # processes of xdist inherit the name
        home = Path(tempfile.mkdtemp(prefix="vf-pg-"))
        home.chmod(0o755)
        os.environ[SHARED_HOME] = str(home)
        config.add_cleanup(_clean_up)


def _clean_up() -> None:
    home = Path(os.environ.pop(SHARED_HOME))
    if (home / "postgres").exists() or (home / "postgres.location").exists():  # a process of xdist died
        left = EmbeddedPostgres(home)
        with contextlib.suppress(ServerFailed):
            left.start()
            left.remove()
    shutil.rmtree(home)


def _named(server: str, database: str) -> str:
    return normalise_url(server).set(database=database).render_as_string(hide_password=False)


def _run(server: str, statement: sql.Composed) -> None:
    with psycopg.connect(plain_url(server), autocommit=True) as connection:
        connection.execute(statement)


def _drop(server: str, name: str) -> None:
    _run(server, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a server on which databases may be made."""
    given = os.environ.get("DATABASE_URL")
    if given:
        yield given
        return
    server = EmbeddedPostgres(Path(os.environ[SHARED_HOME]))
    try:
        url = server.start()
    except ServerFailed as error:
        missing(str(error))
        raise
    _run(url, sql.SQL("ALTER SYSTEM SET fsync = off"))  # a database of a test need not outlive the machine's power
    _run(url, sql.SQL("SELECT pg_reload_conf()"))
    yield url
    server.remove()


@pytest.fixture(scope="session")
def template_database(postgres: str) -> Iterator[str]:
    """Name of a migrated, empty database nobody is connected to."""
    name = f"vf_template_{uuid.uuid4().hex}"
    _run(postgres, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    migrate.upgrade(_named(postgres, name))
    yield name
    _drop(postgres, name)


@pytest.fixture
def empty_database_url(postgres: str) -> Iterator[str]:
    """A database without any schema."""
    name = f"vf_empty_{uuid.uuid4().hex}"
    _run(postgres, sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    yield _named(postgres, name)
    _drop(postgres, name)


@pytest.fixture
def database_url(postgres: str, template_database: str) -> Iterator[str]:
    """A fresh migrated database of the test's own."""
    name = f"vf_test_{uuid.uuid4().hex}"
    copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    _run(postgres, copy.format(sql.Identifier(name), sql.Identifier(template_database)))
    yield _named(postgres, name)
    _drop(postgres, name)


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """An engine on the test's database."""
    made = make_engine(database_url)
    yield made
    made.dispose()


@pytest.fixture(scope="module")
def module_engine(postgres: str, template_database: str) -> Iterator[sa.Engine]:
    """An engine on one database for all tests of a module; they roll back what they do."""
    name = f"vf_module_{uuid.uuid4().hex}"
    copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    _run(postgres, copy.format(sql.Identifier(name), sql.Identifier(template_database)))
    made = make_engine(_named(postgres, name))
    yield made
    made.dispose()
    _drop(postgres, name)


@pytest.fixture
def scratch(module_engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection in a transaction that is rolled back: for whatever needs no second connection and no clock."""
    with module_engine.connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()
