"""The line desk: where a message becomes a claimed line, a take and an acknowledgement.

message ─► Ledger (claim) ─► EngineRoom ─► FinishingThreads (QC, store) ─► Ledger (settle) ─► ack
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from celery import Celery

from db.states import FailureClass
from db.store import Store
from synthesis.engine import Engine, LineRequest, RenderedLine
from workers.contract import LINE_TASK, MESSAGE_VERSION, LineMessage
from workers.engine_room import EXIT_ENGINE, EngineRoom
from workers.errors import UnknownMessage, WrongPool
from workers.failures import failed
from workers.finishing import Finisher, FinishingThreads, request_of
from workers.ledger import Ledger, LineStore
from workers.outcome import Counters, Delivery, Done, Held, Outcome, Session

log = logging.getLogger(__name__)

FINISH_THREADS = 8
"""Threads for QC and the store: they wait for fsync most of the time."""


@dataclass(frozen=True, slots=True)
class DeskLimits:
    """How much and how long. Times in seconds."""

    window: int
    """Lines claimed and not settled at once; see ``workers.runtime.window_of``."""
    watchdog_s: float
    drain_s: float = 60.0
    """How long lines in flight may take when the worker stops."""


def read_message(args: list[object] | tuple[object, ...]) -> LineMessage:
    """The message in a task's arguments. Raises UnknownMessage for another release's."""
    if len(args) == 3 and args[0] == MESSAGE_VERSION and isinstance(args[1], int) and isinstance(args[2], int):
        return LineMessage(line_id=args[1], attempt=args[2])
    raise UnknownMessage(LINE_TASK, args[0] if args else None)


def register_line_task(app: Celery) -> None:
    """Make the line task known to the application, so that every line shows in Flower. The line pool runs it."""

    @app.task(name=LINE_TASK, ignore_result=True, shared=False, Strategy="workers.strategy:line_strategy")  # type: ignore[untyped-decorator]
    def line(version: int, line_id: int, attempt: int) -> None:
        raise WrongPool


class LineDesk:
    """Everything between a line's message and its acknowledgement, for one worker process."""

    def __init__(
        self,
        engine: Engine,
        lines: LineStore,
        store: Store,
        session: Session,
        counters: Counters,
        limits: DeskLimits,
        *,
        exit_process: Callable[[int], object] = os._exit,
    ) -> None:
        self._engine_name = engine.name
        self._counters = counters
        self._limits = limits
        self._exit = exit_process
        self._held: dict[int, Held] = {}  # by identity of the request: two attempts of one line may overlap
        self.ledger = Ledger(
            lines, session, counters, window=limits.window, on_claimed=self._render, on_death=self._die
        )
        self._finishing = FinishingThreads(
            Finisher(store, engine.name, engine.version), self.ledger.settle, self._die, FINISH_THREADS
        )
        self.room = EngineRoom(
            engine, self._rendered, counters, watchdog_s=limits.watchdog_s, exit_process=exit_process
        )

    def start(self) -> None:
        """Start every thread."""
        self.ledger.start()
        self._finishing.start()
        self.room.start()

    def take_in(self, args: list[object] | tuple[object, ...], done: Done) -> None:
        """A message arrived; ``done`` acknowledges it once its line's outcome is recorded. Never blocks."""
        try:
            message = read_message(args)
        except UnknownMessage as error:
            # dropped: requeueing would loop, and the queue timeout dispatches the row again
            log.error("%s", error)
            self._counters.add("unknown_messages")
            done()
            return
        self.ledger.offer(Delivery(message, done))

    def stop(self) -> None:
        """Claim no more, finish what the engine holds, give back what it has not started, record all of it."""
        deadline = time.monotonic() + self._limits.drain_s
        unclaimed = self.ledger.stop_claiming()
        self.ledger.hand_back([delivery.message for delivery in unclaimed])
        for request in self.room.stop_admitting():
            self.ledger.settle(Outcome(self._held.pop(id(request))))
        if not self.room.close(max(0.1, deadline - time.monotonic())):
            log.warning("lines in flight did not finish in %.0f s; the reaper returns them", self._limits.drain_s)
        self._finishing.close(max(0.1, deadline - time.monotonic()))
        self.ledger.close(max(0.1, deadline - time.monotonic()))
        log.info(
            "line desk closed: %s; %d messages left to the broker", dict(self._counters.snapshot()), len(unclaimed)
        )

    def _render(self, claimed: list[Held]) -> None:
        requests = []
        for held in claimed:
            if not held.line.consented:
                reason = f"voice {held.line.voice_name} has no live consent"
                self.ledger.settle(Outcome(held, failure=failed(held.line, FailureClass.CONSENT_REVOKED, reason)))
                continue
            request = request_of(held.line, self._engine_name)
            self._held[id(request)] = held
            requests.append(request)
        self.room.submit(requests)

    def _rendered(self, request: LineRequest, result: RenderedLine) -> None:
        self._finishing.put(self._held.pop(id(request)), request, result)

    def _die(self, error: BaseException) -> None:
        log.critical("a thread of the line desk failed; this process ends", exc_info=error)
        self._exit(EXIT_ENGINE)
