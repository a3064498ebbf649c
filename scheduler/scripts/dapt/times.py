"""DAPT time expressions as exact seconds, and the intervals they make inside each other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from scheduler.scripts.dapt.names import TTP
from scheduler.scripts.dapt.tree import Node

_CLOCK = re.compile(r"(\d{2,9}):(\d{2}):(\d{2})(\.\d{1,30})?\Z", re.ASCII)
_FRAMES = re.compile(r"\d{2,9}:\d{2}:\d{2}[:;]\d{2,}(?:\.\d+)?\Z", re.ASCII)
_OFFSET = re.compile(r"(\d{1,15}(?:\.\d{1,30})?)(h|ms|m|s|f|t)\Z", re.ASCII)
MAX_RATE = 999_999_999
"""Frames or ticks per second that are read."""
_COUNT = re.compile(r"\d{1,9}\Z", re.ASCII)
_UNITS: Mapping[str, Fraction] = {"h": Fraction(1, 3600), "m": Fraction(1, 60), "s": Fraction(1), "ms": Fraction(1000)}
"""How many of each make a second."""
_MAX_DECIMALS = 9
"""Nanoseconds: what does not fit is written in frames or ticks."""
_TIMECODE = re.compile(r"(\d{2,}):([0-5]\d):([0-5]\d):(\d{2,})\Z", re.ASCII)


class TimeFault(ValueError):
    """A time expression that is none; ``rule`` says which rule it breaks."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(rule, message)
        self.rule = rule
        self.message = message


@dataclass(frozen=True, slots=True)
class Rates:
    """What frames and ticks are worth in this document; None is not declared."""

    frames: Fraction | None = None
    """Per second, the multiplier applied."""
    nominal: int | None = None
    """Frames that a timecode counts to in a second."""
    ticks: Fraction | None = None
    """Per second."""

    @classmethod
    def of(cls, root: Node) -> Rates:
        """Take the rates from the root element; what is no number counts as not declared (see rate_faults)."""
        nominal = _positive(root.get(TTP, "frameRate"))
        ticks = _positive(root.get(TTP, "tickRate"))
        multiplier = _multiplier(root.get(TTP, "frameRateMultiplier"))
        frames = None if nominal is None or multiplier is None else nominal * multiplier
        return cls(frames, nominal, None if ticks is None else Fraction(ticks))

    def seconds(self, text: str) -> Fraction:
        """Return the seconds a time expression says. Raises TimeFault."""
        clock = _CLOCK.match(text)
        if clock is not None:
            hours, minutes, seconds, fraction = clock.groups()
            if int(minutes) > 59 or int(seconds) > 59:
                raise TimeFault("time-clock", f"{text!r} has more than 59 minutes or seconds")
            return int(hours) * 3600 + int(minutes) * 60 + Fraction(f"{int(seconds)}{fraction or ''}")
        offset = _OFFSET.match(text)
        if offset is not None:
            return Fraction(offset[1]) / self._per_second(offset[2], text)
        if _FRAMES.match(text) is not None:
            raise TimeFault("time-clock-with-frames", f"{_short(text)} counts frames; write media time, such as 12.48s")
        raise TimeFault("timing", f"{_short(text)} is no time; write 00:00:12.48, 12.48s, 312f or 1248t")

    def _per_second(self, metric: str, text: str) -> Fraction:
        if metric == "f":
            if self.frames is None:
                raise TimeFault("frameRate", f"{text!r} counts frames: give ttp:frameRate on <tt>")
            return self.frames
        if metric == "t":
            if self.ticks is None:
                raise TimeFault("tickRate", f"{text!r} counts ticks: give ttp:tickRate on <tt>")
            return self.ticks
        return _UNITS[metric]


@dataclass(frozen=True, slots=True)
class Interval:
    """From when to when on the programme's time line, in seconds; None is open."""

    begin: Fraction
    end: Fraction | None
    is_stated: bool
    """Whether any element said a time; without one there is nothing to sync with."""

    def inside(self, node: Node, rates: Rates) -> Interval:
        """The interval of an element in this one. Raises TimeFault."""
        begin, end, length = (_seconds(node.plain(name), rates) for name in ("begin", "end", "dur"))
        if begin is None and end is None and length is None:
            return self
        start = self.begin + (begin or 0)
        ends = [self.end] if self.end is not None else []
        if end is not None:
            ends.append(self.begin + end)
        if length is not None:
            ends.append(start + length)
        return Interval(start, min(ends) if ends else None, True)


WHOLE = Interval(Fraction(0), None, False)
"""The programme."""


def rate_faults(root: Node) -> list[tuple[str, str]]:
    """Return (rule, message) for each rate on the root that is no rate."""
    found = []
    for name in ("frameRate", "tickRate"):
        value = root.get(TTP, name)
        if value is not None and _positive(value) is None:
            found.append((name, f"ttp:{name}={_short(value)} is not a whole number above zero"))
    value = root.get(TTP, "frameRateMultiplier")
    if value is not None and _multiplier(value) is None:
        found.append(
            ("frameRateMultiplier", f"ttp:frameRateMultiplier={_short(value)} is not two numbers, '1000 1001'")
        )
    return found


def timecode_fault(text: str, rates: Rates) -> str | None:
    """Return what is wrong with a timecode ``HH:MM:SS:FF`` in this document, or None."""
    match = _TIMECODE.match(text)
    if match is None:
        return f"{_short(text)} is not HH:MM:SS:FF"
    if rates.nominal is None:
        return f"{_short(text)} counts frames: give ttp:frameRate on <tt>"
    if len(match[4]) > 9 or int(match[4]) >= rates.nominal:
        return f"{_short(text)} has a frame number that does not exist at {rates.nominal} frames per second"
    return None


def timecode_seconds(text: str, rates: Rates) -> Fraction | None:
    """Return the elapsed time a timecode stands for, counted without drops; None if it cannot be said."""
    match = _TIMECODE.match(text)
    if match is None or rates.frames is None or rates.nominal is None or len(match[1]) > 6 or len(match[4]) > 9:
        return None
    whole = int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3])
    return (whole * rates.nominal + int(match[4])) / rates.frames


def written(seconds: Fraction, rates: Rates) -> str | None:
    """Return the time expression for an exact time, in frames, decimals or ticks; None if none is exact."""
    if rates.frames is not None and (seconds * rates.frames).denominator == 1:
        return f"{seconds * rates.frames}f"
    decimals = _decimal(seconds)
    if decimals is not None:
        return f"{decimals}s"
    if rates.ticks is not None and (seconds * rates.ticks).denominator == 1:
        return f"{seconds * rates.ticks}t"
    return None


def _decimal(value: Fraction) -> str | None:
    for digits in range(_MAX_DECIMALS + 1):
        scaled = value * 10**digits
        if scaled.denominator == 1:
            whole, rest = divmod(scaled.numerator, 10**digits)
            return f"{whole}.{rest:0{digits}d}" if digits else str(whole)
    return None


def _seconds(text: str | None, rates: Rates) -> Fraction | None:
    return None if text is None else rates.seconds(text)


def _positive(text: str | None) -> int | None:
    return int(text) if text is not None and _COUNT.match(text) and int(text) > 0 else None


def _multiplier(text: str | None) -> Fraction | None:
    if text is None:
        return Fraction(1)
    parts = [_positive(part) for part in text.split()]
    return Fraction(parts[0], parts[1]) if len(parts) == 2 and parts[0] and parts[1] else None


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
