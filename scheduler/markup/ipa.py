"""The International Phonetic Alphabet as what engines read: ARPAbet for English, kana for Japanese."""

from __future__ import annotations

import re
import unicodedata

from scheduler.markup import kana

_PHONES = {
    "tʃ": "CH", "dʒ": "JH", "t͡ʃ": "CH", "d͡ʒ": "JH", "ʧ": "CH", "ʤ": "JH", "aɪ": "AY", "aʊ": "AW", "eɪ": "EY",
    "ɔɪ": "OY", "oʊ": "OW", "əʊ": "OW", "ɪə": "IH R", "eə": "EH R", "ʊə": "UH R", "ɪɹ": "IH R", "ɛɹ": "EH R",
    "ɜɹ": "ER", "əɹ": "ER", "ɜr": "ER", "ər": "ER", "ɝ": "ER", "ɚ": "ER", "ɜ": "ER", "ɐ": "AH", "ə": "AH", "ʌ": "AH",
    "ɑ": "AA", "ɒ": "AA", "a": "AA", "æ": "AE", "ɔ": "AO", "o": "OW", "ɛ": "EH", "e": "EH", "ɪ": "IH", "i": "IY",
    "ʊ": "UH", "u": "UW", "b": "B", "d": "D", "ð": "DH", "f": "F", "ɡ": "G", "g": "G", "h": "HH", "j": "Y", "k": "K",
    "l": "L", "ɫ": "L", "m": "M", "n": "N", "ŋ": "NG", "p": "P", "ɹ": "R", "r": "R", "ɾ": "D", "s": "S", "ʃ": "SH",
    "t": "T", "ʔ": "T", "θ": "TH", "v": "V", "w": "W", "ʍ": "W", "z": "Z", "ʒ": "ZH",
}  # fmt: skip
"""Longer spellings win. Lengths carry no contrast in ARPAbet; British diphthongs before a lost r get it back."""
_SYLLABIC = {"L": "AH0 L", "M": "AH0 M", "N": "AH0 N", "R": "ER0"}
_VOWELS = frozenset({"AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"})
_PHONE = re.compile("|".join(sorted(_PHONES, key=len, reverse=True)))
_IGNORED = frozenset(".ːˑ‿ /[]ʰʲʷ͜͡\u032a\u033a\u0329\u032f\u0306")
"""Syllable marks, lengths, ties and fine detail."""
_STRESSES = {"ˈ": "1", "'": "1", "ˌ": "2", ",": "2"}

_JA_SOUNDS = {
    "ɸ": "f", "ɕ": "sh", "tɕ": "ch", "t͡ɕ": "ch", "dʑ": "j", "d͡ʑ": "j", "ʑ": "j", "ts": "ts", "t͡s": "ts", "dz": "z",
    "d͡z": "z", "ç": "hy", "ɲ": "ny", "ɾ": "r", "ɽ": "r", "r": "r", "ɯ": "u", "ɯᵝ": "u", "u": "u", "j": "y", "ɰ": "w",
    "w": "w", "ɰᵝ": "w", "ɴ": "n'", "ŋ": "n'", "ɡ": "g", "g": "g", "a": "a", "i": "i", "e": "e", "o": "o", "k": "k",
    "s": "s", "t": "t", "n": "n", "h": "h", "m": "m", "z": "z", "d": "d", "b": "b", "p": "p",
    "ː": "ー", "ä": "a", "ʲ": "ʲ",
}  # fmt: skip
_JA_SOUND = re.compile("|".join(sorted(_JA_SOUNDS, key=len, reverse=True)))
_JA_IGNORED = frozenset(". ˈ'ꜜꜛ↓↑/[]̥̞̟̠͡")


def to_arpabet(text: str) -> str | None:
    """ARPAbet of an English word in IPA, stress before its syllable; None when a sound is none of English.

    Where no stress is marked, the first vowel that is no schwa has it.
    """
    phones: list[str] = []
    stress = ""
    at = 0
    plain = unicodedata.normalize("NFC", text)
    while at < len(plain):
        char = plain[at]
        if char in _STRESSES:
            stress = _STRESSES[char]
            at += 1
        elif found := _PHONE.match(plain, at):
            at = found.end()
            syllabic = plain[at : at + 1] == "\u0329"
            new = _SYLLABIC.get(_PHONES[found[0]], "") if syllabic else _PHONES[found[0]]
            for phone in new.split():
                phones.append(phone + (stress or "0") if phone in _VOWELS else phone)
                stress = "" if phone in _VOWELS else stress
            if not new:
                return None
        elif char in _IGNORED:
            at += 1
        else:
            return None
    return _stressed(phones) if phones and not stress else None


def _stressed(phones: list[str]) -> str:
    if not any(phone[-1] in "12" for phone in phones):
        vowels = [number for number, phone in enumerate(phones) if phone[-1] == "0"]
        full = [number for number in vowels if phones[number] != "AH0"] or vowels
        if full:
            phones[full[0]] = phones[full[0]][:-1] + "1"
    return " ".join(phones)


def to_kana(text: str) -> str | None:
    """Hiragana of a Japanese word in IPA; None where the sounds make no kana."""
    sounds: list[str] = []
    at = 0
    plain = unicodedata.normalize("NFC", text)
    while at < len(plain):
        if found := _JA_SOUND.match(plain, at):
            sounds.append(_JA_SOUNDS[found[0]])
            at = found.end()
        elif plain[at] in _JA_IGNORED:
            at += 1
        else:
            return None
    return kana.from_romaji(_romaji(sounds))


def _romaji(sounds: list[str]) -> str:
    """Join sounds; a long consonant is a doubled one, and a nasal before a vowel or a y stays with it."""
    joined = ""
    for number, sound in enumerate(sounds):
        following = sounds[number + 1] if number + 1 < len(sounds) else ""
        if sound == "ー" and joined and joined[-1] not in "aiueoー":
            doubled = sounds[number - 1]
            joined = joined[: -len(doubled)] + doubled[0] + doubled
        elif sound in ("hy", "ny") and following == "i":
            joined += sound[0]
        elif sound == "ʲ":
            joined += "" if following in ("i", "e") else "y"
        else:
            joined += sound
    return joined
