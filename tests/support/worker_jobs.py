"""Small jobs for the tests of the workers, and a hand-driven scheduler that dispatches and publishes them."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import sqlalchemy as sa
from celery import Celery

from db.digest import line_digest, seed_for, voice_digest
from db.queries import dispatch, outbox
from db.queries.imports import import_script
from db.records import ImportPlan, ImportResult, JobOptions, PlannedLine, PlannedSection
from scheduler.publisher import Publisher, make_publisher
from synthesis.fake import FakeEngine
from workers.app import declare_queues
from workers.voices import register_engine_voices


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 40.0, step_s: float = 0.02) -> None:
    """Poll until the condition holds; fail naming what was waited for."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s:.0f} s in vain: {what}")
        time.sleep(step_s)


def fake_job(
    conn: sa.Connection, texts: Sequence[str], out: Path, *, sections: int = 2, options: JobOptions | None = None
) -> ImportResult:
    """Import a job of fake lines, spread over sections in order."""
    register_engine_voices(conn, FakeEngine())
    voice_id = conn.scalar(sa.text("SELECT id FROM voice WHERE name = 'fake-1'"))
    voice = voice_digest("fake-1", 1, "fake", "1", {})
    size = -(-len(texts) // sections)

    def line(number: int, text: str) -> PlannedLine:
        seed = seed_for("test", str(number))
        digest = line_digest(text, "en", voice, {}, "fake", "1", seed)
        return PlannedLine(
            key=f"l{number}", kind="speech", character="narrator", text=text, spoken=text, language="en", pause_ms=100,
            voice_id=int(voice_id or 0), engine="fake", seed=seed, digest=digest,
        )  # fmt: skip

    planned = tuple(
        PlannedSection(f"s{at}", "chapter", f"Chapter {at + 1}", tuple(
            line(at * size + number, text) for number, text in enumerate(texts[at * size : (at + 1) * size])
        ))
        for at in range(sections)
    )  # fmt: skip
    sha = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    plan = ImportPlan(
        slug="test", title="A Test", author="Nobody", language="en", kind="audiobook", priority=50,
        source_name="test.txt", source_sha256=sha, format="text", digest=sha, out_url=out.as_uri(), profile="audiobook",
        options=options or JobOptions(), sections=planned,
    )  # fmt: skip
    return import_script(conn, plan)


class Pump:
    """Dispatches and publishes once per call: what the scheduler does, without its clocks."""

    def __init__(self, engine: sa.Engine, app: Celery, *, copies: int = 1) -> None:
        self._engine = engine
        self._publisher: Publisher = make_publisher(app)
        self._copies = copies
        declare_queues(app, ["fake"])

    def __call__(self, limit: int = 1000) -> int:
        """Returns how many messages went out."""
        with self._engine.begin() as conn:
            dispatch.dispatch(conn, "fake", limit)
        with self._engine.begin() as conn:  # a message must not overtake the commit it speaks of
            rows = outbox.fetch(conn, 5000)
            for _ in range(self._copies if rows else 0):
                self._publisher.publish(rows)
            outbox.delete(conn, [row.id for row in rows])
            return len(rows)

    def close(self) -> None:
        """Let go of the broker."""
        self._publisher.close()


def line_states(engine: sa.Engine) -> Counter[str]:
    """How many lines are in each state."""
    with engine.connect() as conn:
        rows = conn.execute(sa.text("SELECT state, count(*) FROM line GROUP BY state"))
        return Counter({str(state): int(count) for state, count in rows})


def job_state(engine: sa.Engine, job_id: int) -> str:
    """The job's state."""
    with engine.connect() as conn:
        return str(conn.scalar(sa.text("SELECT state FROM job WHERE id = :id"), {"id": job_id}))


def takes_per_line(engine: sa.Engine) -> Counter[int]:
    """How many lines have 1 take, 2 takes …"""
    with engine.connect() as conn:
        counts = conn.scalars(sa.text("SELECT count(*) FROM take GROUP BY line_id"))
        return Counter(int(count) for count in counts)
