"""Keys and values of all lines in flight, a slot per line, each position written once."""

from __future__ import annotations

import mmap
from contextlib import suppress
from math import prod

import torch
from torch import Tensor

GROWTH = 256
"""Positions added at a time on the CPU."""


class KvCache:
    """Per layer a tensor [2 (keys, values), slots, heads, capacity, head width].

    On the CPU the capacity grows with the longest line met, up to ``positions``: most lines are far shorter than the
    longest allowed one, and 2048 positions of the published model are 200 MB a slot. Elsewhere all of it is allocated
    at once and never moves, as a captured graph demands.

    Unused positions hold zeros or the remains of earlier lines, always finite; whoever attends masks them.
    """

    def __init__(
        self,
        *,
        layers: int,
        slots: int,
        heads: int,
        head_width: int,
        positions: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.positions = positions
        self.slots = slots
        self._moves = device.type == "cpu"
        capacity = min(positions, GROWTH) if self._moves else positions
        shape = (2, slots, heads, capacity, head_width)
        self.layers = [_zeros(shape, device, dtype) for _ in range(layers)]

    @property
    def capacity(self) -> int:
        """Positions a slot has room for now."""
        return self.layers[0].shape[3]

    def reserve(self, length: int) -> None:
        """Make room for ``length`` positions (at most ``positions``) in every slot."""
        if length <= self.capacity:
            return
        capacity = min(self.positions, -(-length // GROWTH) * GROWTH)
        for index, old in enumerate(self.layers):  # one after the other: never two whole caches at once
            new = _zeros((*old.shape[:3], capacity, old.shape[4]), old.device, old.dtype)
            new[:, :, :, : old.shape[3]] = old
            self.layers[index] = new

    def fill(self, layer: int, slot: int, pairs: Tensor) -> None:
        """Write the first positions of a slot. pairs: [length, 2, heads, head width]."""
        self.layers[layer][:, slot, :, : pairs.shape[0]] = pairs.permute(1, 2, 0, 3)  # [2, heads, length, head width]

    def clear(self, slot: int) -> None:
        """Put zeros into a slot whose numbers are not finite."""
        for layer in self.layers:
            layer[:, slot] = 0

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first ``length`` positions of a slot to another."""
        for layer in self.layers:
            layer[:, target, :, :length] = layer[:, source, :, :length]


def _zeros(shape: tuple[int, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    """Zeros; on Linux in pages of their own, which are cleared when they are first used, and large where it can.

    A decoding step walks through more small pages than the processor has addresses of at hand.
    """
    if device.type == "cpu" and hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # no such pages, or no memory: torch has its own word for that
            memory = mmap.mmap(-1, prod(shape) * dtype.itemsize, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            memory.madvise(mmap.MADV_HUGEPAGE)
            return torch.frombuffer(memory, dtype=dtype).view(shape)
    return torch.zeros(shape, device=device, dtype=dtype)
