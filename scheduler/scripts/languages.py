"""Language tags as files write them, and what the letters of a text say where no file says anything."""

from __future__ import annotations

import re

_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8})*\Z")
_THREE = {
    "eng": "en", "fra": "fr", "fre": "fr", "deu": "de", "ger": "de", "spa": "es", "ita": "it", "por": "pt", "jpn": "ja",
    "zho": "zh", "chi": "zh", "kor": "ko", "rus": "ru", "nld": "nl", "dut": "nl", "lat": "la", "swe": "sv", "pol": "pl",
    "cmn": "zh",
}  # fmt: skip
_NAMES = {
    "english": "en", "french": "fr", "français": "fr", "german": "de", "deutsch": "de", "spanish": "es",
    "español": "es", "italian": "it", "italiano": "it", "portuguese": "pt", "português": "pt", "japanese": "ja",
    "日本語": "ja", "chinese": "zh", "mandarin": "zh", "中文": "zh", "korean": "ko", "한국어": "ko",
    "russian": "ru", "русский": "ru",
    "dutch": "nl", "nederlands": "nl", "latin": "la", "swedish": "sv", "polish": "pl", "finnish": "fi", "greek": "el",
    "danish": "da", "norwegian": "no", "hungarian": "hu", "czech": "cs", "turkish": "tr", "ukrainian": "uk",
}  # fmt: skip
_KANA = re.compile(r"[\u3041-\u30ff]")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0002fa1f]")
_SCRIPTS = (
    ("ko", re.compile(r"[\uac00-\ud7af]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
    ("he", re.compile(r"[\u0590-\u05ff]")),
    ("hi", re.compile(r"[\u0900-\u097f]")),
    ("th", re.compile(r"[\u0e00-\u0e7f]")),
)
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
_SAMPLE_CHARS = 20_000


def normal_tag(value: str | None) -> str | None:
    """Return a BCP 47 tag in its usual case, from a tag or an English or native name; None if it says nothing."""
    text = (value or "").strip()
    named = _NAMES.get(text.casefold())
    if named is not None:
        return named
    if not _TAG.match(text):
        return None
    first, *rest = text.replace("_", "-").split("-")
    first = _THREE.get(first.lower(), first.lower())
    if first in ("und", "zxx", "mul"):
        return None
    return "-".join([first, *(_subtag(part) for part in rest)])


def _subtag(part: str) -> str:
    if len(part) == 2:
        return part.upper()
    return part.title() if len(part) == 4 and part.isalpha() else part.lower()


def primary(tag: str) -> str:
    """Return the language part of a tag: 'en' of 'en-GB'."""
    return tag.split("-", 1)[0].lower()


def by_letters(text: str) -> tuple[str, bool]:
    """Guess a language from the writing system alone; the flag says whether the letters decide it.

    Kana is Japanese, Hangul Korean, Han without kana Chinese; Latin letters do not decide and are taken as English.
    """
    sample = text[:_SAMPLE_CHARS]
    han, kana, latin = len(_HAN.findall(sample)), len(_KANA.findall(sample)), len(_LATIN.findall(sample))
    if kana and kana * 10 >= han and kana + han > latin:
        return "ja", True
    if han and han > latin:
        return "zh", True
    for tag, letters in _SCRIPTS:
        count = len(letters.findall(sample))
        if count > max(latin, han, kana):
            return tag, tag not in ("ru", "ar", "hi")
    return "en", False
