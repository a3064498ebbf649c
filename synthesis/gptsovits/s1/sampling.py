"""From logits to the next code, a row per line, every line with settings of its own.

The order is that of the reference implementation: repetition penalty, top-p, temperature, top-k, softmax; then the code
with the largest probability over exponential noise is taken, which draws from exactly that distribution (the Gumbel-max
trick; Gumbel 1954, Maddison et al. 2014, "A* sampling").
"""

from __future__ import annotations

import torch
from torch import Tensor

from synthesis.gptsovits.s1.request import Sampling

COLDEST = 1e-5
OFF = float("inf")


def probabilities(logits: Tensor, previous: Tensor, sampling: Sampling) -> Tensor:
    """Distribution of the next code.

    logits: [R, V] float. previous: [R, n] int64, codes heard so far, prompt included; repeated ones count once.
    Returns [R, V], rows sum to 1.
    """
    rows = logits.shape[0]
    seen = torch.zeros_like(logits, dtype=torch.bool).scatter_(1, previous, True)
    column = torch.ones(rows, 1, dtype=logits.dtype, device=logits.device)
    penalised = penalise(logits, seen, column * sampling.repetition_penalty)
    return distribution(
        penalised,
        top_k=torch.full((rows, 1), sampling.top_k, device=logits.device),
        top_p=column * nucleus(sampling),
        temperature=column * max(sampling.temperature, COLDEST),
        widest=sampling.top_k,
        any_top_p=nucleus(sampling) < OFF,
    )


def nucleus(sampling: Sampling) -> float:
    """The threshold of top-p; infinite where it is off, as a running sum may round to more than 1."""
    return sampling.top_p if sampling.top_p < 1 else OFF


def penalise(logits: Tensor, seen: Tensor, penalty: Tensor) -> Tensor:
    """Make codes that were heard less likely: [R, V] logits, [R, V] bool, [R, 1] -> [R, V]."""
    return torch.where(seen, torch.where(logits < 0, logits * penalty, logits / penalty), logits)


def distribution(
    penalised: Tensor, *, top_k: Tensor, top_p: Tensor, temperature: Tensor, widest: int, any_top_p: bool
) -> Tensor:
    """[R, V] penalised logits -> [R, V] probabilities. Settings are [R, 1]; ``widest`` is the largest of top_k.

    Nothing here depends on values of a tensor for its shape, so it can be captured in a graph.
    """
    if any_top_p:
        penalised = _keep_nucleus(penalised, top_p)
    warmed = penalised / temperature
    best = warmed.topk(min(widest, warmed.shape[1]), dim=1).values  # [R, widest], best first
    last = best.gather(1, top_k.clamp(max=best.shape[1]) - 1)  # [R, 1], the k-th best
    return warmed.masked_fill(warmed < last, -torch.inf).softmax(dim=1)


def _keep_nucleus(penalised: Tensor, top_p: Tensor) -> Tensor:
    """Drop codes from the one on that brings the running sum, best first, above top_p; the best one stays."""
    ordered, order = penalised.sort(dim=1, descending=True)
    dropped = ordered.softmax(dim=1).cumsum(dim=1) > top_p
    dropped[:, 0] = False
    return penalised.masked_fill(torch.zeros_like(dropped).scatter_(1, order, dropped), -torch.inf)


def draw(chances: Tensor, noise: Tensor) -> Tensor:
    """[R, V] probabilities and as many draws of an exponential distribution -> [R] codes."""
    return (chances / noise).argmax(dim=1)
