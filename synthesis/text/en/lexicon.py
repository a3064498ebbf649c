"""How English words are spoken: the CMU Pronouncing Dictionary and what has to be known beside it.

Release 0.7b is the dictionary that the models were trained with; it comes from the package ``pronouncing`` 0.1.5, whose
data file is read without importing the package. Words that the dictionary gained later are in additions.json.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from synthesis.text.package_data import package_file

Pronunciation = tuple[str, ...]

VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
CONSONANTS = frozenset("B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH".split())
PHONES = CONSONANTS | {vowel + stress for vowel in VOWELS for stress in "012"}
"""ARPAbet as the symbol tables have it: 24 consonants, 15 vowels with stress 0, 1 or 2."""

SPELLED = ("ae", "ai", "ar", "hud", "ios", "os")
"""In the dictionary as words or names, but nearly always written as initials: read letter by letter."""
NEWER = {
    "chatgpt": "CH AE1 T JH IY1 P IY1 T IY1",
    "conda": "K AA1 N D AH0",
    "json": "JH EY1 S AH0 N",
}


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
                words.setdefault(word.lower(), tuple(phones))
    additions = json.loads(files("synthesis.text.en").joinpath("additions.json").read_text(encoding="utf-8"))
    for word, reading in additions["words"].items():
        words.setdefault(word, tuple(reading.split()))
    words.update((word, tuple(reading.split())) for word, reading in NEWER.items())
    for word in SPELLED:
        words.pop(word, None)
    return words


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
