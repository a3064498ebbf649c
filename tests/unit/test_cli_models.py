"""voicefarm models: add, list, convert and fetch, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from checkpoint_files import DATA, s1_content, write
from typer.testing import CliRunner

from scheduler.cli import app
from synthesis.errors import SynthesisError
from synthesis.gptsovits.checkpoints import load_s1
from synthesis.gptsovits.errors import CheckpointRefused, ModelDamaged, ModelUnknown, WrongPrecision

MICRO = DATA / "checkpoints" / "s1-micro.ckpt"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VOICEFARM_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def typed(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    if isinstance(result.exception, SynthesisError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_an_added_model_is_listed_where_it_lies(home: Path) -> None:
    assert "micro: s1 732 symbols" in typed("models", "add", "micro", MICRO)
    (model,) = json.loads(typed("models", "list", "--check", "--json"))
    assert (model["name"], model["kind"]) == ("micro", "s1")
    assert Path(model["path"]).is_relative_to(home / "models")
    assert "micro" in typed("models", "list")


def test_a_damaged_model_fails_the_check_only(home: Path) -> None:
    typed("models", "add", "micro", MICRO)
    path = home / "models" / "micro" / MICRO.name
    path.write_bytes(path.read_bytes()[:-1])
    assert "micro" in typed("models", "list")
    with pytest.raises(ModelDamaged):
        typed("models", "list", "--check")


def test_a_malicious_file_is_not_added(home: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointRefused):
        typed("models", "add", "bad", DATA / "checkpoints" / "malicious-s2.pth")
    assert json.loads(typed("models", "list", "--json")) == []
    assert not (tmp_path / "PWNED").exists()


def test_a_converted_model_is_the_same_and_is_not_written_over(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "micro.safetensors"
    assert "s1 of 732 symbols, 31 tensors" in typed("models", "convert", MICRO, target)
    assert load_s1(target).config == load_s1(MICRO).config
    again = CliRunner().invoke(app, ["models", "convert", str(MICRO), str(target)])
    assert again.exit_code == 2
    assert "--force" in again.output
    typed("models", "convert", MICRO, target, "--force")


def test_a_file_of_full_precision_is_converted_with_half(home: Path, tmp_path: Path) -> None:
    content = s1_content()
    content["weight"] = {name: tensor.float() for name, tensor in content["weight"].items()}
    source, target = write(tmp_path / "full.ckpt", content), tmp_path / "full.safetensors"
    with pytest.raises(WrongPrecision, match="--half"):
        typed("models", "convert", source, target)
    typed("models", "convert", source, target, "--half")
    assert load_s1(target).phonemes == 732


def test_an_unknown_version_is_not_fetched(home: Path) -> None:
    with pytest.raises(ModelUnknown, match="v2ProPlus"):
        typed("models", "fetch", "v5")
