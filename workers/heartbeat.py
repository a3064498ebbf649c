"""One thread that says 'alive' on a connection of its own: the lease of every line the worker holds."""

from __future__ import annotations

import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from db.queries import workers
from db.session import is_transient
from workers.outcome import Session

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a worker says about itself."""

    name: str
    kind: str
    """line or post."""
    engine: str
    device: str
    capacity: int


def open_session(conn: sa.Connection, session_id: uuid.UUID, who: Identity) -> None:
    """Start a session and end the earlier ones of this name: what they held is reaped at once, not after the lease."""
    workers.end_previous(conn, who.name, session_id)
    workers.start(
        conn, session_id, who.name, who.kind, who.engine, who.device, who.capacity, socket.gethostname(), os.getpid()
    )


class Heartbeat:
    """Beats until stopped; opens a new session when the reaper ended the current one."""

    def __init__(
        self,
        engine: sa.Engine,
        session: Session,
        who: Identity,
        every_s: float,
        *,
        voices: Callable[[], Sequence[str]] = list,
        counters: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self._engine = engine
        self._session = session
        self._who = who
        self._every_s = every_s
        self._voices = voices
        self._counters = counters
        self._stop = threading.Event()
        self._opened = True
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def open(self) -> None:
        """Open the first session. Raises what the database raises."""
        with self._engine.begin() as conn:
            open_session(conn, self._session.id, self._who)

    def start(self, *, open_first: bool = False) -> None:
        """Start beating; ``open_first`` lets the thread open the session, however long the database is away."""
        self._opened = not open_first
        self._thread.start()

    def stop(self) -> None:
        """Beat no more, and end the session if the database answers."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(10)
        try:
            with self._engine.begin() as conn:
                workers.end(conn, self._session.id)
        except sa.exc.DBAPIError as error:
            if not is_transient(error):
                raise
            log.warning("the session was not ended, it will expire: %s", str(error.orig).strip())

    def _run(self) -> None:
        while not self._stop.wait(self._every_s if self._opened else 0.0):
            try:
                if self._opened:
                    self.beat()
                else:
                    self.open()
                    self._opened = True
            except sa.exc.DBAPIError as error:
                if not is_transient(error):
                    raise
                log.warning("no heartbeat, the database is away: %s", str(error.orig).strip())
                self._stop.wait(1.0)

    def beat(self) -> None:
        """Say 'alive' once. Raises what the database raises."""
        with self._engine.begin() as conn:
            if workers.beat(conn, self._session.id, list(self._voices()), dict(self._counters())):
                return
            fresh = uuid.uuid4()
            workers.start(
                conn,
                fresh,
                self._who.name,
                self._who.kind,
                self._who.engine,
                self._who.device,
                self._who.capacity,
                socket.gethostname(),
                os.getpid(),
            )
        log.warning("the session was ended while this worker was silent: lines in flight are superseded, going on anew")
        self._session.renew(fresh)
