"""Takes as people decide about them: a line's history, which take is chosen, and which are locked.

A take is never deleted. A line that is locked keeps its take in every later revision; ``restore`` gives it back after
an import. Everything here happens under the lock of the title, so that no import comes in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from db.errors import FarmError, InvalidTransition, NotFound
from db.locks import lock_title
from db.notify import notify
from db.queries._moves import PERSON, deltas, line_move, settle
from db.queries.voices import LIVE
from db.states import LineState

LINE = sa.text("""
SELECT l.id AS line_id, p.id AS production_id, p.slug, l.key, l.state, l.character, l.text, l.spoken, l.digest,
       l.take_id, c.revision, k.take_id AS locked_take_id,
       c.revision = (SELECT max(revision) FROM script WHERE production_id = p.id) AS newest
FROM production p JOIN script c ON c.production_id = p.id JOIN section s ON s.script_id = c.id
JOIN line l ON l.section_id = s.id
LEFT JOIN locked_take k ON k.production_id = p.id AND k.key = l.key
WHERE p.slug = :slug AND (l.key = :key OR l.id = CAST(:line_id AS bigint))
ORDER BY l.key = :key DESC, c.revision DESC, s.position, l.position LIMIT 1""")
"""A line by its key, or else by its number, in the newest revision that has it."""

OF_KEY = sa.text("""
SELECT l.id FROM script c JOIN section s ON s.script_id = c.id JOIN line l ON l.section_id = s.id
WHERE c.production_id = :production_id AND l.key = :key
  AND (NOT :counted OR (l.character, l.spoken) = (:character, :spoken))
ORDER BY c.revision, l.id""")
"""The line in every revision. A key that only counts the cues is another line where somebody says something else."""

HISTORY = sa.text("""
WITH mine AS (
    SELECT id, digest, take_id FROM line WHERE id = ANY(CAST(:ids AS bigint[]))
), wanted AS (
    SELECT t.id FROM take t JOIN mine m ON m.id = t.line_id
    UNION SELECT take_id FROM mine WHERE take_id IS NOT NULL
    UNION SELECT t.id FROM take t JOIN mine m ON m.digest = t.digest
)
SELECT t.id AS take_id, t.line_id, c.revision, coalesce(l.text, '') AS text, coalesce(l.spoken, '') AS spoken,
       t.created_at AS at, t.voice, t.engine, t.engine_version, t.seed, t.samples, t.sample_rate, t.findings, t.digest,
       t.audio_sha256, t.render_ms,
       ARRAY(SELECT sc.revision
             FROM line o JOIN section se ON se.id = o.section_id JOIN script sc ON sc.id = se.script_id
             WHERE o.id IN (SELECT id FROM mine) AND o.take_id = t.id ORDER BY sc.revision) AS selected_in
FROM wanted w JOIN take t ON t.id = w.id
LEFT JOIN line l ON l.id = t.line_id
LEFT JOIN section s ON s.id = l.section_id
LEFT JOIN script c ON c.id = s.script_id
ORDER BY t.id""")
"""Takes made for a line in any revision, chosen for it, or made for the same words, voice, direction and seed."""

VOICE_LIVE = sa.text(f"SELECT {LIVE} FROM voice v WHERE v.name = :name AND v.version = :version")
"""Whether a consent covers a voice now."""

UNSETTLE = line_move(to=LineState.STALE, froms=[LineState.ACCEPTED], where="l.id = ANY(CAST(:ids AS bigint[]))")
"""The line's take is about to be another one."""

CHOOSE = line_move(
    source="JOIN unnest(CAST(:ids AS bigint[]), CAST(:takes AS bigint[])) AS w(id, take_id) ON w.id = l.id",
    to=LineState.ACCEPTED,
    froms=(LineState.STALE, LineState.RENDERED),
    where="true",
    sets="take_id = (SELECT w.take_id FROM unnest(CAST(:ids AS bigint[]), CAST(:takes AS bigint[])) AS w(id, take_id) "
    "WHERE w.id = l.id), failure_class = NULL, failure_message = NULL",
)
"""Lines get the take that a person chose."""

LOCK = sa.text("""
INSERT INTO locked_take (production_id, key, take_id) VALUES (:production_id, :key, :take_id)
ON CONFLICT (production_id, key) DO UPDATE SET take_id = excluded.take_id, locked_at = now()""")
UNLOCK = sa.text("DELETE FROM locked_take WHERE production_id = :production_id AND key = :key RETURNING take_id")
FORGET = sa.text("DELETE FROM locked_take WHERE production_id = :production_id AND key = ANY(CAST(:keys AS text[]))")

LOCKS = sa.text("""
SELECT k.key, k.take_id, t.digest, t.voice FROM locked_take k JOIN take t ON t.id = k.take_id
WHERE k.production_id = :production_id ORDER BY k.key""")
"""Locked takes of a production."""

KNOWN = sa.text("SELECT DISTINCT digest FROM take WHERE digest = ANY(CAST(:digests AS text[]))")
"""Which of these digests have been rendered."""

BORN = sa.text("""
SELECT l.id, l.key, l.digest, l.state, l.take_id FROM section s JOIN line l ON l.section_id = s.id
WHERE s.job_id = :job_id""")
"""Lines of a job that was imported a moment ago."""

CHOICES = sa.text(f"""
SELECT l.digest, l.take_id FROM section s JOIN line l ON l.section_id = s.id
WHERE s.script_id = :script_id AND l.state = '{LineState.ACCEPTED}'""")
"""Which take lines of the revision before have, by what they say."""

DECIDED = sa.text(f"""
WITH latest AS (
    SELECT s.production_id, s.id FROM script s JOIN production p ON p.id = s.production_id
    WHERE p.slug = :slug ORDER BY s.revision DESC LIMIT 1
)
SELECT EXISTS (SELECT FROM locked_take k JOIN latest USING (production_id))
    OR EXISTS (
        SELECT FROM latest JOIN section s ON s.script_id = latest.id JOIN line l ON l.section_id = s.id
        WHERE l.state = '{LineState.ACCEPTED}'
          AND EXISTS (SELECT FROM take t WHERE t.digest = l.digest AND t.id > l.take_id))""")
"""Whether somebody locked a take of a production, or chose another than the newest."""

GIVE_BACK = sa.text("""
UPDATE line l SET take_id = w.take_id, digest = w.digest
FROM unnest(CAST(:ids AS bigint[]), CAST(:takes AS bigint[]), CAST(:digests AS text[])) AS w(id, take_id, digest)
WHERE l.id = w.id""")
"""Lines born a moment ago get the take that is theirs and the digest of what the script now says. No state changes."""


class TakeRefused(FarmError):
    """A take cannot be what was asked for. Picklable, with its fields: take (None for none), reason."""

    def __init__(self, take: int | None, reason: str) -> None:
        super().__init__(take, reason)
        self.take, self.reason = take, reason

    def message(self) -> str:
        """One sentence for people."""
        return self.reason if self.take is None else f"take {self.take} {self.reason}"


@dataclass(frozen=True, slots=True)
class LineHead:
    """A line in the newest revision that has it."""

    line_id: int
    production_id: int
    slug: str
    key: str
    state: str
    character: str
    text: str
    spoken: str
    digest: str
    take_id: int | None
    revision: int
    locked_take_id: int | None
    newest: bool
    """Whether that revision is the production's newest."""


@dataclass(frozen=True, slots=True)
class TakeRecord:
    """One take of a line."""

    take_id: int
    line_id: int
    """The line it was rendered for."""
    revision: int | None
    """Revision of the script it was rendered for."""
    text: str
    """Text it was rendered for."""
    spoken: str
    at: datetime
    voice: str
    engine: str
    engine_version: str
    seed: int
    samples: int
    sample_rate: int
    findings: tuple[Mapping[str, Any], ...]
    digest: str
    audio_sha256: str
    render_ms: int
    selected_in: tuple[int, ...]
    """Revisions whose line has it."""
    selected: bool
    """Whether the line has it now."""
    locked: bool

    @property
    def duration_ms(self) -> int:
        """Length in milliseconds."""
        return self.samples * 1000 // self.sample_rate


@dataclass(frozen=True, slots=True)
class LockedTake:
    """A line's take that stays."""

    key: str
    take_id: int
    digest: str
    voice: str


def find(conn: sa.Connection, slug: str, line: str) -> LineHead:
    """A line by its key, or by its number where no key is spelled so. Raises NotFound."""
    number = int(line) if line.isascii() and line.isdigit() and len(line) < 19 else None
    row = conn.execute(LINE, {"slug": slug, "key": line, "line_id": number}).mappings().first()
    if row is None:
        raise NotFound(f"line of {slug}", line)
    return LineHead(**row)


def history(conn: sa.Connection, head: LineHead) -> list[TakeRecord]:
    """Every take of a line over all revisions, oldest first."""
    values = {
        "production_id": head.production_id,
        "key": head.key,
        "counted": head.key.startswith("cue-"),
        "character": head.character,
        "spoken": head.spoken,
    }
    ids = conn.scalars(OF_KEY, values).all()
    rows = conn.execute(HISTORY, {"ids": sorted({*ids, head.line_id})}).mappings()
    return [
        TakeRecord(
            **{**row, "findings": tuple(row["findings"]), "selected_in": tuple(row["selected_in"])},
            selected=row["take_id"] == head.take_id,
            locked=row["take_id"] == head.locked_take_id,
        )
        for row in rows
    ]


def choose(conn: sa.Connection, slug: str, line: str, take_id: int) -> bool:
    """Make another take of a line the one in its track, which is made again; False when it has that take already.

    A lock goes along with the choice. Raises NotFound, TakeRefused for a take of another line or of a voice without a
    live consent, and InvalidTransition for a line that has no take now.
    """
    lock_title(conn, slug)
    head = _newest(conn, slug, line)
    take = _of_line(conn, head, take_id)
    _require_consent(conn, take)
    if head.locked_take_id is not None:
        conn.execute(LOCK, {"production_id": head.production_id, "key": head.key, "take_id": take_id})
    if head.take_id == take_id and head.state == LineState.ACCEPTED:
        return False
    _choose(conn, {head.line_id: take_id})
    notify(conn)
    return True


def lock(conn: sa.Connection, slug: str, line: str) -> int:
    """Keep a line's take whatever comes; returns the take. Raises NotFound, TakeRefused for a line without one."""
    lock_title(conn, slug)
    head = _newest(conn, slug, line)
    if head.take_id is None or head.state != LineState.ACCEPTED:
        raise TakeRefused(
            None, f"line {head.key} is {head.state} and has no accepted take to lock; render, approve or choose one"
        )
    conn.execute(LOCK, {"production_id": head.production_id, "key": head.key, "take_id": head.take_id})
    return head.take_id


def unlock(conn: sa.Connection, slug: str, line: str) -> int:
    """Let later revisions change a line again; returns the take that was locked, which stays until then.

    Raises NotFound, TakeRefused for a line that is not locked.
    """
    lock_title(conn, slug)
    head = find(conn, slug, line)
    taken = conn.scalar(UNLOCK, {"production_id": head.production_id, "key": head.key})
    if taken is None:
        raise TakeRefused(None, f"line {head.key} is not locked")
    return int(taken)


def locks(conn: sa.Connection, production_id: int) -> dict[str, LockedTake]:
    """Locked takes of a production by line key."""
    return {row.key: LockedTake(*row) for row in conn.execute(LOCKS, {"production_id": production_id})}


def decided(conn: sa.Connection, slug: str) -> bool:
    """Whether a person locked or chose takes of a production; an import need not look for them otherwise."""
    return bool(conn.scalar(DECIDED, {"slug": slug}))


def known_digests(conn: sa.Connection, digests: Iterable[str]) -> set[str]:
    """Which of these have a take: lines with such a digest are not rendered again."""
    return set(conn.scalars(KNOWN, {"digests": sorted(set(digests))}))


def restore(
    conn: sa.Connection,
    job_id: int,
    before: int,
    held: Mapping[str, tuple[LockedTake, str]],
) -> None:
    """Finish the import of a revision in its own transaction: locked lines and choices keep their takes.

    ``held``: line key → its locked take, and the digest of what the script now says; the import was told the take's
    own digest, so that the line was born with a take. ``before`` is the id of the revision before.
    """
    chosen = {row.digest: row.take_id for row in conn.execute(CHOICES, {"script_id": before})}
    given: dict[int, tuple[int, str]] = {}
    waiting: dict[int, int] = {}
    # matched here and not in SQL: nobody has counted the rows of this transaction, and the planner would loop in loops
    for row in conn.execute(BORN, {"job_id": job_id}):
        if row.key in held:
            take, digest = held[row.key]
            given[row.id] = (take.take_id, digest)
            if row.state == LineState.RENDERED:
                waiting[row.id] = take.take_id
        elif row.state == LineState.ACCEPTED and chosen.get(row.digest, row.take_id) != row.take_id:
            given[row.id] = (chosen[row.digest], row.digest)
    ids = sorted(given)
    if ids:
        takes = [given[id_][0] for id_ in ids]
        conn.execute(GIVE_BACK, {"ids": ids, "takes": takes, "digests": [given[id_][1] for id_ in ids]})
    _choose(conn, waiting)


def rename_locks(
    conn: sa.Connection, production_id: int, renamed: Mapping[str, LockedTake], gone: Sequence[str]
) -> None:
    """Give locks the keys that their lines have now; those of ``gone`` end."""
    conn.execute(FORGET, {"production_id": production_id, "keys": list(gone)})
    for key, take in renamed.items():
        conn.execute(LOCK, {"production_id": production_id, "key": key, "take_id": take.take_id})


def _newest(conn: sa.Connection, slug: str, line: str) -> LineHead:
    head = find(conn, slug, line)
    if not head.newest:
        raise TakeRefused(
            None, f"line {head.key} was last in revision {head.revision} of {slug}; the newest does not have it"
        )
    return head


def _of_line(conn: sa.Connection, head: LineHead, take_id: int) -> TakeRecord:
    for take in history(conn, head):
        if take.take_id == take_id:
            return take
    raise TakeRefused(take_id, f"is none of line {head.key}; `voicefarm takes {head.slug} {head.key}` lists those")


def _require_consent(conn: sa.Connection, take: TakeRecord) -> None:
    name, _, version = take.voice.rpartition("@")
    live = version.isdigit() and conn.scalar(VOICE_LIVE, {"name": name, "version": int(version)})
    if not live:
        raise TakeRefused(take.take_id, f"is of voice {take.voice}, which has no live consent; choose another take")


def _choose(conn: sa.Connection, takes: Mapping[int, int]) -> None:
    """Line id → take id, through the moves that the tables list; sections and jobs follow."""
    if not takes:
        return
    ids = sorted(takes)
    rows = list(conn.execute(UNSETTLE, {"ids": ids, "actor": PERSON}))
    rows += conn.execute(CHOOSE, {"ids": ids, "takes": [takes[id_] for id_ in ids], "actor": PERSON}).all()
    left = set(ids) - {row.id for row in rows if row.state == LineState.ACCEPTED}
    if left:
        refused = min(left)
        state = conn.scalar(sa.text("SELECT state FROM line WHERE id = :id"), {"id": refused})
        raise InvalidTransition("line", refused, LineState.ACCEPTED, state)
    settle(conn, deltas(rows), PERSON)
