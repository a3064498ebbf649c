"""What people get wrong about a voice: each has its own error, which survives a pickle and says what to do."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from nano_voice import Nano, line, nano_voice, render, roberta_folder, s1_file, s2_file
from voicelike import speechlike

from synthesis.errors import LanguageUnsupported, SynthesisError, VoiceError, VoiceMissing
from synthesis.gptsovits import engine as engine_module
from synthesis.gptsovits import errors
from synthesis.gptsovits.engine import GptSovitsEngine
from synthesis.gptsovits.registering import check_models


@pytest.fixture(scope="module")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Nano:
    return nano_voice(tmp_path_factory.mktemp("nano"))


def survives(error: SynthesisError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.args, str(again)) == (type(error), error.args, str(error))
    assert len(str(error)) > 20


def truncated(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def full_precision(content: dict[str, Any]) -> None:
    for name, tensor in content["weight"].items():
        content["weight"][name] = tensor.float()


def surplus(content: dict[str, Any]) -> None:
    content["weight"]["model.extra.weight"] = torch.zeros(3).half()


def without_one(content: dict[str, Any]) -> None:
    del content["weight"]["dec.conv_pre.bias"]


def misshapen(content: dict[str, Any]) -> None:
    content["weight"]["dec.conv_pre.bias"] = torch.zeros(3).half()


def without_heads(content: dict[str, Any]) -> None:
    content["config"] = {**content["config"], "model": {**content["config"]["model"], "n_heads": 0}}


@pytest.mark.parametrize(
    "kind,make,expected,says",
    [
        ("s1", lambda p: s1_file(p, phonemes=512), errors.VersionMismatch, "v1"),
        ("s2", lambda p: truncated(s2_file(p)), errors.CheckpointRefused, "file.s2"),
        ("s1", lambda p: s1_file(p, change=full_precision), errors.WrongPrecision, "half"),
        ("s1", lambda p: s1_file(p, change=surplus), errors.WrongTensors, "file.s1 .*model.extra.weight"),
        ("s2", lambda p: s2_file(p, change=without_one), errors.WrongTensors, "file.s2 .*dec.conv_pre.bias"),
        ("s2", lambda p: s2_file(p, change=misshapen), errors.WrongShape, "file.s2: dec.conv_pre.bias"),
        ("s2", lambda p: s2_file(p, change=without_heads), errors.BadConfig, "file.s2: model.n_heads|file.s2: n_heads"),
        ("s1", lambda p: s2_file(p), errors.WrongKind, "file.s1"),
        ("s2", lambda p: s2_file(p, version="v2Pro"), errors.ModelNeeded, "--speaker"),
    ],
    ids=["pair", "truncated", "fp32", "surplus", "missing", "misshapen", "configuration", "swapped", "speaker"],
)
def test_a_wrong_model_is_named(nano: Nano, tmp_path: Path, kind: str, make: Any, expected: Any, says: str) -> None:
    voice = nano.other(**{kind: make(tmp_path / f"file.{kind}")}).voice()
    with pytest.raises(expected, match=says) as caught:
        check_models(voice)
    assert isinstance(caught.value, VoiceError)
    survives(caught.value)


def test_a_wrong_pair_is_the_error_of_its_lines_and_leaves_nothing_loaded(nano: Nano, tmp_path: Path) -> None:
    engine = GptSovitsEngine(2)
    bad = nano.other(s1=s1_file(tmp_path / "v1.ckpt", phonemes=512)).spec("bad")
    with pytest.raises(errors.VersionMismatch):
        engine.load(bad)
    assert engine._residence.loaded() == []
    done = render(engine, [line(1, "Hello there.", bad), line(2, "Hello there.", nano.spec())])
    assert isinstance(done[1].error, errors.VersionMismatch)
    assert done[2].audio is not None
    engine.close()


@pytest.mark.parametrize(
    "seconds,level,text,expected",
    [
        (2.0, 0.3, "Hello.", errors.ReferenceLength),
        (11.0, 0.3, "Hello.", errors.ReferenceLength),
        (5.0, 0.0, "Hello.", errors.ReferenceSilent),
        (5.0, 0.3, " \n", errors.TranscriptEmpty),
    ],
)
def test_a_wrong_clip_is_refused(
    nano: Nano, tmp_path: Path, seconds: float, level: float, text: str, expected: type[VoiceError]
) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, speechlike(seconds, 16_000) * level, 16_000)
    with pytest.raises(expected) as caught:
        replace(nano, clip=replace(nano.clip, audio=path, text=text)).voice()
    assert str(path) in str(caught.value)
    survives(caught.value)


def test_a_transcript_of_one_emoji_is_refused_when_the_voice_is_loaded(nano: Nano) -> None:
    engine = GptSovitsEngine(2)
    with pytest.raises(errors.TranscriptUnreadable) as caught:
        engine.load(replace(nano, clip=replace(nano.clip, text="\U0001f600")).spec())
    survives(caught.value)
    engine.close()


def test_text_of_one_emoji_names_it(nano: Nano) -> None:
    engine = GptSovitsEngine(2)
    error = render(engine, [line(1, "\U0001f600", nano.spec())])[1].error
    assert error is not None
    assert "U+1F600" in str(error)
    survives(error)
    engine.close()


def test_a_file_that_was_exchanged_is_noticed(nano: Nano, tmp_path: Path) -> None:
    moved = tmp_path / "s2.pth"
    spec = nano.other(s2=s2_file(moved)).spec()
    s2_file(moved, salt="another")
    engine = GptSovitsEngine(2)
    with pytest.raises(errors.ModelChanged, match="register the voice again") as caught:
        engine.load(spec)
    survives(caught.value)
    moved.unlink()
    with pytest.raises(VoiceMissing, match=r"s2\.pth"):
        engine.load(spec)
    engine.close()


def test_chinese_needs_the_text_network_and_is_spoken_with_it(nano: Nano, tmp_path: Path) -> None:
    engine = GptSovitsEngine(2)
    text = "今天天气很好。"
    error = render(engine, [line(1, text, nano.spec(), language="zh")])[1].error
    assert isinstance(error, errors.ChineseUnread)
    assert "--roberta" in str(error)
    survives(error)
    able = nano.other(roberta=roberta_folder(tmp_path / "roberta")).spec("able", rerolls=0)
    result = render(engine, [line(1, text, able, language="zh-CN")])[1]
    assert result.error is None
    assert "pypinyin" in next(f.message for f in result.findings if f.code == "front_end")
    engine.close()


def test_a_voice_of_v1_has_no_cantonese(tmp_path: Path, nano: Nano) -> None:
    def old(content: dict[str, Any]) -> None:
        content["weight"]["ref_enc.spectral.0.fc.weight"] = torch.zeros(32, 1025).half()

    v1 = nano.other(
        s1=s1_file(tmp_path / "v1.ckpt", phonemes=512), s2=s2_file(tmp_path / "v1.pth", version="v1", change=old)
    )
    assert check_models(v1.voice()) == "v1"
    engine = GptSovitsEngine(2)
    done = render(engine, [line(1, "早晨", v1.spec(), language="yue"), line(2, "Good morning.", v1.spec())])
    assert isinstance(done[1].error, LanguageUnsupported)
    assert done[2].audio is not None
    engine.close()


def test_a_segment_that_does_not_fit_is_refused(nano: Nano, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "POSITIONS", 300)
    engine = GptSovitsEngine(2)
    words = " ".join(["incomprehensibility"] * 9)
    done = render(engine, [line(1, f"{words}.", nano.spec(cut="cut0")), line(2, "Nobody spoke.", nano.spec())])
    error = done[1].error
    assert isinstance(error, errors.SegmentTooLong)
    assert error.positions > error.limit == 300
    survives(error)
    assert done[2].audio is not None
    engine.close()


def test_an_overdue_line_survives_a_pickle() -> None:
    survives(errors.LineOverdue("gpt-sovits", 3, 99.0))
