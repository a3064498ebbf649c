"""Kana to phonemes without a dictionary: what a reading is made of."""

from __future__ import annotations

import unicodedata

VOWELS = "aiueo"
_ROWS = {
    "": "アイウエオ",
    "k": "カ クケコ",
    "g": "ガ グゲゴ",
    "s": "サ スセソ",
    "z": "ザ ズゼゾ",
    "t": "タ  テト",
    "d": "ダ  デド",
    "n": "ナ ヌネノ",
    "h": "ハ  ヘホ",
    "b": "バ ブベボ",
    "p": "パ プペポ",
    "m": "マ ムメモ",
    "y": "ヤ ユ ヨ",
    "r": "ラ ルレロ",
}
_WITH_I = {
    "キ": "k",
    "ギ": "g",
    "シ": "sh",
    "ジ": "j",
    "ヂ": "j",
    "チ": "ch",
    "ニ": "n",
    "ヒ": "h",
    "ビ": "b",
    "ピ": "p",
    "ミ": "m",
    "リ": "r",
}
_GLIDED = {
    **{kana: consonant + "y" for kana, consonant in _WITH_I.items()},
    "シ": "sh",
    "チ": "ch",
    "ジ": "j",
    "ヂ": "j",
}
_SMALL_Y = {"ャ": "a", "ュ": "u", "ョ": "o"}
_SMALL = dict(zip("ァィゥェォ", VOWELS, strict=True))


def _table() -> dict[str, tuple[str, ...]]:
    """Every mora in katakana to its phonemes."""
    moras: dict[str, tuple[str, ...]] = {}
    for consonant, row in _ROWS.items():
        for kana, vowel in zip(row, VOWELS, strict=False):
            moras[kana] = (consonant, vowel) if consonant else (vowel,)
    moras.update({kana: (consonant, "i") for kana, consonant in _WITH_I.items()})
    moras.update({"フ": ("f", "u"), "ツ": ("ts", "u"), "ヅ": ("z", "u"), "ワ": ("w", "a"), "ヲ": ("o",), "ン": ("N",)})
    moras.update({"ヰ": ("i",), "ヱ": ("e",), "ッ": ("cl",), "ヴ": ("v", "u")})
    for kana, consonant in _GLIDED.items():
        moras.update({kana + small: (consonant, vowel) for small, vowel in _SMALL_Y.items()})
        moras[kana + "ェ"] = (consonant, "e")
    for kana, consonant in {"フ": "f", "ツ": "ts", "ヴ": "v"}.items():
        moras.update({kana + small: (consonant, vowel) for small, vowel in _SMALL.items() if vowel != "u"})
    for kana, consonant in {"ウ": "w", "ク": "kw", "グ": "gw"}.items():
        moras.update({kana + small: (*split(consonant), vowel) for small, vowel in _SMALL.items() if vowel != "u"})
    moras.update({"ティ": ("t", "i"), "ディ": ("d", "i"), "トゥ": ("t", "u"), "ドゥ": ("d", "u")})
    moras.update(
        {"テュ": ("t", "y", "u"), "デュ": ("dy", "u"), "イェ": ("y", "e"), "スィ": ("s", "i"), "ズィ": ("z", "i")}
    )
    moras.update({"フュ": ("f", "y", "u"), "ヴュ": ("v", "y", "u"), "クヮ": ("k", "w", "a"), "グヮ": ("g", "w", "a")})
    moras.update({small: (vowel,) for small, vowel in _SMALL.items()})
    moras.update({small: ("y", vowel) for small, vowel in _SMALL_Y.items()})
    moras["ヮ"] = ("w", "a")
    return moras


def split(phone: str) -> tuple[str, ...]:
    """A consonant cluster that no symbol table has, as the sounds it is made of: ``kw`` is k and w."""
    clusters = {"kw": ("k", "w"), "gw": ("g", "w"), "ty": ("t", "y"), "fy": ("f", "y"), "vy": ("v", "y")}
    return clusters.get(phone, (phone,))


MORAS = _table()


def katakana(text: str) -> str:
    """Half-width and hiragana as katakana; everything else as it is."""
    wide = unicodedata.normalize("NFKC", text)
    return "".join(chr(ord(char) + 0x60) if "ぁ" <= char <= "ゖ" else char for char in wide)


def moras(text: str) -> list[tuple[str, ...]] | None:
    """Phonemes of each mora of a text in katakana; the long mark repeats the vowel. None if it is not all kana."""
    found: list[tuple[str, ...]] = []
    place = 0
    while place < len(text):
        pair, single = text[place : place + 2], text[place]
        if pair in MORAS and len(pair) == 2:
            found.append(MORAS[pair])
            place += 2
            continue
        if single == "ー" and found and found[-1][-1] in VOWELS:
            found.append((found[-1][-1],))
        elif single in MORAS:
            found.append(MORAS[single])
        else:
            return None
        place += 1
    return found
