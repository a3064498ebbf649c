"""Worker processes: put the parts together, run Celery's worker in this process, take the parts down."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

import sqlalchemy as sa
from celery import Celery, signals
from celery.apps.worker import Worker

from db.session import make_engine, retry_transient
from db.settings import Settings
from db.store import Store
from synthesis.engine import Engine
from workers.app import add_line_queues, declare_queues, make_app
from workers.contract import POST_QUEUE, line_queue
from workers.devices import bind_device, worker_name
from workers.errors import NotConfigured
from workers.heartbeat import Heartbeat, Identity
from workers.ledger import SqlLineStore
from workers.lines import DeskLimits, LineDesk, register_line_task
from workers.outcome import Counters, Session
from workers.pool import pool_for
from workers.settings import broker_heartbeat
from workers.transport import transport_for
from workers.voices import register_engine_voices

log = logging.getLogger(__name__)

START_DEADLINE_S = 60.0
"""How long a starting worker waits for its database."""


class LineWorker:
    """A line desk with its session: what the stand-alone worker and the one-machine mode share."""

    def __init__(
        self,
        settings: Settings,
        database: sa.Engine,
        engine: Engine,
        *,
        device: str,
        name: str,
        exit_process: Callable[[int], object] = os._exit,
    ) -> None:
        self._database = database
        self._engine = engine
        self._session = Session(name)
        counters = Counters()
        limits = DeskLimits(window=window_of(engine.capacity), watchdog_s=settings.watchdog_s)
        self.window = limits.window
        self.desk = LineDesk(
            engine,
            SqlLineStore(database),
            Store(settings.resolved_store_url),
            self._session,
            counters,
            limits,
            exit_process=exit_process,
        )
        who = Identity(name, "line", engine.name, device, engine.capacity)
        self._heartbeat = Heartbeat(
            database,
            self._session,
            who,
            settings.heartbeat_s,
            voices=self.desk.room.voices,
            counters=counters.snapshot,
        )

    def start(self) -> None:
        """Register voices and session, then start every thread. Raises DatabaseUnavailable."""
        retry_transient(self._register, attempts=1000, deadline_s=START_DEADLINE_S)
        self.desk.start()
        self._heartbeat.start()

    def stop(self) -> None:
        """End the session; the desk was stopped by the pool."""
        self._heartbeat.stop()

    def _register(self) -> None:
        with self._database.begin() as conn:
            register_engine_voices(conn, self._engine)
        self._heartbeat.open()


def window_of(capacity: int) -> int:
    """Lines a worker holds at once: those in the engine, those waiting, those on their way to a commit.

    A commit takes as long as a fast engine needs for a whole batch: with twice the capacity alone, 16 lines of 10 ms
    starved the engine to a third. The dispatcher's window bounds what a slow engine is given.
    """
    return max(2 * capacity, capacity + 64)


def run_line_worker(
    settings: Settings, *, engine: str, device: str, capacity: int | None = None, name: str | None = None
) -> int:
    """Render lines on one device until SIGTERM; returns the exit status. Raises NoDevice, NotConfigured …"""
    local_device = bind_device(device)
    from synthesis.registry import make_engine as make_speech_engine  # after bind_device: it may import torch

    broker_url, database_url = _urls(settings)
    quiet_per_line_logging()
    speech = make_speech_engine(engine, capacity=capacity, device=local_device)
    database = make_engine(database_url, pool_size=4, application_name="voicefarm-worker", lease_s=settings.lease_s)
    worker = LineWorker(settings, database, speech, device=device, name=name or worker_name(device))
    app = make_app(broker_url)
    app.conf.broker_transport = transport_for(broker_url)
    app.conf.broker_heartbeat = broker_heartbeat(settings.lease_s)
    register_line_task(app)
    add_line_queues(app, [engine])
    worker.start()
    try:
        return _run_celery(
            app,
            name or worker_name(device),
            [line_queue(engine)],
            pool=pool_for(worker.desk),
            concurrency=worker.window,
            engines=[engine],
        )
    finally:
        worker.stop()
        database.dispose()


def run_post_worker(settings: Settings, *, concurrency: int, name: str | None = None) -> int:
    """Assemble and deliver in ``concurrency`` processes until SIGTERM; returns the exit status."""
    from workers.post import register_post_tasks

    broker_url, database_url = _urls(settings)
    app = make_app(broker_url)
    full_name = name or worker_name("cpu", "post")
    benches = register_post_tasks(app, settings, database_url, full_name)

    def opened(**_: object) -> None:
        benches.get()  # starts a heartbeat, waits for nothing: Celery gives this signal four seconds

    def closed(**_: object) -> None:
        benches.close()

    signals.worker_process_init.connect(opened, weak=False)
    signals.worker_process_shutdown.connect(closed, weak=False)
    return _run_celery(app, full_name, [POST_QUEUE], pool="prefork", concurrency=concurrency, engines=[])


def _urls(settings: Settings) -> tuple[str, str]:
    if settings.broker_url is None:
        raise NotConfigured("BROKER_URL", "amqp://user:password@host:5672/vhost")
    if settings.database_url is None:
        raise NotConfigured("DATABASE_URL", "postgresql://user:password@host:5432/database")
    return settings.broker_url, settings.database_url


def _run_celery(
    app: Celery, name: str, queues: list[str], *, pool: object, concurrency: int, engines: list[str]
) -> int:
    declare_queues(app, engines, wait=True)  # farm and broker may start in any order
    worker: Worker = app.Worker(
        hostname=name,
        queues=queues,
        pool=pool,
        concurrency=concurrency,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=False,
        task_events=True,
        quiet=True,
        optimization="fair",
        loglevel=logging.getLogger().getEffectiveLevel(),
    )
    log.info("%s consumes %s", name, ", ".join(queues))
    worker.start()
    return int(worker.exitcode or 0)


def quiet_per_line_logging() -> None:
    """Keep Celery from writing two lines per task at INFO: at a thousand lines a second that is the work."""
    for noisy in ("celery.worker.strategy", "celery.app.trace", "celery.worker.request", "celery.pool"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
