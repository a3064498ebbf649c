"""How far a job is, in numbers and in words: pure functions of what ``db.queries.status`` counted."""

from __future__ import annotations

from dataclasses import dataclass

from db.records import JobProgress
from db.states import JobState, LineState, SectionState

LINES_MOVING = (LineState.PENDING, LineState.QUEUED, LineState.RENDERING, LineState.HELD, LineState.STALE)
"""States that a line leaves without a person's doing."""
SECTIONS_MOVING = (SectionState.READY, SectionState.ASSEMBLING)


def over(job: JobProgress) -> bool:
    """Whether nothing moves in the job any more unless a person does something."""
    if job.state in (JobState.DELIVERED, JobState.FAILED, JobState.CANCELLED):
        return True
    if job.state in (JobState.READY, JobState.DELIVERING):
        return False
    lines = any(job.lines.get(state.value, 0) for state in LINES_MOVING)
    sections = any(job.sections.get(state.value, 0) for state in SECTIONS_MOVING)
    return not lines and not sections


def complete(job: JobProgress) -> bool:
    """Whether the job ended with everything handed over."""
    return job.state == JobState.DELIVERED


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a job goes since somebody started to watch it."""

    elapsed_s: float
    lines: int
    """Lines settled meanwhile."""
    audio_ms: int
    """Audio rendered meanwhile, in milliseconds."""
    left: int
    """Lines not settled yet."""

    @property
    def times_real_time(self) -> float | None:
        """Seconds of audio per second; None before there is any."""
        if self.elapsed_s <= 0 or self.audio_ms <= 0:
            return None
        return self.audio_ms / 1000 / self.elapsed_s

    @property
    def eta_s(self) -> float | None:
        """Seconds until the last line is settled, at the pace so far; None while unknown."""
        if self.left == 0:
            return 0.0
        return self.left * self.elapsed_s / self.lines if self.lines > 0 else None


def pace(first: JobProgress, now: JobProgress, elapsed_s: float) -> Pace:
    """Compare two counts of a job taken ``elapsed_s`` apart."""
    return Pace(elapsed_s, now.done - first.done, max(0, now.audio_ms - first.audio_ms), now.total - now.done)


def stage(job: JobProgress) -> str:
    """What the job is at, in a few words."""
    if job.state == JobState.ACTIVE and job.production_state == "paused":
        return "paused"
    if job.state != JobState.ACTIVE:
        words = {JobState.READY.value: "packing", JobState.DELIVERING.value: "packing"}
        return words.get(job.state, job.state)
    if job.done < job.total:
        held = job.lines.get(LineState.HELD.value, 0)
        return f"rendering, {held} held" if held else "rendering"
    tracks = job.sections.get(SectionState.ASSEMBLED.value, 0)
    return f"mastering {tracks}/{sum(job.sections.values())}"
