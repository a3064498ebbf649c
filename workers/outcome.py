"""Values that travel inside a line worker."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock

from db.records import ClaimedLine, FailedLine, FinishedTake
from workers.contract import LineMessage

Done = Callable[[], None]
"""Acknowledges one message. Called exactly once, from any thread, after the row says what became of the line."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message and how to acknowledge it."""

    message: LineMessage
    done: Done


@dataclass(frozen=True, slots=True)
class Held:
    """A line this worker holds: claimed under ``session``, not settled yet."""

    line: ClaimedLine
    session: uuid.UUID
    done: Done


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a held line: a take, a failure, or neither (given back untouched)."""

    held: Held
    take: FinishedTake | None = None
    failure: FailedLine | None = None


@dataclass(slots=True)
class Counters:
    """Counts since the process started; kept by every thread, read by the heartbeat."""

    _counts: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def add(self, name: str, count: int = 1) -> None:
        """Add to one counter."""
        if count:
            with self._lock:
                self._counts[name] += count

    def snapshot(self) -> Mapping[str, int]:
        """The counts now."""
        with self._lock:
            return dict(self._counts)


class Session:
    """The session new claims are made under. The heartbeat replaces it when the reaper ended it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._id = uuid.uuid4()

    @property
    def id(self) -> uuid.UUID:
        """The current session."""
        return self._id

    def renew(self, session_id: uuid.UUID) -> None:
        """Use this session from now on."""
        self._id = session_id
