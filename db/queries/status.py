"""What people see: jobs, sections and lines, counted from the rows themselves, in one or two queries each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from db.errors import NotFound
from db.queries._moves import sql_list
from db.records import JobProgress, LineRow, NewDeliverable, SectionProgress, Throughput
from db.states import LINE_SETTLED, LineState

RECENT_S = 60.0
"""The last minute: what rates and estimates are made from."""
THROUGHPUT_TAKES = 20_000
"""Takes looked at for the farm's rate, the newest first."""

_SAMPLES = "t.samples::int"  # 12 hours at 48 kHz; its sum is bigint, that of bigint would be numeric and slow
_HAS_AUDIO = f"state IN ({sql_list((LineState.ACCEPTED, LineState.RENDERED))})"
_ACCEPTED = f"state = '{LineState.ACCEPTED}'"
_RECENT = "t.created_at > (SELECT now() - make_interval(secs => :recent_s))"

JOBS = sa.text("""
SELECT j.id AS job_id, p.slug, p.title, j.state, p.state AS production_state, p.priority, j.created_at, j.finished_at,
       j.message, j.out_url
FROM job j JOIN production p ON p.id = j.production_id
WHERE (CAST(:slug AS text) IS NULL OR p.slug = :slug) AND (CAST(:job_id AS bigint) IS NULL OR j.id = :job_id)
ORDER BY j.id DESC""")
"""Jobs, newest first: all, of one production, or one."""

LINE_COUNTS = sa.text(f"""
WITH counted AS (
    SELECT s.job_id, l.state, t.sample_rate, count(*) AS lines, sum({_SAMPLES}) AS samples,
           count(*) FILTER (WHERE {_RECENT}) AS recent_lines,
           sum({_SAMPLES}) FILTER (WHERE {_RECENT}) AS recent_samples,
           min(t.created_at) FILTER (WHERE {_RECENT}) AS first_recent
    FROM section s JOIN line l ON l.section_id = s.id LEFT JOIN take t ON t.id = l.take_id
    WHERE s.job_id = ANY(CAST(:ids AS bigint[]))
    GROUP BY s.job_id, l.state, t.sample_rate
)
SELECT job_id, state, sum(lines)::bigint AS lines,
       coalesce(sum(samples * 1000 / sample_rate) FILTER (WHERE {_HAS_AUDIO}), 0)::bigint AS audio_ms,
       coalesce(sum(recent_lines) FILTER (WHERE {_ACCEPTED}), 0)::bigint AS recent_lines,
       coalesce(sum(recent_samples * 1000 / sample_rate) FILTER (WHERE {_ACCEPTED}), 0)::bigint AS recent_audio_ms,
       extract(epoch FROM now() - min(first_recent) FILTER (WHERE {_ACCEPTED}))::double precision AS recent_s
FROM counted
GROUP BY job_id, state""")
"""Lines of jobs by state, with the audio of their selected takes and what the last minute added.

Everything that is the same for a whole group, its state and its sample rate, is looked at once a group and not once a
line. The join says how many lines to expect, which ``section_id = ANY(ARRAY(SELECT …))`` hides from the planner.
"""

SECTION_COUNTS = sa.text("""
SELECT job_id, state, count(*) AS sections FROM section
WHERE job_id = ANY(CAST(:ids AS bigint[])) GROUP BY job_id, state""")
"""Sections of jobs by state."""

SECTIONS = sa.text(f"""
WITH counted AS (
    SELECT l.section_id, l.state, t.sample_rate, count(*) AS lines, sum({_SAMPLES}) AS samples
    FROM section s JOIN line l ON l.section_id = s.id LEFT JOIN take t ON t.id = l.take_id
    WHERE s.job_id = :job_id
    GROUP BY l.section_id, l.state, t.sample_rate
), summed AS (
    SELECT section_id, sum(lines)::bigint AS total,
           sum(lines) FILTER (WHERE state IN ({sql_list(LINE_SETTLED)}))::bigint AS done,
           sum(lines) FILTER (WHERE state = '{LineState.FAILED}')::bigint AS failed,
           sum(samples * 1000 / sample_rate) FILTER (WHERE {_HAS_AUDIO})::bigint AS audio_ms
    FROM counted GROUP BY section_id
)
SELECT s.id AS section_id, s.position, s.title, s.state, s.message, coalesce(c.total, 0) AS total,
       coalesce(c.done, 0) AS done, coalesce(c.failed, 0) AS failed, coalesce(c.audio_ms, 0) AS audio_ms,
       r.samples * 1000 / r.sample_rate AS track_ms, r.loudness_lufs, r.true_peak_dbtp
FROM section s
LEFT JOIN summed c ON c.section_id = s.id
LEFT JOIN track r ON r.id = s.track_id
WHERE s.job_id = :job_id
ORDER BY s.position""")
"""Sections of a job in order, counted, with the levels of their tracks."""

_LINE_ROW = """
SELECT l.id AS line_id, s.position AS section_position, s.title AS section_title, l.position, l.key, l.character,
       v.name || '@' || v.version AS voice, l.language, l.text, l.state, l.attempt, l.burnt, l.failure_class,
       l.failure_message, t.samples * 1000 / t.sample_rate AS audio_ms, t.audio_sha256,
       coalesce(t.findings, '[]'::jsonb) AS findings
FROM line l
JOIN section s ON s.id = l.section_id
JOIN voice v ON v.id = l.voice_id
LEFT JOIN take t ON t.id = l.take_id"""

LINES = sa.text(f"""{_LINE_ROW}
WHERE l.id IN (
    SELECT l.id FROM section s JOIN line l ON l.section_id = s.id
    WHERE s.job_id = :job_id
      AND (CAST(:section AS bigint) IS NULL OR s.position = :section)
      AND (CAST(:states AS text[]) IS NULL OR l.state = ANY(CAST(:states AS text[])))
    ORDER BY s.position, l.position LIMIT :limit OFFSET :offset
)
ORDER BY s.position, l.position""")
"""Lines of a job in script order; the page is found on ids alone, so that texts are read for one page only."""

LINE = sa.text(f"{_LINE_ROW}\nWHERE l.id = :id")
"""One line."""

DELIVERABLES = sa.text("SELECT kind, name, sha256, size FROM deliverable WHERE job_id = :job_id ORDER BY name")
"""Files of a job's last delivery."""

LATEST_JOB = sa.text("""
SELECT j.id FROM job j JOIN production p ON p.id = j.production_id WHERE p.slug = :slug ORDER BY j.id DESC LIMIT 1""")
"""The newest job of a production."""

THROUGHPUT = sa.text("""
SELECT count(*) AS lines, coalesce(sum(samples::double precision / sample_rate), 0) AS audio_s,
       coalesce(extract(epoch FROM now() - min(created_at)), 0)::double precision AS span_s
FROM (SELECT samples, sample_rate, created_at FROM take ORDER BY id DESC LIMIT :takes) t
WHERE created_at > now() - make_interval(secs => :window_s)""")
"""What the whole farm made lately."""


def jobs(conn: sa.Connection, *, slug: str | None = None) -> list[JobProgress]:
    """Every job, newest first; of one production when ``slug`` is given."""
    return _progress(conn, conn.execute(JOBS, {"slug": slug, "job_id": None}).mappings().all())


def job(conn: sa.Connection, job_id: int) -> JobProgress:
    """One job. Raises NotFound."""
    rows = conn.execute(JOBS, {"slug": None, "job_id": job_id}).mappings().all()
    if not rows:
        raise NotFound("job", job_id)
    return _progress(conn, rows)[0]


def sections(conn: sa.Connection, job_id: int) -> list[SectionProgress]:
    """Sections of a job, in order; none when there is no such job."""
    return [SectionProgress(**row) for row in conn.execute(SECTIONS, {"job_id": job_id}).mappings()]


def lines(
    conn: sa.Connection,
    job_id: int,
    *,
    states: Collection[LineState] | None = None,
    section: int | None = None,
    limit: int = 200,
    offset: int = 0,
) -> list[LineRow]:
    """Lines of a job in script order: in any of ``states``, in the section at position ``section`` (0-based)."""
    values = {
        "job_id": job_id,
        "states": None if states is None else sorted(state.value for state in states),
        "section": section,
        "limit": limit,
        "offset": offset,
    }
    return [_line_row(row) for row in conn.execute(LINES, values).mappings()]


def line(conn: sa.Connection, line_id: int) -> LineRow:
    """One line. Raises NotFound."""
    row = conn.execute(LINE, {"id": line_id}).mappings().first()
    if row is None:
        raise NotFound("line", line_id)
    return _line_row(row)


def deliverables(conn: sa.Connection, job_id: int) -> list[NewDeliverable]:
    """Files of a job's last delivery, by name."""
    return [NewDeliverable(**row) for row in conn.execute(DELIVERABLES, {"job_id": job_id}).mappings()]


def latest_job(conn: sa.Connection, slug: str) -> int:
    """Id of the newest job of a production. Raises NotFound."""
    found: int | None = conn.scalar(LATEST_JOB, {"slug": slug})
    if found is None:
        raise NotFound("production", slug)
    return found


def throughput(conn: sa.Connection, window_s: float = RECENT_S) -> Throughput:
    """What the whole farm made in the last ``window_s`` seconds, over the time since the first of it."""
    row = conn.execute(THROUGHPUT, {"takes": THROUGHPUT_TAKES, "window_s": window_s}).one()
    span = max(row.span_s, 1.0)
    return Throughput(lines_per_s=row.lines / span, audio_per_s=row.audio_s / span)


def _line_row(row: sa.RowMapping) -> LineRow:
    return LineRow(**{**row, "findings": tuple(row["findings"])})


def _progress(conn: sa.Connection, rows: Sequence[sa.RowMapping]) -> list[JobProgress]:
    ids = [row["job_id"] for row in rows]
    if not ids:
        return []
    counted: dict[int, list[sa.Row[Any]]] = {job_id: [] for job_id in ids}
    for count in conn.execute(LINE_COUNTS, {"ids": ids, "recent_s": RECENT_S}):
        counted[count.job_id].append(count)
    in_sections: dict[int, dict[str, int]] = {job_id: {} for job_id in ids}
    for count in conn.execute(SECTION_COUNTS, {"ids": ids}):
        in_sections[count.job_id][count.state] = count.sections
    return [_job(row, counted[row["job_id"]], in_sections[row["job_id"]]) for row in rows]


def _job(row: sa.RowMapping, counts: Sequence[sa.Row[Any]], sections: Mapping[str, int]) -> JobProgress:
    by_state = {count.state: count.lines for count in counts}
    recent = sum(count.recent_lines for count in counts)
    span_s = max((count.recent_s for count in counts if count.recent_s is not None), default=0.0)
    return JobProgress(
        **row,
        lines=by_state,
        sections=sections,
        total=sum(by_state.values()),
        done=sum(by_state.get(state, 0) for state in LINE_SETTLED),
        failed=by_state.get(LineState.FAILED, 0),
        audio_ms=sum(count.audio_ms for count in counts),
        recent_lines=recent,
        recent_audio_ms=sum(count.recent_audio_ms for count in counts),
        eta_s=_eta(by_state, recent, span_s),
    )


_TO_COME = (LineState.PENDING, LineState.QUEUED, LineState.RENDERING, LineState.HELD, LineState.STALE)


def _eta(by_state: Mapping[str, int], recent: int, span_s: float) -> float | None:
    """Seconds until the lines to come are done at the rate of the last minute; None while nothing was accepted."""
    left = sum(by_state.get(state, 0) for state in _TO_COME)
    if left == 0:
        return 0.0
    return left * max(span_s, 1.0) / recent if recent else None
