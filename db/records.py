"""Values that cross the border of ``db``: what goes in to be stored, what comes out to be worked on or shown."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from db.failures import Decision
from db.states import FailureClass

Format = Literal["m4b", "mp3", "flac", "vtt", "lines-flac", "lines-wav", "lines-ogg"]


class Reading(BaseModel):
    """How a script was read, where that was said: a later version of the same script is read in the same way."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    script_format: str | None = None
    script_kind: str | None = None
    language: str | None = None
    encoding: str | None = None
    tables: str | None = None
    include_roles: tuple[str, ...] = ()
    frame_rate: str | None = None
    mapping: str | None = None
    """Text of the YAML file that says what a sheet's columns hold."""


class JobOptions(BaseModel):
    """What a job was asked to make; stored in ``job.options`` as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    formats: tuple[Format, ...] = ("m4b", "mp3", "flac", "vtt")
    review: bool = False
    """Flagged takes wait for a person's verdict instead of being accepted with their findings."""
    cover: str | None = None
    """Store key of the cover picture (JPEG or PNG)."""
    script: str | None = None
    """Store key of the script file, where it is handed back as it was recorded."""
    year: str = ""
    narrator: str = ""
    """Shown as the reader in tags."""
    head_ms: int = Field(default=500, ge=0, le=10_000)
    """Silence before the first line of a track."""
    tail_ms: int = Field(default=1500, ge=0, le=10_000)
    """Silence after the last line of a track."""
    reading: Reading = Reading()
    """Not part of what is made: a script's lines say that already."""


# --- what goes in: an import ---


@dataclass(frozen=True, slots=True)
class PlannedLine:
    """A line ready to be stored: cast, seeded and digested."""

    key: str
    kind: str
    character: str
    text: str
    spoken: str
    language: str
    pause_ms: int
    voice_id: int
    engine: str
    seed: int
    digest: str
    in_ms: int | None = None
    out_ms: int | None = None
    direction: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlannedSection:
    """A section with its lines, in order."""

    key: str
    kind: str
    title: str
    lines: tuple[PlannedLine, ...]


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """A whole script, ready to be stored in one transaction."""

    slug: str
    title: str
    author: str
    language: str
    kind: str
    priority: int
    source_name: str
    source_sha256: str
    format: str
    digest: str
    out_url: str
    profile: str
    options: JobOptions
    sections: tuple[PlannedSection, ...]


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did."""

    production_id: int
    job_id: int
    lines: int
    reused: int
    """Lines whose digest already had a take."""
    resumed: bool
    """The same script was submitted before: its job goes on instead of a new one."""


# --- what comes out: work ---


@dataclass(frozen=True, slots=True)
class VoiceRecord:
    """A stored voice; ``live`` says whether a consent covers it now."""

    id: int
    name: str
    version: int
    engine: str
    engine_version: str
    languages: tuple[str, ...]
    parameters: Mapping[str, Any]
    description: str
    digest: str
    live: bool

    @property
    def label(self) -> str:
        """name@version."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class ClaimedLine:
    """A line a worker session now holds."""

    id: int
    attempt: int
    section_id: int
    production_id: int
    digest: str
    spoken: str
    language: str
    seed: int
    direction: Mapping[str, Any]
    alone: bool
    burnt: int
    voice_id: int
    voice_name: str
    voice_version: int
    voice_parameters: Mapping[str, Any]
    voice_languages: tuple[str, ...]
    consented: bool
    review: bool
    """JobOptions.review of its job."""


@dataclass(frozen=True, slots=True)
class FinishedTake:
    """A take whose audio is already in the store, offered for acceptance."""

    line_id: int
    attempt: int
    digest: str
    audio_sha256: str
    samples: int
    sample_rate: int
    voice: str
    engine: str
    engine_version: str
    seed: int
    findings: tuple[Mapping[str, Any], ...]
    render_ms: int
    hold_for_review: bool = False
    """Move to rendered instead of accepted."""


@dataclass(frozen=True, slots=True)
class FailedLine:
    """An attempt that ended without a take, with the decision already made (``db.failures.decide``)."""

    line_id: int
    attempt: int
    failure: FailureClass
    message: str
    decision: Decision


@dataclass(frozen=True, slots=True)
class SectionLine:
    """One line of a section to be assembled."""

    line_id: int
    position: int
    key: str
    character: str
    text: str
    spoken: str
    language: str
    pause_ms: int
    in_ms: int | None
    out_ms: int | None
    skipped: bool
    """Left out of the track by a person; then every take field is None."""
    take_id: int | None
    audio_sha256: str | None
    samples: int | None
    sample_rate: int | None
    voice: str | None
    engine: str | None
    engine_version: str | None
    seed: int | None
    digest: str
    findings: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class SectionWork:
    """Everything needed to make one track."""

    section_id: int
    revision: int
    job_id: int
    production_id: int
    slug: str
    production_title: str
    author: str
    language: str
    kind: str
    watermark_key: bytes
    title: str
    section_key: str
    section_kind: str
    position: int
    section_count: int
    profile: str
    options: JobOptions
    lines: tuple[SectionLine, ...]


@dataclass(frozen=True, slots=True)
class Pace:
    """How one voice spoke one language in the takes there are."""

    voice: str
    """name@version."""
    language: str
    """Primary tag."""
    lines: int
    chars_per_s: float
    """Characters of spoken text per second of speech."""
    render_per_audio: float
    """Engine time per time of speech: 0.1 is ten times real time. 0 where nobody measured."""
    spread: float
    """Standard deviation of a line's length from what its characters say, as a part of the mean length."""


@dataclass(frozen=True, slots=True)
class MadeTrack:
    """What is needed to see whether a track in the store serves again."""

    id: int
    files: Mapping[str, str]
    """Kind → store key."""


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """A mastered track as stored."""

    id: int
    section_id: int
    digest: str
    files: Mapping[str, str]
    samples: int
    sample_rate: int
    loudness_lufs: float
    true_peak_dbtp: float
    measurements: Mapping[str, Any]
    offsets: tuple[Mapping[str, Any], ...]
    watermark: int | None
    made_at: datetime


@dataclass(frozen=True, slots=True)
class NewTrack:
    """A track just made; same fields as TrackRecord without what the server adds."""

    digest: str
    files: Mapping[str, str]
    samples: int
    sample_rate: int
    loudness_lufs: float
    true_peak_dbtp: float
    measurements: Mapping[str, Any]
    offsets: tuple[Mapping[str, Any], ...]
    watermark: int | None


@dataclass(frozen=True, slots=True)
class DeliverySection:
    """A section with its track and lines, for packaging and for the report."""

    section_id: int
    position: int
    key: str
    kind: str
    title: str
    track: TrackRecord
    lines: tuple[SectionLine, ...]


@dataclass(frozen=True, slots=True)
class DeliveryWork:
    """Everything needed to package one job."""

    job_id: int
    revision: int
    production_id: int
    slug: str
    title: str
    author: str
    language: str
    kind: str
    profile: str
    options: JobOptions
    out_url: str
    source_name: str
    source_sha256: str
    created_at: datetime
    sections: tuple[DeliverySection, ...]


@dataclass(frozen=True, slots=True)
class NewDeliverable:
    """A file just handed over."""

    kind: str
    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message to publish."""

    id: int
    queue: str
    task: str
    args: tuple[int, ...]
    label: str


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """One worker session as people see it."""

    session_id: uuid.UUID
    name: str
    kind: str
    engine: str
    device: str
    capacity: int
    voices: tuple[str, ...]
    counters: Mapping[str, int]
    alive: bool
    silent_s: float
    """Seconds since its last heartbeat."""


# --- what people see ---


@dataclass(frozen=True, slots=True)
class ProductionRecord:
    """A title as people see it; its watermark key stays in the database."""

    id: int
    slug: str
    title: str
    author: str
    language: str
    kind: str
    priority: int
    state: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class JobProgress:
    """One job, counted."""

    job_id: int
    slug: str
    title: str
    state: str
    production_state: str
    priority: int
    created_at: datetime
    finished_at: datetime | None
    message: str
    out_url: str
    lines: Mapping[str, int]
    """LineState value → count; states without lines are absent."""
    sections: Mapping[str, int]
    total: int
    done: int
    """Lines accepted or skipped."""
    failed: int
    audio_ms: int
    """Audio of the selected takes, in milliseconds."""
    recent_lines: int
    """Lines accepted in the last 60 s."""
    recent_audio_ms: int
    eta_s: float | None
    """From the rate of the last minute; None while unknown."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """What the whole farm makes, all jobs together."""

    lines_per_s: float
    audio_per_s: float
    """Seconds of audio per second: × real time."""


@dataclass(frozen=True, slots=True)
class SectionProgress:
    """One section of a job, counted."""

    section_id: int
    position: int
    title: str
    state: str
    message: str
    total: int
    done: int
    failed: int
    audio_ms: int
    """Audio of the selected takes, in milliseconds."""
    track_ms: int | None
    """Length of the track with its pauses; None before there is one."""
    loudness_lufs: float | None
    true_peak_dbtp: float | None


@dataclass(frozen=True, slots=True)
class LineRow:
    """One line as people see it."""

    line_id: int
    section_position: int
    section_title: str
    position: int
    key: str
    character: str
    voice: str
    language: str
    text: str
    state: str
    attempt: int
    burnt: int
    failure_class: str | None
    failure_message: str | None
    audio_ms: int | None
    audio_sha256: str | None
    findings: tuple[Mapping[str, Any], ...]
