"""Randomness of one line: a stream that depends on its seed only, not on who is rendered beside it.

It is drawn on the CPU whatever the device of the model, so that a line sounds the same on every machine, in blocks of
steps so that drawing is no per-step cost, and from torch's uniform numbers, whose stream is the same on every platform
(``Tensor.exponential_`` has one stream with MKL and another without).
"""

from __future__ import annotations

import torch
from torch import Tensor

STEPS = 32
"""Steps drawn at once."""
SMALLEST = 2.0**-25
"""Uniform numbers have 24 bits: half of the smallest step stands for zero, which may not be divided by."""


class LineNoise:
    """Exponential noise for the draws of one line."""

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def next_block(self, width: int) -> Tensor:
        """[STEPS, width] float32 draws of Exp(1), above 0, for the next steps of the line."""
        uniform = torch.rand(STEPS, width, generator=self._generator)
        return uniform.neg_().log1p_().neg_().clamp_(min=SMALLEST)
