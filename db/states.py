"""The life of everything that has a life: a line, a section, a job.

This is the page to read first. States are data: one table per kind lists the legal moves, and the functions in
``db.queries`` perform each move with the prior state in the WHERE of their UPDATE. ``docs/states.md`` is generated
from this file. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class LineState(StrEnum):
    """Where one line is between the script and the track."""

    PENDING = "pending"
    """Waits in Postgres for the dispatcher; ``not_before`` may hold it back for a while."""
    QUEUED = "queued"
    """A message with this line's attempt number is in the outbox or at the broker."""
    RENDERING = "rendering"
    """A worker session holds the line; its lease lives as long as that session's heartbeat."""
    RENDERED = "rendered"
    """A take exists but was flagged, and the production asked for a person's verdict on flagged takes."""
    ACCEPTED = "accepted"
    """The selected take is good; the section may be assembled with it."""
    FAILED = "failed"
    """The attempts are spent or the text cannot be spoken: a person retries, edits or skips."""
    HELD = "held"
    """Tried while its voice or the store is paused; pending again when the hold ends. Lines not tried stay pending."""
    STALE = "stale"
    """An input changed after it was accepted; the take is kept, the next dispatch renders anew."""
    SKIPPED = "skipped"
    """A person decided to leave the line out of the track; the report says so."""
    CANCELLED = "cancelled"
    """Its job was cancelled, or a newer revision of the script took its place."""


class SectionState(StrEnum):
    """Where one section (chapter, reel, scene, lesson) is."""

    OPEN = "open"
    """At least one line is not settled yet."""
    READY = "ready"
    """Every line is settled; an assemble message is in the outbox or at the broker, or it waits for the store."""
    ASSEMBLING = "assembling"
    """A post worker makes the track, under a lease."""
    ASSEMBLED = "assembled"
    """The mastered track is in the store."""
    FAILED = "failed"
    """The track could not be made; the reason is on the row, ``retry`` opens it again."""
    CANCELLED = "cancelled"
    """Its job was cancelled or superseded."""


class JobState(StrEnum):
    """Where one submitted render of a production is."""

    ACTIVE = "active"
    """Lines are rendering or sections are being assembled."""
    READY = "ready"
    """Every section is assembled; a deliver message is in the outbox or at the broker, or it waits for the store."""
    DELIVERING = "delivering"
    """A post worker packages the deliverables, under a lease."""
    DELIVERED = "delivered"
    """Deliverables, report and manifest are in place."""
    FAILED = "failed"
    """Packaging failed; the reason is on the row."""
    CANCELLED = "cancelled"
    """A person cancelled it, or a newer job of the production took its place."""


class ProductionState(StrEnum):
    """Whether a production's lines may be dispatched."""

    ACTIVE = "active"
    """Its pending lines are dispatched."""
    PAUSED = "paused"
    """Lines in flight finish; no new line starts."""


_L = LineState
LINE_MOVES: Mapping[LineState, frozenset[LineState]] = {
    _L.PENDING: frozenset({_L.QUEUED, _L.SKIPPED, _L.CANCELLED}),
    _L.QUEUED: frozenset({_L.RENDERING, _L.PENDING, _L.SKIPPED, _L.CANCELLED}),
    _L.RENDERING: frozenset({_L.ACCEPTED, _L.RENDERED, _L.PENDING, _L.HELD, _L.FAILED, _L.SKIPPED, _L.CANCELLED}),
    _L.RENDERED: frozenset({_L.ACCEPTED, _L.PENDING, _L.SKIPPED, _L.CANCELLED}),
    _L.ACCEPTED: frozenset({_L.STALE, _L.PENDING, _L.SKIPPED}),
    _L.FAILED: frozenset({_L.PENDING, _L.SKIPPED, _L.CANCELLED}),
    _L.HELD: frozenset({_L.PENDING, _L.SKIPPED, _L.CANCELLED}),
    _L.STALE: frozenset({_L.PENDING, _L.ACCEPTED, _L.SKIPPED, _L.CANCELLED}),
    _L.SKIPPED: frozenset({_L.PENDING}),
    _L.CANCELLED: frozenset({_L.PENDING}),
}

_S = SectionState
SECTION_MOVES: Mapping[SectionState, frozenset[SectionState]] = {
    _S.OPEN: frozenset({_S.READY, _S.CANCELLED}),
    _S.READY: frozenset({_S.ASSEMBLING, _S.OPEN, _S.CANCELLED}),
    _S.ASSEMBLING: frozenset({_S.ASSEMBLED, _S.READY, _S.OPEN, _S.FAILED, _S.CANCELLED}),
    _S.ASSEMBLED: frozenset({_S.OPEN, _S.READY}),
    _S.FAILED: frozenset({_S.READY, _S.OPEN, _S.CANCELLED}),
    _S.CANCELLED: frozenset({_S.OPEN, _S.READY}),
}

_J = JobState
JOB_MOVES: Mapping[JobState, frozenset[JobState]] = {
    _J.ACTIVE: frozenset({_J.READY, _J.CANCELLED}),
    _J.READY: frozenset({_J.DELIVERING, _J.ACTIVE, _J.CANCELLED}),
    _J.DELIVERING: frozenset({_J.DELIVERED, _J.READY, _J.ACTIVE, _J.FAILED, _J.CANCELLED}),
    _J.DELIVERED: frozenset({_J.ACTIVE, _J.READY}),
    _J.FAILED: frozenset({_J.READY, _J.ACTIVE, _J.CANCELLED}),
    _J.CANCELLED: frozenset({_J.ACTIVE, _J.READY}),
}

LINE_SETTLED: frozenset[LineState] = frozenset({_L.ACCEPTED, _L.SKIPPED})
"""States in which a line no longer keeps its section from being assembled."""

LINE_RESTING: frozenset[LineState] = frozenset({_L.ACCEPTED, _L.FAILED, _L.SKIPPED, _L.CANCELLED})
"""States that only a person or a changed input moves a line out of: the terminal states of a render."""


def prior(to: LineState) -> frozenset[LineState]:
    """States from which a line may move to ``to``; goes into the WHERE of the UPDATE that does it."""
    return frozenset(state for state, after in LINE_MOVES.items() if to in after)


class FailureClass(StrEnum):
    """What went wrong with a line, as far as the farm must treat it differently."""

    CRASH = "crash"
    """The process died, or its session's heartbeat stopped, while the line was in flight."""
    OOM = "oom"
    """Out of device memory even alone in the batch."""
    TIMEOUT = "timeout"
    """The engine made no progress on the line within the watchdog's limit."""
    ENGINE_ERROR = "engine_error"
    """The engine raised, or returned audio that is not audio (NaN, empty, wrong rate)."""
    MODEL_MISSING = "model_missing"
    """The voice cannot be loaded: files missing, refused or of the wrong version."""
    STORE_FULL = "store_full"
    """The take store refused the write: no space, read-only, unreachable."""
    BAD_TEXT = "bad_text"
    """The text cannot be spoken by this voice; trying again would not help."""
    CONSENT_REVOKED = "consent_revoked"
    """The voice has no live consent."""
