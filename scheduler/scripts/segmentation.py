"""From a paragraph to the spans that are spoken one at a time. Nothing is lost: the spans cover the paragraph.

One span is one sentence. A very short sentence goes with its neighbour, because engines repeat or swallow a lone
"No."; a sentence longer than the limit is divided where a reader would breathe: at a sentence end inside a quotation,
then at a clause mark, then at a space. Lengths are in spoken characters: a CJK character counts as three.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from itertools import pairwise

from sentencex import segment

from scheduler.scripts.languages import primary

Span = tuple[int, int]

SHORT_CHARS = 25
"""Sentences shorter than this are said with a neighbour."""

_WIDEST = 3
"""Most that a character counts."""
_WIDE = re.compile(r"[\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0002fa1f]")
_ALNUM = re.compile(r"[^\W_]")
_TAIL_CHARS = 20
"""How far back an ending is looked for."""
_CLOSERS = "\"”’'»」』）)】〉》］]"
_ENDS_IN_QUOTE = re.compile(r"[\"”’'»」』]\s*\Z")
_ENDS_OPEN = re.compile(r"(?:…|\.\.\.|[\"”’»」』])\s*\Z")
_TITLES = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Messrs|Mme|Mlle|Dr|Prof|St|Rev|Hon|Gen|Col|Maj|Capt|Lieut|Lt|Sgt|Sr|Mt|Ft|Gov|Sen|Rep|vs|viz|cf|Hr|Fr)"
    r"|(?<![\w.])[A-Z])\.[\"”’]?\s*\Z"
)
_BEFORE_NUMBER = re.compile(
    r"\b(?:[Nn]os?|[Vv]ols?|[Ff]igs?|pp?|[Cc]h|[Ss]ec|[Aa]rt|[Ee]q|[Cc]a|c|[Bb]k|Nr|Abb|Bd|S)\.\s*\Z"
)
_LITTLE_WORD = re.compile(r"(?<![\w'’])[^\W\d_]{1,3}\.\s*\Z")
_JA_PARTICLE = re.compile(r"(?:と|って|などと|なんて|という|、)")
_BREAKS = (
    re.compile(rf"(?:[.!?…]+[{re.escape(_CLOSERS)}]*(?=\s)|[。！？…]+[{re.escape(_CLOSERS)}]*)\s*"),
    re.compile(rf"(?:[;:,—–]+[{re.escape(_CLOSERS)}]*(?=\s)|—|[、，；：]+[{re.escape(_CLOSERS)}]*)\s*"),
    re.compile(r"\s+"),
)


def speakable(text: str) -> bool:
    """Whether there is a letter or a digit to say: punctuation, notes and emoji alone are never sent to an engine."""
    return _ALNUM.search(text) is not None


def spoken_length(text: str) -> int:
    """Return the length in Latin-letter equivalents: a kana, Han character or Hangul syllable counts as three."""
    return len(text) if text.isascii() else len(text) + 2 * len(_WIDE.findall(text))


def split(text: str, language: str, max_chars: int, *, breaks: Sequence[int] = ()) -> list[Span]:
    """Divide a paragraph into spans that cover it, in order.

    ``breaks`` are offsets where the source broke the line (verse); a span never reaches over one unless it is short.
    Each span is at most ``max_chars`` spoken characters long. Empty text has no spans.
    """
    return join_short(text, sentences(text, language, max_chars, breaks=breaks), max_chars)


def sentences(text: str, language: str, max_chars: int, *, breaks: Sequence[int] = ()) -> list[Span]:
    """Divide as ``split`` does, short sentences still apart."""
    spans = _sentences(text, primary(language))
    if breaks and spans:
        spans = _cut_at(spans, breaks)
    return [part for span in spans for part in _shorten(text, span, max_chars)]


def join_short(text: str, spans: Sequence[Span], max_chars: int, fences: Collection[int] = ()) -> list[Span]:
    """Put short spans together with their neighbours, never over an offset in ``fences``."""
    joined: list[Span] = []
    for span in spans:
        if joined and span[0] not in fences and _may_join(text, joined[-1], span, max_chars):
            joined[-1] = (joined[-1][0], span[1])
        else:
            joined.append(span)
    return joined


def _sentences(text: str, language: str) -> list[Span]:
    spans: list[Span] = []
    at = 0
    for part in segment(language, text):
        if not part:
            continue
        if spans and _belongs(text[max(spans[-1][0], at - _TAIL_CHARS) : at], part, language):
            spans[-1] = (spans[-1][0], at + len(part))
        else:
            spans.append((at, at + len(part)))
        at += len(part)
    if at != len(text) or "".join(text[a:b] for a, b in spans) != text:
        return [(0, len(text))] if text else []
    return spans


def _belongs(before: str, part: str, language: str) -> bool:
    """Whether ``part`` goes on: attribution after a quotation, lower case, a name after a title."""
    start = part.lstrip()
    if not start or not speakable(start):
        return True
    if language == "ja" and _ENDS_IN_QUOTE.search(before) and _JA_PARTICLE.match(start):
        return True
    if start[0].islower():
        return _ENDS_OPEN.search(before) is not None or _LITTLE_WORD.search(before) is not None
    if start[0].isdigit() and _BEFORE_NUMBER.search(before):
        return True
    return start[0].isupper() and _TITLES.search(before) is not None


def _cut_at(spans: list[Span], breaks: Sequence[int]) -> list[Span]:
    cuts = sorted({edge for span in spans for edge in span} | {at for at in breaks if 0 < at < spans[-1][1]})
    return list(pairwise(cuts))


def _shorten(text: str, span: Span, max_chars: int) -> list[Span]:
    start, end = span
    if start < end <= start + max_chars // _WIDEST:
        return [span]
    parts: list[Span] = []
    left = spoken_length(text[start:end])
    while left > max_chars:
        target = left / -(-left // max_chars)
        cut = _best_cut(text, start, end, target, max_chars)
        parts.append((start, cut))
        left -= spoken_length(text[start:cut])
        start = cut
    if start < end:
        parts.append((start, end))
    return parts


def _best_cut(text: str, start: int, end: int, target: float, max_chars: int) -> int:
    """Return where to divide: the strongest mark whose distance from ``start`` is near ``target`` spoken characters."""
    window = min(end, start + max_chars)
    room = max_chars
    last = window if text[start:window].isascii() else start
    while last < window and room > 0:
        room -= 3 if _WIDE.match(text[last]) else 1
        last += 1
    if room < 0:
        last -= 1
    ideal = start + round((last - start) * target / max_chars)
    for marks in _BREAKS:
        found = [m.end() for m in marks.finditer(text, start, last) if m.end() - start >= 0.4 * (ideal - start)]
        if found:
            return min(found, key=lambda at: abs(at - ideal))
    return _whole_character(text, start, max(ideal, start + 1))


def _whole_character(text: str, start: int, cut: int) -> int:
    at = cut
    while at > start + 1 and at < len(text) and (unicodedata.combining(text[at]) or text[at] in "\u200d\ufe0e\ufe0f"):
        at -= 1
    return at if at > start + 1 else cut


def _may_join(text: str, before: Span, span: Span, max_chars: int) -> bool:
    first, second = text[slice(*before)].strip(), text[slice(*span)].strip()
    if speakable(first) and speakable(second) and not (_is_short(first) or _is_short(second)):
        return False
    return spoken_length(text[before[0] : span[1]]) <= max_chars


def _is_short(text: str) -> bool:
    return len(text) < SHORT_CHARS and spoken_length(text) < SHORT_CHARS
