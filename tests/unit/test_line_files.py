"""Files of single lines: their names, what they are made from, how they sound and what they say of themselves."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile as sf
from script_samples import draft_voices
from voicelike import speechlike, tone

from db.records import JobOptions, SectionLine, SectionWork
from scheduler.local.order import DEFAULT_FORMATS, Order, OrderError, plan, read
from synthesis.deliverables.clips import CLIP_KINDS, ClipKind, master_clip, write_clip
from synthesis.mastering.profiles import get_profile
from synthesis.mastering.tags import TrackTags
from synthesis.mastering.takes import Part
from synthesis.mastering.track import WatermarkSpec
from workers.clips import clash, path_of, wanted

RATE = 22_050
MARK = WatermarkSpec(b"k" * 16, 7)
LINE = SectionLine(
    line_id=5, position=0, key="line:0a1b", character="FOX", text="Hi.", spoken="Hi.", language="en", pause_ms=300,
    in_ms=None, out_ms=None, skipped=False, take_id=9, audio_sha256="a" * 64 + ".flac", samples=1, sample_rate=RATE,
    voice="fake-1@1", engine="fake", engine_version="1", seed=1, digest="d",
)  # fmt: skip
WORK = SectionWork(
    section_id=1, revision=1, job_id=1, production_id=1, slug="game", production_title="Game", author="", language="en",
    kind="dialogue", watermark_key=b"k" * 16, title="The Cave", section_key="cave", section_kind="scene", position=0,
    section_count=1, profile="audiobook", options=JobOptions(formats=("lines-flac", "lines-ogg")), lines=(LINE,),
)  # fmt: skip
YARN = """title: Cave
---
FOX: Who is there? #line:0a1b
CROW: Nobody. #line:0a1c
===
"""


@pytest.mark.parametrize(
    ("section", "key", "name"),
    [
        ("The Cave", "line:0a1b", "lines/The Cave/line_0a1b.flac"),
        ("Act 1/Scene 2", "a/b\\c d", "lines/Act 1 Scene 2/a_b_c_d.flac"),
        ("con", "NUL", "lines/con_/NUL_.flac"),
        ("..", "..", "lines/section/line.flac"),
        ("洞窟", "セリフ-1", "lines/洞窟/セリフ-1.flac"),
    ],
)
def test_names_are_good_on_every_system(section: str, key: str, name: str) -> None:
    assert path_of(section, key, "flac") == name


def test_two_lines_of_one_name_are_found() -> None:
    assert clash([("Cave", "a"), ("Cave", "b"), ("Hall", "a")]) is None
    assert clash([("Cave", "a:1"), ("cave", "A_1")]) == ("a:1", "A_1", "lines/cave/A_1")
    assert clash([("Cave", "a"), ("Cave", "a")]) == ("a", "a", "lines/Cave/a")


def test_a_file_is_made_again_when_what_it_is_made_from_changes() -> None:
    kinds = [clip.kind for clip in wanted(WORK, WORK.lines)]
    assert [kind.partition("/")[0] for kind in kinds] == ["lines-flac", "lines-ogg"]
    moved = replace(WORK, title="Another", position=3, lines=(replace(LINE, line_id=6, pause_ms=0, text="Hi!"),))
    assert [clip.kind for clip in wanted(moved, moved.lines)] == kinds
    for other in (
        replace(WORK, lines=(replace(LINE, audio_sha256="b" * 64 + ".flac"),)),
        replace(WORK, profile="podcast"),
        replace(WORK, production_title="Other"),
    ):
        assert not {clip.kind for clip in wanted(other, other.lines)} & set(kinds)
    assert not list(wanted(replace(WORK, options=JobOptions()), WORK.lines))
    assert not list(wanted(WORK, [replace(LINE, skipped=True)]))


@pytest.mark.parametrize("kind", CLIP_KINDS)
@pytest.mark.parametrize("seconds", [2.5, 0.25])
def test_a_line_is_levelled_labelled_and_the_same_every_time(tmp_path: Path, kind: ClipKind, seconds: float) -> None:
    take = tmp_path / "take.flac"
    sound = speechlike(seconds, RATE, seed=3, level=0.05) if seconds > 1 else tone(-30, seconds, RATE)
    sf.write(take, sound, RATE, "PCM_24")
    profile = get_profile("audiobook")
    part = Part(1, take, 300, "fake-1")
    master = master_clip(part, profile, tmp_path / "master.flac", watermark=MARK)
    tags = TrackTags("line:0a1b", "Game", "", "fake-1@1", 0, 0, "", "en", "All speech is AI-generated.")
    made = write_clip(master.path, tmp_path / f"a.{kind}", kind, profile, tags)
    again = write_clip(master.path, tmp_path / f"b.{kind}", kind, profile, tags)
    assert made.path.read_bytes() == again.path.read_bytes()
    silence_db = 10 * math.log10(min(1, seconds / 0.4))  # what the silence after a short line takes off its measure
    assert made.loudness_lufs == pytest.approx(profile.target + silence_db, abs=profile.tolerance)
    assert made.true_peak_dbtp <= profile.ceiling_dbtp + 0.05
    assert abs(made.duration_ms - max(401, seconds * 1000)) < 200
    with sf.SoundFile(made.path) as file:
        assert (file.samplerate, file.channels) == (48_000, 1)
        assert file.title == "line:0a1b"
    assert b"All speech is AI-generated." in made.path.read_bytes()
    assert (b"AI_GENERATED=yes" in made.path.read_bytes()) == (kind != "wav")  # RIFF has no place for it


def game(folder: Path, text: str = YARN) -> Path:
    path = folder / "cave.yarn"
    path.write_text(text, encoding="utf-8")
    return path


def formats(order: Order) -> tuple[str, ...]:
    return plan(replace(order, engine="draft"), read(order), draft_voices(), None).options.formats


def test_games_have_their_lines_as_files_unless_told_otherwise(tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text("Once upon a time.", encoding="utf-8")
    assert formats(Order(game(tmp_path))) == (*DEFAULT_FORMATS, "lines-flac")
    assert formats(Order(game(tmp_path), formats=("flac",))) == ("flac",)
    assert formats(Order(book)) == DEFAULT_FORMATS
    assert formats(Order(book, formats=("lines-ogg",))) == ("lines-ogg",)


def test_lines_that_would_be_one_file_are_refused_before_anything_is_rendered(tmp_path: Path) -> None:
    twice = game(tmp_path, YARN.replace("#line:0a1c", "#line:0A1B"))
    with pytest.raises(OrderError, match=r"'line:0a1b' and 'line:0A1B' would both be lines/Cave/line_0A1B"):
        formats(Order(twice))
    assert formats(Order(twice, formats=("flac",))) == ("flac",)
