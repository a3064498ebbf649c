"""What one post process works with: its own database engine, the store, a session with a heartbeat."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from db.session import is_transient, make_engine, retry_transient
from db.settings import Settings
from db.store import Store
from workers.heartbeat import Heartbeat, Identity
from workers.outcome import Counters, Session

T = TypeVar("T")


class PostBench:
    """The tools of one post process (or of the post threads of the one-machine mode)."""

    def __init__(self, settings: Settings, database_url: str, name: str) -> None:
        self.settings = settings
        self.name = name
        self.counters = Counters()
        self.store = Store(settings.resolved_store_url)
        self.session = Session(name)
        self.database: sa.Engine = make_engine(
            database_url, pool_size=2, application_name="voicefarm-post", lease_s=settings.lease_s
        )
        self._heartbeat = Heartbeat(
            self.database,
            self.session,
            Identity(name, "post", "", "cpu", 1),
            settings.heartbeat_s,
            counters=self.counters.snapshot,
        )

    def open(self) -> None:
        """Start the heartbeat; its thread opens the session, so that nothing here waits for a database."""
        self._heartbeat.start(open_first=True)

    def close(self) -> None:
        """End the session and let go of the database."""
        self._heartbeat.stop()
        self.database.dispose()

    def transact(self, work: Callable[[sa.Connection], T]) -> T:
        """Run one transaction, again while the database is away. Raises DatabaseUnavailable after a minute."""

        def once() -> T:
            with self.database.begin() as conn:
                return work(conn)

        return retry_transient(once)

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """A directory for one task, on the disk of the farm's home: programmes are too big for a small /tmp."""
        parent = self.settings.home / "work"
        parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix="post-", dir=parent))
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)

    @contextmanager
    def lease(self, renew: Callable[[sa.Connection], bool]) -> Iterator[Lease]:
        """Keep a lease alive while the body runs."""
        lease = Lease(self, renew, self.settings.lease_s / 3)
        lease.start()
        try:
            yield lease
        finally:
            lease.stop()


class Lease:
    """A thread that renews a section's or job's lease, and knows when it was lost."""

    def __init__(self, bench: PostBench, renew: Callable[[sa.Connection], bool], every_s: float) -> None:
        self._bench = bench
        self._renew = renew
        self._every_s = every_s
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    @property
    def lost(self) -> bool:
        """Somebody else may be working on it: the fence will refuse the result."""
        return self._lost.is_set()

    def start(self) -> None:
        """Start renewing."""
        self._thread.start()

    def stop(self) -> None:
        """Stop renewing."""
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                alive = self._once()
            except sa.exc.DBAPIError as error:
                if not is_transient(error):
                    raise
                continue  # the next beat tries again; the server's clock decides whether it came in time
            if not alive:
                self._lost.set()
                return

    def _once(self) -> bool:
        with self._bench.database.begin() as conn:
            return self._renew(conn)


class BenchHolder:
    """One bench per process, made after a fork: connections are never shared with a parent."""

    def __init__(self, make: Callable[[], PostBench]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._bench: PostBench | None = None
        self._pid = 0

    def get(self) -> PostBench:
        """This process's bench."""
        with self._lock:
            if self._bench is None or self._pid != os.getpid():
                self._pid = os.getpid()
                self._bench = self._make()
                self._bench.open()
            return self._bench

    def close(self) -> None:
        """Close this process's bench, if it has one."""
        with self._lock:
            if self._bench is not None and self._pid == os.getpid():
                self._bench.close()
                self._bench = None
