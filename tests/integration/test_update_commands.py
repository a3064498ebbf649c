"""`voicefarm update` and `voicefarm takes` on a real database: what they say, what they store, how they refuse."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
import soundfile
import sqlalchemy as sa
from commands import environment, voicefarm
from plans import add_voice
from steps import counters_are_exact, finish_job, render_all, states

from db.digest import voice_digest
from db.queries import status, takes, verdicts, voices
from db.settings import Settings
from db.store import Store
from scheduler.cli.exits import ExitCode

Run = Callable[..., CompletedProcess[str]]
Row = tuple[str, str, str]
ROWS: tuple[Row, ...] = (
    ("L1", "FOX", "Good day, crow."),
    ("L2", "CROW", "Good day, fox."),
    ("L3", "FOX", "What a voice you must have."),
    ("L4", "CROW", "You flatter me."),
)


@pytest.fixture
def run(tmp_path: Path, database_url: str) -> Run:
    env = environment(VOICEFARM_HOME=str(tmp_path / "home"), DATABASE_URL=database_url)

    def command(*arguments: str) -> CompletedProcess[str]:
        return voicefarm(*arguments, folder=tmp_path, env=env)

    return command


def answer(done: CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def sheet(folder: Path, rows: Sequence[Row], name: str = "fables.csv") -> str:
    text = "id,character,text,language\n" + "".join(f'{key},{who},"{said}",en\n' for key, who, said in rows)
    (folder / name).write_text(text, encoding="utf-8")
    return name


@pytest.fixture
def job_id(run: Run, engine: sa.Engine, tmp_path: Path) -> int:
    """A delivered production of four lines by two characters, submitted with options of its own."""
    with engine.begin() as conn:
        for number in (1, 2, 3):
            add_voice(conn, f"fake-{number}")
    given = ("--voice", "fake-1", "--cast", "FOX=fake-2", "--cast", "CROW=fake-3", "--engine", "fake")
    more = ("--title", "The Fables", "-o", "out", "--formats", "flac", "--profile", "podcast", "--priority", "70")
    found = answer(run("submit", sheet(tmp_path, ROWS), *given, *more, "--json"))
    with engine.begin() as conn:
        finish_job(conn, found["job_id"])
    return int(found["job_id"])


def changed(*changes: Row) -> list[Row]:
    by_key = {row[0]: row for row in changes}
    return [by_key.get(row[0], row) for row in ROWS]


def rendered(engine: sa.Engine, job_id: int) -> dict[str, str]:
    with engine.connect() as conn:
        return {line.key: line.state for line in status.lines(conn, job_id)}


def voices_of(engine: sa.Engine, job_id: int) -> dict[str, str]:
    with engine.connect() as conn:
        return {line.key: line.voice for line in status.lines(conn, job_id)}


def test_one_changed_line_is_one_line_to_render(run: Run, engine: sa.Engine, tmp_path: Path, job_id: int) -> None:
    rows = [*changed(("L3", "FOX", "What a lovely voice you must have.")), ("L5", "CROW", "Caw!")]
    script = sheet(tmp_path, rows, "v2.csv")
    before = answer(run("update", "the-fables", script, "--dry-run", "--json"))
    assert before["counts"] == {"kept": 2, "changed": 2, "added": 1, "removed": 0, "moved": 0, "locked": 0}
    assert (before["dry_run"], before["to_render"], len(before["sections_to_assemble"])) == (True, 2, 1)
    assert 0.5 < before["audio_s"] < 10
    said = {line["key"]: (line["status"], line["changes"], line["render"]) for line in before["lines"]}
    assert said["L3"] == ("changed", ["text", "spoken"], True)
    assert said["L4"] == ("changed", ["pause"], False)  # it was the last of its section
    assert said["L5"] == ("added", [], True)
    with engine.connect() as conn:
        assert status.latest_job(conn, "the-fables") == job_id
    done = answer(run("update", "the-fables", script, "--json"))
    assert (done["dry_run"], done["reused"], done["resumed"]) == (False, 3, False)
    assert rendered(engine, done["job_id"]) == {
        "L1": "accepted",
        "L2": "accepted",
        "L3": "pending",
        "L4": "accepted",
        "L5": "pending",
    }
    with engine.begin() as conn:
        job = status.job(conn, done["job_id"])
        assert (job.slug, job.title, job.priority) == ("the-fables", "The Fables", 70)
        assert job.out_url == (tmp_path / "out").as_uri()
        row = conn.execute(sa.text("SELECT profile, options FROM job WHERE id = :id"), {"id": job.job_id}).one()
        assert (row.profile, row.options["formats"]) == ("podcast", ["flac"])
        assert render_all(conn, job.job_id) == 2
        assert counters_are_exact(conn)
    assert voices_of(engine, job.job_id) == voices_of(engine, job_id) | {"L5": "fake-3@1"}


def test_what_it_costs_is_said_to_people(run: Run, tmp_path: Path, job_id: int) -> None:
    script = sheet(tmp_path, changed(("L1", "FOX", "Hello, crow.")), "v2.csv")
    done = run("update", "the-fables", script, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "against revision 1: 3 kept, 1 changed, 0 added, 0 removed, 0 moved" in done.stdout
    assert "to render: 1 lines, about 0:02 of audio; tracks to make again: 1 of 1" in done.stdout
    assert "Hello, crow." in done.stdout


def test_the_same_script_goes_on(run: Run, engine: sa.Engine, tmp_path: Path, job_id: int) -> None:
    done = answer(run("update", "the-fables", "fables.csv", "--json"))
    assert (done["job_id"], done["resumed"], done["to_render"], done["sections_to_assemble"]) == (job_id, True, 0, [])
    again = answer(run("update", "the-fables", "--json"))
    assert (again["job_id"], again["resumed"]) == (job_id, True)
    with engine.connect() as conn:
        assert states(conn, job_id)[1:] == (["assembled"], ["accepted"] * 4)


def test_a_recast_works_from_the_stored_lines(run: Run, engine: sa.Engine, tmp_path: Path, job_id: int) -> None:
    (tmp_path / "fables.csv").unlink()
    before = answer(run("update", "the-fables", "--recast", "fox=fake-1", "--dry-run", "--json"))
    assert [(line["key"], line["changes"], line["render"]) for line in before["lines"]] == [
        ("L1", ["voice"], True),
        ("L3", ["voice"], True),
    ]
    done = answer(run("update", "the-fables", "--recast", "fox=fake-1", "--json"))
    assert rendered(engine, done["job_id"]) == {"L1": "pending", "L2": "accepted", "L3": "pending", "L4": "accepted"}
    with engine.begin() as conn:
        finish_job(conn, done["job_id"])
    back = answer(run("update", "the-fables", "--recast", "FOX=fake-2", "--json"))
    assert (back["to_render"], back["reused"]) == (0, 4)


def test_a_new_version_of_a_voice_is_used_when_asked_for(
    run: Run, engine: sa.Engine, tmp_path: Path, job_id: int
) -> None:
    with engine.begin() as conn:
        mark = voice_digest("fake-2", 2, "fake", "2", {})
        facts: dict[str, Any] = {"engine": "fake", "engine_version": "2", "languages": ["en"], "parameters": {}}
        new = voices.upsert_voice(conn, name="fake-2", version=2, description="", digest=mark, **facts)
        voices.ensure_consent(conn, new, "synthetic")
    script = sheet(tmp_path, changed(("L2", "CROW", "Hm.")), "v2.csv")
    quiet = answer(run("update", "the-fables", script, "--dry-run", "--json"))
    assert quiet["to_render"] == 1
    asked = answer(run("update", "the-fables", "--voice-version", "fake-2", "--dry-run", "--json"))
    assert [(line["key"], line["old_voice"], line["voice"]) for line in asked["lines"]] == [
        ("L1", "fake-2@1", "fake-2@2"),
        ("L3", "fake-2@1", "fake-2@2"),
    ]
    both = answer(run("update", "the-fables", script, "--voice-version", "fake-2@2", "--json"))
    assert both["to_render"] == 3
    assert voices_of(engine, both["job_id"])["L3"] == "fake-2@2"
    back = answer(run("update", "the-fables", "--voice-version", "fake-2@1", "--dry-run", "--json"))
    assert [line["key"] for line in back["lines"] if line["render"]] == []
    assert back["to_render"] == 1  # L2, which nobody has rendered yet


def test_a_bare_lexicon_edit_changes_the_lines_it_is_spoken_in(
    run: Run, engine: sa.Engine, tmp_path: Path, job_id: int
) -> None:
    (tmp_path / "fables.csv").unlink()
    entry = answer(run("lexicon", "add", "fox", "foks", "--language", "en", "--json"))
    done = answer(run("update", "the-fables", "--json"))
    assert [(line["key"], line["changes"], line["render"]) for line in done["lines"]] == [("L2", ["spoken"], True)]
    assert rendered(engine, done["job_id"])["L2"] == "pending"
    assert (done["to_render"], done["reused"]) == (1, 3)
    assert run("lexicon", "remove", str(entry["id"])).returncode == 0
    back = answer(run("update", "the-fables", "--dry-run", "--json"))
    assert (back["counts"]["changed"], back["to_render"]) == (1, 0)  # its first take is there


def test_a_locked_line_is_shown_and_warned_about(run: Run, engine: sa.Engine, tmp_path: Path, job_id: int) -> None:
    locked = run("takes", "the-fables", "L3", "--lock")
    assert locked.returncode == 0, locked.stderr
    assert "is locked" in locked.stdout
    script = sheet(tmp_path, changed(("L1", "FOX", "Hello."), ("L3", "FOX", "Sing!")), "v2.csv")
    found = answer(run("update", "the-fables", script, "--recast", "FOX=fake-1", "--dry-run", "--json"))
    lines = {line["key"]: line for line in found["lines"]}
    assert (lines["L3"]["locked"], lines["L3"]["render"], lines["L3"]["changes"]) == (
        True,
        False,
        ["text", "spoken", "voice"],
    )
    assert (found["to_render"], found["counts"]["locked"]) == (1, 1)
    assert found["warnings"] == [
        "line L3 is locked and keeps its take, although its text and spoken changed: 'What a voice you must have.' is "
        "heard where the script says 'Sing!'"
    ]
    done = answer(run("update", "the-fables", script, "--recast", "FOX=fake-1", "--json"))
    assert rendered(engine, done["job_id"]) == {"L1": "pending", "L2": "accepted", "L3": "accepted", "L4": "accepted"}
    shown = answer(run("takes", "the-fables", "L3", "--json"))
    assert (shown["locked"], shown["text"], [take["text"] for take in shown["takes"]]) == (
        True,
        "Sing!",
        ["What a voice you must have."],
    )
    gone = answer(run("update", "the-fables", sheet(tmp_path, ROWS[:2], "v3.csv"), "--dry-run", "--json"))
    assert gone["warnings"] == [
        "locked line L3 is not in the new revision: its lock waits until it returns, its takes are kept"
    ]
    assert run("takes", "the-fables", "L3", "--unlock").returncode == 0
    free = answer(run("update", "the-fables", "--dry-run", "--json"))
    assert free["to_render"] == 2


def test_a_lock_holds_however_the_script_comes_in(run: Run, engine: sa.Engine, tmp_path: Path, job_id: int) -> None:
    assert run("takes", "the-fables", "L3", "--lock").returncode == 0
    script = sheet(tmp_path, changed(("L1", "FOX", "Hello."), ("L3", "FOX", "Sing!")))
    given = ("--voice", "fake-1", "--cast", "FOX=fake-2", "--cast", "CROW=fake-3", "--engine", "fake")
    again = answer(run("submit", script, *given, "--title", "The Fables", "-o", "out", "--json"))
    assert rendered(engine, again["job_id"]) == {"L1": "pending", "L2": "accepted", "L3": "accepted", "L4": "accepted"}


def test_parts_that_cannot_be_read_refuse_a_strict_update(run: Run, tmp_path: Path, job_id: int) -> None:
    script = sheet(tmp_path, [*ROWS, ("L5", "FOX", "")], "bad.csv")
    found = answer(run("update", "the-fables", script, "--dry-run", "--json"))
    (left_out,) = found["rejected"]
    assert left_out["place"].startswith("row 6")
    assert found["counts"]["kept"] == len(ROWS)
    refused = run("update", "the-fables", script, "--strict")
    assert refused.returncode == ExitCode.USAGE
    assert "row 6" in refused.stderr


REFUSED: tuple[tuple[tuple[str, ...], str], ...] = (
    (("update", "nowhere", "fables.csv"), "nowhere"),
    (("update", "the-fables", "missing.csv"), "missing.csv"),
    (("update", "the-fables", "--recast", "WOLF=fake-1"), "WOLF"),
    (("update", "the-fables", "--recast", "FOX=nobody"), "nobody"),
    (("update", "the-fables", "--recast", "FOX"), "NAME=VOICE"),
    (("update", "the-fables", "--voice-version", "fake-1"), "fake-2, fake-3"),
    (("update", "the-fables", "--voice-version", "fake-2@9"), "fake-2@9"),
    (("update", "the-fables", "--strict"), "FILE"),
    (("update", "the-fables", "--profile", "loud"), "loud"),
    (("update", "the-fables", "--formats", "ogg"), "ogg"),
    (("takes", "the-fables", "L9"), "L9"),
    (("takes", "nowhere", "L1"), "L1"),
    (("takes", "the-fables", "L1", "--choose", "999"), "999"),
    (("takes", "the-fables", "L1", "--unlock"), "not locked"),
    (("takes", "the-fables", "L1", "--lock", "--unlock"), "exclude"),
    (("takes", "the-fables", "L1", "--as", "mp3", "--export", "x"), "mp3"),
    (("takes", "the-fables", "L1", "-o", "x"), "--compare"),
    (("takes", "the-fables", "L1", "--compare", "1", "999"), "999"),
)


def test_what_cannot_be_done_is_one_sentence(run: Run, engine: sa.Engine, job_id: int) -> None:
    for arguments, words in REFUSED:
        done = run(*arguments)
        assert (done.returncode, done.stderr.count("\n")) == (ExitCode.USAGE, 1), (arguments, done.stderr)
        assert words in done.stderr
    with engine.connect() as conn:
        assert status.latest_job(conn, "the-fables") == job_id
        assert states(conn, job_id)[0] == "delivered"


def test_takes_are_compared_chosen_and_written(run: Run, engine: sa.Engine, tmp_path: Path, job_id: int) -> None:
    store = Store(Settings(home=tmp_path / "home").resolved_store_url)
    with engine.begin() as conn:
        line = next(line for line in status.lines(conn, job_id) if line.key == "L1")
        verdicts.retry(conn, [line.line_id])
        finish_job(conn, job_id)
        first, second = takes.history(conn, takes.find(conn, "the-fables", "L1"))
        for take, level in ((first, 0.1), (second, 0.2)):
            tone = (level * np.sin(np.arange(24_000) * 0.1)).astype(np.float32)
            audio = io.BytesIO()
            soundfile.write(audio, tone, 24_000, format="FLAC", subtype="PCM_24")
            key = store.put_bytes(audio.getvalue(), "flac")
            conn.execute(
                sa.text("UPDATE take SET audio_sha256 = :key WHERE id = :id"), {"key": key, "id": take.take_id}
            )
    pair = (str(first.take_id), str(second.take_id))
    shown = answer(run("takes", "the-fables", "L1", "--compare", *pair, "-o", "pair", "--json"))
    quiet, loud = shown["compared"]
    assert (quiet["peak_dbfs"], loud["peak_dbfs"]) == (-20.0, -14.0)
    assert loud["loudness_lufs"] - quiet["loudness_lufs"] == pytest.approx(6.0, abs=0.2)
    assert [(take["duration_ms"], take["text"], take["voice"]) for take in shown["compared"]] == [
        (1000, "Good day, crow.", "fake-2@1")
    ] * 2
    assert sorted(path.name for path in (tmp_path / "pair").iterdir()) == [f"L1-take-{n}.flac" for n in sorted(pair)]
    told = run("takes", "the-fables", "L1", "--compare", *pair)
    assert "peak_dbfs" in told.stdout

    done = run("takes", "the-fables", "L1", "--choose", pair[0], "--lock")
    assert done.returncode == 0, done.stderr
    assert "the track is made again" in done.stdout
    listed = answer(run("takes", "the-fables", "L1", "--json"))
    assert [(take["selected"], take["locked"]) for take in listed["takes"]] == [(True, True), (False, False)]
    with engine.connect() as conn:
        assert states(conn, job_id)[:2] == ("active", ["ready"])
    assert run("takes", "the-fables", "L1", "--export", "all", "--as", "wav").returncode == 0
    samples, rate = soundfile.read(tmp_path / "all" / f"L1-take-{pair[1]}.wav")
    assert (rate, len(samples), soundfile.info(tmp_path / "all" / f"L1-take-{pair[1]}.wav").subtype) == (
        24_000,
        24_000,
        "PCM_24",
    )
    assert np.abs(samples).max() == pytest.approx(0.2, abs=0.001)
    plain = run("takes", "the-fables", "L1")
    assert "selected locked" in plain.stdout
    with engine.connect() as conn:
        assert counters_are_exact(conn)
