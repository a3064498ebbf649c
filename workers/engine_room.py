"""The one thread that owns the engine: lines go in as soon as there is room, takes come out as they finish."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace

from synthesis.engine import Engine, LineRequest, RenderedLine, ReportsProgress
from synthesis.errors import EngineOutOfMemory, SynthesisError
from workers.outcome import Counters

log = logging.getLogger(__name__)

EXIT_ENGINE = 70
"""Exit status after the engine failed in a way it cannot be used after (EX_SOFTWARE)."""
EXIT_WATCHDOG = 75
"""Exit status after the engine made no progress for too long (EX_TEMPFAIL)."""
GROW_AFTER = 8
"""Full batches without running out of memory before one more line is admitted again."""

OnResult = Callable[[LineRequest, RenderedLine], None]


class EngineRoom:
    """Continuous batching around one engine.

    ``submit`` is called from any thread; ``on_result`` from the engine's thread, once per line. ``exit_process`` ends
    the process: threads cannot be killed, so an engine that hangs or died takes its process with it and the reaper
    returns its lines, each to be tried alone.
    """

    def __init__(
        self,
        engine: Engine,
        on_result: OnResult,
        counters: Counters,
        *,
        watchdog_s: float,
        exit_process: Callable[[int], object] = os._exit,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._on_result = on_result
        self._counters = counters
        self._watchdog_s = watchdog_s
        self._exit = exit_process
        self._clock = clock
        self._waiting: deque[LineRequest] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._in_flight: dict[int, LineRequest] = {}
        self._share_s = 0.0
        """Engine time of a line that was in every step so far: each step counts for its part of the batch."""
        self._share_before: dict[int, float] = {}
        """The same when each line in flight was admitted."""
        self._loaded: set[str] = set()
        self._limit = engine.capacity
        self._since_oom = 0
        self._work: Callable[[], int] = engine.progress if isinstance(engine, ReportsProgress) else lambda: 0
        self.work_noted = self._work()
        """The engine's own count of its work when it was last looked at."""
        self._progress_at = clock()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._watchdog = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._ended = threading.Event()

    def start(self) -> None:
        """Start the engine's thread and its watchdog."""
        self._thread.start()
        self._watchdog.start()

    def submit(self, requests: Iterable[LineRequest]) -> None:
        """Queue lines for the engine."""
        with self._changed:
            self._waiting.extend(requests)
            self._changed.notify()

    def voices(self) -> list[str]:
        """Labels of the voices loaded now."""
        return sorted(self._loaded)

    @property
    def limit(self) -> int:
        """Lines admitted at once now: the engine's capacity, less after it ran out of memory."""
        return self._limit

    def stop_admitting(self) -> list[LineRequest]:
        """Admit no more; returns the lines that were not started. Those in flight finish."""
        with self._changed:
            self._stopping = True
            left = list(self._waiting)
            self._waiting.clear()
            self._changed.notify()
            return left

    def close(self, timeout_s: float) -> bool:
        """Wait for the lines in flight, then close the engine; False when that took longer than ``timeout_s``."""
        ended = self._ended.wait(timeout_s)
        self._engine.close()
        return ended

    # --- the engine's thread ---

    def _run(self) -> None:
        try:
            while self._wait():
                self._admit()
                if self._in_flight:
                    self._advance()
        except BaseException:  # the boundary of this thread: the engine is not to be trusted any more
            log.exception("the engine failed; this process ends, its lines are tried alone")
            self._exit(EXIT_ENGINE)
        finally:
            self._ended.set()

    def _wait(self) -> bool:
        with self._changed:
            while not self._waiting and not self._in_flight:
                if self._stopping:
                    return False
                self._changed.wait()
            return True

    def _admit(self) -> None:
        batch = [request for request in self._choose() if self._ready(request)]
        if not batch:
            return
        self._in_flight |= {request.line_id: request for request in batch}
        self._share_before |= dict.fromkeys((request.line_id for request in batch), self._share_s)
        self._engine.submit(batch)
        self._progress_at = self._clock()

    def _choose(self) -> list[LineRequest]:
        """Take lines off the queue, in order, as many as may go in now."""
        chosen: list[LineRequest] = []
        with self._changed:
            while self._waiting and len(self._in_flight) + len(chosen) < self._limit:
                first = self._waiting[0]
                if first.line_id in self._in_flight or any(first.line_id == other.line_id for other in chosen):
                    break  # an older attempt of the same line is still in the engine
                company = bool(chosen) or bool(self._in_flight)
                if company and (first.alone or self._someone_wants_to_be_alone(chosen)):
                    break
                chosen.append(self._waiting.popleft())
        return chosen

    def _someone_wants_to_be_alone(self, chosen: list[LineRequest]) -> bool:
        return any(request.alone for request in (*chosen, *self._in_flight.values()))

    def _ready(self, request: LineRequest) -> bool:
        """Load the voice when needed; a voice that cannot be loaded is the line's result."""
        if request.voice.label in self._loaded:
            return True
        try:
            self._engine.load(request.voice)
        except SynthesisError as error:
            log.warning("voice %s was not loaded: %s", request.voice.label, error)
            self._on_result(request, RenderedLine(request.line_id, None, error))
            return False
        self._loaded.add(request.voice.label)
        log.info("voice %s loaded", request.voice.label)
        return True

    def _advance(self) -> None:
        together = len(self._in_flight)
        began = self._clock()
        results = self._engine.step()
        self._share_s += (self._clock() - began) / together
        if not results:
            self._note_work()
            return
        self._progress_at = self._clock()
        again: list[LineRequest] = []
        for result in results:
            request = self._in_flight.pop(result.line_id)
            spent_s = self._share_s - self._share_before.pop(result.line_id)
            if isinstance(result.error, EngineOutOfMemory) and together > 1:
                again.append(request)
            else:
                self._on_result(request, replace(result, render_ms=round(spent_s * 1000)))
        if again:
            self._shrink(together, again)
        else:
            self._grow(len(results))

    def _note_work(self) -> None:
        """A line may take longer than the watchdog waits, as long as the engine gets on with it."""
        done = self._work()
        if done != self.work_noted:
            self._progress_at = self._clock()
        self.work_noted = done

    def _shrink(self, together: int, again: list[LineRequest]) -> None:
        """Halve the batch and put its lines back at the front: no attempt is burnt for a batch that was too big."""
        self._limit = max(1, min(self._limit, together) // 2)
        self._since_oom = 0
        self._counters.add("oom_halved")
        log.warning("out of memory with %d lines in flight: %d at a time from now on", together, self._limit)
        with self._changed:
            self._waiting.extendleft(reversed(again))

    def _grow(self, finished: int) -> None:
        if self._limit >= self._engine.capacity:
            return
        self._since_oom += finished
        if self._since_oom >= self._limit * GROW_AFTER:
            self._limit += 1
            self._since_oom = 0

    # --- the watchdog's thread ---

    def _watch(self) -> None:
        step_s = min(1.0, self._watchdog_s / 4)
        looked = self._clock()
        while not self._ended.wait(step_s):
            looked, before = self._clock(), looked
            self.forgive_suspension(looked - before - step_s)
            self.check_progress()

    def forgive_suspension(self, late_s: float) -> None:
        """Start the engine's time anew when the watchdog itself woke up late.

        Then the whole process was stopped, or the machine slept: the engine could work no more than this thread could.
        """
        if late_s > self._watchdog_s / 2:
            log.warning("this process stood still for %.0f s; the engine gets its time anew", late_s)
            self._progress_at = self._clock()

    def check_progress(self) -> None:
        """End the process when lines are in flight and nothing came or went for ``watchdog_s`` seconds."""
        silent = self._clock() - self._progress_at
        if self._in_flight and silent > self._watchdog_s:
            log.critical(
                "no progress for %.0f s with %d lines in flight; this process ends", silent, len(self._in_flight)
            )
            self._exit(EXIT_WATCHDOG)
