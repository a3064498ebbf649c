"""The tables. The schema is made by migrations; a test diffs these models against them.

Ids come from the server; times are the server's ``now()``, so clocks of workers never matter. Enumerations are
stored as text with a CHECK, made from ``db.states``.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from db.states import FailureClass, JobState, LineState, ProductionState, SectionState


def _one_of(column: str, kind: type[StrEnum]) -> str:
    return f"{column} IN ({', '.join(repr(member.value) for member in kind)})"


class Base(DeclarativeBase):
    """Naming convention for constraints, and the types behind the annotations."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: sa.Text(),
        int: sa.BigInteger(),
        datetime: sa.DateTime(timezone=True),
        dict[str, Any]: JSONB(),
        list[Any]: JSONB(),
        uuid.UUID: sa.Uuid(),
    }


_now = sa.text("now()")
_empty = sa.text("'{}'::jsonb")
_none = sa.text("'[]'::jsonb")
_zero = sa.text("0")
_false = sa.text("false")


class Production(Base):
    """One title: a book, a film, a course, a game."""

    __tablename__ = "production"

    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    """Name on the command line and in file names: [a-z0-9-]+."""
    title: Mapped[str]
    author: Mapped[str] = mapped_column(server_default="")
    language: Mapped[str]
    kind: Mapped[str]
    """audiobook, dubbing, course or game."""
    priority: Mapped[int] = mapped_column(server_default=sa.text("50"))
    """0 … 100; higher is dispatched first."""
    state: Mapped[str] = mapped_column(server_default=ProductionState.ACTIVE.value)
    watermark_key: Mapped[bytes]
    """16 random bytes: varies the watermark's pattern per title. Secret."""
    created_at: Mapped[datetime] = mapped_column(server_default=_now)

    __table_args__ = (sa.CheckConstraint(_one_of("state", ProductionState), name="state"),)


class Voice(Base):
    """A voice in one version: engine, parameters and the languages it speaks."""

    __tablename__ = "voice"

    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    name: Mapped[str]
    version: Mapped[int]
    engine: Mapped[str]
    engine_version: Mapped[str]
    languages: Mapped[list[Any]]
    """BCP 47 primary tags."""
    parameters: Mapped[dict[str, Any]] = mapped_column(server_default=_empty)
    description: Mapped[str] = mapped_column(server_default="")
    digest: Mapped[str]
    """sha256 over everything that changes how it sounds."""
    created_at: Mapped[datetime] = mapped_column(server_default=_now)

    __table_args__ = (sa.UniqueConstraint("name", "version"),)


class Consent(Base):
    """Why a voice may be rendered. A voice without a live consent does not render."""

    __tablename__ = "consent"

    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    voice_id: Mapped[int] = mapped_column(sa.ForeignKey("voice.id"), index=True)
    kind: Mapped[str]
    """synthetic (nobody's voice), signed (the speaker agreed) or licence (bought)."""
    holder: Mapped[str] = mapped_column(server_default="")
    evidence: Mapped[str] = mapped_column(server_default="")
    granted_at: Mapped[datetime] = mapped_column(server_default=_now)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (sa.CheckConstraint("kind IN ('synthetic', 'signed', 'licence')", name="kind"),)


class Script(Base):
    """One imported version of a production's script. Never edited: a new version is a new row."""

    __tablename__ = "script"

    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    production_id: Mapped[int] = mapped_column(sa.ForeignKey("production.id"))
    revision: Mapped[int]
    source_name: Mapped[str]
    source_sha256: Mapped[str]
    format: Mapped[str]
    digest: Mapped[str]
    """sha256 over sections, lines, casting and profile: the same digest is the same render."""
    imported_at: Mapped[datetime] = mapped_column(server_default=_now)

    __table_args__ = (sa.UniqueConstraint("production_id", "revision"),)


class Job(Base):
    """One submitted render of a script."""

    __tablename__ = "job"

    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    production_id: Mapped[int] = mapped_column(sa.ForeignKey("production.id"), index=True)
    script_id: Mapped[int] = mapped_column(sa.ForeignKey("script.id"))
    state: Mapped[str] = mapped_column(server_default=JobState.ACTIVE.value)
    revision: Mapped[int] = mapped_column(server_default=_zero)
    """Fencing token of delivery: raised whenever a delivery is asked for or taken back."""
    waiting: Mapped[int]
    """Sections not assembled yet; whoever brings it to zero asks for the delivery in the same transaction."""
    out_url: Mapped[str]
    profile: Mapped[str]
    options: Mapped[dict[str, Any]] = mapped_column(server_default=_empty)
    """Formats asked for, review of flagged takes, pauses … as db.records.JobOptions wrote them."""
    message: Mapped[str] = mapped_column(server_default="")
    session_id: Mapped[uuid.UUID | None]
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=_now)
    updated_at: Mapped[datetime] = mapped_column(server_default=_now)
    """When it last moved or its delivery was last asked for."""
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        sa.CheckConstraint(_one_of("state", JobState), name="state"),
        sa.CheckConstraint("waiting >= 0", name="waiting"),
    )


class Section(Base):
    """A chapter, reel, scene, lesson or slide: the unit that becomes a track."""

    __tablename__ = "section"

    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    production_id: Mapped[int] = mapped_column(sa.ForeignKey("production.id"))
    script_id: Mapped[int] = mapped_column(sa.ForeignKey("script.id"))
    job_id: Mapped[int] = mapped_column(sa.ForeignKey("job.id"))
    position: Mapped[int]
    """0-based order in the script."""
    key: Mapped[str]
    """Stable name inside the script."""
    kind: Mapped[str]
    title: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=SectionState.OPEN.value)
    revision: Mapped[int] = mapped_column(server_default=_zero)
    """Fencing token of assembly: raised whenever the section becomes ready or is opened again."""
    waiting: Mapped[int]
    """Lines not settled yet; whoever brings it to zero asks for the assembly in the same transaction."""
    track_id: Mapped[int | None] = mapped_column(sa.ForeignKey("track.id"))
    message: Mapped[str] = mapped_column(server_default="")
    session_id: Mapped[uuid.UUID | None]
    lease_until: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=_now)

    __table_args__ = (
        sa.UniqueConstraint("script_id", "position"),
        sa.CheckConstraint(_one_of("state", SectionState), name="state"),
        sa.CheckConstraint("waiting >= 0", name="waiting"),
        sa.Index("ix_section_job_id", "job_id"),
    )


class Line(Base):
    """The smallest thing somebody says, and the unit of work."""

    __tablename__ = "line"

    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    production_id: Mapped[int] = mapped_column(sa.ForeignKey("production.id"))
    section_id: Mapped[int] = mapped_column(sa.ForeignKey("section.id"))
    position: Mapped[int]
    """0-based order in its section."""
    key: Mapped[str]
    """Stable id inside the script: the sheet's id where it has one."""
    kind: Mapped[str]
    """speech, reaction, walla or onscreen."""
    character: Mapped[str]
    """Who speaks; 'narrator' for narration."""
    text: Mapped[str]
    """As written."""
    spoken: Mapped[str]
    """As spoken: readings applied, markup gone."""
    language: Mapped[str]
    pause_ms: Mapped[int]
    """Silence after the line inside its section, in milliseconds."""
    in_ms: Mapped[int | None]
    out_ms: Mapped[int | None]
    direction: Mapped[dict[str, Any]] = mapped_column(server_default=_empty)
    voice_id: Mapped[int] = mapped_column(sa.ForeignKey("voice.id"))
    engine: Mapped[str]
    """Of the voice, repeated here because the dispatcher chooses the queue by it."""
    seed: Mapped[int]
    digest: Mapped[str]
    """sha256 of all that determines the take (design: content digest)."""
    state: Mapped[str] = mapped_column(server_default=LineState.PENDING.value)
    attempt: Mapped[int] = mapped_column(server_default=_zero)
    """Fencing token: raised at each dispatch."""
    burnt: Mapped[int] = mapped_column(server_default=_zero)
    """Failed attempts that count towards the cap."""
    alone: Mapped[bool] = mapped_column(server_default=_false)
    """The next attempt runs with nothing else in flight."""
    not_before: Mapped[datetime | None]
    queued_at: Mapped[datetime | None]
    session_id: Mapped[uuid.UUID | None]
    take_id: Mapped[int | None]
    """The selected take. No foreign key: takes are written in bulk before the line moves, in the same transaction."""
    failure_class: Mapped[str | None]
    failure_message: Mapped[str | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=_now)

    __table_args__ = (
        sa.UniqueConstraint("section_id", "position"),
        sa.CheckConstraint(_one_of("state", LineState), name="state"),
        sa.CheckConstraint(f"failure_class IS NULL OR {_one_of('failure_class', FailureClass)}", name="failure_class"),
        sa.CheckConstraint("state <> 'accepted' OR take_id IS NOT NULL", name="accepted_has_take"),
        # each hot query has its partial index: dead rows must not slow it down
        sa.Index("ix_line_pending", "production_id", "id", postgresql_where=sa.text("state = 'pending'")),
        sa.Index("ix_line_queued", "queued_at", postgresql_where=sa.text("state = 'queued'")),
        sa.Index("ix_line_rendering", "session_id", postgresql_where=sa.text("state = 'rendering'")),
        sa.Index("ix_line_held", "voice_id", postgresql_where=sa.text("state = 'held'")),
        sa.Index("ix_line_stale", "id", postgresql_where=sa.text("state = 'stale'")),
        {"postgresql_with": {"fillfactor": "80"}},
    )


class Take(Base):
    """One rendered result. Immutable, never deleted by the farm."""

    __tablename__ = "take"

    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    line_id: Mapped[int]
    attempt: Mapped[int]
    digest: Mapped[str] = mapped_column(index=True)
    """The line digest it was rendered for."""
    audio_sha256: Mapped[str]
    """Name of the audio in the store."""
    samples: Mapped[int]
    sample_rate: Mapped[int]
    voice: Mapped[str]
    """name@version."""
    engine: Mapped[str]
    engine_version: Mapped[str]
    seed: Mapped[int]
    findings: Mapped[list[Any]] = mapped_column(server_default=_none)
    """What quality control flagged: [{'code', 'message', …}]."""
    render_ms: Mapped[int]
    worker: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=_now)

    __table_args__ = (sa.UniqueConstraint("line_id", "attempt"),)


class LockedTake(Base):
    """A line that keeps its take whatever a later script, casting or voice says of it, until a person unlocks it."""

    __tablename__ = "locked_take"

    production_id: Mapped[int] = mapped_column(sa.ForeignKey("production.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    """Of the line, in the newest revision that has it."""
    take_id: Mapped[int] = mapped_column(sa.ForeignKey("take.id"))
    locked_at: Mapped[datetime] = mapped_column(server_default=_now)


class Track(Base):
    """A mastered section. Immutable; found again by digest."""

    __tablename__ = "track"

    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    section_id: Mapped[int] = mapped_column(index=True)
    digest: Mapped[str] = mapped_column(index=True)
    """sha256 over the takes in order, pauses, title and profile."""
    files: Mapped[dict[str, Any]]
    """Store keys by kind: {'flac': …, 'mp3': …, 'm4a': …, 'vtt': …}."""
    samples: Mapped[int]
    sample_rate: Mapped[int]
    loudness_lufs: Mapped[float]
    true_peak_dbtp: Mapped[float]
    measurements: Mapped[dict[str, Any]]
    """Everything measured: gain, LRA, RMS, noise floor, peaks of the waveform picture, per-file checks."""
    offsets: Mapped[list[Any]]
    """[{'line_id', 'take_id', 'start', 'samples', 'pause'}] in samples of this track, in order."""
    watermark: Mapped[int | None]
    made_at: Mapped[datetime] = mapped_column(server_default=_now)


class Watermark(Base):
    """What a payload found in a file stands for."""

    __tablename__ = "watermark"

    payload: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """32-bit, unsigned, random."""
    production_id: Mapped[int] = mapped_column(sa.ForeignKey("production.id"), index=True)
    deliverable: Mapped[str]
    """e.g. 'The Fables, 03 The Fox and the Crow'."""
    made_at: Mapped[datetime] = mapped_column(server_default=_now)


class Deliverable(Base):
    """A file handed over."""

    __tablename__ = "deliverable"

    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    job_id: Mapped[int] = mapped_column(sa.ForeignKey("job.id"), index=True)
    kind: Mapped[str]
    """m4b, mp3, flac, vtt, report or manifest."""
    name: Mapped[str]
    """Path below the job's out_url."""
    sha256: Mapped[str]
    size: Mapped[int]
    made_at: Mapped[datetime] = mapped_column(server_default=_now)

    __table_args__ = (sa.UniqueConstraint("job_id", "name"),)


class WorkerSession(Base):
    """One life of one worker process; its heartbeat is the lease of every line it holds."""

    __tablename__ = "worker_session"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    """gpu0@host, cpu@host, post@host, local@host."""
    kind: Mapped[str]
    """line or post."""
    engine: Mapped[str] = mapped_column(server_default="")
    device: Mapped[str] = mapped_column(server_default="")
    capacity: Mapped[int]
    host: Mapped[str]
    pid: Mapped[int]
    voices: Mapped[list[Any]] = mapped_column(server_default=_none)
    """Labels of the voices loaded now: the dispatcher prefers their lines."""
    counters: Mapped[dict[str, Any]] = mapped_column(server_default=_empty)
    """superseded, accepted, failed … since it started."""
    started_at: Mapped[datetime] = mapped_column(server_default=_now)
    heartbeat_at: Mapped[datetime] = mapped_column(server_default=_now)
    ended_at: Mapped[datetime | None]


class Hold(Base):
    """Something paused: a voice whose files are missing, a store that is full."""

    __tablename__ = "hold"

    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    scope: Mapped[str]
    """voice or store."""
    key: Mapped[str]
    """Voice id as text, or ''."""
    reason: Mapped[str]
    failure_class: Mapped[str]
    since: Mapped[datetime] = mapped_column(server_default=_now)
    until: Mapped[datetime]

    __table_args__ = (sa.UniqueConstraint("scope", "key"),)


class LexiconEntry(Base):
    """A term and how it is said, for the whole farm or for a part of it."""

    __tablename__ = "lexicon_entry"

    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    term: Mapped[str]
    """As it is written in scripts, capitals included."""
    reading: Mapped[str]
    alphabet: Mapped[str]
    """What the reading is written in: ipa, x-pinyin … or x-inline, which is as engines take it."""
    language: Mapped[str] = mapped_column(server_default="")
    """BCP 47; '' is every language."""
    scope: Mapped[str]
    """farm, production, character or voice; the narrower wins."""
    scope_key: Mapped[str] = mapped_column(server_default="")
    """Slug of the production, name of the character or of the voice; '' for the farm."""
    status: Mapped[str] = mapped_column(server_default="draft")
    """draft or reviewed; drafts are not spoken unless asked for."""
    created_at: Mapped[datetime] = mapped_column(server_default=_now)

    __table_args__ = (
        sa.UniqueConstraint("term", "language", "scope", "scope_key"),
        sa.CheckConstraint("scope IN ('farm', 'production', 'character', 'voice')", name="scope"),
        sa.CheckConstraint("(scope = 'farm') = (scope_key = '')", name="scope_key"),
        sa.CheckConstraint("status IN ('draft', 'reviewed')", name="status"),
        sa.CheckConstraint("term <> '' AND reading <> ''", name="filled"),
    )


class Outbox(Base):
    """Messages to publish, written in the transaction that made them necessary; deleted once the broker confirmed."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    queue: Mapped[str]
    task: Mapped[str]
    args: Mapped[list[Any]]
    label: Mapped[str]
    """What people read in Flower: 'The Fables · 03 · 12 · draft-en-2'."""
    created_at: Mapped[datetime] = mapped_column(server_default=_now)


class Event(Base):
    """Every move of a line, section or job, written in the transaction of the move."""

    __tablename__ = "event"

    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=_now)
    entity: Mapped[str]
    """line, section or job."""
    entity_id: Mapped[int]
    from_state: Mapped[str | None]
    to_state: Mapped[str]
    attempt: Mapped[int] = mapped_column(server_default=_zero)
    """Attempt of a line, revision of a section or job."""
    actor: Mapped[str] = mapped_column(server_default="")
    """Worker name, 'scheduler', 'person'."""
    detail: Mapped[dict[str, Any]] = mapped_column(server_default=_empty)

    __table_args__ = (sa.Index("ix_event_entity", "entity", "entity_id"),)
