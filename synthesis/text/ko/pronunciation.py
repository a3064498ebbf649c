"""How spelling becomes sound: the Standard Pronunciation Rules of Korean (표준 발음법), as replacements on jamo.

Hangul is taken apart into onsets (U+1100), vowels (U+1161) and codas (U+11A8); what meets at syllable borders is
replaced. The table of coda before onset and the list of exceptional words are data files of g2pk2, read without
importing that package (its import downloads a corpus).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache

from synthesis.text.ko.morphemes import ENDING, MARKS, PARTICLE, STEM
from synthesis.text.package_data import package_file

_TENSE = str.maketrans("ᄀᄃᄇᄉᄌ", "ᄁᄄᄈᄊᄍ")
_LINKED = str.maketrans("ᆨᆩᆫᆮᆯᆷᆸᆺᆻᆽᆾᆿᇀᇁ", "ᄀᄁᄂᄃᄅᄆᄇᄉᄊᄌᄎᄏᄐᄑ")
_LINKED_PAIRS = {
    **dict(zip("ᆪᆬᆰᆱᆲᆳᆴᆵᆹ", ("ᆨᄊ", "ᆫᄌ", "ᆯᄀ", "ᆯᄆ", "ᆯᄇ", "ᆯᄊ", "ᆯᄐ", "ᆯᄑ", "ᆸᄊ"), strict=True)),
    **dict(zip("ᇂᆭᆶ", "ᄋᄂᄅ", strict=True)),
}
_PALATAL = {"ᆮ": "ᄌ", "ᇀ": "ᄎ", "ᆴ": "ᆯᄎ"}

Replacement = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]


def _tense(match: re.Match[str]) -> str:
    """The first group as it is, the second with its first onset tensed."""
    onset = len(match[2]) - len(match[2].lstrip())
    return match[1] + match[2][: onset + 1].translate(_TENSE) + match[2][onset + 1 :]


_ENDINGS = "|".join(unicodedata.normalize("NFD", word) for word in str.split("걸 밖에 세라 수록 지라도 지언정 진대"))
"""Endings that are tensed after ㄹ even when nothing marks them."""

_BY_WORD: tuple[Replacement, ...] = (
    (re.compile("([ᄌᄍᄎ])ᅧ"), r"\1ᅥ"),  # 5: 가져 is 가저
    (re.compile("([ᄀ-ᄊᄌ-ᄒ])ᅴ"), r"\1ᅵ"),  # 5: 희망 is 히망
    (re.compile(PARTICLE), ""),
    (re.compile("(?<=ᅳ)[ᆮᆽᆾᇀᇂ]ᄋ"), "ᄉ"),  # 16: 지읒을 is 지으슬; the models learned 늦은 the same way
    (re.compile("(?<=ᅳ)ᆿᄋ"), "ᄀ"),
    (re.compile("(?<=ᅳ)ᇁᄋ"), "ᄇ"),
    (re.compile(f"ᆰ{STEM}[ᄀᄁ]"), "ᆯᄁ"),  # 11: 맑게 is 말께
    (re.compile(f"([ᆲᆴ]){STEM}([ᄀᄃᄉᄌ])"), _tense),  # 25: 넓게 is 널께
    (re.compile(f"([ᆫᆷ]){STEM}([ᄀᄃᄉᄌ])"), _tense),  # 24: 신고 (to wear) is 신꼬
    (re.compile(f"ᆬ{STEM}([ᄀᄃᄉᄌ])"), lambda match: "ᆫ" + match[1].translate(_TENSE)),
    (re.compile(f"ᆱ{STEM}([ᄀᄃᄉᄌ])"), lambda match: "ᆷ" + match[1].translate(_TENSE)),
    (re.compile("(?<=바)ᆲ(?![ᄋᄒ])"), "ᆸ"),  # 10: 밟다 is 밥따
    (re.compile("(?<=너)ᆲ(?=[ᄃᄄᄌᄍ]ᅮ)"), "ᆸ"),  # 10: 넓죽하다 is 넙쭈카다
    (re.compile("([ᆮᇀᆴ])ᄋ(?=[ᅵᅧ])"), lambda match: _PALATAL[match[1]]),  # 17: 같이 is 가치
    (re.compile("ᆮᄒ(?=ᅵ)"), "ᄎ"),
    (re.compile(f"(ᆯ){ENDING}( [ᄀᄃᄇᄉᄌ])"), _tense),  # 27: 할 것을 is 할 꺼슬
    (re.compile(f"(ᆯ)({_ENDINGS})"), _tense),  # 27: 할수록 is 할쑤록
    (re.compile(f"[{MARKS}]"), ""),
)


def sounds(text: str) -> str:
    """Conjoining jamo of a text with marks of ``annotate``, as pronounced; what is not hangul stays."""
    jamo = unicodedata.normalize("NFD", text)
    for pattern, replacement in (*_BY_WORD, *_at_borders()):
        jamo = pattern.sub(replacement, jamo)
    jamo = re.sub("([ᆨᆩᆫᆮᆯᆷᆸᆺᆻᆽ-ᇁ])ᄋ", lambda match: match[1].translate(_LINKED), jamo)  # 13
    return re.sub("([ᆪᆬᆭᆰ-ᆶᆹᇂ])ᄋ", lambda match: _LINKED_PAIRS[match[1]], jamo)  # 14, 12


@cache
def _at_borders() -> tuple[Replacement, ...]:
    """Rules 9 to 23: each coda before each onset, in the order of the table."""
    lines = package_file("ko", "g2pk2", "table.csv").read_text(encoding="utf-8-sig").splitlines()
    onsets = lines[0].split(",")
    return tuple(
        (re.compile(coda + onset), cell.split("(")[0])
        for coda, *cells in (line.split(",") for line in lines[1:])
        for onset, cell in zip(onsets[1:], cells, strict=True)
        if cell
    )


@cache
def _exceptions() -> tuple[tuple[re.Pattern[str], str], ...]:
    lines = package_file("ko", "g2pk2", "idioms.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("#")[0].strip().split("===") for line in lines]
    return tuple(
        (re.compile(("(?<![0-9])" if pair[0][0].isdigit() else "") + re.escape(pair[0])), pair[1])
        for pair in pairs
        if len(pair) == 2 and pair[0]
    )


def exceptional(text: str) -> str:
    """Words whose sound no rule gives, spelled as they sound: 색연필 as 생년필, % as 퍼센트."""
    for pattern, sound in _exceptions():
        text = pattern.sub(sound, text)
    return text
