"""SMPTE ST 12-1 timecode, exact: frame numbers to seconds and back, drop-frame counting included.

A timecode counts frames; it is a time only together with a frame rate. 01:00:00:00 is 3600 s at 25 frames a second and
3603.6 s at 23.976, so no rate is ever assumed. Drop-frame counting (a semicolon before the frames) leaves out frame
*numbers*, never frames: two at 29.97, four at 59.94, at the start of each minute but every tenth.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

_WHOLE = (24, 25, 30, 48, 50, 60, 96, 100, 120)
_PULLED_DOWN = (24, 30, 48, 60, 96, 120)
_SPELLED: Mapping[str, Fraction] = {
    "23.976": Fraction(24000, 1001), "23.98": Fraction(24000, 1001), "23.97": Fraction(24000, 1001),
    "29.97": Fraction(30000, 1001), "47.952": Fraction(48000, 1001), "47.95": Fraction(48000, 1001),
    "59.94": Fraction(60000, 1001), "95.904": Fraction(96000, 1001), "119.88": Fraction(120000, 1001),
}  # fmt: skip
RATES: frozenset[Fraction] = frozenset({Fraction(rate) for rate in _WHOLE}) | frozenset(
    Fraction(rate * 1000, 1001) for rate in _PULLED_DOWN
)
"""The rates that film and television run at."""
_UNDERSTOOD = "23.976, 24, 25, 29.97, 30, 48, 50, 59.94, 60, or exact as 24000/1001"
_RATE = re.compile(r"(\d{1,6}(?:[.,]\d{1,6})?)(?:/(\d{1,6}))?(?:\s*(?:fps|p))?\Z", re.IGNORECASE | re.ASCII)
_TIMECODE = re.compile(r"(\d{1,2})([:;])(\d{2})([:;])(\d{2})([:;])(\d{2,3})\Z", re.ASCII)
_DROPPED_PER_MINUTE: Mapping[Fraction, int] = {Fraction(30000, 1001): 2, Fraction(60000, 1001): 4}


class TimecodeInvalid(ValueError):
    """A text is no timecode at the frame rate given; the message says why."""


class DropFrameRefused(TimecodeInvalid):
    """Drop-frame counting at a rate that has none: the frame rate is wrong, not this one value."""


class FrameRateInvalid(ValueError):
    """A text names no frame rate; the message lists those that are known."""


def parse_frame_rate(text: str) -> Fraction:
    """Return frames per second, exact: '23.976' and '24000/1001' are the same rate. Raises FrameRateInvalid."""
    match = _RATE.match(text.strip())
    if match is not None:
        number, divisor = match[1].replace(",", "."), match[2]
        rate = _SPELLED.get(number) if divisor is None else None
        if rate is None and (divisor is None or int(divisor)):
            rate = Fraction(number) / int(divisor or 1)
        if rate is not None and rate in RATES:
            return rate
    raise FrameRateInvalid(f"{text[:40]!r} is no frame rate that is known; write {_UNDERSTOOD}")


def nominal_rate(rate: Fraction) -> int:
    """Return how many frame numbers a second has: 30 at 29.97."""
    return -(-rate.numerator // rate.denominator)


def shown_rate(rate: Fraction) -> str:
    """Return a rate as people write it: '25', '23.976', '29.97'."""
    return str(rate.numerator) if rate.denominator == 1 else f"{float(rate):.3f}".rstrip("0")


def parse_timecode(text: str, rate: Fraction, *, drop: bool = False) -> Fraction:
    """Return the seconds of ``HH:MM:SS:FF`` (non-drop) or ``HH:MM:SS;FF`` (drop-frame), exact.

    ``drop`` counts drop-frame whatever the separators are, for lists that never write the semicolon. Raises
    TimecodeInvalid for a value that no clock shows, DropFrameRefused for drop-frame at a rate that has none.
    """
    match = _TIMECODE.match(text.strip())
    if match is None:
        raise TimecodeInvalid(f"{text[:40]!r} is no timecode; write HH:MM:SS:FF, or HH:MM:SS;FF for drop-frame")
    drop = drop or ";" in match[6] or ";" in match[2]
    return frame_time(int(match[1]), int(match[3]), int(match[5]), int(match[7]), rate, drop=drop, shown=text.strip())


def frame_time(
    hours: int, minutes: int, seconds: int, frames: int, rate: Fraction, *, drop: bool = False, shown: str = ""
) -> Fraction:
    """Return the seconds of a timecode that is stored as numbers, exact; ``shown`` is how a message names it.

    Raises TimecodeInvalid and DropFrameRefused as ``parse_timecode`` does.
    """
    nominal = nominal_rate(rate)
    shown = shown or f"{hours:02}:{minutes:02}:{seconds:02}{';' if drop else ':'}{frames:02}"
    if hours > 23 or minutes > 59 or seconds > 59:
        raise TimecodeInvalid(f"{shown!r} is no timecode: the last one of a day begins with 23:59:59")
    if frames >= nominal:
        raise TimecodeInvalid(
            f"{shown!r} has frame {frames}, and at {shown_rate(rate)} the last of a second is {nominal - 1}"
        )
    count = ((hours * 60 + minutes) * 60 + seconds) * nominal + frames
    if drop:
        per_minute = _dropped(shown, rate)
        if seconds == 0 and minutes % 10 and frames < per_minute:
            raise TimecodeInvalid(
                f"{shown!r} does not exist: drop-frame leaves out frames 0 to {per_minute - 1} of this minute"
            )
        whole_minutes = hours * 60 + minutes
        count -= per_minute * (whole_minutes - whole_minutes // 10)
    return Fraction(count * rate.denominator, rate.numerator)


def format_timecode(seconds: Fraction, rate: Fraction, drop: bool = False) -> str:
    """Return the timecode of the frame nearest to a time (halves up).

    Raises TimecodeInvalid below zero or past the day, DropFrameRefused for drop-frame at a rate that has none.
    """
    doubled = 2 * seconds * rate + 1
    count = doubled.numerator // (2 * doubled.denominator)
    nominal = nominal_rate(rate)
    if drop:
        per_minute = _dropped("a time", rate)
        in_ten, in_one = 600 * nominal - 9 * per_minute, 60 * nominal - per_minute
        tens, rest = divmod(count, in_ten)
        count += 9 * per_minute * tens
        if rest >= 60 * nominal:
            count += per_minute * (1 + (rest - 60 * nominal) // in_one)
    if not 0 <= count < 86_400 * nominal:
        raise TimecodeInvalid(f"{float(seconds):.3f} s is outside the 24 hours of a timecode")
    whole, frames = divmod(count, nominal)
    width = len(str(nominal - 1))
    clock = f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
    return f"{clock}{';' if drop else ':'}{frames:0{width}}"


def _dropped(text: str, rate: Fraction) -> int:
    """Return the frame numbers left out of a minute, or say that the rate has no drop-frame counting."""
    per_minute = _DROPPED_PER_MINUTE.get(rate)
    if per_minute is None:
        raise DropFrameRefused(
            f"{text!r} is drop-frame timecode, which only 29.97 and 59.94 have, and the rate here is "
            f"{shown_rate(rate)}; name the right frame rate, or write a colon before the frames"
        )
    return per_minute
