"""Moves of lines that a worker session makes: claim, accept, fail, release; and a take found damaged.

Every statement is fenced: it moves a line only while line id, attempt, state and session are the caller's. What does
not match any more is superseded: it is simply not in the answer. What people decide is in ``db.queries.verdicts`` and
reachable from here too.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from db.notify import notify
from db.queries._moves import NOTE_LINES, SCHEDULER, deltas, legal, line_move, settle
from db.queries.verdicts import approve, cancel_job, mark_stale, retry, skip
from db.records import ClaimedLine, FailedLine, FinishedTake
from db.states import LineState, SectionState

__all__ = [
    "accept",
    "alone",
    "approve",
    "cancel_job",
    "claim",
    "fail",
    "mark_damaged",
    "mark_stale",
    "release",
    "retry",
    "skip",
]

MESSAGE_LIMIT = 2000
"""Characters of a failure's message that are kept."""

CLAIM = sa.text(f"""
WITH wanted AS (
    SELECT id, attempt FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS bigint[])) AS w(id, attempt)
), picked AS (
    SELECT l.id, l.state AS was FROM line l JOIN wanted w ON w.id = l.id AND w.attempt = l.attempt
    WHERE l.state IN ({legal(LineState.RENDERING, [LineState.QUEUED])})
      AND NOT (l.alone AND :company)
      AND EXISTS (SELECT FROM worker_session WHERE id = :session AND ended_at IS NULL)
    ORDER BY l.id FOR NO KEY UPDATE OF l
), moved AS (
    UPDATE line l SET state = '{LineState.RENDERING}', session_id = :session, updated_at = now()
    FROM picked WHERE l.id = picked.id
    RETURNING l.id, l.attempt, l.section_id, l.production_id, l.digest, l.spoken, l.language, l.seed, l.direction,
              l.alone, l.burnt, l.voice_id, picked.was, l.state
), noted AS (
    {NOTE_LINES}
)
SELECT m.id, m.attempt, m.section_id, m.production_id, m.digest, m.spoken, m.language, m.seed, m.direction, m.alone,
       m.burnt, m.voice_id, v.name AS voice_name, v.version AS voice_version, v.parameters AS voice_parameters,
       v.languages AS voice_languages,
       EXISTS (SELECT FROM consent c WHERE c.voice_id = v.id AND c.revoked_at IS NULL
                 AND (c.expires_at IS NULL OR c.expires_at > now())) AS consented,
       coalesce((j.options ->> 'review')::boolean, false) AS review
FROM moved m
JOIN voice v ON v.id = m.voice_id
JOIN section s ON s.id = m.section_id
JOIN job j ON j.id = s.job_id
ORDER BY m.id""")
"""queued → rendering for every message whose attempt is still the line's, with all a worker needs to render it."""

ALONE = sa.text("SELECT id FROM line WHERE id = ANY(CAST(:ids AS bigint[])) AND alone")
"""Lines whose next attempt runs with nothing else in flight."""

SESSION_LIVES = sa.text("SELECT ended_at IS NULL FROM worker_session WHERE id = :session")
"""Whether a session may still claim."""

ACCEPT = sa.text(f"""
WITH offered AS (
    SELECT * FROM json_to_recordset(CAST(:takes AS json)) AS t(
        line_id bigint, attempt bigint, digest text, audio_sha256 text, samples bigint, sample_rate bigint, voice text,
        engine text, engine_version text, seed bigint, findings jsonb, render_ms bigint, hold_for_review boolean)
), picked AS (
    SELECT l.id, l.state AS was, o.*
    FROM line l JOIN offered o ON o.line_id = l.id AND o.attempt = l.attempt
    WHERE l.state IN ({legal(LineState.ACCEPTED, [LineState.RENDERING])}) AND l.session_id = :session
    ORDER BY l.id FOR NO KEY UPDATE OF l
), kept AS (
    INSERT INTO take (line_id, attempt, digest, audio_sha256, samples, sample_rate, voice, engine, engine_version, seed,
                      findings, render_ms, worker)
    SELECT line_id, attempt, digest, audio_sha256, samples, sample_rate, voice, engine, engine_version, seed,
           findings, render_ms, :actor
    FROM picked ORDER BY id
    RETURNING id, line_id
), moved AS (
    UPDATE line l
    SET state = CASE WHEN p.hold_for_review THEN '{LineState.RENDERED}' ELSE '{LineState.ACCEPTED}' END,
        take_id = k.id, session_id = NULL, failure_class = NULL, failure_message = NULL, updated_at = now()
    FROM picked p JOIN kept k ON k.line_id = p.id
    WHERE l.id = p.id
    RETURNING l.id, l.section_id, l.attempt, p.was, l.state
), noted AS (
    {NOTE_LINES}
)
SELECT id, section_id, was, state FROM moved""")
"""rendering → accepted (or rendered, for a verdict), with the take, while attempt and session still own the line."""

FAIL = sa.text(f"""
WITH reported AS (
    SELECT * FROM json_to_recordset(CAST(:failures AS json)) AS f(
        line_id bigint, attempt bigint, failure text, message text, to_state text, burns boolean, alone boolean,
        delay_s double precision, hold text)
), picked AS (
    SELECT l.id, l.state AS was, r.*
    FROM line l JOIN reported r ON r.line_id = l.id AND r.attempt = l.attempt
    WHERE l.state = '{LineState.RENDERING}' AND l.session_id = :session
    ORDER BY l.id FOR NO KEY UPDATE OF l
), moved AS (
    UPDATE line l
    SET state = p.to_state, burnt = l.burnt + CASE WHEN p.burns THEN 1 ELSE 0 END, alone = l.alone OR p.alone,
        not_before = CASE WHEN p.to_state = '{LineState.PENDING}' AND p.delay_s > 0
                          THEN now() + make_interval(secs => p.delay_s) END,
        session_id = NULL, failure_class = p.failure, failure_message = p.message, updated_at = now()
    FROM picked p WHERE l.id = p.id
    RETURNING l.id, l.attempt, l.voice_id, l.state, p.was, p.failure, p.message, p.hold, p.delay_s
), noted AS (
    INSERT INTO event (entity, entity_id, from_state, to_state, attempt, actor, detail)
    SELECT 'line', id, was, state, attempt, :actor,
           jsonb_build_object('failure', failure, 'message', left(message, 300))
    FROM moved ORDER BY id
), held AS (
    INSERT INTO hold (scope, key, reason, failure_class, until)
    SELECT DISTINCT ON (m.hold, k.key) m.hold, k.key, m.message, m.failure, now() + make_interval(secs => m.delay_s)
    FROM moved m
    CROSS JOIN LATERAL (SELECT CASE m.hold WHEN 'voice' THEN m.voice_id::text ELSE '' END AS key) k
    WHERE m.hold IS NOT NULL
    ORDER BY m.hold, k.key, m.delay_s DESC
    ON CONFLICT (scope, key) DO UPDATE
    SET reason = excluded.reason, failure_class = excluded.failure_class, until = greatest(hold.until, excluded.until)
)
SELECT id FROM moved""")
"""rendering → pending, held or failed, as decided; places or prolongs the holds that go with it."""

FAIL_TO = (LineState.PENDING, LineState.HELD, LineState.FAILED)
for _to in FAIL_TO:
    legal(_to, [LineState.RENDERING])

RELEASE = line_move(
    source="JOIN unnest(CAST(:ids AS bigint[]), CAST(:attempts AS bigint[])) AS w(id, attempt) "
    "ON w.id = l.id AND w.attempt = l.attempt",
    to=LineState.PENDING,
    froms=(LineState.QUEUED, LineState.RENDERING),
    where="(l.state = 'queued' OR l.session_id = :session)",
)
"""Gives lines back that were not rendered: no attempt is burnt."""

LOCK_DAMAGED = sa.text(f"""
SELECT l.id FROM line l
WHERE l.id = ANY(CAST(:ids AS bigint[])) AND l.section_id = :section_id AND l.state = '{LineState.ACCEPTED}'
ORDER BY l.id FOR NO KEY UPDATE""")
"""Locks the lines whose takes are damaged, before their section is locked."""

LOCK_ASSEMBLY = sa.text(f"""
SELECT id FROM section
WHERE id = :section_id AND revision = :revision AND state = '{SectionState.ASSEMBLING}' FOR NO KEY UPDATE""")
"""The section, if that assembly is still the one under way."""

DAMAGED = line_move(
    to=LineState.PENDING,
    froms=[LineState.ACCEPTED],
    where="l.id = ANY(CAST(:ids AS bigint[]))",
    sets="take_id = NULL, burnt = 0, alone = false, not_before = NULL",
)
"""Lines whose take in the store is not what was put there are rendered again."""


def _tokens(messages: Sequence[tuple[int, int]]) -> dict[str, list[int]]:
    return {"ids": [line_id for line_id, _ in messages], "attempts": [attempt for _, attempt in messages]}


def claim(
    conn: sa.Connection,
    messages: Sequence[tuple[int, int]],
    session_id: uuid.UUID,
    worker: str,
    *,
    company: bool = False,
) -> list[ClaimedLine]:
    """Take lines for a session; ``messages`` are (line id, attempt). What is missing in the answer was superseded.

    With ``company`` lines that must be alone are left out as well: ``alone`` tells which they are. A session that was
    ended claims nothing: its lines go back to pending, so that another worker gets them at once.
    """
    if not messages:
        return []
    unique = sorted(set(messages))
    rows = (
        conn.execute(CLAIM, {**_tokens(unique), "session": session_id, "company": company, "actor": worker})
        .mappings()
        .all()
    )
    if not rows and not conn.scalar(SESSION_LIVES, {"session": session_id}):
        release(conn, unique, session_id, worker)
    return [ClaimedLine(**{**row, "voice_languages": tuple(row["voice_languages"])}) for row in rows]


def alone(conn: sa.Connection, line_ids: Sequence[int]) -> set[int]:
    """Which of these lines must be claimed one at a time: what is held together with a poison line burns with it."""
    return set(conn.scalars(ALONE, {"ids": list(line_ids)})) if line_ids else set()


def accept(conn: sa.Connection, takes: Sequence[FinishedTake], session_id: uuid.UUID, worker: str) -> set[int]:
    """Keep the takes of lines the session still owns; returns those lines' ids, the rest is superseded.

    The last line of a section makes it ready and asks for its assembly, in the caller's transaction.
    """
    if not takes:
        return set()
    offered = {(take.line_id, take.attempt): _as_json(take) for take in takes}
    values = {"takes": json.dumps(list(offered.values())), "session": session_id, "actor": worker}
    rows = conn.execute(ACCEPT, values).all()
    settle(conn, deltas(rows), worker)
    if rows:
        notify(conn)
    return {row.id for row in rows}


def fail(conn: sa.Connection, failures: Sequence[FailedLine], session_id: uuid.UUID, worker: str) -> set[int]:
    """Do what was decided about attempts that ended without a take; returns the lines moved, the rest is superseded."""
    for failure in failures:
        if failure.decision.to not in FAIL_TO:
            raise ValueError(f"a failed attempt cannot make line {failure.line_id} {failure.decision.to}")
    if not failures:
        return set()
    reported = {
        (failure.line_id, failure.attempt): {
            "line_id": failure.line_id,
            "attempt": failure.attempt,
            "failure": failure.failure.value,
            "message": printable(failure.message),
            "to_state": failure.decision.to.value,
            "burns": failure.decision.burns,
            "alone": failure.decision.alone,
            "delay_s": failure.decision.delay.total_seconds(),
            "hold": failure.decision.hold.value if failure.decision.hold else None,
        }
        for failure in failures
    }
    values = {"failures": json.dumps(list(reported.values())), "session": session_id, "actor": worker}
    moved = set(conn.scalars(FAIL, values))
    if moved:
        notify(conn)
    return moved


def release(conn: sa.Connection, messages: Sequence[tuple[int, int]], session_id: uuid.UUID, worker: str) -> set[int]:
    """Give back (line id, attempt) pairs: claimed by the session or not claimed by anybody. Burns no attempt."""
    if not messages:
        return set()
    rows = conn.execute(RELEASE, {**_tokens(messages), "session": session_id, "actor": worker}).all()
    if rows:
        notify(conn)
    return {row.id for row in rows}


def mark_damaged(conn: sa.Connection, section_id: int, revision: int, line_ids: Sequence[int]) -> set[int]:
    """Send accepted lines of an assembly under way back to be rendered: their takes in the store are damaged.

    Opens the section again, which voids the assembly. Returns the lines moved; none when the assembly was superseded.
    """
    ids = list(conn.scalars(LOCK_DAMAGED, {"ids": list(line_ids), "section_id": section_id}))
    if not ids or conn.scalar(LOCK_ASSEMBLY, {"section_id": section_id, "revision": revision}) is None:
        return set()
    rows = conn.execute(DAMAGED, {"ids": ids, "actor": SCHEDULER}).all()
    settle(conn, deltas(rows), SCHEDULER)
    notify(conn)
    return {row.id for row in rows}


def printable(message: str) -> str:
    """A message as Postgres can keep it: no NUL, no lone surrogates, at most ``MESSAGE_LIMIT`` characters."""
    text = message.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 1] + "…"


def _as_json(take: FinishedTake) -> dict[str, Any]:
    return {
        "line_id": take.line_id,
        "attempt": take.attempt,
        "digest": take.digest,
        "audio_sha256": take.audio_sha256,
        "samples": take.samples,
        "sample_rate": take.sample_rate,
        "voice": take.voice,
        "engine": take.engine,
        "engine_version": take.engine_version,
        "seed": take.seed,
        "findings": [dict(finding) for finding in take.findings],
        "render_ms": take.render_ms,
        "hold_for_review": take.hold_for_review,
    }
