"""One query per line against its cached keys.

Short rows against long caches are bound by memory: on the CPU two batched products over the used part of the cache
beat the fused kernel, which is built for long queries. On CUDA the fused kernel is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows
from torch import Tensor

REACH, SHORTEST_REACH = 32, 64
"""The attended part of the cache is a multiple of the first and not shorter than the second (below it torch has another
kernel): then masked positions do not change how the others are added up, and a line has the same bits beside a longer
one."""


def reach_for(used: int) -> int:
    """How much of the cache is attended to when the longest line uses this many positions."""
    return max(-(-used // REACH) * REACH, SHORTEST_REACH)


WORTH_A_CALL = 128
"""Positions of one line that cost as much as attending to another run of lines."""


@dataclass(frozen=True)
class Run:
    """Neighbouring slots, ``first`` to before ``end``, that attend to equally many positions of their caches."""

    first: int
    end: int
    reach: int


def runs_for(used: Sequence[int], capacity: int) -> list[Run]:
    """Divide lines that use so many positions, slot by slot, where reading a short one as far as a long one would cost
    more than it saves."""
    runs: list[Run] = []
    for slot, each in enumerate(used):
        run = Run(slot, slot + 1, min(reach_for(each), capacity))
        if runs:
            last = runs[-1]
            both = Run(last.first, slot + 1, max(last.reach, run.reach))
            apart = (slot - last.first) * last.reach + run.reach
            if (slot + 1 - last.first) * both.reach - apart <= WORTH_A_CALL:
                runs[-1] = both
                continue
        runs.append(run)
    return runs


def mask_for(positions: Tensor, reach: int, heads: int, dtype: torch.dtype) -> Tensor:
    """What each line may attend to: everything up to its own position.

    positions: [R] int64. Returns on the CPU [R * heads, 1, reach], 0 or -inf; elsewhere [R, 1, 1, reach] bool.
    """
    allowed = torch.arange(reach, device=positions.device) <= positions[:, None]  # [R, reach]
    if positions.device.type != "cpu":
        return allowed[:, None, None]
    bias = torch.zeros(allowed.shape, dtype=dtype).masked_fill_(~allowed, -torch.inf)
    return bias[:, None].expand(-1, heads, -1).reshape(-1, 1, reach)  # [R * heads, 1, reach]


def attend(query: Tensor, pairs: Tensor, mask: Tensor, out: Tensor) -> None:
    """Attend and write ``out`` [R, heads * w].

    query: [R, heads, w]; pairs: [2, R, heads, capacity, w], keys and values; mask: of ``mask_for``.
    """
    rows, heads, width = query.shape
    reach = mask.shape[-1]
    if query.device.type != "cpu":
        keys, values = pairs[:, :, :, :reach]  # [R, heads, reach, w] each
        attended = F.scaled_dot_product_attention(query[:, :, None], keys, values, attn_mask=mask)  # [R, heads, 1, w]
        out.copy_(attended.reshape(rows, heads * width))
        return
    flat = pairs.view(2, rows * heads, -1, width)[:, :, :reach]  # [2, R * heads, reach, w]
    query = query.reshape(rows * heads, 1, width)
    scores = torch.baddbmm(mask, query, flat[0].transpose(1, 2), alpha=width**-0.5)  # [R * heads, 1, reach]
    torch.bmm(scores.softmax(dim=-1), flat[1], out=out.view(-1, 1, width))


def code_mask(text: int, codes: int, dtype: torch.dtype) -> Tensor:
    """What codes after a text attend to, the text and codes up to themselves: [codes, text + codes], 0 or -inf."""
    return torch.full((codes, text + codes), -torch.inf, dtype=dtype).triu_(text + 1)


def attend_prefix(qkv: Tensor, mask: Tensor, out: Tensor) -> None:
    """Attention inside a prefix of phonemes, which see one another, and then codes, which see what ``mask`` says.

    qkv: [T, 3, heads, w]; mask: [C, T], of ``code_mask``; out: [T, heads * w], written.
    """
    length, _, heads, width = qkv.shape
    text = length - mask.shape[0]
    query, key, value = qkv.permute(1, 2, 0, 3)[:, None]  # [1, heads, T, w]
    out = out.view(1, length, heads, width).transpose(1, 2)  # [1, heads, T, w]
    out[:, :, :text] = F.scaled_dot_product_attention(query[:, :, :text], key[:, :, :text], value[:, :, :text])
    if text < length:
        out[:, :, text:] = F.scaled_dot_product_attention(query[:, :, text:], key, value, attn_mask=mask)


def attend_last(qkv: Tensor) -> Tensor:
    """What the last position of a prefix attends to, which is all of it: [T, 3, heads, w] -> [1, heads * w]."""
    query, key, value = qkv.permute(1, 2, 0, 3)[:, None]  # [1, heads, T, w]
    return F.scaled_dot_product_attention(query[:, :, -1:], key, value).reshape(1, -1)
