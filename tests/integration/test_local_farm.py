"""A render in one process: which database it may work on, and what it says."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
import sqlalchemy as sa
from commands import environment, voicefarm

from db import schema
from db.locks import SCHEDULER_LOCK, holder, try_lock
from db.session import make_engine
from db.settings import Settings
from scheduler.cli.exits import ExitCode
from scheduler.errors import SchedulerActive
from scheduler.leader import Leadership
from scheduler.local import farm
from scheduler.local.order import Order
from scheduler.local.render import render
from scheduler.local.watch import SilentView


@pytest.fixture
def other(empty_database_url: str):
    """The active scheduler of another farm."""
    engine = make_engine(empty_database_url, application_name="voicefarm-scheduler")
    leadership = Leadership(engine)
    assert leadership.look()
    yield leadership
    leadership.resign()
    engine.dispose()


def test_verify_on_a_database_without_a_schema(tmp_path: Path, empty_database_url: str) -> None:
    soundfile.write(tmp_path / "noise.wav", np.random.default_rng(5).normal(0, 0.1, 24_000), 24_000)
    env = environment(VOICEFARM_HOME=str(tmp_path / "home"), DATABASE_URL=empty_database_url)
    done = voicefarm("verify", "noise.wav", folder=tmp_path, env=env)
    assert (done.returncode, done.stderr) == (ExitCode.NO, "")
    assert "no title is registered in the database of DATABASE_URL" in done.stdout


def settings_for(tmp_path: Path, url: str) -> Settings:
    home = tmp_path / "home"
    return Settings(home=home, database_url=url, broker_url=None, _env_file=None)  # type: ignore[call-arg]


def test_the_database_of_a_running_farm_is_refused_untouched(
    tmp_path: Path, empty_database_url: str, other: Leadership, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(farm, "LEAVING_S", 0.0)
    with (
        pytest.raises(SchedulerActive, match=r"voicefarm-scheduler.*BROKER_URL"),
        farm.open_farm(settings_for(tmp_path, empty_database_url), engine="fake"),
    ):
        raise AssertionError("opened")
    assert schema.current(empty_database_url) is None


def test_a_scheduler_that_is_leaving_is_waited_for(
    tmp_path: Path, empty_database_url: str, other: Leadership, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(farm, "LEAVING_S", 30.0)
    leaving = threading.Timer(0.3, other.resign)
    leaving.start()
    with farm.open_farm(settings_for(tmp_path, empty_database_url), engine="fake") as opened:
        assert opened.in_process
    leaving.join()


def test_who_holds_a_lock_is_said_in_words(engine: sa.Engine) -> None:
    with engine.connect() as conn:
        assert holder(conn, SCHEDULER_LOCK) is None
        assert try_lock(conn, SCHEDULER_LOCK)
        pid = conn.scalar(sa.text("SELECT pg_backend_pid()"))
        said = holder(conn, SCHEDULER_LOCK)
    assert said is not None
    assert said.endswith(f"session {pid}")
    with engine.connect() as conn:
        assert holder(conn, SCHEDULER_LOCK + 1) is None


def test_what_the_profile_asks_of_people_is_said_before_anything_renders_and_stands_in_the_report(
    tmp_path: Path, database_url: str
) -> None:
    script = tmp_path / "tale.txt"
    script.write_text("The fox ran off, and nobody in the village ever saw him again.\n", encoding="utf-8")
    order = Order(script, engine="fake", profile="acx", formats=("vtt",), out=str(tmp_path / "out"))
    said: list[str] = []
    outcome = render(settings_for(tmp_path, database_url), order, SilentView, say=said.append)
    assert outcome.complete, outcome.job.message
    assert said[0].startswith("acx: ACX itself accepts human narration")
    assert outcome.as_json()["profile_notice"] in said[0]
    assert "Before you deliver (acx):" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
