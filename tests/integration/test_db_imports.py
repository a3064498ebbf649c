"""Importing a script: everything or nothing, takes used again, the same script goes on where it stood."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from plans import add_voice, make_line, make_plan
from steps import (
    asked,
    assemble_all,
    claim_ready,
    clear_outbox,
    counters_are_exact,
    deliver,
    finish_job,
    render_all,
    states,
)

from db.errors import BadPlan, NotFound
from db.queries import verdicts
from db.queries.imports import import_script
from db.records import ImportPlan, JobOptions, PlannedSection

TEXTS = [["One.", "Two.", "Three."], ["Four.", "Five."]]


@pytest.fixture
def conn(engine: sa.Engine) -> Iterator[sa.Connection]:
    with engine.begin() as connection:
        yield connection


@pytest.fixture
def voice(conn: sa.Connection) -> int:
    return add_voice(conn)


def count(conn: sa.Connection, table: str) -> int:
    return conn.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one()


def test_a_new_script_is_stored_whole(conn: sa.Connection, voice: int) -> None:
    plan = make_plan(voice, TEXTS, options=JobOptions(review=True, year="1912"))
    result = import_script(conn, plan)
    assert (result.lines, result.reused, result.resumed) == (5, 0, False)
    assert states(conn, result.job_id) == ("active", ["open", "open"], ["pending"] * 5)
    assert counters_are_exact(conn)
    assert asked(conn) == []
    rows = conn.execute(sa.text("SELECT * FROM line ORDER BY id")).mappings().all()
    assert [row["position"] for row in rows] == [0, 1, 2, 0, 1]
    planned = [line for section in plan.sections for line in section.lines]
    for row, line in zip(rows, planned, strict=True):
        for name in ("key", "kind", "character", "text", "spoken", "language", "pause_ms", "seed", "digest", "engine"):
            assert row[name] == getattr(line, name)
        assert row["attempt"] == row["burnt"] == 0
        assert row["take_id"] is None
    job = conn.execute(sa.text("SELECT * FROM job")).mappings().one()
    assert JobOptions.model_validate(job["options"]) == plan.options
    key = conn.execute(sa.text("SELECT watermark_key FROM production")).scalar_one()
    assert len(bytes(key)) == 16
    assert conn.execute(sa.text("SELECT to_state FROM event WHERE entity = 'job'")).scalars().all() == ["active"]


def test_text_of_every_kind_survives(conn: sa.Connection, voice: int) -> None:
    texts = ['tab\tnew\nline\\N \\. "quoted"', "愛と平和 🦊", "\\N", "", "a\r\nb", "; DROP TABLE line; --"]
    line = make_line(voice, "k", "x")
    given = tuple(dataclasses.replace(line, key=str(n), text=text) for n, text in enumerate(texts))
    given += (dataclasses.replace(line, key="d", direction={"emotion": "平静", "rate": 1.5}, in_ms=10, out_ms=20),)
    plan = dataclasses.replace(make_plan(voice, TEXTS), sections=(PlannedSection("s", "chapter", "T\t", given),))
    import_script(conn, plan)
    rows = conn.execute(sa.text("SELECT text, direction, in_ms, out_ms FROM line ORDER BY position")).all()
    assert [row.text for row in rows[:-1]] == texts
    assert rows[-1].direction == {"emotion": "平静", "rate": 1.5}
    assert (rows[-1].in_ms, rows[-1].out_ms, rows[0].in_ms) == (10, 20, None)


def test_values_reach_every_column_as_they_are(conn: sa.Connection, voice: int) -> None:
    """Tabs, line ends and backslashes divide and escape the rows on their way to the database."""
    odd = "a\tb\nc\\d\re\\N\\.\v\f\b é"
    line = dataclasses.replace(
        make_line(voice, odd, odd), character=odd, spoken=f"{odd}!", language="zh\\t", kind="a\\b", direction={odd: odd}
    )
    plan = dataclasses.replace(make_plan(voice, TEXTS), sections=(PlannedSection("s", "chapter", "T", (line,)),))
    import_script(conn, plan)
    row = conn.execute(sa.text("SELECT * FROM line")).mappings().one()
    for name in ("key", "kind", "character", "text", "spoken", "language", "direction", "seed", "digest", "engine"):
        assert row[name] == getattr(line, name)
    assert (row["voice_id"], row["state"], row["in_ms"], row["out_ms"], row["take_id"]) == (
        voice,
        "pending",
        *[None] * 3,
    )


def test_a_section_of_more_lines_than_are_sent_at_once(conn: sa.Connection, voice: int) -> None:
    texts = [f"Line {number}." for number in range(1203)]
    import_script(conn, make_plan(voice, [texts]))
    rows = conn.execute(sa.text("SELECT position, text FROM line ORDER BY id")).all()
    assert [(row.position, row.text) for row in rows] == list(enumerate(texts))


def test_the_planner_is_left_as_it_was(conn: sa.Connection, voice: int) -> None:
    """Foreign keys are looked up through indexes during the copy only."""
    conn.execute(sa.text("SELECT set_config('enable_seqscan', 'on', true)"))
    import_script(conn, make_plan(voice, TEXTS))
    assert conn.execute(sa.text("SHOW enable_seqscan")).scalar_one() == "on"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda plan: dataclasses.replace(plan, sections=()),
        lambda plan: dataclasses.replace(plan, sections=(*plan.sections, PlannedSection("e", "chapter", "E", ()))),
        lambda plan: dataclasses.replace(plan, slug="../etc"),
        lambda plan: dataclasses.replace(plan, slug=""),
        lambda plan: dataclasses.replace(plan, priority=101),
        lambda plan: make_plan(plan.sections[0].lines[0].voice_id, [["fine"], ["not\0fine"]]),
        lambda plan: dataclasses.replace(
            plan,
            sections=(
                PlannedSection("s", "c", "T", (dataclasses.replace(plan.sections[0].lines[0], text="half \ud800"),)),
            ),
        ),
    ],
)
def test_what_cannot_be_stored_is_refused_before_anything_is(conn: sa.Connection, voice: int, spoil: Any) -> None:
    with pytest.raises(BadPlan):
        import_script(conn, spoil(make_plan(voice, TEXTS)))
    assert [count(conn, table) for table in ("production", "script", "job", "section", "line")] == [0] * 5


def test_an_unknown_voice_leaves_nothing_behind(engine: sa.Engine) -> None:
    with pytest.raises(NotFound), engine.begin() as conn:
        import_script(conn, make_plan(4711, TEXTS))
    with engine.connect() as conn:
        assert [count(conn, table) for table in ("production", "script", "job", "section", "line")] == [0] * 5


def test_an_error_in_the_middle_of_the_lines_leaves_nothing_behind(engine: sa.Engine) -> None:
    with engine.begin() as conn:
        voice = add_voice(conn)
    plan = make_plan(voice, TEXTS)
    bad = dataclasses.replace(plan.sections[1].lines[1], pause_ms=2**70)
    plan = dataclasses.replace(
        plan,
        sections=(plan.sections[0], dataclasses.replace(plan.sections[1], lines=(plan.sections[1].lines[0], bad))),
    )
    with pytest.raises(Exception, match="out of range"), engine.begin() as conn:
        import_script(conn, plan)
    with engine.connect() as conn:
        assert [count(conn, table) for table in ("production", "script", "job", "section", "line")] == [0] * 5


def test_only_what_changed_is_rendered_again(conn: sa.Connection, voice: int) -> None:
    first = import_script(conn, make_plan(voice, TEXTS))
    finish_job(conn, first.job_id)
    clear_outbox(conn)
    second = import_script(conn, make_plan(voice, [["One.", "Two!", "Three."], ["Four.", "Five."]]))
    assert second.job_id != first.job_id
    assert second.production_id == first.production_id
    assert (second.lines, second.reused, second.resumed) == (5, 4, False)
    accepted = "accepted"
    assert states(conn, second.job_id) == (
        "active",
        ["open", "ready"],
        [accepted, "pending", accepted, accepted, accepted],
    )
    assert [(task, args[1]) for task, args in asked(conn)] == [("voicefarm.assemble", 1)]
    assert counters_are_exact(conn)
    assert states(conn, first.job_id)[0] == "delivered"
    assert conn.execute(sa.text("SELECT max(revision) FROM script")).scalar_one() == 2
    finish_job(conn, second.job_id)
    assert states(conn, second.job_id)[0] == "delivered"
    assert counters_are_exact(conn)


def test_the_newest_take_of_a_digest_is_used(conn: sa.Connection, voice: int) -> None:
    first = import_script(conn, make_plan(voice, TEXTS))
    render_all(conn, first.job_id)
    line = conn.execute(sa.text("SELECT min(id) FROM line")).scalar_one()
    verdicts.retry(conn, [line])
    render_all(conn, first.job_id)
    import_script(conn, make_plan(voice, [*TEXTS, ["Six."]]))
    used = conn.execute(
        sa.text("SELECT take_id FROM line WHERE digest = (SELECT digest FROM line WHERE id = :id) AND id <> :id"),
        {"id": line},
    ).scalar_one()
    assert used == conn.execute(sa.text("SELECT max(id) FROM take WHERE line_id = :id"), {"id": line}).scalar_one()


def test_everything_reused_goes_straight_to_assembly(conn: sa.Connection, voice: int) -> None:
    first = import_script(conn, make_plan(voice, TEXTS))
    finish_job(conn, first.job_id)
    other = import_script(conn, make_plan(voice, TEXTS, slug="another-title"))
    assert (other.reused, other.resumed) == (5, False)
    assert states(conn, other.job_id) == ("active", ["ready", "ready"], ["accepted"] * 5)
    assert assemble_all(conn, other.job_id) == 2
    assert deliver(conn, other.job_id) is not None


def test_flagged_takes_still_wait_for_a_verdict(conn: sa.Connection, voice: int) -> None:
    review = JobOptions(review=True)
    first = import_script(conn, make_plan(voice, TEXTS, options=review))
    render_all(conn, first.job_id, findings=[{"code": "long_silence"}], review=True)
    lines = list(conn.scalars(sa.text("SELECT id FROM line ORDER BY id")))
    verdicts.approve(conn, lines[:1])
    second = import_script(conn, make_plan(voice, [*TEXTS, ["Six."]], options=review))
    assert states(conn, second.job_id)[2] == ["accepted", *["rendered"] * 4, "pending"]
    assert counters_are_exact(conn)
    third = import_script(conn, make_plan(voice, [*TEXTS, ["Six."]]))
    assert third.resumed
    assert states(conn, third.job_id)[1:] == (["ready", "ready", "open"], [*["accepted"] * 5, "pending"])
    assert counters_are_exact(conn)


def test_a_newer_script_cancels_the_open_job(conn: sa.Connection, voice: int) -> None:
    first = import_script(conn, make_plan(voice, TEXTS))
    second = import_script(conn, make_plan(voice, [["Other."]]))
    assert states(conn, first.job_id) == ("cancelled", ["cancelled"] * 2, ["cancelled"] * 5)
    assert states(conn, second.job_id) == ("active", ["open"], ["pending"])
    assert counters_are_exact(conn)
    trail = conn.execute(sa.text("SELECT count(*) FROM event WHERE entity = 'line' AND to_state = 'cancelled'"))
    assert trail.scalar_one() == 5


def test_going_back_to_an_older_script_is_a_new_job_of_old_takes(conn: sa.Connection, voice: int) -> None:
    first = import_script(conn, make_plan(voice, TEXTS))
    finish_job(conn, first.job_id)
    import_script(conn, make_plan(voice, [["Other."]]))
    third = import_script(conn, make_plan(voice, TEXTS))
    assert (third.reused, third.resumed) == (5, False)
    assert third.job_id > first.job_id


class TestTheSameScriptAgain:
    def test_an_active_job_just_goes_on(self, conn: sa.Connection, voice: int) -> None:
        first = import_script(conn, make_plan(voice, TEXTS))
        before = [count(conn, table) for table in ("production", "script", "job", "section", "line", "event")]
        again = import_script(conn, make_plan(voice, TEXTS, out_url="file:///elsewhere", priority=90))
        assert again == dataclasses.replace(first, resumed=True)
        assert [count(conn, t) for t in ("production", "script", "job", "section", "line", "event")] == before
        assert conn.execute(sa.text("SELECT out_url FROM job")).scalar_one() == "file:///elsewhere"
        assert conn.execute(sa.text("SELECT priority FROM production")).scalar_one() == 90

    def test_a_delivered_job_is_packaged_again(self, conn: sa.Connection, voice: int) -> None:
        first = import_script(conn, make_plan(voice, TEXTS))
        finish_job(conn, first.job_id)
        clear_outbox(conn)
        revision = conn.execute(sa.text("SELECT revision FROM job")).scalar_one()
        again = import_script(conn, make_plan(voice, TEXTS))
        assert (again.resumed, again.lines, again.reused) == (True, 5, 5)
        assert states(conn, first.job_id) == ("ready", ["assembled"] * 2, ["accepted"] * 5)
        assert asked(conn) == [("voicefarm.deliver", [first.job_id, revision + 1])]
        assert deliver(conn, first.job_id) is not None
        assert counters_are_exact(conn)

    @pytest.mark.parametrize("change", [{"options": JobOptions(formats=("mp3",))}, {"title": "Aesop's Fables"}])
    def test_another_order_makes_the_tracks_anew(self, conn: sa.Connection, voice: int, change: dict[str, Any]) -> None:
        first = import_script(conn, make_plan(voice, TEXTS))
        finish_job(conn, first.job_id)
        clear_outbox(conn)
        assert import_script(conn, make_plan(voice, TEXTS, **change)).resumed
        assert states(conn, first.job_id)[:2] == ("active", ["ready"] * 2)
        assert [task for task, _ in asked(conn)] == ["voicefarm.assemble"] * 2
        assert counters_are_exact(conn)
        assert assemble_all(conn, first.job_id) == 2
        work = deliver(conn, first.job_id)
        assert work is not None
        assert counters_are_exact(conn)

    def test_failed_and_cancelled_lines_start_over(self, conn: sa.Connection, voice: int) -> None:
        first = import_script(conn, make_plan(voice, TEXTS))
        conn.execute(sa.text("UPDATE line SET state = 'failed', burnt = 3, failure_class = 'crash' WHERE position = 0"))
        render_all(conn, first.job_id)
        assert import_script(conn, make_plan(voice, TEXTS)).resumed
        accepted = "accepted"
        assert states(conn, first.job_id)[2] == ["pending", accepted, accepted, "pending", accepted]
        assert conn.execute(sa.text("SELECT max(burnt) FROM line")).scalar_one() == 0
        assert counters_are_exact(conn)
        verdicts.cancel_job(conn, first.job_id)
        assert import_script(conn, make_plan(voice, TEXTS)).resumed
        assert states(conn, first.job_id) == (
            "active",
            ["open"] * 2,
            ["pending", accepted, accepted, "pending", accepted],
        )
        assert counters_are_exact(conn)
        finish_job(conn, first.job_id)
        assert states(conn, first.job_id)[0] == "delivered"
        assert counters_are_exact(conn)

    def test_a_job_cancelled_after_its_lines_goes_on(self, conn: sa.Connection, voice: int) -> None:
        first = import_script(conn, make_plan(voice, TEXTS))
        render_all(conn, first.job_id)
        verdicts.cancel_job(conn, first.job_id)
        clear_outbox(conn)
        import_script(conn, make_plan(voice, TEXTS))
        assert states(conn, first.job_id)[:2] == ("active", ["ready"] * 2)
        assert len(asked(conn)) == 2
        assemble_all(conn, first.job_id)
        verdicts.cancel_job(conn, first.job_id)
        clear_outbox(conn)
        import_script(conn, make_plan(voice, TEXTS))
        assert states(conn, first.job_id)[:2] == ("ready", ["assembled"] * 2)
        assert [task for task, _ in asked(conn)] == ["voicefarm.deliver"]
        assert deliver(conn, first.job_id) is not None

    def test_a_failed_section_is_made_again(self, conn: sa.Connection, voice: int) -> None:
        first = import_script(conn, make_plan(voice, TEXTS))
        render_all(conn, first.job_id)
        assemble_all(conn, first.job_id, but=[1])
        clear_outbox(conn)
        assert states(conn, first.job_id)[:2] == ("active", ["assembled", "failed"])
        import_script(conn, make_plan(voice, TEXTS))
        assert states(conn, first.job_id)[:2] == ("active", ["assembled", "ready"])
        assert len(asked(conn)) == 1
        assemble_all(conn, first.job_id)
        assert states(conn, first.job_id)[0] == "ready"

    def test_a_ready_section_whose_message_was_lost_is_asked_for_once_more(
        self, conn: sa.Connection, voice: int
    ) -> None:
        first = import_script(conn, make_plan(voice, TEXTS))
        render_all(conn, first.job_id)
        before = asked(conn)
        import_script(conn, make_plan(voice, TEXTS))
        assert asked(conn) == before
        clear_outbox(conn)
        import_script(conn, make_plan(voice, TEXTS))
        assert asked(conn) == before

    def test_work_under_way_is_left_alone(self, conn: sa.Connection, voice: int) -> None:
        first = import_script(conn, make_plan(voice, TEXTS))
        render_all(conn, first.job_id)
        assert len(claim_ready(conn, first.job_id)) == 2
        clear_outbox(conn)
        import_script(conn, make_plan(voice, TEXTS))
        assert states(conn, first.job_id)[:2] == ("active", ["assembling"] * 2)
        assert asked(conn) == []


def test_two_imports_of_one_title_take_turns(engine: sa.Engine) -> None:
    with engine.begin() as conn:
        voice = add_voice(conn)
    plans: list[ImportPlan] = [make_plan(voice, [[f"Text {n}."]]) for n in range(4)]
    barrier = threading.Barrier(8)

    def run(plan: ImportPlan) -> None:
        barrier.wait(30)
        with engine.begin() as conn:
            import_script(conn, plan)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, plans * 2))
    with engine.connect() as conn:
        assert count(conn, "production") == 1
        revisions = conn.scalars(sa.text("SELECT revision FROM script ORDER BY revision")).all()
        assert list(revisions) == list(range(1, len(revisions) + 1))
        alive = conn.scalars(sa.text("SELECT state FROM job WHERE state <> 'cancelled'")).all()
        assert list(alive) == ["active"]
        assert counters_are_exact(conn)
