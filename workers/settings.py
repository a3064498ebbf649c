"""Celery's settings and the queues, each with its reason. Light: no db, no torch, no synthesis."""

from __future__ import annotations

from typing import Any

from kombu.entity import Exchange, Queue

from workers.contract import DEAD_EXCHANGE, DEAD_QUEUE, POST_QUEUE, line_queue

EXCHANGE = "voicefarm"
MEMORY_URL = "memory://localhost/"

DELIVERY_LIMIT = 20
"""Redeliveries before the broker gives a message up. One crash of the broker costs 2; the database's cap of three
attempts is what stops a poison line."""
MAX_LENGTH = 10_000
"""Messages a queue takes before it refuses more: the backlog belongs in Postgres, the relay tries again."""


def in_process(broker_url: str | None) -> bool:
    """Whether this is the in-process transport of the one-machine mode."""
    return broker_url is None or broker_url.startswith("memory:")


def farm_queue(name: str, *, memory: bool) -> Queue:
    """A durable queue of the farm; on RabbitMQ a quorum queue that dead-letters and refuses what it cannot hold."""
    arguments: dict[str, Any] = {
        "x-queue-type": "quorum",  # the only replicated kind, and the only one with a delivery limit
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": DEAD_EXCHANGE,  # given-up messages are kept for people, not dropped
        "x-dead-letter-routing-key": DEAD_QUEUE,
        "x-max-length": MAX_LENGTH,
        "x-overflow": "reject-publish",  # the relay sees the refusal and keeps the row
    }
    return _queue(EXCHANGE, name, None if memory else arguments)


def dead_queue(*, memory: bool) -> Queue:
    """Where given-up messages go; the oldest are dropped, since the rows they point to are safe."""
    arguments = {"x-queue-type": "quorum", "x-max-length": MAX_LENGTH, "x-overflow": "drop-head"}
    return _queue(DEAD_EXCHANGE, DEAD_QUEUE, None if memory else arguments)


def _queue(exchange: str, name: str, arguments: dict[str, Any] | None) -> Queue:
    durable = Exchange(exchange, type="direct", durable=True)  # type: ignore[no-untyped-call]
    return Queue(name, durable, routing_key=name, durable=True, queue_arguments=arguments)  # type: ignore[no-untyped-call]


def engine_queue(engine: str, *, memory: bool) -> Queue:
    """The queue whose workers run ``engine``."""
    return farm_queue(line_queue(engine), memory=memory)


def celery_settings(broker_url: str | None) -> dict[str, Any]:
    """Everything Celery is told; None or ``memory://`` gives the in-process variant."""
    memory = in_process(broker_url)
    return _common(memory) | (_memory() if memory else _rabbit(str(broker_url)))


def broker_heartbeat(lease_s: float) -> int:
    """Seconds between a line worker's signs of life to the broker: RabbitMQ hangs up after two to three of them.

    About when the lease runs out. What a worker took in advance and does not work on (it hangs, its machine is cut
    off) is in no row: only the end of its connection gives those lines to others.
    """
    return max(2, round(lease_s / 3))


def _common(memory: bool) -> dict[str, Any]:
    return {
        "task_queues": (farm_queue(POST_QUEUE, memory=memory),),
        "task_default_queue": POST_QUEUE,
        "task_default_exchange": EXCHANGE,
        "task_default_routing_key": POST_QUEUE,
        "task_create_missing_queues": False,  # a misspelt queue is an error, not a queue nobody reads
        "task_serializer": "json",
        "accept_content": ["json"],  # a message can never become code
        "result_serializer": "json",
        "task_ignore_result": True,  # results are rows
        "result_backend": None,
        "task_store_errors_even_if_ignored": False,
        "task_always_eager": False,
        "task_track_started": False,
        "enable_utc": True,
        "worker_prefetch_multiplier": 1,  # what a worker holds, it works on
        "worker_hijack_root_logger": False,  # logging is set up by the command that starts the process
        "worker_redirect_stdouts": False,
        "worker_disable_rate_limits": True,  # one look-up less per line
        "worker_max_tasks_per_child": None,
        "worker_consumer": "workers.consumer:FarmConsumer",  # without 28 helper queues for delays nobody uses
        "worker_soft_shutdown_timeout": 0.0,  # raises NotImplementedError on thread pools; we drain by ourselves
        "broker_connection_retry_on_startup": True,  # start order of farm and broker does not matter
        "broker_connection_max_retries": None,  # never give up on the broker: rows wait in Postgres
    }


def _rabbit(broker_url: str) -> dict[str, Any]:
    return {
        "broker_url": broker_url,
        "task_acks_late": True,  # a worker that dies gives its messages back
        "task_reject_on_worker_lost": True,  # so does a post child that dies
        "task_acks_on_failure_or_timeout": True,  # a failure was recorded in its row before
        "broker_heartbeat": 30,  # a dead peer is found within a minute
        "worker_send_task_events": True,  # Flower shows every line
        "task_send_sent_event": False,  # the relay publishes; 'received' says the same
        "event_queue_ttl": 60,  # a Flower that went away must not fill the broker
        "event_queue_expires": 120,
        "worker_cancel_long_running_tasks_on_connection_loss": False,  # lines cannot be cancelled; the fence decides
        "worker_enable_prefetch_count_reduction": False,  # no effect on quorum queues
    }


def _memory() -> dict[str, Any]:
    return {
        "broker_url": MEMORY_URL,
        "task_acks_late": False,  # with late acks this transport stalls at about 8 tasks/s
        "worker_prefetch_multiplier": 0,  # unlimited: the line pool claims no more than it can hold
        "broker_transport_options": {"polling_interval": 0.005},  # seconds; the default of 1 s is felt
        "broker_heartbeat": 0,
        "worker_send_task_events": False,  # nobody listens inside one process
        "worker_enable_remote_control": False,  # no reply queues in a transport without sockets
    }
