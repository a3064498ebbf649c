"""The peer of ``benchmarks/farm.py``: the same number of lines as a plain Celery group with a chord.

Default Celery settings, a prefork worker with a process per core, results in the same Postgres. Each task does what the
fake engine does at 0 ms: nothing. Started by farm.py, with the broker and the result backend in the environment.
"""

from __future__ import annotations

import os

from celery import Celery, chord, group

app = Celery("peer", broker=os.environ["BROKER_URL"], backend=os.environ["PEER_BACKEND"])
app.conf.update(task_default_queue="peer", result_expires=3600)


@app.task(name="peer.line")
def line(number: int) -> int:
    """One line."""
    return number


@app.task(name="peer.collect")
def collect(results: list[int]) -> int:
    """The chord's body: runs when every line is done."""
    return len(results)


def submit(count: int) -> object:
    """Send the lines; returns the result of the body."""
    return chord(group(line.s(number) for number in range(count)))(collect.s())
