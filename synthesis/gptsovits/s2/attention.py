"""Attention of the content encoder: among frames or phonemes with relative positions, and from frames to phonemes.

Relative positions: Shaw et al. 2018, arXiv:1803.02155, in a window of four as in VITS (arXiv:2106.06103).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor
from torch.nn import functional

from synthesis.gptsovits.s2.config import WINDOW
from synthesis.gptsovits.s2.layers import Linear, Reader

SCORES_AT_ONCE = 1 << 24
"""Scores held at a time, over batch, heads and queries: 64 MiB in float32. Longer lines go in slices of queries."""


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[B, T, heads * D] -> [B, heads, T, D], a view."""
    batch, length, width = x.shape
    return x.view(batch, length, heads, width // heads).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """[B, heads, T, D] -> [B, T, heads * D]."""
    return x.transpose(1, 2).flatten(2)


@dataclass(frozen=True)
class RelativeAttention:
    """Self-attention whose keys and values get a learned vector per distance up to WINDOW, shared by all heads."""

    qkv: Linear
    out: Linear
    rel_k: Tensor
    rel_v: Tensor
    heads: int

    @classmethod
    def read(cls, reader: Reader, prefix: str, heads: int) -> RelativeAttention:
        """Queries, keys and values become one product; the scale 1/sqrt(D) goes into the queries' weights."""
        parts = [reader.kernel(f"{prefix}.conv_{name}").squeeze(-1) for name in "qkv"]
        biases = [reader.raw(f"{prefix}.conv_{name}.bias") for name in "qkv"]
        scale = 1 / sqrt(parts[0].shape[0] // heads)
        parts[0], biases[0] = parts[0] * scale, biases[0] * scale
        return cls(
            qkv=Linear(reader.place(torch.cat(parts)), reader.place(torch.cat(biases))),
            out=reader.linear(f"{prefix}.conv_o"),
            rel_k=reader.tensor(f"{prefix}.emb_rel_k")[0],  # [2 WINDOW + 1, D]
            rel_v=reader.tensor(f"{prefix}.emb_rel_v")[0],
            heads=heads,
        )

    def __call__(self, x: Tensor, padding: Tensor | None) -> Tensor:
        """[B, T, C] -> [B, T, C]; ``padding`` [B, T] is True where there is no key."""
        q, k, v = (split_heads(part, self.heads) for part in self.qkv(x).chunk(3, dim=-1))  # [B, H, T, D] each
        batch, heads, length, _ = q.shape
        rows = max(1, SCORES_AT_ONCE // (batch * heads * length))
        blocks = [self._attend(q[:, :, at : at + rows], k, v, at, padding) for at in range(0, length, rows)]
        joined = blocks[0] if len(blocks) == 1 else torch.cat(blocks, dim=2)
        return self.out(join_heads(joined))

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, first: int, padding: Tensor | None) -> Tensor:
        """Queries first … first + R over all keys: [B, H, R, D]."""
        scores = q @ k.transpose(-2, -1)  # [B, H, R, T]
        near = q @ self.rel_k.T  # [B, H, R, 2 WINDOW + 1]
        for i in range(2 * WINDOW + 1):
            diagonal, start = _diagonal(scores, first + i - WINDOW)
            diagonal += near[:, :, start : start + diagonal.shape[-1], i]
        if padding is not None:
            scores.masked_fill_(padding[:, None, None, :], float("-inf"))
        weights = scores.softmax(dim=-1)
        near.zero_()
        for i in range(2 * WINDOW + 1):
            diagonal, start = _diagonal(weights, first + i - WINDOW)
            near[:, :, start : start + diagonal.shape[-1], i] = diagonal
        return weights @ v + near @ self.rel_v


def _diagonal(scores: Tensor, offset: int) -> tuple[Tensor, int]:
    """Entries [r, r + offset] of the last two axes as a view, and the first r there is one for."""
    rows, columns = scores.shape[-2:]
    if offset >= columns or -offset >= rows:
        return scores[..., 0, :0], 0
    return scores.diagonal(offset, -2, -1), max(0, -offset)


@dataclass(frozen=True)
class CrossAttention:
    """Frames look at phonemes."""

    q: Linear
    kv: Linear
    out: Linear
    heads: int

    @classmethod
    def read(cls, reader: Reader, prefix: str, heads: int) -> CrossAttention:
        """Keys and values become one product."""
        kernels = [reader.kernel(f"{prefix}.conv_{name}").squeeze(-1) for name in "kv"]
        biases = [reader.raw(f"{prefix}.conv_{name}.bias") for name in "kv"]
        return cls(
            q=reader.linear(f"{prefix}.conv_q"),
            kv=Linear(reader.place(torch.cat(kernels)), reader.place(torch.cat(biases))),
            out=reader.linear(f"{prefix}.conv_o"),
            heads=heads,
        )

    def __call__(self, frames: Tensor, phonemes: Tensor, padding: Tensor | None) -> Tensor:
        """[B, T, C], [B, P, C] -> [B, T, C]; ``padding`` [B, P] is True where there is no phoneme."""
        q = split_heads(self.q(frames), self.heads)  # [B, H, T, D]
        k, v = (split_heads(part, self.heads) for part in self.kv(phonemes).chunk(2, dim=-1))  # [B, H, P, D]
        mask = None if padding is None else ~padding[:, None, None, :]
        return self.out(join_heads(functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)))
