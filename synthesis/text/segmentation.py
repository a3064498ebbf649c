"""Which language each stretch of a mixed text is in.

With a tag (zh, yue, ja, ko) everything but Latin words is in that language, except kana and hangul, which are read as
what they are. ``auto`` tells Chinese from Japanese by kana and by characters that only one of them writes; they share
most characters, so texts without kana are taken as Chinese and a tag is the safer choice.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

from synthesis.text.errors import LanguageUnknown

TAGS = ("zh", "en", "ja", "ko", "yue", "auto", "auto_yue", "all_zh", "all_ja", "all_ko", "all_yue")
TAGS_V1 = ("zh", "en", "ja", "auto", "all_zh", "all_ja")
_MARKS = frozenset("〜~,.;:!?，。！？；：、·([{<（【《〈「『“‘)]}>）】》〉」』”’\"-_—#$%&…￥'*+=@\\^`|")
_CLAUSE_MARKS = ",.!?，。！？"
_NUMBER_ENDS = "。."
_SOUNDED = "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fd-\u30ff"
_KANA = _SOUNDED + "\u30fc"  # a long mark lengthens a sound before it
_HANGUL = "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af"
_BETWEEN = "0-9、〜~。！？.!?… "
_KANA_RUN = re.compile(f"[{_SOUNDED}][{_KANA}]*(?:[{_BETWEEN}]+[{_KANA}]+)*[、〜。！？!?…，,. ]*")
_HANGUL_RUN = re.compile(f"[{_HANGUL}]+(?:[{_BETWEEN}]+[{_HANGUL}]+)*[、〜。！？!?…，,. ]*")
_SHARED = re.compile("[\u4e00-\u9fff々\u3040-\u30ff]")
"""Characters of Chinese and Japanese."""
_CLAUSE = re.compile(r"[^，。！？、；：…!?,;]*[，。！？、；：…!?,;」』”’ ]*")
_ONLY_CHINESE = frozenset("你她吗呢吧啊们这哪谁")


@dataclass(frozen=True)
class Stretch:
    """A part of a text in one language (or, on the way, ``digit`` or ``main``)."""

    language: str
    text: str


def stretches(text: str, tag: str, *, version: str = "v2") -> list[Stretch]:
    """The text as stretches that joined are the text. Raises LanguageUnknown for a tag the version does not have."""
    known = TAGS_V1 if version == "v1" else TAGS
    if tag not in known:
        raise LanguageUnknown(tag, known)
    if not text:
        return []
    if tag == "en":
        return [Stretch("en", text)]
    forced = tag.startswith("all_")
    main = tag.removeprefix("all_")
    parts = _merge(
        Stretch("main" if forced and part.language == "digit" else part.language, part.text)
        for part in _by_script(text)
    )
    parts = _merge(_with_numbers(parts))
    if main in ("auto", "auto_yue"):
        chinese = "yue" if main == "auto_yue" else "zh"
        return _merge(found for part in parts for found in _detected(part, text, chinese, version))
    return _merge(found for part in parts for found in _tagged(part, main, version))


def _by_script(text: str) -> list[Stretch]:
    """Latin words (en), numbers (digit) and all the rest (main); space and marks go with what is before them."""
    kinds: list[str] = []
    pieces: list[str] = []
    for char in text:
        kind = _script(char)
        if kind == "mark" and pieces:
            pieces[-1] += char
        elif pieces and kinds[-1] in (kind, "mark"):
            kinds[-1] = kind
            pieces[-1] += char
        else:
            kinds.append(kind)
            pieces.append(char)
    return [Stretch("main" if kind == "mark" else kind, piece) for kind, piece in zip(kinds, pieces, strict=True)]


@cache
def _script(char: str) -> str:
    if char.isspace() or char in _MARKS or unicodedata.category(char)[0] in "MC":
        return "mark"
    if char.isdigit() and char.isascii():
        return "digit"
    return "en" if is_latin(char) else "main"


@cache
def is_latin(char: str) -> bool:
    """Whether the character is a Latin letter that English reading can use: plain, accented or full width."""
    plain = unicodedata.normalize("NFKD", char)[:1]
    return char.isalpha() and plain.isascii() and plain.isalpha()


def _with_numbers(parts: list[Stretch]) -> Iterator[Stretch]:
    """Numbers take the language of a neighbour."""
    before: Stretch | None = None
    for at, part in enumerate(parts):
        after = parts[at + 1] if at + 1 < len(parts) else None
        language = part.language if part.language != "digit" else _number_language(before, part.text, after)
        found = Stretch(language, part.text)
        joins = before is not None and before.language == language
        before = Stretch(language, before.text + part.text) if before is not None and joins else found
        yield found


def _number_language(before: Stretch | None, number: str, after: Stretch | None) -> str:
    if before is None or after is None:
        neighbour = before or after
        return neighbour.language if neighbour else "main"
    if before.language == after.language or after.text[0] in _CLAUSE_MARKS:
        return before.language
    if before.text[-1] in _CLAUSE_MARKS:
        return after.language
    if number[-1] in _NUMBER_ENDS or len(before.text) >= len(after.text):
        return before.language
    return after.language


def _tagged(part: Stretch, main: str, version: str) -> Iterator[Stretch]:
    if part.language == "en":
        yield part
        return
    for kana in _cut_out(Stretch(main, part.text), _KANA_RUN, "ja") if main != "ja" else [Stretch(main, part.text)]:
        if kana.language == "ko" or version == "v1":
            yield kana
        else:
            yield from _cut_out(kana, _HANGUL_RUN, "ko")


def _detected(part: Stretch, whole: str, chinese: str, version: str) -> Iterator[Stretch]:
    if part.language == "en":
        yield part
        return
    plain = Stretch(chinese, part.text)
    for found in [plain] if version == "v1" else _cut_out(plain, _HANGUL_RUN, "ko"):
        if found.language == "ko":
            yield found
            continue
        for clause in _CLAUSE.findall(found.text):
            if clause:
                yield from _chinese_or_japanese(clause, whole, chinese)


def _chinese_or_japanese(clause: str, whole: str, chinese: str) -> Iterator[Stretch]:
    kana = _KANA_RUN.search(clause)
    only_chinese = any(_is_only_chinese(char) for char in clause)
    if kana and only_chinese:
        yield from _cut_out(Stretch(chinese, clause), _KANA_RUN, "ja")
    elif kana or (not only_chinese and _is_japanese(whole)):
        yield Stretch("ja", clause)
    else:
        yield Stretch(chinese, clause)


@lru_cache(maxsize=64)
def _is_japanese(text: str) -> bool:
    if any(_is_only_chinese(char) for char in text):
        return False
    return bool(_KANA_RUN.search(text)) or any(_is_only_japanese(char) for char in text)


@cache
def _is_only_chinese(char: str) -> bool:
    return char in _ONLY_CHINESE or (bool(_SHARED.match(char)) and not _can_write("shift_jis", char))


@cache
def _is_only_japanese(char: str) -> bool:
    shared = bool(_SHARED.match(char)) and char != "々"
    return shared and _can_write("shift_jis", char) and not (_can_write("gb2312", char) or _can_write("big5", char))


def _can_write(encoding: str, char: str) -> bool:
    try:
        char.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _cut_out(part: Stretch, pattern: re.Pattern[str], language: str) -> Iterator[Stretch]:
    """The part with what the pattern finds in another language."""
    start = 0
    for found in pattern.finditer(part.text):
        if found.start() > start:
            yield Stretch(part.language, part.text[start : found.start()])
        yield Stretch(language, found.group())
        start = found.end()
    if start < len(part.text):
        yield Stretch(part.language, part.text[start:])


def _merge(parts: Iterable[Stretch]) -> list[Stretch]:
    merged: list[Stretch] = []
    for part in parts:
        if merged and merged[-1].language == part.language:
            merged[-1] = Stretch(part.language, merged[-1].text + part.text)
        else:
            merged.append(part)
    return merged
