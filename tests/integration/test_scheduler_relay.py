"""The relay on a real RabbitMQ and a real outbox: every row is confirmed before it is deleted, and none is lost."""

from __future__ import annotations

import dataclasses
import itertools
import json
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from celery import Celery
from rabbitmq import PrivateNode

from db.models import Outbox
from db.queries import outbox
from db.records import OutboxRow
from scheduler.publisher import AmqpPublisher, BrokerDown, InProcessPublisher, make_publisher, message_id
from scheduler.relay import Relay
from workers.app import make_app
from workers.contract import ASSEMBLE_TASK, LINE_TASK, POST_QUEUE, AssembleMessage, LineMessage, line_queue

QUEUE = line_queue("fake")


def fill(engine: sa.Engine, count: int, queue: str = QUEUE) -> None:
    rows = [
        {
            "queue": queue,
            "task": LINE_TASK,
            "args": LineMessage(number, 2).args(),
            "label": f"The Fables · 03 · {number} · draft-en-2",
        }
        for number in range(count)
    ]
    with engine.begin() as conn:
        conn.execute(sa.insert(Outbox), rows)


def depth(engine: sa.Engine) -> int:
    with engine.connect() as conn:
        return outbox.depth(conn)


def drain(app: Celery, queue: str = QUEUE) -> list[tuple[dict[str, object], list[object]]]:
    """(headers, body) of every message in a queue."""
    found = []
    with app.connection_for_read() as connection:
        channel = connection.default_channel
        while (message := channel.basic_get(queue, no_ack=True)) is not None:
            found.append((message.headers, json.loads(message.body)))
    return found


@pytest.fixture
def app(broker_url: str) -> Celery:
    return make_app(broker_url)


@pytest.fixture
def relay(engine: sa.Engine, app: Celery) -> Iterator[Relay]:
    made = Relay(engine, make_publisher(app))
    yield made
    made.close()


def test_every_row_becomes_one_message_that_celery_reads(engine: sa.Engine, app: Celery, relay: Relay) -> None:
    fill(engine, 1200)
    confirmed = [relay.step().confirmed for _ in range(3)]
    assert confirmed == [500, 500, 200]
    assert depth(engine) == 0
    messages = drain(app)
    assert sorted(body[0][1] for _, body in messages) == list(range(1200))  # type: ignore[index]
    headers, body = messages[7]
    assert headers["task"] == LINE_TASK
    assert headers["id"] == "line-7-2"
    assert headers["argsrepr"] == "The Fables · 03 · 7 · draft-en-2"
    assert body[:2] == [[1, 7, 2], {}]


def test_an_empty_outbox_is_quiet(relay: Relay) -> None:
    step = relay.step()
    assert (step.confirmed, step.refused, step.more) == (0, 0, False)


def test_a_full_queue_refuses_and_does_not_keep_others_waiting(
    engine: sa.Engine, app: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.settings.MAX_LENGTH", 100)
    relay = Relay(engine, make_publisher(app))
    fill(engine, 2000)
    with engine.begin() as conn:
        conn.execute(
            sa.insert(Outbox),
            [{"queue": POST_QUEUE, "task": ASSEMBLE_TASK, "args": AssembleMessage(5, 1).args(), "label": "late"}],
        )
    refused = 0
    for _ in range(30):
        refused += relay.step().refused
        if refused and drain(app, POST_QUEUE):
            break
    else:
        pytest.fail("the message of another queue never went out")
    kept = depth(engine)
    assert refused > 0
    assert kept >= refused  # refused rows stay
    taken = len(drain(app))
    deadline = time.monotonic() + 30
    while depth(engine) and time.monotonic() < deadline:
        relay.step()
        taken += len(drain(app))
    taken += len(drain(app))
    assert depth(engine) == 0
    assert taken == 2000
    relay.close()


def test_a_queue_deleted_under_a_living_connection_is_declared_again(
    engine: sa.Engine, app: Celery, relay: Relay
) -> None:
    fill(engine, 3)
    assert relay.step().confirmed == 3
    with app.connection_for_write() as connection:
        connection.default_channel.queue_delete(QUEUE)
    fill(engine, 4)
    confirmed = 0
    deadline = time.monotonic() + 10
    while confirmed < 4 and time.monotonic() < deadline:
        confirmed += relay.step().confirmed
    assert confirmed == 4
    assert len(drain(app)) == 4


def test_rows_survive_a_broker_that_dies_and_returns_without_its_data(
    engine: sa.Engine, private_broker: PrivateNode, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(private_broker.vhost_url())
    now = itertools.count(step=10)  # every look at the clock is past the back-off
    relay = Relay(engine, make_publisher(app), clock=lambda: float(next(now)))
    fill(engine, 10)
    assert relay.step().confirmed == 10
    private_broker.kill()
    private_broker.wipe()
    fill(engine, 600)
    assert [relay.step().confirmed for _ in range(3)] == [0, 0, 0]
    assert relay.broker_down
    assert depth(engine) == 600
    assert sum("the broker is unreachable" in record.message for record in caplog.records) == 1
    private_broker.start()
    while depth(engine):
        relay.step()
    assert not relay.broker_down
    assert len(drain(app)) == 600
    relay.close()


def test_a_broker_that_is_down_is_tried_once_per_delay(engine: sa.Engine) -> None:
    now = [0.0]
    relay = Relay(engine, AmqpPublisher(make_app("amqp://guest:guest@127.0.0.1:1//")), clock=lambda: now[0])
    fill(engine, 1)
    relay.step()
    started = time.monotonic()
    for _ in range(100):
        relay.step()
    assert time.monotonic() - started < 0.5
    assert depth(engine) == 1


def test_publishing_to_nobody_says_that_the_broker_is_down() -> None:
    publisher = AmqpPublisher(make_app("amqp://guest:guest@127.0.0.1:1//"))
    with pytest.raises(BrokerDown):
        publisher.publish([OutboxRow(1, QUEUE, LINE_TASK, (1, 1, 1), "")])


def test_the_in_process_transport_takes_rows_too(engine: sa.Engine) -> None:
    app = make_app(None)
    publisher = make_publisher(app)
    assert isinstance(publisher, InProcessPublisher)
    relay = Relay(engine, publisher)
    fill(engine, 30)
    assert relay.step().confirmed == 30
    assert depth(engine) == 0
    with app.connection_for_read() as connection:
        assert connection.default_channel.queue_declare(QUEUE, passive=True).message_count == 30


def test_ids_are_readable_and_repeatable() -> None:
    row = OutboxRow(9, QUEUE, LINE_TASK, tuple(LineMessage(4711, 2).args()), "x")
    assert message_id(row) == "line-4711-2"
    assert message_id(dataclasses.replace(row, id=10, label="y")) == "line-4711-2"
