"""How English words are spoken: the CMU Pronouncing Dictionary and what has to be known beside it.

Release 0.7b is the dictionary that the models were trained with; it comes from the package ``pronouncing`` 0.1.5, whose
data file is read without importing the package. Words that the dictionary gained later are in additions.json. The file
is of 2014; the last revision of the release, of July 2015, changed some 400 of its 134,000 words, mostly the vowel
before a final -ted or -ded in words of certain initials. RESPELLED and REVISED follow it as far as it is heard often.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from synthesis.text.package_data import package_file

Pronunciation = tuple[str, ...]

VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
_listed = str.split
CONSONANTS = frozenset(_listed("B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH"))
PHONES = CONSONANTS | {vowel + stress for vowel in VOWELS for stress in "012"}
"""ARPAbet as the symbol tables have it: 24 consonants, 15 vowels with stress 0, 1 or 2."""

SPELLED = ("ae", "ai", "ar", "hud", "ios", "os")
"""In the dictionary as words or names, but nearly always written as initials: read letter by letter."""
NEWER = {
    "chatgpt": "CH AE1 T JH IY1 P IY1 T IY1",
    "conda": "K AA1 N D AH0",
    "json": "JH EY1 S AH0 N",
}
RESPELLED = frozenset("apqrstuvwy")
"""Initials of words in -ted and -ded whose last vowel the revision of 2015 made IH0: it got through these letters."""
REVISED = {
    "acid": "AE1 S IH0 D",
    "acids": "AE1 S IH0 D Z",
    "artist": "AA1 R T IH0 S T",
    "module": "M AO1 JH UW0 L",
    "modules": "M AO1 JH UW0 L Z",
    "notice": "N OW1 T IH0 S",
    "olive": "AA1 L IH0 V",
    "orange": "AO1 R IH0 N JH",
    "oranges": "AO1 R IH0 N JH IH0 Z",
    "patches": "P AE1 CH IH0 Z",
    "rapid": "R AE1 P IH0 D",
    "recorded": "R IH0 K AO1 R D IH0 D",
    "represented": "R EH2 P R IH0 Z EH1 N T IH0 D",
    "represents": "R EH2 P R IH0 Z EH1 N T S",
    "sacred": "S EY1 K R IH0 D",
    "solution": "S AA0 L UW1 SH AH0 N",
    "solutions": "S AA0 L UW1 SH AH0 N Z",
    "stupid": "S T UW1 P IH0 D",
    "terminal": "T ER1 M IH0 N AH0 L",
    "units": "Y UW1 N IH0 T S",
    "unity": "Y UW1 N IH0 T IY0",
    "unlimited": "AH0 N L IH1 M IH0 T IH0 D",
}
"""Frequent words that the revision changed otherwise."""


@cache
def dictionary() -> Mapping[str, Pronunciation]:
    """Lower-case words to their first pronunciation; about 135,000. Loaded once, in 0.3 s.

    Raises LanguageDataMissing when the package with the dictionary is not installed.
    """
    words: dict[str, Pronunciation] = {}
    path = package_file("en", "pronouncing", "cmudict-0.7b", "pronouncing==0.1.5")
    with path.open(encoding="latin-1") as lines:
        for line in lines:
            word, *phones = line.split() or [";;;"]
            if not word.startswith(";;;") and not word.endswith(")"):  # WORD(1): a further pronunciation
                words.setdefault(word.lower(), _revised(word.lower(), tuple(phones)))
    additions = json.loads(files("synthesis.text.en").joinpath("additions.json").read_text(encoding="utf-8"))
    for word, reading in additions["words"].items():
        words.setdefault(word, tuple(reading.split()))
    words.update((word, tuple(reading.split())) for word, reading in (REVISED | NEWER).items())
    for word in SPELLED:
        words.pop(word, None)
    return words


def _revised(word: str, phones: Pronunciation) -> Pronunciation:
    if word.endswith(("ted", "ded")) and word[0] in RESPELLED and phones[-2:] == ("AH0", "D"):
        return (*phones[:-2], "IH0", "D")
    return phones


@cache
def homographs() -> Mapping[str, tuple[Pronunciation, Pronunciation, str]]:
    """Words with two pronunciations, and the part of speech that takes the first of them (``V``, ``N``, ``ADJ``, ...).

    From the list of g2p_en, read without importing that package (its import looks for corpora to download).
    """
    table: dict[str, tuple[Pronunciation, Pronunciation, str]] = {}
    for line in package_file("en", "g2p_en", "homographs.en", "g2p-en").read_text(encoding="utf-8").splitlines():
        word, *rest = line.split("|")
        if len(rest) == 3 and not line.startswith("#"):
            first, second, part = rest
            table[word.lower()] = (tuple(first.split()), tuple(second.split()), part.strip())
    return table
