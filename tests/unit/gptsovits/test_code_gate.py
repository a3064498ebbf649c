"""The gate on codes: loops, held sounds, the reference spoken again, pace, the limit; and that plain speech passes."""

from __future__ import annotations

import numpy as np
import pytest

from synthesis.gptsovits.gate import (
    HISTORY,
    LEAK_CODES,
    PROMPT_TAIL_CODES,
    STUCK_CODES,
    Codes,
    PaceHistory,
    SegmentFacts,
    badness,
    best_of,
    check_codes,
    longest_loop,
    longest_run,
    reference_leak,
)
from synthesis.qc.gates import Finding


def speech(count: int, seed: int = 0) -> Codes:
    """Codes like speech: mostly changing, some held for a few."""
    rng = np.random.default_rng(seed)
    held = rng.choice([1, 1, 1, 2, 3], size=count)
    return np.repeat(rng.integers(0, 1024, count), held)[:count].astype(np.int64)


def prompt(count: int = 125, seed: int = 99) -> Codes:
    return np.concatenate([speech(count, seed), np.full(PROMPT_TAIL_CODES, 486)])


def facts(codes: Codes, *, phonemes: int | None = None, stopped: str = "eos") -> SegmentFacts:
    wanted = max(1, round(len(codes) / 2)) if phonemes is None else phonemes
    return SegmentFacts(codes, stopped, wanted, prompt(), 60)


def codes_of(found: list[Finding]) -> list[str]:
    return [finding.code for finding in found]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("count", [11, 60, 400])
def test_speech_passes(count: int, seed: int) -> None:
    assert check_codes(facts(speech(count, seed))) == []


@pytest.mark.parametrize("period,repeats", [(8, 3), (8, 9), (2, 12), (30, 3), (75, 4)])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_a_loop_is_found_where_it_is(period: int, repeats: int, noise: float) -> None:
    looped = np.tile(speech(period, 3) if period > 2 else np.array([5, 9]), repeats)
    rng = np.random.default_rng(1)
    changed = np.where(rng.random(len(looped)) < noise, 1000, looped)
    codes = np.concatenate([speech(40, 1), changed, speech(30, 2)])
    if period == 8 and repeats == 3 and noise:
        return  # one changed code in three short repeats: no loop any more, and none that is heard
    found = longest_loop(codes)
    assert found is not None
    start, _, length = found
    assert abs(start - 40) <= 4
    assert abs(length - len(looped)) <= 8
    assert "loop" in codes_of(check_codes(facts(codes)))


def test_a_word_said_twice_is_no_loop() -> None:
    word = speech(20, 5)
    assert longest_loop(np.concatenate([speech(30, 1), word, word, speech(30, 2)])) is None


def test_silence_is_no_loop_but_not_for_ever() -> None:
    assert longest_loop(np.full(200, 486)) is None
    pause = np.concatenate([speech(50, 1), np.full(STUCK_CODES - 1, 486), speech(50, 2)])
    assert check_codes(facts(pause)) == []
    assert longest_run(pause) == STUCK_CODES - 1
    held = np.concatenate([speech(50, 1), np.full(STUCK_CODES, 486), speech(50, 2)])
    assert codes_of(check_codes(facts(held))) == ["stuck"]
    assert longest_run(np.zeros(0, np.int64)) == 0


@pytest.mark.parametrize("start,length", [(0, 60), (40, 30), (100, LEAK_CODES)])
def test_the_reference_spoken_at_the_start_is_found(start: int, length: int) -> None:
    said = prompt()
    codes = np.concatenate([speech(6, 4), said[start : start + length], speech(80, 5)])
    assert abs(reference_leak(codes, said) - length) <= 2
    assert "reference_leak" in codes_of(check_codes(facts(codes)))


def test_a_leak_is_found_although_some_codes_differ() -> None:
    said = prompt()
    leaked = said[10:60].copy()
    leaked[::10] = 7
    assert reference_leak(np.concatenate([leaked, speech(50, 5)]), said) >= LEAK_CODES


def test_silence_in_both_is_no_leak() -> None:
    quiet = np.full(40, 486)
    said = np.concatenate([quiet, speech(80, 1), quiet])
    assert reference_leak(np.concatenate([quiet, speech(60, 2)]), said) == 0
    assert reference_leak(speech(60, 2), np.zeros(0, np.int64)) == 0


@pytest.mark.parametrize("phonemes,how", [(10, "slow"), (400, "fast")])
def test_a_pace_nobody_speaks_at_is_flagged(phonemes: int, how: str) -> None:
    found = check_codes(facts(speech(150), phonemes=phonemes))
    assert codes_of(found) == ["pace"]
    assert how in found[0].message


def test_a_decoder_that_never_stopped_is_flagged() -> None:
    assert codes_of(check_codes(facts(speech(100), stopped="limit"))) == ["code_limit"]


def test_a_voice_is_measured_against_itself() -> None:
    history = PaceHistory()
    rng = np.random.default_rng(0)
    for _ in range(2 * HISTORY):
        assert history.check(round(80 * float(rng.normal(2, 0.1))), 80) is None
    far = history.check(440, 80)
    assert far is not None
    assert far.code == "pace_history"
    assert history.check(165, 80) is None
    assert history.check(0, 0) is None


def test_nothing_is_flagged_by_a_history_that_is_not_there() -> None:
    history = PaceHistory()
    assert history.check(100, 50) is None
    assert history.check(5000, 50) is None


def test_the_best_take_has_the_least_wrong_with_it() -> None:
    loop = Finding("loop", "", "flag", 3)
    pace = Finding("pace", "", "flag", 3)
    silent = Finding("silent", "", "reject", 0)
    note = Finding("polyphones", "", "note", 0)
    assert badness([note]) == badness([]) == 0
    assert best_of([[silent], [loop, pace], [loop], [pace, note]]) == 3
    assert best_of([[loop], [loop]]) == 0
