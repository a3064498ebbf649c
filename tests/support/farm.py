"""A whole farm in processes of its own, for tests that end, stop and restart its parts.

Commands are the ones that people and the compose file use. Every process gets short leases so that recovery is seen
within seconds; everything lives below one folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import sqlalchemy as sa
from checker import violations
from commands import voicefarm

from db.queries import status
from db.records import JobProgress
from db.session import make_engine
from db.store import Store

SUPPORT = Path(__file__).parent
LEASE_S = 3.0
POLL_S = 0.25
ENDED = ("delivered", "failed", "cancelled")
WORDS = ("north", "river", "candle", "seven", "harbour", "winter", "paper", "lantern")


def wait_until(
    condition: Callable[[], bool], what: str | Callable[[], str], timeout_s: float = 30.0, step_s: float = 0.05
) -> None:
    """Poll until the condition holds; fail naming what was waited for, by then."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s:.0f} s in vain: {what if isinstance(what, str) else what()}")
        time.sleep(step_s)


@dataclass
class Process:
    """One command of the farm."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.popen.pid

    def tree(self) -> list[psutil.Process]:
        """The process and its descendants."""
        with contextlib.suppress(psutil.NoSuchProcess):
            main = psutil.Process(self.pid)
            return [main, *main.children(recursive=True)]
        return []

    def signal(self, number: int) -> None:
        """Send a signal to the process and its descendants."""
        for process in self.tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL the whole tree and wait for it."""
        self.signal(signal.SIGKILL)
        self.popen.wait(30)

    def terminate(self, timeout_s: float = 30.0) -> int:
        """SIGTERM and wait; returns the exit status."""
        if self.popen.poll() is None:
            self.popen.terminate()
        try:
            return self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f"{self.name} did not end within {timeout_s:.0f} s of SIGTERM:\n{self.tail()}"
            ) from None

    def tail(self, lines: int = 40) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@dataclass
class Farm:
    """Scheduler, line workers and post worker around a given Postgres and RabbitMQ."""

    folder: Path
    database_url: str
    broker_url: str
    extra: dict[str, str] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.store = Store((self.folder / "store").absolute().as_uri())
        self.engine = make_engine(self.database_url, pool_size=2, application_name="test")
        self.run("db", "upgrade")  # the first command of every farm: it also registers the voices that engines bring

    @property
    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("VOICEFARM_", "PYTEST"))}
        return {
            **kept,
            "DATABASE_URL": self.database_url,
            "BROKER_URL": self.broker_url,
            "VOICEFARM_HOME": str(self.folder / "home"),
            "VOICEFARM_STORE_URL": (self.folder / "store").absolute().as_uri(),
            "VOICEFARM_LEASE_S": str(LEASE_S),
            "VOICEFARM_HEARTBEAT_S": "0.5",
            "VOICEFARM_POLL_S": str(POLL_S),
            "VOICEFARM_QUEUE_TIMEOUT_S": "4",
            "VOICEFARM_WATCHDOG_S": "6",
            **self.extra,
        }

    def start(self, name: str, *arguments: str, mutation: str | None = None) -> Process:
        """Start ``voicefarm …``; with a mutation, a farm with one of its safeguards taken out (see mutants.py)."""
        command = [sys.executable, "-m", "scheduler.cli", *arguments]
        if mutation is not None:
            command = [sys.executable, str(SUPPORT / "mutants.py"), mutation, *arguments]
        log = self.folder / f"{len(self.processes):02}-{name}.log"
        with log.open("wb") as out:
            popen = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
            )
        process = Process(name, popen, log)
        self.processes.append(process)
        return process

    def scheduler(self, mutation: str | None = None) -> Process:
        return self.start("scheduler", "scheduler", mutation=mutation)

    def worker(self, name: str = "w1", capacity: int = 4, mutation: str | None = None) -> Process:
        return self.start(
            name,
            *("worker", "--engine", "fake", "--device", "cpu", "--capacity", str(capacity), "--name", name),
            mutation=mutation,
        )

    def post(self, mutation: str | None = None) -> Process:
        return self.start("post", "worker", "--post", "--concurrency", "1", "--name", "post", mutation=mutation)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, in this process."""
        done = voicefarm(*arguments, folder=self.folder, env=self.environment)
        if done.returncode != 0:
            raise AssertionError(f"voicefarm {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
        return done

    def submit(self, script: Path, *options: str) -> int:
        """Hand a script in with the fake voice; returns the job's id."""
        done = self.run(
            *("submit", str(script), "-o", str(self.folder / "out"), "--engine", "fake", "--voice", "fake-1"),
            *("--formats", "flac,vtt", "--json", *options),
        )
        return int(json.loads(done.stdout)["job_id"])

    def job(self, job_id: int) -> JobProgress:
        with self.engine.connect() as conn:
            return status.job(conn, job_id)

    def wait(self, job_id: int, timeout_s: float = 60.0, states: Sequence[str] = ENDED) -> JobProgress:
        """Wait until the job rests."""
        wait_until(
            lambda: self._state(job_id) in states,
            lambda: f"job {job_id} in one of {states}; it is {self.describe(job_id)}",
            timeout_s,
            0.1,
        )
        return self.job(job_id)

    def _state(self, job_id: int) -> str | None:
        try:
            return self.job(job_id).state
        except sa.exc.DBAPIError:  # the database itself may be down: that is what some tests do
            return None

    def done(self, job_id: int) -> int:
        """Lines accepted or skipped so far; -1 while the database does not answer."""
        try:
            return self.job(job_id).done
        except sa.exc.DBAPIError:
            return -1

    def count(self, job_id: int, state: str) -> int:
        """Lines of the job in one state."""
        try:
            return self.job(job_id).lines.get(state, 0)
        except sa.exc.DBAPIError:
            return -1

    def describe(self, job_id: int) -> str:
        """What is known when a wait was in vain."""
        logs = "\n".join(f"--- {p.name} (exit {p.popen.poll()})\n{p.tail(15)}" for p in self.processes)
        try:
            return f"{self.job(job_id)}\n{logs}"
        except sa.exc.DBAPIError as error:
            return f"{error}\n{logs}"

    def broken_rules(self, job_id: int, expected_lines: int) -> list[str]:
        """What the checker finds."""
        with self.engine.connect() as conn:
            return violations(conn, self.store, job_id, expected_lines)

    def close(self) -> None:
        """End everything that still runs."""
        for process in self.processes:
            if process.popen.poll() is None:
                process.kill()
        self.engine.dispose()


@contextlib.contextmanager
def farm(folder: Path, database_url: str, broker_url: str, **extra: str) -> Iterator[Farm]:
    """A farm that is ended when the test is."""
    made = Farm(folder, database_url, broker_url, extra)
    try:
        yield made
    finally:
        made.close()


def sheet(path: Path, lines: Sequence[str], chapters: int = 2) -> Path:
    """A CSV script of these lines, spread over chapters in order."""
    per = -(-len(lines) // chapters)
    rows = ["id,chapter,character,text"]
    rows += [f'L{i:04},Chapter {i // per + 1},narrator,"{text}"' for i, text in enumerate(lines)]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def speakable(number: int, markers: str = "{dur=150}{slow=250}") -> str:
    """A line that no other line equals: equal lines share one take."""
    return f"{markers} {WORDS[number % len(WORDS)]} number {number}"
