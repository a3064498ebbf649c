"""What can go wrong in a worker.

    WorkerError
    ├── UnknownMessage     a message of a version this release does not know
    ├── WrongPool          the line task was started by a pool that has no line desk
    ├── NoDevice           a device was asked for that this machine does not have
    ├── TakesDamaged       takes of a section are missing or corrupt in the store
    ├── TracksDamaged      tracks of a job are missing or corrupt in the store
    ├── DeliveryRefused    a file cannot be put where the job wants it
    └── NotConfigured      a worker of a farm needs the addresses of its database and broker

Every class carries its facts as fields and survives pickling.
"""

from __future__ import annotations

from collections.abc import Sequence


class WorkerError(Exception):
    """Base of everything this package raises on purpose. ``args`` hold the fields, in order."""

    def __reduce__(self) -> tuple[type[WorkerError], tuple[object, ...]]:
        return (type(self), self.args)


class UnknownMessage(WorkerError):
    """The message was made by another release."""

    def __init__(self, task: str, version: object) -> None:
        super().__init__(task, version)
        self.task = task
        self.version = version

    def __str__(self) -> str:
        return f"message of version {self.version!r} for {self.task}: this worker does not know it; update the worker"


class WrongPool(WorkerError):
    """The line task only runs on the pool that ``voicefarm worker`` starts."""

    def __str__(self) -> str:
        return "lines are rendered by the line desk: start the worker with `voicefarm worker`, not `celery worker`"


class NoDevice(WorkerError):
    """The device is not there."""

    def __init__(self, device: str, found: Sequence[str] = ()) -> None:
        super().__init__(device, found)
        self.device = device
        self.found = tuple(found)

    def __str__(self) -> str:
        there = ", ".join(self.found) or "none"
        return f"no such device: {self.device!r}; this machine has: {there}. Use --device cpu, cuda:N or --devices all"


class TakesDamaged(WorkerError):
    """Stored takes do not match their names any more; their lines are rendered again."""

    def __init__(self, section_id: int, line_ids: Sequence[int]) -> None:
        super().__init__(section_id, line_ids)
        self.section_id = section_id
        self.line_ids = tuple(line_ids)

    def __str__(self) -> str:
        return f"section {self.section_id}: {len(self.line_ids)} take(s) damaged in the store"


class TracksDamaged(WorkerError):
    """Stored tracks do not match their names any more; their sections are assembled again."""

    def __init__(self, job_id: int, section_ids: Sequence[int]) -> None:
        super().__init__(job_id, section_ids)
        self.job_id = job_id
        self.section_ids = tuple(section_ids)

    def __str__(self) -> str:
        return f"job {self.job_id}: {len(self.section_ids)} track(s) damaged in the store"


class DeliveryRefused(WorkerError):
    """The place of delivery refused a file."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url = url
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot deliver to {self.url}: {self.reason}; make it writable, then `voicefarm retry`"


class NotConfigured(WorkerError):
    """A setting without which this kind of worker cannot run."""

    def __init__(self, variable: str, example: str) -> None:
        super().__init__(variable, example)
        self.variable = variable
        self.example = example

    def __str__(self) -> str:
        return f"set {self.variable}, for example {self.variable}={self.example}"
