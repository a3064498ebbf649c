from __future__ import annotations

from db.queries import _outbox
from workers import contract


def test_the_database_and_the_workers_mean_the_same_names() -> None:
    for name in ("MESSAGE_VERSION", "LINE_TASK", "ASSEMBLE_TASK", "DELIVER_TASK", "POST_QUEUE", "LINE_QUEUE_PREFIX"):
        assert getattr(_outbox, name) == getattr(contract, name)
    assert _outbox.line_queue("draft") == contract.line_queue("draft")
