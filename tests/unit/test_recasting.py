"""Stored lines planned again: what they said before the lexicon, and what they say with it as it is now."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from script_samples import draft_voices

from db.queries.history import StoredLine, StoredScript, StoredSection
from db.queries.lexicon import LexiconEntry
from db.records import ImportPlan, JobOptions, PlannedLine, ProductionRecord, VoiceRecord
from scheduler.casting import cast
from scheduler.errors import ConsentMissing
from scheduler.lexicon import Lexicon
from scheduler.local.order import Order
from scheduler.local.recasting import Recast, plan_again, said_of
from scheduler.planning import make_plan
from scheduler.scripts.model import ScriptDocument, ScriptLine, ScriptSection

SQL = LexiconEntry("SQL", "sequel", language="en", status="reviewed")
DATA = LexiconEntry("data", "dayta", language="en", status="reviewed")
TEXTS = (
    ("Ask SQL.", ""),
    ("Ask SQL.", ""),
    ("Nothing of it.", ""),
    ("Ask SQL for data.", "Ask {SQL|S Q L} for data."),
    ("SQL is data.", ""),
)


def planned(entries: list[LexiconEntry]) -> tuple[ImportPlan, list[VoiceRecord]]:
    lines = tuple(ScriptLine(f"L{n}", text, "en", spoken=said) for n, (text, said) in enumerate(TEXTS, 1))
    sections = (ScriptSection("s", "chapter", "One", lines),)
    document = ScriptDocument("Tale", "", "en", "audiobook", "sheet", sections)
    voices = draft_voices()
    plan = make_plan(
        document,
        cast(document, voices, narrator="draft-narrator"),
        slug="tale",
        source_name="tale.csv",
        source_sha256="0" * 64,
        profile="audiobook",
        options=JobOptions(),
        out_url="file:///tmp/out",
        lexicon=Lexicon(entries),
    )
    return plan, voices


def stored(plan: ImportPlan, voices: list[VoiceRecord]) -> StoredScript:
    labels = {voice.id: voice.label for voice in voices}

    def line(number: int, of: PlannedLine) -> StoredLine:
        names = [name for name in PlannedLine.__dataclass_fields__ if name in StoredLine.__dataclass_fields__]
        facts = {name: getattr(of, name) for name in names}
        return StoredLine(line_id=number, voice=labels[of.voice_id], state="accepted", take_id=number, **facts)

    sections = tuple(
        StoredSection(s.key, s.kind, s.title, "assembled", tuple(line(n, of) for n, of in enumerate(s.lines, 1)))
        for s in plan.sections
    )
    made_at = datetime(2024, 1, 1, tzinfo=UTC)
    production = ProductionRecord(1, plan.slug, plan.title, "", "en", plan.kind, plan.priority, "active", made_at)
    return StoredScript(
        production,
        script_id=1,
        revision=1,
        source_name=plan.source_name,
        source_sha256=plan.source_sha256,
        format=plan.format,
        digest=plan.digest,
        job_id=1,
        out_url=plan.out_url,
        profile=plan.profile,
        options=plan.options,
        sections=sections,
    )


def again(before: StoredScript, voices: list[VoiceRecord], entries: list[LexiconEntry]) -> ImportPlan:
    order = Order(Path("tale.csv"), title="Tale", out=before.out_url)
    return plan_again(before, order, Recast(before, {}, {}, voices, Lexicon(entries)))


@pytest.mark.parametrize("first", [[], [SQL], [SQL, DATA]])
@pytest.mark.parametrize("second", [[], [SQL], [DATA], [replace(SQL, reading="S Q L")], [SQL, DATA]])
def test_stored_lines_follow_the_lexicon_as_the_script_itself_would(
    first: list[LexiconEntry], second: list[LexiconEntry]
) -> None:
    plan, voices = planned(first)
    before = stored(plan, voices)
    found = again(before, voices, second)
    wanted, _ = planned(second)
    lines = found.sections[0].lines
    assert [line.spoken for line in lines] == [line.spoken for line in wanted.sections[0].lines]
    assert [line.digest for line in lines] == [line.digest for line in wanted.sections[0].lines]
    assert lines[3].spoken.startswith("Ask {SQL|S Q L}")  # the script's own reading is left alone
    assert (found.digest == plan.digest) == ([line.spoken for line in lines] == [line.spoken for line in before.lines])


def test_what_lines_said_is_told_by_their_seeds() -> None:
    plan, voices = planned([SQL, DATA])
    said = said_of(stored(plan, voices))
    assert said == {1: "Ask SQL.", 2: "Ask SQL.", 4: "Ask {SQL|S Q L} for data.", 5: "SQL is data."}


def test_a_line_of_which_it_cannot_be_told_keeps_what_it_says_and_is_named() -> None:
    plan, voices = planned([SQL])
    before = stored(plan, voices)
    (section,) = before.sections
    foreign = replace(section.lines[0], seed=7)
    before = replace(before, sections=(replace(section, lines=(foreign, *section.lines[2:])),))
    desk = Recast(before, {}, {}, voices, Lexicon([]))
    assert desk.undecided == ("L1",)
    assert desk.line(foreign)["digest"] == foreign.digest
    assert desk.line(foreign)["spoken"] == "Ask {SQL|sequel}."


def test_nobody_speaks_a_changed_line_without_consent() -> None:
    plan, voices = planned([])
    before = stored(plan, voices)
    withdrawn = [replace(voice, live=False) for voice in voices]
    assert again(before, withdrawn, []).digest == plan.digest  # nothing is spoken anew
    with pytest.raises(ConsentMissing):
        again(before, withdrawn, [SQL])
