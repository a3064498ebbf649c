"""Numbers as English words: cardinals, years, ordinals, fractions. Digits in, words out, any length."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import inflect

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LONGEST_NAMED = 36
"""Numbers with more digits than this have no name and are read digit by digit."""


@cache
def _engine() -> inflect.engine:
    import inflect

    return inflect.engine()


def _words(number: int | str, **options: object) -> str:
    return str(_engine().number_to_words(str(number), **options))  # type: ignore[arg-type]


def spelled(digits: str) -> str:
    """Digit by digit: ``"007"`` is "zero zero seven"."""
    return " ".join(DIGITS[int(digit)] for digit in digits)


def cardinal(digits: str) -> str:
    """A run of ASCII digits as it is said in running text.

    Numbers from 1001 to 2999 are read like years ("nineteen eighty-four", "fifteen hundred", "two thousand five"),
    numbers with a leading zero digit by digit, and so are those without a name.
    """
    if len(digits) > LONGEST_NAMED or (len(digits) > 1 and digits.startswith("0")):
        return spelled(digits)
    number = int(digits)
    if not 1000 < number < 3000:
        return _words(number, andword="")
    if number % 1000 == 0:
        return _words(number)
    if 2000 < number < 2010:
        return f"two thousand {_words(number % 100)}"
    if number % 100 == 0:
        return f"{_words(number // 100)} hundred"
    return _words(number, andword="", zero="oh", group=2).replace(", ", " ")


def ordinal(digits: str) -> str:
    """``"21"`` is "twenty-first"."""
    if len(digits) > LONGEST_NAMED:
        return f"{spelled(digits)}th"
    return str(_engine().ordinal(_words(int(digits))))


def decade(digits: str) -> str:
    """``"1990"``, of 1990s, is "nineteen nineties"; ``"1900"`` is "nineteen hundreds"; ``"80"`` is "eighties"."""
    words = cardinal(digits)
    return f"{words[:-1]}ies" if words.endswith("y") else f"{words}s"


def fraction(above: str, below: str) -> str:
    """``3/4`` is "three fourths", ``1/2`` "one half", ``24/7`` "twenty-four seven"."""
    if (above, below) == ("24", "7"):
        return "twenty-four seven"
    if max(len(above), len(below)) > LONGEST_NAMED:
        return f"{cardinal(above)} over {cardinal(below)}"
    parts, whole = int(above), int(below)
    if whole == 1:
        return _words(parts)
    if whole == 2:
        return f"{_words(parts)} {'half' if parts == 1 else 'halves'}"
    return f"{_words(parts)} {ordinal(below)}{'s' if parts > 1 else ''}"


def clock(hour: int, minute: int, half: str = "") -> str:
    """A time of day; ``half`` is "a.m." or "p.m." where the text says which, otherwise the 24-hour clock tells."""
    half = half or ("a.m." if hour < 12 else "p.m.")
    hour = hour - 12 if hour > 12 else hour
    past = _words(minute) if minute else "o'clock"
    return f"{_words(hour)} {past} {half}"
