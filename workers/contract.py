"""What travels over the broker: ids and attempt numbers, never text or audio. Standard library only.

A message is a hint. Losing, doubling or delaying one is harmless: the row in Postgres is the truth, and every claim is
fenced by the attempt number in the message.
"""

from __future__ import annotations

from dataclasses import dataclass

MESSAGE_VERSION = 1
"""Raised when the meaning of a message changes; a worker refuses versions it does not know."""

LINE_TASK = "voicefarm.line"
ASSEMBLE_TASK = "voicefarm.assemble"
DELIVER_TASK = "voicefarm.deliver"

POST_QUEUE = "voicefarm.post"
DEAD_QUEUE = "voicefarm.dead"
DEAD_EXCHANGE = "voicefarm.dead"
LINE_QUEUE_PREFIX = "voicefarm.lines."


def line_queue(engine: str) -> str:
    """Name of the queue whose workers run ``engine`` ('draft', 'gpt-sovits', 'fake')."""
    return LINE_QUEUE_PREFIX + engine


@dataclass(frozen=True, slots=True)
class LineMessage:
    """Render this line, if this attempt is still the line's attempt."""

    line_id: int
    attempt: int
    version: int = MESSAGE_VERSION

    def args(self) -> list[int]:
        """Positional arguments of ``LINE_TASK``."""
        return [self.version, self.line_id, self.attempt]


@dataclass(frozen=True, slots=True)
class AssembleMessage:
    """Make the track of this section, if this revision is still the section's revision."""

    section_id: int
    revision: int
    version: int = MESSAGE_VERSION

    def args(self) -> list[int]:
        """Positional arguments of ``ASSEMBLE_TASK``."""
        return [self.version, self.section_id, self.revision]


@dataclass(frozen=True, slots=True)
class DeliverMessage:
    """Package the deliverables of this job, if this revision is still the job's revision."""

    job_id: int
    revision: int
    version: int = MESSAGE_VERSION

    def args(self) -> list[int]:
        """Positional arguments of ``DELIVER_TASK``."""
        return [self.version, self.job_id, self.revision]
