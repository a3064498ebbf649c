"""`voicefarm render`, `submit` and `plan` behind the command line: one order from script to deliverables."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from scheduler.local.order import (
    DEFAULT_ENGINE,
    Order,
    OrderError,
    casting_file,
    engine_of,
    note_rejects,
    plan,
    profile_notice,
    read,
)
from scheduler.local.watch import View, watch
from scheduler.progress import complete

if TYPE_CHECKING:
    import sqlalchemy as sa

    from db.queries.lexicon import LexiconEntry
    from db.records import (
        ImportPlan,
        ImportResult,
        JobProgress,
        LineRow,
        NewDeliverable,
        Pace,
        SectionProgress,
        VoiceRecord,
    )
    from db.settings import Settings
    from scheduler.estimates import Share
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
    from scheduler.local.farm import open_farm

    started = time.monotonic()
    document = read(order)  # before anything is started: a bad script is the commonest error
    left_out = note_rejects(order, document)
    if left_out:
        say(left_out)
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
        return outcome_of(farm.database, job, result, time.monotonic() - started, notice)


def outcome_of(database: sa.Engine, job: JobProgress, result: ImportResult, elapsed_s: float, notice: str) -> Outcome:
    """What a job that rests has come to, as the database has it."""
    from db.queries import status
    from db.states import LineState

    with database.connect() as conn:
        return Outcome(
            job,
            result,
            tuple(status.sections(conn, result.job_id)),
            tuple(status.deliverables(conn, result.job_id)),
            tuple(status.lines(conn, result.job_id, states=(LineState.FAILED, LineState.RENDERED), limit=1000)),
            elapsed_s,
            notice,
        )


def submit(settings: Settings, order: Order, *, say: Callable[[str], None]) -> tuple[ImportPlan, ImportResult]:
    """Store an order as a job of a running farm. Raises OrderError without one."""
    from db.schema import require_current
    from db.session import make_engine

    if settings.database_url is None:
        raise OrderError("submit hands work to a running farm: set DATABASE_URL, or use `voicefarm render`")
    document = read(order)
    left_out = note_rejects(order, document)
    if left_out:
        say(left_out)
    database = make_engine(settings.database_url, pool_size=1, application_name="voicefarm-submit")
    try:
        with database.connect() as conn:
            require_current(conn)
        return _store(settings, order, document, database, one_engine=None)
    finally:
        database.dispose()


def dry_run(settings: Settings, order: Order) -> dict[str, Any]:
    """What a render of this order would do. Raises as a render would.

    A database is asked where one is configured, and this home's own where there is one: for its voices, and for how
    fast they spoke.

    Voices that are named and not at hand are reported, with the narrator's in their place.
    """
    from scheduler.casting import roles_of, same_name
    from scheduler.estimates import Paces, estimate
    from scheduler.lexicon import Lexicon

    document = read(order)
    at_hand = _at_hand(settings, order)
    voices = at_hand.voices
    known = {name for voice in voices for name in (voice.name, voice.label)}
    written = casting_file(order)
    wanted = {**written.overrides(roles_of(document)), **order.cast}
    narrator = order.voice or written.narrator
    missing = sorted({name for name in (*wanted.values(), narrator) if name and name not in known})
    possible = replace(
        order,
        casting=None,
        cast={who: voice for who, voice in wanted.items() if voice in known},
        voice=narrator if narrator in known else None,
    )
    planned = plan(possible, document, voices, None, Lexicon(at_hand.entries))
    labels = {voice.id: voice.label for voice in voices}
    figures = estimate(planned, Paces(at_hand.paces, labels))
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
        "engine_s": None if figures.render_ms is None else figures.render_ms / 1000,
        "lines_of_known_pace": figures.learnt_lines,
        "characters": [
            {"character": name, "voice": cast[same_name(name)], **_share(share)}
            for name, share in figures.by_character.items()
        ],
        "voices": [{"voice": labels[voice_id], **_share(share)} for voice_id, share in figures.by_voice.items()],
        "voices_missing": missing,
        "uncast": [name for name in written.uncast_of(roles_of(document)) if name not in order.cast]
        if order.casting is not None
        else [],
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
    from db.queries import lexicon, voices
    from db.session import retry_transient
    from db.store import Store
    from scheduler.lexicon import Lexicon
    from scheduler.local.update import import_keeping

    store = Store(settings.resolved_store_url)

    def run() -> tuple[ImportPlan, ImportResult]:
        with database.begin() as conn:
            at_hand = voices.list_voices(conn, one_engine)
            entries = Lexicon(lexicon.list_entries(conn))
            planned = plan(replace(order, engine=engine_of(order, at_hand)), document, at_hand, store, entries)
            return planned, import_keeping(conn, planned)

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


def _share(share: Share) -> dict[str, Any]:
    return {
        "lines": share.lines,
        "text_characters": share.characters,
        "audio_s": share.audio_ms / 1000,
        "engine_s": share.render_ms / 1000 or None,
    }


@dataclass(frozen=True, slots=True)
class _AtHand:
    """What a plan is made with: of the farm that is configured, else of this home, else what engines bring."""

    voices: Sequence[VoiceRecord]
    paces: Sequence[Pace] = ()
    entries: Sequence[LexiconEntry] = ()


def _at_hand(settings: Settings, order: Order) -> _AtHand:
    if settings.database_url is not None:
        return _stored(settings.database_url)
    from db.server import EmbeddedPostgres
    from db.server_files import is_made
    from scheduler.local.voices import builtin_voices

    if not is_made(settings.home):
        return _AtHand(builtin_voices(order.engine or DEFAULT_ENGINE))
    with EmbeddedPostgres(settings.home) as server:
        stored = _stored(server.url)
    engine = engine_of(order, stored.voices)  # a render on this machine runs one engine
    kept = [voice for voice in stored.voices if voice.engine == engine]
    labels, last = {voice.label for voice in kept}, max((voice.id for voice in stored.voices), default=0)
    more = [voice for voice in builtin_voices(engine) if voice.label not in labels]
    brought = (replace(voice, id=last + number) for number, voice in enumerate(more, 1))
    return replace(stored, voices=[*kept, *brought])


def _stored(url: str) -> _AtHand:
    from db.queries import lexicon, pace, voices
    from db.schema import require_current
    from db.session import make_engine

    database = make_engine(url, pool_size=1, application_name="voicefarm-plan")
    try:
        with database.connect() as conn:
            require_current(conn)
            return _AtHand(voices.list_voices(conn), pace.paces(conn), lexicon.list_entries(conn))
    finally:
        database.dispose()


def report_of(outcome: Outcome) -> Path | None:
    """The report on this machine, if there is one."""
    for file in outcome.files:
        if file.kind == "report" and "://" not in outcome.place:
            return Path(outcome.path_of(file))
    return None
