"""Follow a job until it ends, showing its progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from scheduler.progress import Pace, over, pace, stage

if TYPE_CHECKING:
    import sqlalchemy as sa
    from rich.progress import Progress, TaskID

    from db.records import JobProgress

LOOK_EVERY_S = 0.25
SAY_EVERY_S = 5.0


class View(Protocol):
    """Somewhere progress is shown."""

    def show(self, job: JobProgress, speed: Pace) -> None:
        """Show where the job is now."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class SilentView:
    """Shows nothing."""

    def show(self, job: JobProgress, speed: Pace) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class PlainView:
    """One line every few seconds, and whenever the stage changes: for pipes and logs."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._last = ("", 0.0)

    def show(self, job: JobProgress, speed: Pace) -> None:
        """Say it when it is time to."""
        words, now = stage(job), self._clock()
        if words.split()[0] == self._last[0] and now - self._last[1] < SAY_EVERY_S:
            return
        self._last = (words.split()[0], now)
        self._say(f"{words}: {describe(job, speed)}")

    def close(self) -> None:
        """Nothing to restore."""


class RichView:
    """A live bar on a terminal."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._progress: Progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[more]}"),
            expand=True,
        )
        self._bar: TaskID = self._progress.add_task("starting", total=None, more="")
        self._progress.start()

    def show(self, job: JobProgress, speed: Pace) -> None:
        """Move the bar."""
        self._progress.update(
            self._bar, description=stage(job), completed=job.done, total=job.total, more=more(job, speed)
        )

    def close(self) -> None:
        """Stop drawing."""
        self._progress.stop()


def describe(job: JobProgress, speed: Pace) -> str:
    """'84/166 lines, 6.2 min of audio, 41 × real time, 0:12 left'."""
    return f"{job.done}/{job.total} lines, {more(job, speed)}"


def more(job: JobProgress, speed: Pace) -> str:
    """What comes after the counted lines."""
    parts = [f"{job.audio_ms / 60_000:.1f} min of audio"]
    if speed.times_real_time is not None:
        parts.append(f"{speed.times_real_time:.0f} × real time")
    if job.done < job.total:
        eta = speed.eta_s
        parts.append(f"{_clock(eta)} left" if eta is not None else "time left unknown")
    if job.failed:
        parts.append(f"{job.failed} failed")
    return ", ".join(parts)


def watch(
    database: sa.Engine,
    job_id: int,
    view: View,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> JobProgress:
    """Show the job's progress until nothing moves any more; returns its last count.

    A database that is away for a while is waited for. Raises DatabaseUnavailable after a minute.
    """
    from db.queries import status
    from db.session import retry_transient

    def count() -> JobProgress:
        with database.connect() as conn:
            return status.job(conn, job_id)

    started = clock()
    first = now = retry_transient(count)
    quiet, took = 0, 0.0  # counting a hundred thousand lines takes a while: look at it less often then
    try:
        while True:
            view.show(now, pace(first, now, clock() - started))
            # twice in a row: a line may be counted between two of its moves
            quiet = quiet + 1 if over(now) else 0
            if quiet and (quiet > 1 or now.state != "active"):
                return now
            sleep(max(LOOK_EVERY_S, 10 * took))
            asked = clock()
            now = retry_transient(count)
            took = clock() - asked
    finally:
        view.close()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
