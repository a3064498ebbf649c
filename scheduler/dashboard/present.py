"""Numbers as people read them: pure functions from records to what a template prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from db.records import JobProgress, LineRow, SectionProgress
from db.states import JobState, LineState, ProductionState


@dataclass(frozen=True, slots=True)
class Bar:
    """A progress bar: widths in percent that never add up to more than 100."""

    done: float
    active: float
    failed: float


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as a card."""

    job_id: int
    title: str
    slug: str
    state: str
    bar: Bar
    done: int
    total: int
    failed: int
    audio: str
    speed: str
    eta: str
    priority: int
    started: str
    message: str
    out_url: str
    can_pause: bool
    can_resume: bool
    can_retry: bool
    can_cancel: bool


@dataclass(frozen=True, slots=True)
class SectionView:
    """A chapter as a row."""

    section_id: int
    number: int
    title: str
    state: str
    bar: Bar
    done: int
    total: int
    failed: int
    audio: str
    loudness: str
    message: str


@dataclass(frozen=True, slots=True)
class LineView:
    """A line as a row."""

    line_id: int
    place: str
    character: str
    voice: str
    text: str
    state: str
    reason: str
    attempts: int
    audio: str
    has_take: bool
    findings: tuple[str, ...]
    can_retry: bool
    can_skip: bool
    can_approve: bool


_ACTIVE = (LineState.QUEUED, LineState.RENDERING, LineState.RENDERED)
_OPEN_JOB = (JobState.ACTIVE, JobState.READY, JobState.DELIVERING)


def duration(milliseconds: float | None) -> str:
    """'1:02:03' or '2:03' for a length in milliseconds; an en dash for None."""
    if milliseconds is None:
        return "–"
    seconds = round(milliseconds / 1000)
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def take_length(milliseconds: float | None) -> str:
    """'2.3 s' for a take, which is short; an en dash for None."""
    return "–" if milliseconds is None else f"{milliseconds / 1000:.1f} s"


def bar(total: int, done: int, active: int, failed: int) -> Bar:
    """Widths of a progress bar; all zero while there is nothing."""
    if total <= 0:
        return Bar(0.0, 0.0, 0.0)
    scale = 100.0 / total
    return Bar(round(done * scale, 2), round(active * scale, 2), round(failed * scale, 2))


def _time_left(seconds: float | None) -> str:
    """Nothing while unknown, and nothing when it would say 0:00."""
    return f"about {duration(seconds * 1000)} left" if seconds is not None and seconds >= 1 else ""


def _active(lines: Mapping[str, int]) -> int:
    return sum(lines.get(state.value, 0) for state in _ACTIVE)


def job(record: JobProgress) -> JobView:
    """A job as its card shows it."""
    open_job = record.state in _OPEN_JOB
    paused = record.production_state == ProductionState.PAUSED
    return JobView(
        job_id=record.job_id,
        title=record.title,
        slug=record.slug,
        state="paused" if paused and open_job else record.state,
        bar=bar(record.total, record.done, _active(record.lines), record.failed),
        done=record.done,
        total=record.total,
        failed=record.failed,
        audio=duration(record.audio_ms),
        speed=f"{record.recent_audio_ms / 60_000:.1f} × real time" if record.recent_audio_ms >= 6_000 else "",
        eta=_time_left(record.eta_s) if open_job else "",
        priority=record.priority,
        started=f"{record.created_at:%Y-%m-%d %H:%M}",
        message=record.message,
        out_url=record.out_url,
        can_pause=open_job and not paused,
        can_resume=paused,
        can_retry=record.failed > 0 or record.state == JobState.FAILED,
        can_cancel=open_job,
    )


def section(record: SectionProgress) -> SectionView:
    """A chapter as its row shows it."""
    loudness = "–"
    if record.loudness_lufs is not None and record.true_peak_dbtp is not None:
        loudness = f"{record.loudness_lufs:.1f} LUFS, {record.true_peak_dbtp:.1f} dBTP"
    return SectionView(
        section_id=record.section_id,
        number=record.position + 1,
        title=record.title,
        state=record.state,
        bar=bar(record.total, record.done, 0, record.failed),
        done=record.done,
        total=record.total,
        failed=record.failed,
        audio=duration(record.audio_ms if record.track_ms is None else record.track_ms),
        loudness=loudness,
        message=record.message,
    )


def line(record: LineRow) -> LineView:
    """A line as its row shows it."""
    reason = ""
    if record.failure_class and record.state in (LineState.FAILED, LineState.HELD, LineState.PENDING):
        reason = f"{record.failure_class}: {record.failure_message or 'no message'}"
    state = LineState(record.state)
    return LineView(
        line_id=record.line_id,
        place=f"{record.section_position + 1:02} {record.section_title} · {record.position + 1}",
        character=record.character,
        voice=record.voice,
        text=record.text,
        state=record.state,
        reason=reason,
        attempts=record.attempt,
        audio=take_length(record.audio_ms),
        has_take=record.audio_sha256 is not None,
        findings=tuple(str(finding.get("message", finding.get("code", ""))) for finding in record.findings),
        can_retry=state in (LineState.FAILED, LineState.ACCEPTED, LineState.RENDERED, LineState.SKIPPED),
        can_skip=state in (LineState.FAILED, LineState.PENDING, LineState.HELD, LineState.RENDERED, LineState.ACCEPTED),
        can_approve=state is LineState.RENDERED,
    )
