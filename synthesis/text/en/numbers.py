"""Numbers as English words: cardinals, years, ordinals, fractions. Digits in, words out, any length."""

from __future__ import annotations

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen"),
    *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = (
    *("", "thousand", "million", "billion", "trillion", "quadrillion"),
    *("quintillion", "sextillion", "septillion", "octillion", "nonillion", "decillion"),
)
LONGEST_NAMED = 3 * len(_SCALES)
"""Numbers with more digits than this have no name here and are read digit by digit."""
_IRREGULAR = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def spelled(digits: str) -> str:
    """Digit by digit: ``"007"`` is "zero zero seven"."""
    return " ".join(DIGITS[int(digit)] for digit in digits)


def words(number: int, link: str = "") -> str:
    """A number below 10**36 in words, a comma after each group: "two thousand, one hundred fifteen".

    ``link`` is what joins tens and ones to what is before them: "" (American) or "and".
    """
    if number == 0:
        return DIGITS[0]
    rest, lowest = divmod(number, 1000)
    groups: list[str] = []
    for scale in _SCALES[1:]:
        rest, group = divmod(rest, 1000)
        if group:
            groups.append(f"{_below_1000(group, link)} {scale}")
    high, low = ", ".join(reversed(groups)), _below_1000(lowest, link)
    if not high or not low:
        return high or low
    return f"{high}, {low}" if lowest >= 100 else " ".join([high, *([link] if link else []), low])


def _below_1000(number: int, link: str) -> str:
    hundreds, rest = divmod(number, 100)
    parts = [f"{DIGITS[hundreds]} hundred"] if hundreds else []
    if hundreds and rest and link:
        parts.append(link)
    return " ".join([*parts, _below_100(rest)] if rest else parts)


def _below_100(number: int) -> str:
    tens, ones = divmod(number, 10)
    if tens == 0:
        return DIGITS[ones]
    if tens == 1:
        return _TEENS[ones]
    return f"{_TENS[tens]}-{DIGITS[ones]}" if ones else _TENS[tens]


def cardinal(digits: str) -> str:
    """A run of digits as it is said in running text.

    Numbers from 1001 to 2999 are read like years ("nineteen eighty-four", "fifteen hundred", "two thousand five"),
    numbers with a leading zero digit by digit, and so are those without a name.
    """
    if len(digits) > LONGEST_NAMED or (len(digits) > 1 and int(digits[0]) == 0):
        return spelled(digits)
    number = int(digits)
    if not 1000 < number < 3000 or number == 2000:
        return words(number)
    century, year = divmod(number, 100)
    if 2000 < number < 2010:
        return f"two thousand {DIGITS[year]}"
    if year == 0:
        return f"{_below_100(century)} hundred"
    return f"{_below_100(century)} {f'oh {DIGITS[year]}' if year < 10 else _below_100(year)}"


def ordinal(digits: str) -> str:
    """``"21"`` is "twenty-first", ``"101"`` "one hundred and first"."""
    if len(digits) > LONGEST_NAMED:
        return f"{spelled(digits)}th"
    said = words(int(digits), link="and")
    head, last = said[: -len(_last(said))], _last(said)
    if last in _IRREGULAR:
        return head + _IRREGULAR[last]
    return f"{head}{last[:-1]}ieth" if last.endswith("y") else f"{head}{last}th"


def _last(said: str) -> str:
    return said.replace("-", " ").split(" ")[-1]


def decade(digits: str) -> str:
    """``"1990"``, of 1990s, is "nineteen nineties"; ``"1900"`` is "nineteen hundreds"; ``"80"`` is "eighties"."""
    said = cardinal(digits)
    return f"{said[:-1]}ies" if said.endswith("y") else f"{said}s"


def fraction(above: str, below: str) -> str:
    """``3/4`` is "three fourths", ``1/2`` "one half", ``24/7`` "twenty-four seven"."""
    if (above, below) == ("24", "7"):
        return "twenty-four seven"
    if max(len(above), len(below)) > LONGEST_NAMED:
        return f"{cardinal(above)} over {cardinal(below)}"
    parts, whole = int(above), int(below)
    if whole == 1:
        return words(parts, link="and")
    if whole == 2:
        return f"{words(parts, link='and')} {'half' if parts == 1 else 'halves'}"
    return f"{words(parts, link='and')} {ordinal(below)}{'s' if parts > 1 else ''}"


def clock(hour: int, minute: int, half: str = "") -> str:
    """A time of day; ``half`` is "a.m." or "p.m." where the text says which, otherwise the 24-hour clock tells."""
    half = half or ("a.m." if hour < 12 else "p.m.")
    past = words(minute) if minute else "o'clock"
    return f"{words(hour - 12 if hour > 12 else hour)} {past} {half}"
