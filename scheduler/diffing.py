"""What became of each line between two versions of a script: kept, changed, added, removed or moved.

Lines that have an id of their own in both versions are matched by it. The others are matched by what is said: texts
that occur once anchor the alignment, what lies between two anchors is aligned by itself, and lines that are left over
in one place are the same line rewritten where their words say so. What repeats is aligned exactly too, within a budget;
when that is spent, the n-th of each text is paired with the n-th.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from scheduler.alignment import Token, align, rising

BAND = 6
"""How far from its place in a gap a rewritten line is looked for."""
ALIKE = 0.4
"""Share of words that two texts have in common from which one is the other rewritten."""

_DERIVED = re.compile(r"(?:[0-9a-f]{16}|cue-\d+)(?:~\d+)?")
"""Keys that readers make of the text or of the place, where a file has no ids."""
_NUMBER = re.compile(r"(\d+)(?:~\d+)?")
_WORD = re.compile(r"\w+")
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


class Status(StrEnum):
    """What became of a line or a section."""

    KEPT = "kept"
    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line as far as two versions are compared."""

    key: str
    section: str
    """Key of its section."""
    text: str
    spoken: str
    character: str
    voice: str
    """name@version."""
    language: str
    pause_ms: int
    in_ms: int | None = None
    out_ms: int | None = None
    direction: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OldLine(NewLine):
    """A line of the earlier version."""

    locked: bool = False
    """Its take stays, whatever the new version says."""


@dataclass(frozen=True, slots=True)
class LineDiff:
    """One line in both versions, or in one of them."""

    status: Status
    old: OldLine | None
    new: NewLine | None
    changes: tuple[str, ...] = ()
    """Of a changed line: text, spoken, character, voice, language, direction, timing, pause."""
    moved: bool = False
    """It stands in another place; a changed line may have moved too."""
    by_id: bool = False
    """Matched by an id of the file's own."""

    @property
    def locked(self) -> bool:
        """Whether the earlier version's line is locked."""
        return self.old is not None and self.old.locked


@dataclass(frozen=True, slots=True)
class SectionDiff:
    """One section in both versions, or in one of them, by key."""

    status: Status
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class ScriptDiff:
    """Two versions compared."""

    lines: tuple[LineDiff, ...]
    """In the order of the new version; a removed line stands after the line it stood after."""
    sections: tuple[SectionDiff, ...]

    @property
    def counts(self) -> Mapping[Status, int]:
        """Lines by what became of them; every status is there."""
        found = Counter(line.status for line in self.lines)
        return {status: found[status] for status in Status}

    @property
    def changed(self) -> bool:
        """Whether anything at all is different."""
        kept = all(line.status is Status.KEPT for line in self.lines)
        return not kept or any(section.status is not Status.KEPT for section in self.sections)


def has_own_id(key: str) -> bool:
    """Whether a line's key is an id that the file gave, not one that was made of its text or its place."""
    return _DERIVED.fullmatch(key) is None


def diff(old: Sequence[OldLine], new: Sequence[NewLine]) -> ScriptDiff:
    """Compare two versions of a script, each in its order.

    The pairing does not depend on which of the two is the earlier one: the way back removes what the way there added.
    """
    pairs, by_id = _pairs(old, new)
    partner = _sections(old, new, pairs)
    moved = _moved(old, new, pairs, partner)
    matched = {j: i for i, j in pairs}
    entries: list[LineDiff] = []
    placed = _removals(len(old), {i for i, _ in pairs})
    entries += (_gone(old[i]) for i in placed.get(-1, ()))
    for j, line in enumerate(new):
        i = matched.get(j)
        if i is None:
            entries.append(LineDiff(Status.ADDED, None, line))
            continue
        changes = _changes(old[i], line)
        status = Status.CHANGED if changes else Status.MOVED if j in moved else Status.KEPT
        entries.append(LineDiff(status, old[i], line, changes, j in moved, j in by_id))
        entries += (_gone(old[k]) for k in placed.get(i, ()))
    return ScriptDiff(tuple(entries), _section_diffs(old, new, partner))


def _gone(line: OldLine) -> LineDiff:
    return LineDiff(Status.REMOVED, line, None)


def _removals(count: int, kept: set[int]) -> dict[int, list[int]]:
    """Removed lines by the kept line before them; -1 is the beginning."""
    placed: dict[int, list[int]] = {}
    before = -1
    for i in range(count):
        if i in kept:
            before = i
        else:
            placed.setdefault(before, []).append(i)
    return placed


def _changes(old: NewLine, new: NewLine) -> tuple[str, ...]:
    found = []
    if old.text != new.text:
        found.append("text")
    if old.spoken != new.spoken:
        found.append("spoken")
    if old.character != new.character:
        found.append("character")
    if old.voice != new.voice:
        found.append("voice")
    if old.language != new.language:
        found.append("language")
    if old.direction != new.direction:
        found.append("direction")
    if (old.in_ms, old.out_ms) != (new.in_ms, new.out_ms):
        found.append("timing")
    if old.pause_ms != new.pause_ms:
        found.append("pause")
    return tuple(found)


# --- pairing ---


def _pairs(old: Sequence[NewLine], new: Sequence[NewLine]) -> tuple[list[tuple[int, int]], set[int]]:
    """(old, new) positions of lines that are one line, by new position; and the new positions matched by id."""
    left, right = _order(old), _order(new)
    if left > right:  # whichever way round, the same pairs
        turned, by_id = _matched(new, old)
        flipped = sorted(((j, i) for i, j in turned), key=lambda pair: pair[1])
        ids = {i for i, j in turned if j in by_id}
        return flipped, ids
    return _matched(old, new)


def _order(lines: Sequence[NewLine]) -> list[tuple[str, str, str, str]]:
    return [(line.section, line.key, line.character, line.text) for line in lines]


def _matched(old: Sequence[NewLine], new: Sequence[NewLine]) -> tuple[list[tuple[int, int]], set[int]]:
    found = dict(_by_id(old, new))
    by_id = set(found.values())
    rest_old = [i for i in range(len(old)) if i not in found]
    rest_new = [j for j in range(len(new)) if j not in by_id]
    a, b = [_token(old[i]) for i in rest_old], [_token(new[j]) for j in rest_new]
    aligned = align(a, b)
    rewritten = _rewritten([old[i] for i in rest_old], [new[j] for j in rest_new], aligned, a, b)
    found.update((rest_old[i], rest_new[j]) for i, j in (*aligned, *rewritten))
    return sorted(found.items(), key=lambda pair: pair[1]), by_id


def _by_id(old: Sequence[NewLine], new: Sequence[NewLine]) -> Iterator[tuple[int, int]]:
    first, second = _own_ids(old), _own_ids(new)
    return ((i, second[key]) for key, i in first.items() if key in second)


def _own_ids(lines: Sequence[NewLine]) -> dict[str, int]:
    """Position by id of the file's own. Numbers that only count the lines are places, not ids."""
    own = {line.key: i for i, line in enumerate(lines) if has_own_id(line.key)}
    return {} if _only_counts(own) else own


def _only_counts(keys: Iterable[str]) -> bool:
    before: int | None = None
    for key in keys:
        match = _NUMBER.fullmatch(key)
        if match is None or len(match[1]) > 9:
            return False
        number = int(match[1])
        if number - (before if before is not None else number) not in (0, 1) or (before is None and number > 1):
            return False
        before = number
    return True


def _token(line: NewLine) -> Token:
    return line.character.casefold(), " ".join(line.text.split())


# --- lines rewritten ---


def _rewritten(
    old: Sequence[NewLine],
    new: Sequence[NewLine],
    aligned: Sequence[tuple[int, int]],
    a: Sequence[Token],
    b: Sequence[Token],
) -> list[tuple[int, int]]:
    """Pair what is left over between the same two neighbours, where it is one line in other words."""
    fixed = rising(sorted(aligned))
    taken_a, taken_b = {i for i, _ in aligned}, {j for _, j in aligned}
    pairs: list[tuple[int, int]] = []
    low = start = 0
    for high, stop in (*fixed, (len(a), len(b))):
        left = [i for i in range(low, high) if i not in taken_a]
        right = [j for j in range(start, stop) if j not in taken_b]
        if len(left) == len(right) == 1:
            pairs.append((left[0], right[0]))
        elif left and right:
            pairs += _alike(old, new, left, right)
        low, start = high + 1, stop + 1
    return pairs


def _alike(
    old: Sequence[NewLine], new: Sequence[NewLine], left: Sequence[int], right: Sequence[int]
) -> list[tuple[int, int]]:
    """In order, the pairs whose words agree best in sum; each is looked for near its place in the gap."""
    rows, columns = len(left), len(right)
    first, second = [_words(old[i].text) for i in left], [_words(new[j].text) for j in right]
    bands = [max(0, row * columns // rows - BAND) for row in range(rows)]
    shares: list[list[float]] = []
    best = [(0, [0.0])] * (rows + 1)
    for row in range(rows - 1, -1, -1):
        low, high = bands[row], min(columns, row * columns // rows + BAND + 1)
        near = [_share(first[row], second[column]) for column in range(low, high)]
        shares.append(near)
        here = [0.0] * (high - low + 1)
        for column in range(high - 1, low - 1, -1):
            share = near[column - low]
            with_it = share + _at(best[row + 1], column + 1) if share else 0.0
            here[column - low] = max(with_it, _at(best[row + 1], column), here[column - low + 1])
        best[row] = (low, here)
    shares.reverse()
    pairs: list[tuple[int, int]] = []
    row = column = 0
    while row < rows and column < columns:
        at = column - bands[row]
        share = shares[row][at] if 0 <= at < len(shares[row]) else 0.0
        total = _at(best[row], column)
        if share and total == share + _at(best[row + 1], column + 1):
            pairs.append((left[row], right[column]))
            row, column = row + 1, column + 1
        elif total == _at(best[row + 1], column):
            row += 1
        else:
            column += 1
    return pairs


def _at(row: tuple[int, Sequence[float]], column: int) -> float:
    """The best sum from a column on; before the band that of its first column, behind it nothing."""
    low, values = row
    return values[max(0, column - low)] if column - low < len(values) else 0.0


def _words(text: str) -> frozenset[str]:
    """What two texts are compared by: words, or pairs of characters where no spaces divide words."""
    folded = text.casefold()
    if _UNSPACED.search(folded):
        signs = "".join(_WORD.findall(folded))
        return frozenset(signs[n : n + 2] for n in range(max(1, len(signs) - 1)))
    return frozenset(_WORD.findall(folded))


def _share(first: frozenset[str], second: frozenset[str]) -> float:
    """Twice the words in common by all words, 1 for the same ones; 0 where there are too few to be one line."""
    if not first or not second:
        return 0.0
    share = 2 * len(first & second) / (len(first) + len(second))
    return share if share >= ALIKE else 0.0


# --- places ---


def _sections(old: Sequence[NewLine], new: Sequence[NewLine], pairs: Sequence[tuple[int, int]]) -> dict[str, str]:
    """Old section key → new section key: where most of its lines went, then the one of the same name."""
    votes = Counter((old[i].section, new[j].section) for i, j in pairs)
    ranked = sorted(votes, key=lambda pair: (-votes[pair], pair[0] != pair[1], min(pair), max(pair)))
    partner: dict[str, str] = {}
    taken: set[str] = set()
    there = {line.section for line in new}
    same = [(key, key) for key in dict.fromkeys(line.section for line in old) if key in there]
    for first, second in (*ranked, *same):
        if first not in partner and second not in taken:
            partner[first] = second
            taken.add(second)
    return partner


def _moved(
    old: Sequence[NewLine], new: Sequence[NewLine], pairs: Sequence[tuple[int, int]], partner: Mapping[str, str]
) -> set[int]:
    """New positions of lines out of their order, or in a section that is not their section's successor."""
    in_order = rising(sorted(pairs)) if _order(old) <= _order(new) else _turned(pairs)
    still = {j for i, j in in_order if partner.get(old[i].section) == new[j].section}
    return {j for _, j in pairs if j not in still}


def _turned(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(i, j) for j, i in rising(sorted((j, i) for i, j in pairs))]


def _section_diffs(
    old: Sequence[NewLine], new: Sequence[NewLine], partner: Mapping[str, str]
) -> tuple[SectionDiff, ...]:
    before = list(dict.fromkeys(line.section for line in old))
    after = list(dict.fromkeys(line.section for line in new))
    heirs = {second: first for first, second in partner.items()}
    place = {key: number for number, key in enumerate(before)}
    in_order = rising([(number, place[heirs[key]]) for number, key in enumerate(after) if key in heirs])
    still = {after[number] for number, _ in in_order}
    found = []
    for key in after:
        first = heirs.get(key)
        if first is None:
            found.append(SectionDiff(Status.ADDED, None, key))
        elif key not in still:
            found.append(SectionDiff(Status.MOVED, first, key))
        else:
            found.append(SectionDiff(Status.KEPT if first == key else Status.CHANGED, first, key))
    found += (SectionDiff(Status.REMOVED, key, None) for key in before if key not in partner)
    return tuple(found)
