"""Hands outbox rows to the broker: many at once, and each one confirmed.

Celery's own ``confirm_publish`` waits for the broker after every message (362–517/s). Here a whole batch is written to
the socket first and the confirms are counted as they come back, on the same kind of channel: 10,000–20,000/s.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import amqp
from celery import Celery
from kombu.exceptions import KombuError, OperationalError

from db.records import OutboxRow
from scheduler.errors import SchedulerError
from workers.app import add_line_queues, declare_queues
from workers.contract import LINE_QUEUE_PREFIX

CONNECT_TIMEOUT_S = 3.0
CONFIRM_TIMEOUT_S = 15.0
"""Without a single confirm for this long the connection is taken for dead."""
BROKER_ERRORS: tuple[type[Exception], ...] = (OSError, amqp.AMQPError, KombuError, OperationalError)
"""What talking to a broker that is down, restarting or unreachable raises."""

_PERSISTENT = 2
_HEADERS = ("lang", "task", "ignore_result")


class BrokerDown(SchedulerError):
    """The broker could not be reached, or went away with messages unconfirmed. ``args``: (reason,)."""


@dataclass(frozen=True, slots=True)
class Published:
    """What the broker made of a batch."""

    confirmed: tuple[int, ...]
    """Outbox ids it has taken over: these rows may be deleted."""
    refused: tuple[int, ...]
    """Outbox ids it would not take (queue full or gone): these rows stay for later."""


class Publisher(Protocol):
    """Something that takes messages over from the outbox."""

    def publish(self, rows: Sequence[OutboxRow]) -> Published:
        """Publish all rows and wait for the verdict on each. Raises BrokerDown; then nothing is known of any row."""

    def keep_alive(self) -> None:
        """Answer the broker's heartbeats between batches; drops a dead connection instead of raising."""

    def close(self) -> None:
        """Let go of the connection. Safe to call twice; the next ``publish`` opens a new one."""


def message_id(row: OutboxRow) -> str:
    """Task id of a row, readable and the same whenever the same attempt is published: 'line-4711-2'."""
    return "-".join([row.task.rpartition(".")[2], *(str(arg) for arg in row.args[1:])])


def engines_of(queues: Iterable[str]) -> list[str]:
    """Names of the engines whose line queues are among ``queues``; other queues are left out."""
    return sorted({name.removeprefix(LINE_QUEUE_PREFIX) for name in queues if name.startswith(LINE_QUEUE_PREFIX)})


@contextlib.contextmanager
def _corked(sock: Any) -> Iterator[None]:
    """Let the kernel gather small writes into full packets while a batch is written, where it can (Linux, no TLS)."""
    cork = getattr(socket, "TCP_CORK", None)
    if cork is None or not isinstance(sock, socket.socket):
        yield
        return
    sock.setsockopt(socket.IPPROTO_TCP, cork, 1)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, cork, 0)


def make_publisher(app: Celery) -> Publisher:
    """The publisher that fits the app's transport."""
    with app.connection_for_write() as connection:
        in_process = connection.transport.driver_type == "memory"
    return InProcessPublisher(app) if in_process else AmqpPublisher(app)


class InProcessPublisher:
    """kombu's in-process transport: what was put in its queue is there, no confirm is needed."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def publish(self, rows: Sequence[OutboxRow]) -> Published:
        """Put every row in its queue."""
        add_line_queues(self._app, engines_of(row.queue for row in rows))
        with self._app.producer_or_acquire() as producer:
            for row in rows:
                self._app.send_task(
                    row.task,
                    args=list(row.args),
                    task_id=message_id(row),
                    argsrepr=row.label,
                    queue=row.queue,
                    producer=producer,
                )
        return Published(tuple(row.id for row in rows), ())

    def keep_alive(self) -> None:
        """Nothing to keep alive."""

    def close(self) -> None:
        """Nothing to let go of."""


class AmqpPublisher:
    """One channel in confirm mode; queues are declared whenever the connection is new or a queue turned out missing."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._connection: Any = None
        self._channel: Any = None
        self._declared: frozenset[str] = frozenset()
        """Queues known to exist since this connection was opened."""
        self._templates: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
        self._last_tag = 0
        self._waiting: dict[int, int] = {}
        """Delivery tag → outbox id, of messages without a verdict yet; in order of tags."""
        self._refused: list[int] = []
        self._returned: set[str] = set()

    def publish(self, rows: Sequence[OutboxRow]) -> Published:
        """Write all rows to the socket, then wait until the broker has answered for each."""
        try:
            return self._publish(rows)
        except BROKER_ERRORS as error:
            self.close()
            raise BrokerDown(f"{type(error).__name__}: {error}") from error

    def keep_alive(self) -> None:
        """Read what the broker sent and send a heartbeat when one is due."""
        if self._connection is None:
            return
        try:
            self._connection.heartbeat_check()
            self._connection.drain_events(timeout=0.001)
        except TimeoutError:
            return
        except BROKER_ERRORS:
            self.close()

    def close(self) -> None:
        """Close the connection without waiting for a peer that may be gone."""
        connection, self._connection, self._channel = self._connection, None, None
        self._waiting.clear()
        if connection is not None:
            connection.collect(socket_timeout=0.1)

    def _publish(self, rows: Sequence[OutboxRow]) -> Published:
        channel = self._open()
        self._declare(row.queue for row in rows)
        self._refused, self._returned = [], set()
        ids: dict[str, int] = {}
        with _corked(self._connection.connection.sock):
            for row in rows:
                name = message_id(row)
                ids[name] = row.id
                self._last_tag += 1
                self._waiting[self._last_tag] = row.id
                message = self._message(channel, row, name)
                channel.basic_publish(message, exchange="", routing_key=row.queue, mandatory=True)
        self._await_confirms()
        if self._returned:  # somebody deleted a queue under us; the rows go out again with the next batch
            self._declared = frozenset()
        refused = {*self._refused, *(ids[name] for name in self._returned)}
        return Published(
            tuple(row.id for row in rows if row.id not in refused),
            tuple(row.id for row in rows if row.id in refused),
        )

    def _await_confirms(self) -> None:
        deadline = time.monotonic() + CONFIRM_TIMEOUT_S
        outstanding = len(self._waiting)
        while self._waiting:
            try:
                self._connection.drain_events(timeout=1.0)
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise OSError(f"no confirm for {CONFIRM_TIMEOUT_S:g} s") from None
                continue
            if len(self._waiting) < outstanding:
                outstanding = len(self._waiting)
                deadline = time.monotonic() + CONFIRM_TIMEOUT_S

    def _open(self) -> Any:
        if self._channel is not None:
            return self._channel
        connection = self._app.connection_for_write(
            connect_timeout=CONNECT_TIMEOUT_S,
            transport_options={"confirm_publish": False, "write_timeout": CONFIRM_TIMEOUT_S},
        )
        connection.connect()
        self._connection = connection
        channel = connection.channel()
        channel.confirm_select()
        channel.events["basic_ack"].add(self._on_ack)
        channel.events["basic_nack"].add(self._on_nack)
        channel.events["basic_return"].add(self._on_return)
        self._last_tag = 0
        self._waiting.clear()
        self._declared = frozenset()
        self._channel = channel
        return channel

    def _declare(self, queues: Iterable[str]) -> None:
        missing = frozenset(queues) - self._declared
        if missing:
            declare_queues(self._app, engines_of(missing))
            self._declared |= missing

    def _message(self, channel: Any, row: OutboxRow, name: str) -> Any:
        headers, embed = self._template(row.task)
        body = json.dumps([row.args, {}, embed])
        return channel.prepare_message(
            body,
            content_type="application/json",
            content_encoding="utf-8",
            headers={**headers, "id": name, "argsrepr": row.label},
            properties={"correlation_id": name, "delivery_mode": _PERSISTENT},
        )

    def _template(self, task: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Headers and trailer of a task's messages as Celery itself makes them; only id, label and args vary.

        Headers that say what their absence says are left out: they are most of the work of writing and of reading one.
        """
        if task not in self._templates:
            made = self._app.amqp.as_task_v2("", task, [], {}, argsrepr="", ignore_result=True)
            headers = {key: made.headers[key] for key in _HEADERS}
            self._templates[task] = (headers, made.body[2])
        return self._templates[task]

    def _settle(self, tag: int, multiple: bool) -> Iterable[int]:
        if not multiple:
            row = self._waiting.pop(tag, None)
            return () if row is None else (row,)
        settled = []
        for earlier in list(self._waiting):
            if earlier > tag:
                break
            settled.append(self._waiting.pop(earlier))
        return settled

    def _on_ack(self, tag: int, multiple: bool) -> None:
        self._settle(tag, multiple)

    def _on_nack(self, tag: int, multiple: bool) -> None:
        self._refused.extend(self._settle(tag, multiple))

    def _on_return(self, error: Exception, exchange: str, queue: str, message: Any) -> None:
        self._returned.add(message.properties["correlation_id"])
