"""What a process that renders holds beside weights: kept small, and returned."""

from __future__ import annotations

import ctypes
import os
from functools import lru_cache
from typing import Any, Final

import torch

KERNELS_KEPT: Final = 32
"""Kernels that oneDNN has made for a shape and keeps. Its own limit is 1024, and as every line has a length of its own,
all of them are soon taken: up to 0.8 GB that no line uses again. Making them anew costs the decoder of a published
model nothing that can be measured; the few shapes of a decoding step with ``bf16`` weights are still kept."""
KERNELS_SETTING: Final = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"


def bound_kernels() -> None:
    """Limit the kernels kept, unless the environment says otherwise. Has to come before the first convolution."""
    os.environ.setdefault(KERNELS_SETTING, str(KERNELS_KEPT))


def give_back() -> None:
    """Return what is free to the system and the device: after a load the allocator holds what files were read into."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    trim = getattr(_libc(), "malloc_trim", None)
    if trim is not None:
        trim(0)


@lru_cache(maxsize=1)
def _libc() -> Any:
    """The C library of this process; ``malloc_trim`` is in GNU's only."""
    return ctypes.CDLL(None)
