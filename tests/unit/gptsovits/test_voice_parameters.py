"""A voice as data: JSON and back, what its digest is made of, what is refused."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from synthesis.errors import VoiceMissing
from synthesis.gptsovits.errors import ModelNeeded, TranscriptEmpty, VoiceMalformed
from synthesis.gptsovits.registering import find_models
from synthesis.gptsovits.voice import Clip, ModelFile, SamplingNumbers, Voice, content_sha256, read_voice


def file(name: str) -> ModelFile:
    return ModelFile(Path("/models") / name, name.encode().hex())


VOICE = Voice(
    s1=file("s1.ckpt"),
    s2=file("s2.pth"),
    hubert=file("hubert"),
    roberta=file("roberta"),
    clips=(
        Clip(file("plain.wav"), "Good morning.", "en", also=(file("more.wav"),)),
        Clip(file("angry.wav"), "Go away!", "en", emotions=("angry", "cross")),
    ),
    sampling=SamplingNumbers(top_k=5, temperature=0.8),
    speed=1.1,
    lexicon={"GIF": "JH IH1 F"},
)


def test_a_voice_survives_json() -> None:
    assert read_voice("v", json.loads(json.dumps(VOICE.to_parameters()))) == VOICE


def test_the_identity_knows_contents_and_no_paths() -> None:
    moved = json.loads(json.dumps(VOICE.to_parameters()).replace("/models", "/elsewhere"))
    other = read_voice("v", moved)
    assert other != VOICE
    assert other.identity() == VOICE.identity()
    assert "path" not in json.dumps(VOICE.identity())


@pytest.mark.parametrize(
    "change",
    [
        {"s1": {"path": "/models/s1.ckpt", "sha256": "00"}},
        {"speed": 1.0},
        {"rerolls": 0},
        {"sampling": {"top_k": 6}},
        {"roberta": None},
        {"lexicon": {}},
    ],
)
def test_whatever_is_heard_changes_the_identity(change: dict[str, Any]) -> None:
    assert read_voice("v", {**VOICE.to_parameters(), **change}).identity() != VOICE.identity()


@pytest.mark.parametrize(
    "change,field",
    [
        ({"s1": None}, "s1"),
        ({"s2": {"path": "x"}}, "s2"),
        ({"hubert": "x"}, "hubert"),
        ({"clips": []}, "clips"),
        ({"clips": "x"}, "clips"),
        ({"clips": ["x"]}, "clips[0]"),
        ({"clips": [{"audio": {"path": "a", "sha256": "b"}, "text": "Hi", "language": "xx"}]}, "clips[0].language"),
        ({"clips": [{"text": "Hi", "language": "en"}]}, "clips[0].audio"),
        ({"clips": [{"audio": {"path": "a", "sha256": "b"}, "text": 1, "language": "en"}]}, "clips[0].text"),
        ({"sampling": {"top_k": 0}}, "sampling.top_k"),
        ({"sampling": 3}, "sampling"),
        ({"speed": float("nan")}, "speed"),
        ({"speed": True}, "speed"),
        ({"noise": 2}, "noise"),
        ({"rerolls": 99}, "rerolls"),
        ({"cut": "cut9"}, "cut"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(VoiceMalformed) as caught:
        read_voice("anna", {**VOICE.to_parameters(), **change})
    assert (caught.value.voice, caught.value.field) == ("anna", field)
    assert pickle.loads(pickle.dumps(caught.value)).args == caught.value.args


@pytest.mark.parametrize("text", ["", " \n "])
def test_a_clip_without_a_transcript_is_refused(text: str) -> None:
    clip = {"audio": {"path": "/a.wav", "sha256": "b"}, "text": text, "language": "en"}
    with pytest.raises(TranscriptEmpty, match="word for word") as caught:
        read_voice("anna", {**VOICE.to_parameters(), "clips": [clip]})
    assert pickle.loads(pickle.dumps(caught.value)).clip == "/a.wav"


@pytest.mark.parametrize(
    "emotion,found",
    [(None, (0, True)), ("neutral", (0, True)), ("Angry", (1, True)), ("cross", (1, True)), ("sad", (0, False))],
)
def test_an_emotion_chooses_a_clip(emotion: str | None, found: tuple[int, bool]) -> None:
    assert VOICE.clip_for(emotion) == found


def test_contents_are_hashed_for_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "config.json").write_text("{}")
    (tmp_path / "a" / "model.safetensors").write_bytes(b"weights")
    before = content_sha256(tmp_path / "a")
    (tmp_path / "a" / "README.md").write_text("not a part of the model")
    assert content_sha256(tmp_path / "a") == before
    (tmp_path / "a").rename(tmp_path / "b")
    assert content_sha256(tmp_path / "b") == before
    (tmp_path / "b" / "config.json").write_text("{ }")
    assert content_sha256(tmp_path / "b") != before


def test_models_are_found_by_path_or_by_name_in_the_store(tmp_path: Path) -> None:
    for name, files in (("hubert", ["config.json", "pytorch_model.bin"]), ("anna-s2", ["anna.pth"])):
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        for each in files:
            (folder / each).write_bytes(b"x")
        card = {"name": name, "kind": "k", "version": "", "source": "", "files": dict.fromkeys(files, "")}
        (folder / "model.json").write_text(json.dumps(card), encoding="utf-8")
    own = tmp_path / "own.ckpt"
    own.write_bytes(b"x")
    found = find_models(tmp_path / "models", str(own), "anna-s2", None, None, None, None)
    assert found.s1 == own
    assert found.s2 == tmp_path / "models" / "anna-s2" / "anna.pth"
    assert found.hubert == tmp_path / "models" / "hubert"
    assert found.roberta is found.speaker is None
    before = content_sha256(found.hubert)
    (found.hubert / "model.json").write_text("{}", encoding="utf-8")
    assert content_sha256(found.hubert) == before, "where a model came from is no part of it"


def test_no_network_to_hear_with_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ModelNeeded, match="models fetch") as caught:
        find_models(tmp_path, "a.ckpt", "b.pth", None, None, None, None)
    assert pickle.loads(pickle.dumps(caught.value)).network == "hubert"


def test_a_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(VoiceMissing):
        ModelFile.of(tmp_path / "none.ckpt")
    with pytest.raises(VoiceMissing, match="holds no model"):
        ModelFile.of(tmp_path)
