"""The seam between a worker and whatever makes speech.

An engine knows token ids, samples and voices; it knows no database, no queue and no farm, and remembers nothing of a
line once its result was handed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from synthesis.audio import Audio
from synthesis.errors import SynthesisError

if TYPE_CHECKING:
    from synthesis.qc.gates import Finding


@dataclass(frozen=True, slots=True)
class VoiceSpec:
    """A voice in one version, as an engine needs it."""

    name: str
    version: int
    engine: str
    languages: tuple[str, ...]
    """BCP 47 primary tags this voice speaks, e.g. ('en',)."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Engine-specific and JSON-like; part of the line digest."""
    description: str = ""

    @property
    def label(self) -> str:
        """'name@version', as shown to people and written in manifests."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class LineRequest:
    """One line to speak."""

    line_id: int
    text: str
    """As spoken: no markup but pauses and readings in the line (docs/text.md). Never empty."""
    language: str
    """BCP 47 tag."""
    voice: VoiceSpec
    seed: int
    """0 … 2**63-1. The same request with the same seed gives the same take, alone or in a batch."""
    direction: Mapping[str, Any] = field(default_factory=dict)
    """'emotion', 'rate' (1.0 = natural) …; unknown keys are ignored by engines that cannot act on them."""
    alone: bool = False
    """Run with nothing else in flight."""


@dataclass(frozen=True, slots=True)
class RenderedLine:
    """A finished line: exactly one of ``audio`` and ``error`` is set."""

    line_id: int
    audio: Audio | None
    error: SynthesisError | None
    render_ms: int = 0
    """Engine time, in milliseconds: of each step the line was in, its part of the batch. The worker measures it."""
    findings: tuple[Finding, ...] = ()
    """What only the engine can know about its take; 'note' for what is recorded and needs nobody's ear."""


class Engine(Protocol):
    """What a worker drives. One thread calls it; it never blocks for longer than one batch step in ``step``."""

    name: str
    """Stable name, also the queue's suffix: 'draft', 'gpt-sovits', 'fake'."""
    version: str
    """Part of every line digest: changes when the same request may sound different."""
    capacity: int
    """Lines it can hold in flight at once (1 or more)."""

    def voices(self) -> Sequence[VoiceSpec]:
        """Voices it brings with it (none for engines that only load voices from files)."""

    def load(self, voice: VoiceSpec) -> None:
        """Make a voice ready. Raises VoiceMissing."""

    def submit(self, lines: Sequence[LineRequest]) -> None:
        """Admit lines, at most ``capacity`` in flight in all. A line's errors come out of ``step``, never from here."""

    def step(self) -> list[RenderedLine]:
        """Advance the lines in flight and return those that finished, in any order; [] when none did yet.

        Raises EngineDied when the engine cannot go on in this process.
        """

    def in_flight(self) -> int:
        """Lines admitted and not yet returned."""

    def close(self) -> None:
        """Let go of processes and device memory. Safe to call twice."""


@runtime_checkable
class ReportsProgress(Protocol):
    """An engine whose lines take minutes: it says that it works, so that nobody takes it for one that hangs."""

    def progress(self) -> int:
        """Work done since it was made, in any unit. Two equal answers mean that nothing happened in between."""
