"""The cycle collector, held back while a hundred thousand objects that stay are made."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_back() -> Iterator[None]:
    """Make no passes of the cycle collector inside; objects without cycles are still freed at once.

    A pass walks over everything made since the one before, and now and then over everything there is. While the lines
    of a script are made nothing of it is garbage, and the passes cost a third of the time. A collector that is off
    already, by the caller or by a block of this kind around it, stays off.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
