"""Pronunciation lexicons, W3C PLS 1.0: words, and how they are said."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from lxml import etree

from scheduler.markup.readings import inline_reading
from scheduler.scripts.blocks import LINE_BREAK, Piece
from scheduler.scripts.errors import ScriptUnreadable
from scheduler.scripts.languages import normal_tag, primary
from scheduler.scripts.model import Rejection
from scheduler.scripts.xmlsafe import parse_xml

NAMESPACE = "http://www.w3.org/2005/01/pronunciation-lexicon"
MEDIA_TYPE = "application/pls+xml"
DEFAULT_ALPHABET = "ipa"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_MAX_CHARS = 1_000
"""Longest word or pronunciation that is taken."""
_WORD = re.compile(r"\w")
_CJK = re.compile("[\u3005-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af]")


@dataclass(frozen=True, slots=True)
class PlsEntry:
    """One spelling of a lexeme with its preferred pronunciation: a phoneme string or other words."""

    grapheme: str
    phoneme: str | None
    alias: str | None
    """Words that are said in its place."""
    alphabet: str
    """Of the phoneme string, lower case: 'ipa', 'x-…'."""
    language: str
    """BCP 47; '' where the lexicon does not say."""


def read_pls(data: bytes, file: str, place: str) -> tuple[PlsEntry, ...]:
    """Return the entries of a lexicon in document order, one for each spelling.

    Of several pronunciations the one marked ``prefer`` counts, else the first. A lexeme with a role, which says what
    part of speech it is, is left out where the same spelling stands without one. Raises ScriptUnreadable, naming the
    line, for what is no lexicon, and ScriptRefused for entity declarations.
    """
    root = parse_xml(data, file, place)
    if root.tag != f"{{{NAMESPACE}}}lexicon":
        raise ScriptUnreadable(
            file, place, f"is no pronunciation lexicon: its root must be <lexicon xmlns={NAMESPACE!r}>"
        )
    alphabet = (root.get("alphabet") or DEFAULT_ALPHABET).strip().lower()
    language = normal_tag(root.get(_XML_LANG)) or ""
    plain: list[PlsEntry] = []
    with_role: list[PlsEntry] = []
    for lexeme in root.iterchildren(f"{{{NAMESPACE}}}lexeme"):
        where = f"{place} line {lexeme.sourceline}" if place else f"line {lexeme.sourceline}"
        entries = _entries(lexeme, alphabet, language, file, where)
        (with_role if lexeme.get("role") else plain).extend(entries)
    spelled = {entry.grapheme for entry in plain}
    return (*plain, *(entry for entry in with_role if entry.grapheme not in spelled))


def _entries(lexeme: etree._Element, alphabet: str, language: str, file: str, where: str) -> Iterator[PlsEntry]:
    graphemes = [_words(element) for element in lexeme.iterchildren(f"{{{NAMESPACE}}}grapheme")]
    said = [
        element
        for element in lexeme.iterchildren(f"{{{NAMESPACE}}}phoneme", f"{{{NAMESPACE}}}alias")
        if _words(element)
    ]
    if not any(graphemes):
        raise ScriptUnreadable(file, where, "a lexeme has no spelling; give it a <grapheme>")
    if not said:
        return  # PLS allows it: the word is said by the rules
    best = next((element for element in said if element.get("prefer") == "true"), said[0])
    text = _words(best)
    if max(len(text), *map(len, graphemes)) > _MAX_CHARS:
        raise ScriptUnreadable(
            file, where, f"a lexeme has over {_MAX_CHARS:,} characters; it must be a word or a phrase"
        )
    is_phoneme = best.tag == f"{{{NAMESPACE}}}phoneme"
    for grapheme in graphemes:
        if grapheme:
            yield PlsEntry(
                grapheme=grapheme,
                phoneme=text if is_phoneme else None,
                alias=None if is_phoneme else text,
                alphabet=(best.get("alphabet") or alphabet).strip().lower(),
                language=language,
            )


def _words(element: etree._Element) -> str:
    return " ".join("".join(str(text) for text in element.itertext()).split())


@dataclass(slots=True)
class Unused:
    """Readings that a book states and that the voice engines have no form for."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often, by alphabet and language."""

    def add(self, alphabet: str, language: str) -> None:
        """Note one reading."""
        self.counts[alphabet or DEFAULT_ALPHABET, language] += 1

    def notices(self) -> list[Rejection]:
        """One notice for the document, if there is anything to say."""
        if not self.counts:
            return []
        kinds = ", ".join(f"{count} × {alphabet} in {tag}" for (alphabet, tag), count in sorted(self.counts.items()))
        return [Rejection("", f"pronunciations left out, because the voice engines have no form for them: {kinds}")]


class Pronunciations:
    """Finds the words of lexicons in a text; a longer spelling wins, a lexicon named earlier wins."""

    def __init__(self, entries: Iterable[tuple[str, PlsEntry]], unused: Unused) -> None:
        """``entries`` come with the language that they are for, '' for any."""
        self.unused = unused
        self._entries: dict[str, dict[str, PlsEntry]] = {}
        self._lengths: dict[str, dict[str, set[int]]] = {}
        for language, entry in entries:
            tag = primary(language) if language else ""
            self._entries.setdefault(tag, {}).setdefault(entry.grapheme, entry)
            self._lengths.setdefault(tag, {}).setdefault(entry.grapheme[0], set()).add(len(entry.grapheme))

    def read(self, pieces: Sequence[Piece], language: str) -> tuple[Piece, ...]:
        """Return the pieces of a paragraph in ``language`` with the words that are in a lexicon set apart."""
        if not self._entries:
            return tuple(pieces)
        return tuple(part for piece in _merged(pieces) for part in self._parts(piece, piece.language or language))

    def _parts(self, piece: Piece, language: str) -> Iterator[Piece]:
        if piece is LINE_BREAK or piece.is_point or piece.spoken is not None:
            yield piece
            return
        text = piece.text
        start = at = 0
        while at < len(text):
            entry = self._at(text, at, primary(language)) or self._at(text, at, "")
            said = None if entry is None else self._said(entry, language)
            if entry is None or said is None:
                at += 1 if entry is None else len(entry.grapheme)
                continue
            if at > start:
                yield replace(piece, text=text[start:at])
            start = at = at + len(entry.grapheme)
            yield replace(piece, text=entry.grapheme, spoken=said)
        if start < len(text):
            yield replace(piece, text=text[start:]) if start else piece

    def _at(self, text: str, at: int, tag: str) -> PlsEntry | None:
        lengths = self._lengths.get(tag, {}).get(text[at], ())
        for length in sorted(lengths, reverse=True):
            entry = self._entries[tag].get(text[at : at + length])
            if entry is not None and _is_whole(text, at, at + length):
                return entry
        return None

    def _said(self, entry: PlsEntry, language: str) -> str | None:
        if entry.alias is not None:
            return entry.alias
        said = inline_reading(entry.grapheme, entry.phoneme or "", entry.alphabet, language)
        if said is None:
            self.unused.add(entry.alphabet, language)
        return said


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether a spelling stands for itself and not inside a longer word; scripts without spaces have no such edges."""
    return not (
        (start > 0 and _joins(text[start - 1], text[start])) or (end < len(text) and _joins(text[end - 1], text[end]))
    )


def _joins(left: str, right: str) -> bool:
    return bool(_WORD.match(left) and _WORD.match(right)) and not (_CJK.match(left) or _CJK.match(right))


def _merged(pieces: Sequence[Piece]) -> list[Piece]:
    """Put runs of one language and one speaker together: emphasis inside a word does not end it."""
    done: list[Piece] = []
    for piece in pieces:
        last = done[-1] if done else None
        if last is not None and _is_plain(last) and _is_plain(piece) and replace(last, text=piece.text) == piece:
            done[-1] = replace(last, text=last.text + piece.text)
        else:
            done.append(piece)
    return done


def _is_plain(piece: Piece) -> bool:
    return piece is not LINE_BREAK and piece.spoken is None and not piece.is_point
