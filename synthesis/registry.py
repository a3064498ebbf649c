"""Engines by name. Each is imported when it is made: a farm of draft voices never loads another engine's libraries."""

from __future__ import annotations

from synthesis.engine import Engine
from synthesis.errors import EngineError, EngineUnknown

ENGINE_NAMES: tuple[str, ...] = ("draft", "gpt-sovits", "fake")
"""What ``make_engine`` can make."""
WITH_VOICES: tuple[str, ...] = ("draft", "fake")
"""Engines that bring voices with them; the voices of others are registered by people."""


def make_engine(name: str, *, capacity: int | None = None, device: str = "cpu") -> Engine:
    """Make an engine; ``capacity`` None is the engine's own default.

    ``device`` ('cpu', 'cuda:0') is for engines that run a model; draft and fake run on the CPU whatever it says.
    Raises EngineUnknown, and EngineError where the engine's packages are not installed.
    """
    if name == "draft":
        from synthesis.draft.engine import DraftEngine

        return DraftEngine() if capacity is None else DraftEngine(capacity)
    if name == "fake":
        from synthesis.fake import FakeEngine

        return FakeEngine() if capacity is None else FakeEngine(capacity)
    if name == "gpt-sovits":
        try:
            from synthesis.gptsovits.engine import GptSovitsEngine
        except ModuleNotFoundError as error:
            raise EngineError(name, f"needs {error.name}; install voicefarm[gptsovits]") from error
        return GptSovitsEngine(capacity, device)
    raise EngineUnknown(name, ENGINE_NAMES)
