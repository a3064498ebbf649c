from __future__ import annotations

import json
from dataclasses import replace

from synthesis.deliverables.manifest import (
    LINES_STATEMENT,
    ManifestData,
    ManifestFile,
    ManifestLine,
    ManifestTrack,
    ManifestVoice,
    build_manifest,
    manifest_text,
)

LINE = ManifestLine(
    key="c1-1", character="Alice", text="Curiouser!", language="en", digest="d" * 64, audio="a" * 64 + ".flac",
    voice="draft-1@1", engine="draft", engine_version="1", seed=2**62 + 1, start_samples=24_000, samples=48_024,
    pause_ms=300, findings=({"message": "slow", "code": "pace"},),
)  # fmt: skip
SKIPPED = replace(
    LINE, key="c1-2", audio=None, voice=None, engine=None, engine_version=None, seed=None, start_samples=None,
    samples=None, findings=(), skipped=True,
)  # fmt: skip
TRACK = ManifestTrack(
    1, "c1", "One", "t" * 64, 96_000, 48_000, {"peaks": [[0, 1]], "loudness_lufs": -19.0}, 7, (LINE, SKIPPED)
)
DATA = ManifestData(
    production={"slug": "alice", "title": "Alice"}, job={"id": 3}, software="voicefarm 0.1.0",
    made_at="2026-11-21T00:00:00Z", profile={"name": "audiobook", "target_lufs": -19.0},
    voices=(ManifestVoice("draft-1@1", "draft", "1", draft=True), ManifestVoice("a@2", "gpt-sovits", "2")),
    tracks=(replace(TRACK, position=2, key="c2", watermark=None), TRACK),
    files=(ManifestFile("b.vtt", "vtt", "0" * 64, 12), ManifestFile("a.m4b", "m4b", "1" * 64, 99, 2000)),
)  # fmt: skip


def test_every_line_says_what_it_is_and_where_it_lies() -> None:
    line, skipped = build_manifest(DATA)["tracks"][0]["lines"]
    assert line["take"]["audio"] == "a" * 64 + ".flac"
    assert line["take"]["seed"] == 2**62 + 1
    assert (line["start_ms"], line["duration_ms"]) == (500, 1000)
    assert (line["start_samples"], line["samples"]) == (24_000, 48_024)
    assert line["take"]["findings"] == [{"code": "pace", "message": "slow"}]
    assert skipped["skipped"]
    assert skipped["take"] is None
    assert skipped["start_ms"] is None


def test_order_does_not_depend_on_the_order_given() -> None:
    turned = replace(DATA, tracks=DATA.tracks[::-1], files=DATA.files[::-1], voices=DATA.voices[::-1])
    assert json.dumps(build_manifest(DATA)) == json.dumps(build_manifest(turned))
    assert [track["key"] for track in build_manifest(DATA)["tracks"]] == ["c1", "c2"]


def test_generated_speech_and_draft_voices_are_labelled() -> None:
    manifest = build_manifest(DATA)
    assert "generated" in manifest["ai_generated"]["statement"]
    assert manifest["ai_generated"]["draft"]
    assert {voice["voice"]: voice["draft"] for voice in manifest["voices"]} == {"a@2": False, "draft-1@1": True}
    honest = build_manifest(replace(DATA, voices=DATA.voices[1:]))
    assert not honest["ai_generated"]["draft"]


def test_watermark_payload_is_named_and_pictures_stay_out() -> None:
    first, second = build_manifest(DATA)["tracks"]
    assert first["watermark"] == {"payload": 7, "hex": "00000007"}
    assert second["watermark"] is None
    assert first["measurements"] == {"loudness_lufs": -19.0}
    assert build_manifest(DATA)["schema_version"] == 1


def test_the_file_of_a_line_says_whose_it_is_and_whether_its_mark_can_be_read() -> None:
    short = ManifestFile("lines/One/a.flac", "lines-flac", "2" * 64, 9, 1500, line="a", watermark=7)
    long = replace(short, name="lines/One/b.flac", line="b", duration_ms=12_000)
    built = build_manifest(replace(DATA, files=(*DATA.files, short, long)))
    files = {file["name"]: file for file in built["files"]}
    mark = {"payload": 7, "hex": "00000007"}
    assert files["lines/One/a.flac"]["line"] == "a"
    assert files["lines/One/a.flac"]["watermark"] == mark | {"readable": False}
    assert files["lines/One/b.flac"]["watermark"] == mark | {"readable": True}
    assert "line" not in files["a.m4b"]
    assert built["ai_generated"]["lines_statement"] == LINES_STATEMENT
    assert "lines_statement" not in build_manifest(DATA)["ai_generated"]


def test_the_text_is_the_manifest_with_a_line_for_each_thing() -> None:
    manifest = build_manifest(DATA)
    text = manifest_text(manifest)
    assert json.loads(text) == manifest
    assert text.endswith("}\n")
    lines = text.splitlines()
    for entry in (*manifest["files"], *manifest["voices"], *(line for t in manifest["tracks"] for line in t["lines"])):
        assert json.dumps(entry, ensure_ascii=False) in [line.strip().removesuffix(",") for line in lines]


def test_the_text_of_a_manifest_with_nothing_in_it() -> None:
    manifest = build_manifest(replace(DATA, voices=(), tracks=(), files=()))
    assert json.loads(manifest_text(manifest)) == manifest
