"""One active scheduler: whoever holds the advisory lock. The lock lives exactly as long as its database session."""

from __future__ import annotations

import contextlib
import logging
import math

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from db.locks import SCHEDULER_LOCK, try_lock
from db.session import LOCK_TIMEOUT_MS

log = logging.getLogger(__name__)


class Leadership:
    """The wish to be the active scheduler, on a connection of its own.

    Every step of the scheduler is safe without the lock (rows are claimed under SKIP LOCKED or fenced); the lock only
    keeps two schedulers from doing the same work twice. With a lease (seconds) the server ends a session that was not
    looked at for that long and the longest wait for a row: a scheduler that was stopped, not killed, is succeeded too.
    """

    def __init__(self, engine: sa.Engine, lease_s: float | None = None) -> None:
        self._engine = engine
        self._idle_ms = 0 if lease_s is None else math.ceil(lease_s * 1000) + LOCK_TIMEOUT_MS
        self._session: sa.Connection | None = None
        self._leads = False

    @property
    def leads(self) -> bool:
        """Whether the last look found the lock held by us."""
        return self._leads

    def look(self) -> bool:
        """Take the lock if it is free, or check that the session holding it still lives.

        Raises SQLAlchemyError when the database is away; leadership is then given up.
        """
        try:
            if self._session is None:
                self._session = self._open()
            if self._leads:
                self._session.execute(sa.text("SELECT 1"))
            elif try_lock(self._session, SCHEDULER_LOCK):
                self._leads = True
                log.info("this scheduler is active now")
        except SQLAlchemyError:
            self.resign()
            raise
        return self._leads

    def resign(self) -> None:
        """Give the lock up by closing its session. Safe to call twice."""
        session, self._session, self._leads = self._session, None, False
        if session is not None:
            with contextlib.suppress(SQLAlchemyError):
                session.close()

    def _open(self) -> sa.Connection:
        session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        session.detach()  # a pooled connection would outlive close(), and keep the lock with it
        # a host that vanished must not hold the lock for the hours TCP waits by default
        session.execute(
            sa.text(
                "SELECT set_config('tcp_keepalives_idle', '10', false), "
                "set_config('tcp_keepalives_interval', '5', false), set_config('tcp_keepalives_count', '3', false), "
                "set_config('idle_session_timeout', :idle_ms, false)"
            ),
            {"idle_ms": str(self._idle_ms)},
        )
        return session
