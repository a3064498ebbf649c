"""report.html: one page, complete in itself, that says what was made and what deserves a listen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Literal

import jinja2
import numpy as np
from numpy.typing import NDArray

from synthesis.deliverables.manifest import AI_STATEMENT, DRAFT_STATEMENT

Verdict = Literal["pass", "fail", "info"]

NOTICED_SHOWN = 500
"""Noticed lines listed at the top of the page; all of them are marked under their chapters."""
_COLUMNS = 400


@dataclass(frozen=True, slots=True)
class ReportFinding:
    """Something a gate noticed about a take or a track."""

    code: str
    message: str
    severity: Literal["flag", "reject", "warning"] = "flag"


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One line as spoken. ``duration_ms`` is None for a line that was left out."""

    key: str
    character: str
    voice: str
    text: str
    duration_ms: int | None
    start_ms: int | None = None
    """From the start of its chapter."""
    findings: tuple[ReportFinding, ...] = ()
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class ReportChapter:
    """One track with its measurements; a measurement that is undefined (silence) is None."""

    position: int
    title: str
    duration_ms: int
    loudness_lufs: float | None
    true_peak_dbtp: float | None
    rms_dbfs: float | None
    noise_floor_dbfs: float | None
    peaks: Sequence[tuple[float, float]] = ()
    """Waveform as (min, max) pairs, -1 … 1; more than 800 are merged."""
    lines: tuple[ReportLine, ...] = ()
    warnings: tuple[str, ...] = ()
    gain_db: float | None = None


@dataclass(frozen=True, slots=True)
class ReportCheck:
    """One requirement of the mastering profile and how the production meets it."""

    name: str
    wanted: str
    measured: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class ReportFile:
    """One delivered file; ``duration_ms`` is None when it is not audio."""

    name: str
    kind: str
    size: int
    sha256: str
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ReportVoice:
    """A voice heard in the production."""

    label: str
    engine: str
    lines: int
    draft: bool = False


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything the page shows."""

    title: str
    author: str
    language: str
    made_at: datetime
    software: str
    profile: str
    checks: tuple[ReportCheck, ...]
    voices: tuple[ReportVoice, ...]
    chapters: tuple[ReportChapter, ...]
    files: tuple[ReportFile, ...]
    source: str = ""
    render_s: float | None = None
    """Wall time from submission to delivery, for the × real time figure."""
    warnings: tuple[str, ...] = ()
    profile_notice: str = ""
    """What a person must know before delivering to the profile."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """More rows for the foot of the page, e.g. {'Job': 12}."""


def render_report(data: ReportData) -> str:
    """Return the page as HTML that asks no server for anything."""
    noticed = [
        (number, line)
        for number, chapter in enumerate(data.chapters, start=1)
        for line in chapter.lines
        if line.findings or line.skipped
    ]
    duration_ms = sum(chapter.duration_ms for chapter in data.chapters)
    return _template().render(
        data=data,
        duration_ms=duration_ms,
        line_count=sum(len(chapter.lines) for chapter in data.chapters),
        speed=duration_ms / 1000 / data.render_s if data.render_s else None,
        noticed=noticed[:NOTICED_SHOWN],
        noticed_count=len(noticed),
        warnings=[warning for warning in data.warnings if warning != DRAFT_STATEMENT],
        chapter_warnings=[(n, c, w) for n, c in enumerate(data.chapters, start=1) for w in c.warnings],
        failed=[check for check in data.checks if check.verdict == "fail"],
        draft_voices=[voice for voice in data.voices if voice.draft],
        full_scale=max((abs(v) for c in data.chapters for pair in c.peaks for v in pair), default=0.0) or 1.0,
        ai_statement=AI_STATEMENT,
        draft_statement=DRAFT_STATEMENT,
    )


def waveform_path(peaks: Sequence[tuple[float, float]], full_scale: float = 1.0) -> str:
    """Return the SVG path of a waveform: one upright stroke per column, at most 400 columns, y from 0 to 100."""
    if not peaks:
        return ""
    per_column = max(1, -(-len(peaks) // _COLUMNS))
    starts = np.arange(0, len(peaks), per_column)
    pairs = np.asarray(peaks, dtype=np.float64)
    low = np.minimum.reduceat(pairs[:, 0], starts) / full_scale
    high = np.maximum.reduceat(pairs[:, 1], starts) / full_scale
    tops = np.minimum(_heights(high), 49).tolist()
    bottoms = np.maximum(_heights(low), 51).tolist()
    return "".join(f"M{column} {top}V{bottom}" for column, (top, bottom) in enumerate(zip(tops, bottoms, strict=True)))


def _heights(values: NDArray[np.float64]) -> NDArray[np.int64]:
    heights = np.round(50 - 48 * np.clip(values, -1.0, 1.0))
    return np.where(np.isfinite(heights), heights, 50).astype(np.int64)


def clock(milliseconds: int | None) -> str:
    """Return a length as people read it: 0:04.2 below a minute, then 12:05, then 3:07:09."""
    if milliseconds is None:
        return "\u2013"
    if milliseconds < 59_950:
        return f"0:{milliseconds / 1000:04.1f}"
    seconds = (milliseconds + 500) // 1000
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def decimal(value: float | None, digits: int = 1) -> str:
    """Return a figure with a true minus sign, or a dash when it is undefined."""
    if value is None or not math.isfinite(value):
        return "\u2013"
    return f"{value:.{digits}f}".replace("-", "\u2212")


def file_size(size: int) -> str:
    """Return a file's size in the largest fitting decimal unit."""
    amount = float(size)
    for unit in ("B", "kB", "MB"):
        if amount < 999.5:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 10 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.2f} GB"


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("synthesis.deliverables", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(clock=clock, decimal=decimal, file_size=file_size, waveform=waveform_path)
    return environment.get_template("report.html")
