"""How Celery takes a line in: the strategy of the line task, a Celery extension point, in place of the general one.

The general strategy makes a request that can be retried, timed, revoked, chained and pickled into a child process. A
line's row does all of that, so that its message needs only a name, a place in Celery's books (Flower, ``inspect``), an
acknowledgement and three events. At a thousand lines a second the difference was half of the worker's processor time.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from os import getpid
from typing import Any

from celery import Celery
from celery.exceptions import InvalidTaskError
from celery.worker import state
from celery.worker.strategy import default

from workers.contract import LINE_TASK
from workers.pool import LinePool
from workers.transport import written_together

log = logging.getLogger(__name__)

JSON = "application/json"

TaskHandler = Callable[[Any, Any, Callable[..., Any], Callable[..., Any], Any], Any]


class LineRequest:
    """One line's message in Celery's books. Lives in the thread of the worker's loop."""

    __slots__ = (
        "__weakref__", "_consumer", "_message", "acknowledged", "args", "argsrepr", "eventer", "id", "started", "task",
    )  # fmt: skip

    name = LINE_TASK

    def __init__(self, consumer: Any, task: Any, message: Any) -> None:
        self._consumer = consumer
        self._message = message
        self.task = task
        self.id, self.args = _read(message)
        self.argsrepr: str = message.headers.get("argsrepr", "")
        self.acknowledged = False
        self.started = time.time()
        self.eventer = consumer.event_dispatcher
        """Sends events; Celery puts another one here when it has to connect again."""

    def received(self) -> None:
        """Enter the books and tell who listens."""
        state.requests[self.id] = self
        state.active_requests.add(self)
        state.total_count[LINE_TASK] += 1
        state.all_total_count[0] += 1
        if not self.task.acks_late:
            self.acknowledge()
        self._tell("task-received", name=LINE_TASK, args=self.argsrepr, kwargs="{}")
        self._tell("task-started")

    def succeed(self) -> None:
        """The line's outcome is recorded in its row: leave the books, acknowledge."""
        state.requests.pop(self.id, None)
        state.active_requests.discard(self)
        state.reserved_requests.discard(self)  # where Celery puts what is active when it connects again
        self.acknowledge()
        self._tell("task-succeeded", result=None, runtime=time.time() - self.started)

    def acknowledge(self) -> None:
        """Acknowledge once. On a connection that is gone nothing can be done: the next one brings the message again."""
        if self.acknowledged:
            return
        self.acknowledged = True
        try:
            self._message.ack()
        except BrokenPipeError:
            raise  # the loop has to notice
        except self._consumer.connection_errors as error:
            log.info("%s is not acknowledged, it will come again: %s", self.id, error)

    def _tell(self, event: str, **fields: Any) -> None:
        if self.eventer is not None and self.eventer.enabled:
            self.eventer.send(event, uuid=self.id, **fields)

    def info(self, safe: bool = False) -> dict[str, Any]:
        """What ``inspect active`` and ``inspect query_task`` answer about it."""
        return {
            "id": self.id,
            "name": LINE_TASK,
            "args": self.argsrepr if safe else self.args,
            "kwargs": {},
            "type": LINE_TASK,
            "hostname": self._consumer.hostname,
            "time_start": self.started,
            "acknowledged": self.acknowledged,
            "delivery_info": {
                "exchange": self._message.delivery_info.get("exchange"),
                "routing_key": self._message.delivery_info.get("routing_key"),
                "redelivered": self._message.delivery_info.get("redelivered"),
            },
            "worker_pid": getpid(),
        }

    def cancel(self, pool: Any, signal: Any = None, emit_retry: bool = True) -> None:
        """Do nothing: a line in an engine cannot be called back, and the fence decides about what it brings."""

    terminate = cancel


def line_strategy(task: Any, app: Celery, consumer: Any) -> TaskHandler:
    """The handler of line messages of one connection. On any pool but a line pool, Celery's own strategy."""
    pool = consumer.pool
    if not isinstance(pool, LinePool):
        return default(task, app, consumer)  # type: ignore[no-any-return]
    pool.write_together = lambda: written_together(consumer.connection)

    def handle(message: Any, body: Any, ack: Any, reject: Any, callbacks: Any) -> None:
        request = LineRequest(consumer, task, message)
        request.received()
        pool.hand_over(request.args, request.succeed)

    return handle


def _read(message: Any) -> tuple[str, list[Any]]:
    """Task id and positional arguments. Raises InvalidTaskError for what no sender of ours writes."""
    try:
        body = json.loads(message.body) if message.content_type == JSON else message.payload
        name, args = message.headers["id"], body[0]
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise InvalidTaskError(f"a {LINE_TASK} message cannot be read: {type(error).__name__}: {error}") from error
    if not isinstance(args, list):
        raise InvalidTaskError(f"the arguments of a {LINE_TASK} message are a list, not {type(args).__name__}")
    return name, args
