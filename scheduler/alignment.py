"""Two sequences of tokens aligned: unique ones anchor, gaps are exact within a budget, what moved comes last."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

SEARCH_STEPS = 2_500_000
"""Steps of exact alignment for a whole script, about a second; the square of the edits among repeated lines."""
MAX_DEPTH = 32
"""Gaps inside gaps: texts that are unique only in ever smaller ones would be counted again each time."""

Token = tuple[str, str]


class _Budget:
    """Steps that are left to all exact alignments of one comparison."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def spend(self, steps: int) -> bool:
        """Take steps off; False when there are not enough."""
        self._left -= steps
        return self._left >= 0


def align(a: Sequence[Token], b: Sequence[Token]) -> list[tuple[int, int]]:
    """Equal tokens paired: first in order, gap by gap, then those that moved. No token is paired twice."""
    pairs: list[tuple[int, int]] = []
    gaps = [(0, len(a), 0, len(b), 0)]
    budget = _Budget(SEARCH_STEPS)
    while gaps:
        low, high, start, stop, depth = gaps.pop()
        while low < high and start < stop and a[low] == b[start]:
            pairs.append((low, start))
            low, start = low + 1, start + 1
        while low < high and start < stop and a[high - 1] == b[stop - 1]:
            high, stop = high - 1, stop - 1
            pairs.append((high, stop))
        if low == high or start == stop:
            continue
        anchors = _anchors(a, b, low, high, start, stop) if depth < MAX_DEPTH else []
        if not anchors:
            pairs += _in_gap(a, b, low, high, start, stop, budget)
            continue
        for i, j in anchors:
            pairs.append((i, j))
            gaps.append((low, i, start, j, depth + 1))
            low, start = i + 1, j + 1
        gaps.append((low, high, start, stop, depth + 1))
    return pairs + _elsewhere(a, b, pairs)


def _anchors(
    a: Sequence[Token], b: Sequence[Token], low: int, high: int, start: int, stop: int
) -> list[tuple[int, int]]:
    """Tokens that occur once on either side of a gap, as many as keep their order."""
    once_a, once_b = _once(a, low, high), _once(b, start, stop)
    return rising([(i, once_b[token]) for token, i in once_a.items() if token in once_b])


def _once(tokens: Sequence[Token], start: int, stop: int) -> dict[Token, int]:
    counts = Counter(tokens[i] for i in range(start, stop))
    return {tokens[i]: i for i in range(start, stop) if counts[tokens[i]] == 1}


def rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest part of pairs, which ascend in their first, that ascends in its second too."""
    tails: list[int] = []
    ends: list[int] = []
    previous: list[int] = []
    for number, (_, j) in enumerate(pairs):
        at = bisect_left(tails, j)
        if at == len(tails):
            tails.append(j)
            ends.append(number)
        else:
            tails[at], ends[at] = j, number
        previous.append(ends[at - 1] if at else -1)
    chosen: list[tuple[int, int]] = []
    number = ends[-1] if ends else -1
    while number >= 0:
        chosen.append(pairs[number])
        number = previous[number]
    return chosen[::-1]


def _in_gap(
    a: Sequence[Token], b: Sequence[Token], low: int, high: int, start: int, stop: int, budget: _Budget
) -> list[tuple[int, int]]:
    """Align a gap in which every text that both sides have is said more than once."""
    common = set(a[low:high]) & set(b[start:stop])
    first = [i for i in range(low, high) if a[i] in common]
    second = [j for j in range(start, stop) if b[j] in common]
    found = _fewest_edits([a[i] for i in first], [b[j] for j in second], budget)
    if found is None:
        return rising(sorted(_nth(a, b, first, second)))
    return [(first[x], second[y]) for x, y in found]


def _nth(
    a: Sequence[Token], b: Sequence[Token], first: Sequence[int], second: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """The n-th of each text on one side with the n-th on the other."""
    places: dict[Token, list[int]] = defaultdict(list)
    for j in second:
        places[b[j]].append(j)
    used: Counter[Token] = Counter()
    for i in first:
        there = places.get(a[i], ())
        if used[a[i]] < len(there):
            yield i, there[used[a[i]]]
            used[a[i]] += 1


def _fewest_edits(a: Sequence[Token], b: Sequence[Token], budget: _Budget) -> list[tuple[int, int]] | None:
    """A longest common subsequence by Myers' greedy search over numbers of edits; None when the budget is spent.

    ``reach[k]`` is how far in ``a`` the paths on diagonal ``k`` (place in ``a`` minus place in ``b``) have come.
    """
    columns, rows = len(a), len(b)
    reach = {1: 0}
    trail: list[array[int]] = []
    for edits in range(columns + rows + 1):
        if not budget.spend(edits + 1):
            return None
        ends = array("q")
        for k in range(-edits, edits + 1, 2):
            down = k == -edits or (k != edits and reach[k - 1] < reach[k + 1])
            x = reach[k + 1] if down else reach[k - 1] + 1
            while x < columns and x - k < rows and a[x] == b[x - k]:
                x += 1
            reach[k] = x
            ends.append(x)
            if x >= columns and x - k >= rows:
                return _path(trail, columns, rows)
        trail.append(ends)
    return []


def _path(trail: Sequence[array[int]], x: int, y: int) -> list[tuple[int, int]]:
    """Walk a search back from its end; returns the pairs on the way."""
    pairs: list[tuple[int, int]] = []
    for edits in range(len(trail), 0, -1):
        k, before = x - y, trail[edits - 1]

        def reached(diagonal: int, ends: array[int] = before, last: int = edits - 1) -> int:
            return ends[(diagonal + last) // 2] if -last <= diagonal <= last else -1

        down = k == -edits or (k != edits and reached(k - 1) < reached(k + 1))
        start = reached(k + 1) if down else reached(k - 1)
        origin = k + 1 if down else k - 1
        turn = start if down else start + 1
        pairs += ((x - n, y - n) for n in range(1, x - turn + 1))
        x, y = start, start - origin
    pairs += ((x - n, y - n) for n in range(1, x + 1))
    return pairs[::-1]


def _elsewhere(a: Sequence[Token], b: Sequence[Token], pairs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Equal tokens that no alignment holds, because they moved."""
    taken_a, taken_b = set(), set()
    for i, j in pairs:
        taken_a.add(i)
        taken_b.add(j)
    first = [i for i in range(len(a)) if i not in taken_a]
    second = [j for j in range(len(b)) if j not in taken_b]
    return list(_nth(a, b, first, second))
