"""From pinyin to the symbols of the models: an initial and a final with its tone for each syllable.

Finals are strict pinyin (Style.FINALS_TONE3 of pypinyin): ``wei`` is uei, ``you`` iou, ``ju`` v. The symbol table
writes i after zh ch sh r as ``ir``, after z c s as ``i0``, and syllables without an initial under y, w, AA, EE or OO.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

INITIALS = ("zh", "ch", "sh", *"bpmfdtnlgkhjqxrzcs")
_SHORT = {"uei": "ui", "iou": "iu", "uen": "un"}
_BARE = {"i": "yi", "in": "yin", "ing": "ying", "u": "wu", "ian": "yEn", "ie": "yE", "ê": "EEe"}
_HUMS = frozenset({"m", "n", "ng", "hm", "hng"})
"""Syllables without a vowel; the nearest one of the table is ``en``."""
_OPENING = {"a": "AA", "e": "EE", "o": "OO"}
_PINYIN = re.compile(r"[a-zêü]+[1-5]?")


@dataclass(frozen=True)
class Syllable:
    """A syllable or a mark. A mark has itself as initial and as tone, and no final."""

    initial: str
    final: str
    tone: str

    @property
    def is_mark(self) -> bool:
        """Whether it is a punctuation mark."""
        return not self.final


def is_pinyin(text: str) -> bool:
    """Whether the text looks like one syllable with or without its tone 1-5."""
    return _PINYIN.fullmatch(text) is not None


def symbols(syllable: Syllable) -> tuple[str, ...]:
    """The symbols of a syllable (two) or of a mark (one). They may be outside the table for an impossible syllable."""
    if syllable.is_mark:
        return (syllable.initial,)
    initial, final = syllable.initial, syllable.final
    if initial + final in _HUMS:
        initial, final = "", "en"
    if initial:
        if final == "i" and initial in ("zh", "ch", "sh", "r"):
            final = "ir"
        elif final == "i" and initial in ("z", "c", "s"):
            final = "i0"
        return (initial, _SHORT.get(final, final) + syllable.tone)
    if final in _BARE:
        whole = _BARE[final]
        cut = 2 if whole.startswith("EE") else 1
        return (whole[:cut], whole[cut:] + syllable.tone)
    if final[0] in _OPENING:
        return (_OPENING[final[0]], final + syllable.tone)
    if final[0] == "v":
        return ("y", final + syllable.tone)
    return ({"i": "y", "u": "w"}.get(final[0], final[0]), final[1:] + syllable.tone)
