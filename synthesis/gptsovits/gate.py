"""The quality gate of the engine: what the codes of a segment say about it, before and after it is heard.

Loops, a reference that is spoken again, a decoder that never stopped and a pace nobody speaks at are visible in the
codes, in well under a millisecond, before the costly half of the synthesis. What decides whether a segment is drawn
again depends on the segment and its voice alone: a take must not depend on what was rendered before it. The history of
a voice, which does, only flags.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from synthesis.qc.gates import Finding

Codes = NDArray[np.int64]
"""Semantic codes, shape (codes,), 25 per second."""

CODES_PER_SECOND: Final = 25
PROMPT_TAIL_CODES: Final = 15
"""Codes at the end of a prompt that stand for the silence appended to the clip."""

LOOP_PERIODS = range(2, 76)
"""Codes (80 ms … 3 s) after which a loop repeats."""
LOOP_REPEATS = 3
"""A loop is a passage that is spoken this often, or more."""
LOOP_CODES = 24
"""Shortest loop, all repeats together: 0.96 s. Shorter ones are stammers of one sound, which speech has."""
LOOP_MATCH = 0.9
"""Share of codes that must come again; sampling changes some."""
STUCK_CODES = 45
"""One code for this long (1.8 s) is a decoder that holds its breath."""

LEAK_WITHIN = 150
"""Codes at the start of a segment in which the reference is looked for: 6 s."""
LEAK_CODES = 20
"""Shortest passage of the reference (0.8 s) that counts as spoken again."""
LEAK_MATCH = 0.75

PACE_FACTOR = 2.5
"""A segment is suspicious when its codes per phoneme are more than this many times those of the reference, or fewer."""
PACE_ALLOWANCE = 12
"""Codes of silence a segment may have at its ends, whatever its length."""
HISTORY = 256
"""Segments of a voice whose pace is remembered."""
HISTORY_ENOUGH = 24
HISTORY_SPREADS = 6.0
"""Median absolute deviations from the voice's own median pace that are suspicious."""
_LEAST_SPREAD = 0.08

WEIGHTS = {"code_limit": 8.0, "loop": 6.0, "reference_leak": 5.0, "stuck": 4.0, "pace": 3.0}
"""How bad a finding is when the best of several takes is chosen; others count 1, a rejected take 100."""
_REJECTED = 100.0


@dataclass(frozen=True, slots=True)
class SegmentFacts:
    """What the gate looks at."""

    codes: Codes
    """Generated codes, without the prompt."""
    stopped: str
    """'eos', or 'limit' when the decoder did not stop by itself."""
    phonemes: int
    """Of the target text, 1 or more."""
    prompt: Codes
    """Codes of the reference clip, with its silence."""
    prompt_phonemes: int
    """Of the reference's transcript."""


def check_codes(facts: SegmentFacts) -> list[Finding]:
    """Everything suspicious about the codes of a segment; [] when nothing is."""
    found: list[Finding] = []
    if facts.stopped != "eos":
        seconds = len(facts.codes) / CODES_PER_SECOND
        found.append(_flag("code_limit", f"the decoder did not stop by itself within {seconds:.1f} s", seconds))
    loop = longest_loop(facts.codes)
    if loop is not None:
        start, period, length = loop
        message = f"{period * 40} ms are repeated {length / period:.1f} times from {start * 40} ms on"
        found.append(_flag("loop", message, length / period))
    stuck = longest_run(facts.codes)
    if stuck >= STUCK_CODES:
        found.append(_flag("stuck", f"one sound is held for {stuck * 40} ms", stuck * 40))
    leak = reference_leak(facts.codes, facts.prompt)
    if leak:
        found.append(
            _flag("reference_leak", f"{leak * 40} ms of the reference are spoken again at the start", leak * 40)
        )
    return [*found, *_against_reference(facts)]


def longest_run(codes: Codes) -> int:
    """Length of the longest run of one code; 0 for no codes."""
    if not len(codes):
        return 0
    edges = np.flatnonzero(np.diff(codes) != 0)
    return int(np.diff(np.concatenate([[-1], edges, [len(codes) - 1]])).max())


def longest_loop(codes: Codes) -> tuple[int, int, int] | None:
    """(start, period, length) of the longest passage that repeats itself, in codes, or None.

    Held sounds are no loops: a passage counts only where its codes change within the period.
    """
    best: tuple[int, int, int] | None = None
    for period in LOOP_PERIODS:
        wanted = max(LOOP_REPEATS * period, LOOP_CODES) - period
        if len(codes) - period < wanted:
            break
        same = codes[period:] == codes[:-period]
        start, length = _densest(same, wanted, LOOP_MATCH)
        if not length or (best is not None and length + period <= best[2]):
            continue
        passage = codes[start : start + length + period]
        if np.count_nonzero(np.diff(passage)) * 4 >= len(passage):
            best = (start, period, length + period)
    return best


def reference_leak(codes: Codes, prompt: Codes) -> int:
    """Codes of the longest passage of the prompt that comes again at the start of ``codes``; 0 when none does.

    The two are compared along every diagonal. Held sounds do not count: silence resembles silence.
    """
    head, spoken = codes[:LEAK_WITHIN], prompt[: max(len(prompt) - PROMPT_TAIL_CODES, 0)]
    if len(head) < LEAK_CODES or len(spoken) < LEAK_CODES:
        return 0
    moving = np.concatenate([[True], np.diff(head) != 0])
    best = 0
    for shift in range(LEAK_CODES - len(head), len(spoken) - LEAK_CODES + 1):
        first, last = max(0, -shift), min(len(head), len(spoken) - shift)
        same = head[first:last] == spoken[first + shift : last + shift]
        if np.count_nonzero(same) < LEAK_CODES * LEAK_MATCH:
            continue
        start, length = _densest(same, LEAK_CODES, LEAK_MATCH)
        if length and moving[first + start : first + start + length].mean() > 0.5:
            best = max(best, length)
    return best


def _densest(same: NDArray[np.bool_], window: int, share: float) -> tuple[int, int]:
    """(start, length) of the longest passage all of whose windows are at least ``share`` true; (0, 0) for none.

    It begins and ends where ``same`` is true, so it can be a little shorter than a window.
    """
    if len(same) < window:
        return 0, 0
    sums = np.cumsum(np.concatenate([[0], same]))
    dense = sums[window:] - sums[:-window] >= share * window
    edges = np.flatnonzero(np.diff(dense, prepend=False, append=False))
    if not len(edges):
        return 0, 0
    lengths = edges[1::2] - edges[::2]
    longest = int(lengths.argmax())
    first = int(edges[2 * longest])
    true = np.flatnonzero(same[first : first + int(lengths[longest]) + window - 1])
    return first + int(true[0]), int(true[-1] - true[0]) + 1


def _against_reference(facts: SegmentFacts) -> Iterable[Finding]:
    """Pace against the reference's: a dropped clause is fast, babble is slow."""
    spoken = len(facts.prompt) - PROMPT_TAIL_CODES
    if facts.prompt_phonemes < 1 or spoken < 1:
        return
    own = spoken / facts.prompt_phonemes
    longest = PACE_FACTOR * own * facts.phonemes + PACE_ALLOWANCE
    shortest = own * facts.phonemes / PACE_FACTOR - PACE_ALLOWANCE
    pace = len(facts.codes) / max(facts.phonemes, 1)
    if len(facts.codes) > longest or len(facts.codes) < shortest:
        how = "slow" if len(facts.codes) > longest else "fast"
        message = f"{pace * 40:.0f} ms per phoneme is implausibly {how}: the reference has {own * 40:.0f} ms"
        yield _flag("pace", message, round(pace * 40, 1))


class PaceHistory:
    """Codes per phoneme of the segments a voice has spoken: numbers only, and only the last HISTORY of them."""

    def __init__(self) -> None:
        self._logs: deque[float] = deque(maxlen=HISTORY)

    def check(self, codes: int, phonemes: int) -> Finding | None:
        """A flag when a segment is far from the voice's own pace; None while too little is known. Remembers it."""
        if codes < 1 or phonemes < 1:
            return None
        log = float(np.log(codes / phonemes))
        known = np.array(self._logs)
        self._logs.append(log)
        if len(known) < HISTORY_ENOUGH:
            return None
        median = float(np.median(known))
        spread = max(float(np.median(np.abs(known - median))), _LEAST_SPREAD)
        if abs(log - median) * phonemes <= HISTORY_SPREADS * spread * phonemes + PACE_ALLOWANCE * float(
            np.exp(-median)
        ):
            return None
        own, here = float(np.exp(median)) * 40, codes / phonemes * 40
        return _flag("pace_history", f"{here:.0f} ms per phoneme, where this voice has {own:.0f} ms", round(here, 1))


def badness(findings: Iterable[Finding]) -> float:
    """How bad a take is, to choose the best of several: 0 for one without findings."""
    return sum(_REJECTED if f.severity == "reject" else WEIGHTS.get(f.code, 1.0) for f in findings if _counts(f))


def best_of(takes: Sequence[Sequence[Finding]]) -> int:
    """Index of the take with the least that is wrong; of equals the first."""
    return min(range(len(takes)), key=lambda index: badness(takes[index]))


def _counts(finding: Finding) -> bool:
    return finding.severity != "note"


def _flag(code: str, message: str, value: float) -> Finding:
    return Finding(code, message, "flag", value)
