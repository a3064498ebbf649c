"""How many lines go to the broker now: a pure decision.

RabbitMQ holds a shallow window of about twice the capacity of the live workers; the backlog stays in Postgres, where
priority, pause, cancel and voice affinity still apply to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

MAX_WINDOW = 8_000
"""Lines in flight per engine at most: the queues refuse beyond 10,000 messages, and repeats need room."""


@dataclass(frozen=True, slots=True)
class Quota:
    """Lines of one engine to dispatch now."""

    engine: str
    lines: int
    """1 or more."""


def window(capacity: int, factor: float) -> int:
    """Lines of one engine that should be queued or rendering, for ``capacity`` live places. 0 without workers."""
    if capacity <= 0:
        return 0
    return min(max(capacity, math.ceil(capacity * factor)), MAX_WINDOW)


def quotas(capacity: Mapping[str, int], in_flight: Mapping[str, int], *, factor: float) -> tuple[Quota, ...]:
    """Decide how many lines of each engine to dispatch: the window less what is in flight, engines by name.

    ``capacity``: engine → places of its live workers; ``in_flight``: engine → lines queued or rendering. An engine
    without a live worker gets nothing: its lines wait in Postgres, where they can still be repriced or cancelled.
    """
    rooms = {engine: window(places, factor) - in_flight.get(engine, 0) for engine, places in capacity.items()}
    return tuple(Quota(engine, room) for engine, room in sorted(rooms.items()) if room > 0)
