"""Clock times as scripts write them, exact: ``HH:MM:SS.mmm``, ``HH:MM:SS,mmm``, ``MM:SS``, seconds."""

from __future__ import annotations

import re
from fractions import Fraction

MAX_MS = 2**31 - 1
"""596 hours: what the database keeps."""

_CLOCK = re.compile(r"(?:(\d{1,12}):)?(\d{1,3}):(\d{1,2})(?:[.,](\d{1,9}))?\Z")
_SECONDS = re.compile(r"(\d{1,12})(?:[.,](\d{1,9}))?\s*s?\Z")
_FRAMES = re.compile(r"\d{1,3}[:;]\d{2}[:;]\d{2}[:;]\d{2,3}\Z")


def parse_clock(text: str) -> Fraction | None:
    """Return seconds, or None if it is no time of day or count of seconds."""
    text = text.strip()
    match = _CLOCK.match(text)
    if match is not None:
        hours, minutes, seconds, digits = match.groups()
        if int(seconds) > 59 or (hours is not None and int(minutes) > 59):
            return None
        return _exact(int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds), digits)
    match = _SECONDS.match(text)
    return None if match is None else _exact(int(match[1]), match[2])


def counts_frames(text: str) -> bool:
    """Whether it is a timecode with a frame number, which says nothing without a frame rate."""
    return _FRAMES.match(text.strip()) is not None


def to_ms(seconds: Fraction) -> int:
    """Return whole milliseconds, halves up."""
    # in integers: a sheet has two of these a row, and each operation on fractions looks for a common divisor
    return (2000 * seconds.numerator + seconds.denominator) // (2 * seconds.denominator)


def _exact(whole: int, digits: str | None) -> Fraction:
    if not digits:
        return Fraction(whole)
    scale = 10 ** len(digits)
    return Fraction(whole * scale + int(digits), scale)
