"""Reading ahead from the broker's socket."""

from __future__ import annotations

import time
from typing import Any

import pytest
from kombu import Connection
from kombu.asynchronous import Hub

from workers.transport import BURST, ReadAheadTransport, transport_for

QUEUE = "read-ahead"


@pytest.fixture
def connection(broker_url: str) -> Any:
    with Connection(broker_url, transport=transport_for(broker_url)) as opened:
        yield opened


def run_until(hub: Hub, condition: Any, timeout_s: float = 20.0) -> None:
    loop = hub.create_loop()
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        hub.call_later(0.05, lambda: None)
        next(loop)
    assert condition()


def test_more_messages_than_a_burst_arrive_whole_and_in_order(connection: Any) -> None:
    count = 3 * BURST + 7
    bodies = [{"number": number, "filler": "x" * (number % 900)} for number in range(count)]
    got: list[Any] = []
    hub = Hub()
    queue = connection.SimpleQueue(QUEUE)
    for body in bodies:
        queue.put(body)
    queue.close()
    assert isinstance(connection.transport, ReadAheadTransport)
    connection.register_with_event_loop(hub)
    with connection.Consumer([queue.queue], callbacks=[lambda body, message: (got.append(body), message.ack())]):
        run_until(hub, lambda: len(got) == count)
    assert got == bodies
    hub.close()


def test_a_message_larger_than_one_read_arrives_whole(connection: Any) -> None:
    got: list[Any] = []
    hub = Hub()
    queue = connection.SimpleQueue(QUEUE + "-large")
    queue.put({"text": "y" * 700_000})
    queue.close()
    connection.register_with_event_loop(hub)
    with connection.Consumer([queue.queue], callbacks=[lambda body, message: (got.append(body), message.ack())]):
        run_until(hub, lambda: bool(got))
    assert len(got[0]["text"]) == 700_000
    hub.close()


def test_other_transports_are_left_to_kombu() -> None:
    assert transport_for("memory://") is None
    assert transport_for("amqps://host//") is None
