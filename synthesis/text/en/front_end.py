"""English: text to ARPAbet."""

from __future__ import annotations

import re

from synthesis.text.en import normalise, words
from synthesis.text.en.homographs import choose
from synthesis.text.en.lexicon import PHONES, VOWELS, dictionary, homographs
from synthesis.text.errors import BadReading
from synthesis.text.language import PUNCTUATION

SHORTEST = 4
"""Utterances of fewer phonemes get a comma in front: the models leak the reference into very short ones."""


class English:
    """Front end of English. Dictionaries are loaded at the first use and shared between instances."""

    def normalise(self, text: str) -> str:
        """Numbers, dates, money, units and signs as words; initials apart; letters and the marks ``! , - . ?`` only.

        Raises UnreadableText for characters of other scripts, emoji and signs without a reading.
        """
        return normalise.tidy(normalise.calm(normalise.expand(text), dictionary().__contains__))

    def phonemes(self, norm: str, *, lead: bool = True) -> tuple[list[str], None]:
        """ARPAbet and marks of a normalised text.

        ``lead`` puts a comma before fewer than 4 phonemes; switch it off for a piece that others will be joined to.
        Raises LanguageDataMissing when a package with a dictionary is not installed.
        """
        written = words.tokens(norm)
        lower = [word.lower() for word in written]
        phones: list[str] = []
        for place, word in enumerate(lower):
            if not re.search("[a-z]", word):
                phones.extend("-" if mark == "'" else mark for mark in [word] if mark in PUNCTUATION or mark == "'")
            elif len(word) == 1:
                phones.extend(["EY1"] if written[place] == "A" else dictionary()[word])
            elif word in homographs():
                phones.extend(choose(lower, place))
            else:
                phones.extend(words.pronounce(word))
        if phones and lead and len(phones) < SHORTEST:
            phones.insert(0, ",")
        return phones, None

    def reading(self, text: str) -> list[str]:
        """Phones of a reading in ARPAbet, ``HH AH0 L OW1``; case and commas between words do not matter.

        Vowels without a stress digit are unstressed, but the first is stressed when no vowel has a digit.
        Raises BadReading for anything that is not ARPAbet.
        """
        phones = text.upper().split()
        if not phones:
            raise BadReading(text, text, "it is empty; write ARPAbet such as HH AH0 L OW1")
        stressed = any(phone[-1] in "012" for phone in phones)
        result = []
        for phone in phones:
            if phone in VOWELS:
                phone += "0" if stressed else "1"
                stressed = True
            if phone not in PHONES and phone not in PUNCTUATION:
                raise BadReading(text, text, f"{phone!r} is not an ARPAbet phone such as AH0 or SH")
            result.append(phone)
        return result
