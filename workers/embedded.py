"""The workers of the one-machine mode: the same desk, pool and tasks, as threads of this process."""

from __future__ import annotations

import logging
import socket
import threading
from typing import Any

from celery import Celery

from db.session import make_engine
from db.settings import Settings
from synthesis.registry import make_engine as make_speech_engine
from workers.app import add_line_queues
from workers.contract import POST_QUEUE, line_queue
from workers.lines import register_line_task
from workers.pool import pool_for
from workers.post import register_post_tasks
from workers.runtime import LineWorker, quiet_per_line_logging

log = logging.getLogger(__name__)

READY_S = 30.0


class EmbeddedWorkers:
    """A line worker and a post worker inside this process, fed by the application's in-process transport.

    ``start`` and ``stop`` may be called from any thread and install no signal handlers. ``capacity`` None is the
    engine's own; ``post_threads`` sections are mastered at once.
    """

    def __init__(
        self,
        app: Celery,
        settings: Settings,
        database_url: str,
        *,
        engine: str,
        capacity: int | None = None,
        post_threads: int = 1,
        device: str = "cpu",
    ) -> None:
        self._app = app
        self._engine_name = engine
        self._name = f"local@{socket.gethostname()}"
        self._database = make_engine(
            database_url, pool_size=4, application_name="voicefarm-local", lease_s=settings.lease_s
        )
        speech = make_speech_engine(engine, capacity=capacity, device=device)
        self._lines = LineWorker(settings, self._database, speech, device=device, name=self._name)
        self._post = register_post_tasks(app, settings, database_url, f"post.{self._name}")
        self._post_threads = post_threads
        self._controller: Any = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start everything; returns when messages are being taken. Raises DatabaseUnavailable."""
        quiet_per_line_logging()
        register_line_task(self._app)
        add_line_queues(self._app, [self._engine_name])
        self._lines.start()
        ready = threading.Event()
        self._controller = self._app.WorkController(
            hostname=self._name,
            queues=[line_queue(self._engine_name), POST_QUEUE],
            pool=pool_for(self._lines.desk, task_threads=self._post_threads),
            concurrency=self._lines.window,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            task_events=False,
            ready_callback=lambda _: ready.set(),
        )
        self._thread = threading.Thread(target=self._controller.start, name="celery", daemon=True)
        self._thread.start()
        ready.wait(READY_S)

    def stop(self) -> None:
        """Finish what is held, give back what was not started, end the session."""
        if self._controller is not None and self._thread is not None:
            self._controller.stop()
            self._thread.join(READY_S)
        self._lines.stop()
        self._post.close()
        self._database.dispose()
