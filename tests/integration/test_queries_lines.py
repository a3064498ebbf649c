"""What a worker's moves carry: what it gets to render, what is kept of a take, what a failure leaves behind."""

from __future__ import annotations

import uuid
from datetime import timedelta

import farm_rows as rows
import pytest
import sqlalchemy as sa

from db.failures import ATTEMPT_CAP, decide
from db.queries import lines, reaper, sections, workers
from db.queries.lines import MESSAGE_LIMIT, printable
from db.records import FailedLine
from db.states import FailureClass, LineState


@pytest.fixture
def farm(scratch):
    return rows.add_farm(scratch, (3, 1))


@pytest.fixture
def session(scratch):
    return rows.start_session(scratch)


def failed(line, kind: FailureClass, message: str = "no") -> FailedLine:
    return FailedLine(line.id, line.attempt, kind, message, decide(kind, line.burnt))


def test_a_claim_brings_everything_needed_to_render(scratch, farm, session) -> None:
    scratch.execute(sa.text('UPDATE line SET direction = \'{"emotion": "calm"}\', alone = true, burnt = 1'))
    scratch.execute(sa.text('UPDATE voice SET parameters = \'{"pitch": 40}\', languages = \'["en", "de"]\''))
    line = rows.rendering(scratch, session)[0]
    assert (line.id, line.attempt, line.section_id, line.production_id) == (
        farm.line_ids[0],
        1,
        farm.section_ids[0],
        farm.production_id,
    )
    assert (line.spoken, line.language, line.seed, line.direction) == ("Line 0", "en", 0, {"emotion": "calm"})
    assert (line.alone, line.burnt, line.consented, line.review) == (True, 1, True, False)
    assert (line.voice_id, line.voice_version, line.voice_parameters) == (farm.voice_id, 1, {"pitch": 40})
    assert line.voice_languages == ("en", "de")


def test_a_claim_says_that_the_consent_is_gone_and_that_takes_are_reviewed(scratch, session) -> None:
    rows.add_farm(scratch, (1,), review=True)
    messages = rows.queued(scratch)
    scratch.execute(sa.text("UPDATE consent SET revoked_at = now()"))
    (line,) = lines.claim(scratch, messages, session, rows.WORKER)
    assert (line.consented, line.review) == (False, True)


def test_an_expired_consent_is_none(scratch, farm, session) -> None:
    messages = rows.queued(scratch)
    scratch.execute(sa.text("UPDATE consent SET expires_at = now() - interval '1 s'"))
    assert {line.consented for line in lines.claim(scratch, messages, session, rows.WORKER)} == {False}


def test_messages_of_other_attempts_and_doubles_are_superseded(scratch, farm, session) -> None:
    messages = rows.queued(scratch)
    first, *rest = messages
    got = lines.claim(scratch, [first, first, (first[0], 0), (first[0], 2), (999_999, 1)], session, rows.WORKER)
    assert [line.id for line in got] == [first[0]]
    assert lines.claim(scratch, [first], session, rows.WORKER) == []
    assert len(lines.claim(scratch, rest, session, rows.WORKER)) == len(rest)
    assert lines.claim(scratch, [], session, rows.WORKER) == []


def test_a_session_that_was_ended_claims_nothing_and_blocks_nothing(scratch, farm, session) -> None:
    messages = rows.queued(scratch)
    workers.end(scratch, session)
    assert lines.claim(scratch, messages, session, rows.WORKER) == []
    assert rows.line_states(scratch, farm.line_ids) == ["pending"] * 4
    assert lines.claim(scratch, messages, uuid.uuid4(), rows.WORKER) == []


def test_an_accepted_take_is_kept_whole(scratch, farm, session) -> None:
    scratch.execute(sa.text("UPDATE line SET seed = :seed"), {"seed": 2**63 - 1})
    line = rows.rendering(scratch, session)[0]
    assert lines.accept(scratch, [rows.take_for(line)], session, rows.WORKER) == {line.id}
    take = scratch.execute(sa.text("SELECT * FROM take")).one()
    assert (take.line_id, take.attempt, take.digest, take.samples, take.sample_rate) == (
        line.id,
        1,
        line.digest,
        24_000,
        24_000,
    )
    assert (take.seed, take.findings, take.worker) == (2**63 - 1, [], rows.WORKER)
    row = rows.row(scratch, "line", line.id)
    assert (row.take_id, row.session_id, row.failure_class) == (take.id, None, None)


def test_a_take_for_another_attempt_or_session_is_not_kept(scratch, farm, session) -> None:
    line = rows.rendering(scratch, session)[0]
    other = rows.start_session(scratch, name="gpu1@test")
    assert lines.accept(scratch, [rows.take_for(line)], other, rows.WORKER) == set()
    assert lines.accept(scratch, [rows.offer(line.id, line.attempt + 1)], session, rows.WORKER) == set()
    assert scratch.scalar(sa.text("SELECT count(*) FROM take")) == 0


def test_the_last_accepted_line_asks_for_the_assembly_once(scratch, farm, session) -> None:
    for line in rows.rendering(scratch, session)[:3]:
        assert rows.messages(scratch, "voicefarm.assemble") == []
        lines.accept(scratch, [rows.take_for(line)], session, rows.WORKER)
    assert rows.messages(scratch, "voicefarm.assemble") == [[1, farm.section_ids[0], 1]]
    assert rows.row(scratch, "section", farm.section_ids[0]).state == "ready"
    assert rows.row(scratch, "section", farm.section_ids[1]).state == "open"


def test_a_flagged_take_waits_for_a_verdict(scratch, farm, session) -> None:
    line = rows.rendering(scratch, session)[3]
    lines.accept(scratch, [rows.take_for(line, review=True)], session, rows.WORKER)
    section = rows.row(scratch, "section", farm.section_ids[1])
    assert (section.state, section.waiting) == ("open", 1)
    assert lines.approve(scratch, [line.id]) == 1
    assert rows.row(scratch, "section", farm.section_ids[1]).state == "ready"


def test_a_failed_attempt_waits_and_is_counted(scratch, farm, session) -> None:
    line = rows.rendering(scratch, session)[0]
    assert lines.fail(scratch, [failed(line, FailureClass.ENGINE_ERROR, "NaN")], session, rows.WORKER) == {line.id}
    row = rows.row(scratch, "line", line.id)
    assert (row.state, row.burnt, row.alone, row.failure_class, row.failure_message) == (
        "pending",
        1,
        False,
        "engine_error",
        "NaN",
    )
    now = scratch.scalar(sa.text("SELECT now()"))
    assert row.not_before - now == timedelta(seconds=1)
    detail = scratch.scalar(sa.text("SELECT detail FROM event ORDER BY id DESC LIMIT 1"))
    assert detail == {"failure": "engine_error", "message": "NaN"}


def test_attempts_are_spent(scratch, session) -> None:
    farm = rows.add_farm(scratch, (1,))
    for attempt in range(1, ATTEMPT_CAP + 1):
        (line,) = rows.rendering(scratch, session)
        assert (line.attempt, line.alone) == (attempt, attempt > 1)
        lines.fail(scratch, [failed(line, FailureClass.CRASH)], session, rows.WORKER)
    row = rows.row(scratch, "line", farm.line_ids[0])
    assert (row.state, row.burnt) == ("failed", ATTEMPT_CAP)
    assert rows.queued(scratch) == []
    assert lines.retry(scratch, job_id=farm.job_id) == 1
    row = rows.row(scratch, "line", farm.line_ids[0])
    assert (row.state, row.burnt, row.alone, row.failure_class, row.attempt) == ("pending", 0, False, None, ATTEMPT_CAP)


def test_a_full_store_holds_everything_and_burns_nothing(scratch, farm, session) -> None:
    first, second, *_ = rows.rendering(scratch, session, limit=2)
    lines.fail(scratch, [failed(first, FailureClass.STORE_FULL), failed(second, FailureClass.STORE_FULL)], session, "w")
    assert rows.line_states(scratch, farm.line_ids) == ["held", "held", "pending", "pending"]
    assert scratch.scalar(sa.text("SELECT sum(burnt) FROM line")) == 0
    assert rows.queued(scratch) == []
    scratch.execute(sa.text("UPDATE hold SET until = now()"))
    assert reaper.release_holds(scratch) == 2
    assert len(rows.queued(scratch)) == 4


def test_a_missing_voice_holds_its_own_lines_only(scratch, farm, session) -> None:
    line = rows.rendering(scratch, session, limit=1)[0]
    other = rows.add_farm(scratch, (2,))
    lines.fail(scratch, [failed(line, FailureClass.MODEL_MISSING)], session, rows.WORKER)
    assert {id_ for id_, _ in rows.queued(scratch)} == set(other.line_ids)
    assert reaper.release_holds(scratch) == 0  # it has not ended
    scratch.execute(sa.text("UPDATE hold SET until = now()"))
    assert reaper.release_holds(scratch) == 1
    assert {id_ for id_, _ in rows.queued(scratch)} == set(farm.line_ids)


def test_a_second_hold_prolongs_the_first(scratch, farm, session) -> None:
    first, second = rows.rendering(scratch, session, limit=2)
    lines.fail(scratch, [failed(first, FailureClass.CONSENT_REVOKED, "revoked")], session, rows.WORKER)
    until = scratch.scalar(sa.text("SELECT until FROM hold"))
    lines.fail(scratch, [failed(second, FailureClass.MODEL_MISSING, "no file")], session, rows.WORKER)
    hold = scratch.execute(sa.text("SELECT * FROM hold")).one()
    assert (hold.until, hold.reason, hold.failure_class) == (until, "no file", "model_missing")


@pytest.mark.parametrize("message", ["a\x00b", "half a pair \ud800", "x" * 10_000])
def test_any_message_can_be_kept(scratch, farm, session, message) -> None:
    line = rows.rendering(scratch, session)[0]
    lines.fail(scratch, [failed(line, FailureClass.BAD_TEXT, message)], session, rows.WORKER)
    kept = rows.row(scratch, "line", line.id).failure_message
    assert kept == printable(message)
    assert 0 < len(kept) <= MESSAGE_LIMIT


def test_released_lines_go_back_unburnt(scratch, farm, session) -> None:
    messages = rows.queued(scratch)
    claimed = lines.claim(scratch, messages[:2], session, rows.WORKER)
    gone = lines.release(scratch, [*messages, (messages[0][0], 7)], session, rows.WORKER)
    assert gone == set(farm.line_ids)
    assert rows.line_states(scratch, farm.line_ids) == ["pending"] * 4
    assert scratch.scalar(sa.text("SELECT sum(burnt) FROM line")) == 0
    assert lines.accept(scratch, [rows.take_for(line) for line in claimed], session, rows.WORKER) == set()


def test_nobody_releases_the_lines_of_another_session(scratch, farm, session) -> None:
    messages = rows.queued(scratch)
    lines.claim(scratch, messages, session, rows.WORKER)
    assert lines.release(scratch, messages, rows.start_session(scratch, name="gpu1@test"), "w") == set()
    assert rows.line_states(scratch, farm.line_ids) == ["rendering"] * 4


def test_named_lines_move_all_or_none(scratch, farm, session) -> None:
    rows.force(scratch, farm.line_ids[1], LineState.FAILED)
    with pytest.raises(ValueError, match="either"):
        lines.retry(scratch)
    with pytest.raises(Exception, match=r"line \d+ is pending and cannot become pending"), scratch.begin_nested():
        lines.retry(scratch, farm.line_ids[:2])
    assert rows.line_states(scratch, farm.line_ids[:2]) == ["pending", "failed"]


def test_retrying_a_line_of_a_cancelled_job_brings_the_job_back(scratch, farm, session) -> None:
    lines.cancel_job(scratch, farm.job_id)
    lines.retry(scratch, farm.line_ids[:1])
    assert rows.row(scratch, "job", farm.job_id).state == "active"
    assert rows.line_states(scratch, farm.line_ids) == ["pending", "cancelled", "cancelled", "cancelled"]
    assert set(scratch.scalars(sa.text("SELECT state FROM section"))) == {"open"}


def test_a_damaged_take_is_rendered_again_and_only_it(scratch, farm, session) -> None:
    rows.render_all(scratch, session)
    section = farm.section_ids[0]
    sections.claim(scratch, section, 1, session, 30)
    assert lines.mark_damaged(scratch, section, 9, farm.line_ids) == set()
    assert lines.mark_damaged(scratch, section, 1, farm.line_ids[1:]) == set(farm.line_ids[1:3])  # its own lines only
    row = rows.row(scratch, "section", section)
    assert (row.state, row.revision, row.waiting) == ("open", 2, 2)
    assert not sections.finish(scratch, section, 1, session, rows.TRACK)
    assert rows.render_all(scratch, session) == set(farm.line_ids[1:3])
    assert rows.messages(scratch, "voicefarm.assemble")[-1] == [1, section, 3]
