"""Takes as people decide about them, and what a new revision keeps of them."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Iterator, Sequence

import pytest
import sqlalchemy as sa
from plans import ENGINE, add_voice, make_line, make_plan
from steps import asked, assemble_all, clear_outbox, counters_are_exact, deliver, finish_job, render_all, states

from db import digest
from db.errors import InvalidTransition, NotFound
from db.queries import history, takes, verdicts, voices
from db.queries.imports import import_script
from db.queries.takes import TakeRefused
from db.records import ImportPlan, PlannedLine, PlannedSection
from scheduler.local.update import import_keeping

SLUG = "the-fables"


@pytest.fixture
def conn(engine: sa.Engine) -> Iterator[sa.Connection]:
    with engine.begin() as connection:
        yield connection


@pytest.fixture
def voice(conn: sa.Connection) -> int:
    return add_voice(conn)


def plan_of(voice_id: int, texts: Sequence[tuple[str, str]], **more: object) -> ImportPlan:
    """One section of lines with ids of their own."""
    lines = tuple(make_line(voice_id, key, text) for key, text in texts)
    marks = [[line.key, line.digest, line.pause_ms] for line in lines]
    plan = dataclasses.replace(
        make_plan(voice_id, [["x"]]),
        sections=(PlannedSection("s1", "chapter", "Chapter 1", lines),),
        digest=digest.script_digest(marks),
    )
    return dataclasses.replace(plan, **more)  # type: ignore[arg-type]  # fields of the plan


def line_row(conn: sa.Connection, job_id: int, key: str) -> sa.Row[tuple[object, ...]]:
    return conn.execute(
        sa.text("SELECT l.* FROM line l JOIN section s ON s.id = l.section_id WHERE s.job_id = :job AND l.key = :key"),
        {"job": job_id, "key": key},
    ).one()


def moves(conn: sa.Connection, line_id: int) -> list[tuple[str | None, str]]:
    rows = conn.execute(
        sa.text("SELECT from_state, to_state FROM event WHERE entity = 'line' AND entity_id = :id ORDER BY id"),
        {"id": line_id},
    )
    return [(row.from_state, row.to_state) for row in rows]


def two_takes(conn: sa.Connection, voice: int) -> tuple[int, int, int]:
    """A delivered job whose first line was rendered twice; (job, first take, second take)."""
    job = import_script(conn, plan_of(voice, [("A", "One."), ("B", "Two.")])).job_id
    finish_job(conn, job)
    line = line_row(conn, job, "A")
    verdicts.retry(conn, [line.id])
    finish_job(conn, job)
    clear_outbox(conn)
    first, second = (take.take_id for take in takes.history(conn, takes.find(conn, SLUG, "A")))
    return job, first, second


def test_a_line_is_found_by_key_and_by_number(conn: sa.Connection, voice: int) -> None:
    job = import_script(conn, plan_of(voice, [("A", "One."), ("B", "Two.")])).job_id
    row = line_row(conn, job, "B")
    for name in ("B", str(row.id)):
        found = takes.find(conn, SLUG, name)
        assert (found.line_id, found.key, found.revision, found.newest) == (row.id, "B", 1, True)
    for name in ("C", "999999", "९"):
        with pytest.raises(NotFound):
            takes.find(conn, SLUG, name)
    with pytest.raises(NotFound):
        takes.find(conn, "nowhere", "A")


def test_history_goes_over_revisions(conn: sa.Connection, voice: int) -> None:
    finish_job(conn, import_script(conn, plan_of(voice, [("A", "One."), ("B", "Two.")])).job_id)
    finish_job(conn, import_keeping(conn, plan_of(voice, [("A", "Won."), ("B", "Two.")])).job_id)
    result = import_keeping(conn, plan_of(voice, [("A", "One."), ("B", "Two."), ("C", "New.")]))
    assert result.reused == 2
    found = takes.history(conn, takes.find(conn, SLUG, "A"))
    assert [(take.revision, take.text, take.selected_in, take.selected) for take in found] == [
        (1, "One.", (1, 3), True),
        (2, "Won.", (2,), False),
    ]
    assert found[0].duration_ms == 1000
    (other,) = takes.history(conn, takes.find(conn, SLUG, "B"))
    assert other.selected_in == (1, 2, 3)
    assert takes.history(conn, takes.find(conn, SLUG, "C")) == []


def test_a_key_that_counts_cues_is_another_line_where_something_else_is_said(conn: sa.Connection, voice: int) -> None:
    finish_job(conn, import_script(conn, plan_of(voice, [("cue-1", "One."), ("cue-2", "Two.")])).job_id)
    finish_job(
        conn, import_keeping(conn, plan_of(voice, [("cue-1", "New."), ("cue-2", "One."), ("cue-3", "Two.")])).job_id
    )
    assert [take.text for take in takes.history(conn, takes.find(conn, SLUG, "cue-2"))] == ["One."]


def test_another_take_is_chosen_and_its_track_made_again(conn: sa.Connection, voice: int) -> None:
    job, first, second = two_takes(conn, voice)
    assert takes.choose(conn, SLUG, "A", first)
    row = line_row(conn, job, "A")
    assert (row.take_id, row.state) == (first, "accepted")
    assert moves(conn, row.id)[-2:] == [("accepted", "stale"), ("stale", "accepted")]
    assert states(conn, job)[:2] == ("active", ["ready"])
    assert counters_are_exact(conn)
    assert [task for task, _ in asked(conn)] == ["voicefarm.assemble"]
    assert assemble_all(conn, job) == 1
    assert deliver(conn, job) is not None
    assert not takes.choose(conn, SLUG, "A", first)
    assert states(conn, job)[0] == "delivered"
    assert takes.choose(conn, SLUG, "A", second)


def test_a_flagged_take_that_waits_is_chosen(conn: sa.Connection, voice: int) -> None:
    job = import_script(conn, plan_of(voice, [("A", "One.")])).job_id
    render_all(conn, job, findings=[{"code": "quiet", "message": "quiet"}], review=True)
    (take,) = takes.history(conn, takes.find(conn, SLUG, "A"))
    assert takes.choose(conn, SLUG, "A", take.take_id)
    assert states(conn, job)[1:] == (["ready"], ["accepted"])
    assert counters_are_exact(conn)


def test_takes_that_cannot_be_chosen_are_refused(conn: sa.Connection, voice: int) -> None:
    job, first, _ = two_takes(conn, voice)
    (other,) = takes.history(conn, takes.find(conn, SLUG, "B"))
    with pytest.raises(TakeRefused, match=f"take {other.take_id} is none of line A"):
        takes.choose(conn, SLUG, "A", other.take_id)
    voices.revoke_consent(conn, voice)
    with pytest.raises(TakeRefused, match="fake-1@1, which has no live consent"):
        takes.choose(conn, SLUG, "A", first)
    voices.ensure_consent(conn, voice, "signed", evidence="new")
    verdicts.retry(conn, [line_row(conn, job, "A").id])
    with pytest.raises(InvalidTransition, match="is pending"):
        takes.choose(conn, SLUG, "A", first)


def test_a_line_of_an_earlier_revision_cannot_be_chosen_for(conn: sa.Connection, voice: int) -> None:
    _, first, _ = two_takes(conn, voice)
    import_keeping(conn, plan_of(voice, [("B", "Two.")]))
    for decide in (lambda: takes.choose(conn, SLUG, "A", first), lambda: takes.lock(conn, SLUG, "A")):
        with pytest.raises(TakeRefused, match="revision 1"):
            decide()


def test_refusals_survive_pickling() -> None:
    for error in (TakeRefused(3, "is none of line A"), TakeRefused(None, "line A is not locked")):
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_chosen_take_stays_while_nothing_of_its_line_changes(conn: sa.Connection, voice: int) -> None:
    _, first, second = two_takes(conn, voice)
    takes.choose(conn, SLUG, "A", first)
    job = import_keeping(conn, plan_of(voice, [("A", "One."), ("B", "Other.")])).job_id
    assert line_row(conn, job, "A").take_id == first
    job = import_keeping(conn, plan_of(voice, [("A", "Won."), ("B", "Two.")])).job_id
    assert line_row(conn, job, "A").state == "pending"
    job = import_keeping(conn, plan_of(voice, [("A", "One."), ("B", "Two.")])).job_id
    assert line_row(conn, job, "A").take_id == second
    assert counters_are_exact(conn)


def test_a_locked_line_keeps_its_take_whatever_the_script_says(conn: sa.Connection, voice: int) -> None:
    _, first, _ = two_takes(conn, voice)
    takes.choose(conn, SLUG, "A", first)
    assert takes.lock(conn, SLUG, "A") == first
    changed = plan_of(voice, [("A", "Entirely different."), ("B", "Two.")])
    result = import_keeping(conn, changed)
    assert (result.lines, result.reused, result.resumed) == (2, 2, False)
    row = line_row(conn, result.job_id, "A")
    assert (row.take_id, row.state, row.text) == (first, "accepted", "Entirely different.")
    assert row.digest == changed.sections[0].lines[0].digest
    assert states(conn, result.job_id)[1] == ["ready"]
    assert counters_are_exact(conn)
    assert import_keeping(conn, changed).resumed
    assert takes.unlock(conn, SLUG, "A") == first
    free = import_keeping(conn, changed)
    assert not free.resumed
    assert line_row(conn, free.job_id, "A").state == "pending"
    assert len(takes.history(conn, takes.find(conn, SLUG, "A"))) == 2


def test_a_lock_holds_against_another_voice_and_another_version(conn: sa.Connection, voice: int) -> None:
    finish_job(conn, import_script(conn, plan_of(voice, [("A", "One."), ("B", "Two.")])).job_id)
    take = takes.lock(conn, SLUG, "A")
    other = add_voice(conn, "fake-2")
    job = import_keeping(conn, plan_of(other, [("A", "One."), ("B", "Two.")])).job_id
    assert [line_row(conn, job, key).state for key in "AB"] == ["accepted", "pending"]
    assert (line_row(conn, job, "A").take_id, line_row(conn, job, "A").voice_id) == (take, other)


def test_a_locked_line_that_waits_for_a_verdict_is_accepted(conn: sa.Connection, voice: int) -> None:
    job = import_script(conn, plan_of(voice, [("A", "One."), ("B", "Two.")])).job_id
    render_all(conn, job, findings=[{"code": "quiet", "message": "quiet"}], review=True)
    row = line_row(conn, job, "A")
    verdicts.approve(conn, [row.id])
    take = takes.lock(conn, SLUG, "A")
    conn.execute(sa.text("UPDATE line SET state = 'skipped' WHERE id = :id"), {"id": row.id})
    conn.execute(sa.text("UPDATE section SET waiting = 1"))
    plan = plan_of(voice, [("A", "Won."), ("B", "Two."), ("C", "Three.")])
    plan = dataclasses.replace(plan, options=plan.options.model_copy(update={"review": True}))
    new = import_keeping(conn, plan).job_id
    assert (line_row(conn, new, "A").state, line_row(conn, new, "A").take_id) == ("accepted", take)
    assert [line_row(conn, new, key).state for key in "BC"] == ["rendered", "pending"]
    assert counters_are_exact(conn)


def test_a_lock_follows_a_line_whose_key_is_made_of_its_place(conn: sa.Connection, voice: int) -> None:
    finish_job(conn, import_script(conn, plan_of(voice, [("cue-1", "One."), ("cue-2", "Two.")])).job_id)
    take = takes.lock(conn, SLUG, "cue-1")
    second = add_voice(conn, "fake-2")
    job = import_keeping(conn, plan_of(second, [("cue-1", "New."), ("cue-2", "One."), ("cue-3", "Two.")])).job_id
    assert [line_row(conn, job, f"cue-{n}").take_id for n in (1, 2, 3)] == [None, take, None]
    production = history.latest(conn, SLUG).production
    assert {key: found.take_id for key, found in takes.locks(conn, production.id).items()} == {"cue-2": take}


def test_a_lock_waits_for_a_line_that_was_taken_out(conn: sa.Connection, voice: int) -> None:
    finish_job(conn, import_script(conn, plan_of(voice, [("A", "One."), ("B", "Two.")])).job_id)
    take = takes.lock(conn, SLUG, "A")
    import_keeping(conn, plan_of(voice, [("B", "Two.")]))
    job = import_keeping(conn, plan_of(voice, [("A", "Uno."), ("B", "Two.")])).job_id
    assert line_row(conn, job, "A").take_id == take


def test_only_lines_with_an_accepted_take_are_locked(conn: sa.Connection, voice: int) -> None:
    import_script(conn, plan_of(voice, [("A", "One.")]))
    with pytest.raises(TakeRefused, match="has no accepted take"):
        takes.lock(conn, SLUG, "A")
    with pytest.raises(TakeRefused, match="not locked"):
        takes.unlock(conn, SLUG, "A")


def test_a_choice_moves_the_lock(conn: sa.Connection, voice: int) -> None:
    _, first, second = two_takes(conn, voice)
    assert takes.lock(conn, SLUG, "A") == second
    takes.choose(conn, SLUG, "A", first)
    assert [take.locked for take in takes.history(conn, takes.find(conn, SLUG, "A"))] == [True, False]


def test_known_digests_are_those_with_a_take(conn: sa.Connection, voice: int) -> None:
    plan = plan_of(voice, [("A", "One.")])
    finish_job(conn, import_script(conn, plan).job_id)
    line: PlannedLine = plan.sections[0].lines[0]
    assert line.engine == ENGINE
    assert takes.known_digests(conn, [line.digest, "other"]) == {line.digest}
    assert takes.known_digests(conn, []) == set()


def test_the_newest_revision_is_read_whole(conn: sa.Connection, voice: int) -> None:
    plan = plan_of(voice, [("A", "One."), ("B", "Two.")])
    job = import_script(conn, plan).job_id
    found = history.latest(conn, SLUG)
    assert (found.revision, found.job_id, found.profile, found.options) == (1, job, "audiobook", plan.options)
    for stored, planned in zip(found.lines, plan.sections[0].lines, strict=True):
        for name in ("key", "kind", "character", "text", "spoken", "language", "pause_ms", "seed", "digest", "engine"):
            assert getattr(stored, name) == getattr(planned, name)
        assert (stored.voice, stored.state, stored.take_id) == ("fake-1@1", "pending", None)
    with pytest.raises(NotFound):
        history.latest(conn, "nowhere")
