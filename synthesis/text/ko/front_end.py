"""Korean: text to jamo as pronounced."""

from __future__ import annotations

import re
import unicodedata

from synthesis.text.errors import BadReading, UnreadableText
from synthesis.text.ko import numbers
from synthesis.text.ko.morphemes import COUNTER, annotate
from synthesis.text.ko.pronunciation import exceptional, sounds
from synthesis.text.language import PUNCTUATION

SPACE, OTHER = "空", "停"
"""Symbols for a space between words and for a mark that has no symbol of its own, such as a quote."""
_listed = str.split
_LETTERS = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        _listed(
            "에이 비 시 디 이 에프 지 에이치 아이 제이 케이 엘 엠 엔 오 피 큐 아르 "
            "에스 티 유 브이 더블유 엑스 와이 제트"
        ),
        strict=True,
    )
)
_NAMED = {
    "&": "앤드",
    "+": "더하기",
    "=": "는",
    "×": "곱하기",
    "÷": "나누기",
    "@": "골뱅이",
    "℃": "도",
    "°": "도",
    "№": "번호",
    "$": "달러",
    "€": "유로",
    "£": "파운드",
    "¥": "엔",
    "₩": "원",
}
_MARKS = {"：": ",", "；": ",", "，": ",", "。": ".", "！": "!", "？": "?", "\n": ".", "·": ",", "、": ",", " ": SPACE}
_ONSETS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = _listed("ㅏ ㅐ ㅣㅏ ㅣㅐ ㅓ ㅔ ㅣㅓ ㅣㅔ ㅗ ㅗㅏ ㅗㅐ ㅗㅣ ㅣㅗ ㅜ ㅜㅓ ㅜㅔ ㅜㅣ ㅣㅜ ㅡ ㅡㅣ ㅣ")
_CODAS = _listed(
    "ㄱ ㄲ ㄱㅅ ㄴ ㄴㅈ ㄴㅎ ㄷ ㄹ ㄹㄱ ㄹㅁ ㄹㅂ ㄹㅅ ㄹㅌ ㄹㅍ ㄹㅎ ㅁ ㅂ ㅂㅅ ㅅ ㅆ ㅇ ㅈ ㅊ ㅋ ㅌ ㅍ ㅎ"
)
_JAMO = {
    **{chr(0x1100 + number): onset for number, onset in enumerate(_ONSETS)},
    **{chr(0x1161 + number): vowel for number, vowel in enumerate(_VOWELS)},
    **{chr(0x11A8 + number): coda for number, coda in enumerate(_CODAS)},
}
"""Conjoining jamo to the letters of the symbol table; diphthongs and double codas are two."""


class Korean:
    """Front end of Korean. The analyser's dictionary is loaded at the first use and shared."""

    def normalise(self, text: str) -> str:
        """Signs and amounts as words; hangul, letters, numbers and marks stay as written.

        Raises UnreadableText for characters of other scripts (hanja and kana too) and for emoji.
        """
        spelled = re.sub(
            "[！-～]", lambda wide: unicodedata.normalize("NFKC", wide[0]), unicodedata.normalize("NFC", text)
        )
        spelled = re.sub(r"(?<=[0-9])[~〜∼](?=[0-9])", "에서 ", spelled)
        spelled = re.sub(r"([$€£¥₩￦])\s?([0-9][0-9,.]*)", r"\2\1", spelled).replace("￦", "₩").replace("￥", "¥")
        for sign, word in _NAMED.items():
            spelled = spelled.replace(sign, word)
        if found := _unreadable(spelled):
            raise UnreadableText(text, found)
        return spelled

    def phonemes(self, norm: str) -> tuple[list[str], None]:
        """Jamo, spaces (空) and marks of a normalised text; a text that ends in a word gets a full stop.

        Raises LanguageDataMissing when the analyser or a data file is not installed.
        """
        text = re.sub("[A-Za-z]", lambda letter: _LETTERS[letter[0].lower()], norm)
        spoken = _numbers(annotate(exceptional(text)))
        symbols = _symbols(sounds(spoken))
        if symbols and "ㄱ" <= symbols[-1] <= "ㅣ":
            symbols.append(".")
        return symbols, None

    def reading(self, text: str) -> list[str]:
        """Phonemes of a reading in hangul, spelled as it sounds; the rules of liaison still apply.

        Raises BadReading for anything but hangul and spaces.
        """
        plain = unicodedata.normalize("NFC", text).strip()
        if not plain or re.search("[^가-힣 ]", plain):
            raise BadReading(text, text, "it is not hangul; write it in hangul as it sounds")
        return _symbols(sounds(plain))


def _numbers(text: str) -> str:
    """Digits as words: by the counter behind them, or as a plain number; after a point digit by digit."""
    text = re.sub(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))", "", text)

    def counted(match: re.Match[str]) -> str:
        say = numbers.native if match[2] in numbers.NATIVE_COUNTERS else numbers.sino
        return say(match[1]) + match[2]

    text = re.sub(f"(?<![0-9.])([0-9]+)([가-힣]{{1,8}})(?={COUNTER})", counted, text)
    text = re.sub(r"(?<=[0-9])\.([0-9]+)", lambda match: f" 점 {numbers.digitwise(match[1])}", text)
    text = re.sub(r"(?<![0-9])[0-9]+(?:-[0-9]+)+", lambda match: _telephone(match[0]), text)
    return re.sub("[0-9]+", lambda match: numbers.sino(match[0]), text)


def _telephone(digits: str) -> str:
    return " ".join(numbers.digitwise(part) for part in digits.split("-"))


def _symbols(jamo: str) -> list[str]:
    """Symbols of the table for conjoining jamo and marks."""
    jamo = re.sub("(^|[^ᄀ-ᄒ])(?=[ᅡ-ᅵ])", r"\1ᄋ", jamo)
    letters = "".join(_JAMO.get(char) or _loose(char) for char in jamo)
    letters = re.sub("(?<=[ㅇㄹ]ㅡㄹ ) *ㄹ", "ㄴ", letters)  # 을 리 is said 을 니
    return [_symbol(char) for char in letters]


def _loose(char: str) -> str:
    """A letter that stands alone, as in ㅋㅋ and ㅠㅠ, taken apart; anything else as it is."""
    if not "ㄱ" <= char <= "ㅣ":
        return char
    joined = unicodedata.normalize("NFKD", char)
    return _JAMO.get(joined, char) if char > "ㅎ" or char in _ONSETS else _double(char)


def _double(char: str) -> str:
    doubles = dict(zip("ㄳㄵㄶㄺㄻㄼㄽㄾㄿㅀㅄ", (coda for coda in _CODAS if len(coda) == 2), strict=True))
    return doubles.get(char, char)


def _symbol(char: str) -> str:
    mark = _MARKS.get(char, char)
    known = mark in PUNCTUATION or mark == SPACE or mark in _ONSETS or mark in "ㅏㅐㅓㅔㅗㅜㅡㅣ"
    return mark if known else OTHER


def _unreadable(text: str) -> str:
    found = [char for char in text if unicodedata.category(char)[0] in "LNSC" and not _readable(char)]
    return "".join(dict.fromkeys(found))


def _readable(char: str) -> bool:
    if char.isascii() or "가" <= char <= "힣" or "ㄱ" <= char <= "ㅣ":
        return True
    return unicodedata.category(char) in {"Cc", "Cf", "Lm", "Sk"} or char in "〜∼♪♫☆★○●◇◆□■△▲▽▼※→←↑↓®™©"
