"""Post work: what a worker is given to make a track or a delivery, and what is kept of it."""

from __future__ import annotations

import dataclasses
import uuid

import farm_rows as rows
import pytest
import sqlalchemy as sa

from db.errors import NotFound
from db.queries import jobs, lines, reaper, sections, status
from db.records import JobOptions, NewDeliverable


@pytest.fixture
def farm(scratch):
    return rows.add_farm(scratch, (3, 2))


@pytest.fixture
def session(scratch):
    return rows.start_session(scratch, name="post@test", kind="post")


@pytest.fixture
def ready(scratch, farm, session):
    """The first section ready, one of its lines skipped."""
    lines.skip(scratch, farm.line_ids[1:2])
    rows.render_all(scratch, session)
    return farm


def test_a_claim_brings_everything_needed_for_a_track(scratch, ready, session) -> None:
    options = JobOptions(narrator="A. Reader", year="2026")
    scratch.execute(sa.text("UPDATE job SET options = CAST(:options AS jsonb)"), {"options": options.model_dump_json()})
    section = ready.section_ids[0]
    work = sections.claim(scratch, section, 1, session, 30)
    assert work is not None
    assert (work.section_id, work.revision, work.job_id, work.production_id) == (
        section,
        1,
        ready.job_id,
        ready.production_id,
    )
    assert (work.title, work.section_key, work.position, work.section_count) == ("Chapter 0", "c0", 0, 2)
    assert (work.profile, work.options, work.watermark_key) == ("audiobook", options, b"\x00")
    assert [line.line_id for line in work.lines] == list(ready.line_ids[:3])
    spoken, skipped, _ = work.lines
    assert (spoken.skipped, spoken.samples, spoken.sample_rate, spoken.pause_ms) == (False, 24_000, 24_000, 300)
    assert spoken.audio_sha256 == f"{spoken.line_id:064x}.flac"
    assert skipped.skipped
    assert {skipped.take_id, skipped.audio_sha256, skipped.samples, skipped.voice, skipped.seed} == {None}
    row = rows.row(scratch, "section", section)
    assert (row.session_id, row.lease_until is not None) == (session, True)


def test_claims_of_another_revision_or_twice_get_nothing(scratch, ready, session) -> None:
    section = ready.section_ids[0]
    assert sections.claim(scratch, section, 0, session, 30) is None
    assert sections.claim(scratch, section, 2, session, 30) is None
    assert sections.claim(scratch, 999, 1, session, 30) is None
    assert sections.claim(scratch, section, 1, session, 30) is not None
    assert sections.claim(scratch, section, 1, session, 30) is None


def test_only_the_holder_renews_finishes_and_fails(scratch, ready, session) -> None:
    section, stranger = ready.section_ids[0], uuid.uuid4()
    sections.claim(scratch, section, 1, session, 30)
    for holder, revision in ((stranger, 1), (session, 2)):
        assert not sections.renew(scratch, section, revision, holder, 60)
        assert not sections.finish(scratch, section, revision, holder, rows.TRACK)
        assert not sections.fail(scratch, section, revision, holder, "no")
    assert sections.renew(scratch, section, 1, session, 60)
    assert scratch.scalar(
        sa.text("SELECT lease_until - now() = interval '60 s' FROM section WHERE id = :id"), {"id": section}
    )
    assert scratch.scalar(sa.text("SELECT count(*) FROM track")) == 0


def test_a_track_is_kept_and_found_again(scratch, ready, session) -> None:
    assert sections.find_track(scratch, "track") is None
    assert rows.assemble(scratch, ready.section_ids[0], session)
    track = sections.find_track(scratch, "track")
    assert track is not None
    assert track.files == rows.TRACK.files
    kept = rows.row(scratch, "track", track.id)
    for field in dataclasses.fields(rows.TRACK):
        value = getattr(rows.TRACK, field.name)
        assert getattr(kept, field.name) == (list(value) if isinstance(value, tuple) else value)
    row = rows.row(scratch, "section", ready.section_ids[0])
    assert (row.state, row.track_id, row.session_id, row.lease_until) == ("assembled", track.id, None, None)


def test_a_track_found_by_digest_is_used_as_it_is(scratch, ready, session) -> None:
    first, second = ready.section_ids
    rows.assemble(scratch, first, session)
    track = sections.find_track(scratch, "track")
    assert track is not None
    sections.claim(scratch, second, 1, session, 30)
    assert sections.finish(scratch, second, 1, session, track.id)
    assert scratch.scalar(sa.text("SELECT count(*) FROM track")) == 1


def test_the_last_track_asks_for_the_delivery_once(scratch, ready, session) -> None:
    rows.assemble(scratch, ready.section_ids[0], session)
    assert rows.messages(scratch, "voicefarm.deliver") == []
    rows.assemble(scratch, ready.section_ids[1], session)
    assert rows.messages(scratch, "voicefarm.deliver") == [[1, ready.job_id, 1]]
    job = rows.row(scratch, "job", ready.job_id)
    assert (job.state, job.waiting) == ("ready", 0)


def test_a_failed_track_waits_for_a_person(scratch, ready, session) -> None:
    section = ready.section_ids[0]
    sections.claim(scratch, section, 1, session, 30)
    assert sections.fail(scratch, section, 1, session, "too\x00loud")
    row = rows.row(scratch, "section", section)
    assert (row.state, row.message) == ("failed", "too\N{REPLACEMENT CHARACTER}loud")
    assert jobs.retry_failed(scratch, ready.job_id) == 1
    assert rows.messages(scratch, "voicefarm.assemble")[-1] == [1, section, 2]
    assert jobs.retry_failed(scratch, ready.job_id) == 0


def test_a_line_retried_under_an_assembly_voids_it(scratch, ready, session) -> None:
    section = ready.section_ids[0]
    sections.claim(scratch, section, 1, session, 30)
    lines.retry(scratch, ready.line_ids[:1])
    assert not sections.renew(scratch, section, 1, session, 30)
    assert not sections.finish(scratch, section, 1, session, rows.TRACK)
    rows.render_all(scratch, session)
    assert rows.assemble(scratch, section, session)
    assert rows.revision(scratch, "section", section) == 3


def test_skipping_a_line_of_a_finished_track_makes_it_again(scratch, ready, session) -> None:
    section = ready.section_ids[0]
    rows.assemble(scratch, section, session)
    lines.skip(scratch, ready.line_ids[:1])
    row = rows.row(scratch, "section", section)
    assert (row.state, row.waiting, row.revision) == ("ready", 0, 2)
    assert rows.row(scratch, "job", ready.job_id).waiting == 2
    assert rows.messages(scratch, "voicefarm.assemble")[-1] == [1, section, 2]


# --- deliveries ---


@pytest.fixture
def made(scratch, ready, session):
    for section in ready.section_ids:
        rows.assemble(scratch, section, session)
    return ready


def test_a_claim_brings_everything_needed_for_a_delivery(scratch, made, session) -> None:
    work = jobs.claim_delivery(scratch, made.job_id, 1, session, 30)
    assert work is not None
    assert (work.job_id, work.revision, work.source_name, work.out_url) == (made.job_id, 1, "a.txt", "file:///out")
    assert [section.position for section in work.sections] == [0, 1]
    assert [len(section.lines) for section in work.sections] == [3, 2]
    assert {section.track.files["flac"] for section in work.sections} == {"a.flac"}
    assert jobs.claim_delivery(scratch, made.job_id, 1, session, 30) is None


def test_only_the_holder_delivers(scratch, made, session) -> None:
    jobs.claim_delivery(scratch, made.job_id, 1, session, 30)
    for holder, revision in ((uuid.uuid4(), 1), (session, 2)):
        assert not jobs.renew(scratch, made.job_id, revision, holder, 60)
        assert not jobs.finish_delivery(scratch, made.job_id, revision, holder, [])
        assert not jobs.fail_delivery(scratch, made.job_id, revision, holder, "no")
    assert jobs.renew(scratch, made.job_id, 1, session, 60)


def test_a_delivery_replaces_the_files_of_the_one_before(scratch, made, session) -> None:
    jobs.claim_delivery(scratch, made.job_id, 1, session, 30)
    old = [NewDeliverable("mp3", "01.mp3", "a", 1), NewDeliverable("mp3", "02.mp3", "b", 2)]
    assert jobs.finish_delivery(scratch, made.job_id, 1, session, old)
    assert status.deliverables(scratch, made.job_id) == old
    lines.retry(scratch, made.line_ids[:1])
    rows.render_all(scratch, session)
    rows.assemble(scratch, made.section_ids[0], session)
    revision = rows.revision(scratch, "job", made.job_id)
    jobs.claim_delivery(scratch, made.job_id, revision, session, 30)
    new = [NewDeliverable("mp3", "01.mp3", "c", 3)]
    assert jobs.finish_delivery(scratch, made.job_id, revision, session, new)
    assert status.deliverables(scratch, made.job_id) == new


def test_a_failed_delivery_is_asked_for_again(scratch, made, session) -> None:
    jobs.claim_delivery(scratch, made.job_id, 1, session, 30)
    assert jobs.fail_delivery(scratch, made.job_id, 1, session, "disk full")
    assert rows.row(scratch, "job", made.job_id).message == "disk full"
    assert jobs.retry_failed(scratch, made.job_id) == 1
    assert rows.messages(scratch, "voicefarm.deliver")[-1] == [1, made.job_id, 2]
    assert rows.deliver(scratch, made.job_id, session)


def test_a_damaged_track_is_made_again_and_only_it(scratch, made, session) -> None:
    first, second = made.section_ids
    jobs.claim_delivery(scratch, made.job_id, 1, session, 30)
    for holder, revision in ((uuid.uuid4(), 1), (session, 2)):
        assert jobs.mark_damaged(scratch, made.job_id, revision, holder, [first]) == set()
    assert jobs.mark_damaged(scratch, made.job_id, 1, session, [first, 999]) == {first}
    job = rows.row(scratch, "job", made.job_id)
    assert (job.state, job.waiting, job.session_id) == ("active", 1, None)
    assert [rows.row(scratch, "section", id_).state for id_ in (first, second)] == ["ready", "assembled"]
    assert rows.messages(scratch, "voicefarm.assemble")[-1] == [1, first, 2]
    assert not jobs.finish_delivery(scratch, made.job_id, 1, session, [])
    assert rows.assemble(scratch, first, session)
    assert rows.messages(scratch, "voicefarm.deliver")[-1] == [1, made.job_id, rows.revision(scratch, "job", job.id)]
    assert rows.deliver(scratch, made.job_id, session)
    assert rows.counters_right(scratch)


@pytest.mark.parametrize("times", [1, 4])
def test_a_track_the_store_refused_waits_for_the_end_of_its_hold(scratch, ready, session, times) -> None:
    section = ready.section_ids[0]
    rows.start_session(scratch, name="post/0", kind="post", capacity=1)
    for _ in range(times):
        revision = rows.revision(scratch, "section", section)
        assert sections.claim(scratch, section, revision, session, 30) is not None
        assert not sections.postpone(scratch, section, revision + 1, session, "no space")
        assert sections.postpone(scratch, section, revision, session, "no space")
        row = rows.row(scratch, "section", section)
        assert (row.state, row.message, row.session_id) == ("ready", "no space", None)
        scratch.execute(sa.text("DELETE FROM outbox"))
        scratch.execute(sa.text("UPDATE section SET updated_at = now() - interval '1 day'"))
        reaper.reconcile_post(scratch, 60)
        assert [1, section, row.revision] not in rows.messages(scratch, "voicefarm.assemble")
        assert reaper.release_holds(scratch) == 0
        end_holds(scratch)
        assert reaper.release_holds(scratch) == 1
        assert rows.messages(scratch, "voicefarm.assemble")[-1] == [1, section, row.revision]
        assert reaper.release_holds(scratch) == 0
    assert rows.assemble(scratch, section, session)


def test_sections_wait_while_the_store_is_on_hold(scratch, ready, session) -> None:
    first, second = ready.section_ids
    assert not sections.wait_for_store(scratch, second, 1)
    sections.claim(scratch, first, 1, session, 30)
    sections.postpone(scratch, first, 1, session, "no space")
    assert not sections.wait_for_store(scratch, second, 2)
    assert sections.wait_for_store(scratch, second, 1)
    assert rows.row(scratch, "section", second).message == "no space"
    end_holds(scratch)
    scratch.execute(sa.text("DELETE FROM outbox"))
    assert reaper.release_holds(scratch) == 2
    assert rows.messages(scratch, "voicefarm.assemble") == [[1, first, 2], [1, second, 1]]
    assert not sections.wait_for_store(scratch, second, 1)


def test_a_delivery_the_store_kept_from_waits_for_the_end_of_its_hold(scratch, made, session) -> None:
    jobs.claim_delivery(scratch, made.job_id, 1, session, 30)
    assert not jobs.postpone(scratch, made.job_id, 1, uuid.uuid4(), "unreachable")
    assert jobs.postpone(scratch, made.job_id, 1, session, "unreachable")
    job = status.job(scratch, made.job_id)
    assert (job.state, job.message) == ("ready", "unreachable")
    end_holds(scratch)
    assert reaper.release_holds(scratch) == 1
    assert rows.messages(scratch, "voicefarm.deliver")[-1] == [1, made.job_id, 2]
    assert rows.deliver(scratch, made.job_id, session)


def end_holds(conn: sa.Connection) -> None:
    """Let the time of every hold be over."""
    conn.execute(sa.text("UPDATE hold SET until = now()"))


def test_post_work_of_what_is_not_there(scratch, session) -> None:
    assert jobs.claim_delivery(scratch, 999, 1, session, 30) is None
    with pytest.raises(NotFound):
        jobs.retry_failed(scratch, 999)
