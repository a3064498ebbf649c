"""English as it is written turned into English as it is read: words, and the marks ! , - . ? only.

The order of the steps matters: what an earlier step leaves as digits, a later one reads. Where the training data's own
normaliser misreads (1990s as seconds, an apostrophe of the typographic kind as nothing), this one does not follow it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from synthesis.text.en import numbers
from synthesis.text.errors import UnreadableText

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
    "¥": ("yen", "yen", "sen", "sen"),
}
UNITS = {
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "mph": ("mile per hour", "miles per hour"),
    "km": ("kilometer", "kilometers"),
    "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"),
    "m": ("meter", "meters"),
    "ft": ("feet", "feet"),
    "kg": ("kilogram", "kilograms"),
    "mg": ("milligram", "milligrams"),
    "g": ("gram", "grams"),
    "ml": ("milliliter", "milliliters"),
    "L": ("liter", "liters"),
    "tbsp": ("tablespoon", "tablespoons"),
    "tsp": ("teaspoon", "teaspoons"),
    "min": ("minute", "minutes"),
    "h": ("hour", "hours"),
    "s": ("second", "seconds"),
    "kHz": ("kilohertz", "kilohertz"),
    "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"),
    "Hz": ("hertz", "hertz"),
    "KB": ("kilobyte", "kilobytes"),
    "MB": ("megabyte", "megabytes"),
    "GB": ("gigabyte", "gigabytes"),
    "TB": ("terabyte", "terabytes"),
    "°C": ("degree celsius", "degrees celsius"),
    "°F": ("degree fahrenheit", "degrees fahrenheit"),
    "°": ("degree", "degrees"),
}
OPERATORS = {"+": "plus", "-": "minus", "×": "times", "÷": "divided by", "=": "equals"}
NAMED = {
    "&": "and",
    "@": "at",
    "+": "plus",
    "=": "equals",
    "×": "times",
    "÷": "divided by",
    "±": "plus or minus",
    "%": "percent",
    "°": "degrees",
    "$": "dollars",
    "£": "pounds",
    "€": "euros",
    "¥": "yen",
    "¢": "cents",
    "©": "copyright",
    "№": "number",
    "²": "squared",
    "³": "cubed",
}
"""Signs that are read as a word when no rule has used them up."""
UNSPOKEN = "®™<>|~^`"
"""Signs that readers pass over, like quotes and brackets."""
_WRITTEN_OTHERWISE = str.maketrans(
    {
        **dict.fromkeys("–_/\\⁄\n\r\t", " "),
        **dict.fromkeys("‐‑−", "-"),
        **dict.fromkeys(";:；：，、", " "),
        **dict.fromkeys("…。．", "."),
        **dict.fromkeys("ðđ", "d"),
        **dict(zip("！？％ØøłŁĐı", "!?%OolLDi", strict=True)),
        **dict(zip("ßæÆœŒþÞ", ("ss", "ae", "Ae", "oe", "Oe", "th", "Th"), strict=True)),
    }
)
_MAGNITUDES = "hundred|thousand|million|billion|trillion"
_MONEY = re.compile(rf"([$£€¥])\s?(\d*)(?:\.(\d+))?(?:\s({_MAGNITUDES})\b)?")
_MONEY_AFTER = re.compile(r"(?<!\d)(\d+)(?:\.(\d+))?\s?([$£€¥])")
_TIME = re.compile(r"\b([01]?\d|2[0-3]):([0-5]\d)\b(?:\s?([AaPp])\.?[Mm]\b\.?)?")
_UNIT = re.compile(rf"(?<![\d.])(\d+)(\.\d+)?({'|'.join(map(re.escape, UNITS))})(?![A-Za-z\d/])")
_DATE = re.compile(r"\b(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])\b")
_OPERATION = re.compile(r"(?<![A-Za-z\d])(\d[\d.]*|[A-Za-z])\s+([+\-×÷=])\s+(?=(-?\d|[A-Za-z](?![A-Za-z])))")


def unreadable(text: str) -> str:
    """The distinct characters of a text that no rule can read: other scripts, emoji, unknown signs."""
    found = [char for char in text if not char.isascii() and not _passed_over(char)]
    return "".join(dict.fromkeys(found))


def _passed_over(char: str) -> bool:
    return char in UNSPOKEN or unicodedata.category(char)[0] in "PZMC" or unicodedata.category(char) == "Sk"


def expand(text: str) -> str:
    """Everything that is not a letter or a mark, as words. Capitals and marks stay as they are.

    Raises UnreadableText naming the characters that cannot be read.
    """
    spelled = _rewrite_signs(text)
    for rule in (_arithmetic, _money, _times, _dates_and_units, _remaining_numbers):
        spelled = rule(spelled)
    for sign, word in NAMED.items():
        spelled = spelled.replace(sign, f" {word} ")
    spelled = _without_accents(spelled)
    if found := unreadable(spelled):
        raise UnreadableText(text, found)
    spelled = re.sub(r"[^ A-Za-z'.,?!\-]", "", spelled)
    spelled = re.sub(r"(?i)\bi\.e\.", "that is", spelled)
    return re.sub(r"(?i)\be\.g\.", "for example", spelled)


def tidy(text: str) -> str:
    """Initials apart, one space between words, one mark at a time: what the front end calls normalised."""
    text = re.sub(r"(?<=[^\s])([A-Z])", r" \1", text)
    text = re.sub(r" {2,}", " ", text)
    text = re.sub(r" (?=[!?.,])", "", text)
    text = re.sub(r"(?<=\s)[\-!?.,]+", "", text)
    text = re.sub(r"([!?.,\-])[!?.,\-]+", r"\1", text)
    return re.sub(r" {2,}", " ", text)


def calm(text: str, known: Callable[[str], bool]) -> str:
    """Lower-case what is shouted: three or more words in capitals running, all in the dictionary, one of them long.

    Fewer capitals than that are taken for initials and spelled, as in NASA.
    """

    def lower(match: re.Match[str]) -> str:
        words = [word for word in re.findall(r"[A-Z']+", match.group()) if len(word) > 1]
        shouted = len(words) >= 3 and max(map(len, words)) >= 4 and all(known(word.lower()) for word in words)
        return match.group().lower() if shouted else match.group()

    return re.sub(r"(?<![A-Za-z'])[A-Z][A-Z' ,\-]*(?![a-z])", lower, text)


def _rewrite_signs(text: str) -> str:
    text = re.sub(r"(\d)\s*[–—]\s*(?=\d)", r"\1 to ", text)
    text = re.sub(r"(?<=[^\W\d_])[’ʼ＇`´](?=[^\W\d_])|[’ʼ＇](?=\d0s\b)", "'", text)
    text = re.sub("[‘’ʼ＇`´]", "", text)
    text = re.sub(r"^\s*[—―–]+\s*", "", re.sub(r"\s–\s", "—", text))
    text = re.sub(r" ?[—―]+(\s*\S|\s*$)", lambda dash: f", {dash[1].strip()}" if dash[1].strip() else ",", text)
    text = re.sub(r"[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞]", lambda sign: " " + unicodedata.normalize("NFKC", sign.group()), text)
    text = re.sub(r"(\d) (?=\d+⁄\d)", r"\1 and ", text).replace("⁄", "/")
    text = re.sub(r"[！-～]", lambda wide: _narrow(wide.group()), text)
    text = re.sub(r"(\d)/(?=\d)", "\\1\ue000", text)  # kept for fractions
    text = re.sub(r"(\d)km/h", "\\1km\ue000h", text)
    text = re.sub(r"(\d):(?=\d)", "\\1\ue001", text)  # kept for times
    text = re.sub(r"#(?=\d)", "number ", text)
    text = re.sub(r"[;:；：，、]+(?=\s|$)", "", text)
    return text.translate(_WRITTEN_OTHERWISE).replace("\ue000", "/").replace("\ue001", ":")


def _narrow(char: str) -> str:
    return unicodedata.normalize("NFKC", char) if char.isalnum() or char in "＄％＆＋＝＠＃－" else char


def _arithmetic(text: str) -> str:
    text = re.sub(r"^(\s*)(\d{1,9})\. ", lambda m: f"{m[1]}{numbers.ordinal(m[2])}, ", text)

    def operation(match: re.Match[str]) -> str:
        left, sign, right = match.groups()
        if not (left[0].isdigit() or right[-1].isdigit()):
            return match.group()
        return f"{left} {OPERATORS[sign]} "

    text = _OPERATION.sub(operation, text)
    return re.sub(r"(^|\s)-(?=\d)", r"\1negative ", text)


def _money(text: str) -> str:
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    text = re.sub(r"(\d),(?=\d)", r"\1", text)
    text = _MONEY.sub(lambda m: _amount(m[1], m[2], m[3], m[4]) or m.group(), text)
    return _MONEY_AFTER.sub(lambda m: _amount(m[3], m[1], m[2], None) or m.group(), text)


def _amount(sign: str, whole: str, part: str | None, magnitude: str | None) -> str:
    if not whole and not part:
        return ""
    one, many, cent, cents = CURRENCIES[sign]
    if magnitude or (part and len(part) > 2):
        return f"{whole or '0'}{'.' + part if part else ''} {magnitude + ' ' if magnitude else ''}{many}"
    small = (part or "").ljust(2, "0").lstrip("0")
    pieces = []
    if whole.strip("0") or not small:
        pieces.append(f"{whole.lstrip('0') or '0'} {one if whole == '1' else many}")
    if small:
        pieces.append(f"{small} {cent if small == '1' else cents}")
    return " and ".join(pieces)


def _times(text: str) -> str:
    def time(match: re.Match[str]) -> str:
        half = f"{match[3].lower()}.m." if match[3] else ""
        return numbers.clock(int(match[1]), int(match[2]), half)

    text = _TIME.sub(time, text)
    return re.sub(r"\b(\d{1,2})([AaPp])[Mm]\b", lambda m: f"{m[1]} {m[2].lower()}.m.", text)


def _dates_and_units(text: str) -> str:
    text = _DATE.sub(lambda m: f"{MONTHS[int(m[2]) - 1]} {numbers.ordinal(m[3])}, {m[1]}", text)
    text = re.sub(r"\b(\d{3}0)s\b", lambda m: numbers.decade(m[1]), text)
    text = re.sub(r"'(\d0)s\b", lambda m: numbers.decade(m[1]), text)

    def unit(match: re.Match[str]) -> str:
        one, many = UNITS[match[3]]
        return f"{match[1]}{match[2] or ''} {one if match[1] == '1' and not match[2] else many}"

    return _UNIT.sub(unit, text)


def _remaining_numbers(text: str) -> str:
    text = re.sub(r"(?<!\d)(\d+)/(\d+)", lambda m: numbers.fraction(m[1], m[2]), text)
    text = re.sub(r"(?<!\d)(\d+)(?:st|nd|rd|th)\b", lambda m: numbers.ordinal(m[1]), text)
    text = re.sub(r"(?<!\d)\.(?=\d)", " point ", text)
    text = re.sub(r"(?<=\d)((?:\.\d+)+)", lambda m: _after_point(m[1]), text)
    text = re.sub(r"(?<=[A-Za-z])(?=\d)", " ", text)
    return re.sub(r"(\d+)(?=([A-Za-z])?)", lambda m: numbers.cardinal(m[1]) + (" " if m[2] else ""), text)


def _after_point(decimals: str) -> str:
    return "".join(f" point {numbers.spelled(part)}" for part in decimals[1:].split("."))


def _without_accents(text: str) -> str:
    return "".join(_base(char) for char in text if unicodedata.category(char) != "Mn")


def _base(char: str) -> str:
    """The ASCII letter that a letter with accents is made from; any other character as it is."""
    first = unicodedata.normalize("NFD", char)[0]
    return first if first.isascii() else char
