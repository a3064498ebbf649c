"""Celery's threads pool, except that the line task needs no thread.

A line's task is a hand-over: its strategy (``workers.strategy``) gives the message to the line desk here, the desk
calls back when the row says what became of the line, and the request succeeds and is acknowledged then. Celery sees one
task per line (received, started, succeeded: Flower too), and a thousand lines waiting in the worker cost no thread.
Other tasks run in threads.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

from celery.concurrency.thread import TaskPool
from kombu.asynchronous import Hub

from workers.errors import WrongPool
from workers.lines import LineDesk

DRAIN_STEP_S = 0.05


class LinePool(TaskPool):  # type: ignore[misc]  # celery has no types
    """A pool bound to a line desk; ``pool_for`` makes the class Celery wants."""

    desk: ClassVar[LineDesk | None] = None
    task_threads: ClassVar[int] = 1
    """Threads for tasks other than lines."""
    uses_semaphore = False
    executor: ThreadPoolExecutor

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.executor.shutdown()
        # Celery looks a thread's task up in that thread's current application
        self.executor = ThreadPoolExecutor(self.task_threads, "post", initializer=self.app.set_current)
        self._hub: Hub | None = None
        self._finished: deque[Callable[[], None]] = deque()
        self._waking = threading.Lock()
        self._woken = False
        self.write_together: Callable[[], AbstractContextManager[None]] = nullcontext
        """What makes one write of many acknowledgements; the line strategy knows the connection."""

    def register_with_event_loop(self, hub: Hub) -> None:
        """Remember the loop: acknowledgements are written by its thread."""
        self._hub = hub

    def hand_over(self, args: list[Any], succeed: Callable[[], None]) -> None:
        """Give a line to the desk; ``succeed`` is called in the loop's thread once its outcome is recorded."""
        if self.desk is None:
            raise WrongPool
        self.desk.take_in(args, lambda: self._finish(succeed))

    def on_apply(self, target: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Run any other task in a thread."""
        return super().on_apply(self._in_app(target), *args, **options)

    def _in_app(self, target: Callable[..., Any]) -> Callable[..., Any]:
        """Run a task with our application as the thread's current one: Celery looks the task up there."""
        app = self.app

        def run(*args: Any, **kwargs: Any) -> Any:
            if app is not None:
                app.set_current()
            return target(*args, **kwargs)

        return run

    def _finish(self, succeed: Callable[[], None]) -> None:
        hub = self._hub
        if hub is None:  # the in-process transport acknowledged early and has no loop
            succeed()
            return
        self._finished.append(succeed)
        with self._waking:
            wake, self._woken = not self._woken, True
        if wake:
            hub.call_soon(self._acknowledge)  # type: ignore[no-untyped-call]

    def _acknowledge(self) -> None:
        """In the loop's thread: let every finished request succeed."""
        with self._waking:
            self._woken = False
        with self.write_together():
            while self._finished:
                self._finished.popleft()()

    def on_stop(self) -> None:
        """Finish what is held, while the loop keeps the connection alive and writes the acknowledgements."""
        desk = self.desk
        if desk is not None:
            closing = threading.Thread(target=desk.stop, name="closing-desk")
            closing.start()
            while closing.is_alive():
                self._tick()
                closing.join(0 if self._hub else DRAIN_STEP_S)
            self._tick()
        super().on_stop()

    def _tick(self) -> None:
        """Run the loop once, for at most ``DRAIN_STEP_S``: callbacks, heartbeats, writes."""
        if self._hub is None:
            return
        self._acknowledge()
        self._hub.call_later(DRAIN_STEP_S, _nothing)  # type: ignore[no-untyped-call]  # bounds the poll
        next(self._hub.create_loop(), None)  # type: ignore[no-untyped-call]


def _nothing() -> None:
    """A timer's work when only its time matters."""


def pool_for(desk: LineDesk, *, task_threads: int = 1) -> type[LinePool]:
    """The pool class for one worker: Celery makes its pool from a class and passes it nothing of ours."""
    return type("LinePool", (LinePool,), {"desk": desk, "task_threads": task_threads, "__module__": __name__})
