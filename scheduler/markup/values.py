"""What may stand in a tag: lengths of breaks, rates, names, kinds. Each is checked here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import cast

from scheduler.markup.nodes import (
    GREATEST_RATE,
    LEAST_RATE,
    LONGEST_BREAK_MS,
    SAY_AS_KINDS,
    Container,
    Emotion,
    Lang,
    Paragraph,
    Prosody,
    SayAsKind,
    Sentence,
    Voice,
)
from scheduler.markup.readings import ALPHABETS
from scheduler.scripts.languages import normal_tag

STRENGTHS_MS: Mapping[str, int] = MappingProxyType(
    {"none": 0, "x-weak": 100, "weak": 250, "medium": 500, "strong": 1000, "x-strong": 1500}
)
"""Length of a break of each strength, in milliseconds."""
MAX_NAME_CHARS = 200

_LENGTH = re.compile(r"\+?(\d{1,6}(?:\.\d{1,6})?|\.\d{1,6})\s*(ms|s|)", re.IGNORECASE)
_PERCENT = re.compile(r"(\d{1,4}(?:\.\d{1,4})?)\s*%")


class BadValue(ValueError):
    """A value that a tag cannot have; the message says what to write."""


def break_ms(written: str, *, bare_seconds: bool) -> int:
    """Milliseconds of ``500ms`` or ``1.5s``; of ``1.5`` too where a bare number is seconds. Raises BadValue."""
    found = _LENGTH.fullmatch(written.strip())
    if found is None or not (found[2] or bare_seconds):
        raise BadValue(f"{written.strip()!r} is no length of a pause; write one such as 500ms or 1.5s")
    length = Decimal(found[1]) * (1 if found[2].lower() == "ms" else 1000)
    if length > LONGEST_BREAK_MS:
        raise BadValue(f"a pause of {written.strip()} is longer than {LONGEST_BREAK_MS // 1000} s; shorten it")
    return int(length.to_integral_value())


def rate(written: str) -> Decimal:
    """Pace as a factor, of ``80%`` … ``125%``. Raises BadValue."""
    found = _PERCENT.fullmatch(written.strip())
    factor = Decimal(found[1]) / 100 if found is not None else Decimal(0)
    if not LEAST_RATE <= factor <= GREATEST_RATE:
        raise BadValue(f"the rate {written.strip()!r} is not one of 80% to 125%; write such as 90%")
    return factor


def percent(factor: Decimal) -> str:
    """How a rate is written: 90%."""
    return f"{plain_number(factor * 100)}%"


def plain_number(value: Decimal) -> str:
    """A decimal without exponent and without zeros behind its last digit."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def name(written: str) -> str:
    """A name on one line. Raises BadValue for none."""
    found = " ".join(written.split())
    if not found:
        raise BadValue("it names nobody and nothing; write a name in it")
    if len(found) > MAX_NAME_CHARS:
        raise BadValue(f"a name of {len(found)} characters is longer than {MAX_NAME_CHARS}; shorten it")
    return found


def language(written: str) -> str:
    """A language tag in its usual case. Raises BadValue."""
    tag = normal_tag(written)
    if tag is None:
        raise BadValue(f"{written.strip()!r} is no language; write a tag such as ja or en-GB")
    return tag


def say_as(written: str) -> SayAsKind:
    """A kind of text. Raises BadValue."""
    kind = written.strip().lower()
    if kind not in SAY_AS_KINDS:
        raise BadValue(
            f"{written.strip()!r} is no kind of text that is understood; choose from {', '.join(SAY_AS_KINDS)}"
        )
    return cast(SayAsKind, kind)


def alphabet(written: str) -> str:
    """A phonetic alphabet. Raises BadValue."""
    found = written.strip().lower() or "ipa"
    if found not in ALPHABETS:
        raise BadValue(f"{written.strip()!r} is no alphabet that is understood; choose from {', '.join(ALPHABETS)}")
    return found


CONTAINERS: Mapping[str, Callable[[str], Container]] = MappingProxyType(
    {
        "voice": lambda value: Voice(name(value)),
        "emotion": lambda value: Emotion(name(value)),
        "lang": lambda value: Lang(language(value)),
        "rate": lambda value: Prosody(rate(value)),
        "paragraph": lambda value: _without(value, Paragraph()),
        "sentence": lambda value: _without(value, Sentence()),
    }
)
"""Makers of empty containers from what stands in their tags, by their names in brackets."""


def _without(value: str, made: Container) -> Container:
    if value.strip():
        raise BadValue("it takes no value; write it without one")
    return made
