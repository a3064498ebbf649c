"""Integrated loudness and loudness range of a stream (BS.1770-4, EBU Tech 3342), by libebur128."""

from __future__ import annotations

import math

import numpy as np
import pyebur128

from synthesis.audio import Samples
from synthesis.mastering.measurements import LEVEL_FLOOR_DB, LOUDNESS_FLOOR_LUFS

GATING_BLOCK_MS = 400
"""Below this length integrated loudness is undefined."""


def to_db(ratio: float) -> float:
    """Amplitude ratio to dB, never below -120."""
    return max(LEVEL_FLOOR_DB, 20.0 * math.log10(ratio)) if ratio > 0.0 else LEVEL_FLOOR_DB


def from_db(level_db: float) -> float:
    """DB to amplitude ratio."""
    return float(10.0 ** (level_db / 20.0))


class LoudnessMeter:
    """Integrated loudness, and the range when asked for, of mono float32 blocks of any size."""

    def __init__(self, sample_rate: int, *, with_range: bool = False) -> None:
        mode = pyebur128.MeasurementMode.MODE_I
        if with_range:
            mode |= pyebur128.MeasurementMode.MODE_LRA
        self._state = pyebur128.R128State(1, sample_rate, mode)
        self._with_range = with_range

    def add(self, block: Samples) -> None:
        """Measure another block of shape (samples,); empty blocks are ignored."""
        if len(block):
            self._state.add_frames(np.ascontiguousarray(block, dtype=np.float32), len(block))

    def integrated_lufs(self) -> float:
        """Integrated loudness of what was added; -70 when it is all below the gate or shorter than 400 ms."""
        value = float(pyebur128.get_loudness_global(self._state))
        return value if value > LOUDNESS_FLOOR_LUFS else LOUDNESS_FLOOR_LUFS

    def range_lu(self) -> float:
        """Loudness range in LU; 0 when it cannot be measured."""
        if not self._with_range:
            raise ValueError("this meter was made without with_range")
        value = float(pyebur128.get_loudness_range(self._state))
        return value if math.isfinite(value) else 0.0
