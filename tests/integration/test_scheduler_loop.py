"""The scheduler on a real Postgres: a job from import to delivery, two schedulers, and a database that goes away."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from farm import wait_until
from plans import add_voice, make_plan
from sqlalchemy.exc import SQLAlchemyError

from db.queries import imports, status
from db.records import JobOptions
from db.settings import Settings
from scheduler import leader
from scheduler.loop import Scheduler
from workers.app import make_app


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", poll_s=0.1, lease_s=3, heartbeat_s=0.5, queue_timeout_s=5)


@contextlib.contextmanager
def running(scheduler: Scheduler) -> Iterator[threading.Event]:
    stop = threading.Event()
    thread = threading.Thread(target=scheduler.run, args=(stop,), daemon=True)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(15)
        assert not thread.is_alive()


def scheduler_for(settings: Settings, url: str) -> Scheduler:
    return Scheduler(settings, url, make_app(None))


def test_three_hundred_lines_are_delivered(
    settings: Settings, database_url: str, engine: sa.Engine, tmp_path: Path
) -> None:
    app = make_app(None)
    from workers.embedded import EmbeddedWorkers

    workers = EmbeddedWorkers(app, settings, database_url, engine="fake", capacity=16, post_threads=1)
    workers.start()
    try:
        with running(Scheduler(settings, database_url, app)):
            with engine.begin() as conn:
                plan = make_plan(
                    add_voice(conn),
                    [[f"Chapter {c}, line {n}, says something." for n in range(60)] for c in range(5)],
                    out_url=(tmp_path / "out").as_uri(),
                    options=JobOptions(formats=("flac", "vtt")),
                )
                job_id = imports.import_script(conn, plan).job_id

            def state() -> str:
                with engine.connect() as conn:
                    return status.job(conn, job_id).state

            wait_until(lambda: state() == "delivered", "the job is delivered", 90)
    finally:
        workers.stop()
    with engine.connect() as conn:
        job = status.job(conn, job_id)
        assert (job.done, job.total, job.failed) == (300, 300, 0)
        assert conn.scalar(sa.text("SELECT count(*) FROM outbox")) == 0
        assert conn.scalar(sa.text("SELECT count(*) FROM take")) == 300
    assert len(list((tmp_path / "out").rglob("*.flac"))) == 5


def test_one_scheduler_is_active_and_another_takes_over(
    settings: Settings, database_url: str, engine: sa.Engine
) -> None:
    first, second = scheduler_for(settings, database_url), scheduler_for(settings, database_url)
    with running(first) as stop_first:
        wait_until(lambda: first.leads, "the first leads", 10)
        with running(second):
            with pytest.raises(AssertionError):
                wait_until(lambda: second.leads, "the second leads", 1)
            stop_first.set()
            wait_until(lambda: second.leads, "the second leads", 5)


def test_a_scheduler_whose_session_is_ended_gives_way(settings: Settings, database_url: str, engine: sa.Engine) -> None:
    first, second = scheduler_for(settings, database_url), scheduler_for(settings, database_url)
    with running(first):
        wait_until(lambda: first.leads, "the first leads", 10)
        with running(second), engine.connect() as conn:
            holder = sa.text("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND database = :db AND objsubid = 1")
            database = conn.scalar(sa.text("SELECT oid FROM pg_database WHERE datname = current_database()"))
            before = conn.scalar(holder, {"db": database})
            conn.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": before})
            conn.commit()
            wait_until(lambda: conn.scalar(holder, {"db": database}) not in (None, before), "somebody else leads", 10)
            wait_until(lambda: first.leads != second.leads, "exactly one leads", 10)


def test_a_scheduler_that_was_stopped_is_succeeded(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leader, "LOCK_TIMEOUT_MS", 0)
    stopped, standby = leader.Leadership(engine, lease_s=0.3), leader.Leadership(engine, lease_s=0.3)
    assert stopped.look()
    assert not standby.look()
    wait_until(standby.look, "the standby leads", 5)
    with pytest.raises(SQLAlchemyError):
        stopped.look()
    assert not stopped.leads
    assert not stopped.look(), "awake again, it stands by"
    standby.resign()
    stopped.resign()


def test_every_connection_cut_at_once_is_survived(settings: Settings, database_url: str, engine: sa.Engine) -> None:
    scheduler = scheduler_for(settings, database_url)
    with running(scheduler):
        wait_until(lambda: scheduler.leads, "it leads", 10)
        cut = sa.text(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        for _ in range(3):
            with engine.connect() as conn:
                conn.execute(cut)
        led = threading.Event()
        wait_until(lambda: scheduler.leads or led.is_set(), "it leads again", 15)


def test_stopping_leaves_no_connection_behind(settings: Settings, database_url: str, engine: sa.Engine) -> None:
    scheduler = scheduler_for(settings, database_url)
    with running(scheduler):
        wait_until(lambda: scheduler.leads, "it leads", 10)
    left = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND application_name IN ('voicefarm-scheduler', 'voicefarm-listen')"
    )

    def connections() -> int:
        with engine.connect() as conn:
            return int(conn.scalar(left) or 0)

    wait_until(lambda: connections() == 0, "its connections are closed", 5)
