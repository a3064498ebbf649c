"""Worker sessions and the relay's side of the outbox."""

from __future__ import annotations

import uuid

import farm_rows as rows
import sqlalchemy as sa

from db.queries import dispatch, outbox, workers


def test_a_worker_as_people_see_it(scratch) -> None:
    session = uuid.uuid4()
    workers.start(scratch, session, "gpu0@host", "line", "fake", "cuda:0", 8, "host", 42)
    assert workers.beat(scratch, session, {"b@1", "a@1"}, {"accepted": 3})
    (seen,) = workers.list_workers(scratch, 30)
    assert (seen.session_id, seen.name, seen.kind, seen.engine, seen.device, seen.capacity) == (
        session,
        "gpu0@host",
        "line",
        "fake",
        "cuda:0",
        8,
    )
    assert (seen.voices, seen.counters, seen.alive, seen.silent_s) == (("a@1", "b@1"), {"accepted": 3}, True, 0.0)


def test_a_silent_worker_shows_for_how_long(scratch) -> None:
    rows.start_session(scratch)
    scratch.execute(sa.text("UPDATE worker_session SET heartbeat_at = now() - interval '40 s'"))
    (seen,) = workers.list_workers(scratch, 30)
    assert (seen.alive, seen.silent_s) == (False, 40.0)


def test_only_the_latest_life_of_a_worker_is_listed(scratch) -> None:
    first = rows.start_session(scratch)
    second = rows.start_session(scratch)
    rows.start_session(scratch, name="another@test")
    assert workers.end_previous(scratch, rows.WORKER, second) == 1
    assert not workers.beat(scratch, first, [], {})
    assert workers.beat(scratch, second, [], {})
    assert [(seen.name, seen.alive) for seen in workers.list_workers(scratch, 30)] == [
        ("another@test", True),
        (rows.WORKER, True),
    ]
    workers.end(scratch, second)
    assert [seen.alive for seen in workers.list_workers(scratch, 30)] == [True, False]
    scratch.execute(sa.text("UPDATE worker_session SET ended_at = now() - interval '2 h' WHERE ended_at IS NOT NULL"))
    assert [seen.name for seen in workers.list_workers(scratch, 30)] == ["another@test"]


def test_the_outbox_gives_the_oldest_first_and_forgets_what_was_sent(scratch) -> None:
    farm = rows.add_farm(scratch, (3,))
    dispatch.dispatch(scratch, rows.ENGINE, 10)
    assert outbox.depth(scratch) == 3
    first, second = outbox.fetch(scratch, 2)
    assert (first.queue, first.task, first.args) == ("voicefarm.lines.fake", "voicefarm.line", (1, farm.line_ids[0], 1))
    assert first.id < second.id
    outbox.delete(scratch, [first.id])
    outbox.delete(scratch, [])
    assert [row.args[1] for row in outbox.fetch(scratch, 10)] == list(farm.line_ids[1:])


def test_two_relays_never_send_the_same_message(engine) -> None:
    with engine.begin() as conn:
        rows.add_farm(conn, (5,))
        dispatch.dispatch(conn, rows.ENGINE, 10)
    with engine.begin() as one, engine.begin() as two:
        mine, theirs = outbox.fetch(one, 3), outbox.fetch(two, 10)
        assert len(mine) + len(theirs) == 5
        assert {row.id for row in mine}.isdisjoint(row.id for row in theirs)
