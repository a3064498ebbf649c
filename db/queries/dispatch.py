"""Which lines go to the broker next: pending → queued, in one statement, and what the decision rests on.

Productions of higher priority come first; among equals each gets its turn, counting what it has in flight already.
Inside a production lines go in script order, those whose voice is loaded somewhere first.
"""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from db.queries._moves import NOTE_LINES, SCHEDULER, legal, line_move
from db.queries._outbox import LINE_TASK, MESSAGE_VERSION, line_queue
from db.states import JobState, LineState, ProductionState

LOOK_AHEAD = 4
"""Pending lines looked at in each production, as a multiple of the limit: room to prefer loaded voices."""
LABEL_LIMIT = 120
"""Characters of a message's label."""

CAPACITY = sa.text("""
SELECT engine, sum(capacity)::bigint AS places FROM worker_session
WHERE kind = 'line' AND ended_at IS NULL AND heartbeat_at > now() - make_interval(secs => :lease_s)
GROUP BY engine""")
"""Places of the live line workers, by engine."""

LOADED = sa.text("""
SELECT DISTINCT engine, jsonb_array_elements_text(voices) AS voice FROM worker_session
WHERE kind = 'line' AND ended_at IS NULL AND heartbeat_at > now() - make_interval(secs => :lease_s)""")
"""Labels of the voices that live line workers have loaded, by engine."""

_FLYING = f"""SELECT production_id, engine FROM line WHERE state = '{LineState.QUEUED}'
        UNION ALL
        SELECT production_id, engine FROM line WHERE state = '{LineState.RENDERING}'"""
# two scans, one for each partial index: state IN (…) would use neither

WALK_INDEXES = sa.text("""
SELECT set_config('enable_bitmapscan', 'off', true), set_config('max_parallel_workers_per_gather', '0', true)""")
"""Plain index scans in this process until the transaction ends.

Every line leaves a dead entry in each partial index it passed through. A plain scan that meets one marks it, so that
the next scan does not look; a bitmap scan never does, and reads all of them each time until the next vacuum.
"""

IN_FLIGHT = sa.text(f"SELECT engine, count(*) AS lines FROM ({_FLYING}) f GROUP BY engine")
"""Lines queued or rendering, by engine."""

REFRESH_STALE = line_move(
    to=LineState.PENDING,
    froms=[LineState.STALE],
    where="true",
    sets="burnt = 0, alone = false, not_before = NULL, failure_class = NULL, failure_message = NULL",
)
"""Lines whose inputs changed wait for the dispatcher like any other."""

DISPATCH = sa.text(f"""
WITH flying AS (
    SELECT production_id, count(*) AS lines FROM (
        {_FLYING}
    ) f WHERE engine = :engine GROUP BY production_id
), castable AS (
    SELECT v.id, v.name || '@' || v.version AS label FROM voice v
    WHERE v.engine = :engine
      AND EXISTS (SELECT FROM consent c WHERE c.voice_id = v.id AND c.revoked_at IS NULL
                    AND (c.expires_at IS NULL OR c.expires_at > now()))
      AND NOT EXISTS (SELECT FROM hold h WHERE h.scope = 'voice' AND h.key = v.id::text AND h.until > now())
), lane AS MATERIALIZED (
    SELECT p.id, p.priority, coalesce(f.lines, 0) AS flying
    FROM production p LEFT JOIN flying f ON f.production_id = p.id
    WHERE p.state = '{ProductionState.ACTIVE}'
      AND EXISTS (SELECT FROM job j WHERE j.production_id = p.id AND j.state = '{JobState.ACTIVE}')
      AND NOT EXISTS (SELECT FROM hold h WHERE h.scope = 'store' AND h.until > now())
), candidate AS (
    SELECT n.id, lane.priority,
           lane.flying + row_number() OVER (PARTITION BY lane.id ORDER BY n.loaded DESC, n.id) AS turn
    FROM lane CROSS JOIN LATERAL (
        -- sub-selects, not joins: this must stay a walk along ix_line_pending that ends at the limit
        SELECT l.id, l.voice_id = ANY(ARRAY(SELECT id FROM castable WHERE label = ANY(:voices))) AS loaded
        FROM line l
        WHERE l.production_id = lane.id AND l.state = '{LineState.PENDING}'
          AND l.voice_id = ANY(ARRAY(SELECT id FROM castable))
          AND (l.not_before IS NULL OR l.not_before <= now())
          AND (SELECT j.state FROM section s JOIN job j ON j.id = s.job_id WHERE s.id = l.section_id)
              = '{JobState.ACTIVE}'
        ORDER BY l.id LIMIT :look_ahead
    ) n
), chosen AS (
    SELECT id, row_number() OVER (ORDER BY priority DESC, turn, id) AS place FROM candidate
    ORDER BY place LIMIT :limit
), picked AS (
    SELECT l.id, l.state AS was, c.place FROM line l JOIN chosen c ON c.id = l.id
    WHERE l.state IN ({legal(LineState.QUEUED, [LineState.PENDING])})
    ORDER BY l.id FOR NO KEY UPDATE OF l SKIP LOCKED
), moved AS (
    UPDATE line l
    SET state = '{LineState.QUEUED}', attempt = l.attempt + 1, queued_at = now(), not_before = NULL, updated_at = now()
    FROM picked WHERE l.id = picked.id
    RETURNING l.id, l.attempt, l.section_id, l.position, l.voice_id, picked.place, picked.was, l.state
), noted AS (
    {NOTE_LINES}
), sent AS (
    INSERT INTO outbox (queue, task, args, label)
    SELECT :queue, '{LINE_TASK}', jsonb_build_array({MESSAGE_VERSION}, m.id, m.attempt),
           left(concat_ws(' · ', p.title,
                          concat_ws(' ', CASE WHEN s.position < 9 THEN '0' ELSE '' END || (s.position + 1),
                                    nullif(s.title, '')),
                          m.position + 1, v.name || '@' || v.version), {LABEL_LIMIT})
    FROM moved m
    JOIN section s ON s.id = m.section_id
    JOIN production p ON p.id = s.production_id
    JOIN voice v ON v.id = m.voice_id
    ORDER BY m.place
)
SELECT count(*) FROM moved""")
"""pending → queued for the lines whose turn it is, with a new attempt number and a message in the outbox for each."""


def capacity(conn: sa.Connection, lease_s: float) -> dict[str, int]:
    """Places of the live line workers by engine: how many lines they render at once."""
    return {row.engine: row.places for row in conn.execute(CAPACITY, {"lease_s": lease_s})}


def in_flight(conn: sa.Connection) -> dict[str, int]:
    """Lines queued or rendering by engine; engines without any are absent."""
    conn.execute(WALK_INDEXES)
    return {row.engine: row.lines for row in conn.execute(IN_FLIGHT)}


def loaded_voices(conn: sa.Connection, lease_s: float) -> dict[str, set[str]]:
    """Labels (name@version) of the voices that live workers have loaded, by engine."""
    loaded: dict[str, set[str]] = {}
    for row in conn.execute(LOADED, {"lease_s": lease_s}):
        loaded.setdefault(row.engine, set()).add(row.voice)
    return loaded


def refresh_stale(conn: sa.Connection) -> int:
    """Make stale lines pending; returns how many."""
    return len(conn.execute(REFRESH_STALE, {"actor": SCHEDULER}).all())


def dispatch(conn: sa.Connection, engine: str, limit: int, *, prefer_voices: Collection[str] = ()) -> int:
    """Queue up to ``limit`` lines for the workers of ``engine``; returns how many.

    Left out: paused productions, jobs not active, voices on hold or without a live consent, lines whose ``not_before``
    is to come, and everything while the store is on hold. ``prefer_voices`` are labels of voices already loaded.
    """
    if limit <= 0:
        return 0
    conn.execute(WALK_INDEXES)
    refresh_stale(conn)
    values = {
        "engine": engine,
        "limit": limit,
        "look_ahead": limit * LOOK_AHEAD,
        "voices": sorted(prefer_voices),
        "queue": line_queue(engine),
        "actor": SCHEDULER,
    }
    return int(conn.execute(DISPATCH, values).scalar_one())
