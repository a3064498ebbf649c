"""Japanese: text to phonemes with pitch marks."""

from __future__ import annotations

import re
import unicodedata

from synthesis.text.errors import BadReading, UnreadableText
from synthesis.text.ja import labels
from synthesis.text.ja.analysis import labels as analyse
from synthesis.text.ja.kana import katakana, moras
from synthesis.text.language import PUNCTUATION
from synthesis.text.symbols import UNKNOWN

_NAMED = {
    "%": "パーセント",
    "‰": "パーミル",
    "&": "アンド",
    "+": "プラス",
    "=": "イコール",
    "×": "かける",
    "÷": "わる",
    "@": "アットマーク",
    "℃": "度",
    "°": "度",
    "№": "ナンバー",
    "€": "ユーロ",
    "£": "ポンド",
    "$": "ドル",
    "¥": "円",
}
_MARKS = {"：": ",", "；": ",", "，": ",", "。": ".", "！": "!", "？": "?", "\n": ".", "·": ",", "、": ",", "...": "…"}
_WORD = (
    r"\u3005-\u3007\u3041-\u3096\u30a1-\u30ff\uff66-\uff9d"  # 々〆〇, kana with ・ and ー, half-width kana
    r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"  # Chinese characters
    r"A-Za-z0-9\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\u0391-\u03a9\u03b1-\u03c9"  # Latin, digits, Greek
)
_WORDS = re.compile(f"[{_WORD}]+|[^{_WORD}]")
_COLLAPSED = re.compile(f"([{re.escape(''.join(PUNCTUATION))}])[{re.escape(''.join(PUNCTUATION))}]+")


class Japanese:
    """Front end of Japanese. ``accents=False`` leaves the pitch marks out, for tables that lack them (v1)."""

    def __init__(self, *, accents: bool = True) -> None:
        self.accents = accents

    def normalise(self, text: str) -> str:
        """Signs as words, one mark at a time; words and numbers stay as written: the dictionary reads them.

        Raises UnreadableText for characters of scripts that Japanese is not written in, and for emoji.
        """
        spelled = unicodedata.normalize("NFC", text)
        spelled = re.sub(r"(?<=\d)[~〜～](?=\d)", "から", spelled)
        spelled = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", spelled)
        spelled = re.sub(r"([$＄€£¥￥])\s?(\d[\d.]*)", r"\2\1", spelled)
        spelled = re.sub(r"(?<=[ぁ-ゖァ-ヺ])[〜～]", "ー", spelled)
        for sign, word in _NAMED.items():
            spelled = re.sub(f"[{sign}{_wide(sign)}]", word, spelled)
        if found := _unreadable(spelled):
            raise UnreadableText(text, found)
        return _COLLAPSED.sub(r"\1", spelled)

    def phonemes(self, norm: str) -> tuple[list[str], None]:
        """Phonemes, pitch marks and marks of a normalised text.

        Borders between accent phrases, quotes and brackets are ``UNK``: the models learned them as that.
        Raises UnreadableText naming characters that the dictionary has no reading for.
        """
        phones: list[str] = []
        for piece in _WORDS.findall(norm):
            if re.match(f"[{_WORD}]", piece):
                found = labels.phonemes(analyse(piece.lower()), accents=self.accents)
                phones.extend(UNKNOWN if phone == labels.BORDER else phone for phone in found)
            elif not piece.isspace() or piece == "\n":
                mark = _MARKS.get(piece, piece)
                phones.append(mark if mark in PUNCTUATION else UNKNOWN)
        if not self.accents:
            phones = [phone for phone in phones if phone not in (labels.RISE, labels.FALL)]
        return phones, None

    def reading(self, text: str) -> list[str]:
        """Phonemes of a reading in kana.

        ``[`` and ``]`` mark where the pitch rises and falls, as in ``ハ]シ``; without them it rises after the first
        mora and stays. Raises BadReading for anything that is not kana.
        """
        parts = re.split(r"([\[\]])", "".join(katakana(text).split()))
        marked = len(parts) > 1
        phones: list[str] = []
        for part in parts:
            if part in ("[", "]"):
                phones.extend([part] if self.accents else [])
                continue
            found = moras(part)
            if found is None:
                raise BadReading(text, text, "it is not kana; write it in hiragana or katakana")
            rise = self.accents and not marked and len(found) > 1
            for place, mora in enumerate(found):
                phones.extend((*mora, "[") if rise and place == 0 else mora)
        if not any(phone not in "[]" for phone in phones):
            raise BadReading(text, text, "there is no kana in it")
        return phones


def _wide(sign: str) -> str:
    """The full-width form of an ASCII sign (and of the yen), "" if there is none."""
    if sign == "¥":
        return "￥"
    return chr(ord(sign) + 0xFEE0) if sign.isascii() else ""


def _unreadable(text: str) -> str:
    """Letters, numbers and symbols that are neither Japanese nor a mark readers pass over."""
    found = [
        char
        for char in text
        if not re.match(f"[{_WORD}]", char) and unicodedata.category(char)[0] in "LNS" and not _passed_over(char)
    ]
    return "".join(dict.fromkeys(found))


def _passed_over(char: str) -> bool:
    return char in "|<>＜＞｜^~～〜゛゜`´¨´｀￣♪♫☆★○●◎◇◆□■△▲▽▼※→←↑↓〒©®™" or unicodedata.category(char) == "Lm"
