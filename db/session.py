"""Engines and the one retry loop around transactions."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from typing import TypeVar

import psycopg
import sqlalchemy as sa
from sqlalchemy import exc

from db.errors import BadDatabaseUrl, DatabaseUnavailable

LOCK_TIMEOUT_MS = 5_000
STATEMENT_TIMEOUT_MS = 30_000
IDLE_IN_TRANSACTION_MS = 60_000

_T = TypeVar("_T")


def normalise_url(url: str) -> sa.URL:
    """Parse a PostgreSQL URL in any of its usual spellings into one that SQLAlchemy opens with psycopg 3."""
    try:
        parsed = sa.make_url(url)
    except exc.ArgumentError as error:
        raise BadDatabaseUrl(url) from error
    if parsed.drivername.split("+")[0] not in {"postgresql", "postgres"}:
        raise BadDatabaseUrl(parsed.render_as_string(hide_password=True))
    return parsed.set(drivername="postgresql+psycopg")


def plain_url(url: str) -> str:
    """Spell a database URL the way libpq (psycopg.connect, psql) reads it. Contains the password."""
    return normalise_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def make_engine(
    url: str, *, pool_size: int = 5, application_name: str = "voicefarm", lease_s: float | None = None
) -> sa.Engine:
    """Make an engine: psycopg 3, READ COMMITTED, UTC, and time limits on locks, statements and idle transactions.

    A session that waits for a lock longer than 5 s, or runs a statement longer than 30 s, fails with an
    ``OperationalError`` that ``retry_transient`` tries again. The server ends a transaction left idle for 60 s; that of
    a process with a lease when the lease is over: stopped between two statements, it would keep rows that others wait
    for. Nothing is connected before the first use.
    """
    idle_ms = IDLE_IN_TRANSACTION_MS if lease_s is None else min(IDLE_IN_TRANSACTION_MS, math.ceil(lease_s * 1000))
    parsed = normalise_url(url)
    options = [
        f"-c lock_timeout={LOCK_TIMEOUT_MS}",
        f"-c statement_timeout={STATEMENT_TIMEOUT_MS}",
        f"-c idle_in_transaction_session_timeout={idle_ms}",
        "-c timezone=UTC",
    ]
    given = parsed.query.get("options")
    if isinstance(given, str):  # what the operator wrote comes last and wins
        options.append(given)
    return sa.create_engine(
        parsed,
        isolation_level="READ COMMITTED",
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        connect_args={
            "application_name": application_name,
            "connect_timeout": 10,
            "options": " ".join(options),
            # a peer that vanished without a word is noticed within half a minute
            "keepalives_idle": 15,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
        },
    )


def is_transient(error: BaseException) -> bool:
    """Whether running the whole transaction again may help: no connection, deadlock, time limit, restart."""
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    if isinstance(cause, psycopg.OperationalError):
        state = cause.sqlstate or ""
        # 28: wrong password, 3D: no such database, 53100: disk full. Waiting does not cure the first two
        return not state.startswith(("28", "3D"))
    if isinstance(cause, psycopg.errors.IdleInTransactionSessionTimeout):  # an InternalError to psycopg
        return True
    return isinstance(error, exc.DBAPIError) and error.connection_invalidated


def retry_transient(
    fn: Callable[[], _T],
    *,
    attempts: int = 30,
    deadline_s: float = 60.0,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> _T:
    """Run ``fn`` (one whole transaction) until it succeeds, at most ``attempts`` times within ``deadline_s`` seconds.

    Raises DatabaseUnavailable when both patience and attempts are spent; any error that is not transient at once.
    """
    started = clock()
    for attempt in range(1, attempts + 1):
        try:
            return fn()
        except (exc.DBAPIError, psycopg.Error) as error:  # the latter from COPY, which goes past SQLAlchemy
            if not is_transient(error):
                raise
            waited = clock() - started
            if attempt == attempts or waited >= deadline_s:
                raise DatabaseUnavailable(attempt, waited, str(getattr(error, "orig", error)).strip()) from error
            pause = min(3.0, 0.05 * 2 ** (attempt - 1)) * random.uniform(0.5, 1.0)
            sleep(min(pause, max(0.0, deadline_s - waited)))
    raise DatabaseUnavailable(attempts, clock() - started, "no attempt was allowed")
