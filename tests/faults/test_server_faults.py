"""RabbitMQ, Postgres and the scheduler go away while a book renders."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import sqlalchemy as sa
from farm import Farm, farm, wait_until
from rabbitmq import PrivateNode

from db import migrate
from db.server import EmbeddedPostgres, running_pid
from db.server_files import choose_layout

TAKES = 24


def test_rabbitmq_is_restarted(running: Farm, private_broker: PrivateNode, book: Path) -> None:
    job = started(running, book)
    private_broker.stop()
    late = running.worker("w2")
    wait_until(lambda: "asking again" in late.tail(), lambda: f"a starting worker to wait:\n{late.tail()}")
    private_broker.start()
    assert running.wait(job, timeout_s=90).state == "delivered"
    assert running.broken_rules(job, TAKES) == []
    wait_until(lambda: "consumes" in late.tail(), lambda: f"the late worker to work:\n{late.tail()}")


def test_rabbitmq_is_killed_and_its_data_deleted(running: Farm, private_broker: PrivateNode, book: Path) -> None:
    job = started(running, book)
    private_broker.kill()
    private_broker.wipe()
    private_broker.start()
    assert running.wait(job, timeout_s=90).state == "delivered"
    assert running.broken_rules(job, TAKES) == []


def test_postgres_is_restarted_without_warning(tmp_path: Path, private_broker: PrivateNode, book: Path) -> None:
    home = tmp_path / "pg"
    home.mkdir()
    server = EmbeddedPostgres(home)
    url = server.start()
    try:
        migrate.upgrade(url)
        with farm(tmp_path / "farm", url, private_broker.vhost_url()) as running:
            job = started(running, book)
            running.engine.dispose()
            immediate_shutdown(home)
            time.sleep(1.0)  # the outage itself: commits must fail and be tried again
            server.start()
            assert running.wait(job, timeout_s=90).state == "delivered"
            assert running.broken_rules(job, TAKES) == []
    finally:
        server.remove()


def test_the_scheduler_dies_between_commit_and_publish(running: Farm, book: Path) -> None:
    dying = running.scheduler(mutation="die-before-publish")
    running.worker()
    running.post()
    job = running.submit(book)
    wait_until(lambda: dying.popen.poll() is not None, "the scheduler to die")
    assert outbox_depth(running) > 0, "the dispatch was committed with its messages"
    running.scheduler()
    assert running.wait(job).state == "delivered"
    assert running.broken_rules(job, TAKES) == []


def test_the_scheduler_dies_after_publish_before_it_noted_it(running: Farm, book: Path) -> None:
    dying = running.scheduler(mutation="die-after-publish")
    running.worker()
    running.post()
    job = running.submit(book)
    wait_until(lambda: dying.popen.poll() is not None, "the scheduler to die")
    running.scheduler()
    assert running.wait(job).state == "delivered"
    assert running.broken_rules(job, TAKES) == []


def test_every_message_is_delivered_twice(running: Farm, book: Path) -> None:
    running.scheduler(mutation="publish-twice")
    running.worker("w1")
    running.worker("w2")
    running.post()
    job = running.submit(book)
    assert running.wait(job).state == "delivered"
    assert running.broken_rules(job, TAKES) == []
    with running.engine.connect() as conn:
        assert conn.scalar(sa.text("SELECT count(*) FROM take")) == TAKES


def test_two_schedulers_and_the_active_one_dies(running: Farm, book: Path) -> None:
    first = running.scheduler()
    running.worker()
    running.post()
    job = running.submit(book)
    wait_until(lambda: running.done(job) > 3, "the first to dispatch")
    second = running.scheduler()
    first.kill()
    killed = time.monotonic()
    assert running.wait(job).state == "delivered"
    assert time.monotonic() - killed < 60
    assert second.popen.poll() is None
    assert running.broken_rules(job, TAKES) == []


def started(running: Farm, book: Path) -> int:
    """A job in the middle of its lines."""
    running.scheduler()
    running.worker()
    running.post()
    job = running.submit(book)
    wait_until(lambda: running.count(job, "rendering") > 0 and running.done(job) > 2, "lines in flight")
    return job


def immediate_shutdown(home: Path) -> None:
    """What ``pg_ctl stop -m immediate`` does: SIGQUIT to the postmaster, no checkpoint, recovery at the next start."""
    layout = choose_layout(home)
    pid = running_pid(layout)
    assert pid is not None
    os.kill(pid, signal.SIGQUIT)
    wait_until(lambda: running_pid(layout) is None, "the server to be gone")


def outbox_depth(running: Farm) -> int:
    with running.engine.connect() as conn:
        return int(conn.scalar(sa.text("SELECT count(*) FROM outbox")) or 0)
