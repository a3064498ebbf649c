"""Names on the broker as the database writes them, and the two post-production requests.

``db`` knows no worker, so the names are written again here; a test holds them equal to ``workers.contract``.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from db.states import JobState, SectionState

MESSAGE_VERSION = 1
LINE_TASK = "voicefarm.line"
ASSEMBLE_TASK = "voicefarm.assemble"
DELIVER_TASK = "voicefarm.deliver"
POST_QUEUE = "voicefarm.post"
LINE_QUEUE_PREFIX = "voicefarm.lines."

_ASSEMBLE = sa.text(f"""
INSERT INTO outbox (queue, task, args, label)
SELECT '{POST_QUEUE}', '{ASSEMBLE_TASK}', jsonb_build_array({MESSAGE_VERSION}, s.id, s.revision),
       concat_ws(' · ', p.title, lpad((s.position + 1)::text, 2, '0'), nullif(s.title, ''))
FROM section s JOIN production p ON p.id = s.production_id
WHERE s.id = ANY(:ids) AND s.state = '{SectionState.READY}'
ORDER BY s.id
""")

_DELIVER = sa.text(f"""
INSERT INTO outbox (queue, task, args, label)
SELECT '{POST_QUEUE}', '{DELIVER_TASK}', jsonb_build_array({MESSAGE_VERSION}, j.id, j.revision),
       concat_ws(' · ', p.title, 'job ' || j.id)
FROM job j JOIN production p ON p.id = j.production_id
WHERE j.id = ANY(:ids) AND j.state = '{JobState.READY}'
ORDER BY j.id
""")


def line_queue(engine: str) -> str:
    """Name of the queue whose workers run ``engine``."""
    return LINE_QUEUE_PREFIX + engine


def ask_assembly(conn: sa.Connection, section_ids: Iterable[int]) -> int:
    """Write one assemble message for each of these sections that is ready, with its present revision.

    Call it after the move that made them ready, in the same transaction. Returns how many were written.
    """
    ids = sorted(section_ids)
    return conn.execute(_ASSEMBLE, {"ids": ids}).rowcount if ids else 0


def ask_delivery(conn: sa.Connection, job_ids: Iterable[int]) -> int:
    """Write one deliver message for each of these jobs that is ready, with its present revision.

    Call it after the move that made them ready, in the same transaction. Returns how many were written.
    """
    ids = sorted(job_ids)
    return conn.execute(_DELIVER, {"ids": ids}).rowcount if ids else 0
