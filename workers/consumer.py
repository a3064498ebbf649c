"""Celery's consumer with three changes: no queues for delayed delivery, events of lines sent by the hundred, and a
quick end on the in-process transport.
"""

from __future__ import annotations

import contextlib
from typing import Any, ClassVar

from celery import bootsteps
from celery.worker.consumer import Consumer
from celery.worker.consumer.events import Events
from celery.worker.loops import asynloop

EVENTS = 512
"""Events of one message at most."""
DRAIN_S = 0.1
"""Longest wait for a message on a transport without sockets; Celery's own loop waits 2 s before it sees a stop."""


def polling_loop(
    obj: Any, connection: Any, consumer: Any, blueprint: Any, hub: Any, qos: Any, heartbeat: Any, *_: Any
) -> None:
    """Receive messages on a transport that is polled, until the blueprint is told to stop."""
    consumer.on_message = obj.create_task_handler()
    consumer.consume()
    obj.on_ready()
    while blueprint.state == bootsteps.RUN and obj.connection:
        obj.perform_pending_operations()
        with contextlib.suppress(TimeoutError):
            connection.drain_events(timeout=DRAIN_S)


class WideEvents(bootsteps.StartStopStep):  # type: ignore[misc]  # celery has no types
    """Gives Celery's event sender room for a burst: its 24 events a message are a message per eight lines."""

    requires = (Events,)

    def start(self, c: Any) -> None:
        """Widen the new dispatcher's buffer; the loop empties it after every turn. A worker may send no events."""
        if c.event_dispatcher is not None:
            c.event_dispatcher.buffer_limit = EVENTS


class FarmConsumer(Consumer):  # type: ignore[misc]  # celery has no types
    """Consumes the farm's queues."""

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc]
        """Celery's steps without delayed delivery: delays live in ``line.not_before``."""

        default_steps: ClassVar[list[str]] = [
            *(step for step in Consumer.Blueprint.default_steps if "delayed_delivery" not in step),
            f"{__name__}:WideEvents",
        ]

    def __init__(self, *args: Any, hub: Any = None, **kwargs: Any) -> None:
        self.loop = asynloop if hub else polling_loop
        super().__init__(*args, hub=hub, **kwargs)
