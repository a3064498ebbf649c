"""What is known about a finished track: figures with their unit in the name, all finite and fit for JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

LOUDNESS_FLOOR_LUFS = -70.0
"""Stands for 'too quiet or too short to measure': BS.1770's absolute gate."""
LEVEL_FLOOR_DB = -120.0
"""Stands for digital silence in dBFS and dBTP."""


@dataclass(frozen=True, slots=True)
class Measurements:
    """A master as measured after it was made."""

    loudness_lufs: float
    """Integrated, BS.1770-4, of the mono file; -70 when it cannot be measured."""
    true_peak_dbtp: float
    """4× oversampled; -120 for digital silence."""
    lra_lu: float
    """Loudness range, EBU Tech 3342."""
    rms_dbfs: float
    """Of the whole file, pauses included; a full-scale square wave is 0."""
    noise_floor_dbfs: float
    """RMS of the quietest half second."""
    gain_db: float
    """The one constant gain that was applied to the assembled programme."""
    limited_ms: int
    """How long the limiter held the level down."""
    max_reduction_db: float
    """The most it took away, 0 or more."""
    duration_ms: int
    head_ms: int
    """Silence before the first part."""
    tail_ms: int
    """Silence after the last part, its own pause included."""
    peaks: list[list[float]] = field(default_factory=list)
    """Waveform picture: at most 800 pairs [least, greatest] sample, in order, of equal stretches."""
    warnings: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """All fields as plain JSON values."""
        return asdict(self)
