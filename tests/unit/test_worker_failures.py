"""Every error an engine or the store can raise has its class of failure."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest

from db.errors import StoreError, StoreFull
from db.failures import ATTEMPT_CAP
from db.records import ClaimedLine
from db.states import FailureClass, LineState
from synthesis import errors as synthesis_errors
from synthesis.errors import SynthesisError
from synthesis.gptsovits import errors as gptsovits_errors
from synthesis.text import errors as text_errors
from workers import errors as worker_errors
from workers.errors import WorkerError
from workers.failures import FAILURES, MESSAGE_LIMIT, failed, failed_with, failure_class


def family(root: type[Exception]) -> Iterator[type[Exception]]:
    yield root
    for child in root.__subclasses__():
        yield from family(child)


def a_line(burnt: int = 0) -> ClaimedLine:
    return ClaimedLine(
        id=7, attempt=2, section_id=1, production_id=1, digest="d", spoken="x", language="en", seed=1, direction={},
        alone=False, burnt=burnt, voice_id=1, voice_name="v", voice_version=1, voice_parameters={},
        voice_languages=("en",), consented=True, review=False,
    )  # fmt: skip


assert text_errors  # imported for its classes
SHARED = [kind for kind in family(SynthesisError) if kind.__module__ == synthesis_errors.__name__]
OF_ENGINES = [kind for kind in family(SynthesisError) if kind.__module__ != synthesis_errors.__name__]


@pytest.mark.parametrize("kind", SHARED, ids=lambda kind: kind.__name__)
def test_every_shared_error_has_a_row_of_its_own(kind: type[Exception]) -> None:
    assert kind in FAILURES


@pytest.mark.parametrize("kind", OF_ENGINES, ids=lambda kind: kind.__name__)
def test_an_engines_own_errors_are_read_as_what_they_are(kind: type[SynthesisError]) -> None:
    found = failure_class(kind.__new__(kind))
    assert found is FailureClass.BAD_TEXT or not issubclass(kind, synthesis_errors.TextError)
    assert found is FailureClass.MODEL_MISSING or not issubclass(kind, synthesis_errors.VoiceError)


def test_a_clip_that_cannot_be_cloned_pauses_its_voice_and_burns_nothing() -> None:
    outcome = failed_with(a_line(), gptsovits_errors.ReferenceLength("a.wav", 2.0, 3.0, 10.0))
    assert outcome.decision.to is LineState.HELD
    assert not outcome.decision.burns
    assert "choose a longer one" in outcome.message


@pytest.mark.parametrize(
    "error,expected",
    [
        (synthesis_errors.VoiceMissing("v"), FailureClass.MODEL_MISSING),
        (synthesis_errors.LanguageUnsupported("v", "xx"), FailureClass.BAD_TEXT),
        (synthesis_errors.TextError("empty"), FailureClass.BAD_TEXT),
        (synthesis_errors.EngineOutOfMemory("e", "x"), FailureClass.OOM),
        (synthesis_errors.EngineDied("e", "x"), FailureClass.CRASH),
        (synthesis_errors.EngineError("e", "x"), FailureClass.ENGINE_ERROR),
        (StoreFull("k", "no space"), FailureClass.STORE_FULL),
        (StoreError("other"), FailureClass.STORE_FULL),
    ],
)
def test_classes_of_failure(error: SynthesisError, expected: FailureClass) -> None:
    assert failure_class(error) is expected


def test_a_subclass_nobody_listed_is_read_as_its_base() -> None:
    class Odd(synthesis_errors.TextError):
        pass

    assert failure_class(Odd("x")) is FailureClass.BAD_TEXT


def test_a_failure_carries_the_decision_and_a_bounded_message() -> None:
    outcome = failed(a_line(), FailureClass.ENGINE_ERROR, "x" * 9_000)
    assert outcome.decision.to is LineState.PENDING
    assert len(outcome.message) == MESSAGE_LIMIT
    spent = failed_with(a_line(burnt=ATTEMPT_CAP - 1), synthesis_errors.EngineError("e", "broke"))
    assert spent.decision.to is LineState.FAILED
    assert spent.message == "EngineError: engine e: broke"


@pytest.mark.parametrize(
    "error",
    [
        worker_errors.UnknownMessage("t", 9),
        worker_errors.WrongPool(),
        worker_errors.NoDevice("cuda:9", ("cpu",)),
        worker_errors.TakesDamaged(3, (1, 2)),
        worker_errors.TracksDamaged(3, (1, 2)),
        worker_errors.DeliveryRefused("/x", "no space"),
        worker_errors.NotConfigured("BROKER_URL", "amqp://"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_worker_errors_survive_pickling_and_speak(error: WorkerError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.args, str(again)) == (type(error), error.args, str(error))
    assert str(error)


def test_every_worker_error_is_in_the_list_above() -> None:
    tested = {
        "UnknownMessage",
        "WrongPool",
        "NoDevice",
        "TakesDamaged",
        "TracksDamaged",
        "DeliveryRefused",
        "NotConfigured",
    }
    assert {kind.__name__ for kind in family(WorkerError)} - {"WorkerError"} == tested
