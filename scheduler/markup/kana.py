"""Romaji as kana: Hepburn and the spellings of keyboards, long vowels with macrons or written out."""

from __future__ import annotations

import re
import unicodedata

_ROWS = {
    "": "あいうえお",
    "k": "かきくけこ",
    "g": "がぎぐげご",
    "s": "さしすせそ",
    "z": "ざじずぜぞ",
    "t": "たちつてと",
    "d": "だぢづでど",
    "n": "なにぬねの",
    "h": "はひふへほ",
    "b": "ばびぶべぼ",
    "p": "ぱぴぷぺぽ",
    "m": "まみむめも",
    "r": "らりるれろ",
}
_GLIDED = {
    "ky": "き", "gy": "ぎ", "sy": "し", "sh": "し", "zy": "じ", "jy": "じ", "j": "じ", "ty": "ち", "ch": "ち",
    "cy": "ち", "dy": "ぢ", "ny": "に", "hy": "ひ", "by": "び", "py": "ぴ", "my": "み", "ry": "り",
}  # fmt: skip
_SMALL = {"a": "ゃ", "u": "ゅ", "o": "ょ", "e": "ぇ"}
_OTHERS = {
    "shi": "し", "chi": "ち", "tsu": "つ", "fu": "ふ", "ji": "じ", "ya": "や", "yu": "ゆ", "yo": "よ", "wa": "わ",
    "wo": "を", "fa": "ふぁ", "fi": "ふぃ", "fe": "ふぇ", "fo": "ふぉ", "va": "ゔぁ", "vi": "ゔぃ", "vu": "ゔ",
    "ve": "ゔぇ", "vo": "ゔぉ", "wi": "うぃ", "we": "うぇ", "ye": "いぇ", "tsa": "つぁ", "tse": "つぇ", "tso": "つぉ",
    "thi": "てぃ", "dhi": "でぃ", "twu": "とぅ", "dwu": "どぅ", "dzu": "づ",
}  # fmt: skip
_LONG = {
    mark: vowel + "ー"
    for vowel, marks in {"a": "āâ", "i": "īî", "u": "ūû", "e": "ēê", "o": "ōô"}.items()
    for mark in marks
}
_DOUBLED = re.compile(r"([kgsztdhbpmrjcf])(?=\1)|t(?=ch)")
_FINAL_N = re.compile(r"n(?:['’]|(?=[^aiueoyn])|(?=n[aiueoy])|\Z)|m(?=[bpm])|n(?=n)")


def _table() -> dict[str, str]:
    moras = {c + vowel: kana for c, row in _ROWS.items() for vowel, kana in zip("aiueo", row, strict=True)}
    moras |= {consonant + vowel: kana + small for consonant, kana in _GLIDED.items() for vowel, small in _SMALL.items()}
    return moras | _OTHERS


MORAS = _table()
_MORA = re.compile("|".join(sorted(map(re.escape, MORAS), key=len, reverse=True)))


def from_romaji(text: str) -> str | None:
    """Hiragana of a text in romaji, words set apart by spaces; None for what is no romaji."""
    plain = unicodedata.normalize("NFC", text).lower()
    for long, written in _LONG.items():
        plain = plain.replace(long, written)
    words = [_word(word) for word in re.split(r"[\s-]+", plain) if word]
    return "".join(word for word in words if word) if words and all(words) else None


def _word(word: str) -> str | None:
    said = ""
    at = 0
    while at < len(word):
        if word[at] == "ー" and said:
            said += "ー"
            at += 1
        elif mora := _MORA.match(word, at):
            said += MORAS[mora[0]]
            at = mora.end()
        elif final := _FINAL_N.match(word, at):
            said += "ん"
            at = final.end()
        elif _DOUBLED.match(word, at):
            said += "っ"
            at += 1
        else:
            return None
    return said
