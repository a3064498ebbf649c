"""report.html: one page, complete in itself, that says what was made and what deserves a listen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Literal

import jinja2

Verdict = Literal["pass", "fail", "info"]


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
    facts: Mapping[str, Any] = field(default_factory=dict)
    """More rows for the foot of the page, e.g. {'Job': 12}."""


def render_report(data: ReportData) -> str:
    """Return the page as HTML that asks no server for anything."""
    return _template().render(data=data)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("synthesis.deliverables", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html")
