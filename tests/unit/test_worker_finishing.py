"""From a result to an outcome: what the engine knows of its take is kept beside what we measure."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from voicelike import speechlike

from db.records import ClaimedLine
from db.store import Store
from synthesis.audio import Audio
from synthesis.engine import RenderedLine
from synthesis.qc.gates import Finding
from workers.finishing import Finisher, request_of
from workers.outcome import Held, Outcome

AUDIO = Audio(speechlike(2.0, 24_000, level=0.5), 24_000)
NOTE = Finding("rerolled", "drawn 2 times", "note", 1)
FLAG = Finding("loop", "800 ms are repeated", "flag", 4)
REJECT = Finding("silent", "segment 2: the take is silent", "reject", 0)


def outcome_of(tmp_path: Path, *findings: Finding, text: str = "We walked on and on.", review: bool = True) -> Outcome:
    line = ClaimedLine(
        id=7, attempt=1, section_id=1, production_id=1, digest="d", spoken=text, language="en", seed=1, direction={},
        alone=False, burnt=0, voice_id=1, voice_name="v", voice_version=1, voice_parameters={}, voice_languages=("en",),
        consented=True, review=review,
    )  # fmt: skip
    held = Held(line, uuid.uuid4(), lambda: None)
    finisher = Finisher(Store(tmp_path.as_uri()), "e", "1")
    return finisher.finish(held, request_of(line, "e"), RenderedLine(7, AUDIO, None, 5, findings))


@pytest.mark.parametrize("findings,holds", [((), False), ((NOTE,), False), ((FLAG,), True), ((NOTE, FLAG), True)])
def test_a_note_is_kept_and_holds_nothing_up(tmp_path: Path, findings: tuple[Finding, ...], holds: bool) -> None:
    take = outcome_of(tmp_path, *findings).take
    assert take is not None
    assert [finding["code"] for finding in take.findings] == [finding.code for finding in findings]
    assert take.hold_for_review is holds


def test_what_both_looked_at_is_recorded_once(tmp_path: Path) -> None:
    theirs = Finding("too_long", "segment 1: too long", "flag", 9)
    take = outcome_of(tmp_path, theirs, text="A").take
    assert take is not None
    assert [finding["code"] for finding in take.findings] == ["too_long"]
    assert "segment" not in take.findings[0]["message"]


def test_a_take_that_the_engine_rejects_is_none(tmp_path: Path) -> None:
    outcome = outcome_of(tmp_path, REJECT)
    assert outcome.take is None
    assert outcome.failure is not None
    assert "segment 2" in outcome.failure.message
