"""Models that several voices share: loaded once, counted, let go with the last voice that holds them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

V = TypeVar("V")


@dataclass(slots=True)
class _Shared:
    value: Any
    holders: int


class ModelPool:
    """Values by key with the number of their holders. Used by one thread."""

    def __init__(self) -> None:
        self._shared: dict[Hashable, _Shared] = {}

    def acquire(self, key: Hashable, load: Callable[[], V]) -> V:
        """The value of ``key``, loaded now if nobody holds it. What ``load`` raises leaves nothing behind."""
        found = self._shared.get(key)
        if found is None:
            found = self._shared[key] = _Shared(load(), 0)
        found.holders += 1
        value: V = found.value
        return value

    def release(self, key: Hashable) -> None:
        """Let go of a value that was acquired; the last holder's release drops it."""
        found = self._shared[key]
        found.holders -= 1
        if not found.holders:
            del self._shared[key]

    def keys(self) -> list[Hashable]:
        """What is loaded now."""
        return list(self._shared)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory, of the device or of the machine, ran out. A CPU's allocator has no class of its own for that."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and ("not enough memory" in text or "can't allocate memory" in text)


def is_device_fault(error: BaseException) -> bool:
    """Whether the device failed in a way that this process does not recover from."""
    return isinstance(error, RuntimeError) and ("CUDA error" in str(error) or "CUDNN_STATUS" in str(error))
