"""When a hold is over and what then goes on; and the hold on the store that post work places. Lines place their own."""

from __future__ import annotations

import sqlalchemy as sa

from db.failures import POLICIES, Scope
from db.notify import notify
from db.queries._moves import PERSON, line_move
from db.states import FailureClass, LineState

PLACE = sa.text("""
INSERT INTO hold (scope, key, reason, failure_class, until)
VALUES (:scope, '', :reason, :failure, now() + make_interval(secs => :delay_s))
ON CONFLICT (scope, key) DO UPDATE
SET reason = excluded.reason, failure_class = excluded.failure_class, until = greatest(hold.until, excluded.until)""")
"""Places a hold, or prolongs the one there is."""

STORE_HELD = f"EXISTS (SELECT FROM hold WHERE scope = '{Scope.STORE}' AND until > now())"
"""SQL: whether the store is on hold now."""


OVER = f"""(h.until <= now() OR (h.scope = '{Scope.VOICE}' AND h.failure_class = '{FailureClass.CONSENT_REVOKED}'
    AND EXISTS (SELECT FROM consent c WHERE c.voice_id::text = h.key AND c.revoked_at IS NULL
                  AND (c.expires_at IS NULL OR c.expires_at > now()))))"""
"""SQL: whether hold ``h`` is over: its time has come, or the consent it waited for is there.

The second also ends a hold that is placed just after the consent was granted, by a worker that claimed before it.
"""

FREE = f"""NOT EXISTS (SELECT FROM hold h WHERE NOT {OVER}
    AND (h.scope = '{Scope.STORE}' OR (h.scope = '{Scope.VOICE}' AND h.key = l.voice_id::text)))"""
"""SQL: whether nothing holds line ``l``."""

RELEASE_VOICE = line_move(
    to=LineState.PENDING, froms=[LineState.HELD], where=f"l.voice_id = CAST(:voice_id AS bigint) AND {FREE}"
)
"""Held lines of a voice that nothing holds any more."""

DROP_VOICE = sa.text(f"DELETE FROM hold h WHERE h.scope = '{Scope.VOICE}' AND h.key = :key AND {OVER} RETURNING h.id")
"""A voice's hold, when it is over."""


def release_voice(conn: sa.Connection, voice_id: int) -> int:
    """End a voice's hold if it is over, and make its lines pending; returns lines moved."""
    rows = conn.execute(RELEASE_VOICE, {"voice_id": voice_id, "actor": PERSON}).all()
    dropped = conn.execute(DROP_VOICE, {"key": str(voice_id)}).all()  # after the lines: holds are locked last
    if rows or dropped:
        notify(conn)
    return len(rows)


def hold_store(conn: sa.Connection, reason: str) -> None:
    """Pause the store as a line that it refused would: nothing is dispatched or assembled until the hold ends."""
    failure = FailureClass.STORE_FULL
    policy = POLICIES[failure]
    values = {"scope": policy.scope.value, "failure": failure.value, "delay_s": policy.delay.total_seconds()}
    conn.execute(PLACE, values | {"reason": reason})
