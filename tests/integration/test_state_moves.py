"""Every pair of the tables in db.states, against the function that performs it; and no function does more."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

import farm_rows as rows
import pytest
import sqlalchemy as sa
from farm_rows import Farm

from db.errors import InvalidTransition, NotFound
from db.failures import Decision, Scope, decide
from db.queries import dispatch, jobs, lines, reaper, sections
from db.queries._moves import IllegalMove, legal, settle
from db.records import FailedLine
from db.states import (
    JOB_MOVES,
    LINE_MOVES,
    SECTION_MOVES,
    FailureClass,
    JobState,
    LineState,
    SectionState,
)

L, S, J = LineState, SectionState, JobState


@dataclass(frozen=True)
class Scene:
    """A farm of two sections with two lines each, and a session; the first line is the one that moves."""

    conn: sa.Connection
    farm: Farm
    session: uuid.UUID

    @property
    def line(self) -> int:
        return self.farm.line_ids[0]

    @property
    def section(self) -> int:
        return self.farm.section_ids[0]

    @property
    def job(self) -> int:
        return self.farm.job_id


@pytest.fixture
def scene(scratch):
    return Scene(scratch, rows.add_farm(scratch, (2, 2)), rows.start_session(scratch))


def put(scene: Scene, state: LineState) -> None:
    """The first line, at attempt 1, in a state it did not move to."""
    rows.force(scene.conn, scene.line, state)
    scene.conn.execute(
        sa.text("UPDATE line SET attempt = 1, queued_at = now(), session_id = :session WHERE id = :id"),
        {"id": scene.line, "session": scene.session if state is L.RENDERING else None},
    )


def offer(scene: Scene, *, review: bool = False) -> set[int]:
    take = rows.offer(scene.line, 1, review=review)
    return lines.accept(scene.conn, [take], scene.session, rows.WORKER)


def report(scene: Scene, failure: FailureClass, decision: Decision | None = None) -> set[int]:
    failed = FailedLine(scene.line, 1, failure, "no", decision or decide(failure, 0))
    return lines.fail(scene.conn, [failed], scene.session, rows.WORKER)


def lose_session(scene: Scene) -> int:
    scene.conn.execute(sa.text("UPDATE worker_session SET heartbeat_at = now() - interval '1 hour'"))
    return reaper.reap_sessions(scene.conn, 30)


WORKER_MOVES: dict[str, tuple[Callable[[Scene], object], dict[LineState, LineState]]] = {
    "dispatch": (lambda s: dispatch.dispatch(s.conn, "fake", 100), {L.PENDING: L.QUEUED, L.STALE: L.QUEUED}),
    "refresh_stale": (lambda s: dispatch.refresh_stale(s.conn), {L.STALE: L.PENDING}),
    "claim": (lambda s: lines.claim(s.conn, [(s.line, 1)], s.session, "w"), {L.QUEUED: L.RENDERING}),
    "accept": (offer, {L.RENDERING: L.ACCEPTED}),
    "accept for review": (lambda s: offer(s, review=True), {L.RENDERING: L.RENDERED}),
    "fail: again": (lambda s: report(s, FailureClass.ENGINE_ERROR), {L.RENDERING: L.PENDING}),
    "fail: hold": (lambda s: report(s, FailureClass.STORE_FULL), {L.RENDERING: L.HELD}),
    "fail: for good": (lambda s: report(s, FailureClass.BAD_TEXT), {L.RENDERING: L.FAILED}),
    "release": (
        lambda s: lines.release(s.conn, [(s.line, 1)], s.session, "w"),
        {L.QUEUED: L.PENDING, L.RENDERING: L.PENDING},
    ),
    "reap": (lose_session, {L.RENDERING: L.PENDING}),
    "requeue": (lambda s: reaper.requeue_lost(s.conn, -1), {L.QUEUED: L.PENDING}),
    "release_holds": (lambda s: reaper.release_holds(s.conn), {L.HELD: L.PENDING}),
    "cancel": (
        lambda s: lines.cancel_job(s.conn, s.job),
        dict.fromkeys((L.PENDING, L.QUEUED, L.RENDERING, L.RENDERED, L.FAILED, L.HELD, L.STALE), L.CANCELLED),
    ),
}
"""Moves that do nothing to a line in another state: what they do to each state they act on."""

PEOPLE_MOVES: dict[str, tuple[Callable[[sa.Connection, list[int]], int], dict[LineState, LineState]]] = {
    "retry": (
        lines.retry,
        dict.fromkeys((L.FAILED, L.CANCELLED, L.SKIPPED, L.RENDERED, L.ACCEPTED), L.PENDING),
    ),
    "skip": (lines.skip, {state: L.SKIPPED for state in L if state not in (L.SKIPPED, L.CANCELLED)}),
    "approve": (lines.approve, {L.RENDERED: L.ACCEPTED, L.STALE: L.ACCEPTED}),
    "mark_stale": (lines.mark_stale, {L.ACCEPTED: L.STALE}),
}
"""Moves that refuse a line in any other state."""


def pairs(table) -> set:
    return {(state, after) for state, moves in table.items() for after in moves}


def test_every_line_move_in_the_table_is_made_by_some_function() -> None:
    made = {
        (before, after)
        for _, moves in (*WORKER_MOVES.values(), *PEOPLE_MOVES.values())
        for before, after in moves.items()
    }
    made.discard((L.STALE, L.QUEUED))  # by way of pending, in one call
    assert made == pairs(LINE_MOVES)


@pytest.mark.parametrize("before", list(L))
@pytest.mark.parametrize("name", list(WORKER_MOVES))
def test_a_worker_move_acts_on_its_prior_states_only(scene, name, before) -> None:
    move, moves = WORKER_MOVES[name]
    put(scene, before)
    move(scene)
    after = moves.get(before, before)
    assert rows.row(scene.conn, "line", scene.line).state == after
    trail = rows.trail(scene.conn, "line", scene.line)
    if after == before:
        assert trail == []
    elif (before, after) == (L.STALE, L.QUEUED):
        assert trail == [(L.STALE, L.PENDING), (L.PENDING, L.QUEUED)]
    else:
        assert trail == [(before, after)]
    assert rows.counters_right(scene.conn)


@pytest.mark.parametrize("before", list(L))
@pytest.mark.parametrize("name", list(PEOPLE_MOVES))
def test_a_person_s_move_acts_on_its_prior_states_and_refuses_the_others(scene, name, before) -> None:
    move, moves = PEOPLE_MOVES[name]
    put(scene, before)
    if before in moves:
        assert move(scene.conn, [scene.line]) == 1
        assert rows.row(scene.conn, "line", scene.line).state == moves[before]
        assert rows.trail(scene.conn, "line", scene.line) == [(before, moves[before])]
    else:
        with pytest.raises(InvalidTransition) as refused:
            move(scene.conn, [scene.line])
        wanted = {"retry": "pending", "skip": "skipped", "approve": "accepted", "mark_stale": "stale"}[name]
        assert refused.value.args == ("line", scene.line, wanted, before)
        assert rows.row(scene.conn, "line", scene.line).state == before
    assert rows.counters_right(scene.conn)


@pytest.mark.parametrize("name", list(PEOPLE_MOVES))
def test_a_person_s_move_of_a_line_that_is_not_there(scene, name) -> None:
    with pytest.raises(NotFound):
        PEOPLE_MOVES[name][0](scene.conn, [999_999])


def test_a_failure_can_only_lead_where_the_table_says(scene) -> None:
    put(scene, L.RENDERING)
    wrong = Decision(L.ACCEPTED, False, False, decide(FailureClass.CRASH, 0).delay, None)
    with pytest.raises(ValueError, match="accepted"):
        report(scene, FailureClass.CRASH, wrong)


def test_a_statement_for_an_illegal_move_cannot_be_written() -> None:
    with pytest.raises(IllegalMove):
        legal(L.ACCEPTED, [L.PENDING])
    with pytest.raises(IllegalMove):
        legal(J.DELIVERED, [J.ACTIVE])
    assert legal(L.PENDING, [L.HELD, L.FAILED]) == "'failed', 'held'"


# --- sections ---


def bring_section(scene: Scene, state: SectionState) -> None:
    """The first section, by real moves; the second has lines waiting unless the state needs otherwise."""
    conn, section, session = scene.conn, scene.section, scene.session
    if state is S.CANCELLED:
        lines.cancel_job(conn, scene.job)
        return
    if state is not S.OPEN:
        rows.queued(conn)
        mine = conn.execute(sa.text("SELECT id, attempt FROM line WHERE section_id = :id"), {"id": section}).all()
        claimed = lines.claim(conn, [(row.id, row.attempt) for row in mine], session, rows.WORKER)
        lines.accept(conn, [rows.take_for(line) for line in claimed], session, rows.WORKER)
    if state in (S.ASSEMBLING, S.ASSEMBLED, S.FAILED):
        assert sections.claim(conn, section, 1, session, 30) is not None
    if state is S.ASSEMBLED:
        assert sections.finish(conn, section, 1, session, rows.TRACK)
    if state is S.FAILED:
        assert sections.fail(conn, section, 1, session, "no loudness")


def complete(scene: Scene) -> None:
    """Every open line of the first section is skipped, which settles it."""
    scene_lines = scene.farm.line_ids[:2]
    lines.skip(scene.conn, list(scene_lines))


def lapse(scene: Scene) -> None:
    for table in ("section", "job"):
        scene.conn.execute(sa.text(f"UPDATE {table} SET lease_until = now() - interval '1 s'"))
    assert reaper.reap_post(scene.conn) == 1


def retry_line(scene: Scene) -> None:
    lines.retry(scene.conn, [scene.line])


def cancel(scene: Scene) -> None:
    lines.cancel_job(scene.conn, scene.job)


def current(scene: Scene) -> int:
    return rows.revision(scene.conn, "section", scene.section)


SECTION_PERFORMERS: dict[tuple[SectionState, SectionState], Callable[[Scene], object]] = {
    (S.OPEN, S.READY): complete,
    (S.OPEN, S.CANCELLED): cancel,
    (S.READY, S.ASSEMBLING): lambda s: sections.claim(s.conn, s.section, 1, s.session, 30),
    (S.READY, S.OPEN): retry_line,
    (S.READY, S.CANCELLED): cancel,
    (S.ASSEMBLING, S.ASSEMBLED): lambda s: sections.finish(s.conn, s.section, 1, s.session, rows.TRACK),
    (S.ASSEMBLING, S.READY): lapse,
    (S.ASSEMBLING, S.OPEN): lambda s: lines.mark_damaged(s.conn, s.section, 1, [s.line]),
    (S.ASSEMBLING, S.FAILED): lambda s: sections.fail(s.conn, s.section, 1, s.session, "no"),
    (S.ASSEMBLING, S.CANCELLED): cancel,
    (S.ASSEMBLED, S.OPEN): retry_line,
    (S.ASSEMBLED, S.READY): lambda s: lines.skip(s.conn, [s.line]),
    (S.FAILED, S.READY): lambda s: jobs.retry_failed(s.conn, s.job),
    (S.FAILED, S.OPEN): retry_line,
    (S.FAILED, S.CANCELLED): cancel,
    (S.CANCELLED, S.OPEN): retry_line,
    (S.CANCELLED, S.READY): lambda s: settle(s.conn, {s.section: -2}, "person", revive=True),
}


def test_every_section_move_in_the_table_has_its_function() -> None:
    assert set(SECTION_PERFORMERS) == pairs(SECTION_MOVES)


@pytest.mark.parametrize(("before", "after"), sorted(SECTION_PERFORMERS))
def test_section_move(scene, before, after) -> None:
    bring_section(scene, before)
    old = current(scene)
    SECTION_PERFORMERS[before, after](scene)
    assert rows.row(scene.conn, "section", scene.section).state == after
    assert rows.trail(scene.conn, "section", scene.section)[-1] == (before, after)
    raised = after in (S.READY, S.CANCELLED) or (after is S.OPEN)
    assert current(scene) == old + (1 if raised else 0)
    if after is S.READY:
        asked = rows.messages(scene.conn, "voicefarm.assemble")
        assert asked[-1] == [1, scene.section, current(scene)]


# --- jobs ---


def bring_job(scene: Scene, state: JobState) -> None:
    conn, job, session = scene.conn, scene.job, scene.session
    if state is J.CANCELLED:
        lines.cancel_job(conn, job)
        return
    rows.render_all(conn, session)
    if state is J.ACTIVE:
        assert rows.assemble(conn, scene.section, session)
        return
    for section in scene.farm.section_ids:
        assert rows.assemble(conn, section, session)
    if state in (J.DELIVERING, J.DELIVERED, J.FAILED):
        assert jobs.claim_delivery(conn, job, 1, session, 30) is not None
    if state is J.DELIVERED:
        assert jobs.finish_delivery(conn, job, 1, session, [])
    if state is J.FAILED:
        assert jobs.fail_delivery(conn, job, 1, session, "disk full")


JOB_PERFORMERS: dict[tuple[JobState, JobState], Callable[[Scene], object]] = {
    (J.ACTIVE, J.READY): lambda s: rows.assemble(s.conn, s.farm.section_ids[1], s.session),
    (J.ACTIVE, J.CANCELLED): cancel,
    (J.READY, J.DELIVERING): lambda s: jobs.claim_delivery(s.conn, s.job, 1, s.session, 30),
    (J.READY, J.ACTIVE): retry_line,
    (J.READY, J.CANCELLED): cancel,
    (J.DELIVERING, J.DELIVERED): lambda s: jobs.finish_delivery(s.conn, s.job, 1, s.session, []),
    (J.DELIVERING, J.READY): lapse,
    (J.DELIVERING, J.ACTIVE): retry_line,
    (J.DELIVERING, J.FAILED): lambda s: jobs.fail_delivery(s.conn, s.job, 1, s.session, "no"),
    (J.DELIVERING, J.CANCELLED): cancel,
    (J.DELIVERED, J.ACTIVE): retry_line,
    (J.FAILED, J.READY): lambda s: jobs.retry_failed(s.conn, s.job),
    (J.FAILED, J.ACTIVE): retry_line,
    (J.FAILED, J.CANCELLED): cancel,
    (J.CANCELLED, J.ACTIVE): retry_line,
}

BY_SUBMITTING_AGAIN = {(J.DELIVERED, J.READY), (J.CANCELLED, J.READY)}
"""Made by the import of the same script; tested with it."""


def test_every_job_move_in_the_table_has_its_function() -> None:
    assert set(JOB_PERFORMERS) | BY_SUBMITTING_AGAIN == pairs(JOB_MOVES)


@pytest.mark.parametrize(("before", "after"), sorted(JOB_PERFORMERS))
def test_job_move(scene, before, after) -> None:
    bring_job(scene, before)
    old = rows.revision(scene.conn, "job", scene.job)
    JOB_PERFORMERS[before, after](scene)
    job = rows.row(scene.conn, "job", scene.job)
    assert job.state == after
    assert rows.trail(scene.conn, "job", scene.job)[-1] == (before, after)
    assert job.revision == old + (1 if after in (J.READY, J.ACTIVE, J.CANCELLED) else 0)
    assert (job.finished_at is not None) == (after in (J.DELIVERED, J.CANCELLED))
    assert rows.counters_right(scene.conn)
    if after is J.READY:
        assert rows.messages(scene.conn, "voicefarm.deliver")[-1] == [1, scene.job, job.revision]


@pytest.mark.parametrize("state", [J.DELIVERED, J.CANCELLED])
def test_a_job_at_rest_cannot_be_cancelled(scene, state) -> None:
    bring_job(scene, state)
    with pytest.raises(InvalidTransition) as refused:
        lines.cancel_job(scene.conn, scene.job)
    assert refused.value.args == ("job", scene.job, "cancelled", state)


def test_no_such_job(scene) -> None:
    with pytest.raises(NotFound):
        lines.cancel_job(scene.conn, 999)
    with pytest.raises(NotFound):
        jobs.retry_failed(scene.conn, 999)


def test_the_scope_of_a_failure_makes_the_hold(scene) -> None:
    put(scene, L.RENDERING)
    report(scene, FailureClass.MODEL_MISSING)
    hold = scene.conn.execute(sa.text("SELECT scope, key, failure_class FROM hold")).one()
    assert tuple(hold) == (Scope.VOICE, str(scene.farm.voice_id), "model_missing")
