"""What a failure does is read from one table, and nothing runs for ever."""

from __future__ import annotations

from datetime import timedelta

import pytest

from db.failures import ATTEMPT_CAP, POLICIES, Scope, decide
from db.states import LINE_MOVES, FailureClass, LineState

BURNING = [failure for failure in FailureClass if POLICIES[failure].burns and not POLICIES[failure].final]
PATIENT = [failure for failure in FailureClass if not POLICIES[failure].burns]


def test_every_class_has_a_policy() -> None:
    assert set(POLICIES) == set(FailureClass)


@pytest.mark.parametrize("failure", list(FailureClass))
@pytest.mark.parametrize("burnt", range(ATTEMPT_CAP + 1))
def test_every_decision_is_a_legal_move_of_a_rendering_line(failure: FailureClass, burnt: int) -> None:
    decision = decide(failure, burnt)
    assert decision.to in LINE_MOVES[LineState.RENDERING]
    assert decision.burns == POLICIES[failure].burns
    assert (decision.to is LineState.HELD) == (decision.hold is not None)
    assert decision.delay >= timedelta(0)


@pytest.mark.parametrize("failure", BURNING)
def test_attempts_run_out(failure: FailureClass) -> None:
    burnt, tries = 0, 0
    while decide(failure, burnt).to is not LineState.FAILED:
        burnt += 1
        tries += 1
        assert tries < ATTEMPT_CAP
    assert tries == ATTEMPT_CAP - 1


@pytest.mark.parametrize("failure", PATIENT)
def test_what_is_not_the_lines_fault_never_fails_it(failure: FailureClass) -> None:
    decision = decide(failure, ATTEMPT_CAP - 1)
    assert decision.to is LineState.HELD
    assert not decision.burns
    assert decision.delay > timedelta(0), "a hold without a length would be taken at once again"


@pytest.mark.parametrize("burnt", range(ATTEMPT_CAP))
def test_bad_text_fails_at_once(burnt: int) -> None:
    assert decide(FailureClass.BAD_TEXT, burnt).to is LineState.FAILED


@pytest.mark.parametrize("failure", [FailureClass.CRASH, FailureClass.TIMEOUT, FailureClass.OOM])
def test_a_line_that_may_take_others_with_it_runs_alone_next(failure: FailureClass) -> None:
    assert decide(failure, 0).alone


def test_scopes() -> None:
    assert decide(FailureClass.STORE_FULL, 0).hold is Scope.STORE
    assert decide(FailureClass.MODEL_MISSING, 0).hold is Scope.VOICE
    assert decide(FailureClass.CONSENT_REVOKED, 0).hold is Scope.VOICE
    assert decide(FailureClass.CRASH, 0).hold is None
