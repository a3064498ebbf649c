"""What the decoder keeps of each line in flight beside the cache, as tensors with a row per slot."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from synthesis.gptsovits.s1.attention import Run
from synthesis.gptsovits.s1.cache import KvCache
from synthesis.gptsovits.s1.embedding import POSITIONS
from synthesis.gptsovits.s1.model import S1Model
from synthesis.gptsovits.s1.noise import STEPS, LineNoise
from synthesis.gptsovits.s1.request import S1Request
from synthesis.gptsovits.s1.sampling import COLDEST, distribution, draw, nucleus, penalise

EARLIEST_STOP = 11
"""Steps in which the stop code cannot be drawn: no line is shorter than 0.44 s."""


class Lanes:
    """Rows of lines. Tensors are allocated once and changed in place: a captured graph reads them where they are."""

    def __init__(self, model: S1Model, slots: int, codes: int) -> None:
        width, device = model.shape.codes, model.device

        def whole(value: int = 0) -> Tensor:
            return torch.full((slots,), value, dtype=torch.int64, device=device)

        def real(value: float) -> Tensor:
            return torch.full((slots, 1), value, dtype=torch.float32, device=device)

        self._stop = model.shape.stop
        self.code, self.code_position, self.position, self.drawn = whole(), whole(), whole(), whole()
        self.running = torch.zeros(slots, dtype=torch.bool, device=device)  # false until the first code is drawn
        self.stopped = torch.zeros(slots, dtype=torch.bool, device=device)
        self.broken = torch.zeros(slots, dtype=torch.bool, device=device)  # its logits were not finite
        self.top_k = whole(1)[:, None]
        self.top_p, self.temperature, self.penalty = real(1), real(1), real(1)
        self.logits = torch.zeros(slots, width, device=device)
        self.seen = torch.zeros(slots, width, dtype=torch.bool, device=device)
        self.noise = torch.ones(slots, STEPS, width, device=device)
        self.codes = torch.zeros(slots, codes, dtype=torch.int64, device=device)
        self._all = [value for value in vars(self).values() if isinstance(value, Tensor)]

    def place(self, slot: int, request: S1Request, logits: Tensor) -> None:
        """Put a line whose prefix is in the cache into a slot; nothing of the line before remains."""
        sampling = request.sampling
        self.position[slot] = request.prefix
        self.code_position[slot] = request.prompt.numel()
        self.code[slot] = self.drawn[slot] = 0
        self.running[slot] = self.stopped[slot] = self.broken[slot] = False
        self.top_k[slot] = min(sampling.top_k, self.logits.shape[1])
        self.top_p[slot] = nucleus(sampling)
        self.temperature[slot] = max(sampling.temperature, COLDEST)
        self.penalty[slot] = sampling.repetition_penalty
        self.logits[slot] = logits
        self.seen[slot] = False
        self.seen[slot, request.prompt.to(self.seen.device)] = True

    def refill(self, slot: int, noise: LineNoise) -> None:
        """Give a line the noise of its next STEPS draws."""
        self.noise[slot].copy_(noise.next_block(self.noise.shape[2]))

    def move(self, source: int, target: int) -> None:
        """Copy a line to another slot."""
        for tensor in self._all:
            tensor[target] = tensor[source]

    def snapshot(self) -> list[Tensor]:
        """Copies of all rows."""
        return [tensor.clone() for tensor in self._all]

    def restore(self, rows: list[Tensor]) -> None:
        """Put copies back."""
        for tensor, copy in zip(self._all, rows, strict=True):
            tensor.copy_(copy)

    def advance(self, model: S1Model, cache: KvCache, *, runs: Sequence[Run], widest: int, any_top_p: bool) -> None:
        """Run the network on the code drawn last and draw the next, in the slots of the runs.

        Rows that have drawn nothing yet already have their logits: what is computed for them is thrown away, and the
        position it was written to is written again with their first code. Nothing here waits for a value.
        """
        rows = runs[-1].end
        running = self.running[:rows]
        logits = model.step(self.code[:rows], self.code_position[:rows], self.position[:rows], runs, cache)
        self.logits[:rows] = torch.where(running[:, None], logits, self.logits[:rows])
        for position, limit in ((self.position, cache.positions), (self.code_position, POSITIONS)):
            position[:rows] = (position[:rows] + running).clamp_(max=limit - 1)  # rows without a line would run away
        self.sample(rows, widest, any_top_p)

    def sample(self, rows: int, widest: int, any_top_p: bool) -> None:
        """Draw the next code of the first ``rows`` slots from their logits."""
        slots = torch.arange(rows, device=self.code.device)
        drawn = self.drawn[:rows]
        early = drawn < EARLIEST_STOP  # [R]
        logits = self.logits[:rows].clone()  # [R, V]
        logits[:, self._stop].masked_fill_(early, -torch.inf)
        logits = penalise(logits, self.seen[:rows], self.penalty[:rows])
        chances = distribution(
            logits,
            top_k=self.top_k[:rows],
            top_p=self.top_p[:rows],
            temperature=self.temperature[:rows],
            widest=widest,
            any_top_p=any_top_p,
        )
        code = draw(chances, self.noise[slots, drawn % STEPS])  # [R]
        # The line also ends when the stop code was the likeliest and another was drawn.
        self.stopped[:rows] = (code == self._stop) | (logits.argmax(dim=1) == self._stop)
        self.broken[:rows] = ~self.logits[:rows].isfinite().all(dim=1)
        self.code[:rows] = code
        self.codes[slots, drawn.clamp(max=self.codes.shape[1] - 1)] = code
        self.seen[slots, code] = True
        self.drawn[:rows] += 1
        self.running[:rows] = True
