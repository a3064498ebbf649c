"""One value for audio: samples with their rate beside them (docs/audio-conventions.md)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""float32, shape (samples,), mono; nominal range [-1, 1], which may be exceeded before the limiter."""


@dataclass(frozen=True, slots=True)
class Audio:
    """Mono float32 audio that knows its sample rate.

    ``samples`` has shape (samples,); ``sample_rate`` is in Hz. Empty audio (0 samples)
    is legal as a value and refused by the functions that cannot do anything with it.
    """

    samples: Samples
    sample_rate: int

    def __post_init__(self) -> None:
        if self.samples.ndim != 1 or self.samples.dtype != np.float32:
            raise ValueError(
                f"audio is float32 of shape (samples,), got {self.samples.dtype} of shape {self.samples.shape}"
            )
        if self.sample_rate <= 0:
            raise ValueError(f"sample rate must be positive, got {self.sample_rate}")

    @property
    def duration_ms(self) -> int:
        """Length in whole milliseconds, rounded to nearest."""
        return round(len(self.samples) * 1000 / self.sample_rate)
