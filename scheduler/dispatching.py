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


SPOONFUL = 8
"""While the workers are well supplied, lines go out when this part of the window is free: each turn has its cost."""


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
    without a live worker gets nothing: its lines wait in Postgres, where they can still be repriced or cancelled. A
    window that is nearly full is topped up later, in one go.
    """
    chosen = []
    for engine, places in sorted(capacity.items()):
        whole, flying = window(places, factor), in_flight.get(engine, 0)
        room = whole - flying
        if room > 0 and (flying <= places or room >= whole // SPOONFUL):
            chosen.append(Quota(engine, room))
    return tuple(chosen)
