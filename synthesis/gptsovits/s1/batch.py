"""Many lines decoded together, each entering and leaving when it likes (continuous batching; Yu et al. 2022, "Orca").

A line has a slot of the cache, a row of the lanes and a noise stream of its own. Its codes depend on its request alone:
not on the lines beside it, not on its slot, not on when it was admitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from synthesis.gptsovits.errors import BadInput
from synthesis.gptsovits.s1.attention import reach_for, runs_for
from synthesis.gptsovits.s1.embedding import POSITIONS
from synthesis.gptsovits.s1.graph import GraphedStep
from synthesis.gptsovits.s1.lanes import Lanes
from synthesis.gptsovits.s1.model import Prefix, S1Model, check_positions
from synthesis.gptsovits.s1.noise import STEPS, LineNoise
from synthesis.gptsovits.s1.request import MAX_CODES, S1Request, S1Result, Stop, check_range


@dataclass
class _Line:
    """What the host knows of a line without asking the device."""

    key: int
    request: S1Request
    noise: LineNoise
    limit: int
    drawn: int = 0
    read: bool = False  # its prefix is in the cache

    @property
    def used(self) -> int:
        """Positions of the cache that the next step reads or writes."""
        return self.request.prefix + max(self.drawn, 1)

    def ended(self, stopped: bool, broken: bool) -> Stop | None:
        """Why the line is over after its latest draw, if it is."""
        if broken:
            return "not finite"
        if stopped:
            return "eos"
        return "limit" if self.drawn >= self.limit else None


class S1Batch:
    """Decodes up to ``slots`` lines at once, with room for ``positions`` phonemes and codes in each.

    ``graphs`` (None: on CUDA) replays a captured step instead of launching its kernels one by one.
    Not for use from several threads at once.
    """

    def __init__(self, model: S1Model, *, slots: int, positions: int = 2048, graphs: bool | None = None) -> None:
        if slots < 1:
            raise BadInput("slots", f"are {slots}; there is at least one")
        check_positions(positions, POSITIONS)
        self._model, self._slots, self._positions = model, slots, positions
        self._cache = model.new_cache(slots, reach_for(positions))
        self._lanes = Lanes(model, slots, min(positions, MAX_CODES))
        self._lines: dict[int, _Line] = {}  # by slot
        graphs = model.device.type == "cuda" if graphs is None else graphs
        self._graphed = GraphedStep(model, self._cache, self._lanes, slots) if graphs else None

    @property
    def in_flight(self) -> int:
        """Lines being decoded."""
        return len(self._lines)

    @property
    def free(self) -> int:
        """Lines that can be admitted now."""
        return self._slots - self.in_flight

    def admit(self, key: int, request: S1Request) -> None:
        """Give the line a free slot. Its phonemes and prompt are read in the next step, with those of its companions.

        A line that would outgrow the slot is cut off when it is full ("limit"). Raises BadInput: no slot is free, the
        key is in flight, an id is outside its table, the prefix leaves no room for a code.
        """
        self._check(key, request)
        slot = next(slot for slot in range(self._slots) if slot not in self._lines)
        room = self._positions - request.prefix + 1  # the last code is never fed back
        limit = min(request.limit, room, self._lanes.codes.shape[1])
        self._lines[slot] = _Line(key, request, LineNoise(request.seed), limit)

    def step(self) -> list[tuple[int, S1Result]]:
        """Draw one code for every line in flight. Returns the lines that ended, whose slots are free again."""
        if not self._lines:
            return []
        self._advance()
        stopped, broken = torch.stack((self._lanes.stopped, self._lanes.broken)).tolist()
        over = []
        for slot, line in sorted(self._lines.items()):
            line.drawn += 1
            if why := line.ended(stopped[slot], broken[slot]):
                over.append((line.key, self._result(slot, line, why)))
                del self._lines[slot]
                if why == "not finite":
                    self._cache.clear(slot)  # even where they are masked, such numbers would reach the next line
        return over

    def cancel(self, key: int) -> bool:
        """Forget a line and free its slot. False: no such line is in flight."""
        for slot, line in self._lines.items():
            if line.key == key:
                del self._lines[slot]
                return True
        return False

    @torch.inference_mode()
    def _advance(self) -> None:
        if self._graphed is None:
            self._close_ranks()
        self._read()
        for slot, line in self._lines.items():
            if line.drawn % STEPS == 0:
                self._lanes.refill(slot, line.noise)
        lines = self._lines.values()
        used = max(line.used for line in lines)
        self._cache.reserve(used)
        widest = min(max(line.request.sampling.top_k for line in lines), self._model.shape.codes)
        any_top_p = any(line.request.sampling.top_p < 1 for line in lines)
        if not any(line.drawn for line in lines):  # all have just been admitted and bring their logits
            self._lanes.sample(self._slots if self._graphed else len(lines), widest, any_top_p)
        elif self._graphed:
            self._graphed(reach=used, widest=widest, any_top_p=any_top_p)
        else:
            runs = runs_for([self._lines[slot].used for slot in range(len(lines))], self._cache.capacity)
            self._lanes.advance(self._model, self._cache, runs=runs, widest=widest, any_top_p=any_top_p)

    def _read(self) -> None:
        """Read the prefixes of all lines that were admitted since the last step."""
        new = [(slot, line) for slot, line in self._lines.items() if not line.read]
        if not new:
            return
        prefixes = [Prefix(line.request.phonemes, line.request.bert, line.request.prompt, slot) for slot, line in new]
        for (slot, line), logits in zip(new, self._model.prefill_all(prefixes, self._cache), strict=True):
            self._lanes.place(slot, line.request, logits)
            line.read = True

    def _close_ranks(self) -> None:
        """Move lines from the last slots into gaps, so that the lines in flight are in the first slots."""
        rows = self.in_flight
        gaps = (slot for slot in range(rows) if slot not in self._lines)
        for slot in [slot for slot in self._lines if slot >= rows]:
            line, gap = self._lines.pop(slot), next(gaps)
            if line.read:
                self._cache.move(slot, gap, line.used)
                self._lanes.move(slot, gap)
            self._lines[gap] = line

    def _result(self, slot: int, line: _Line, why: Stop) -> S1Result:
        kept = line.drawn if why == "limit" else line.drawn - 1
        return S1Result(self._lanes.codes[slot, :kept].to("cpu", copy=True), why, kept)

    def _check(self, key: int, request: S1Request) -> None:
        if any(line.key == key for line in self._lines.values()):
            raise BadInput("key", f"{key} is in flight already")
        if not self.free:
            raise BadInput("slots", f"are all taken ({self._slots}); step until a line ends")
        shape = self._model.shape
        check_range("phonemes", request.phonemes, shape.phonemes)
        check_range("prompt", request.prompt, shape.stop)
        if request.prefix >= self._positions:
            raise BadInput(
                "phonemes and prompt", f"take {request.prefix} positions of {self._positions}; divide the text"
            )
