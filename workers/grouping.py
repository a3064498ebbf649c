"""Many small things made into few big ones: a thread that hands over whatever has gathered."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class Grouper(Generic[T]):
    """Collects items and calls ``handle`` with lists of them, in order, from one thread of its own.

    While one list is handled the next one gathers, so lists grow with the load by themselves. ``pace_s`` is the least
    time between the starts of two lists shorter than ``limit``: a lone item is handed over at once, a stream of them in
    few big lists. ``room`` says how many may be handed over now (0: none; call ``nudge`` when that changes). What
    ``handle`` raises ends the thread and is given to ``on_death``.
    """

    def __init__(
        self,
        name: str,
        handle: Callable[[list[T]], None],
        *,
        limit: int = 128,
        pace_s: float = 0.0,
        room: Callable[[], int] | None = None,
        on_death: Callable[[BaseException], None],
    ) -> None:
        self._handle = handle
        self._limit = limit
        self._pace_s = pace_s
        self._handed_at = -math.inf
        self._room = room
        self._on_death = on_death
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._busy = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, item: T) -> None:
        """Add one item."""
        with self._changed:
            self._items.append(item)
            if len(self._items) == 1:
                self._changed.notify()

    def put_all(self, items: Iterable[T]) -> None:
        """Add several items."""
        with self._changed:
            self._items.extend(items)
            self._changed.notify()

    def nudge(self) -> None:
        """Ask ``room`` again."""
        with self._changed:
            self._changed.notify()

    def take_back(self) -> list[T]:
        """Remove and return what was not handed over yet."""
        with self._changed:
            left = list(self._items)
            self._items.clear()
            return left

    @property
    def idle(self) -> bool:
        """Nothing gathered and nothing being handled."""
        with self._changed:
            return not self._items and not self._busy

    def close(self, timeout_s: float | None = None) -> bool:
        """Hand over what is left, end the thread, and say whether it ended within ``timeout_s``."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _free(self) -> int:
        return self._limit if self._room is None else min(self._limit, self._room())

    def _next(self) -> list[T]:
        """Wait for the next list; empty when closing and nothing is left."""
        with self._changed:
            self._busy = False
            while not (self._items and self._free() > 0):
                if self._closing and not self._items:
                    return []
                self._changed.wait()
            until = self._handed_at + self._pace_s
            while len(self._items) < self._free() and not self._closing and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)
            self._handed_at = time.monotonic()
            count = min(len(self._items), self._free())
            self._busy = count > 0
            return [self._items.popleft() for _ in range(count)]

    def _run(self) -> None:
        try:
            while True:
                batch = self._next()
                if batch:
                    self._handle(batch)
                elif self._closing and not self._items:
                    return
        except BaseException as error:  # noqa: BLE001  the boundary of this thread: its owner decides
            self._on_death(error)
