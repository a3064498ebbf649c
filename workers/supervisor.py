"""One child process per device: started, restarted with back-off when it dies, stopped together."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

log = logging.getLogger(__name__)

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 60.0
STEADY_S = 60.0
"""A child that lived this long starts with the first delay again."""
STOP_S = 90.0
"""Longest wait for children after SIGTERM before they are killed: longer than a desk may drain."""
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A process to keep alive."""

    name: str
    command: tuple[str, ...]


@dataclass(slots=True)
class _Child:
    spec: ChildSpec
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0
    due_at: float = 0.0
    ended: bool = False


@dataclass(slots=True)
class Supervisor:
    """Keeps children alive until ``stop`` is set. ``clock`` is for tests."""

    specs: Sequence[ChildSpec]
    clock: Callable[[], float] = time.monotonic
    poll_s: float = 0.1
    stopping: threading.Event = field(default_factory=threading.Event)
    _children: list[_Child] = field(default_factory=list)

    def run(self) -> int:
        """Run until told to stop or every child ended by itself with 0; returns the worst exit status."""
        self._children = [_Child(spec) for spec in self.specs]
        try:
            while not self.stopping.is_set():
                for child in self._children:
                    self._look_after(child)
                if all(child.ended for child in self._children):
                    return 0
                self.stopping.wait(self.poll_s)
        finally:
            status = self._stop_all()
        return status

    def pids(self) -> dict[str, int]:
        """Process ids of the children alive now, by name."""
        return {child.spec.name: child.process.pid for child in self._children if child.process is not None}

    def _look_after(self, child: _Child) -> None:
        if child.ended:
            return
        if child.process is None:
            if self.clock() >= child.due_at:
                self._start(child)
            return
        status = child.process.poll()
        if status is None:
            return
        child.process = None
        if status == 0:
            log.info("%s ended", child.spec.name)
            child.ended = True
            return
        lived = self.clock() - child.started_at
        child.failures = 1 if lived >= STEADY_S else child.failures + 1
        delay = backoff(child.failures)
        child.due_at = self.clock() + delay
        log.warning("%s died with %d after %.0f s; starting it again in %.1f s", child.spec.name, status, lived, delay)

    def _start(self, child: _Child) -> None:
        child.process = subprocess.Popen(child.spec.command, preexec_fn=_die_with(os.getpid()))
        child.started_at = self.clock()
        log.info("%s started as process %d", child.spec.name, child.process.pid)

    def _stop_all(self) -> int:
        alive = [child.process for child in self._children if child.process is not None]
        for process in alive:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = self.clock() + STOP_S
        worst = 0
        for process in alive:
            try:
                status = process.wait(max(0.1, deadline - self.clock()))
            except subprocess.TimeoutExpired:
                log.warning("process %d did not stop in %.0f s: killing it", process.pid, STOP_S)
                process.kill()
                status = process.wait()
            worst = max(worst, abs(status))
        return worst


def backoff(failures: int) -> float:
    """Seconds to wait before the start after this many failures in a row: 0.5, 1, 2 … 60."""
    return min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(failures - 1, 16))


def _die_with(parent: int) -> Callable[[], None] | None:
    """Let a child die with its parent (Linux): a killed supervisor must not leave workers on the GPU."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    def bind() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return bind


def supervise(specs: Sequence[ChildSpec]) -> int:
    """Keep these processes alive until SIGTERM or SIGINT; returns the worst exit status. Main thread only."""
    supervisor = Supervisor(specs)

    def stop(signum: int, frame: object) -> None:
        supervisor.stopping.set()

    previous = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        return supervisor.run()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
