"""What may be handed to espeak-ng: it announces letters it cannot read ("Chinese letter") instead of failing."""

from __future__ import annotations

import re
import unicodedata

from synthesis.errors import TextError
from synthesis.text.lexicon import heard
from synthesis.text.markup import split_pauses

MAX_CHARACTERS = 5_000
"""Longest text: some minutes of speech; a line is a sentence or two, so anything near this is not one."""

_FULL_AND_HALF_WIDTH = re.compile("[\uff01-\uff5e]+|[\uff61-\uff9f]+")
_HAN = "\u2e80-\u2fdf\u3005\u3007\u3021-\u3029\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_KANA = "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fd-\u30ff\u31f0-\u31ff"
_KANA_VOWELLED = "\u3041-\u3096\u30a1-\u30fa"

# Letters that are announced one by one wherever the language is not in the set. A lone Greek or Cyrillic letter has a
# name worth hearing; of these two scripts and the others below, only words are refused.
_CYRILLIC = frozenset({"ba", "be", "bg", "bs", "hr", "kk", "ky", "mk", "nog", "ru", "sr", "tk", "tt", "uk", "uz"})
_ARABIC = frozenset({"ar", "fa", "sd", "ug", "ur"})
_SCRIPTS: tuple[tuple[str, re.Pattern[str], frozenset[str]], ...] = (
    ("Chinese characters", re.compile(f"[{_HAN}]"), frozenset({"cmn", "yue"})),
    ("Japanese kana", re.compile(f"[{_KANA}]"), frozenset({"ja"})),
    ("Bopomofo", re.compile("[\u3105-\u312f\u31a0-\u31bf]"), frozenset({"cmn"})),
    ("Greek", re.compile("[\u0370-\u03ff\u1f00-\u1fff]{2,}"), frozenset({"el", "grc"})),
    ("Cyrillic", re.compile("[\u0400-\u052f]{2,}"), _CYRILLIC),
    ("Hebrew", re.compile("[\u05d0-\u05ea]{2,}"), frozenset({"he"})),
    ("Arabic", re.compile("[\u0620-\u064a\u066e-\u06d3]{2,}"), _ARABIC),
    ("Oriya", re.compile("[\u0b00-\u0b7f]{2,}"), frozenset({"or"})),
    ("Telugu", re.compile("[\u0c00-\u0c7f]{2,}"), frozenset({"te"})),
    ("Thai", re.compile("[\u0e01-\u0e4f]{2,}"), frozenset({"th"})),
    ("Lao", re.compile("[\u0e80-\u0eff]{2,}"), frozenset()),
    ("Tibetan", re.compile("[\u0f40-\u0fbc]{2,}"), frozenset()),
    ("Burmese", re.compile("[\u1000-\u109f]{2,}"), frozenset({"my", "shn"})),
    ("Ethiopic", re.compile("[\u1200-\u139f]{2,}"), frozenset({"am", "ti"})),
    ("Cherokee", re.compile("[\u13a0-\u13ff\uab70-\uabbf]{2,}"), frozenset()),
    ("Khmer", re.compile("[\u1780-\u17ff]{2,}"), frozenset()),
    ("Mongolian", re.compile("[\u1800-\u18af]{2,}"), frozenset()),
)
# iteration marks and the small ka/ke of counters have no sound of their own; small vowels need a kana before them
_UNREADABLE_KANA = re.compile(f"[ゝゞヽヾゕゖヵヶ\u31f0-\u31ff]|(?<![{_KANA_VOWELLED}ー])[ぁぃぅぇぉゎァィゥェォヮ]")
_SHOWN = 20


def parts(text: str) -> list[tuple[str, int]]:
    """What is said and the silence after it, in milliseconds; the first may be empty, for a pause that opens the line.

    ``[pause 500ms]`` is silence. Of ``{term|reading}`` the reading is said when it is words or kana, the term when the
    reading is pinyin, jyutping or ARPAbet, which espeak-ng would spell. Raises TextError for marks that cannot be used
    and for a line that is too long.
    """
    if len(text) > MAX_CHARACTERS:
        raise TextError(f"a line of {len(text)} characters is longer than {MAX_CHARACTERS}; split it", text)
    return [(heard(part), pause_ms) for part, pause_ms in split_pauses(text)]


def prepare(text: str, language: str) -> str:
    """Text that espeak-ng reads as written. ``language`` is the name espeak-ng knows it by.

    Control characters become spaces (they are commands to espeak-ng), full- and half-width forms become ordinary ones.
    Raises TextError naming the characters the language cannot read, and for text that is empty or too long.
    """
    if len(text) > MAX_CHARACTERS:
        raise TextError(f"a line of {len(text)} characters is longer than {MAX_CHARACTERS}; split it", text)
    clean = "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Co", "Cn") else c for c in text)
    clean = _FULL_AND_HALF_WIDTH.sub(lambda match: unicodedata.normalize("NFKC", match[0]), clean)
    base = language.partition("-")[0]
    if base == "ja":
        clean = _prepare_japanese(clean, text)
    for script, pattern, readers in _SCRIPTS:
        if base not in readers and (found := pattern.findall(clean)):
            raise TextError(f"the draft voice cannot read {script} in {language!r} ({_show(found)}){_hint(base)}", text)
    if not clean.strip():
        raise TextError("the line is empty", text)
    return clean


def _prepare_japanese(clean: str, text: str) -> str:
    """Marks that espeak-ng would announce as letters: the middle dot, dashes, a long-vowel sign with nothing before."""
    clean = re.sub("[〜～]", "ー", clean)
    clean = re.sub("[・―—–]", "、", clean)
    clean = re.sub(f"(?<![{_KANA_VOWELLED}ー])ー+", "", clean)
    if found := _UNREADABLE_KANA.findall(clean):
        raise TextError(f"the draft voice has no reading for {_show(found)} here; write the sound out in kana", text)
    return clean


def _hint(base: str) -> str:
    return "; write the line in kana" if base == "ja" else ""


def _show(found: list[str]) -> str:
    characters = "".join(dict.fromkeys("".join(found)))
    return characters if len(characters) <= _SHOWN else characters[:_SHOWN] + "…"
