"""The worker's book-keeper: claims and outcomes in group commits, whatever the database is going through.

One thread claims, one settles. A batch is one transaction; while it commits the next one gathers. When the database is
away a claim waits (nothing was taken yet) and a settlement is tried again for ``give_up_s``; after that its lines are
left to the reaper, and nothing was accepted that was not committed.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import sqlalchemy as sa

from db.errors import DatabaseUnavailable
from db.queries import lines
from db.records import ClaimedLine, FailedLine, FinishedTake
from db.session import is_transient, retry_transient
from db.states import FailureClass
from workers.contract import LineMessage
from workers.failures import failed
from workers.grouping import Grouper
from workers.outcome import Counters, Delivery, Held, Outcome, Session

log = logging.getLogger(__name__)

BATCH = 128
"""Lines of one transaction at most: enough to spread the commit, small enough that one takes a few milliseconds."""
PACE_S = 0.04
"""Least time between two transactions of one kind: at 17 lines each they cost more than what is in them, and what a
line waits here is hidden by the lines in the engine meanwhile."""
RETRY_S = 0.5


T = TypeVar("T")


class LineStore(Protocol):
    """The moves of ``db.queries.lines`` a worker makes, each one transaction."""

    def alone(self, messages: Sequence[tuple[int, int]]) -> set[int]:
        """Which lines must be claimed one at a time."""

    def claim(
        self, messages: Sequence[tuple[int, int]], session: uuid.UUID, worker: str, *, company: bool
    ) -> list[ClaimedLine]:
        """Claim what is still ours to claim; in ``company`` no line that must be alone."""

    def settle(
        self,
        takes: Sequence[FinishedTake],
        failures: Sequence[FailedLine],
        released: Sequence[tuple[int, int]],
        session: uuid.UUID,
        worker: str,
    ) -> set[int]:
        """Record outcomes; returns the lines whose attempt was still ours. ``released`` go back to pending."""


class SqlLineStore:
    """The real one."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def alone(self, messages: Sequence[tuple[int, int]]) -> set[int]:
        """Which lines must be claimed one at a time."""
        with self._engine.connect() as conn:
            return lines.alone(conn, [line_id for line_id, _ in messages])

    def claim(
        self, messages: Sequence[tuple[int, int]], session: uuid.UUID, worker: str, *, company: bool
    ) -> list[ClaimedLine]:
        """Claim what is still ours to claim; in ``company`` no line that must be alone."""
        with self._engine.begin() as conn:
            return lines.claim(conn, messages, session, worker, company=company)

    def settle(
        self,
        takes: Sequence[FinishedTake],
        failures: Sequence[FailedLine],
        released: Sequence[tuple[int, int]],
        session: uuid.UUID,
        worker: str,
    ) -> set[int]:
        """Record outcomes; returns the lines whose attempt was still ours."""
        applied: set[int] = set()
        # accept comes last: it goes on to lock sections, and every line must be locked before the first section
        with self._engine.begin() as conn:
            if failures:
                applied |= lines.fail(conn, failures, session, worker)
            if released:
                lines.release(conn, released, session, worker)
            if takes:
                applied |= lines.accept(conn, takes, session, worker)
        return applied


class Ledger:
    """Claims deliveries and settles outcomes for one worker process."""

    def __init__(
        self,
        store: LineStore,
        session: Session,
        counters: Counters,
        *,
        window: int,
        on_claimed: Callable[[list[Held]], None],
        on_death: Callable[[BaseException], None],
        give_up_s: float = 120.0,
        pace_s: float = PACE_S,
    ) -> None:
        self._store = store
        self._session = session
        self._counters = counters
        self._window = window
        self._on_claimed = on_claimed
        self._give_up_s = give_up_s
        self._held: dict[tuple[int, int], Held] = {}
        self._emptied = threading.Condition()
        self._unclaimed: list[Delivery] = []
        self._stopping = threading.Event()
        self._claims: Grouper[Delivery] = Grouper(
            "claims", self._claim, limit=BATCH, pace_s=pace_s, room=self._free, on_death=on_death
        )
        self._outcomes: Grouper[Outcome] = Grouper(
            "settlements", self._settle, limit=BATCH, pace_s=pace_s, on_death=on_death
        )

    def start(self) -> None:
        """Start both threads."""
        self._claims.start()
        self._outcomes.start()

    def offer(self, delivery: Delivery) -> None:
        """A message arrived."""
        self._claims.put(delivery)

    def settle(self, outcome: Outcome) -> None:
        """A held line has an outcome."""
        self._outcomes.put(outcome)

    @property
    def held(self) -> int:
        """Lines claimed and not settled."""
        return len(self._held)

    def stop_claiming(self) -> list[Delivery]:
        """Claim no more; returns the deliveries nobody claimed (their rows stay queued)."""
        self._stopping.set()
        left = self._claims.take_back()
        self._claims.close(timeout_s=30)
        return self._unclaimed + left + self._claims.take_back()

    def hand_back(self, messages: Sequence[LineMessage]) -> None:
        """Let other workers have lines nobody claimed here, at once instead of after the queue timeout."""
        keys = [(message.line_id, message.attempt) for message in messages]
        if not keys:
            return
        try:
            self._store.settle((), (), keys, self._session.id, self._session.name)
        except sa.exc.DBAPIError as error:
            if not is_transient(error):
                raise
            log.warning("%d queued lines were not handed back, they time out: %s", len(keys), str(error.orig).strip())

    def close(self, timeout_s: float) -> bool:
        """Settle what is left; False when that took longer than ``timeout_s``."""
        return self._outcomes.close(timeout_s)

    def _free(self) -> int:
        return 0 if self._stopping.is_set() else self._window - len(self._held)

    # --- claiming ---

    def _claim(self, batch: list[Delivery]) -> None:
        """Claim a batch; then, one by one, its lines that must have no company: a poison line burns itself only."""
        missing = self._claim_some(batch, company=True)
        if not missing:
            return
        ids = self._when_possible(lambda: self._store.alone([_key(delivery) for delivery in missing]))
        if ids is None:
            self._unclaimed += missing
            return
        alone = [delivery for delivery in missing if delivery.message.line_id in ids]
        self._superseded([delivery for delivery in missing if delivery.message.line_id not in ids])
        for delivery in alone:
            if self._wait_until_empty():
                self._superseded(self._claim_some([delivery], company=False))
            else:
                self._unclaimed.append(delivery)
        if alone:
            self._wait_until_empty()

    def _claim_some(self, batch: list[Delivery], *, company: bool) -> list[Delivery]:
        """Claim in one transaction and pass on what was claimed; returns the deliveries whose lines were not."""
        fresh = {_key(delivery): delivery for delivery in batch}
        doubles = [delivery for delivery in batch if fresh[_key(delivery)] is not delivery]
        doubles += [fresh.pop(key) for key in list(fresh) if key in self._held]
        self._superseded(doubles)
        if not fresh:
            return []
        found = self._claim_when_possible(list(fresh), company)
        if found is None:
            self._unclaimed += fresh.values()
            return []
        claimed, session = found
        held = []
        for line in claimed:
            one = Held(line, session, fresh.pop((line.id, line.attempt)).done)
            self._held[(line.id, line.attempt)] = one
            held.append(one)
        self._counters.add("claimed", len(held))
        if held:
            self._on_claimed(held)
        return list(fresh.values())

    def _superseded(self, deliveries: Sequence[Delivery]) -> None:
        """Count and acknowledge messages whose line moved on, or is held already."""
        self._counters.add("superseded", len(deliveries))
        for delivery in deliveries:
            delivery.done()

    def _wait_until_empty(self) -> bool:
        """Wait until nothing is held; False when the worker stops first."""
        with self._emptied:
            while self._held:
                if self._stopping.is_set():
                    return False
                self._emptied.wait(RETRY_S)
        return not self._stopping.is_set()

    def _when_possible(self, ask: Callable[[], T]) -> T | None:
        """The database's answer, however long it is away; None when the worker stops first."""
        while True:
            try:
                return ask()
            except sa.exc.DBAPIError as error:
                if not is_transient(error):
                    raise
                log.warning("claims wait for the database: %s", str(error.orig).strip())
            if self._stopping.wait(RETRY_S):
                return None

    def _claim_when_possible(
        self, keys: list[tuple[int, int]], company: bool
    ) -> tuple[list[ClaimedLine], uuid.UUID] | None:
        sessions: list[uuid.UUID] = []

        def claim() -> list[ClaimedLine]:
            sessions.append(self._session.id)
            return self._store.claim(keys, sessions[-1], self._session.name, company=company)

        claimed = self._when_possible(claim)
        if len(sessions) > 1:  # the answer of an earlier try was lost, maybe after its commit
            got = {(line.id, line.attempt) for line in claimed or ()}
            self._give_back_unsure([key for key in keys if key not in got], sessions)
        return None if claimed is None else (claimed, sessions[-1])

    def _give_back_unsure(self, keys: list[tuple[int, int]], sessions: list[uuid.UUID]) -> None:
        """Release what a commit without an answer may have claimed: nobody else would, our session lives on."""
        for session in set(sessions):
            self._when_possible(lambda session=session: self._store.settle((), (), keys, session, self._session.name))  # type: ignore[misc]

    # --- settling ---

    def _settle(self, batch: list[Outcome]) -> None:
        by_session: dict[uuid.UUID, list[Outcome]] = defaultdict(list)
        for outcome in batch:
            by_session[outcome.held.session].append(outcome)
        for session, outcomes in by_session.items():
            self._settle_group(session, outcomes)
        with self._emptied:
            for outcome in batch:
                self._held.pop((outcome.held.line.id, outcome.held.line.attempt), None)
            self._emptied.notify()
        self._claims.nudge()
        for outcome in batch:
            outcome.held.done()

    def _settle_group(self, session: uuid.UUID, outcomes: list[Outcome]) -> None:
        started = time.monotonic()
        try:
            applied = retry_transient(
                lambda: self._commit(session, outcomes), attempts=10_000, deadline_s=self._give_up_s
            )
        except DatabaseUnavailable as error:
            self._counters.add("lost", len(outcomes))
            log.error("%d outcomes are left to the reaper: %s", len(outcomes), error)
            return
        except sa.exc.DBAPIError as error:
            if len(outcomes) > 1:  # one of them is unacceptable to the database: find it
                for outcome in outcomes:
                    self._settle_group(session, [outcome])
                return
            self._settle_refused(session, outcomes[0], error)
            return
        self._count(outcomes, applied)
        log.debug("settled %d lines in %.1f ms", len(outcomes), (time.monotonic() - started) * 1000)

    def _commit(self, session: uuid.UUID, outcomes: Sequence[Outcome]) -> set[int]:
        takes = [o.take for o in outcomes if o.take is not None]
        failures = [o.failure for o in outcomes if o.failure is not None]
        released = [(o.held.line.id, o.held.line.attempt) for o in outcomes if o.take is None and o.failure is None]
        return self._store.settle(takes, failures, released, session, self._session.name)

    def _settle_refused(self, session: uuid.UUID, outcome: Outcome, error: sa.exc.DBAPIError) -> None:
        """The database refuses this one take for what is in it: that is a failure of the line."""
        if outcome.take is None:
            raise error
        log.error("the take of line %d was refused: %s", outcome.held.line.id, str(error.orig).strip())
        reason = f"the take could not be recorded: {type(error.orig).__name__}"
        failure = failed(outcome.held.line, FailureClass.ENGINE_ERROR, reason)
        self._settle_group(session, [Outcome(outcome.held, failure=failure)])

    def _count(self, outcomes: Sequence[Outcome], applied: set[int]) -> None:
        self._counters.add("settle_batches")
        accepted = sum(1 for o in outcomes if o.take and o.held.line.id in applied)
        failures = sum(1 for o in outcomes if o.failure and o.held.line.id in applied)
        released = sum(1 for o in outcomes if not o.take and not o.failure)
        self._counters.add("accepted", accepted)
        self._counters.add("failed", failures)
        self._counters.add("released", released)
        self._counters.add("superseded", len(outcomes) - accepted - failures - released)


def _key(delivery: Delivery) -> tuple[int, int]:
    return delivery.message.line_id, delivery.message.attempt
