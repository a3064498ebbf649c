"""What people see agrees with the rows."""

from __future__ import annotations

import farm_rows as rows
import pytest
import sqlalchemy as sa

from db.errors import NotFound
from db.failures import decide
from db.queries import lines, pace, status
from db.records import FailedLine
from db.states import FailureClass, LineState


@pytest.fixture
def session(scratch):
    return rows.start_session(scratch)


@pytest.fixture
def farm(scratch, session):
    """Two sections: 3 lines accepted and one skipped; 1 failed, 1 rendering, 1 queued, 2 pending."""
    farm = rows.add_farm(scratch, (4, 5))
    lines.skip(scratch, farm.line_ids[3:4])
    claimed = rows.rendering(scratch, session, limit=5)
    lines.accept(scratch, [rows.take_for(line) for line in claimed[:3]], session, rows.WORKER)
    bad = claimed[3]
    failure = FailedLine(bad.id, bad.attempt, FailureClass.BAD_TEXT, "a rune", decide(FailureClass.BAD_TEXT, 0))
    lines.fail(scratch, [failure], session, rows.WORKER)
    rows.queued(scratch, 1)
    return farm


def test_a_job_counted(scratch, farm) -> None:
    job = status.job(scratch, farm.job_id)
    assert job.lines == {"accepted": 3, "skipped": 1, "failed": 1, "rendering": 1, "queued": 1, "pending": 2}
    assert job.sections == {"ready": 1, "open": 1}
    assert (job.total, job.done, job.failed) == (9, 4, 1)
    assert (job.audio_ms, job.recent_lines, job.recent_audio_ms) == (3_000, 3, 3_000)
    assert job.eta_s == pytest.approx(4 / 3)  # four to come, three in the last second
    assert (job.state, job.production_state, job.priority, job.out_url) == ("active", "active", 50, "file:///out")


def test_short_takes_add_up(scratch, farm) -> None:
    scratch.execute(sa.text("UPDATE take SET samples = 12"))  # half a millisecond each
    assert status.job(scratch, farm.job_id).audio_ms == 1
    assert status.sections(scratch, farm.job_id)[0].audio_ms == 1


def test_takes_that_were_there_before_do_not_count_as_recent(scratch, farm) -> None:
    scratch.execute(sa.text("UPDATE take SET created_at = now() - interval '61 s'"))
    job = status.job(scratch, farm.job_id)
    assert (job.audio_ms, job.recent_lines, job.eta_s) == (3_000, 0, None)


def test_the_estimate_uses_the_time_since_the_first_recent_take(scratch, farm) -> None:
    scratch.execute(sa.text("UPDATE take SET created_at = now() - interval '30 s'"))
    assert status.job(scratch, farm.job_id).eta_s == pytest.approx(4 * 30 / 3)


def test_nothing_left_means_no_time_left(scratch, session) -> None:
    farm = rows.add_farm(scratch, (2,))
    rows.render_all(scratch, session)
    assert status.job(scratch, farm.job_id).eta_s == 0.0


def test_jobs_newest_first_and_of_one_production(scratch, farm) -> None:
    other = rows.add_farm(scratch, (1,))
    assert [job.job_id for job in status.jobs(scratch)] == [other.job_id, farm.job_id]
    slug = status.job(scratch, other.job_id).slug
    assert [job.job_id for job in status.jobs(scratch, slug=slug)] == [other.job_id]
    assert status.jobs(scratch, slug="no-such") == []
    assert status.latest_job(scratch, slug) == other.job_id


def test_a_job_without_lines_is_counted_too(scratch) -> None:
    farm = rows.add_farm(scratch, ())
    job = status.job(scratch, farm.job_id)
    assert (job.total, job.lines, job.sections, job.eta_s) == (0, {}, {}, 0.0)


def test_sections_counted(scratch, farm, session) -> None:
    rows.assemble(scratch, farm.section_ids[0], session)
    first, second = status.sections(scratch, farm.job_id)
    assert (first.state, first.total, first.done, first.failed, first.audio_ms) == ("assembled", 4, 4, 0, 3_000)
    assert (first.loudness_lufs, first.true_peak_dbtp) == (-19.0, -3.1)
    assert (second.state, second.total, second.done, second.failed, second.audio_ms) == ("open", 5, 0, 1, 0)
    assert second.loudness_lufs is None


def test_lines_by_page_state_and_section(scratch, farm) -> None:
    every = status.lines(scratch, farm.job_id)
    assert [line.line_id for line in every] == list(farm.line_ids)
    assert [line.line_id for line in status.lines(scratch, farm.job_id, limit=2, offset=3)] == list(farm.line_ids[3:5])
    assert [line.position for line in status.lines(scratch, farm.job_id, section=1)] == [0, 1, 2, 3, 4]
    assert [line.line_id for line in status.lines(scratch, farm.job_id, states={LineState.FAILED})] == [
        every[4].line_id
    ]
    assert status.lines(scratch, farm.job_id, states=()) == []


def test_a_line_with_its_take_and_one_with_its_failure(scratch, farm) -> None:
    good = status.line(scratch, farm.line_ids[0])
    assert (good.state, good.audio_ms, good.audio_sha256) == ("accepted", 1_000, f"{good.line_id:064x}.flac")
    assert (good.section_position, good.position, good.section_title) == (0, 0, "Chapter 0")
    bad = status.line(scratch, farm.line_ids[4])
    assert (bad.state, bad.failure_class, bad.failure_message, bad.audio_ms) == ("failed", "bad_text", "a rune", None)


def test_findings_are_shown(scratch, session) -> None:
    farm = rows.add_farm(scratch, (1,))
    (line,) = rows.rendering(scratch, session)
    lines.accept(scratch, [rows.take_for(line, review=True)], session, rows.WORKER)
    shown = status.line(scratch, farm.line_ids[0])
    assert (shown.state, [finding["code"] for finding in shown.findings]) == ("rendered", ["quiet"])


def test_throughput_of_the_whole_farm(scratch, farm) -> None:
    scratch.execute(sa.text("UPDATE take SET created_at = now() - interval '6 s'"))
    rate = status.throughput(scratch)
    assert (rate.lines_per_s, rate.audio_per_s) == (pytest.approx(0.5), pytest.approx(0.5))
    assert status.throughput(scratch, window_s=5).lines_per_s == 0.0


def test_what_is_not_there(scratch) -> None:
    for ask in (status.job, status.line):
        with pytest.raises(NotFound):
            ask(scratch, 999)
    with pytest.raises(NotFound):
        status.latest_job(scratch, "no-such")
    assert status.sections(scratch, 999) == []
    assert status.deliverables(scratch, 999) == []


def test_paces_are_learnt_from_takes_by_voice_and_language(scratch) -> None:
    voice = rows.add_voice(scratch, "pacer")
    rows.add_farm(scratch, (4,), voice_id=voice)
    scratch.execute(sa.text("UPDATE line SET spoken = repeat('x', 20), language = 'en-GB'"))
    assert len(rows.render_all(scratch, rows.start_session(scratch))) == 4
    scratch.execute(
        sa.text(
            "UPDATE take SET samples = CASE line_id % 2 WHEN 0 THEN 48000 ELSE 96000 END, sample_rate = 48000, "
            "render_ms = 300, voice = 'pacer@1'"
        )
    )
    (found,) = pace.paces(scratch)
    assert (found.voice, found.language, found.lines) == ("pacer@1", "en", 4)
    assert found.chars_per_s == pytest.approx(80 / 6)
    assert found.render_per_audio == pytest.approx(1.2 / 6)
    assert found.spread == pytest.approx(0.5 / 1.5)
    scratch.execute(sa.text("UPDATE line SET digest = 'changed'"))
    assert pace.paces(scratch) == [], "what was rendered for another text says nothing of this one"
