"""NOTIFY as a hint: it saves waiting for the next poll, and nothing is lost when it is."""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType

import psycopg
import sqlalchemy as sa

from db.session import plain_url

CHANNEL = "voicefarm"

log = logging.getLogger(__name__)


def notify(conn: sa.Connection) -> None:
    """Tell every listener, when this transaction commits, that there may be something to do."""
    conn.execute(sa.text("SELECT pg_notify(:channel, '')"), {"channel": CHANNEL})


class Listener:
    """Waits for hints on a connection of its own, opened at the first wait and opened again after it was lost."""

    def __init__(self, url: str) -> None:
        self._url = plain_url(url)
        self._connection: psycopg.Connection | None = None
        self._idle = threading.Event()

    def __enter__(self) -> Listener:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def wait(self, timeout_s: float) -> bool:
        """Wait for a hint, at most ``timeout_s`` seconds; several hints that came together are one.

        A database that cannot be reached is the same as no hint: the full time passes, then False. The first call
        after a connection was made returns True at once, for what happened before nobody was listening.
        """
        deadline = time.monotonic() + timeout_s
        try:
            if self._connection is None:
                self._connection = psycopg.connect(
                    self._url, autocommit=True, connect_timeout=5, application_name="voicefarm-listen"
                )
                self._connection.execute(f"LISTEN {CHANNEL}")
                return True
            heard = list(self._connection.notifies(timeout=max(0.0, timeout_s), stop_after=1))
            if heard:
                list(self._connection.notifies(timeout=0))
            return bool(heard)
        except psycopg.OperationalError as error:
            log.warning("not listening: %s", error)
            self.close()
            self._idle.wait(max(0.0, deadline - time.monotonic()))
            return False

    def close(self) -> None:
        """Stop listening."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
