"""The as-recorded script of a dubbing production, made from its manifest."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from scheduler.local.asrecorded import NAME, as_recorded, deliver_as_recorded
from scheduler.scripts.dapt.findings import errors
from scheduler.scripts.dapt.validate import validate
from scheduler.scripts.registry import read_script
from synthesis.deliverables.manifest import (
    ManifestData,
    ManifestFile,
    ManifestLine,
    ManifestTrack,
    ManifestVoice,
    build_manifest,
    manifest_text,
)

FIRST = ManifestLine(
    key="R1-001", character="ANNA", text="Who's there? <Nobody> & co.", language="en", digest="d" * 64,
    audio="a" * 64 + ".flac", voice="fake-2@1", engine="fake", engine_version="1", seed=1, start_samples=24_000,
    samples=72_048, pause_ms=300, in_ms=12_340, out_ms=14_000,
)  # fmt: skip
SECOND = replace(FIRST, key="R1-002", character="narrator", text="Night.", voice="fake-1@3", start_samples=110_448,
                 samples=24_000, in_ms=15_000, out_ms=16_000)  # fmt: skip
LEFT_OUT = replace(FIRST, key="R1-003", audio=None, voice=None, start_samples=None, samples=None, skipped=True)
TRACK = ManifestTrack(0, "r1", "Reel 1", "t" * 64, 240_000, 48_000, {}, 7, (FIRST, SECOND, LEFT_OUT))
DATA = ManifestData(
    production={"slug": "film", "title": "Film", "author": "", "language": "en", "kind": "dubbing"},
    job={"id": 3}, software="voicefarm 0.1.0", made_at="2026-11-21T00:00:00Z", profile={"name": "netflix-premix"},
    voices=(ManifestVoice("fake-1@3", "fake", "1", draft=True),), tracks=(TRACK,),
    files=(
        ManifestFile("flac/01 - Reel 1.flac", "flac", "1" * 64, 99, 5000),
        ManifestFile("lines/Reel 1/R1-002.ogg", "lines-ogg", "2" * 64, 9, 500, line="R1-002", watermark=7),
    ),
)  # fmt: skip


def written(data: ManifestData = DATA) -> bytes | None:
    return as_recorded(json.loads(manifest_text(build_manifest(data))))


def test_it_is_dapt_and_says_who_said_what_when_and_how_long(tmp_path: Path) -> None:
    data = written()
    assert data is not None
    assert errors(validate(data, NAME)) == ()
    path = tmp_path / NAME
    path.write_bytes(data)
    (section,) = read_script(path).sections
    assert [line.key for line in section.lines] == ["R1-001", "R1-002"]
    first, second = section.lines
    assert (first.text, first.characters) == ("Who's there? <Nobody> & co.", ("ANNA",))
    assert (first.in_time, first.out_time) == (
        Fraction("12.34"),
        Fraction("13.841"),
    )  # the take's length, not the cue's
    assert first.extra["actor"] == "AI voice, fake-2"
    assert (second.characters, second.extra["actor"]) == ((), "AI voice, fake-1")


def test_recordings_are_named_with_their_checksums() -> None:
    text = (written() or b"").decode()
    assert 'daptm:scriptType="asRecorded"' in text
    assert "flac/01%20-%20Reel%201.flac#t=0.500,2.001" in text
    assert "lines/Reel%201/R1-002.ogg" in text
    assert "1" * 64 in text
    assert "2" * 64 in text


def test_without_files_to_point_at_it_is_still_a_script() -> None:
    data = written(replace(DATA, files=()))
    assert data is not None
    assert errors(validate(data, NAME)) == ()


def test_only_dubbing_with_times_has_one() -> None:
    assert written(replace(DATA, production={**DATA.production, "kind": "audiobook"})) is None
    untimed = replace(TRACK, lines=(replace(FIRST, in_ms=None, out_ms=None),))
    assert written(replace(DATA, tracks=(untimed,))) is None


def test_it_is_put_beside_the_tracks(tmp_path: Path) -> None:
    assert deliver_as_recorded(tmp_path.as_uri()) is None
    (tmp_path / "manifest.json").write_text(manifest_text(build_manifest(DATA)), encoding="utf-8")
    made = deliver_as_recorded(tmp_path.as_uri())
    assert made is not None
    assert (made.kind, made.name, made.size) == ("dapt", NAME, (tmp_path / NAME).stat().st_size)
    assert (tmp_path / NAME).read_bytes() == written()
