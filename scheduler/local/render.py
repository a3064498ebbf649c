"""`voicefarm render`, `submit` and `plan` behind the command line: one order from script to deliverables."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from scheduler.local.order import DEFAULT_ENGINE, Order, OrderError, engine_of, plan, profile_notice, read
from scheduler.local.watch import View, watch
from scheduler.progress import complete

if TYPE_CHECKING:
    import sqlalchemy as sa

    from db.records import (
        ImportPlan,
        ImportResult,
        JobProgress,
        LineRow,
        NewDeliverable,
        SectionProgress,
        VoiceRecord,
    )
    from db.settings import Settings
    from scheduler.scripts.model import ScriptDocument


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a render came to."""

    job: JobProgress
    result: ImportResult
    sections: tuple[SectionProgress, ...]
    files: tuple[NewDeliverable, ...]
    waiting: tuple[LineRow, ...]
    """Lines that failed or wait for a person's verdict."""
    elapsed_s: float
    profile_notice: str
    """What a person must know before delivering to the profile, or ''."""

    @property
    def complete(self) -> bool:
        """Whether everything was made."""
        return complete(self.job)

    @property
    def place(self) -> str:
        """Where the files are: a path where they are on this machine, else the URL."""
        parts = urlsplit(self.job.out_url)
        return unquote(parts.path) if parts.scheme == "file" else self.job.out_url

    def path_of(self, file: NewDeliverable) -> str:
        """Where one file is."""
        return f"{self.place.rstrip('/')}/{file.name}"

    def as_json(self) -> dict[str, Any]:
        """For scripts: documented in docs/cli.md by its keys."""
        return {
            "job_id": self.job.job_id,
            "slug": self.job.slug,
            "title": self.job.title,
            "state": self.job.state,
            "complete": self.complete,
            "message": self.job.message,
            "out": self.place,
            "lines": self.job.total,
            "done": self.job.done,
            "failed": self.job.failed,
            "reused": self.result.reused,
            "resumed": self.result.resumed,
            "audio_ms": self.job.audio_ms,
            "elapsed_s": round(self.elapsed_s, 2),
            "profile_notice": self.profile_notice,
            "sections": self.sections,
            "files": [{"kind": file.kind, "path": self.path_of(file), "sha256": file.sha256} for file in self.files],
            "waiting": self.waiting,
        }


def render(settings: Settings, order: Order, view: Callable[[], View], *, say: Callable[[str], None]) -> Outcome:
    """Render an order and follow it to its end. KeyboardInterrupt stops everything in good order and goes on up."""
    from db.queries import status
    from db.states import LineState
    from scheduler.local.farm import open_farm

    started = time.monotonic()
    document = read(order)  # before anything is started: a bad script is the commonest error
    notice = profile_notice(order)
    if notice:
        say(f"{order.profile}: {notice}")
    with open_farm(
        settings,
        engine=lambda at_hand: engine_of(order, at_hand),
        on_wait=lambda: say("another render works on this home; waiting for its end"),
    ) as farm:
        planned, result = _store(settings, order, document, farm.database, one_engine=farm.engine)
        reused = f", {result.reused} of them rendered before" if result.reused else ""
        say(f"{planned.title}: {result.lines} lines in {len(planned.sections)} sections{reused}")
        if not farm.in_process:
            _mention_missing_workers(farm.database, settings, planned, say)
        job = watch(farm.database, result.job_id, view())
        with farm.database.connect() as conn:
            return Outcome(
                job,
                result,
                tuple(status.sections(conn, result.job_id)),
                tuple(status.deliverables(conn, result.job_id)),
                tuple(status.lines(conn, result.job_id, states=(LineState.FAILED, LineState.RENDERED), limit=1000)),
                time.monotonic() - started,
                notice,
            )


def submit(settings: Settings, order: Order) -> tuple[ImportPlan, ImportResult]:
    """Store an order as a job of a running farm. Raises OrderError without one."""
    from db.schema import require_current
    from db.session import make_engine

    if settings.database_url is None:
        raise OrderError("submit hands work to a running farm: set DATABASE_URL, or use `voicefarm render`")
    document = read(order)
    database = make_engine(settings.database_url, pool_size=1, application_name="voicefarm-submit")
    try:
        with database.connect() as conn:
            require_current(conn)
        return _store(settings, order, document, database, one_engine=None)
    finally:
        database.dispose()


def dry_run(settings: Settings, order: Order) -> dict[str, Any]:
    """What a render of this order would do. Raises as a render would.

    A database is asked where one is configured, and this home's own where it names a voice that no engine brings.

    Voices that are named and not at hand are reported, with the narrator's in their place.
    """
    from scheduler.casting import same_name
    from scheduler.estimates import estimate

    document = read(order)
    voices = _voices_without_farm(settings, order)
    known = {name for voice in voices for name in (voice.name, voice.label)}
    missing = sorted({name for name in (*order.cast.values(), order.voice) if name and name not in known})
    possible = replace(
        order,
        cast={who: voice for who, voice in order.cast.items() if voice in known},
        voice=order.voice if order.voice in known else None,
    )
    planned = plan(possible, document, voices, None)
    figures = estimate(planned)
    labels = {voice.id: voice.label for voice in voices}
    cast = {same_name(line.character): labels[line.voice_id] for part in planned.sections for line in part.lines}
    return {
        "title": planned.title,
        "slug": planned.slug,
        "language": planned.language,
        "format": planned.format,
        "profile": planned.profile,
        "profile_notice": profile_notice(order),
        "lines": figures.lines,
        "text_characters": figures.characters,
        "audio_s": figures.audio_ms / 1000,
        "audio_low_s": figures.low_ms / 1000,
        "audio_high_s": figures.high_ms / 1000,
        "characters": [
            {"character": name, "voice": cast[same_name(name)], "lines": share.lines, "audio_s": share.audio_ms / 1000}
            for name, share in figures.by_character.items()
        ],
        "voices_missing": missing,
        "sections": [
            {
                "key": part.key,
                "title": part.title,
                "lines": len(part.lines),
                "audio_s": figures.by_section[part.key] / 1000,
            }
            for part in planned.sections
        ],
        "rejected": [{"place": item.place, "reason": item.reason} for item in document.rejected],
        "notices": [{"place": item.place, "reason": item.reason} for item in document.notices],
    }


def _store(
    settings: Settings, order: Order, document: ScriptDocument, database: sa.Engine, *, one_engine: str | None
) -> tuple[ImportPlan, ImportResult]:
    """Cast, plan and import in one transaction: a script is stored whole or not at all."""
    from db.queries import imports, voices
    from db.session import retry_transient
    from db.store import Store

    store = Store(settings.resolved_store_url)

    def run() -> tuple[ImportPlan, ImportResult]:
        with database.begin() as conn:
            at_hand = voices.list_voices(conn, one_engine)
            planned = plan(replace(order, engine=engine_of(order, at_hand)), document, at_hand, store)
            return planned, imports.import_script(conn, planned)

    return retry_transient(run)


def _mention_missing_workers(
    database: sa.Engine, settings: Settings, planned: ImportPlan, say: Callable[[str], None]
) -> None:
    """A farm without a worker for this job would look like one that is slow."""
    from db.queries import dispatch

    with database.connect() as conn:
        there = dispatch.capacity(conn, settings.lease_s)
    for engine in sorted({line.engine for section in planned.sections for line in section.lines} - set(there)):
        say(f"no worker of engine {engine} is alive now; lines wait until `voicefarm worker --engine {engine}` runs")


def _voices_without_farm(settings: Settings, order: Order) -> Sequence[VoiceRecord]:
    if settings.database_url is not None:
        return _voices_of(settings.database_url)
    from db.server import EmbeddedPostgres
    from db.server_files import is_made
    from scheduler.local.voices import builtin_voices

    brought = builtin_voices(order.engine or DEFAULT_ENGINE)
    known = {name for voice in brought for name in (voice.name, voice.label)}
    if all(name in known for name in (*order.cast.values(), order.voice) if name) or not is_made(settings.home):
        return brought
    with EmbeddedPostgres(settings.home) as server:
        stored = _voices_of(server.url)
    engine = engine_of(order, stored)  # a render on this machine runs one engine
    kept = [voice for voice in stored if voice.engine == engine]
    labels, last = {voice.label for voice in kept}, max((voice.id for voice in stored), default=0)
    more = [voice for voice in builtin_voices(engine) if voice.label not in labels]
    return [*kept, *(replace(voice, id=last + number) for number, voice in enumerate(more, 1))]


def _voices_of(url: str) -> Sequence[VoiceRecord]:
    from db.queries import voices
    from db.schema import require_current
    from db.session import make_engine

    database = make_engine(url, pool_size=1, application_name="voicefarm-plan")
    try:
        with database.connect() as conn:
            require_current(conn)
            return voices.list_voices(conn)
    finally:
        database.dispose()


def report_of(outcome: Outcome) -> Path | None:
    """The report on this machine, if there is one."""
    for file in outcome.files:
        if file.kind == "report" and "://" not in outcome.place:
            return Path(outcome.path_of(file))
    return None
