"""The schema: made by migrations only, equal to the models, safe to apply from two places at once."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from db import migrate, schema
from db.errors import BadDatabaseUrl, SchemaOutdated
from db.models import Base
from db.session import make_engine


def test_models_equal_migrations(database_url: str) -> None:
    assert migrate.drift(database_url) == []
    assert schema.current(database_url) == migrate.head() == schema.REVISION


def test_drift_is_noticed(engine: sa.Engine, database_url: str) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE line ADD COLUMN mood text")
        connection.exec_driver_sql("DROP INDEX ix_line_pending")
    found = " ".join(migrate.drift(database_url))
    assert "mood" in found
    assert "ix_line_pending" in found


def test_check_constraints_are_those_of_the_models(engine: sa.Engine, postgres: str) -> None:
    """Alembic compares no CHECKs: compare PostgreSQL's own reading of both."""
    query = sa.text(
        "SELECT conrelid::regclass::text || '.' || conname, pg_get_constraintdef(oid) "
        "FROM pg_constraint WHERE contype = 'c' AND connamespace = current_schema()::regnamespace"
    )
    with engine.begin() as connection:
        migrated = dict(connection.execute(query).all())
        connection.exec_driver_sql("CREATE SCHEMA models")
        connection.exec_driver_sql("SET search_path TO models")
        Base.metadata.create_all(connection)
        modelled = dict(connection.execute(query).all())
    assert migrated == modelled
    assert "line.ck_line_accepted_has_take" in migrated
    assert "line.ck_line_state" in migrated


def test_partial_indexes_exist(engine: sa.Engine) -> None:
    query = sa.text(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexdef LIKE '%WHERE%'"
    )
    with engine.connect() as connection:
        found = dict(connection.execute(query).all())
    wanted = {
        index.name
        for table in Base.metadata.tables.values()
        for index in table.indexes
        if index.dialect_options["postgresql"]["where"] is not None
    }
    assert set(found) == wanted
    assert len(wanted) >= 4


def test_upgrade_twice_changes_nothing(empty_database_url: str) -> None:
    assert schema.current(empty_database_url) is None
    assert migrate.upgrade(empty_database_url) == migrate.upgrade(empty_database_url) == migrate.head()


def test_deployers_take_turns(empty_database_url: str) -> None:
    processes = ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn"))
    with processes, ThreadPoolExecutor(2) as threads:
        asked = [pool.submit(migrate.upgrade, empty_database_url) for pool in (processes, threads) for _ in range(3)]
        assert [future.result() for future in asked] == [migrate.head()] * 6
    assert migrate.drift(empty_database_url) == []


def test_an_outdated_database_is_refused(empty_database_url: str, engine: sa.Engine) -> None:
    bare = make_engine(empty_database_url)
    with bare.connect() as connection, pytest.raises(SchemaOutdated, match="voicefarm db upgrade"):
        schema.require_current(connection)
    bare.dispose()
    with engine.connect() as connection:
        schema.require_current(connection)


def test_there_is_one_line_of_migrations() -> None:
    scripts = ScriptDirectory(str(migrate.script_location()))
    assert len(scripts.get_heads()) == 1
    assert "Policy, read before writing" in (migrate.script_location() / "script.py.mako").read_text()


@pytest.mark.parametrize("url", ["sqlite:///x.db", "mysql://h/d", "nonsense"])
def test_only_postgres(url: str) -> None:
    with pytest.raises(BadDatabaseUrl):
        make_engine(url)


def test_the_password_is_not_repeated_in_the_error() -> None:
    with pytest.raises(BadDatabaseUrl) as caught:
        make_engine("mysql://me:geheim@h/d")
    assert "geheim" not in str(caught.value)
