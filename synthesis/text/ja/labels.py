"""Full-context labels of Open JTalk to phonemes with pitch marks.

``[`` is where the pitch rises, ``]`` where it falls, ``#`` a border between accent phrases, ``_`` a pause
(Kurihara, Seiyama and Kumano 2021, doi:10.1587/transinf.2020EDP7104).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from synthesis.text.ja.kana import split

RISE, FALL, BORDER, PAUSE = "[", "]", "#", "_"
_PHONE = re.compile(r"-(.+?)\+")
_ACCENT = re.compile(r"/A:(-?\d+)\+(\d+)\+(\d+)/")
_PHRASE = re.compile(r"/F:(\d+)_")
_MORA_ENDS = frozenset("aiueoN") | {"cl"}


@dataclass(frozen=True)
class Label:
    """What is needed of a label. Positions are moras counted from 1; None at silences."""

    phone: str
    from_accent: int | None
    """Moras after the accent nucleus; 0 on it."""
    position: int | None
    """Position in the accent phrase, from its start."""
    left: int | None
    """Position from its end."""
    moras: int | None
    """Length of the accent phrase."""


def parse(label: str) -> Label:
    """One line of Open JTalk's full-context labels. Devoiced vowels (capitals) become ordinary ones."""
    found = _PHONE.search(label)
    phone = found[1] if found else ""
    phone = phone.lower() if phone in {"A", "I", "U", "E", "O"} else phone
    accent, phrase = _ACCENT.search(label), _PHRASE.search(label)
    if accent is None:
        return Label(phone, None, None, None, None)
    return Label(phone, int(accent[1]), int(accent[2]), int(accent[3]), int(phrase[1]) if phrase else None)


def phonemes(labels: Sequence[str], *, accents: bool = True) -> list[str]:
    """Phonemes of an utterance without its leading and trailing silence, with pitch marks if ``accents``."""
    parsed = [parse(label) for label in labels]
    phones: list[str] = []
    for label, after in zip(parsed, [*parsed[1:], None], strict=False):
        if label.phone == "sil":
            continue
        if label.phone == "pau":
            phones.append(PAUSE)
            continue
        phones.extend(split(label.phone))
        if accents and after is not None and (mark := _mark(label, after)):
            phones.append(mark)
    return phones


def _mark(label: Label, after: Label) -> str:
    """The mark that belongs after a phoneme, or ""."""
    if label.left == 1 and after.position == 1 and label.phone in _MORA_ENDS:
        return BORDER
    if label.position is None or after.position is None:
        return ""
    if label.from_accent == 0 and after.position == label.position + 1 and label.position != label.moras:
        return FALL
    if label.position == 1 and after.position == 2:
        return RISE
    return ""
