"""Engines by name. Each is imported when it is made: a farm of draft voices never loads another engine's libraries."""

from __future__ import annotations

from synthesis.engine import Engine
from synthesis.errors import EngineUnknown

ENGINE_NAMES: tuple[str, ...] = ("draft", "fake")
"""What ``make_engine`` can make."""


def make_engine(name: str, *, capacity: int | None = None, device: str = "cpu") -> Engine:
    """Make an engine; ``capacity`` None is the engine's own default.

    ``device`` ('cpu', 'cuda:0') is for engines that run a model; draft and fake run on the CPU whatever it says.
    Raises EngineUnknown, and VoiceMissing where the engine's package is not installed.
    """
    if name == "draft":
        from synthesis.draft.engine import DraftEngine

        return DraftEngine() if capacity is None else DraftEngine(capacity)
    if name == "fake":
        from synthesis.fake import FakeEngine

        return FakeEngine() if capacity is None else FakeEngine(capacity)
    raise EngineUnknown(name, ENGINE_NAMES)
