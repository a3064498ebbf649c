"""What each Jobs page shows and what each button does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
import tornado.web
from flower.views import BaseHandler
from tornado.ioloop import IOLoop

from db.errors import FarmError, InvalidTransition, NotFound, StoreError
from db.queries import jobs, lines, productions, status
from db.records import JobProgress
from db.states import LineState, ProductionState
from db.store import Store
from scheduler.dashboard import present

T = TypeVar("T")

ATTENTION = (LineState.FAILED, LineState.RENDERED, LineState.HELD)
"""States of lines that wait for a person or for something outside the farm."""
PAGE = 100
"""Lines on one page."""


@dataclass(frozen=True, slots=True)
class Farm:
    """What the pages need of the farm."""

    engine: sa.Engine
    store: Store


class FarmHandler(BaseHandler):  # type: ignore[misc]  # Flower has no types
    """Behind Flower's authentication; every change needs the token of a page that we served."""

    @property
    def farm(self) -> Farm:
        """The farm behind this application."""
        farm: Farm = self.settings["farm"]
        return farm

    def check_xsrf_cookie(self) -> None:
        """Always checked: Flower skips it where no login is set up, and a button here can cancel a night's work."""
        tornado.web.RequestHandler.check_xsrf_cookie(self)

    async def query(self, work: Callable[[sa.Connection], T]) -> T:
        """Run ``work`` in a transaction of its own, off the event loop. Domain errors become answers."""

        def transaction() -> T:
            with self.farm.engine.begin() as connection:
                return work(connection)

        try:
            return await IOLoop.current().run_in_executor(None, transaction)
        except NotFound as error:
            raise tornado.web.HTTPError(404, "%s", error) from error
        except InvalidTransition as error:
            raise tornado.web.HTTPError(409, "%s", error) from error
        except FarmError as error:
            raise tornado.web.HTTPError(503, "%s", error) from error

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """A conflict or an outage is one sentence on a page, not a stack trace."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        if status_code in (404, 409, 503) and isinstance(error, tornado.web.HTTPError):
            self.set_status(status_code)
            self.render("jobs/message.html", message=error.get_message(), status=status_code)
            return
        super().write_error(status_code, **kwargs)

    def back(self, job_id: int | None) -> None:
        """Return to the page the button was on."""
        self.redirect(self.reverse_url("job", job_id) if job_id is not None else self.reverse_url("jobs"))


class JobsPage(FarmHandler):
    """Every job, newest first, with its progress."""

    @tornado.web.authenticated
    async def get(self) -> None:
        """Show the page, or with ``?fragment=1`` only the part that changes."""
        found = await self.query(status.jobs)
        template = "jobs/_jobs.html" if self.get_argument("fragment", "") else "jobs/jobs.html"
        self.render(template, jobs=[present.job(job) for job in found])


class JobPage(FarmHandler):
    """One job: chapters, lines that need attention, lines to listen to, files."""

    @tornado.web.authenticated
    async def get(self, job_id: str) -> None:
        """Show the page, or with ``?fragment=1`` only the part that changes."""
        number = int(job_id)
        section = self.get_argument("section", "")
        chosen = int(section) if section.isdigit() else None
        offset = max(0, int(self.get_argument("offset", "0") or 0))

        def read(connection: sa.Connection) -> dict[str, Any]:
            return {
                "job": present.job(status.job(connection, number)),
                "sections": [present.section(row) for row in status.sections(connection, number)],
                "attention": [
                    present.line(row) for row in status.lines(connection, number, states=ATTENTION, limit=PAGE)
                ],
                "lines": [
                    present.line(row)
                    for row in status.lines(connection, number, section=chosen, limit=PAGE, offset=offset)
                ],
                "files": status.deliverables(connection, number),
            }

        page = await self.query(read)
        template = "jobs/_job.html" if self.get_argument("fragment", "") else "jobs/job.html"
        self.render(template, chosen=chosen, offset=offset, page_size=PAGE, **page)


class JobAction(FarmHandler):
    """retry, pause, resume or cancel a job."""

    @tornado.web.authenticated
    async def post(self, job_id: str, action: str) -> None:
        """Do it and go back to the job."""
        self.refuse_when_read_only()
        number = int(job_id)

        def act(connection: sa.Connection) -> None:
            job = status.job(connection, number)
            _JOB_ACTIONS[action](connection, job)

        await self.query(act)
        self.back(number if self.get_argument("from", "") == "job" else None)

    def refuse_when_read_only(self) -> None:
        """Flower's own read-only mode covers our buttons too."""
        if self.application.options.read_only:
            raise tornado.web.HTTPError(403, "Flower runs in read-only mode")


def _retry(connection: sa.Connection, job: JobProgress) -> None:
    lines.retry(connection, job_id=job.job_id)
    jobs.retry_failed(connection, job.job_id)


_JOB_ACTIONS: dict[str, Callable[[sa.Connection, JobProgress], None]] = {
    "retry": _retry,
    "pause": lambda connection, job: productions.set_state(connection, job.slug, ProductionState.PAUSED),
    "resume": lambda connection, job: productions.set_state(connection, job.slug, ProductionState.ACTIVE),
    "cancel": lambda connection, job: lines.cancel_job(connection, job.job_id),
}


class LineAction(JobAction):
    """retry, skip or approve one line."""

    @tornado.web.authenticated
    async def post(self, line_id: str, action: str) -> None:
        """Do it and go back to the line's job."""
        self.refuse_when_read_only()
        act = {"retry": lines.retry, "skip": lines.skip, "approve": lines.approve}[action]
        await self.query(lambda connection: act(connection, [int(line_id)]))
        job_id = self.get_argument("job", "")
        self.back(int(job_id) if job_id.isdigit() else None)


class TakeAudio(FarmHandler):
    """The selected take of a line, to listen to."""

    @tornado.web.authenticated
    async def get(self, line_id: str) -> None:
        """Answer with the take's FLAC file."""
        row = await self.query(lambda connection: status.line(connection, int(line_id)))
        if row.audio_sha256 is None:
            raise tornado.web.HTTPError(404, "line %s has no take yet", line_id)
        key = row.audio_sha256
        try:
            audio = await IOLoop.current().run_in_executor(None, self.farm.store.get_bytes, key)
        except StoreError as error:
            raise tornado.web.HTTPError(404, "%s", error) from error
        self.set_header("Content-Type", "audio/flac")
        self.set_header("Cache-Control", "private, max-age=3600")
        self.finish(audio)
