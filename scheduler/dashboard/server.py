"""Flower's Tornado application with our pages in it."""

from __future__ import annotations

import ipaddress
import logging
import secrets
import signal
import socket
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import tornado.template
from celery import Celery
from flower.app import Flower
from flower.options import options
from flower.urls import settings as flower_settings
from tornado.ioloop import IOLoop
from tornado.log import LogFormatter
from tornado.web import url

from db.session import make_engine
from db.settings import Settings
from db.store import Store
from scheduler.dashboard import handlers
from scheduler.errors import SchedulerError
from workers.app import make_app

log = logging.getLogger(__name__)

TEMPLATES = Path(__file__).parent / "templates"
MAX_TASKS = 10_000
"""Tasks Flower remembers, at about 4.4 kB each."""

_TAB = """
        <li class="nav-item">
          <a class="nav-link{% if active_tab == 'jobs' %} active{% end %}" href="{{ reverse_url('jobs') }}"
            {% if active_tab == 'jobs' %}aria-current="page"{% end %}>Jobs</a>
        </li>
"""


class DashboardError(SchedulerError):
    """Flower cannot be started as asked; the message says what to change."""


class JobsLoader(tornado.template.Loader):
    """Flower's templates and ours; Flower's navigation bar gets the Jobs tab in front of its own."""

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        """Our templates are named ``jobs/…`` and stand alone: parents are always found by their plain name."""
        return name

    def _create_template(self, name: str) -> tornado.template.Template:
        ours = TEMPLATES / name.removeprefix("jobs/")
        path = ours if name.startswith("jobs/") else Path(self.root) / name
        text = path.read_text(encoding="utf-8")
        if name == "navbar.html":
            text = with_jobs_tab(text)
        return tornado.template.Template(text, name=name, loader=self)


def with_jobs_tab(navbar: str) -> str:
    """Flower's navigation bar with one more tab, first in its first list."""
    head, mark, tail = navbar.partition('<ul class="app-nav navbar-nav">')
    if not mark:
        log.warning("this Flower's navigation bar is unknown: the Jobs pages are at /jobs, without a tab")
        return navbar
    return head + mark + _TAB + tail


def build(
    capp: Celery,
    engine: sa.Engine,
    store: Store,
    *,
    address: str,
    port: int,
    auth: str | None,
    events: bool,
) -> Flower:
    """Make the Flower application with the Jobs pages; it is not listening yet.

    ``auth`` is 'user:password' or None. Raises DashboardError for an address others can reach without ``auth``.
    """
    if auth is not None and ":" not in auth:
        raise DashboardError("VOICEFARM_FLOWER_AUTH must be user:password")
    if auth is None and not _is_loopback(address):
        raise DashboardError(
            f"Flower would be open to everybody who reaches {address}: set VOICEFARM_FLOWER_AUTH=user:password"
        )
    options.address = address
    options.port = port
    options.basic_auth = [auth] if auth else []
    options.max_tasks = MAX_TASKS
    options.purge_offline_workers = 600
    options.enable_events = events
    options.tasks_columns = "args,state,worker,received,runtime,name"
    options.format_task = readable_task
    settings: dict[str, Any] = {
        **flower_settings,
        "cookie_secret": secrets.token_urlsafe(48),
        "template_loader": JobsLoader(flower_settings["template_path"]),
        "farm": handlers.Farm(engine, store),
    }
    application = Flower(capp=capp, options=options, **settings)
    # before Flower's own list: that ends with a handler which answers everything
    application.add_handlers(
        r".*",
        [
            url(r"/jobs/?", handlers.JobsPage, name="jobs"),
            url(r"/jobs/(\d+)", handlers.JobPage, name="job"),
            url(r"/jobs/(\d+)/(retry|pause|resume|cancel)", handlers.JobAction, name="job-action"),
            url(r"/jobs/lines/(\d+)/(retry|skip|approve)", handlers.LineAction, name="line-action"),
            url(r"/jobs/lines/(\d+)/take", handlers.TakeAudio, name="take"),
        ],
    )
    return application


def readable_task(task: Any) -> Any:
    """Show what a task is about instead of its repr: the relay put production · chapter · line · voice there."""
    if task.args:
        task.args = str(task.args).strip("'\"")
    return task


def run(settings: Settings, database_url: str, *, address: str = "127.0.0.1", port: int | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C. Without a broker only the Jobs pages have something to show."""
    engine = make_engine(database_url, application_name="voicefarm-flower")
    capp = make_app(settings.broker_url)
    application = build(
        capp,
        engine,
        Store(settings.resolved_store_url),
        address=address,
        port=settings.flower_port if port is None else port,
        auth=settings.flower_auth,
        events=settings.broker_url is not None,
    )
    _quiet_access_log()
    bound = application.start_http_server()
    log.info("Flower is at http://%s:%s/, the jobs at http://%s:%s/jobs", address, bound, address, bound)
    loop = IOLoop.current()
    signal.signal(signal.SIGTERM, lambda *_: loop.add_callback_from_signal(application.stop))
    try:
        application.start()
    except KeyboardInterrupt:
        application.stop()
    finally:
        engine.dispose()


def _quiet_access_log() -> None:
    logging.getLogger("tornado.access").setLevel(logging.WARNING)
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, LogFormatter):
            handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost" and ipaddress.ip_address(socket.gethostbyname(address)).is_loopback
