"""What the reaper takes back, and what it leaves alone."""

from __future__ import annotations

import logging

import farm_rows as rows
import pytest
import sqlalchemy as sa

from db.failures import ATTEMPT_CAP
from db.queries import dispatch, jobs, lines, outbox, reaper, sections, workers


@pytest.fixture
def farm(scratch):
    return rows.add_farm(scratch, (3,))


@pytest.fixture
def session(scratch):
    return rows.start_session(scratch)


def age(conn: sa.Connection, statement: str, **values) -> None:
    conn.execute(sa.text(statement), values)


SILENT = "UPDATE worker_session SET heartbeat_at = now() - interval '31 s'"


def test_a_silent_worker_loses_its_lines(scratch, farm, session) -> None:
    claimed = rows.rendering(scratch, session)
    assert reaper.reap_sessions(scratch, 30) == 0
    age(scratch, SILENT)
    assert reaper.reap_sessions(scratch, 30) == 3
    for line in claimed:
        row = rows.row(scratch, "line", line.id)
        assert (row.state, row.burnt, row.alone, row.failure_class) == ("pending", 1, True, "crash")
        assert "gpu0@test" in row.failure_message
    assert reaper.reap_sessions(scratch, 30) == 0


def test_it_hears_about_it_and_its_takes_are_superseded(scratch, farm, session) -> None:
    claimed = rows.rendering(scratch, session)
    age(scratch, SILENT)
    reaper.reap_sessions(scratch, 30)
    assert workers.beat(scratch, session, [], {}) is False
    assert lines.accept(scratch, [rows.take_for(line) for line in claimed], session, rows.WORKER) == set()
    again = rows.start_session(scratch)
    assert rows.render_all(scratch, again) == set(farm.line_ids)


def test_lines_of_a_worker_that_was_replaced(scratch, farm, session) -> None:
    rows.rendering(scratch, session)
    new = rows.start_session(scratch)
    assert workers.end_previous(scratch, rows.WORKER, new) == 1
    assert reaper.reap_sessions(scratch, 30) == 3
    assert workers.beat(scratch, new, [], {})


def test_a_line_that_keeps_killing_workers_fails_and_the_others_do_not(scratch, farm) -> None:
    poison = farm.line_ids[1]
    for _ in range(ATTEMPT_CAP):
        session = rows.start_session(scratch)
        claimed = rows.rendering(scratch, session)
        good = [rows.take_for(line) for line in claimed if line.id != poison]
        lines.accept(scratch, good, session, rows.WORKER)
        workers.end(scratch, session)
        reaper.reap_sessions(scratch, 30)
    assert rows.line_states(scratch, farm.line_ids) == ["accepted", "failed", "accepted"]


def test_a_server_that_was_away_does_not_blame_the_workers(scratch, farm, session) -> None:
    """Nobody could be heard while it was down: silence counts from its return."""
    rows.rendering(scratch, session)
    age(
        scratch,
        "UPDATE worker_session SET started_at = pg_postmaster_start_time() - interval '1 h',"
        " heartbeat_at = pg_postmaster_start_time() - interval '31 s'",
    )
    uptime = scratch.scalar(sa.text("SELECT extract(epoch FROM now() - pg_postmaster_start_time())"))
    assert reaper.reap_sessions(scratch, float(uptime) + 1) == 0
    assert reaper.reap_sessions(scratch, max(0.0, float(uptime) - 1)) == 3


def test_messages_that_got_lost_are_sent_again(scratch, farm) -> None:
    rows.queued(scratch)
    assert reaper.requeue_lost(scratch, 60) == 0
    age(scratch, "UPDATE line SET queued_at = now() - interval '61 s' WHERE position < 2")
    assert reaper.requeue_lost(scratch, 60) == 2
    assert rows.line_states(scratch, farm.line_ids) == ["pending", "pending", "queued"]
    assert scratch.scalar(sa.text("SELECT sum(burnt) FROM line")) == 0
    assert [attempt for _, attempt in rows.queued(scratch)] == [2, 2]


def test_messages_still_in_the_outbox_are_not_lost(scratch, farm) -> None:
    """A broker that is down for long must not fill the outbox with repeats."""
    dispatch.dispatch(scratch, rows.ENGINE, 10)
    age(scratch, "UPDATE line SET queued_at = now() - interval '1 h'")
    assert reaper.requeue_lost(scratch, 60) == 0
    first = outbox.fetch(scratch, 1)
    outbox.delete(scratch, [row.id for row in first])
    assert reaper.requeue_lost(scratch, 60) == 1


def test_assemblies_whose_lease_ran_out_are_asked_for_again(scratch, farm, session) -> None:
    rows.render_all(scratch, session)
    (section,) = farm.section_ids
    sections.claim(scratch, section, 1, session, 30)
    assert reaper.reap_post(scratch) == 0
    age(scratch, "UPDATE section SET lease_until = now() - interval '1 s'")
    assert reaper.reap_post(scratch) == 1
    assert rows.messages(scratch, "voicefarm.assemble") == [[1, section, 1], [1, section, 2]]
    assert rows.assemble(scratch, section, session)


def test_deliveries_whose_lease_ran_out_are_asked_for_again(scratch, farm, session) -> None:
    rows.render_all(scratch, session)
    rows.assemble(scratch, farm.section_ids[0], session)
    jobs.claim_delivery(scratch, farm.job_id, 1, session, 30)
    age(scratch, "UPDATE job SET lease_until = now() - interval '1 s'")
    assert reaper.reap_post(scratch) == 1
    assert rows.messages(scratch, "voicefarm.deliver") == [[1, farm.job_id, 1], [1, farm.job_id, 2]]
    assert rows.deliver(scratch, farm.job_id, session)


def test_an_assembly_that_keeps_killing_workers_fails(scratch, farm, session) -> None:
    rows.render_all(scratch, session)
    (section,) = farm.section_ids
    for _ in range(ATTEMPT_CAP):
        assert rows.row(scratch, "section", section).state == "ready"
        sections.claim(scratch, section, rows.revision(scratch, "section", section), session, -1)
        assert reaper.reap_post(scratch) == 1
    row = rows.row(scratch, "section", section)
    assert (row.state, row.lease_until) == ("failed", None)
    assert "3 times" in row.message
    assert jobs.retry_failed(scratch, farm.job_id) == 1  # a person starts the count anew
    sections.claim(scratch, section, rows.revision(scratch, "section", section), session, -1)
    reaper.reap_post(scratch)
    assert rows.row(scratch, "section", section).state == "ready"


def test_post_work_nobody_took_is_asked_for_again(scratch, session) -> None:
    waiting, made = rows.add_farm(scratch, (1,)), rows.add_farm(scratch, (1,))
    rows.render_all(scratch, session)
    rows.assemble(scratch, made.section_ids[0], session)
    rows.start_session(scratch, name="post/0", kind="post", capacity=1)
    age(scratch, "UPDATE section SET updated_at = now() - interval '61 s'")
    age(scratch, "UPDATE job SET updated_at = now() - interval '61 s'")
    assert reaper.reconcile_post(scratch, 60) == 0  # their messages are still in the outbox
    age(scratch, "DELETE FROM outbox")
    assert reaper.reconcile_post(scratch, 60) == 2
    assert rows.messages(scratch, "voicefarm.assemble") == [[1, waiting.section_ids[0], 1]]
    assert rows.messages(scratch, "voicefarm.deliver") == [[1, made.job_id, 1]]
    age(scratch, "DELETE FROM outbox")
    assert reaper.reconcile_post(scratch, 60) == 0  # the clock started again


def test_post_work_that_waits_for_its_turn_is_not_asked_for_twice(scratch, session) -> None:
    first, second = rows.add_farm(scratch, (1,)), rows.add_farm(scratch, (1,))
    rows.render_all(scratch, session)
    age(scratch, "UPDATE section SET updated_at = now() - interval '61 s'")
    age(scratch, "DELETE FROM outbox")
    assert reaper.reconcile_post(scratch, 60) == 0, "nobody is there who could make it"
    post = rows.start_session(scratch, name="post/0", kind="post", capacity=1)
    assert sections.claim(scratch, first.section_ids[0], 1, post, 30) is not None
    assert reaper.reconcile_post(scratch, 60) == 0, "the only post worker is at work"
    rows.start_session(scratch, name="post/1", kind="post", capacity=1)
    assert reaper.reconcile_post(scratch, 60) == 1
    assert rows.messages(scratch, "voicefarm.assemble") == [[1, second.section_ids[0], 1]]


def test_wrong_counters_are_put_right_and_shouted_about(scratch, session, caplog) -> None:
    done, open_ = rows.add_farm(scratch, (2,)), rows.add_farm(scratch, (2,))
    rows.queued(scratch)
    claimed = scratch.execute(
        sa.text("SELECT id, attempt FROM line WHERE production_id = :p"), {"p": done.production_id}
    )
    held = lines.claim(scratch, [(row.id, row.attempt) for row in claimed], session, rows.WORKER)
    lines.accept(scratch, [rows.take_for(line) for line in held], session, rows.WORKER)
    assert reaper.repair_counters(scratch) == 0
    age(scratch, "UPDATE section SET waiting = 1, state = 'open' WHERE id = :id", id=done.section_ids[0])
    age(scratch, "UPDATE section SET waiting = 7 WHERE id = :id", id=open_.section_ids[0])
    age(scratch, "UPDATE job SET waiting = 5 WHERE id = :id", id=open_.job_id)
    with caplog.at_level(logging.ERROR):
        assert reaper.repair_counters(scratch) == 3
    assert "counters" in caplog.text
    assert rows.counters_right(scratch)
    assert rows.row(scratch, "section", done.section_ids[0]).state == "ready"
    assert rows.messages(scratch, "voicefarm.assemble")[-1][1] == done.section_ids[0]
    assert reaper.repair_counters(scratch) == 0


def test_a_job_whose_counter_hid_that_it_is_done_becomes_ready(scratch, farm, session, caplog) -> None:
    rows.render_all(scratch, session)
    rows.assemble(scratch, farm.section_ids[0], session)
    age(scratch, "DELETE FROM outbox")
    age(scratch, "UPDATE job SET waiting = 1, state = 'active'")
    with caplog.at_level(logging.ERROR):
        assert reaper.repair_counters(scratch) == 1
    job = rows.row(scratch, "job", farm.job_id)
    assert (job.state, job.waiting) == ("ready", 0)
    assert rows.messages(scratch, "voicefarm.deliver") == [[1, farm.job_id, job.revision]]


def test_old_sessions_are_forgotten(scratch, farm, session) -> None:
    rows.rendering(scratch, session)
    old = rows.start_session(scratch, name="gpu1@test")
    fresh = rows.start_session(scratch, name="gpu2@test")
    workers.end(scratch, fresh)
    age(
        scratch, "UPDATE worker_session SET ended_at = now() - interval '8 days' WHERE id IN (:a, :b)", a=old, b=session
    )
    assert reaper.prune(scratch) == 1
    assert set(scratch.scalars(sa.text("SELECT id FROM worker_session"))) == {session, fresh}
