"""Readings that a source states in a phonetic alphabet, as the inline form ``{text|reading}`` of engines."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

from scheduler.markup import ipa, kana
from scheduler.scripts.languages import primary

ALPHABETS = ("ipa", "x-arpabet", "x-cmu", "x-inline", "x-jyutping", "x-kana", "x-pinyin", "x-romaji")
"""Names of alphabets that are understood. ``x-inline`` is a reading as it stands inside ``{text|reading}``."""
MAX_CHARS = 500
"""Longest text and longest reading."""

_FORBIDDEN = re.compile(r"[{}|\\\[\]\x00-\x08\x0e-\x1f]")
"""Characters that would end the inline form or be taken for other markup; there is no way to escape them in it."""
_HAN = re.compile("[\u3005\u3400-\u4dbf\u4e00-\u9fff]+")
_ARPABET = re.compile("(?:A[AEHOWY]|E[HRY]|I[HY]|O[WY]|U[HW])[0-2]?|B|CH|DH?|F|G|HH|JH|[KLMNPRSTVWYZ]|NG|SH|TH|ZH")
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa\u30fc\u30fb ]+")
_TONES = {"\u0304": "1", "\u0301": "2", "\u030c": "3", "\u0300": "4"}
"""Combining marks of pinyin and the numbers of their tones."""
_DOTTED = {"\u0308": ("u", "ü"), "\u0302": ("e", "ê")}
"""Combining marks that make another letter, with the letter before and after."""
_FINALS = (
    "iang|iong|uang|ueng|ang|eng|ing|ong|iao|ian|uai|uan|üan|van|ai|ei|ao|ou|an|en|in|un|ün|vn|ia|ie|iu|ua|ue|ui|uo"
    "|üe|ve|a|e|i|o|u|ü|v"
)
_BARE = "ang|eng|ai|ei|ao|ou|an|en|er|a|e|o|ê"
_SYLLABLE = re.compile(rf"(?:(?:zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw])(?:{_FINALS})|(?:{_BARE}))r?")
_HUMS = frozenset({"m", "n", "ng", "hm", "hng"})
_LONGEST_SYLLABLE = 7
_SEPARATOR = "'"
_JYUTPING = re.compile(r"(?:gw|kw|ng|[bpmfdtnlgkhwzcsj])?(?:[aeiou]|oe|eo|yu|aa)?[aeioungkptm]*[1-6]")


def inline_reading(text: str, phonemes: str, alphabet: str, language: str) -> str | None:
    """Return ``{text|reading}`` for a reading in a phonetic alphabet; None when it cannot be used.

    ``alphabet`` is one of ALPHABETS, ``language`` the BCP 47 tag of the text. It cannot be used when the reading is no
    word of its alphabet, when an engine has no such reading for such a text (pinyin for anything but one syllable per
    Chinese character, IPA outside English and Japanese), or when text or reading holds brackets, braces or a bar.
    """
    term, said = " ".join(text.split()), " ".join(unicodedata.normalize("NFC", phonemes).split())
    if not term or not said or max(len(term), len(said)) > MAX_CHARS:
        return None
    if _FORBIDDEN.search(term) or _FORBIDDEN.search(said):
        return None
    reading = _reading(term, said, alphabet.strip().lower(), primary(language))
    return None if reading is None else f"{{{term}|{reading}}}"


def _reading(term: str, said: str, alphabet: str, language: str) -> str | None:
    han = _HAN.fullmatch(term) is not None
    match alphabet:
        case "x-inline":
            return said
        case "x-pinyin":
            return _pinyin(term, said) if han else None
        case "x-jyutping":
            return _jyutping(term, said) if han else None
        case "x-arpabet" | "x-cmu":
            return None if han else _arpabet(said)
        case "x-kana":
            return said if _KANA.fullmatch(said) else None
        case "x-romaji":
            return kana.from_romaji(said)
        case "ipa" if language == "en":
            return None if han else ipa.to_arpabet(said)
        case "ipa" if language == "ja":
            return ipa.to_kana(said)
        case _:
            return None


def _arpabet(said: str) -> str | None:
    phones = said.upper().split()
    return " ".join(phones) if all(_ARPABET.fullmatch(phone) for phone in phones) else None


def _jyutping(term: str, said: str) -> str | None:
    syllables = re.findall(r"[a-z]+[1-6]", said.lower())
    if len(syllables) != len(term) or "".join(syllables) != re.sub(r"[\s'’-]", "", said.lower()):
        return None
    return " ".join(syllables) if all(_JYUTPING.fullmatch(syllable) for syllable in syllables) else None


def _pinyin(term: str, said: str) -> str | None:
    """Numbered syllables, one for each character, from numbers or tone marks, with or without spaces between."""
    written = re.sub(r"[\s'’·-]+", _SEPARATOR, said.lower().replace("u:", "ü").replace("ɡ", "g"))
    letters, tones, fences = _without_tones(written)
    cuts = _cuts(letters, tones, fences, len(term))
    if cuts is None or (len(term) > 1 and not tones):  # a word of neutral tones alone is one written without them
        return None
    return " ".join(letters[a:b].replace("v", "ü") + (_tone(tones, a, b) or "5") for a, b in pairwise([0, *cuts]))


def _without_tones(written: str) -> tuple[str, dict[int, str], frozenset[int]]:
    """Letters alone; the tone written on or behind the letter at each place; where a syllable is known to end."""
    letters = ""
    tones: dict[int, str] = {}
    fences: set[int] = set()
    for char in unicodedata.normalize("NFD", written):
        last = len(letters) - 1
        if char == _SEPARATOR:
            fences.add(len(letters))
        elif char in _TONES and letters:
            tones[last] = tones.get(last, "") + _TONES[char]
        elif char in "012345" and letters:
            tones[last] = tones.get(last, "") + ("5" if char == "0" else char)
            fences.add(len(letters))
        elif char in _DOTTED and letters.endswith(_DOTTED[char][0]):
            letters = letters[:-1] + _DOTTED[char][1]
        else:
            letters += char
    return letters, tones, frozenset(fences)


def _cuts(letters: str, tones: dict[int, str], fences: frozenset[int], count: int) -> list[int] | None:
    """Ends of ``count`` syllables; None where there is no way to divide the letters so, or more than one.

    A syllable that begins with a vowel stands behind an apostrophe, by the rules of the spelling; a way that needs
    fewer exceptions to them is better than others.
    """
    size = len(letters)
    if size > _LONGEST_SYLLABLE * count:
        return None
    # from each place: syllables still to come → (exceptions, whether there is another way as good, end of the first)
    ways: list[dict[int, tuple[int, bool, int]]] = [{} for _ in range(size)] + [{0: (0, False, size)}]
    for start in range(size - 1, -1, -1):
        odd = int(start > 0 and start not in fences and letters[start] in "aeoê")
        for end in range(start + 1, min(start + _LONGEST_SYLLABLE, size) + 1):
            if not _is_syllable(letters, start, end, fences) or _tone(tones, start, end) is None:
                continue
            for rest, (cost, double, _) in ways[end].items():
                best = ways[start].get(rest + 1)
                if best is None or cost + odd < best[0]:
                    ways[start][rest + 1] = (cost + odd, double, end)
                elif cost + odd == best[0]:
                    ways[start][rest + 1] = (best[0], True, best[2])
    if count not in ways[0] or ways[0][count][1]:
        return None
    cuts = [0]
    for rest in range(count, 0, -1):
        cuts.append(ways[cuts[-1]][rest][2])
    return cuts[1:]


def _is_syllable(letters: str, start: int, end: int, fences: frozenset[int]) -> bool:
    if any(fence in fences for fence in range(start + 1, end)):
        return False
    if letters[start:end] in _HUMS:
        return (start == 0 or start in fences) and (end == len(letters) or end in fences)
    return _SYLLABLE.fullmatch(letters, start, end) is not None


def _tone(tones: dict[int, str], start: int, end: int) -> str | None:
    """The tone of a syllable, 5 where none is written; None when several are written."""
    found = "".join(tones.get(at, "") for at in range(start, end))
    return (found or "5") if len(found) <= 1 else None
