from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest
from script_samples import SHEET, TEXT, draft_voices, voice, write

from db.records import ImportPlan, JobOptions, VoiceRecord
from scheduler.casting import cast
from scheduler.estimates import ERROR_BAND, estimate, line_ms
from scheduler.planning import PAUSES_MS, make_plan, source_sha256
from scheduler.scripts.errors import ScriptEmpty, ScriptUnreadable
from scheduler.scripts.model import ScriptDocument, ScriptLine, ScriptSection
from scheduler.scripts.registry import read_script


def plan(document: ScriptDocument, voices: list[VoiceRecord] | None = None, **changes: object) -> ImportPlan:
    casting = cast(document, voices or draft_voices(), narrator="draft-narrator")
    facts: dict[str, object] = {
        "slug": "tale",
        "source_name": "tale.txt",
        "source_sha256": "0" * 64,
        "profile": "audiobook",
        "options": JobOptions(),
        "out_url": "file:///tmp/out",
    }
    return make_plan(document, casting, **{**facts, **changes})  # type: ignore[arg-type]


def digests(made: ImportPlan) -> dict[str, str]:
    return {line.text: line.digest for section in made.sections for line in section.lines}


@pytest.fixture
def tale(tmp_path: Path) -> ScriptDocument:
    return read_script(write(tmp_path / "tale.txt", TEXT))


def test_a_plan_is_the_script_with_voices_pauses_seeds_and_digests(tale: ScriptDocument) -> None:
    made = plan(tale, priority=3)
    first = made.sections[0]
    assert (made.slug, made.format, made.kind, made.priority, made.profile) == (
        "tale",
        "text",
        "audiobook",
        3,
        "audiobook",
    )
    assert [line.pause_ms for line in first.lines] == [PAUSES_MS["heading"], PAUSES_MS["paragraph"], 0]
    assert {line.character for line in first.lines} == {"narrator"}
    assert all(0 <= line.seed < 2**63 and len(line.digest) == 64 for line in first.lines)


def test_two_plans_of_one_script_are_the_same_render(tale: ScriptDocument) -> None:
    assert plan(tale) == plan(tale)


def test_the_digest_of_a_plan_ignores_where_it_goes_and_how_urgent_it_is(tale: ScriptDocument) -> None:
    assert plan(tale).digest == plan(tale, out_url="file:///elsewhere", priority=9).digest


@pytest.mark.parametrize(
    "change", [{"profile": "acx"}, {"options": JobOptions(formats=("mp3",))}, {"title": "Another"}, {"slug": "other"}]
)
def test_the_digest_of_a_plan_moves_with_what_is_made(tale: ScriptDocument, change: dict[str, object]) -> None:
    assert plan(tale).digest != plan(tale, **change).digest


def test_a_changed_line_moves_its_own_digest_only(tale: ScriptDocument, tmp_path: Path) -> None:
    changed = read_script(write(tmp_path / "b.txt", TEXT.replace("rang twice", "rang three times")))
    before, after = digests(plan(tale)), digests(plan(changed))
    assert {text for text in after if after[text] != before.get(text)} == {"Then the bell rang three times."}


def test_a_moved_or_renamed_chapter_renders_nothing_again(tale: ScriptDocument, tmp_path: Path) -> None:
    first, second = tale.sections
    moved = dataclasses.replace(tale, sections=(second, dataclasses.replace(first, key="x", title="y")))
    assert digests(plan(moved)) == digests(plan(tale))


def test_equal_lines_have_takes_of_their_own() -> None:
    lines = tuple(ScriptLine(f"k{n}", "Yes, of course.", "en") for n in range(3))
    document = ScriptDocument("T", "", "en", "dialogue", "csv", (ScriptSection("s", "scene", "S", lines),))
    assert len({line.digest for line in plan(document).sections[0].lines}) == 3


def test_another_voice_or_version_moves_the_digests(tale: ScriptDocument) -> None:
    newer = [voice("draft-narrator", version=2)]
    assert not set(digests(plan(tale)).values()) & set(digests(plan(tale, newer)).values())


def test_what_is_said_reaches_the_plan_and_what_is_not_speech_stays_out() -> None:
    lines = (
        ScriptLine("a", "山路を登る。", "ja", spoken="やまみちを登る。", pause_ms=1234),
        ScriptLine("b", "laughs", "ja", kind="reaction"),
    )
    made = plan(ScriptDocument("T", "", "ja", "audiobook", "epub", (ScriptSection("s", "chapter", "S", lines),)))
    line = made.sections[0].lines[0]
    assert [planned.key for planned in made.sections[0].lines] == ["a"]
    assert (line.text, line.spoken, line.pause_ms) == ("山路を登る。", "やまみちを登る。", 1234)
    only = ScriptDocument("T", "", "ja", "audiobook", "epub", (ScriptSection("s", "chapter", "S", lines[1:]),))
    with pytest.raises(ScriptEmpty, match="only sounds"):
        plan(only)


def test_times_and_direction_reach_the_plan(tmp_path: Path) -> None:
    made = plan(read_script(write(tmp_path / "a.csv", SHEET)))
    line = made.sections[0].lines[0]
    assert (line.key, line.character, line.in_ms, line.out_ms) == ("a1", "MARA", 1000, 2500)
    assert line.direction == {"emotion": "calm"}


def test_an_estimate_adds_up(tmp_path: Path) -> None:
    made = plan(read_script(write(tmp_path / "a.csv", SHEET)))
    found = estimate(made)
    speech = sum(line_ms(line) for section in made.sections for line in section.lines)
    assert found.lines == 3
    assert found.audio_ms == speech + found.pauses_ms == sum(found.by_section.values())
    assert {name: share.lines for name, share in found.by_character.items()} == {"MARA": 2, "Old Tom": 1}
    assert sum(share.audio_ms for share in found.by_voice.values()) == speech
    assert found.high_ms - found.low_ms == 2 * round(speech * ERROR_BAND)


def test_a_page_of_prose_takes_about_as_long_as_people_take() -> None:
    words = "It was late, and the lamp in the hall had burnt for an hour. " * 12
    lines = (ScriptLine("k", words.strip(), "en-GB"),)
    document = ScriptDocument("T", "", "en", "audiobook", "text", (ScriptSection("s", "chapter", "S", lines),))
    words_per_minute = len(words.split()) / estimate(plan(document)).minutes
    assert 140 < words_per_minute < 220


def test_the_source_is_hashed_and_a_missing_one_named(tmp_path: Path) -> None:
    assert source_sha256(write(tmp_path / "a", "x")) == hashlib.sha256(b"x").hexdigest()
    with pytest.raises(ScriptUnreadable, match="absent"):
        source_sha256(tmp_path / "absent")
