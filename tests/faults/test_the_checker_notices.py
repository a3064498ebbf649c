"""The checker must fail when a safeguard is taken out: otherwise the other fault tests prove nothing."""

from __future__ import annotations

import signal
from pathlib import Path

import sqlalchemy as sa
from farm import Farm, wait_until

TAKES = 24


def test_without_the_fence_a_take_is_accepted_twice(running: Farm, book: Path) -> None:
    running.scheduler()
    running.post()
    sleeper = running.worker("sleeper", mutation="without-fence")
    job = running.submit(book)
    wait_until(lambda: running.count(job, "rendering") > 0 and running.done(job) > 0, "lines in flight")
    sleeper.signal(signal.SIGSTOP)
    running.worker("awake")
    assert running.wait(job).state == "delivered"
    assert running.broken_rules(job, TAKES) == []
    sleeper.signal(signal.SIGCONT)
    wait_until(lambda: running.broken_rules(job, TAKES) != [], "the zombie's take to be accepted")
    assert any("accepted 2 times" in rule for rule in running.broken_rules(job, TAKES))


def test_without_the_outbox_lines_are_lost(running: Farm, book: Path) -> None:
    running.scheduler(mutation="without-outbox")
    running.post()
    running.worker()
    job = running.submit(book)
    wait_until(lambda: attempts(running) >= 2, "a second dispatch of the lost lines")
    assert any("lines are still" in rule for rule in running.broken_rules(job, TAKES))


def test_without_the_rename_half_a_file_is_seen(running: Farm, book: Path) -> None:
    running.scheduler()
    worker = running.worker(mutation="without-rename")
    job = running.submit(book)
    wait_until(lambda: worker.popen.poll() is not None, "the worker to end in the middle of a write")
    assert any("holds something else" in rule for rule in running.broken_rules(job, TAKES))


def attempts(running: Farm) -> int:
    with running.engine.connect() as conn:
        return int(conn.scalar(sa.text("SELECT max(attempt) FROM line")) or 0)
