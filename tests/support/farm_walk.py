"""A farm that does random things, and what must hold whatever it did."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import farm_rows as rows
import sqlalchemy as sa
from farm_rows import Farm

from db.errors import InvalidTransition
from db.failures import decide
from db.queries import dispatch, jobs, lines, reaper, sections
from db.records import FailedLine
from db.states import JOB_MOVES, LINE_MOVES, SECTION_MOVES, FailureClass, JobState, LineState, SectionState


@dataclass(frozen=True)
class Walker:
    """Makes one random move at a time on a connection; a move that is refused is undone."""

    conn: sa.Connection
    farm: Farm
    session: uuid.UUID
    chance: random.Random

    def step(self) -> str:
        """Make one move; returns its name."""
        name = self.chance.choices(list(MOVES), weights=[weight for weight, _ in MOVES.values()])[0]
        try:
            with self.conn.begin_nested():
                MOVES[name][1](self)
        except InvalidTransition:
            return f"{name} refused"
        return name

    def some(self, most: int = 3) -> list[int]:
        return self.chance.sample(self.farm.line_ids, self.chance.randint(1, most))

    def held(self) -> list[tuple[int, int, int]]:
        """(line, attempt, burnt) of lines this session renders."""
        found = self.conn.execute(
            sa.text("SELECT id, attempt, burnt FROM line WHERE session_id = :id ORDER BY id LIMIT :n"),
            {"id": self.session, "n": self.chance.randint(1, 6)},
        ).all()
        return [(row.id, row.attempt, row.burnt) for row in found]

    def section(self) -> tuple[int, int]:
        """A random section and its revision."""
        id_ = self.chance.choice(self.farm.section_ids)
        return id_, rows.revision(self.conn, "section", id_)


def _claim(walk: Walker) -> None:
    found = walk.conn.execute(
        sa.text("SELECT id, attempt FROM line WHERE state = 'queued' ORDER BY random() LIMIT :n"),
        {"n": walk.chance.randint(1, 8)},
    )
    lines.claim(walk.conn, [(row.id, row.attempt) for row in found], walk.session, rows.WORKER)


def _relay(walk: Walker) -> None:
    walk.conn.execute(
        sa.text("""DELETE FROM outbox WHERE id IN (
                       SELECT id FROM outbox WHERE task = 'voicefarm.line' ORDER BY id FOR UPDATE SKIP LOCKED)""")
    )


def _accept(walk: Walker) -> None:
    review = walk.chance.random() < 0.2
    taken = sa.text("SELECT digest, seed FROM line WHERE id = :id")
    offers = []
    for line_id, attempt, _ in walk.held():
        line = walk.conn.execute(taken, {"id": line_id}).one()
        offers.append(rows.offer(line_id, attempt, digest=line.digest, seed=line.seed, review=review))
    lines.accept(walk.conn, offers, walk.session, rows.WORKER)


def _fail(walk: Walker) -> None:
    kind = walk.chance.choice(list(FailureClass))
    failures = [FailedLine(id_, attempt, kind, "no", decide(kind, burnt)) for id_, attempt, burnt in walk.held()]
    lines.fail(walk.conn, failures, walk.session, rows.WORKER)


def _release(walk: Walker) -> None:
    lines.release(walk.conn, [(id_, attempt) for id_, attempt, _ in walk.held()], walk.session, rows.WORKER)


def _pass_time(walk: Walker) -> None:
    walk.conn.execute(sa.text("SELECT id FROM line ORDER BY id FOR UPDATE"))
    walk.conn.execute(sa.text("UPDATE line SET not_before = NULL"))
    walk.conn.execute(sa.text("UPDATE hold SET until = now()"))


def _reap(walk: Walker) -> None:
    walk.conn.execute(sa.text("UPDATE worker_session SET heartbeat_at = now() - interval '1 hour'"))
    reaper.reap_sessions(walk.conn, 30)
    walk.conn.execute(sa.text("UPDATE worker_session SET ended_at = NULL, heartbeat_at = now()"))


def _assemble(walk: Walker) -> None:
    section, revision = walk.section()
    luck = walk.chance.random()
    lease_s = -1 if luck < 0.1 else 30
    if sections.claim(walk.conn, section, revision, walk.session, lease_s) and luck > 0.3:
        sections.finish(walk.conn, section, revision, walk.session, rows.TRACK)


def _finish(walk: Walker) -> None:
    section, revision = walk.section()
    if walk.chance.random() < 0.7:
        sections.finish(walk.conn, section, revision, walk.session, rows.TRACK)
    else:
        sections.fail(walk.conn, section, revision, walk.session, "no")


def _damage(walk: Walker) -> None:
    section, revision = walk.section()
    lines.mark_damaged(walk.conn, section, revision, walk.some())


def _claim_delivery(walk: Walker) -> None:
    job = walk.farm.job_id
    lease_s = walk.chance.choice((-1, 30))
    jobs.claim_delivery(walk.conn, job, rows.revision(walk.conn, "job", job), walk.session, lease_s)


def _damage_tracks(walk: Walker) -> None:
    job = walk.farm.job_id
    some = walk.chance.sample(walk.farm.section_ids, 1)
    jobs.mark_damaged(walk.conn, job, rows.revision(walk.conn, "job", job), walk.session, some)


def _postpone(walk: Walker) -> None:
    section, revision = walk.section()
    job = walk.farm.job_id
    sections.postpone(walk.conn, section, revision, walk.session, "full")
    jobs.postpone(walk.conn, job, rows.revision(walk.conn, "job", job), walk.session, "full")


def _uncancel(walk: Walker) -> None:
    """Any line a person wants again brings the job back."""
    rows.bring_back(walk.conn, walk.farm)


MOVES: dict[str, tuple[int, Callable[[Walker], object]]] = {
    "dispatch": (12, lambda walk: dispatch.dispatch(walk.conn, rows.ENGINE, walk.chance.randint(1, 8))),
    "relay": (4, _relay),
    "claim": (12, _claim),
    "accept": (10, _accept),
    "fail": (4, _fail),
    "release": (2, _release),
    "pass time": (3, _pass_time),
    "release holds": (3, lambda walk: reaper.release_holds(walk.conn)),
    "reap": (1, _reap),
    "requeue": (1, lambda walk: reaper.requeue_lost(walk.conn, -1)),
    "assemble": (10, _assemble),
    "finish": (4, _finish),
    "damage": (1, _damage),
    "deliver": (4, lambda walk: rows.deliver(walk.conn, walk.farm.job_id, walk.session)),
    "claim delivery": (1, _claim_delivery),
    "damage tracks": (1, _damage_tracks),
    "postpone": (2, _postpone),
    "wait for the store": (2, lambda walk: sections.wait_for_store(walk.conn, *walk.section())),
    "lapse": (2, lambda walk: reaper.reap_post(walk.conn)),
    "retry": (1, lambda walk: lines.retry(walk.conn, walk.some(1))),
    "retry job": (2, lambda walk: lines.retry(walk.conn, job_id=walk.farm.job_id)),
    "retry post": (2, lambda walk: jobs.retry_failed(walk.conn, walk.farm.job_id)),
    "skip": (1, lambda walk: lines.skip(walk.conn, walk.some(1))),
    "approve": (2, lambda walk: lines.approve(walk.conn, walk.some(1))),
    "stale": (2, lambda walk: lines.mark_stale(walk.conn, walk.some(1))),
    "cancel": (1, lambda walk: lines.cancel_job(walk.conn, walk.farm.job_id)),
    "uncancel": (6, _uncancel),
}
"""Name → how often, and what."""

_START: dict[str, tuple[str, dict[str, set[str]]]] = {
    "line": (LineState.PENDING, {str(state): {str(to) for to in moves} for state, moves in LINE_MOVES.items()}),
    "section": (SectionState.OPEN, {str(state): {str(to) for to in moves} for state, moves in SECTION_MOVES.items()}),
    "job": (JobState.ACTIVE, {str(state): {str(to) for to in moves} for state, moves in JOB_MOVES.items()}),
}


def wrong(conn: sa.Connection) -> list[str]:
    """What does not hold; empty when all is well."""
    found = []
    if not rows.counters_right(conn):
        found.append("a counter is not what counting gives")
    checks = {
        "a section's state does not fit its counter": """
            SELECT id FROM section WHERE state <> 'cancelled' AND (state = 'open') <> (waiting > 0)""",
        "a job's state does not fit its counter": """
            SELECT id FROM job WHERE state <> 'cancelled' AND (state = 'active') <> (waiting > 0)""",
        "an accepted line without its take": """
            SELECT l.id FROM line l LEFT JOIN take t ON t.id = l.take_id AND t.line_id = l.id
            WHERE l.state = 'accepted' AND t.id IS NULL""",
        "an attempt accepted twice": """
            SELECT entity_id FROM event WHERE entity = 'line' AND from_state = 'rendering' AND to_state = 'accepted'
            GROUP BY entity_id, attempt HAVING count(*) > 1""",
        "a take of an attempt the line never had": """
            SELECT t.id FROM take t JOIN line l ON l.id = t.line_id WHERE t.attempt > l.attempt""",
        "more attempts burnt than the cap": "SELECT id FROM line WHERE burnt > 3",
        "a line in nobody's hands": """
            SELECT id FROM line WHERE (state = 'rendering') <> (session_id IS NOT NULL)""",
        "a ready section nobody was asked for": """
            SELECT s.id FROM section s WHERE s.state = 'ready' AND s.message = '' AND NOT EXISTS (SELECT FROM outbox o
                WHERE o.task = 'voicefarm.assemble' AND o.args = jsonb_build_array(1, s.id, s.revision))""",
        "a ready job nobody was asked for": """
            SELECT j.id FROM job j WHERE j.state = 'ready' AND j.message = '' AND NOT EXISTS (SELECT FROM outbox o
                WHERE o.task = 'voicefarm.deliver' AND o.args = jsonb_build_array(1, j.id, j.revision))""",
    }
    for sentence, query in checks.items():
        ids = conn.scalars(sa.text(query)).all()
        if ids:
            found.append(f"{sentence}: {ids}")
    return found + broken_trails(conn)


def broken_trails(conn: sa.Connection) -> list[str]:
    """Entities whose events do not lead from their first state to the present one, by legal moves."""
    found = []
    for entity, (start, legal) in _START.items():
        now = {row.id: row.state for row in conn.execute(sa.text(f"SELECT id, state FROM {entity}"))}
        replayed = dict.fromkeys(now, str(start))
        for event in conn.execute(sa.text("SELECT * FROM event WHERE entity = :e ORDER BY id"), {"e": entity}):
            here = replayed[event.entity_id]
            if event.from_state != here or event.to_state not in legal[here]:
                found.append(f"{entity} {event.entity_id} was {here}: {event.from_state} -> {event.to_state}")
            replayed[event.entity_id] = event.to_state
        found += [
            f"{entity} {id_} is {now[id_]}, its trail ends at {end}" for id_, end in replayed.items() if end != now[id_]
        ]
    return found
