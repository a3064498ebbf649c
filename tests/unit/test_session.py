"""URLs in any spelling, and one retry loop."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import exc

from db.errors import DatabaseUnavailable
from db.session import normalise_url, plain_url, retry_transient


@pytest.mark.parametrize(
    "url", ["postgresql://u:p%40@h:5/d", "postgres://u:p%40@h:5/d", "postgresql+psycopg2://u:p%40@h:5/d"]
)
def test_spellings(url: str) -> None:
    assert normalise_url(url).render_as_string(hide_password=False) == "postgresql+psycopg://u:p%40@h:5/d"
    assert plain_url(url) == "postgresql://u:p%40@h:5/d"


class Clock:
    """Time that passes only in sleep."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def _wrapped(error: psycopg.Error) -> exc.DBAPIError:
    kind = exc.OperationalError if isinstance(error, psycopg.OperationalError) else exc.IntegrityError
    return kind("SELECT 1", {}, error)


def _failing(times: int, error: Exception) -> tuple[list[int], object]:
    calls: list[int] = []

    def run() -> str:
        calls.append(1)
        if len(calls) <= times:
            raise error
        return "done"

    return calls, run


@pytest.mark.parametrize(
    "error",
    [
        _wrapped(psycopg.OperationalError("server closed the connection unexpectedly")),
        _wrapped(psycopg.errors.DeadlockDetected()),
        _wrapped(psycopg.errors.SerializationFailure()),
        _wrapped(psycopg.errors.LockNotAvailable()),
        _wrapped(psycopg.errors.AdminShutdown()),
        _wrapped(psycopg.errors.CannotConnectNow()),
        psycopg.errors.AdminShutdown(),
    ],
    ids=lambda error: type(getattr(error, "orig", error)).__name__,
)
def test_trouble_that_passes_is_waited_out(error: Exception) -> None:
    clock = Clock()
    calls, run = _failing(4, error)
    assert retry_transient(run, sleep=clock.sleep, clock=clock) == "done"
    assert len(calls) == 5
    assert 0 < clock.now < 2


@pytest.mark.parametrize(
    "error",
    [_wrapped(psycopg.errors.UniqueViolation()), _wrapped(psycopg.errors.InvalidPassword()), ValueError("ours")],
    ids=lambda error: type(getattr(error, "orig", error)).__name__,
)
def test_trouble_that_stays_is_not_retried(error: Exception) -> None:
    calls, run = _failing(9, error)
    with pytest.raises(type(error)):
        retry_transient(run, sleep=Clock().sleep)
    assert len(calls) == 1


def test_patience_ends() -> None:
    clock = Clock()
    _, run = _failing(10_000, _wrapped(psycopg.OperationalError("no route")))
    with pytest.raises(DatabaseUnavailable, match="no route") as caught:
        retry_transient(run, deadline_s=10, attempts=1000, sleep=clock.sleep, clock=clock)
    assert 10 <= clock.now <= 13.1
    assert caught.value.attempts < 30
    with pytest.raises(DatabaseUnavailable):
        retry_transient(run, attempts=2, sleep=clock.sleep, clock=clock)
