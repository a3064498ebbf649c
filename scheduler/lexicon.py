"""The lexicon put to use: terms in what is spoken become ``{term|reading}``. Pure; the entries come from the database.

Longer terms win over shorter ones; of one term the narrowest scope wins (voice, character, production, farm), and in a
scope the entry for the line's own language over one for all. What a script states itself, a reading or other markup,
is left alone. Terms match as they are written, capitals included.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduler.casting import same_name
from scheduler.markup.readings import inline_reading

if TYPE_CHECKING:
    from db.queries.lexicon import LexiconEntry

_KEPT = re.compile(r"(?<!\\)(?:\{[^{}|]*\|[^{}|]*\}|\[(?:pause|break)\b[^\[\]]*\])", re.IGNORECASE)
"""What stands as it is: readings and pauses."""
_RANKS = {"farm": 0, "production": 1, "character": 2, "voice": 3}
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u30ff\u3130-\u318f\u31f0-\u9fff\ua960-\ua97f"
    "\uac00-\ud7ff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
"""Letters of scripts that set no spaces between words, or join endings to them: a term may begin and end anywhere."""


@dataclass(frozen=True, slots=True)
class Speaking:
    """Whose line it is: what the scopes of entries are compared with."""

    production: str = ""
    """Slug."""
    character: str = ""
    voice: str = ""
    """Name, without version."""

    def is_in(self, scope: str, key: str) -> bool:
        """Whether the line lies in a scope. A character's key is its name, or ``production/name``."""
        match scope:
            case "farm":
                return True
            case "production":
                return key == self.production
            case "character":
                name = same_name(self.character)
                return bool(name) and same_name(key) in (name, same_name(f"{self.production}/{self.character}"))
            case "voice":
                return bool(self.voice) and key.partition("@")[0] == self.voice
        return False


NOBODY = Speaking()


class Lexicon:
    """Entries made ready for lines; ``drafts`` takes those that nobody reviewed as well."""

    def __init__(self, entries: Iterable[LexiconEntry], *, drafts: bool = False) -> None:
        self.entries = tuple(entry for entry in entries if drafts or entry.status == "reviewed")
        self._ready: dict[tuple[str, Speaking], _Terms] = {}

    def __bool__(self) -> bool:
        return bool(self.entries)

    def applied(self, spoken: str, language: str, speaking: Speaking = NOBODY) -> str:
        """What is spoken, with the readings of the terms in it. The same text comes back where no term is in it."""
        if not self.entries:
            return spoken
        key = (language, speaking)
        if key not in self._ready:
            fitting = (entry for entry in self.entries if speaking.is_in(entry.scope, entry.scope_key))
            self._ready[key] = _Terms(fitting, language)
        return self._ready[key].put_into(spoken)


def apply(spoken: str, language: str, entries: Iterable[LexiconEntry]) -> str:
    """``Lexicon.applied`` for entries that all hold for the line, whatever their scope and status."""
    return _Terms(entries, language).put_into(spoken)


class _Terms:
    """Terms of one language with their inline readings."""

    def __init__(self, entries: Iterable[LexiconEntry], language: str) -> None:
        self._inline: dict[str, str] = {}
        ranked = sorted((entry for entry in entries if covers(entry.language, language)), key=_rank)
        for entry in ranked:  # the narrowest last, over the others
            inline = inline_reading(entry.term, entry.reading, entry.alphabet, language)
            if inline is not None:
                self._inline[entry.term] = inline
        lengths: dict[str, set[int]] = defaultdict(set)
        for term in self._inline:
            lengths[term[0]].add(len(term))
        self._lengths = {first: sorted(found, reverse=True) for first, found in lengths.items()}
        self._firsts = re.compile(f"[{re.escape(''.join(sorted(lengths)))}]") if lengths else None

    def put_into(self, text: str) -> str:
        """The text with its terms as inline readings."""
        if self._firsts is None or not self._firsts.search(text):
            return text
        done: list[str] = []
        at = 0
        for kept in _KEPT.finditer(text):
            done += (*self._replaced(text, at, kept.start()), kept[0])
            at = kept.end()
        done += self._replaced(text, at, len(text))
        return "".join(done)

    def _replaced(self, text: str, start: int, end: int) -> Iterator[str]:
        at = start
        while at < end and self._firsts is not None and (first := self._firsts.search(text, at, end)):
            found = next((size for size in self._lengths[first[0]] if self._is_term(text, first.start(), size, end)), 0)
            yield text[at : first.start()]
            term = text[first.start() : first.start() + max(found, 1)]
            yield self._inline[term] if found else term
            at = first.start() + len(term)
        yield text[at:end]

    def _is_term(self, text: str, start: int, size: int, end: int) -> bool:
        stop = start + size
        return (
            stop <= end
            and text[start:stop] in self._inline
            and text[start - 1 : start] != "\\"  # an engine would take it for the escape of the reading
            and not _joins(text[start - 1 : start], text[start])
            and not _joins(text[stop - 1], text[stop : stop + 1])
        )


def covers(stated: str, language: str) -> bool:
    """Whether an entry's language is that of a line: 'zh' covers 'zh-Hans', and '' everything."""
    return not stated or f"{language.lower()}-".startswith(f"{stated.lower()}-")


def _rank(entry: LexiconEntry) -> tuple[int, bool, int]:
    """How narrow an entry is: its scope, a character of one production before one of all, then its language."""
    return _RANKS[entry.scope], "/" in entry.scope_key, len(entry.language)


def _joins(left: str, right: str) -> bool:
    """Whether two neighbours are of one word, so that no term ends between them."""
    return bool(left and right) and _is_of_word(left) and _is_of_word(right)


def _is_of_word(char: str) -> bool:
    return (char.isalnum() or unicodedata.category(char) in ("Mn", "Mc")) and not _UNSPACED.match(char)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something about entries that a person should look at."""

    term: str
    reason: str


def doubts(entries: Sequence[LexiconEntry]) -> list[Doubt]:
    """Entries that say the same twice, that contradict each other, or that no engine can use."""
    return [*_unusable(entries), *_overlapping(entries), *_by_capitals(entries)]


def unusable(entry: LexiconEntry) -> str | None:
    """Why an entry can never be used, in words for the person who writes it; None if it can."""
    if entry.scope not in _RANKS:
        return f"there is no scope {entry.scope!r}; choose from {', '.join(_RANKS)}"
    if (entry.scope == "farm") != (not entry.scope_key):
        needs = "takes no key" if entry.scope == "farm" else "needs its key: a production, a character or a voice"
        return f"the scope {entry.scope} {needs}"
    tongues = [entry.language] if entry.language else ["zh", "en", "ja", "ko", "yue", "fr"]
    if all(inline_reading(entry.term, entry.reading, entry.alphabet, tongue) is None for tongue in tongues):
        tongue = f" in {entry.language!r}" if entry.language else ""
        return f"{entry.reading!r} cannot be used as {entry.alphabet} for {entry.term!r}{tongue}; write it another way"
    return None


def _unusable(entries: Sequence[LexiconEntry]) -> Iterator[Doubt]:
    for entry in entries:
        reason = unusable(entry)
        if reason is not None:
            yield Doubt(entry.term, reason)


def _overlapping(entries: Sequence[LexiconEntry]) -> Iterator[Doubt]:
    """Entries of one term of which one hides the other."""
    same: dict[str, list[LexiconEntry]] = defaultdict(list)
    for entry in entries:
        same[entry.term].append(entry)
    for term, group in same.items():
        for number, one in enumerate(group):
            for other in group[number + 1 :]:
                if not (covers(one.language, other.language) or covers(other.language, one.language)):
                    continue
                if (one.scope, one.scope_key) == (other.scope, other.scope_key):
                    where = f"{_where(one)} and {_where(other)}"
                    equal = (one.reading, one.alphabet) == (other.reading, other.alphabet)
                    yield Doubt(term, f"stands twice, for {where}" + ("" if equal else ", with different readings"))
                elif (one.reading, one.alphabet) == (other.reading, other.alphabet) and "farm" in (
                    one.scope,
                    other.scope,
                ):
                    yield Doubt(term, f"has the same reading for {_where(one)} and {_where(other)}; one will do")


def _by_capitals(entries: Sequence[LexiconEntry]) -> Iterator[Doubt]:
    folded: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        folded[entry.term.casefold()].add(entry.term)
    for spellings in folded.values():
        if len(spellings) > 1:
            first, *others = sorted(spellings)
            yield Doubt(
                first, f"differs from {', '.join(map(repr, others))} in capitals alone; each matches only itself"
            )


def _where(entry: LexiconEntry) -> str:
    scope = entry.scope if entry.scope == "farm" else f"{entry.scope} {entry.scope_key}"
    return f"{scope} in {entry.language or 'every language'}"
