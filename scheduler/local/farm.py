"""The one-machine farm: database, broker, workers and scheduler of one `voicefarm render`, in this process."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.errors import SchedulerActive
from scheduler.local.order import OrderError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from db.records import VoiceRecord
    from db.settings import Settings

log = logging.getLogger(__name__)

POST_THREADS = 2
"""Sections mastered at once. Encoding runs in ffmpeg's own processes, so this is worth it from two cores on."""
LEAVING_S = 2.0
"""A scheduler that was stopped or killed a moment ago has let go of its database by then."""


@dataclass(frozen=True, slots=True)
class FarmHandle:
    """An opened farm."""

    database_url: str
    database: sa.Engine
    in_process: bool
    """Whether this process does the work; otherwise a running farm does."""
    engine: str | None
    """The engine of this process; None where a running farm does the work."""


@contextlib.contextmanager
def open_database(settings: Settings) -> Iterator[str]:
    """URL of the farm's database with its schema: the configured one, or the embedded one, made if needed.

    The database of a running farm is not migrated from here: that is an operator's decision. Raises SchemaOutdated,
    SchedulerActive for the database of a running farm without its broker, OrderError for a broker without a database.
    """
    from db.errors import SchemaOutdated
    from db.schema import REVISION, current

    if settings.broker_url is not None:
        if settings.database_url is None:
            raise OrderError("BROKER_URL names a farm, DATABASE_URL is missing: set both, or neither for this machine")
        found = current(settings.database_url)
        if found != REVISION:
            raise SchemaOutdated(found, REVISION)
        yield settings.database_url
        return
    if settings.database_url is not None:
        _require_no_scheduler(settings.database_url)
        _migrate(settings.database_url)
        yield settings.database_url
        return
    from db.server import EmbeddedPostgres

    with EmbeddedPostgres(settings.home) as server:
        _migrate(server.url)
        yield server.url


def _migrate(url: str) -> None:
    from db.schema import REVISION, current

    if current(url) != REVISION:  # loading Alembic alone takes as long as reading a short book
        from db import migrate

        migrate.upgrade(url)


@contextlib.contextmanager
def open_farm(
    settings: Settings,
    *,
    engine: str | Callable[[Sequence[VoiceRecord]], str],
    capacity: int | None = None,
    on_wait: Callable[[], None] = lambda: None,
) -> Iterator[FarmHandle]:
    """Open the farm the settings name: a running one (BROKER_URL), or one inside this process.

    ``engine`` runs in this process; where it depends on the voices there are, it is a function of them. One process at
    a time works on a home directory; ``on_wait`` is called once if another one has to be waited for.
    """
    from db.session import make_engine

    in_process = settings.broker_url is None
    name: str | None = None
    with contextlib.ExitStack() as stack:
        if in_process:
            settings.home.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_alone(settings.home, on_wait))
        url = stack.enter_context(open_database(settings))
        database = make_engine(url, pool_size=3, application_name="voicefarm-render")
        stack.callback(database.dispose)
        if in_process:
            _prepare(database, settings)
            name = engine if isinstance(engine, str) else engine(_voices(database))
            stack.enter_context(_running(settings, url, database, name, capacity))
        yield FarmHandle(url, database, in_process, name)


def _require_no_scheduler(url: str) -> None:
    """Refuse a database whose scheduler is elsewhere, after the time that one that is leaving needs to be gone."""
    from db.locks import SCHEDULER_LOCK, holder
    from db.session import make_engine

    database = make_engine(url, pool_size=1, application_name="voicefarm-render")
    deadline = time.monotonic() + LEAVING_S
    try:
        while True:
            with database.connect() as conn:
                found = holder(conn, SCHEDULER_LOCK)
            if found is None:
                return
            if time.monotonic() >= deadline:
                raise SchedulerActive(found)
            time.sleep(0.1)
    finally:
        database.dispose()


@contextlib.contextmanager
def _alone(home: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    with (home / "render.lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _voices(database: sa.Engine) -> list[VoiceRecord]:
    from db.queries.voices import list_voices

    with database.connect() as conn:
        return list_voices(conn)


def _prepare(database: sa.Engine, settings: Settings) -> None:
    """Store the voices, and take over what a killed process of this home left behind."""
    from db.queries.takeover import take_over
    from scheduler.local.voices import register_builtin_voices

    with database.begin() as conn:
        register_builtin_voices(conn)
        if settings.database_url is None:
            take_over(conn)


@contextlib.contextmanager
def _running(settings: Settings, url: str, database: sa.Engine, engine: str, capacity: int | None) -> Iterator[None]:
    from sqlalchemy.exc import SQLAlchemyError

    from db.notify import notify
    from scheduler.loop import Scheduler
    from workers.app import make_app
    from workers.embedded import EmbeddedWorkers

    logging.getLogger("kombu.connection").setLevel(logging.ERROR)  # warns that memory:// names no host
    app = make_app(None)
    stop = threading.Event()
    scheduler = Scheduler(settings, url, app)
    thread = threading.Thread(target=scheduler.run, args=(stop,), name="scheduler", daemon=True)
    workers = EmbeddedWorkers(app, settings, url, engine=engine, capacity=capacity, post_threads=POST_THREADS)
    workers.start()
    thread.start()
    try:
        yield
    finally:
        stop.set()
        with contextlib.suppress(SQLAlchemyError), database.begin() as conn:
            notify(conn)  # the scheduler may be waiting for a hint
        thread.join(30)
        workers.stop()
