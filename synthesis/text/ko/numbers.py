"""Numbers in Korean: Sino-Korean, native before counters, and digit by digit."""

from __future__ import annotations

DIGITS = "영일이삼사오육칠팔구"
_PLACES = ("", "십", "백", "천")
_MYRIADS = ("", "만", "억", "조", "경")
_ONES = ("", "한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉")
_TENS = ("", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔")

NATIVE_COUNTERS = frozenset(
    str.split(
        "군데 권 개 그루 닢 대 두 마리 모 모금 뭇 발 발짝 방 번 벌 보루 살 수 술 시 쌈 움큼 "
        "정 짝 채 척 첩 축 켤레 톨 통"
    )
)
"""Counters that take native numerals: 세 개, but 삼 년."""


def digitwise(digits: str) -> str:
    """Each digit by its name: 010 is 영일영."""
    return "".join(DIGITS[int(digit)] for digit in digits)


def sino(digits: str) -> str:
    """A number in Sino-Korean, 이천이십육 for 2026; above 20 digits, or with a leading zero, digit by digit."""
    if len(digits) > 4 * len(_MYRIADS) or (len(digits) > 1 and digits[0] == "0"):
        return digitwise(digits)
    if digits == "0":
        return DIGITS[0]
    groups = [int(digits[max(0, end - 4) : end]) for end in range(len(digits), 0, -4)]  # from the lowest
    spoken = [_group(value) + _MYRIADS[place] for place, value in enumerate(groups) if value]
    if len(groups) == 2 and groups[1] == 1:
        spoken[-1] = "만"  # 만, not 일만, where a number starts
    return "".join(reversed(spoken))


def native(digits: str) -> str:
    """A number before a native counter: 세, 스무, 백스물세. The hundreds and above stay Sino-Korean."""
    if len(digits) > 4 * len(_MYRIADS) or digits[0] == "0":
        return sino(digits)
    low = int(digits[-2:])
    high = sino(digits[:-2] + "00") if len(digits) > 2 else ""
    return "스무" if digits == "20" else high + _TENS[low // 10] + _ONES[low % 10]


def _group(value: int) -> str:
    """A number below 10,000; the 일 before 십, 백 and 천 is not said."""
    spoken = ""
    for place in (3, 2, 1, 0):
        digit = value // 10**place % 10
        if digit:
            spoken += ("" if digit == 1 and place else DIGITS[digit]) + _PLACES[place]
    return spoken
