"""What each class of failure does to the line, the voice and the store: data, and one pure function that reads it.

Deciding and acting are apart: ``decide`` returns a value, ``db.queries.lines`` performs it. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from db.states import FailureClass, LineState

ATTEMPT_CAP = 3
"""Burnt attempts after which a line waits for a person."""


class Scope(StrEnum):
    """What a failure pauses."""

    LINE = "line"
    """Only the line waits."""
    VOICE = "voice"
    """No line of this voice is dispatched until the hold ends."""
    STORE = "store"
    """No line at all is dispatched until the hold ends: nothing could be kept."""


@dataclass(frozen=True, slots=True)
class FailurePolicy:
    """How one class of failure is treated."""

    burns: bool
    """Whether it counts towards ``ATTEMPT_CAP``."""
    scope: Scope
    """What is paused."""
    delay: timedelta
    """How long the line waits (scope line), or the hold lasts (other scopes) before it is tried again."""
    final: bool = False
    """The line fails at once: trying again cannot help."""
    alone: bool = False
    """The next attempt runs with nothing else in flight, so a poison line finds itself."""


POLICIES: Mapping[FailureClass, FailurePolicy] = {
    FailureClass.CRASH: FailurePolicy(burns=True, scope=Scope.LINE, delay=timedelta(0), alone=True),
    FailureClass.OOM: FailurePolicy(burns=True, scope=Scope.LINE, delay=timedelta(seconds=5), alone=True),
    FailureClass.TIMEOUT: FailurePolicy(burns=True, scope=Scope.LINE, delay=timedelta(0), alone=True),
    FailureClass.ENGINE_ERROR: FailurePolicy(burns=True, scope=Scope.LINE, delay=timedelta(seconds=1)),
    FailureClass.MODEL_MISSING: FailurePolicy(burns=False, scope=Scope.VOICE, delay=timedelta(minutes=5)),
    FailureClass.STORE_FULL: FailurePolicy(burns=False, scope=Scope.STORE, delay=timedelta(seconds=10)),
    FailureClass.BAD_TEXT: FailurePolicy(burns=True, scope=Scope.LINE, delay=timedelta(0), final=True),
    FailureClass.CONSENT_REVOKED: FailurePolicy(burns=False, scope=Scope.VOICE, delay=timedelta(hours=1)),
}


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to a line after a failure."""

    to: LineState
    """pending (tried again), held (waits for the hold to end) or failed (waits for a person)."""
    burns: bool
    alone: bool
    delay: timedelta
    hold: Scope | None
    """The hold to place, besides moving the line; None for scope line."""


def decide(failure: FailureClass, burnt: int) -> Decision:
    """Decide what happens to a line that just failed.

    ``burnt`` is the number of attempts already burnt before this failure (0 or more).
    """
    policy = POLICIES[failure]
    spent = burnt + (1 if policy.burns else 0)
    if policy.final or spent >= ATTEMPT_CAP:
        return Decision(LineState.FAILED, policy.burns, policy.alone, timedelta(0), None)
    if policy.scope is Scope.LINE:
        return Decision(LineState.PENDING, policy.burns, policy.alone, policy.delay, None)
    return Decision(LineState.HELD, policy.burns, policy.alone, policy.delay, policy.scope)
