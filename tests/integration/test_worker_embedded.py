"""The workers of the one-machine mode: the same code, in threads of this process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from worker_jobs import Pump, fake_job, job_state, line_states, takes_per_line, wait_until

from db.queries import jobs, reaper, voices
from db.queries._moves import settle
from db.records import JobOptions
from db.settings import Settings
from db.store import Store
from workers.app import make_app
from workers.embedded import EmbeddedWorkers

MP3_ONLY = JobOptions(formats=("mp3", "vtt"))


@contextmanager
def running(
    tmp_path: Path, database_url: str, engine: sa.Engine, capacity: int = 16, store_url: str | None = None
) -> Iterator[Pump]:
    settings = Settings(home=tmp_path / "home", heartbeat_s=0.5, store_url=store_url, _env_file=None)  # type: ignore[call-arg]
    app = make_app(None)
    workers = EmbeddedWorkers(app, settings, database_url, engine="fake", capacity=capacity, post_threads=1)
    pump = Pump(engine, app)
    workers.start()
    try:
        yield pump
    finally:
        workers.stop()
        pump.close()


def test_a_job_goes_from_lines_to_files_in_place(tmp_path: Path, database_url: str, engine: sa.Engine) -> None:
    out = tmp_path / "out"
    with engine.begin() as conn:
        job = fake_job(conn, [f"{{dur=150}} line {n}" for n in range(200)], out, options=JobOptions())
    with running(tmp_path, database_url, engine) as pump:
        wait_until(
            lambda: pump() >= 0 and job_state(engine, job.job_id) in ("delivered", "failed"), "delivery", timeout_s=90
        )
    assert job_state(engine, job.job_id) == "delivered"
    assert line_states(engine) == {"accepted": 200}
    assert takes_per_line(engine) == {1: 200}
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert names == {
        "A Test.m4b", "manifest.json", "report.html",
        "mp3/01 - Chapter 1.mp3", "mp3/02 - Chapter 2.mp3",
        "flac/01 - Chapter 1.flac", "flac/02 - Chapter 2.flac",
        "vtt/01 - Chapter 1.vtt", "vtt/02 - Chapter 2.vtt",
    }  # fmt: skip
    manifest = json.loads((out / "manifest.json").read_text())
    assert sum(len(track["lines"]) for track in manifest["tracks"]) == 200
    assert {file["name"] for file in manifest["files"]} == names - {"manifest.json"}


def test_what_is_there_unchanged_is_not_written_again_and_what_went_is_removed(
    tmp_path: Path, database_url: str, engine: sa.Engine
) -> None:
    out = tmp_path / "out"
    with engine.begin() as conn:
        first = fake_job(conn, ["{dur=900} one", "{dur=900} two"], out, options=MP3_ONLY)
    with running(tmp_path, database_url, engine) as pump:
        wait_until(lambda: pump() >= 0 and job_state(engine, first.job_id) == "delivered", "the first delivery")
        kept = out / "mp3/01 - Chapter 1.mp3"
        before = kept.stat().st_ino
        stranger = out / "mp3/notes.txt"
        stranger.write_text("mine")
        with engine.begin() as conn:
            second = fake_job(
                conn, ["{dur=900} one"], out, sections=1, options=MP3_ONLY.model_copy(update={"year": ""})
            )
        wait_until(lambda: pump() >= 0 and job_state(engine, second.job_id) == "delivered", "the second delivery")
    assert not (out / "mp3/02 - Chapter 2.mp3").exists()
    assert stranger.exists(), "what no manifest lists is not ours to remove"
    assert kept.exists()
    assert kept.stat().st_ino != before, "the number of tracks is in its tags: it is another file"


def test_a_second_delivery_reads_only_what_it_has_to_put_in_place(
    tmp_path: Path, database_url: str, engine: sa.Engine
) -> None:
    out = tmp_path / "out"
    texts = ["{dur=900} one", "{dur=900} two"]
    with engine.begin() as conn:
        first = fake_job(conn, texts, out, options=MP3_ONLY)
    with running(tmp_path, database_url, engine) as pump:
        wait_until(lambda: pump() >= 0 and job_state(engine, first.job_id) == "delivered", "the first delivery")
        kept, spoilt = out / "mp3/01 - Chapter 1.mp3", out / "mp3/02 - Chapter 2.mp3"
        node, whole = kept.stat().st_ino, spoilt.read_bytes()
        spoilt.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with engine.begin() as conn:
            second = fake_job(conn, texts, out, options=MP3_ONLY)
        wait_until(lambda: pump() >= 0 and job_state(engine, second.job_id) == "delivered", "the second delivery")
        with engine.connect() as conn:
            assert conn.scalar(sa.text("SELECT count(*) FROM track")) == 2
    assert kept.stat().st_ino == node
    assert spoilt.read_bytes() == whole, "of the right size, but not what the manifest says"


def test_faults_of_lines_become_their_states(tmp_path: Path, database_url: str, engine: sa.Engine) -> None:
    texts = ["{dur=100} good", "{bad-text} x", "{nan} x", "{empty} x", "{error} x"]
    with engine.begin() as conn:
        fake_job(conn, texts, tmp_path / "out", sections=1)
    with running(tmp_path, database_url, engine) as pump:
        wait_until(
            lambda: pump() >= 0 and line_states(engine) == {"accepted": 1, "failed": 4}, "every line at rest", 60
        )
    with engine.connect() as conn:
        rows = conn.execute(sa.text("SELECT spoken, failure_class, burnt FROM line WHERE state = 'failed' ORDER BY id"))
        found = [tuple(row) for row in rows]
    assert found == [
        ("{bad-text} x", "bad_text", 1),
        ("{nan} x", "engine_error", 3),
        ("{empty} x", "engine_error", 3),
        ("{error} x", "engine_error", 3),
    ]


def test_a_voice_whose_consent_was_revoked_after_dispatch_does_not_render(
    tmp_path: Path, database_url: str, engine: sa.Engine
) -> None:
    with engine.begin() as conn:
        fake_job(conn, ["{dur=100} x"], tmp_path / "out", sections=1)
    with running(tmp_path, database_url, engine) as pump:
        with engine.begin() as conn:
            voice = voices.get_voice(conn, "fake-1")
            from db.queries import dispatch

            dispatch.dispatch(conn, "fake", 10)
            voices.revoke_consent(conn, voice.id)
        pump()
        wait_until(lambda: line_states(engine) == {"held": 1}, "the line is held")
    with engine.connect() as conn:
        assert conn.scalar(sa.text("SELECT failure_class FROM line")) == "consent_revoked"
        assert conn.scalar(sa.text("SELECT count(*) FROM take")) == 0


def test_a_store_that_takes_nothing_holds_the_lines_and_burns_nothing(
    tmp_path: Path, database_url: str, engine: sa.Engine
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "store").write_text("a file where the directory should be")
    with engine.begin() as conn:
        fake_job(conn, ["{dur=100} x"], tmp_path / "out", sections=1)
    with running(tmp_path, database_url, engine) as pump:
        wait_until(lambda: pump() >= 0 and line_states(engine) == {"held": 1}, "the line is held")
    with engine.connect() as conn:
        assert tuple(conn.execute(sa.text("SELECT failure_class, burnt FROM line")).one()) == ("store_full", 0)
        assert conn.scalar(sa.text("SELECT scope FROM hold")) == "store"


def test_takes_and_deliverables_in_an_object_store(
    tmp_path: Path, database_url: str, engine: sa.Engine, s3_bucket: str
) -> None:
    import fsspec

    options = JobOptions(formats=("m4b", "mp3", "flac", "vtt"))
    with engine.begin() as conn:
        job = fake_job(conn, [f"{{dur=400}} line {n}" for n in range(8)], tmp_path, options=options)
        conn.execute(sa.text("UPDATE job SET out_url = :url"), {"url": f"{s3_bucket}/books/a test"})
    with running(tmp_path, database_url, engine, store_url=f"{s3_bucket}/takes") as pump:
        wait_until(
            lambda: pump() >= 0 and job_state(engine, job.job_id) in ("delivered", "failed"), "delivery", timeout_s=60
        )
    assert job_state(engine, job.job_id) == "delivered"
    files, bucket = fsspec.core.url_to_fs(s3_bucket, use_listings_cache=False)
    manifest = json.loads(files.cat_file(f"{bucket}/books/a test/manifest.json"))
    assert len(manifest["files"]) == 8, "M4B, report, and three files for each of two chapters"
    for entry in manifest["files"]:
        data = files.cat_file(f"{bucket}/books/a test/{entry['name']}")
        assert hashlib.sha256(data).hexdigest() == entry["sha256"]
    assert not (tmp_path / "home" / "store").exists()


def test_each_line_is_a_file_and_an_edit_remakes_only_the_changed_one(
    tmp_path: Path, database_url: str, engine: sa.Engine
) -> None:
    out = tmp_path / "out"
    options = JobOptions(formats=("lines-flac",))
    texts = ["{dur=600} one", "{dur=600} two", "{dur=600} three"]

    def delivered(texts: list[str]) -> dict[str, Any]:
        with engine.begin() as conn:
            job = fake_job(conn, texts, out, sections=1, options=options)
        wait_until(lambda: pump() >= 0 and job_state(engine, job.job_id) == "delivered", "delivery", 60)
        manifest = json.loads((out / "manifest.json").read_text())
        return {entry["name"]: entry for entry in manifest["files"] if entry["kind"] == "lines-flac"}

    with running(tmp_path, database_url, engine) as pump:
        before = delivered(texts)
        names = [f"lines/Chapter 1/l{number}.flac" for number in range(3)]
        assert [entry["line"] for entry in before.values()] == ["l0", "l1", "l2"]
        assert list(before) == names
        for name, entry in before.items():
            assert hashlib.sha256((out / name).read_bytes()).hexdigest() == entry["sha256"]
            assert entry["watermark"]["readable"] is False
        stamps = {name: (out / name).stat().st_mtime_ns for name in names}
        after = delivered([texts[0], "{dur=700} another", texts[2]])
        assert [name for name in names if after[name] != before[name]] == [names[1]]
        assert [name for name in names if (out / name).stat().st_mtime_ns != stamps[name]] == [names[1]]
        spoil(stored(tmp_path, f"{after[names[0]]['sha256']}.flac"), "damaged")
        (out / names[0]).unlink()
        last = delivered([*texts[:2], "{dur=700} a new end"])  # the damaged file is found and made again
    assert list(last) == names
    assert (out / names[0]).exists()
    assert not list((tmp_path / "out").rglob("*.part"))


def test_a_damaged_take_is_rendered_again_not_mastered(tmp_path: Path, database_url: str, engine: sa.Engine) -> None:
    out = tmp_path / "out"
    with engine.begin() as conn:
        job = fake_job(conn, ["{dur=900} one", "{dur=900} two"], out, sections=1, options=MP3_ONLY)
    with running(tmp_path, database_url, engine) as pump:
        pump()
        wait_until(lambda: line_states(engine) == {"accepted": 2}, "both takes")
        with engine.connect() as conn:
            key = str(conn.scalar(sa.text("SELECT audio_sha256 FROM take ORDER BY id LIMIT 1")))
        spoil(stored(tmp_path, key), "damaged")
        wait_until(lambda: pump() >= 0 and job_state(engine, job.job_id) == "delivered", "delivery", 60)
    with engine.connect() as conn:
        assert conn.scalar(sa.text("SELECT count(*) FROM take")) == 3
    assert (out / "mp3/01 - Chapter 1.mp3").exists()


def test_a_missing_take_is_rendered_again(tmp_path: Path, database_url: str, engine: sa.Engine) -> None:
    with engine.begin() as conn:
        job = fake_job(conn, ["{dur=900} one"], tmp_path / "out", sections=1, options=MP3_ONLY)
    with running(tmp_path, database_url, engine) as pump:
        pump()
        wait_until(lambda: line_states(engine) == {"accepted": 1}, "the take")
        with engine.connect() as conn:
            stored(tmp_path, str(conn.scalar(sa.text("SELECT audio_sha256 FROM take")))).unlink()
        wait_until(lambda: pump() >= 0 and job_state(engine, job.job_id) in ("delivered", "failed"), "the end", 60)
        assert job_state(engine, job.job_id) == "delivered"
    assert takes_per_line(engine) == {2: 1}


def test_a_disk_that_damages_every_take_is_not_fed_for_ever(
    tmp_path: Path, database_url: str, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = Store.put_bytes

    def keep_badly(store: Store, data: bytes, suffix: str = "") -> str:
        key = keep(store, data, suffix)
        spoil(stored(tmp_path, key), "damaged")
        return key

    def message() -> str:
        with engine.connect() as conn:
            return str(conn.scalar(sa.text("SELECT message FROM section WHERE state = 'failed'")) or "")

    monkeypatch.setattr(Store, "put_bytes", keep_badly)
    with engine.begin() as conn:
        job = fake_job(conn, ["{dur=900} one"], tmp_path / "out", sections=1, options=MP3_ONLY)
    with running(tmp_path, database_url, engine) as pump:
        wait_until(lambda: pump() >= 0 and bool(message()), "the section to fail", 60)
        assert message() == (
            "section 1: 1 take(s) damaged in the store; it was made again 3 times in a row: "
            "look at the store's disk, then retry"
        )
        assert takes_per_line(engine) == {4: 1}
        monkeypatch.setattr(Store, "put_bytes", keep)
        with engine.begin() as conn:
            assert jobs.retry_failed(conn, job.job_id) == 1
        wait_until(lambda: pump() >= 0 and job_state(engine, job.job_id) == "delivered", "the delivery", 60)
    assert takes_per_line(engine) == {5: 1}


@pytest.mark.parametrize("harm", ["damaged", "missing"])
@pytest.mark.parametrize("kind", ["flac", "mp3"])
def test_a_track_lost_before_its_delivery_is_made_again_and_delivered(
    tmp_path: Path, database_url: str, engine: sa.Engine, harm: str, kind: str
) -> None:
    out = tmp_path / "out"
    texts = ["{dur=900} one", "{dur=900} two"]
    options = JobOptions(formats=("mp3", "flac"))
    with engine.begin() as conn:
        job = fake_job(conn, texts, out, options=options)
    with running(tmp_path, database_url, engine) as pump:
        wait_until(lambda: pump() >= 0 and job_state(engine, job.job_id) == "delivered", "the first delivery", 60)
        first, other = tracks(engine)
        spoil(stored(tmp_path, first[kind]), harm)
        lost = out / f"{kind}/01 - Chapter 1.{kind}"
        lost.unlink()
        with engine.begin() as conn:
            fake_job(conn, texts, out, options=options)  # the same script again asks for the delivery again
        wait_until(lambda: pump() >= 0 and job_state(engine, job.job_id) in ("delivered", "failed"), "the end", 60)
        assert job_state(engine, job.job_id) == "delivered"
    again, untouched = tracks(engine)
    assert (untouched, tracks_made(engine)) == (other, 3)
    assert lost.read_bytes() == stored(tmp_path, again[kind]).read_bytes()
    assert line_states(engine) == {"accepted": 2}, "no line was rendered for it"
    assert takes_per_line(engine) == {1: 2}


def test_a_track_found_by_digest_is_not_used_when_its_master_is_damaged(
    tmp_path: Path, database_url: str, engine: sa.Engine
) -> None:
    with engine.begin() as conn:
        job = fake_job(conn, ["{dur=900} one"], tmp_path / "out", sections=1, options=MP3_ONLY)
    with running(tmp_path, database_url, engine) as pump:
        wait_until(lambda: pump() >= 0 and job_state(engine, job.job_id) == "delivered", "the first delivery", 60)
        spoil(stored(tmp_path, tracks(engine)[0]["flac"]), "damaged")
        with engine.begin() as conn:
            settle(conn, {int(conn.scalar(sa.text("SELECT id FROM section")) or 0): 0}, "person")
        wait_until(lambda: pump() >= 0 and job_state(engine, job.job_id) == "delivered", "the second delivery", 60)
    assert tracks_made(engine) == 2
    for key in tracks(engine)[0].values():
        assert hashlib.sha256(stored(tmp_path, key).read_bytes()).hexdigest() == key[:64]


def test_a_store_that_is_full_when_tracks_are_made_holds_them_and_burns_nothing(
    tmp_path: Path, database_url: str, engine: sa.Engine
) -> None:
    with engine.begin() as conn:
        job = fake_job(conn, [f"{{dur=900}} line {n}" for n in range(6)], tmp_path / "out", sections=3)
    with running(tmp_path, database_url, engine) as pump:
        pump()
        wait_until(lambda: line_states(engine) == {"accepted": 6}, "all takes")
        blocked = block(tmp_path / "home" / "store")
        wait_until(lambda: pump() >= 0 and waiting(engine) == 3, "the sections to wait")
        with engine.connect() as conn:
            assert tuple(conn.execute(sa.text("SELECT scope, failure_class FROM hold")).one()) == (
                "store",
                "store_full",
            )
            tried = conn.scalar(sa.text("SELECT count(*) FROM event WHERE to_state = 'assembling'"))
        assert tried == 1, "what comes while the store is on hold is not even begun"
        assert pump() == 0, "nobody is asked while the store is on hold"
        for path in blocked:
            path.unlink()
        with engine.begin() as conn:
            conn.execute(sa.text("UPDATE hold SET until = now()"))
        with engine.begin() as conn:
            assert reaper.release_holds(conn) == 3
        wait_until(lambda: pump() >= 0 and job_state(engine, job.job_id) in ("delivered", "failed"), "the end", 60)
    assert job_state(engine, job.job_id) == "delivered"


def block(store: Path) -> list[Path]:
    """Make the store refuse what is new, for root too: a file lies where each folder would be made."""
    files = [store / f"{number:02x}" for number in range(256) if not (store / f"{number:02x}").exists()]
    for path in files:
        path.touch()
    return files


def waiting(engine: sa.Engine) -> int:
    """How many sections are ready and say why nobody makes them."""
    with engine.connect() as conn:
        return int(conn.scalar(sa.text("SELECT count(*) FROM section WHERE state = 'ready' AND message <> ''")) or 0)


def stored(tmp_path: Path, key: str) -> Path:
    """Where the store keeps a key."""
    return tmp_path / "home" / "store" / key[:2] / key


def spoil(path: Path, harm: str) -> None:
    """Change one bit of a file, or remove it."""
    if harm == "missing":
        path.unlink()
        return
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x40
    path.chmod(0o644)
    path.write_bytes(data)


def tracks(engine: sa.Engine) -> list[dict[str, str]]:
    """Store keys of each section's track, by kind."""
    with engine.connect() as conn:
        found = conn.scalars(sa.text("SELECT t.files FROM section s JOIN track t ON t.id = s.track_id ORDER BY s.id"))
        return list(found)


def tracks_made(engine: sa.Engine) -> int:
    """How many tracks were ever made."""
    with engine.connect() as conn:
        return int(conn.scalar(sa.text("SELECT count(*) FROM track")) or 0)


def test_a_place_that_refuses_files_fails_the_delivery_with_a_sentence(
    tmp_path: Path, database_url: str, engine: sa.Engine
) -> None:
    blocked = tmp_path / "out"
    blocked.write_text("a file where the directory should be")
    with engine.begin() as conn:
        job = fake_job(conn, ["{dur=900} one"], blocked, sections=1, options=MP3_ONLY)
    with running(tmp_path, database_url, engine) as pump:
        wait_until(lambda: pump() >= 0 and job_state(engine, job.job_id) == "failed", "the failure", 60)
    with engine.connect() as conn:
        message = str(conn.scalar(sa.text("SELECT message FROM job")))
    assert str(blocked) in message
    assert "voicefarm retry" in message


@pytest.mark.parametrize("times", [2])
def test_starting_and_stopping_leaves_nothing_behind(
    tmp_path: Path, database_url: str, engine: sa.Engine, times: int
) -> None:
    for _ in range(times):
        with running(tmp_path, database_url, engine):
            pass
    with engine.connect() as conn:
        open_sessions = conn.scalar(sa.text("SELECT count(*) FROM worker_session WHERE ended_at IS NULL"))
    assert open_sessions == 0
