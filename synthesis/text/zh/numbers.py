"""Numbers as Chinese words."""

from __future__ import annotations

DIGITS = "零一二三四五六七八九"
_PLACES = ("", "十", "百", "千")


def spelled(number: str, *, telephone: bool = False) -> str:
    """Digit by digit: ``105`` is 一零五, in telephone numbers 幺零五."""
    words = "".join(DIGITS[int(digit)] for digit in number)
    return words.replace("一", "幺") if telephone else words


def cardinal(number: str) -> str:
    """A whole number of any length in ASCII digits: ``0`` is 零, ``15`` 十五, ``1050`` 一千零五十, empty is empty."""
    stripped = number.lstrip("0")
    if not stripped:
        return DIGITS[0] if number else ""
    # Groups of eight digits from the right, joined by 亿.
    first = len(stripped) % 8 or 8
    groups = [stripped[:first]] + [stripped[at : at + 8] for at in range(first, len(stripped), 8)]
    words = "亿".join(_below_hundred_million(group) for group in groups)
    return words.removeprefix("一") if words.startswith("一十") else words


def decimal(number: str) -> str:
    """A number with or without a point: ``12.5`` is 十二点五, ``.22`` 零点二二, ``3.200`` 三点二零."""
    whole, _, fraction = number.partition(".")
    words = cardinal(whole)
    kept = fraction.rstrip("0")
    if fraction.endswith("0"):
        kept += "0"
    return f"{words or DIGITS[0]}点{spelled(kept)}" if kept else words


def _below_hundred_million(digits: str) -> str:
    """Up to eight digits; leading zeros are heard as one 零 unless nothing follows."""
    low = digits[-4:]
    high = digits[:-4]
    if not high.strip("0"):
        return _below_ten_thousand(("0" if high else "") + low)
    return f"{_below_ten_thousand(high)}万{_below_ten_thousand(low)}"


def _below_ten_thousand(digits: str) -> str:
    words = ""
    gap = False
    for place, digit in zip(range(len(digits) - 1, -1, -1), digits, strict=True):
        if digit == "0":
            gap = True
            continue
        words += (DIGITS[0] if gap else "") + DIGITS[int(digit)] + _PLACES[min(place, 3)]
        gap = False
    return words
