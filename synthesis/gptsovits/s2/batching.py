"""Which lines are decoded together: lengths alike, so that little is padded, and not too much at a time."""

from __future__ import annotations

from collections.abc import Sequence

SPREAD = 1.25
"""The longest line of a bucket is at most this times its shortest."""


def buckets(lengths: Sequence[int], most: int, area: int) -> list[list[int]]:
    """Indices of lines by rising length, at most ``most`` lines and ``area`` frames squared (the attention) per bucket.

    Every index appears once; a line that is larger than ``area`` by itself has a bucket of its own.
    """
    found: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        length = lengths[index]
        bucket = found[-1] if found else []
        fits = (
            bucket
            and len(bucket) < most
            and length <= SPREAD * lengths[bucket[0]]
            and length * length * (len(bucket) + 1) <= area
        )
        if fits:
            bucket.append(index)
        else:
            found.append([index])
    return found
