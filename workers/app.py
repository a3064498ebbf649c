"""The Celery application. Importing this does nothing and knows neither database nor engine."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from celery import Celery

from workers.contract import POST_QUEUE
from workers.settings import celery_settings, dead_queue, engine_queue, farm_queue, in_process

log = logging.getLogger(__name__)


def make_app(broker_url: str | None) -> Celery:
    """Make the farm's application for one process; ``None`` gives the in-process transport.

    Nothing is connected and no current application is set, so two of them can live in one process (tests).
    """
    app = Celery("voicefarm", set_as_current=False)
    app.conf.update(celery_settings(broker_url))
    return app


def add_line_queues(app: Celery, engines: Iterable[str]) -> list[str]:
    """Make the queues of these engines known to the application; returns their names. Touches no broker."""
    memory = in_process(app.conf.broker_url)
    names = []
    for engine in engines:
        queue = engine_queue(engine, memory=memory)
        if queue.name not in app.amqp.queues:
            app.amqp.queues.add(queue)
        names.append(queue.name)
    return names


def declare_queues(app: Celery, engines: Iterable[str], *, wait: bool = False) -> list[str]:
    """Declare the post queue, the dead-letter queue and the queues of these engines at the broker.

    Safe to repeat, and repeated after a broker lost its data. Returns the names of the line queues. With ``wait`` a
    broker that is down is waited for, and the log says so; without, ``kombu.exceptions.OperationalError`` is raised
    when it does not answer within a few tries. A login that it refuses is raised at once either way.
    """
    memory = in_process(app.conf.broker_url)
    names = add_line_queues(app, engines)
    with app.connection_for_write() as connection:
        if wait:
            connection.ensure_connection(_say_down, interval_start=0.5, interval_step=0.5, interval_max=5.0)
        else:
            connection.ensure_connection(max_retries=3, interval_start=0.2, interval_step=0.5)
        channel = connection.default_channel
        queues = [dead_queue(memory=memory), farm_queue(POST_QUEUE, memory=memory)]
        for queue in (*queues, *(app.amqp.queues[name] for name in names)):
            queue(channel).declare()
    return names


def _say_down(error: Exception, wait_s: float) -> None:
    log.warning("the broker does not answer (%s); asking again in %.1f s", error, wait_s)
