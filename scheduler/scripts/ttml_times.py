"""Time expressions of TTML: clock times, offsets, frames and ticks, at the rates that the root states."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from scheduler.scripts.errors import ScriptUnreadable
from scheduler.scripts.model import Rejection
from scheduler.scripts.timecode import parse_timecode

if TYPE_CHECKING:
    from lxml import etree

_CLOCK = re.compile(r"(\d{1,9}):(\d{2}):(\d{2})(?:[.,](\d{1,30})|:(\d{2,4})(?:\.(\d{1,6}))?)?\Z", re.ASCII)
_OFFSET = re.compile(r"(\d{1,30})(?:\.(\d{1,30}))?(ms|[hmsft])\Z", re.ASCII)
_BARE = re.compile(r"(?:(\d{1,4}):)?(\d{1,9})(?:\.(\d{1,30}))?\Z", re.ASCII)
"""Seconds, or minutes and seconds, without a unit: Flash captions and lyrics have them, and no specification."""
_UNITS = {"h": Fraction(3600), "m": Fraction(60), "s": Fraction(1), "ms": Fraction(1, 1000)}


@dataclass(frozen=True, slots=True)
class Clock:
    """What the root says of time."""

    rate: Fraction
    """Frames per second, the multiplier applied."""
    nominal: int
    sub_frames: int
    ticks: Fraction
    """Per second."""
    smpte: bool
    drop: bool
    notices: tuple[Rejection, ...]

    @classmethod
    def of(cls, root: etree._Element, asked: Fraction | None, file: str) -> Clock:
        """Read the parameters of a root; ``asked`` is the frame rate where it states none."""
        notices: list[Rejection] = []
        stated = _parameter(root, "frameRate")
        nominal = _count(stated, "ttp:frameRate", file) if stated is not None else None
        rate = nominal * _multiplier(root, file) if nominal is not None else asked
        if rate is None:
            rate = Fraction(30)
            if _uses_frames(root):
                notices.append(Rejection("", "counts frames and states no rate: 30 a second, as TTML has it;"
                                             " --frame-rate says otherwise"))  # fmt: skip
        sub_frames = _parameter(root, "subFrameRate")
        subs = _count(sub_frames, "ttp:subFrameRate", file) if sub_frames is not None else 1
        ticks = _parameter(root, "tickRate")
        tick_rate = Fraction(_count(ticks, "ttp:tickRate", file)) if ticks is not None else None
        if tick_rate is None:
            tick_rate = rate * subs if nominal is not None else Fraction(1)
        base = _parameter(root, "timeBase") or "media"
        drop = _parameter(root, "dropMode") or "nonDrop"
        if base == "clock":
            notices.append(Rejection("", "its times are times of day: taken as they stand"))
        if base == "smpte" and drop == "dropPAL":
            raise ScriptUnreadable(file, "", "counts dropPAL timecode, which is not read; convert it to media time")
        for element in root.iter("{*}documentStartOfProgramme"):
            notices.append(Rejection("", f"the programme starts at {words(element)[:20]}: not taken off the times"))
        whole = nominal if nominal is not None else -(-rate.numerator // rate.denominator)
        smpte = base == "smpte"
        return cls(rate, whole, subs, tick_rate, smpte, smpte and drop == "dropNTSC", tuple(notices))

    def seconds(self, text: str) -> Fraction:
        """Return a time expression as seconds. Raises ValueError, saying what is wrong with it."""
        text = text.strip()
        match = _OFFSET.match(text)
        if match is not None:
            return _decimal(match[1], match[2]) * self._unit(match[3])
        match = _CLOCK.match(text)
        if match is None and (bare := _BARE.match(text)) is not None:
            if bare[1] and int(bare[2]) > 59:
                raise ValueError(f"{text[:40]!r} is no time of a clock")
            return int(bare[1] or 0) * 60 + _decimal(bare[2], bare[3])
        if match is None:
            why = "a time before zero" if text.startswith("-") else "no time expression"
            raise ValueError(f"{text[:40]!r} is {why}")
        hours, minutes, seconds = int(match[1]), int(match[2]), int(match[3])
        if minutes > 59 or seconds > 60:
            raise ValueError(f"{text[:40]!r} is no time of a clock")
        if match[5] is None:
            return (hours * 60 + minutes) * 60 + seconds + _decimal("0", match[4])
        return self._frames(text, hours, minutes, seconds, int(match[5])) + self._sub(match[6])

    @staticmethod
    def lacks_unit(text: str) -> bool:
        """Whether it is a number of seconds that does not say so."""
        return _BARE.match(text.strip()) is not None

    def _unit(self, metric: str) -> Fraction:
        if metric == "f":
            return 1 / self.rate
        return 1 / self.ticks if metric == "t" else _UNITS[metric]

    def _frames(self, text: str, hours: int, minutes: int, seconds: int, frames: int) -> Fraction:
        if frames >= self.nominal:
            raise ValueError(f"{text[:40]!r} has frame {frames}, and the last of a second is {self.nominal - 1}")
        if self.drop:
            stamp = f"{hours:02}:{minutes:02}:{seconds:02};{frames:02}"
            return parse_timecode(stamp, self.rate, drop=True)
        if self.smpte:
            return Fraction(((hours * 60 + minutes) * 60 + seconds) * self.nominal + frames) / self.rate
        return (hours * 60 + minutes) * 60 + seconds + frames / self.rate

    def _sub(self, text: str | None) -> Fraction:
        return Fraction(int(text)) / (self.sub_frames * self.rate) if text else Fraction(0)


def attribute(element: etree._Element, space: str, name: str) -> str | None:
    """Return an attribute of one of TTML's namespaces, such as ``parameter``, whatever its year."""
    ending = f"#{space}}}{name}"
    return next((str(value) for key, value in element.attrib.items() if str(key).endswith(ending)), None)


def _parameter(element: etree._Element, name: str) -> str | None:
    return attribute(element, "parameter", name)


def words(element: etree._Element) -> str:
    """Return the text of an element, white space collapsed."""
    return " ".join("".join(str(part) for part in element.itertext()).split())


def _count(text: str, name: str, file: str) -> int:
    text = text.strip()
    if not re.fullmatch(r"\d{1,12}", text, re.ASCII) or int(text) == 0:
        raise ScriptUnreadable(file, "", f"{name} is {text[:40]!r}; it must be a whole number above zero")
    return int(text)


def _multiplier(root: etree._Element, file: str) -> Fraction:
    text = _parameter(root, "frameRateMultiplier")
    if text is None:
        return Fraction(1)
    parts = re.split(r"[\s:]+", text.strip())
    if len(parts) > 2:
        raise ScriptUnreadable(file, "", f"ttp:frameRateMultiplier is {text[:40]!r}; write it as 1000 1001")
    numbers = [_count(part, "ttp:frameRateMultiplier", file) for part in parts]
    return Fraction(*numbers)


def _uses_frames(root: etree._Element) -> bool:
    for element in root.iter("{*}body", "{*}div", "{*}p", "{*}span"):
        for name in ("begin", "end", "dur"):
            text = (element.get(name) or "").strip()
            if text.endswith("f") or text.count(":") == 3:
                return True
    return False


def _decimal(whole: str, digits: str | None) -> Fraction:
    return int(whole) + (Fraction(int(digits), 10 ** len(digits)) if digits else Fraction(0))
