"""What a process that renders holds beside weights: kept small, and returned."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

import torch

KERNELS_KEPT: Final = 32
"""Kernels that oneDNN has made for a shape and keeps. Its own limit is 1024, and as every line has a length of its own,
all of them are soon taken: up to 0.8 GB that no line uses again. Making them anew costs the decoder of a published
model nothing that can be measured; the few shapes of a decoding step with ``bf16`` weights are still kept."""
KERNELS_SETTING: Final = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"

# GNU's allocator, malloc.h
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_MAPPED_WHILE_LOADING: Final = 1 << 18
_MAPPED_OTHERWISE: Final = 32 << 20
"""Where the allocator's own adjustment would end: buffers of the decoder are used again, not mapped for each line."""

LINES_BETWEEN: Final = 100
"""Lines of a published model take minutes on a CPU, returning what they leave tens of milliseconds."""


def bound_kernels() -> None:
    """Limit the kernels kept, unless the environment says otherwise. Has to come before the first convolution."""
    os.environ.setdefault(KERNELS_SETTING, str(KERNELS_KEPT))


@contextmanager
def loading() -> Iterator[None]:
    """While files become models, whatever is large gets pages of its own and returns them when it goes.

    Otherwise the copies on the way, some GB of them, leave holes between weights that stay.
    """
    _tune(_MMAP_THRESHOLD, _MAPPED_WHILE_LOADING)
    try:
        yield
    finally:
        _tune(_MMAP_THRESHOLD, _MAPPED_OTHERWISE)
        _tune(_TRIM_THRESHOLD, 2 * _MAPPED_OTHERWISE)
        give_back()


def give_back() -> None:
    """Return what is free to the system and the device."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    _trim()


class Holes:
    """What lines leave free between things that stay, returned to the system every ``LINES_BETWEEN`` lines.

    No line is as long as another, so a hole seldom fits the next one: without this a process of a small voice grew by
    10 MB every 1,000 lines, and what was free in it came to 150 MB after the first 1,000.
    """

    def __init__(self) -> None:
        self._lines = 0

    def after(self, lines: int) -> None:
        """Note that so many lines have ended."""
        self._lines += lines
        if self._lines >= LINES_BETWEEN:
            self._lines = 0
            _trim()


def _trim() -> None:
    trim = getattr(_libc(), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _tune(setting: int, value: int) -> None:
    tune = getattr(_libc(), "mallopt", None)
    if tune is not None:
        tune(setting, value)


@lru_cache(maxsize=1)
def _libc() -> Any:
    """The C library of this process; only GNU's has these functions."""
    return ctypes.CDLL(None)
