"""The post tasks: claim, work under a lease, record what came of it. The work itself is in assembly and delivery.

A task never raises for what it can record: the row says what happened, then the message is acknowledged. A worker that
dies in the middle loses its lease, and the reaper asks again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import Enum

import sqlalchemy as sa
from billiard import current_process
from celery import Celery

from db.errors import DatabaseUnavailable, FarmError, StoreFull, StoreUnreadable
from db.queries import damage, jobs, lines, sections
from db.records import SectionWork
from db.settings import Settings
from synthesis.errors import SynthesisError
from workers.assembly import find_made, make_track
from workers.bench import BenchHolder, PostBench
from workers.contract import ASSEMBLE_TASK, DELIVER_TASK, MESSAGE_VERSION
from workers.delivery import deliver
from workers.errors import TakesDamaged, TracksDamaged, UnknownMessage, WorkerError

log = logging.getLogger(__name__)

EXPECTED = (SynthesisError, FarmError, WorkerError)
"""What work raises on purpose: its sentence is for people."""
STORE_AWAY = (StoreFull, StoreUnreadable)
"""What another time may well succeed; a file that is missing or damaged stays so."""
Outcome = Callable[[sa.Connection, str], bool]
"""Records, with the reason, what became of work that was not done."""


def register_post_tasks(app: Celery, settings: Settings, database_url: str, name: str) -> BenchHolder:
    """Make the post tasks known to the application; their tools are made in each process at its first use."""
    holder = BenchHolder(lambda: PostBench(settings, database_url, bench_name(name)))

    @app.task(name=ASSEMBLE_TASK, ignore_result=True, shared=False)  # type: ignore[untyped-decorator]
    def assemble(version: int, section_id: int, revision: int) -> None:
        if known(ASSEMBLE_TASK, version):
            assemble_section(holder.get(), section_id, revision)

    @app.task(name=DELIVER_TASK, ignore_result=True, shared=False)  # type: ignore[untyped-decorator]
    def deliver(version: int, job_id: int, revision: int) -> None:
        if known(DELIVER_TASK, version):
            deliver_job(holder.get(), job_id, revision)

    return holder


def bench_name(name: str) -> str:
    """The worker's name, with the number of the pool child: a restarted child takes its predecessor's name."""
    index = getattr(current_process(), "index", None)
    return name if index is None else f"{name}/{index}"


def known(task: str, version: object) -> bool:
    """Whether this release knows the message; one it does not know is dropped, the reconciler asks again."""
    if version == MESSAGE_VERSION:
        return True
    log.error("%s", UnknownMessage(task, version))
    return False


class Look(Enum):
    """What a look at a section came to, when there is nothing to make."""

    WAITS = "postponed"
    SUPERSEDED = "superseded"
    MADE = "assembled"


def assemble_section(bench: PostBench, section_id: int, revision: int) -> None:
    """Make one section's track and record it. One that was made before is found and recorded with the claim."""
    session, lease_s = bench.session.id, bench.settings.lease_s

    def look(conn: sa.Connection) -> SectionWork | Look:
        if sections.wait_for_store(conn, section_id, revision):
            return Look.WAITS
        work = sections.claim(conn, section_id, revision, session, lease_s)
        if work is None:
            return Look.SUPERSEDED
        made = find_made(conn, bench.store, work)
        if made is None:
            return work
        sections.finish(conn, section_id, revision, session, made)
        return Look.MADE

    try:
        work = bench.transact(look)
    except DatabaseUnavailable as error:
        log.warning("section %d was not claimed: %s", section_id, error)
        return
    if isinstance(work, Look):
        bench.counters.add(work.value)
        return
    log.info("assembling %s, %s (%d lines)", work.production_title, work.title or work.section_key, len(work.lines))

    def refuse(conn: sa.Connection, message: str) -> bool:
        return sections.fail(conn, section_id, revision, session, message)

    def postpone(conn: sa.Connection, message: str) -> bool:
        return sections.postpone(conn, section_id, revision, session, message)

    with bench.lease(lambda conn: sections.renew(conn, section_id, revision, session, lease_s)):
        try:
            track = make_track(bench, work)
        except TakesDamaged as error:
            _send_back(bench, section_id, revision, error, refuse)
            return
        except Exception as error:  # noqa: BLE001  the process boundary of this task: the outcome is recorded
            _record(bench, f"section {section_id}", error, refuse, postpone)
            return
        done = _write(bench, lambda conn: sections.finish(conn, section_id, revision, session, track))
    bench.counters.add("assembled" if done else "superseded")


def deliver_job(bench: PostBench, job_id: int, revision: int) -> None:
    """Package one job's deliverables and record them."""
    session, lease_s = bench.session.id, bench.settings.lease_s
    try:
        work = bench.transact(lambda conn: jobs.claim_delivery(conn, job_id, revision, session, lease_s))
    except DatabaseUnavailable as error:
        log.warning("job %d was not claimed: %s", job_id, error)
        return
    if work is None:
        bench.counters.add("superseded")
        return
    log.info("delivering %s to %s", work.title, work.out_url)

    def refuse(conn: sa.Connection, message: str) -> bool:
        return jobs.fail_delivery(conn, job_id, revision, session, message)

    def postpone(conn: sa.Connection, message: str) -> bool:
        return jobs.postpone(conn, job_id, revision, session, message)

    with bench.lease(lambda conn: jobs.renew(conn, job_id, revision, session, lease_s)):
        try:
            files = deliver(bench, work)
        except TracksDamaged as error:
            _make_again(bench, job_id, revision, error, refuse)
            return
        except Exception as error:  # noqa: BLE001  the process boundary of this task: the outcome is recorded
            _record(bench, f"job {job_id}", error, refuse, postpone)
            return
        done = _write(bench, lambda conn: jobs.finish_delivery(conn, job_id, revision, session, files))
    bench.counters.add("delivered" if done else "superseded")


def _send_back(bench: PostBench, section_id: int, revision: int, error: TakesDamaged, refuse: Outcome) -> None:
    """Have damaged takes rendered again; the section fails where that was done in vain several times."""

    def move(conn: sa.Connection) -> object:
        if damage.takes_worn_out(conn, section_id):
            return refuse(conn, _worn_out(error))
        return lines.mark_damaged(conn, section_id, revision, error.line_ids)

    log.error("%s", error)
    bench.counters.add("damaged", len(error.line_ids))
    _write(bench, move)


def _make_again(bench: PostBench, job_id: int, revision: int, error: TracksDamaged, refuse: Outcome) -> None:
    """Have damaged tracks made again; the delivery fails where that was done in vain several times."""

    def move(conn: sa.Connection) -> object:
        if damage.tracks_worn_out(conn, job_id):
            return refuse(conn, _worn_out(error))
        return jobs.mark_damaged(conn, job_id, revision, bench.session.id, error.section_ids)

    log.error("%s", error)
    bench.counters.add("damaged", len(error.section_ids))
    _write(bench, move)


def _worn_out(error: WorkerError) -> str:
    return f"{error}; it was made again {damage.ROUNDS} times in a row: look at the store's disk, then retry"


def _record(bench: PostBench, what: str, error: Exception, refuse: Outcome, postpone: Outcome) -> None:
    """Record a failure; where waiting is the cure, put the work off without holding it against anybody."""
    if isinstance(error, DatabaseUnavailable):
        log.warning("%s waits, the reaper asks again: %s", what, error)
        bench.counters.add("postponed")
        return
    if isinstance(error, STORE_AWAY):
        log.warning("%s waits until the store does its part: %s", what, error)
        bench.counters.add("postponed")
        _write(bench, lambda conn: postpone(conn, str(error)))
        return
    if isinstance(error, EXPECTED):
        log.error("%s failed: %s", what, error)
        message = str(error)
    else:
        log.exception("%s failed", what, exc_info=error)
        message = f"{type(error).__name__}: {error}"
    bench.counters.add("failed")
    try:
        bench.transact(lambda conn: refuse(conn, message))
    except (DatabaseUnavailable, sa.exc.DBAPIError) as trouble:
        log.error("%s: the failure was not recorded, the reaper asks again: %s", what, trouble)


def _write(bench: PostBench, move: Callable[[sa.Connection], object]) -> bool:
    try:
        return bool(bench.transact(move))
    except DatabaseUnavailable as error:
        log.error("the result was not recorded, the reaper asks again: %s", error)
        return False
