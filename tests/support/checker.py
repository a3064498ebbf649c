"""What must hold whenever a farm is quiet, whatever was done to it before. Reads tables and files alone.

Each rule returns sentences; an empty list means that the rule holds. The fault tests call ``violations``; a test of
the checker takes the fence, the outbox and the rename out of the farm and demands that it notices.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import soundfile
import sqlalchemy as sa

from db.failures import ATTEMPT_CAP
from db.states import LINE_RESTING, LINE_SETTLED, LineState
from db.store import Store

RESTING = [state.value for state in LINE_RESTING]
SETTLED = [state.value for state in LINE_SETTLED]


def violations(conn: sa.Connection, store: Store, job_id: int, expected_lines: int) -> list[str]:
    """Every broken rule of this job, as sentences."""
    return [
        *lines_at_rest(conn, job_id, expected_lines),
        *one_accepted_take(conn, job_id),
        *attempts_within_cap(conn, job_id),
        *counters_true(conn, job_id),
        *tracks_whole(conn, store, job_id),
        *files_whole(store),
    ]


def lines_at_rest(conn: sa.Connection, job_id: int, expected: int) -> Iterator[str]:
    """Every line ends in exactly one terminal state, none is lost."""
    states = Counter(
        conn.scalars(
            sa.text("SELECT l.state FROM line l JOIN section s ON s.id = l.section_id WHERE s.job_id = :job"),
            {"job": job_id},
        )
    )
    if states.total() != expected:
        yield f"{expected} lines were submitted, {states.total()} are there"
    for state, count in states.items():
        if state not in RESTING:
            yield f"{count} lines are still {state}"


def one_accepted_take(conn: sa.Connection, job_id: int) -> Iterator[str]:
    """Between two openings of a line at most one take is accepted; an accepted line has a take of its digest."""
    rows = conn.execute(
        sa.text(
            "SELECT e.entity_id AS line_id,"
            " count(*) FILTER (WHERE e.to_state IN ('accepted', 'rendered')) AS accepted,"
            " count(*) FILTER (WHERE e.from_state IN ('accepted', 'rendered')"
            "   AND e.to_state IN ('pending', 'stale')) AS opened"
            " FROM event e JOIN line l ON l.id = e.entity_id JOIN section s ON s.id = l.section_id"
            " WHERE e.entity = 'line' AND s.job_id = :job GROUP BY e.entity_id"
            " HAVING count(*) FILTER (WHERE e.to_state IN ('accepted', 'rendered'))"
            "  > 1 + count(*) FILTER (WHERE e.from_state IN ('accepted', 'rendered')"
            "   AND e.to_state IN ('pending', 'stale'))"
        ),
        {"job": job_id},
    )
    for row in rows:
        yield f"line {row.line_id} was accepted {row.accepted} times after {row.opened} openings"
    orphans = conn.scalar(
        sa.text(
            "SELECT count(*) FROM line l JOIN section s ON s.id = l.section_id"
            " LEFT JOIN take t ON t.id = l.take_id"
            " WHERE s.job_id = :job AND l.state = 'accepted' AND (t.id IS NULL OR t.digest <> l.digest)"
        ),
        {"job": job_id},
    )
    if orphans:
        yield f"{orphans} accepted lines have no take of their digest"


def attempts_within_cap(conn: sa.Connection, job_id: int) -> Iterator[str]:
    """No line burnt more attempts than allowed."""
    rows = conn.execute(
        sa.text(
            "SELECT l.id, l.burnt FROM line l JOIN section s ON s.id = l.section_id"
            " WHERE s.job_id = :job AND l.burnt > :cap"
        ),
        {"job": job_id, "cap": ATTEMPT_CAP},
    )
    for row in rows:
        yield f"line {row.id} burnt {row.burnt} attempts, {ATTEMPT_CAP} are allowed"


def counters_true(conn: sa.Connection, job_id: int) -> Iterator[str]:
    """Counters equal what is counted."""
    rows = conn.execute(
        sa.text(
            "SELECT s.id, s.waiting, count(*) FILTER (WHERE l.state <> ALL(:settled)) AS open"
            " FROM section s JOIN line l ON l.section_id = s.id WHERE s.job_id = :job"
            " GROUP BY s.id HAVING s.waiting <> count(*) FILTER (WHERE l.state <> ALL(:settled))"
        ),
        {"job": job_id, "settled": SETTLED},
    )
    for row in rows:
        yield f"section {row.id} says that {row.waiting} lines are open, {row.open} are"
    waiting, counted = conn.execute(
        sa.text(
            "SELECT (SELECT waiting FROM job WHERE id = :job),"
            " (SELECT count(*) FROM section WHERE job_id = :job AND state <> 'assembled')"
        ),
        {"job": job_id},
    ).one()
    if waiting != counted:
        yield f"job {job_id} says that {waiting} sections are open, {counted} are"


def tracks_whole(conn: sa.Connection, store: Store, job_id: int) -> Iterator[str]:
    """An assembled track holds every accepted line once and in order, and is as long as its parts and gaps."""
    sections = conn.execute(
        sa.text(
            "SELECT s.id, t.samples, t.offsets, t.files FROM section s JOIN track t ON t.id = s.track_id"
            " WHERE s.job_id = :job AND s.state = 'assembled'"
        ),
        {"job": job_id},
    ).all()
    for section in sections:
        wanted = conn.scalars(
            sa.text(
                "SELECT t.audio_sha256 FROM line l JOIN take t ON t.id = l.take_id"
                " WHERE l.section_id = :id AND l.state = 'accepted' ORDER BY l.position"
            ),
            {"id": section.id},
        ).all()
        offsets = section.offsets if isinstance(section.offsets, list) else json.loads(section.offsets)
        # by what is heard: a track that is used again was made for the rows of an earlier revision
        held = conn.scalars(
            sa.text(
                "SELECT t.audio_sha256 FROM unnest(CAST(:takes AS bigint[])) WITH ORDINALITY AS o(id, n)"
                " LEFT JOIN take t ON t.id = o.id ORDER BY o.n"
            ),
            {"takes": [entry["take_id"] for entry in offsets]},
        ).all()
        if held != wanted:
            yield f"the track of section {section.id} does not hold its {len(wanted)} lines once and in order"
        for before, after in itertools.pairwise(offsets):
            if before["start"] + before["samples"] + before["pause"] != after["start"]:
                yield f"section {section.id}: a gap or an overlap before line {after['line_id']}"
        yield from _master_length(store, section)


def _master_length(store: Store, section: sa.Row[tuple[object, ...]]) -> Iterator[str]:
    key = section.files.get("flac")
    if key is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "master.flac"
        store.fetch_to(key, path)
        frames = soundfile.info(path).frames
    if frames != section.samples:
        yield f"section {section.id}: the track says {section.samples} samples, its file has {frames}"


def files_whole(store: Store) -> Iterator[str]:
    """No file under a final name is partial: each name is the SHA-256 of its content."""
    root = store_root(store)
    for path in root.rglob("*"):
        aside = ".damaged-" in path.name  # moved there because it is not what its name says
        if path.is_file() and len(path.name.split(".")[0]) == 64 and not aside:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if not path.name.startswith(digest):
                yield f"store file {path.name[:16]}… holds something else"


def store_root(store: Store) -> Path:
    """The folder of a file:// store."""
    probe = store.path("0" * 64)
    if probe is None:
        raise ValueError("the checker reads file:// stores")
    return probe.parents[1]


def accepted(conn: sa.Connection, job_id: int) -> int:
    """Accepted lines of a job."""
    return (
        conn.scalar(
            sa.text(
                "SELECT count(*) FROM line l JOIN section s ON s.id = l.section_id"
                " WHERE s.job_id = :job AND l.state = :st"
            ),
            {"job": job_id, "st": LineState.ACCEPTED.value},
        )
        or 0
    )
