"""Lines per second through the farm: fake engine at 0 ms, real Postgres, real RabbitMQ, one worker process.

    python benchmarks/farm.py [--lines 10000] [--peer-lines 2000] [--import-lines 100000] [--json]

Measured: committing a parsed script; lines from committed to accepted through dispatch, relay, broker, claim, take
store and accept; the same number of tasks per second through a plain Celery group and chord in the same run; CPU of an
idle scheduler; the overhead of rendering one changed line of a 10,000-line book (--rerender). DATABASE_URL and
BROKER_URL name the servers; without them an embedded Postgres and a private RabbitMQ node are started and ended.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy as sa

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from farm import Farm, wait_until  # noqa: E402  (the harness that the tests use)
from rabbitmq import provide  # noqa: E402

from db import migrate  # noqa: E402
from db.records import ImportPlan, JobOptions, PlannedLine, PlannedSection  # noqa: E402
from db.server import EmbeddedPostgres  # noqa: E402
from db.session import make_engine  # noqa: E402

SECTION_LINES = 500
USUAL = {"VOICEFARM_LEASE_S": "30", "VOICEFARM_HEARTBEAT_S": "5", "VOICEFARM_POLL_S": "1"}
"""The settings' defaults: the harness is otherwise in a hurry, for tests."""


@contextlib.contextmanager
def servers(folder: Path) -> Iterator[tuple[str, str]]:
    """URLs of a migrated database and an empty virtual host."""
    broker = provide(dict(os.environ))
    postgres = None if os.environ.get("DATABASE_URL") else EmbeddedPostgres(folder / "postgres")
    try:
        url = os.environ.get("DATABASE_URL") or (postgres.start() if postgres else "")
        migrate.upgrade(url)
        yield url, broker.vhost_url()
    finally:
        broker.close()
        if postgres is not None:
            postgres.remove()


def plan(name: str, count: int, voice_id: int, out: Path) -> ImportPlan:
    """A script of ``count`` different lines of 50 ms each."""
    from db.digest import digest

    def line(number: int) -> PlannedLine:
        text = f"{{dur=50}} line {number} of {name}"
        return PlannedLine(
            key=f"L{number}",
            kind="speech",
            character="narrator",
            text=text,
            spoken=text,
            language="en",
            pause_ms=0,
            voice_id=voice_id,
            engine="fake",
            seed=number,
            digest=digest({"benchmark": name, "line": number}),
        )

    sections = tuple(
        PlannedSection(f"s{first}", "chapter", f"Part {first}", tuple(line(n) for n in range(first, last)))
        for first, last in ((start, min(start + SECTION_LINES, count)) for start in range(0, count, SECTION_LINES))
    )
    return ImportPlan(
        slug=name,
        title=name,
        author="",
        language="en",
        kind="audiobook",
        priority=50,
        source_name=name,
        source_sha256="0" * 64,
        format="csv",
        digest=digest({"benchmark": name, "lines": count}),
        out_url=(out / name).as_uri(),
        profile="audiobook",
        options=JobOptions(formats=("flac",)),
        sections=sections,
    )


def fake_voice(engine: sa.Engine) -> int:
    """Id of the fake engine's voice, registered when no worker did it yet."""
    from synthesis.registry import make_engine as make_speech_engine
    from workers.voices import register_engine_voices

    speech = make_speech_engine("fake")
    with engine.begin() as conn:
        register_engine_voices(conn, speech)
    speech.close()
    with engine.connect() as conn:
        return int(
            conn.scalar(sa.text("SELECT id FROM voice WHERE name = 'fake-1' ORDER BY version DESC LIMIT 1")) or 0
        )


def commit_script(engine: sa.Engine, count: int, voice: int, out: Path) -> dict[str, float]:
    """Seconds to commit a parsed script, in one transaction; the job is cancelled again."""
    from db.queries.imports import import_script
    from db.queries.lines import cancel_job

    prepared = plan("import", count, voice, out)
    started = time.perf_counter()
    with engine.begin() as conn:
        result = import_script(conn, prepared)
    seconds = time.perf_counter() - started
    with engine.begin() as conn:
        cancel_job(conn, result.job_id)
    return {"lines": count, "seconds": round(seconds, 3), "lines_per_s": round(count / seconds)}


def throughput(running: Farm, count: int, voice: int, capacity: int) -> dict[str, float]:
    """Lines per second from committed to accepted, with scheduler and worker already up and idle."""
    from db.queries.imports import import_script

    running.worker("bench", capacity=capacity)
    wait_until(lambda: _live(running) > 0, "the worker", 60)
    with running.engine.begin() as conn:
        result = import_script(conn, plan("throughput", count, voice, running.folder))
    started = time.perf_counter()
    wait_until(lambda: running.done(result.job_id) >= count, "all lines accepted", 600, 0.1)
    with running.engine.connect() as conn:
        span = conn.execute(
            sa.text(
                "SELECT extract(epoch FROM max(t.created_at) - j.created_at) AS whole,"
                " extract(epoch FROM max(t.created_at) - min(t.created_at)) AS flowing"
                " FROM job j, take t JOIN line l ON l.id = t.line_id JOIN section s ON s.id = l.section_id"
                " WHERE j.id = :job AND s.job_id = :job GROUP BY j.created_at"
            ),
            {"job": result.job_id},
        ).one()
    return {
        "lines": count,
        "seconds": round(float(span.whole), 3),
        "lines_per_s": round(count / float(span.whole)),
        "flowing_lines_per_s": round(count / max(float(span.flowing), 1e-9)),
        "observed_s": round(time.perf_counter() - started, 3),
    }


def _live(running: Farm) -> int:
    with running.engine.connect() as conn:
        return int(conn.scalar(sa.text("SELECT count(*) FROM worker_session WHERE ended_at IS NULL")) or 0)


def idle_cpu(pid: int, seconds: float) -> float:
    """Percent of one core a process and its children use over some time."""
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]

    def used() -> float:
        return sum(sum(member.cpu_times()[:2]) for member in family)

    before = used()
    time.sleep(seconds)
    return round(100 * (used() - before) / seconds, 2)


def peer(folder: Path, database_url: str, broker_url: str, count: int) -> dict[str, float]:
    """Lines per second of a plain Celery group and chord, from the first send to the end of its body."""
    driver = database_url.replace("postgresql+psycopg://", "postgresql://").replace(
        "postgresql://", "db+postgresql+psycopg://", 1
    )
    environment = {
        **os.environ,
        "BROKER_URL": broker_url,
        "PEER_BACKEND": driver,
        "PYTHONPATH": str(ROOT / "benchmarks"),
    }
    with (folder / "peer.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "celery_peer", "worker", "-c", str(os.cpu_count()), "-Q", "peer"],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        code = (
            "import json, sys, time, celery_peer\n"
            "celery_peer.submit(2).get(timeout=120)\n"
            "count = int(sys.argv[1])\n"
            "started = time.perf_counter()\n"
            "done = celery_peer.submit(count).get(timeout=900)\n"
            "print(json.dumps([done, time.perf_counter() - started]))\n"
        )
        try:
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", code, str(count)],
                env=environment,
                capture_output=True,
                text=True,
                check=True,
                timeout=1000,
            )
        finally:
            worker.terminate()
            worker.wait(60)
    finished, seconds = json.loads(done.stdout)
    if finished != count:
        raise SystemExit(f"the peer finished {finished} of {count}")
    return {"lines": count, "seconds": round(seconds, 3), "lines_per_s": round(count / seconds)}


def rerender(running: Farm, count: int) -> dict[str, Any]:
    """Submit a book of ``count`` lines, change one line, submit again: what was rendered, and what the rest cost."""
    from farm import sheet

    book = running.folder / "book.csv"
    texts = [f"{{dur=1000}} sentence number {number}" for number in range(count)]
    sheet(book, texts, chapters=100)
    first = running.submit(book, "--slug", "rerender")
    running.wait(first, timeout_s=1800)
    texts[count // 2] = "{dur=1000} a changed sentence"
    sheet(book, texts, chapters=100)
    before = _counts(running)
    started = time.perf_counter()
    second = running.submit(book, "--slug", "rerender")
    submitted = time.perf_counter() - started
    running.wait(second, timeout_s=600)
    seconds = time.perf_counter() - started
    takes, tracks = (after - earlier for after, earlier in zip(_counts(running), before, strict=True))
    return {
        "lines": count,
        "takes_made": takes,
        "tracks_made": tracks,
        "seconds": round(seconds, 2),
        "submit_seconds": round(submitted, 2),
    }


def _counts(running: Farm) -> tuple[int, int]:
    with running.engine.connect() as conn:
        takes = conn.scalar(sa.text("SELECT count(*) FROM take")) or 0
        tracks = conn.scalar(sa.text("SELECT count(*) FROM track")) or 0
    return int(takes), int(tracks)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Everything, in one run."""
    with tempfile.TemporaryDirectory(prefix="vf-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        with servers(folder) as (database_url, broker_url):
            running = Farm(folder / "farm", database_url, broker_url, USUAL)
            engine = make_engine(database_url)
            try:
                voice = fake_voice(engine)
                result: dict[str, Any] = {"commit": commit_script(engine, options.import_lines, voice, folder)}
                scheduler = running.scheduler()
                wait_until(lambda: scheduler.popen.poll() is None, "the scheduler")
                result["farm"] = throughput(running, options.lines, voice, options.capacity)
                time.sleep(2)
                result["idle_scheduler_cpu_percent"] = idle_cpu(scheduler.pid, options.idle)
                result["celery_chord"] = peer(folder, database_url, broker_url, options.peer_lines)
                result["ratio"] = round(result["farm"]["lines_per_s"] / result["celery_chord"]["lines_per_s"], 2)
                if options.rerender:
                    running.start("post", "worker", "--post", "--concurrency", "2", "--name", "post")
                    result["rerender"] = rerender(running, options.rerender)
            finally:
                running.close()
                engine.dispose()
    return result


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=10_000, help="lines through the farm")
    parser.add_argument("--peer-lines", type=int, default=2_000, help="lines through the plain Celery chord")
    parser.add_argument("--import-lines", type=int, default=100_000, help="lines of the script that is committed")
    parser.add_argument("--capacity", type=int, default=256, help="batch capacity of the fake engine")
    parser.add_argument("--idle", type=float, default=20.0, help="seconds over which the idle scheduler is watched")
    parser.add_argument("--rerender", type=int, default=0, help="also: change one line of a book of this many lines")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    result = measure(options)
    if options.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
