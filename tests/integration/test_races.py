"""Two transactions that want the same thing: exactly one gets it, the other sees that it came too late."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import farm_rows as rows
import pytest
import sqlalchemy as sa
from farm_walk import Walker, wrong

from db.queries import dispatch, jobs, lines, reaper, sections

Act = Callable[[sa.Connection], Any]


def blocked(engine: sa.Engine, pid: int) -> bool:
    """Whether the backend waits for another transaction."""
    with engine.connect() as conn:
        return bool(conn.scalar(sa.text("SELECT cardinality(pg_blocking_pids(:pid)) > 0"), {"pid": pid}))


def contest(engine: sa.Engine, first: Act, second: Act, *, collide: bool = True) -> tuple[Any, Any]:
    """Run ``first``; before it commits run ``second`` on another connection until it waits; then let both end."""
    started: Future[int] = Future()

    def late() -> Any:
        with engine.begin() as conn:
            started.set_result(conn.execute(sa.text("SELECT pg_backend_pid()")).scalar_one())
            return second(conn)

    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as conn:
            mine = first(conn)
            theirs = pool.submit(late)
            pid = started.result(timeout=10)
            deadline = time.monotonic() + 10
            while not theirs.done() and not blocked(engine, pid) and time.monotonic() < deadline:
                time.sleep(0.005)
            assert theirs.done() or blocked(engine, pid)
            if collide:
                assert not theirs.done(), "the second did not have to wait: they do not meet"
        return mine, theirs.result(timeout=20)


@pytest.fixture
def farm(engine):
    with engine.begin() as conn:
        return rows.add_farm(conn, (2, 2))


@pytest.fixture
def session(engine):
    with engine.begin() as conn:
        return rows.start_session(conn, name="gpu0@test")


@pytest.fixture
def other(engine):
    with engine.begin() as conn:
        return rows.start_session(conn, name="gpu1@test")


def in_one(engine: sa.Engine, act: Act) -> Any:
    with engine.begin() as conn:
        return act(conn)


def lines_of(engine, farm) -> list[str]:
    return in_one(engine, lambda conn: rows.line_states(conn, farm.line_ids))


def well(engine) -> None:
    assert in_one(engine, wrong) == []


def test_two_claims_of_one_message(engine, farm, session, other) -> None:
    messages = in_one(engine, rows.queued)
    mine, theirs = contest(
        engine,
        lambda conn: lines.claim(conn, messages, session, "gpu0@test"),
        lambda conn: lines.claim(conn, messages, other, "gpu1@test"),
    )
    assert ({line.id for line in mine}, theirs) == (set(farm.line_ids), [])
    holders = in_one(engine, lambda conn: set(conn.scalars(sa.text("SELECT session_id FROM line"))))
    assert holders == {session}
    well(engine)


def test_two_accepts_of_one_take(engine, farm, session) -> None:
    claimed = in_one(engine, lambda conn: rows.rendering(conn, session))
    takes = [rows.take_for(line) for line in claimed]

    def accept(conn: sa.Connection) -> set[int]:
        return lines.accept(conn, takes, session, rows.WORKER)

    mine, theirs = contest(engine, accept, accept)
    assert (mine, theirs) == (set(farm.line_ids), set())
    assert in_one(engine, lambda conn: conn.scalar(sa.text("SELECT count(*) FROM take"))) == len(takes)
    assert in_one(engine, lambda conn: len(rows.messages(conn, "voicefarm.assemble"))) == 2
    well(engine)


@pytest.mark.parametrize("first", ["claim", "cancel"])
def test_claim_against_cancel(engine, farm, session, first) -> None:
    messages = in_one(engine, rows.queued)
    acts: dict[str, Act] = {
        "claim": lambda conn: lines.claim(conn, messages, session, rows.WORKER),
        "cancel": lambda conn: lines.cancel_job(conn, farm.job_id),
    }
    second = "cancel" if first == "claim" else "claim"
    results = dict(zip((first, second), contest(engine, acts[first], acts[second]), strict=True))
    claimed = results["claim"]
    assert len(claimed) == (4 if first == "claim" else 0)
    assert lines_of(engine, farm) == ["cancelled"] * 4
    takes = [rows.take_for(line) for line in claimed]
    assert in_one(engine, lambda conn: lines.accept(conn, takes, session, rows.WORKER)) == set()
    well(engine)


@pytest.mark.parametrize("first", ["accept", "reap"])
def test_accept_against_reap(engine, farm, session, first) -> None:
    claimed = in_one(engine, lambda conn: rows.rendering(conn, session))
    takes = [rows.take_for(line) for line in claimed]
    in_one(
        engine, lambda conn: conn.execute(sa.text("UPDATE worker_session SET heartbeat_at = now() - interval '1 h'"))
    )
    acts: dict[str, Act] = {
        "accept": lambda conn: lines.accept(conn, takes, session, rows.WORKER),
        "reap": lambda conn: reaper.reap_sessions(conn, 30),
    }
    second = "reap" if first == "accept" else "accept"
    results = dict(zip((first, second), contest(engine, acts[first], acts[second]), strict=True))
    won = first == "accept"
    assert (len(results["accept"]), results["reap"]) == ((4, 0) if won else (0, 4))
    assert lines_of(engine, farm) == (["accepted"] if won else ["pending"]) * 4
    burnt = in_one(engine, lambda conn: set(conn.scalars(sa.text("SELECT burnt FROM line"))))
    assert burnt == ({0} if won else {1})
    well(engine)


@pytest.mark.parametrize("first", ["accept", "cancel"])
def test_accept_of_the_last_line_against_cancel(engine, farm, session, first) -> None:
    claimed = in_one(engine, lambda conn: rows.rendering(conn, session))
    takes = [rows.take_for(line) for line in claimed]
    acts: dict[str, Act] = {
        "accept": lambda conn: lines.accept(conn, takes, session, rows.WORKER),
        "cancel": lambda conn: lines.cancel_job(conn, farm.job_id),
    }
    second = "cancel" if first == "accept" else "accept"
    contest(engine, acts[first], acts[second])
    assert lines_of(engine, farm) == ["accepted" if first == "accept" else "cancelled"] * 4
    states = in_one(engine, lambda conn: set(conn.scalars(sa.text("SELECT state FROM section"))))
    assert states == {"cancelled"}
    well(engine)


@pytest.mark.parametrize("first", ["finish", "damaged"])
def test_finish_against_damaged(engine, farm, session, first) -> None:
    section = farm.section_ids[0]
    in_one(engine, lambda conn: rows.render_all(conn, session))
    assert in_one(engine, lambda conn: sections.claim(conn, section, 1, session, 30)) is not None
    acts: dict[str, Act] = {
        "finish": lambda conn: sections.finish(conn, section, 1, session, rows.TRACK),
        "damaged": lambda conn: lines.mark_damaged(conn, section, 1, farm.line_ids[:1]),
    }
    second = "damaged" if first == "finish" else "finish"
    results = dict(zip((first, second), contest(engine, acts[first], acts[second]), strict=True))
    finished = first == "finish"
    assert results == {"finish": finished, "damaged": set() if finished else {farm.line_ids[0]}}
    state = in_one(engine, lambda conn: rows.row(conn, "section", section).state)
    assert state == ("assembled" if finished else "open")
    assert in_one(engine, lambda conn: conn.scalar(sa.text("SELECT count(*) FROM track"))) == int(finished)
    well(engine)


@pytest.mark.parametrize("first", ["finish", "retry"])
def test_finish_of_the_last_section_against_a_retried_line(engine, farm, session, first) -> None:
    """The assembly made from the old take never ends up in a delivery."""
    in_one(engine, lambda conn: rows.render_all(conn, session))
    in_one(engine, lambda conn: rows.assemble(conn, farm.section_ids[1], session))
    section = farm.section_ids[0]
    assert in_one(engine, lambda conn: sections.claim(conn, section, 1, session, 30)) is not None
    acts: dict[str, Act] = {
        "finish": lambda conn: sections.finish(conn, section, 1, session, rows.TRACK),
        "retry": lambda conn: lines.retry(conn, farm.line_ids[:1]),
    }
    second = "retry" if first == "finish" else "finish"
    results = dict(zip((first, second), contest(engine, acts[first], acts[second]), strict=True))
    assert results == {"finish": first == "finish", "retry": 1}
    job = in_one(engine, lambda conn: rows.row(conn, "job", farm.job_id))
    assert (job.state, job.waiting) == ("active", 1)
    assert in_one(engine, lambda conn: jobs.claim_delivery(conn, farm.job_id, 1, session, 30)) is None
    well(engine)


def test_two_claims_of_one_assembly(engine, farm, session, other) -> None:
    in_one(engine, lambda conn: rows.render_all(conn, session))
    section = farm.section_ids[0]
    mine, theirs = contest(
        engine,
        lambda conn: sections.claim(conn, section, 1, session, 30),
        lambda conn: sections.claim(conn, section, 1, other, 30),
    )
    assert mine is not None
    assert theirs is None
    well(engine)


def test_a_late_finish_against_the_reaper(engine, farm, session) -> None:
    in_one(engine, lambda conn: rows.render_all(conn, session))
    section = farm.section_ids[0]
    in_one(engine, lambda conn: sections.claim(conn, section, 1, session, -1))
    reaped, finished = contest(
        engine, reaper.reap_post, lambda conn: sections.finish(conn, section, 1, session, rows.TRACK)
    )
    assert (reaped, finished) == (1, False)
    assert in_one(engine, lambda conn: rows.revision(conn, "section", section)) == 2
    well(engine)


def test_two_dispatchers_share_and_do_not_wait(engine, farm) -> None:
    first, second = contest(
        engine,
        lambda conn: dispatch.dispatch(conn, rows.ENGINE, 2),
        lambda conn: dispatch.dispatch(conn, rows.ENGINE, 4),
        collide=False,
    )
    assert first == 2
    assert second <= 2
    sent = in_one(engine, lambda conn: [args[1] for args in rows.messages(conn, "voicefarm.line")])
    assert len(sent) == len(set(sent)) == first + second
    well(engine)


def test_the_last_two_lines_of_a_section_accepted_at_once(engine, session, other) -> None:
    farm = in_one(engine, lambda conn: rows.add_farm(conn, (2,)))
    messages = in_one(engine, rows.queued)
    held = [
        in_one(engine, lambda conn, m=message, s=owner: lines.claim(conn, [m], s, "w"))
        for message, owner in zip(messages, (session, other), strict=True)
    ]
    contest(
        engine,
        lambda conn: lines.accept(conn, [rows.take_for(held[0][0])], session, "w"),
        lambda conn: lines.accept(conn, [rows.take_for(held[1][0])], other, "w"),
    )
    assert in_one(engine, lambda conn: rows.messages(conn, "voicefarm.assemble")) == [[1, farm.section_ids[0], 1]]
    well(engine)


def test_many_hands_on_the_same_sections_never_deadlock(engine) -> None:
    """Every kind of move at once, in transactions of their own: the one lock order holds."""
    farm = in_one(engine, lambda conn: rows.add_farm(conn, (6, 5, 4)))
    errors: list[BaseException] = []
    barrier = threading.Barrier(4)

    def work(seed: int) -> None:
        chance = random.Random(seed)
        session = in_one(engine, lambda conn: rows.start_session(conn, name=f"gpu{seed}@test"))
        barrier.wait()
        try:
            for _ in range(90):
                in_one(engine, lambda conn: Walker(conn, farm, session, chance).step())
        except BaseException as error:  # noqa: BLE001  # carried to the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert in_one(engine, wrong) == []
    assert in_one(engine, reaper.repair_counters) == 0


def test_a_repair_while_lines_move_repairs_nothing(engine) -> None:
    """Counting is never confused by transactions under way."""
    farm = in_one(engine, lambda conn: rows.add_farm(conn, (40, 40)))
    session: uuid.UUID = in_one(engine, rows.start_session)
    done = threading.Event()

    def move() -> None:
        try:
            for line in in_one(engine, lambda conn: rows.rendering(conn, session)):
                in_one(engine, lambda conn, line=line: lines.accept(conn, [rows.take_for(line)], session, "w"))
        finally:
            done.set()

    thread = threading.Thread(target=move)
    thread.start()
    repaired = 0
    while not done.is_set():
        repaired += in_one(engine, reaper.repair_counters)
    thread.join()
    assert repaired == 0
    assert lines_of(engine, farm) == ["accepted"] * 80
    well(engine)
