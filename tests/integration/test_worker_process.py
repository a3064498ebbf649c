"""A real worker process on a real broker and database: renders, meets doubles, stops, dies."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from worker_jobs import Pump, fake_job, job_state, line_states, takes_per_line, wait_until

from db.queries import reaper
from workers.app import make_app
from workers.contract import DEAD_QUEUE, line_queue

WORKER = """
import logging, sys
from pathlib import Path
from db.settings import Settings
from workers.runtime import run_line_worker
logging.basicConfig(level=logging.INFO)
home, database_url, broker_url, capacity, watchdog_s = sys.argv[1:]
settings = Settings(home=Path(home), database_url=database_url, broker_url=broker_url, heartbeat_s=0.5,
                    watchdog_s=float(watchdog_s), _env_file=None)
sys.exit(run_line_worker(settings, engine="fake", device="cpu", capacity=int(capacity), name="cpu@test"))
"""

POST = """
import logging, sys
from pathlib import Path
from db.settings import Settings
from workers.runtime import run_post_worker
logging.basicConfig(level=logging.INFO)
home, database_url, broker_url = sys.argv[1:]
settings = Settings(home=Path(home), database_url=database_url, broker_url=broker_url, heartbeat_s=0.5, _env_file=None)
sys.exit(run_post_worker(settings, concurrency=2, name="post@test"))
"""

StartWorker = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start_worker(tmp_path: Path, database_url: str, broker_url: str) -> Iterator[StartWorker]:
    started: list[subprocess.Popen[bytes]] = []

    def start(capacity: int = 16, watchdog_s: float = 60.0) -> subprocess.Popen[bytes]:
        arguments = [str(tmp_path / "home"), database_url, broker_url, str(capacity), str(watchdog_s)]
        worker = subprocess.Popen([sys.executable, "-W", "ignore", "-c", WORKER, *arguments])
        started.append(worker)
        return worker

    yield start
    for worker in started:
        if worker.poll() is None:
            worker.kill()
            worker.wait(10)


@pytest.fixture
def make_pump(engine: sa.Engine, broker_url: str) -> Iterator[Callable[..., Pump]]:
    made: list[Pump] = []

    def make(copies: int = 1) -> Pump:
        made.append(Pump(engine, make_app(broker_url), copies=copies))
        return made[-1]

    yield make
    for pump in made:
        pump.close()


def stop(worker: subprocess.Popen[bytes]) -> int:
    worker.send_signal(signal.SIGTERM)
    return worker.wait(40)


def waiting_messages(broker_url: str, queue: str = line_queue("fake")) -> int:
    with make_app(broker_url).connection_for_read() as connection:
        return int(connection.default_channel.queue_declare(queue, passive=True).message_count)


def counter(engine: sa.Engine, name: str) -> int:
    with engine.connect() as conn:
        query = sa.text("SELECT coalesce(sum((counters ->> :name)::int), 0) FROM worker_session")
        return int(conn.scalar(query, {"name": name}) or 0)


def test_200_lines_are_rendered_once_though_every_message_comes_twice(
    tmp_path: Path, engine: sa.Engine, broker_url: str, make_pump: Callable[..., Pump], start_worker: StartWorker
) -> None:
    with engine.begin() as conn:
        fake_job(conn, [f"{{dur=120}} line {n}" for n in range(200)], tmp_path / "out")
    pump = make_pump(copies=2)
    assert pump() == 200
    worker = start_worker()
    wait_until(lambda: line_states(engine) == {"accepted": 200}, "all lines accepted")
    wait_until(lambda: counter(engine, "superseded") >= 200, "the doubles were dropped")
    assert takes_per_line(engine) == {1: 200}
    assert stop(worker) == 0
    assert waiting_messages(broker_url) == 0
    with engine.connect() as conn:
        ready = conn.scalar(sa.text("SELECT count(*) FROM outbox WHERE task = 'voicefarm.assemble'"))
        ended = conn.scalar(sa.text("SELECT count(*) FROM worker_session WHERE ended_at IS NOT NULL"))
    assert ready == 2, "each section asked for its assembly once"
    assert ended == 1


def test_flower_and_inspect_see_every_line(
    tmp_path: Path, engine: sa.Engine, broker_url: str, make_pump: Callable[..., Pump], start_worker: StartWorker
) -> None:
    app = make_app(broker_url)
    seen: list[dict[str, Any]] = []
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": seen.append})
        with receiver.consumer_context() as (reading, _, _):  # the queue is there before the first event

            def listen(until: Callable[[], bool], what: str) -> None:
                def look() -> bool:
                    with contextlib.suppress(TimeoutError):
                        reading.drain_events(timeout=0.2)
                    return until()

                wait_until(look, what)

            with engine.begin() as conn:
                fake_job(conn, [f"{{dur=100}}{{slow=1500}} {n}" for n in range(12)], tmp_path / "out")
            make_pump()()
            start_worker(capacity=16)
            listen(lambda: line_states(engine)["rendering"] == 12, "all lines are in the engine")
            (active,) = app.control.inspect(timeout=2, destination=["cpu@test"]).active().values()
            listen(lambda: sum(event["type"] == "task-succeeded" for event in seen) == 12, "the events of 12 lines")
    assert {task["name"] for task in active} == {"voicefarm.line"}
    assert {task["id"] for task in active} == {event["uuid"] for event in seen if event["type"] == "task-started"}
    assert not any(task["acknowledged"] for task in active)
    received = [event for event in seen if event["type"] == "task-received"]
    assert len(received) == 12
    assert all("A Test" in event["args"] for event in received), "readable in Flower: production, chapter, line"
    assert min(event["runtime"] for event in seen if event["type"] == "task-succeeded") >= 0.1


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ("[[1, 2, 3", {"id": "cut"}),
        ('{"args": [1, 2, 3]}', {"id": "a-mapping"}),
        ('["abc", {}, {}]', {"id": "text"}),
        ("[]", {"id": "empty"}),
        ("[[1, 2, 3], {}, {}]", {}),
    ],
)
def test_a_message_no_sender_of_ours_writes_is_set_aside(
    tmp_path: Path,
    engine: sa.Engine,
    broker_url: str,
    make_pump: Callable[..., Pump],
    start_worker: StartWorker,
    body: str,
    headers: dict[str, str],
) -> None:
    pump = make_pump()
    with make_app(broker_url).connection_for_write() as connection:
        connection.default_channel.basic_publish(
            connection.default_channel.prepare_message(
                body, content_type="application/json", content_encoding="utf-8",
                headers={"task": "voicefarm.line", **headers},
            ),
            exchange="", routing_key=line_queue("fake"),
        )  # fmt: skip
    with engine.begin() as conn:
        fake_job(conn, ["{dur=100} a good line"], tmp_path / "out", sections=1)
    pump()
    worker = start_worker()
    wait_until(lambda: line_states(engine) == {"accepted": 1}, "the good line behind it was accepted")
    assert stop(worker) == 0
    assert waiting_messages(broker_url) == 0
    assert waiting_messages(broker_url, DEAD_QUEUE) == 1


def test_a_worker_told_to_stop_finishes_what_it_has_and_gives_back_the_rest(
    tmp_path: Path, engine: sa.Engine, broker_url: str, make_pump: Callable[..., Pump], start_worker: StartWorker
) -> None:
    with engine.begin() as conn:
        fake_job(conn, [f"{{dur=100}}{{slow=400}} {n}" for n in range(40)], tmp_path / "out")
    pump = make_pump()
    pump()
    worker = start_worker(capacity=4)
    wait_until(lambda: line_states(engine)["accepted"] >= 4, "the first lines accepted")
    assert stop(worker) == 0
    states = line_states(engine)
    assert states["rendering"] == 0, states
    assert 4 <= states["accepted"] < 40, states
    assert states["accepted"] + states["pending"] + states["queued"] == 40
    with engine.connect() as conn:
        assert conn.scalar(sa.text("SELECT sum(burnt) FROM line")) == 0
    start_worker(capacity=40)
    wait_until(lambda: pump() >= 0 and line_states(engine) == {"accepted": 40}, "the rest accepted by the next worker")
    assert takes_per_line(engine) == {1: 40}


def test_a_poison_line_ends_its_process_and_finds_itself_alone(
    tmp_path: Path, engine: sa.Engine, broker_url: str, make_pump: Callable[..., Pump], start_worker: StartWorker
) -> None:
    with engine.begin() as conn:
        fake_job(conn, [*(f"{{dur=100}} {n}" for n in range(12)), "{crash}"], tmp_path / "out", sections=1)
    pump = make_pump()
    workers = [start_worker()]

    def settled() -> bool:
        if workers[-1].poll() is not None:
            workers.append(start_worker())
        with engine.begin() as conn:
            reaper.reap_sessions(conn, 30.0)  # end_previous ended the session: nothing waits for the lease
        pump()
        states = line_states(engine)
        return states["accepted"] == 12 and states["failed"] == 1

    wait_until(settled, "the poison line failed, all others were accepted", timeout_s=80, step_s=0.1)
    assert len(workers) - 1 <= 3, "one process per attempt"
    with engine.connect() as conn:
        row = conn.execute(sa.text("SELECT failure_class, burnt, alone FROM line WHERE state = 'failed'")).one()
    assert tuple(row) == ("crash", 3, True)


def test_an_engine_that_stalls_ends_its_process(
    tmp_path: Path, engine: sa.Engine, broker_url: str, make_pump: Callable[..., Pump], start_worker: StartWorker
) -> None:
    with engine.begin() as conn:
        fake_job(conn, ["{stall}"], tmp_path / "out", sections=1)
    pump = make_pump()
    pump()
    assert start_worker(watchdog_s=1.0).wait(40) == 75
    assert line_states(engine) == {"rendering": 1}, "no outcome is made up"


def test_post_workers_master_and_deliver_in_processes_of_their_own(
    tmp_path: Path,
    engine: sa.Engine,
    database_url: str,
    broker_url: str,
    make_pump: Callable[..., Pump],
    start_worker: StartWorker,
) -> None:
    out = tmp_path / "out"
    with engine.begin() as conn:
        job = fake_job(conn, [f"{{dur=700}} {n}" for n in range(8)], out, sections=4)
    pump = make_pump(copies=2)
    start_worker()
    arguments = [str(tmp_path / "home"), database_url, broker_url]
    post = subprocess.Popen([sys.executable, "-W", "ignore", "-c", POST, *arguments])
    try:
        wait_until(lambda: pump() >= 0 and job_state(engine, job.job_id) == "delivered", "delivery", timeout_s=80)
        with engine.connect() as conn:
            names = set(conn.scalars(sa.text("SELECT name FROM worker_session WHERE kind = 'post'")))
            tracks = conn.scalar(sa.text("SELECT count(*) FROM track"))
        assert names == {"post@test/0", "post@test/1"}, "each process has a session of its own"
        assert tracks == 4, "a message that comes twice makes nothing twice"
        assert len(list((out / "mp3").iterdir())) == 4
        assert stop(post) == 0
    finally:
        if post.poll() is None:
            post.kill()
            post.wait(10)
    with engine.connect() as conn:
        assert conn.scalar(sa.text("SELECT count(*) FROM worker_session WHERE kind = 'post' AND ended_at IS NULL")) == 0
