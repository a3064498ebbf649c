"""The scheduler process: every loop and every clock of scheduling is in this file.

One thread leads: it dispatches, and every poll it reaps, reconciles and releases holds. A second thread relays the
outbox, so that a broker that is down or slow keeps nothing else waiting. NOTIFY wakes both at once; the poll is the
truth. A database that is away is waited for, with back-off; the process never ends because of it.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from celery import Celery
from psycopg import Error as DriverError
from sqlalchemy.exc import SQLAlchemyError

from db.errors import DatabaseError
from db.notify import Listener
from db.queries import dispatch, reaper
from db.session import make_engine
from db.settings import Settings
from scheduler.backoff import Backoff
from scheduler.dispatching import quotas
from scheduler.leader import Leadership
from scheduler.publisher import Publisher, make_publisher
from scheduler.relay import Relay

log = logging.getLogger(__name__)

DATABASE_ERRORS: tuple[type[Exception], ...] = (SQLAlchemyError, DriverError, DatabaseError)
BREATH_S = 0.002
"""Between two turns while work flows: notifications of several commits become one turn."""
REPAIR_EVERY_S = 60.0
PRUNE_EVERY_S = 3600.0


@dataclass(slots=True)
class Chore:
    """Something done every so often; ``due`` is on the monotonic clock."""

    name: str
    every_s: float
    run: Callable[[sa.Connection], int]
    due: float = 0.0


class Scheduler:
    """Decides what is rendered next, until told to stop."""

    def __init__(
        self, settings: Settings, database_url: str, app: Celery, *, publisher: Publisher | None = None
    ) -> None:
        self._settings = settings
        self._url = database_url
        self._engine = make_engine(
            database_url, pool_size=2, application_name="voicefarm-scheduler", lease_s=settings.lease_s
        )
        self._leadership = Leadership(self._engine, settings.lease_s)
        self._relay = Relay(self._engine, publisher or make_publisher(app))
        self._listener: Listener | None = None
        self._outbox_filled = threading.Event()
        self._leading = threading.Event()
        self._chores = self._make_chores()

    @property
    def leads(self) -> bool:
        """Whether this scheduler is the active one."""
        return self._leading.is_set()

    def run(self, stop: threading.Event) -> None:
        """Schedule until ``stop`` is set; notices it within one poll. Leaves no thread and no connection behind."""
        relaying = threading.Thread(target=self._relay_until, args=(stop,), name="relay", daemon=True)
        relaying.start()
        outage = Backoff(first_s=0.2, most_s=5.0)
        try:
            while not stop.is_set():
                try:
                    busy = self._turn()
                    outage.succeeded()
                    self._rest(stop, busy)
                except DATABASE_ERRORS as error:
                    self._database_away(error, outage, stop)
        finally:
            self._leading.clear()
            self._outbox_filled.set()
            relaying.join()
            self._relay.close()
            self._close()
            self._engine.dispose()

    # --- one turn of the leading thread ---

    def _turn(self) -> bool:
        """Do what is due; returns whether lines were dispatched. A scheduler that does not lead does nothing."""
        if not self._leadership.look():
            self._leading.clear()
            return False
        if not self._leading.is_set():
            self._leading.set()
            self._outbox_filled.set()
        self._do_chores()
        dispatched = self._dispatch()
        if dispatched:
            self._outbox_filled.set()
        return dispatched > 0

    def _dispatch(self) -> int:
        lease_s = self._settings.lease_s
        total = 0
        with self._engine.begin() as conn:
            capacity = dispatch.capacity(conn, lease_s)
            if not capacity:
                return 0
            wanted = quotas(capacity, dispatch.in_flight(conn), factor=self._settings.window_factor)
            if not wanted:
                return 0
            voices = dispatch.loaded_voices(conn, lease_s)
            for quota in wanted:
                loaded = voices.get(quota.engine, set())
                total += dispatch.dispatch(conn, quota.engine, quota.lines, prefer_voices=loaded)
        return total

    def _do_chores(self) -> None:
        now = time.monotonic()
        for chore in self._chores:
            if now < chore.due:
                continue
            with self._engine.begin() as conn:
                count = chore.run(conn)
            chore.due = time.monotonic() + chore.every_s
            if count:
                log.info("%s: %d", chore.name, count)
                self._outbox_filled.set()

    def _make_chores(self) -> tuple[Chore, ...]:
        lease_s, queue_s, poll_s = self._settings.lease_s, self._settings.queue_timeout_s, self._settings.poll_s
        return (
            Chore("lines of dead sessions taken back", poll_s, lambda conn: reaper.reap_sessions(conn, lease_s)),
            Chore("sections and jobs of dead sessions taken back", poll_s, reaper.reap_post),
            Chore("holds released", poll_s, reaper.release_holds),
            Chore("lost lines dispatched again", poll_s, lambda conn: reaper.requeue_lost(conn, queue_s)),
            Chore("lost post work asked for again", poll_s, lambda conn: reaper.reconcile_post(conn, queue_s)),
            Chore("counters repaired", REPAIR_EVERY_S, reaper.repair_counters),
            Chore("old rows pruned", PRUNE_EVERY_S, reaper.prune),
        )

    def _rest(self, stop: threading.Event, busy: bool) -> None:
        if busy:
            stop.wait(BREATH_S)
            return
        if self._listener is None:
            self._listener = Listener(self._url)
        if self._listener.wait(self._settings.poll_s):
            self._outbox_filled.set()
            stop.wait(BREATH_S)

    def _database_away(self, error: Exception, outage: Backoff, stop: threading.Event) -> None:
        if not outage.failures:
            reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
            log.warning("the database does not do what is asked (%s); trying again until it does", reason)
        self._leading.clear()
        self._close()
        stop.wait(outage.failed())

    def _close(self) -> None:
        self._leadership.resign()
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(*DATABASE_ERRORS):
                listener.close()

    # --- the relaying thread ---

    def _relay_until(self, stop: threading.Event) -> None:
        outage = Backoff(first_s=0.2, most_s=5.0)
        while not stop.is_set():
            if not self._leading.is_set():
                self._leading.wait(self._settings.poll_s)
                continue
            self._outbox_filled.clear()
            try:
                done = self._relay.step()
                outage.succeeded()
            except DATABASE_ERRORS as error:
                log.debug("relay: %s", error)  # the leading thread reports the outage
                stop.wait(outage.failed())
                continue
            if not done.more:
                self._outbox_filled.wait(self._settings.poll_s)
