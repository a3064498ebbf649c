"""Run ``voicefarm …`` with one safeguard taken out, or ended at one exact point.

    python mutants.py MUTATION command …

The farm ships no switch for any of this: a mutation replaces a statement or a function in this process only.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import sqlalchemy as sa


def end_now() -> None:
    """What the kernel does to a process under memory pressure."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_before_publish() -> None:
    """The scheduler commits a dispatch and is gone before anything is published."""
    from scheduler import publisher

    def publish(self: Any, rows: Sequence[Any]) -> Any:
        end_now()

    publisher.AmqpPublisher.publish = publish  # type: ignore[method-assign]


def die_after_publish() -> None:
    """The scheduler publishes, the broker confirms, and it is gone before the outbox rows are deleted."""
    from db.queries import outbox

    def delete(conn: sa.Connection, ids: Any) -> None:
        if ids:
            end_now()

    outbox.delete = delete


def publish_twice() -> None:
    """Every message goes out twice."""
    from scheduler import publisher

    once = publisher.AmqpPublisher.publish

    def publish(self: Any, rows: Sequence[Any]) -> Any:
        once(self, rows)
        return once(self, rows)

    publisher.AmqpPublisher.publish = publish  # type: ignore[method-assign]


def without_fence() -> None:
    """A take is accepted whoever rendered it for whichever attempt."""
    from db.queries import lines

    text = lines.ACCEPT.text
    weaker = re.sub(r"ON o\.line_id = l\.id AND o\.attempt = l\.attempt", "ON o.line_id = l.id", text)
    weaker = re.sub(r"WHERE l\.state IN \([^)]*\) AND l\.session_id = :session", "WHERE :session IS NOT NULL", weaker)
    weaker = weaker.replace("SELECT line_id, attempt, digest", "SELECT line_id, -attempt, digest")
    if weaker == text or "o.attempt = l.attempt" in weaker or "l.session_id = :session" in weaker:
        raise SystemExit("the fence looks different now: teach this mutation about it")
    lines.ACCEPT = sa.text(weaker.replace(":session", "CAST(:session AS uuid)"))


def without_outbox() -> None:
    """Messages are not kept until the broker has them: they are forgotten."""
    from scheduler import publisher

    def publish(self: Any, rows: Sequence[Any]) -> Any:
        return publisher.Published(tuple(row.id for row in rows), ())

    publisher.AmqpPublisher.publish = publish  # type: ignore[method-assign]


def without_rename() -> None:
    """Takes are written under their final name, and the process ends in the middle of one."""
    from db import store_backends

    written = 0

    def put(self: Any, key: str, source: BinaryIO) -> None:
        nonlocal written
        written += 1
        final: Path = self.root / store_backends.folders(key)
        final.parent.mkdir(parents=True, exist_ok=True)
        data = source.read()
        with final.open("wb") as target:
            target.write(data if written < 4 else data[: len(data) // 2])
            target.flush()
            if written >= 4:
                end_now()

    store_backends.LocalFiles.put = put  # type: ignore[method-assign]


def die_while_assembling() -> None:
    """The post worker is gone when the track is made and not yet recorded."""
    from db.queries import sections

    marker = Path(os.environ["VOICEFARM_HOME"]) / "died-while-assembling"
    finish = sections.finish

    def finish_or_die(*arguments: Any, **named: Any) -> bool:
        if not marker.exists():
            marker.parent.mkdir(parents=True, exist_ok=True)
            marker.write_text("once")
            os.killpg(0, signal.SIGKILL)
        return finish(*arguments, **named)

    sections.finish = finish_or_die


MUTATIONS: dict[str, Callable[[], None]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        die_before_publish,
        die_after_publish,
        publish_twice,
        without_fence,
        without_outbox,
        without_rename,
        die_while_assembling,
    )
}


if __name__ == "__main__":
    MUTATIONS[sys.argv[1]]()
    sys.argv = ["voicefarm", *sys.argv[2:]]
    os.setpgid(0, 0)  # a mutation that ends a process with its children must not end the tests
    from scheduler.cli import main

    main()
