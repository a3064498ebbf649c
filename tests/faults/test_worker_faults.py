"""Workers are killed, stopped, starved and poisoned while a book renders."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from broker_fixtures import missing
from farm import LEASE_S, POLL_S, Farm, sheet, speakable, wait_until

TAKES = 24
SLACK_S = 3.0
"""For processes to be scheduled on a busy machine."""


def test_kill_a_worker_in_the_middle_of_lines(running: Farm, book: Path) -> None:
    running.scheduler()
    running.post()
    worker = running.worker("w1")
    job = running.submit(book)
    wait_until(lambda: running.count(job, "rendering") > 0 and running.done(job) > 3, "lines in flight")
    worker.kill()
    killed = time.monotonic()
    running.worker("w2")
    wait_until(lambda: held_by(running, "w1") == 0, "the dead worker's lines to come back")
    recovery = time.monotonic() - killed
    assert recovery <= LEASE_S + POLL_S + SLACK_S
    assert running.wait(job).state == "delivered"
    assert running.broken_rules(job, TAKES) == []


def test_a_restarted_worker_of_the_same_name_returns_its_lines_at_once(running: Farm, book: Path) -> None:
    running.scheduler()
    running.post()
    worker = running.worker("w1")
    job = running.submit(book)
    wait_until(lambda: running.count(job, "rendering") > 0, "lines in flight")
    worker.kill()
    running.worker("w1")
    assert running.wait(job).state == "delivered"
    assert running.broken_rules(job, TAKES) == []


def test_a_worker_stopped_past_its_lease_does_no_harm_when_it_wakes(running: Farm, book: Path) -> None:
    running.scheduler()
    running.post()
    sleeper = running.worker("sleeper")
    job = running.submit(book)
    wait_until(lambda: held_by(running, "sleeper") > 0 and running.done(job) > 0, "lines in flight")
    sleeper.signal(signal.SIGSTOP)
    running.worker("awake")
    wait_until(lambda: held_by(running, "sleeper") == 0, "the sleeper's lines to come back")
    assert running.wait(job).state == "delivered"
    sleeper.signal(signal.SIGCONT)
    wait_until(lambda: superseded(running, "sleeper") > 0, "the sleeper's takes to be dropped")
    assert running.broken_rules(job, TAKES) == []


def test_a_line_that_kills_the_process_finds_itself(running: Farm, tmp_path: Path) -> None:
    texts = [speakable(number) for number in range(12)]
    texts[5] = "{crash} the poisoned one"
    running.scheduler()
    running.post()
    running.start("supervisor", "worker", "--engine", "fake", "--device", "all", "--capacity", "4")
    job = running.submit(sheet(tmp_path / "poison.csv", texts, chapters=1))
    wait_until(
        lambda: running.count(job, "failed") == 1 and running.count(job, "accepted") == 11,
        "one line failed, the others accepted",
        timeout_s=90,
    )
    with running.engine.connect() as conn:
        row = conn.execute(sa.text("SELECT text, burnt, failure_class FROM line WHERE state = 'failed'")).one()
        innocent = conn.scalar(sa.text("SELECT max(burnt) FROM line WHERE state = 'accepted'"))
    assert "poisoned" in row.text
    assert (row.burnt, row.failure_class) == (3, "crash")
    assert innocent <= 1
    assert running.broken_rules(job, 12) == []


def test_an_engine_without_progress_is_restarted(running: Farm, tmp_path: Path) -> None:
    texts = [speakable(number) for number in range(8)]
    texts[2] = f"{{once=stall:{tmp_path / 'stalled'}}} the one that hangs once"
    running.scheduler()
    running.post()
    running.start("supervisor", "worker", "--engine", "fake", "--device", "all", "--capacity", "4")
    job = running.submit(sheet(tmp_path / "stall.csv", texts, chapters=1))
    assert running.wait(job, timeout_s=90).state == "delivered"
    assert (tmp_path / "stalled").exists()
    assert running.broken_rules(job, 8) == []


def test_out_of_memory_halves_the_batch_and_goes_on(running: Farm, tmp_path: Path) -> None:
    texts = [speakable(number, "{dur=100}{slow=100}{oom>2}") for number in range(12)]
    running.scheduler()
    running.post()
    running.worker("small", capacity=8)
    job = running.submit(sheet(tmp_path / "oom.csv", texts, chapters=1))
    assert running.wait(job).state == "delivered"
    with running.engine.connect() as conn:
        assert conn.scalar(sa.text("SELECT max(burnt) FROM line")) == 0
    assert running.broken_rules(job, 12) == []


@pytest.mark.parametrize("fault", ["nan", "empty", "error"])
def test_what_is_not_audio_is_tried_again(running: Farm, tmp_path: Path, fault: str) -> None:
    texts = [speakable(number) for number in range(4)]
    texts[1] = f"{{once={fault}:{tmp_path / 'happened'}}} spoilt once"
    running.scheduler()
    running.post()
    running.worker()
    job = running.submit(sheet(tmp_path / "spoilt.csv", texts, chapters=1))
    assert running.wait(job).state == "delivered"
    with running.engine.connect() as conn:
        assert conn.scalar(sa.text("SELECT burnt FROM line WHERE text LIKE '%spoilt%'")) == 1
    assert running.broken_rules(job, 4) == []


@pytest.fixture
def small_disk(running: Farm) -> Iterator[Path]:
    """A store that ``fill`` can fill: a small file system where root can mount one, an ordinary folder elsewhere."""
    store = running.folder / "store"
    store.mkdir(parents=True, exist_ok=True)
    if os.getuid() == 0:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(store)], capture_output=True, check=False
        )
        if mounted.returncode != 0:
            missing("root, but not allowed to mount a file system: a full store cannot be made here")
        try:
            yield store
        finally:
            running.close()
            subprocess.run(["umount", "-l", str(store)], check=True)
        return
    yield store
    store.chmod(0o700)


def test_a_full_store_pauses_and_burns_nothing(running: Farm, book: Path, small_disk: Path) -> None:
    running.scheduler()
    running.post()
    job = running.submit(book)
    fill(small_disk)
    running.worker()
    wait_until(lambda: holds(running) == [("store", "store_full")], "the store to be on hold")
    assert running.done(job) == 0
    with pytest.raises(AssertionError, match="the store could not keep"):
        running.submit(sheet(book.with_name("other.csv"), ["There is no room for this script."], chapters=1))
    with running.engine.connect() as conn:
        assert conn.scalar(sa.text("SELECT count(*) FROM job")) == 1, "nothing of it was committed"
    free(small_disk)
    assert running.wait(job, timeout_s=90).state == "delivered"
    with running.engine.connect() as conn:
        assert conn.scalar(sa.text("SELECT max(burnt) FROM line")) == 0
    assert holds(running) == []
    assert running.broken_rules(job, TAKES) == []


def test_a_damaged_take_is_rendered_again(running: Farm, book: Path) -> None:
    running.scheduler()
    running.worker()
    job = running.submit(book)
    wait_until(lambda: running.done(job) == TAKES, "all lines accepted")
    with running.engine.connect() as conn:
        key = conn.scalar(sa.text("SELECT audio_sha256 FROM take ORDER BY id LIMIT 1"))
    path = running.store.path(str(key))
    assert path is not None
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x40
    path.chmod(0o644)
    path.write_bytes(data)
    running.post()
    assert running.wait(job).state == "delivered"
    with running.engine.connect() as conn:
        assert conn.scalar(sa.text("SELECT max(attempt) FROM line")) == 2
    assert running.broken_rules(job, TAKES) == []


def test_a_post_worker_killed_while_it_makes_a_track(running: Farm, book: Path) -> None:
    running.scheduler()
    running.worker()
    post = running.post(mutation="die-while-assembling")
    job = running.submit(book)
    wait_until(lambda: post.popen.poll() is not None, "the post worker to die")
    running.post()
    assert running.wait(job, timeout_s=90).state == "delivered"
    assert running.broken_rules(job, TAKES) == []


def fill(store: Path) -> None:
    """Write until the file system is full; let the folder take no files where it is not a file system of its own."""
    if not store.is_mount():
        store.chmod(0o500)
        return
    with (store / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while True:
            ballast.write(b"\0" * 4096)


def free(store: Path) -> None:
    """Undo ``fill``."""
    if store.is_mount():
        (store / "ballast").unlink()
    else:
        store.chmod(0o700)


def held_by(running: Farm, worker: str) -> int:
    """Lines a worker's sessions hold."""
    with running.engine.connect() as conn:
        return int(
            conn.scalar(
                sa.text(
                    "SELECT count(*) FROM line l JOIN worker_session w ON w.id = l.session_id"
                    " WHERE l.state = 'rendering' AND w.name = :name"
                ),
                {"name": worker},
            )
            or 0
        )


def superseded(running: Farm, worker: str) -> int:
    """Takes a worker had to drop."""
    with running.engine.connect() as conn:
        return int(
            conn.scalar(
                sa.text(
                    "SELECT coalesce(sum((counters->>'superseded')::int), 0) FROM worker_session WHERE name = :name"
                ),
                {"name": worker},
            )
            or 0
        )


def holds(running: Farm) -> list[tuple[str, str]]:
    """What is on hold."""
    with running.engine.connect() as conn:
        return [(row.scope, row.failure_class) for row in conn.execute(sa.text("SELECT * FROM hold"))]
