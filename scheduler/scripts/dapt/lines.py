"""What a Script Event is as a line, and back: the one place that knows both vocabularies."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType

from scheduler.scripts.dapt.model import TimedPart
from scheduler.scripts.dapt.names import is_subtype
from scheduler.scripts.model import Boundary, LineKind

REPRESENTS: Mapping[LineKind, str] = MappingProxyType(
    {
        "speech": "audio.dialogue",
        "reaction": "audio.nonDialogueSounds.x-reaction",
        "walla": "audio.nonDialogueSounds.x-walla",
        "onscreen": "visual.text",
    }
)
"""What a line of each kind represents where nothing else is known."""

ON_SCREEN: Mapping[str, str] = MappingProxyType({"on": "ON", "off": "OFF", "on/off": "ON_OFF", "off/on": "OFF_ON"})
"""Value of direction['onscreen'] → daptm:onScreen."""

KINDS: tuple[LineKind, ...] = ("speech", "reaction", "walla", "onscreen")
BOUNDARIES: tuple[Boundary, ...] = ("sentence", "paragraph", "heading", "scene", "section")

NATIVE_EXTRA = ("scene", "plotSignificance")
"""Extras that are descriptions of the registry."""
_PRONUNCIATION = "pronunciation"
_EXACT = re.compile(r"\d{1,18}(?:/\d{1,18})?\Z", re.ASCII)
_PARAGRAPH_GAP = Fraction(3)
"""Seconds of silence after which the next line is a new paragraph, as for subtitles."""


def kind_of(represents: str, script_represents: Sequence[str], *, has_characters: bool) -> LineKind:
    """Return the kind of line for what an event represents in a script that represents so much.

    In a script of the picture alone, an audio description, every text is there to be spoken.
    """
    if is_subtype(represents, REPRESENTS["walla"]):
        return "walla"
    if is_subtype(represents, REPRESENTS["reaction"]):
        return "reaction"
    if is_subtype(represents, "audio.nonDialogueSounds"):
        return "reaction" if has_characters else "walla"
    is_description = all(is_subtype(item, "visual") for item in script_represents)
    if is_subtype(represents, "visual.text") and not is_description:
        return "onscreen"
    return "speech"


def direction_key(description_type: str) -> str | None:
    """Return the key of ``direction`` for a type of description; None if it is no direction."""
    if description_type == "pronunciationNote":
        return _PRONUNCIATION
    return description_type[2:] if description_type.startswith("x-") else None


def description_type(direction: str) -> str:
    """Return the type of description for a key of ``direction``."""
    return "pronunciationNote" if direction == _PRONUNCIATION else f"x-{direction}"


def boundary_after(end: Fraction | None, following: Fraction | None, *, is_last: bool) -> Boundary:
    """Return what follows a line, by the clock alone."""
    if is_last:
        return "section"
    far = end is not None and following is not None and following - end >= _PARAGRAPH_GAP
    return "paragraph" if far else "sentence"


def parts_as_text(parts: Sequence[TimedPart]) -> str:
    """Return timed parts as a value of ``extra['spans']``: JSON with exact seconds."""
    return json.dumps(
        [
            {"in": str(part.begin), "out": None if part.end is None else str(part.end), "text": part.text}
            for part in parts
        ],
        ensure_ascii=False,
        separators=(",", ":"),
    )


def parts_from_text(value: str) -> tuple[TimedPart, ...]:
    """Return timed parts from a value of ``extra['spans']``; () if it is not exactly such a value."""
    try:
        rows = json.loads(value)
        parts = tuple(
            TimedPart(str(row["text"]), _exact(row["in"]), None if row["out"] is None else _exact(row["out"]))
            for row in rows
        )
    except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError):
        return ()
    return parts if parts_as_text(parts) == value else ()


def _exact(text: str) -> Fraction:
    if _EXACT.match(text) is None:  # an exponent would make a number that never ends
        raise ValueError(text)
    return Fraction(text)
