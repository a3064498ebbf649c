"""Which failure class an error is: one table, read by class, the nearest base wins."""

from __future__ import annotations

from collections.abc import Mapping

from db.errors import FarmError, StoreError
from db.failures import decide
from db.records import ClaimedLine, FailedLine
from db.states import FailureClass
from synthesis.errors import (
    AudioError,
    AudioUnreadable,
    EncodeError,
    EngineDied,
    EngineError,
    EngineOutOfMemory,
    EngineUnknown,
    LanguageUnsupported,
    LoudnessUnreachable,
    NothingToMaster,
    PartUnusable,
    ProfileUnknown,
    SheetUnwritable,
    SynthesisError,
    TextError,
    VoiceError,
    VoiceMissing,
)

_F = FailureClass
FAILURES: Mapping[type[Exception], FailureClass] = {
    SynthesisError: _F.ENGINE_ERROR,
    VoiceError: _F.MODEL_MISSING,
    VoiceMissing: _F.MODEL_MISSING,
    LanguageUnsupported: _F.BAD_TEXT,  # another attempt speaks no other language
    TextError: _F.BAD_TEXT,
    EngineUnknown: _F.ENGINE_ERROR,
    EngineError: _F.ENGINE_ERROR,
    EngineOutOfMemory: _F.OOM,
    EngineDied: _F.CRASH,
    AudioError: _F.ENGINE_ERROR,
    AudioUnreadable: _F.ENGINE_ERROR,
    PartUnusable: _F.ENGINE_ERROR,
    NothingToMaster: _F.ENGINE_ERROR,
    ProfileUnknown: _F.ENGINE_ERROR,
    EncodeError: _F.ENGINE_ERROR,
    SheetUnwritable: _F.ENGINE_ERROR,
    LoudnessUnreachable: _F.ENGINE_ERROR,
    StoreError: _F.STORE_FULL,
}
MESSAGE_LIMIT = 500
"""Characters of a failure's message that are kept."""


def failure_class(error: SynthesisError | FarmError) -> FailureClass:
    """Class of failure of an error that ended a line's attempt. Raises the error itself when no row covers it."""
    for kind in type(error).__mro__:
        found = FAILURES.get(kind)
        if found is not None:
            return found
    raise error


def failed(line: ClaimedLine, failure: FailureClass, message: str) -> FailedLine:
    """The outcome of an attempt that failed, with the decision made."""
    return FailedLine(line.id, line.attempt, failure, message[:MESSAGE_LIMIT], decide(failure, line.burnt))


def failed_with(line: ClaimedLine, error: SynthesisError | FarmError) -> FailedLine:
    """The outcome of an attempt that ended with an error."""
    return failed(line, failure_class(error), f"{type(error).__name__}: {error}")
