"""Store a planned script: production, script, job, sections and lines, in the caller's one transaction.

A line whose digest already has a take is born accepted; a section with nothing left to wait for is born ready. The
same script submitted again does not start over: its job goes on (``db.queries._resume``).
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import psycopg
import sqlalchemy as sa

from db.errors import BadPlan, InvalidTransition, NotFound
from db.locks import lock_title
from db.notify import notify
from db.queries._moves import PERSON
from db.queries._outbox import ask_assembly
from db.queries._resume import resume
from db.queries.productions import check_priority
from db.queries.verdicts import cancel_job
from db.records import ImportPlan, ImportResult, PlannedLine, PlannedSection
from db.states import LINE_SETTLED, JobState, LineState

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")

_TITLE = sa.text("""
WITH old AS (SELECT title, author, language, kind FROM production WHERE slug = :slug)
INSERT INTO production (slug, title, author, language, kind, priority, watermark_key)
VALUES (:slug, :title, :author, :language, :kind, :priority, :watermark_key)
ON CONFLICT (slug) DO UPDATE SET title = excluded.title, author = excluded.author, language = excluded.language,
    kind = excluded.kind, priority = excluded.priority
RETURNING id, (SELECT (title, author, language, kind) IS DISTINCT FROM (:title, :author, :language, :kind) FROM old)
    AS renamed
""").bindparams(*(sa.bindparam(name, type_=sa.Text) for name in ("title", "author", "language", "kind")))

_LATEST = sa.text("""
SELECT s.id, s.revision, s.digest, (SELECT max(j.id) FROM job j WHERE j.script_id = s.id) AS job_id
FROM script s WHERE s.production_id = :production_id ORDER BY s.revision DESC LIMIT 1
""")

_OPEN_JOBS = sa.text("""
SELECT id FROM job WHERE production_id = :production_id AND state NOT IN ('delivered', 'cancelled') ORDER BY id
""")

_KNOWN_TAKES = sa.text("""
SELECT DISTINCT ON (t.digest) t.digest, t.id,
       :review AND jsonb_path_exists(t.findings, '$[*] ? (!(@.severity == "note"))') AND t.id NOT IN (
           SELECT take_id FROM line WHERE production_id = :production_id AND state = 'accepted') AS waits
FROM unnest(string_to_array(:digests, ',')) w(digest) JOIN take t ON t.digest = w.digest ORDER BY t.digest, t.id DESC
""")
"""The newest take of each digest, and whether it is flagged and still waits for a person's verdict."""

_VOICES = sa.text("SELECT id FROM voice WHERE id = ANY(CAST(:ids AS bigint[]))")

_SCRIPT = sa.text("""
INSERT INTO script (production_id, revision, source_name, source_sha256, format, digest)
VALUES (:production_id, :revision, :source_name, :source_sha256, :format, :digest) RETURNING id
""")

_JOB = sa.text("""
INSERT INTO job (production_id, script_id, waiting, out_url, profile, options)
VALUES (:production_id, :script_id, :waiting, :out_url, :profile, CAST(:options AS jsonb)) RETURNING id
""")

_SECTIONS = sa.text("""
INSERT INTO section (production_id, script_id, job_id, position, key, kind, title, state, revision, waiting)
SELECT :production_id, :script_id, :job_id, n - 1, key, kind, title,
       CASE WHEN waiting = 0 THEN 'ready' ELSE 'open' END, CASE WHEN waiting = 0 THEN 1 ELSE 0 END, waiting
FROM unnest(CAST(:keys AS text[]), CAST(:kinds AS text[]), CAST(:titles AS text[]), CAST(:waiting AS bigint[]))
     WITH ORDINALITY AS s(key, kind, title, waiting, n)
RETURNING id, position
""")

_NOTE = sa.text("""
INSERT INTO event (entity, entity_id, to_state, attempt, actor, detail)
SELECT 'section', id, state, revision, :actor, '{}'::jsonb FROM section WHERE job_id = :job_id
UNION ALL
SELECT 'job', :job_id, :state, 0, :actor, CAST(:detail AS jsonb)
""")

_COPY = """
COPY line (production_id, section_id, position, key, kind, character, text, spoken, language, pause_ms, in_ms, out_ms,
           direction, voice_id, engine, seed, digest, state, take_id) FROM STDIN
"""


_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_COPY_ROWS = 500
"""Rows that are sent in one piece, about 200 kB."""


@dataclass(frozen=True, slots=True)
class _Reuse:
    """A take that is already there, and the state a line is born in with it."""

    take_id: int
    state: LineState


def import_script(conn: sa.Connection, plan: ImportPlan) -> ImportResult:
    """Store a plan and start its job; the caller commits, or rolls everything back.

    Imports of one title wait for each other. Open jobs of earlier versions of the script are cancelled; their takes
    are used again where the digest is the same. Raises BadPlan for an empty plan or text that cannot be stored,
    NotFound for a voice that is not there.
    """
    _check(plan)
    lock_title(conn, plan.slug)
    title = conn.execute(
        _TITLE,
        {
            "slug": plan.slug,
            "title": plan.title,
            "author": plan.author,
            "language": plan.language,
            "kind": plan.kind,
            "priority": plan.priority,
            "watermark_key": secrets.token_bytes(16),
        },
    ).one()
    latest = conn.execute(_LATEST, {"production_id": title.id}).one_or_none()
    if latest is not None and latest.digest == plan.digest and latest.job_id is not None:
        lines, reused = resume(conn, latest.job_id, plan, retitled=bool(title.renamed))
        return ImportResult(title.id, latest.job_id, lines, reused, resumed=True)
    _check_voices(conn, plan)
    _cancel_older(conn, title.id)
    return _start(conn, plan, title.id, 1 if latest is None else latest.revision + 1)


def _check(plan: ImportPlan) -> None:
    if _SLUG.fullmatch(plan.slug) is None:
        raise BadPlan(plan.slug, "a slug is made of a-z, 0-9 and single hyphens")
    check_priority(plan.slug, plan.priority)
    if not plan.sections:
        raise BadPlan(plan.slug, "the script has no sections")
    for section in plan.sections:
        if not section.lines:
            raise BadPlan(plan.slug, f"section {section.key!r} has no lines")
        _storable(plan.slug, section.key, section.title)
        said = ((line.key, line.text, line.spoken, line.character) for line in section.lines)
        if not _can_be_stored("".join(chain.from_iterable(said))):
            for line in section.lines:
                _storable(plan.slug, f"{section.key} / {line.key}", line.key, line.text, line.spoken, line.character)


def _can_be_stored(text: str) -> bool:
    """Whether a database takes a text. Looked at for a section at once: line by line it costs as much as sending it."""
    if "\0" in text:
        return False
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return False
    return True


def _storable(slug: str, place: str, *texts: str) -> None:
    for text in texts:
        if not _can_be_stored(text):
            wrong = "a NUL character" if "\0" in text else "half a surrogate pair"
            raise BadPlan(slug, f"{place!r} contains {wrong}")


def _cancel_older(conn: sa.Connection, production_id: int) -> None:
    for job_id in conn.scalars(_OPEN_JOBS, {"production_id": production_id}).all():
        with contextlib.suppress(InvalidTransition):  # it was delivered in this very moment: nothing to cancel
            cancel_job(conn, job_id)


def _start(conn: sa.Connection, plan: ImportPlan, production_id: int, revision: int) -> ImportResult:
    script_id = conn.execute(
        _SCRIPT,
        {
            "production_id": production_id,
            "revision": revision,
            "source_name": plan.source_name,
            "source_sha256": plan.source_sha256,
            "format": plan.format,
            "digest": plan.digest,
        },
    ).scalar_one()
    job_id = conn.execute(
        _JOB,
        {
            "production_id": production_id,
            "script_id": script_id,
            "waiting": len(plan.sections),
            "out_url": plan.out_url,
            "profile": plan.profile,
            "options": plan.options.model_dump_json(),
        },
    ).scalar_one()
    takes = _known_takes(conn, plan, production_id)
    sections = _add_sections(conn, plan, takes, production_id, script_id, job_id)
    _copy_lines(conn, plan, takes, production_id, sections)
    total = sum(len(section.lines) for section in plan.sections)
    reused = sum(line.digest in takes for section in plan.sections for line in section.lines)
    detail = {"script": script_id, "revision": revision, "sections": len(sections), "lines": total, "reused": reused}
    values = {"job_id": job_id, "state": JobState.ACTIVE.value, "actor": PERSON, "detail": json.dumps(detail)}
    conn.execute(_NOTE, values)
    ask_assembly(conn, sections)
    notify(conn)
    return ImportResult(production_id, job_id, total, reused, resumed=False)


def _known_takes(conn: sa.Connection, plan: ImportPlan, production_id: int) -> dict[str, _Reuse]:
    # one text: the driver would look at each of a hundred thousand elements of an array for itself
    digests = ",".join(line.digest for section in plan.sections for line in section.lines)
    values = {"digests": digests, "review": plan.options.review, "production_id": production_id}
    return {
        row.digest: _Reuse(row.id, LineState.RENDERED if row.waits else LineState.ACCEPTED)
        for row in conn.execute(_KNOWN_TAKES, values)
    }


def _check_voices(conn: sa.Connection, plan: ImportPlan) -> None:
    wanted = {line.voice_id for section in plan.sections for line in section.lines}
    unknown = wanted.difference(conn.scalars(_VOICES, {"ids": sorted(wanted)}))
    if unknown:
        raise NotFound("voice", min(unknown))


def _waiting(section: PlannedSection, takes: Mapping[str, _Reuse]) -> int:
    known = (takes.get(line.digest) for line in section.lines)
    return sum(take is None or take.state not in LINE_SETTLED for take in known)


def _add_sections(
    conn: sa.Connection,
    plan: ImportPlan,
    takes: Mapping[str, _Reuse],
    production_id: int,
    script_id: int,
    job_id: int,
) -> list[int]:
    """Ids in the order of the plan."""
    rows = conn.execute(
        _SECTIONS,
        {
            "production_id": production_id,
            "script_id": script_id,
            "job_id": job_id,
            "keys": [section.key for section in plan.sections],
            "kinds": [section.kind for section in plan.sections],
            "titles": [section.title for section in plan.sections],
            "waiting": [_waiting(section, takes) for section in plan.sections],
        },
    ).all()
    return [row.id for row in sorted(rows, key=lambda row: int(row.position))]


def _copy_lines(
    conn: sa.Connection,
    plan: ImportPlan,
    takes: Mapping[str, _Reuse],
    production_id: int,
    section_ids: list[int],
) -> None:
    conn.exec_driver_sql("SET LOCAL statement_timeout = '10min'")  # one COPY, however long the script
    # each line's foreign keys are looked up one at a time: an index finds the one row, a scan reads the whole table
    conn.exec_driver_sql("SET LOCAL enable_seqscan = off")
    raw: psycopg.Connection[Any] = conn.connection.driver_connection  # type: ignore[assignment]  # it is psycopg's
    with raw.cursor() as cursor, cursor.copy(_COPY) as copy:
        for section, section_id in zip(plan.sections, section_ids, strict=True):
            rows = _rows(section, takes, f"{production_id}\t{section_id}")
            while block := "".join(islice(rows, _COPY_ROWS)):
                copy.write(block)
    conn.exec_driver_sql("SET LOCAL enable_seqscan TO DEFAULT")


def _rows(section: PlannedSection, takes: Mapping[str, _Reuse], ids: str) -> Iterator[str]:
    """Yield the lines of a section as COPY reads them: tabs between values, ``\\N`` for none, other escapes as below.

    A hundred thousand lines spend less on this than on handing each value to the driver.
    """
    pending = f"{LineState.PENDING.value}\t\\N\n"
    for position, line in enumerate(section.lines):
        take = takes.get(line.digest)
        text = _escaped(line.text)
        spoken = text if line.spoken is line.text else _escaped(line.spoken)
        in_ms = "\\N" if line.in_ms is None else line.in_ms
        out_ms = "\\N" if line.out_ms is None else line.out_ms
        end = pending if take is None else f"{take.state.value}\t{take.take_id}\n"
        yield (
            f"{ids}\t{position}\t{_escaped(line.key)}\t{_escaped(line.kind)}\t{_escaped(line.character)}\t{text}\t{spoken}\t"
            f"{_escaped(line.language)}\t{line.pause_ms}\t{in_ms}\t{out_ms}\t{_direction(line)}\t{line.voice_id}\t"
            f"{_escaped(line.engine)}\t{line.seed}\t{_escaped(line.digest)}\t{end}"
        )


def _escaped(text: str) -> str:
    """A text as COPY reads it back: what would end the value or the row, or begin an escape, is written as one."""
    if "\\" in text or "\n" in text or "\t" in text or "\r" in text:
        return text.translate(_ESCAPES)
    return text


def _direction(line: PlannedLine) -> str:
    return _escaped(json.dumps(dict(line.direction), ensure_ascii=False)) if line.direction else "{}"
