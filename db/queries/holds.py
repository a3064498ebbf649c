"""Holds that are not placed by a line's failure: on the store, by post work that could not keep or read a file."""

from __future__ import annotations

import sqlalchemy as sa

from db.failures import POLICIES, Scope
from db.states import FailureClass

PLACE = sa.text("""
INSERT INTO hold (scope, key, reason, failure_class, until)
VALUES (:scope, '', :reason, :failure, now() + make_interval(secs => :delay_s))
ON CONFLICT (scope, key) DO UPDATE
SET reason = excluded.reason, failure_class = excluded.failure_class, until = greatest(hold.until, excluded.until)""")
"""Places a hold, or prolongs the one there is."""

STORE_HELD = f"EXISTS (SELECT FROM hold WHERE scope = '{Scope.STORE}' AND until > now())"
"""SQL: whether the store is on hold now."""


def hold_store(conn: sa.Connection, reason: str) -> None:
    """Pause the store as a line that it refused would: nothing is dispatched or assembled until the hold ends."""
    failure = FailureClass.STORE_FULL
    policy = POLICIES[failure]
    values = {"scope": policy.scope.value, "failure": failure.value, "delay_s": policy.delay.total_seconds()}
    conn.execute(PLACE, values | {"reason": reason})
