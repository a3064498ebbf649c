"""Empties the outbox into the broker.

A row is deleted in the transaction that fetched it, after the broker confirmed its message. Killed in between, the row
is still there and the message goes out twice, which the fence makes harmless.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from db.queries import outbox
from db.records import OutboxRow
from scheduler.backoff import Backoff
from scheduler.publisher import BrokerDown, Publisher

log = logging.getLogger(__name__)

BATCH = 500
LOOK_AHEAD = 5_000
"""Rows looked at when full queues keep the oldest ones from going out."""


@dataclass(frozen=True, slots=True)
class Relayed:
    """What one step of the relay did."""

    confirmed: int
    refused: int
    more: bool
    """The outbox had a whole batch: there is probably more."""


class Relay:
    """One step at a time; whoever calls ``step`` owns the clock.

    A broker that is down costs one connection attempt per back-off delay and one log line per outage; rows stay where
    they are. A queue that is full is left alone for a while and does not keep the others waiting.
    """

    def __init__(
        self,
        engine: sa.Engine,
        publisher: Publisher,
        *,
        batch: int = BATCH,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._publisher = publisher
        self._batch = batch
        self._clock = clock
        self._outage = Backoff(first_s=0.25, most_s=5.0)
        self._retry_at = 0.0
        self._full: dict[str, float] = {}
        """Queue → when it is tried again."""

    @property
    def broker_down(self) -> bool:
        """Whether the last attempt to publish found no broker."""
        return self._outage.failures > 0

    def step(self) -> Relayed:
        """Publish one batch. Database errors are the caller's; a broker that is down is not an error here."""
        now = self._clock()
        if now < self._retry_at:
            return Relayed(0, 0, False)
        self._full = {queue: until for queue, until in self._full.items() if until > now}
        try:
            with self._engine.begin() as conn:
                rows = self._fetch(conn)
                if not rows:
                    self._publisher.keep_alive()
                    return Relayed(0, 0, False)
                result = self._publisher.publish(rows)
                outbox.delete(conn, result.confirmed)
        except BrokerDown as error:
            self._went_down(error)
            return Relayed(0, 0, False)
        self._came_back()
        self._note_full(rows, result.refused)
        return Relayed(len(result.confirmed), len(result.refused), len(rows) == self._batch)

    def close(self) -> None:
        """Let go of the broker."""
        self._publisher.close()

    def _fetch(self, conn: sa.Connection) -> Sequence[OutboxRow]:
        if not self._full:
            return outbox.fetch(conn, self._batch)
        rows = [row for row in outbox.fetch(conn, LOOK_AHEAD) if row.queue not in self._full]
        return rows[: self._batch]

    def _went_down(self, error: BrokerDown) -> None:
        if not self.broker_down:
            log.warning("the broker is unreachable (%s); messages wait in the outbox until it is back", error)
        self._retry_at = self._clock() + self._outage.failed()

    def _came_back(self) -> None:
        if self.broker_down:
            log.info("the broker is back after %d attempts", self._outage.failures)
            self._outage.succeeded()

    def _note_full(self, rows: Sequence[OutboxRow], refused: Sequence[int]) -> None:
        if not refused:
            return
        ids = frozenset(refused)
        for queue, count in Counter(row.queue for row in rows if row.id in ids).items():
            log.warning("queue %s refused %d messages; they are kept and offered again", queue, count)
            self._full[queue] = self._clock() + 1.0
