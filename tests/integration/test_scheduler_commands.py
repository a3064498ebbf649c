"""Commands on a real database: what they change, what they print, how they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import sqlalchemy as sa
from commands import environment, voicefarm
from plans import add_voice, make_plan

from db.queries import imports, productions, status, voices
from scheduler.cli.exits import ExitCode

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path, database_url: str) -> Run:
    env = environment(VOICEFARM_HOME=str(tmp_path / "home"), DATABASE_URL=database_url)

    def command(*arguments: str) -> CompletedProcess[str]:
        return voicefarm(*arguments, folder=tmp_path, env=env)

    return command


@pytest.fixture
def job_id(engine: sa.Engine) -> int:
    with engine.begin() as conn:
        return imports.import_script(conn, make_plan(add_voice(conn), [["One.", "Two."], ["Three."]])).job_id


def answer(done: CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_production_is_listed_paused_resumed_and_cancelled(run: Run, engine: sa.Engine, job_id: int) -> None:
    listed = answer(run("jobs", "--json"))
    assert [(job["slug"], job["state"], job["total"]) for job in listed] == [("the-fables", "active", 3)]
    assert run("pause", "the-fables").returncode == 0
    assert "paused" in run("jobs").stdout
    assert run("resume", "the-fables").returncode == 0
    assert run("priority", "the-fables", "80").returncode == 0
    with engine.connect() as conn:
        assert productions.get_by_slug(conn, "the-fables").priority == 80
    assert run("cancel", "the-fables").returncode == 0
    again = run("cancel", "the-fables")
    assert again.returncode == ExitCode.USAGE
    assert "cancelled" in again.stderr


def test_lines_are_shown_skipped_and_tried_again(run: Run, engine: sa.Engine, job_id: int) -> None:
    shown = answer(run("status", "the-fables", "--lines", "--json"))
    assert [line["text"] for line in shown["lines"]] == ["One.", "Two.", "Three."]
    first = shown["lines"][0]["line_id"]
    assert run("skip", str(first)).returncode == 0
    assert answer(run("status", "the-fables", "--json"))["job"]["lines"] == {"pending": 2, "skipped": 1}
    assert run("retry", "the-fables", "--line", str(first)).returncode == 0
    assert answer(run("status", "the-fables", "--json"))["job"]["lines"] == {"pending": 3}
    refused = run("approve", str(first))
    assert refused.returncode == ExitCode.USAGE
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "command", [("status", "x"), ("pause", "x"), ("cancel", "x"), ("retry", "x"), ("skip", "9999")]
)
def test_what_is_not_there_is_named(run: Run, command: tuple[str, ...]) -> None:
    done = run(*command)
    assert done.returncode == ExitCode.USAGE
    assert command[1] in done.stderr


def test_consents_are_granted_and_revoked(run: Run, engine: sa.Engine) -> None:
    with engine.begin() as conn:
        add_voice(conn, "anna", consent=False)
    grant = ("consent", "grant", "anna", "--holder", "Anna", "--evidence")
    assert run(*grant, "first.pdf").returncode == 0
    assert [voice["live"] for voice in answer(run("voices", "--json"))] == [True]
    assert run("consent", "revoke", "anna").returncode == 0
    with engine.connect() as conn:
        assert not voices.get_voice(conn, "anna").live
    assert run(*grant, "first.pdf").returncode == ExitCode.USAGE
    assert run(*grant, "second.pdf").returncode == 0


def test_submit_says_what_the_profile_asks_of_people(run: Run, engine: sa.Engine, tmp_path: Path) -> None:
    with engine.begin() as conn:
        add_voice(conn)
    script = tmp_path / "tale.txt"
    script.write_text("The fox ran off. Nobody saw him again.\n", encoding="utf-8")
    options = ("--engine", "fake", "--voice", "fake-1", "--profile", "acx")
    said = run("submit", str(script), *options)
    assert said.returncode == 0, said.stderr
    assert said.stderr.startswith("acx: ACX itself accepts human narration")
    assert "human narration" in answer(run("submit", str(script), *options, "--json"))["profile_notice"]


def test_submit_stores_a_job_for_the_farm(run: Run, engine: sa.Engine, tmp_path: Path) -> None:
    assert run("db", "upgrade").returncode == 0
    script = tmp_path / "walk.txt"
    script.write_text("They walked on.\n\nNobody said a word.\n", encoding="utf-8")
    found = answer(run("submit", str(script), "-o", "out", "--json", "--priority", "70"))
    assert found["reused"] == 0
    with engine.connect() as conn:
        job = status.job(conn, found["job_id"])
    assert (job.slug, job.priority, job.total) == (found["slug"], 70, found["lines"])
    assert job.out_url == (tmp_path / "out").as_uri()
    assert answer(run("submit", str(script), "-o", "out", "--json"))["job_id"] == found["job_id"]


def test_a_database_without_tables_says_what_to_run(run: Run, engine: sa.Engine) -> None:
    with engine.begin() as conn:
        conn.execute(sa.text("UPDATE alembic_version SET version_num = '0000'"))
    done = run("jobs")
    assert done.returncode == ExitCode.UNREACHABLE
    assert "voicefarm db upgrade" in done.stderr
    assert run("db", "current").returncode == ExitCode.NO


def test_a_file_without_a_mark_is_told_by_the_exit_code(run: Run, tmp_path: Path, job_id: int) -> None:
    import numpy as np
    import soundfile

    noise = np.random.default_rng(5).normal(0, 0.1, 24_000 * 12).astype(np.float32)
    soundfile.write(tmp_path / "noise.wav", noise, 24_000)
    done = run("verify", "noise.wav", "--json")
    assert done.returncode == ExitCode.NO
    found = json.loads(done.stdout)
    assert found["found"] is False
    assert set(found) >= {"found", "payload", "score", "threshold", "false_positive_rate", "production", "deliverable"}
    (tmp_path / "text.mp3").write_text("not audio")
    assert run("verify", "text.mp3").returncode == ExitCode.USAGE
