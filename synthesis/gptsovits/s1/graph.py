"""The decoding step as captured CUDA graphs: one launch instead of some hundred.

A graph has fixed shapes: all slots, occupied or not, and a fixed reach into the cache. Reaches are few; a graph is
captured for each when it is first needed, with masks that keep every line to its own positions. Slots without a line
go on with what the last one left there and draw codes that nobody reads.
"""

from __future__ import annotations

from typing import Any

import torch

from synthesis.gptsovits.s1.attention import Run
from synthesis.gptsovits.s1.cache import KvCache
from synthesis.gptsovits.s1.lanes import Lanes
from synthesis.gptsovits.s1.model import S1Model

REACH = 256
WARM_UPS = 2


class GraphedStep:
    """``Lanes.advance`` for all slots. The cache and the lanes must stay where they are in memory."""

    def __init__(self, model: S1Model, cache: KvCache, lanes: Lanes, slots: int) -> None:
        self._model, self._cache, self._lanes, self._slots = model, cache, lanes, slots
        self._graphs: dict[tuple[int, int, bool], torch.cuda.CUDAGraph] = {}
        self._pool: Any = None

    def __call__(self, *, reach: int, widest: int, any_top_p: bool) -> None:
        """Advance every slot by a code. ``reach``: positions in use; rounded up to a captured length."""
        reach = min(-(-reach // REACH) * REACH, self._cache.capacity)
        widest = min(1 << (widest - 1).bit_length(), self._model.shape.codes)
        key = (reach, widest, any_top_p)
        if key not in self._graphs:
            self._graphs[key] = self._capture(*key)
        self._graphs[key].replay()

    def _capture(self, reach: int, widest: int, any_top_p: bool) -> torch.cuda.CUDAGraph:
        """Record the step. What the warm-up does to the lanes is undone; the cache is written again with the same."""

        def advance() -> None:
            self._lanes.advance(
                self._model, self._cache, runs=[Run(0, self._slots, reach)], widest=widest, any_top_p=any_top_p
            )

        before = self._lanes.snapshot()
        side = torch.cuda.Stream(self._model.device)  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream(self._model.device))
        with torch.cuda.stream(side):
            for _ in range(WARM_UPS):
                advance()
                self._lanes.restore(before)
        torch.cuda.current_stream(self._model.device).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            advance()
        self._pool = self._pool or graph.pool()
        return graph
