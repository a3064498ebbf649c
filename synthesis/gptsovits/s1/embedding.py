"""What goes into the first layer: phonemes with their text features, and codes, each with its own positions."""

from __future__ import annotations

from math import log

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows
from torch import Tensor

POSITIONS = 4096
BASE = 10000.0


def sines(width: int, positions: int = POSITIONS) -> Tensor:
    """[positions, width] float32: sine and cosine in turn (Vaswani et al. 2017, section 3.5)."""
    frequencies = torch.exp(torch.arange(0, width, 2) * (-log(BASE) / width))  # [width / 2]
    angles = torch.arange(positions, dtype=torch.float32)[:, None] * frequencies  # [positions, width / 2]
    return torch.stack((angles.sin(), angles.cos()), dim=2).flatten(1)[:, :width]


class Embedding:
    """Tables of the model. Positions of text and of codes are counted apart, both from 0."""

    def __init__(
        self, phonemes: Tensor, codes: Tensor, bert: tuple[Tensor, Tensor], text_alpha: Tensor, code_alpha: Tensor
    ) -> None:
        self._phonemes, self._codes, self._bert = phonemes, codes, bert
        table = sines(phonemes.shape[1]).to(phonemes.device)
        self._text_sines = (table * text_alpha.float()).to(phonemes.dtype)
        self._code_sines = (table * code_alpha.float()).to(codes.dtype)

    def text(self, phonemes: Tensor, bert: Tensor | None) -> Tensor:
        """[P] ids and [1024, P] features or None -> [P, width]. The projection's bias is added without features too."""
        weight, bias = self._bert
        projected = bias if bert is None else F.linear(bert.T.to(weight.device, weight.dtype), weight, bias)
        return self._phonemes[phonemes.to(weight.device)] + projected + self._text_sines[: phonemes.shape[0]]

    def codes(self, codes: Tensor, positions: Tensor) -> Tensor:
        """[n] codes at [n] positions -> [n, width]."""
        return self._codes[codes] + self._code_sines[positions]
