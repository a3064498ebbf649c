"""Estimates learn from takes: the pace of each voice, and how sure they are."""

from __future__ import annotations

import pytest

from db.records import ImportPlan, JobOptions, Pace, PlannedLine, PlannedSection
from scheduler.estimates import ENOUGH_LINES, ERROR_BAND, LEAST_BAND, STRANGER_BAND, Paces, estimate

LABELS = {1: "a@1", 2: "b@1"}


def line(text: str, voice: int = 1, language: str = "en-GB", character: str = "narrator") -> PlannedLine:
    return PlannedLine(
        key=text[:8], kind="speech", character=character, text=text, spoken=text, language=language, pause_ms=0,
        voice_id=voice, engine="e", seed=1, digest=text, in_ms=None, out_ms=None, direction={},
    )  # fmt: skip


def plan(*lines: PlannedLine) -> ImportPlan:
    return ImportPlan(
        slug="s", title="t", author="", language="en", kind="audiobook", priority=50, source_name="x",
        source_sha256="0", format="text", digest="d", out_url="file:///x", profile="audiobook",
        options=JobOptions(), sections=(PlannedSection("k", "chapter", "K", lines),),
    )  # fmt: skip


def pace(voice: str, rate: float, *, spread: float = 0.1, lines: int = 400, render: float = 0.5) -> Pace:
    return Pace(voice, "en", lines, rate, render, spread)


def test_a_voice_that_has_spoken_is_known() -> None:
    found = estimate(plan(line("x" * 200)), Paces([pace("a@1", 20.0)], LABELS))
    assert found.audio_ms == 10_000
    assert found.render_ms == 5_000
    assert found.learnt_lines == 1
    assert found.by_voice[1].render_ms == 5_000


def test_many_lines_even_out_and_one_does_not() -> None:
    paces = Paces([pace("a@1", 20.0, lines=1_000_000)], LABELS)
    one, many = (estimate(plan(*[line("x" * 200)] * count), paces) for count in (1, 400))
    bands = [(found.high_ms - found.low_ms) / 2 / found.audio_ms for found in (one, many)]
    assert bands[0] == pytest.approx(1.64 * 0.1 + LEAST_BAND, abs=0.003)
    assert bands[1] == pytest.approx(1.64 * 0.1 / 20 + LEAST_BAND, abs=0.003)


def test_another_voice_of_the_language_is_worth_less_and_no_voice_least() -> None:
    paces = Paces([pace("a@1", 20.0)], LABELS)
    stranger, unknown = estimate(plan(line("x" * 200, 2)), paces), estimate(plan(line("x" * 200)))
    assert stranger.audio_ms == 10_000
    assert (stranger.high_ms - stranger.audio_ms) == round(10_000 * STRANGER_BAND)
    assert unknown.high_ms - unknown.audio_ms == round(unknown.audio_ms * ERROR_BAND)
    assert stranger.render_ms is None
    assert stranger.learnt_lines == 0


def test_a_few_takes_say_nothing() -> None:
    paces = Paces([pace("a@1", 40.0, lines=ENOUGH_LINES - 1)], LABELS)
    assert estimate(plan(line("x" * 200)), paces) == estimate(plan(line("x" * 200)))
