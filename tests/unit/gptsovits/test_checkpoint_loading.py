"""Checkpoints are told apart by their tensors and headers, and hold exactly the tensors of their network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoint_files import DATA, HEADERS, s1_content, s2_content, s2_weights, write

from synthesis.gptsovits.checkpoints import Version, check_pair, load_s1, load_s2, load_state
from synthesis.gptsovits.errors import (
    BadConfig,
    CheckpointRefused,
    VersionMismatch,
    WrongKind,
    WrongPrecision,
    WrongShape,
    WrongTensors,
)

VERSIONS = ["v1", "v2", "v2Pro", "v2ProPlus"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("header", ["as saved", "PK"])
def test_the_version_follows_from_the_tensors_with_any_header(tmp_path: Path, version: str, header: str) -> None:
    first = HEADERS[version] if header == "as saved" else b"PK"
    path = write(tmp_path / "model.pth", s2_content(version), first)
    assert path.read_bytes()[:2] == first
    loaded = load_s2(path)
    assert loaded.version == Version(version)
    assert loaded.lora_rank is None
    assert loaded.info == "1epoch_1iteration"
    assert loaded.config == s2_content(version)["config"]
    assert {name: tensor.dtype for name, tensor in loaded.weights.items()} == dict.fromkeys(
        s2_weights(version), torch.float16
    )
    assert all(torch.equal(loaded.weights[name], tensor) for name, tensor in s2_weights(version).items())


def test_neither_the_size_of_a_file_nor_its_configuration_decides(tmp_path: Path) -> None:
    content = s2_content("v2")
    content["config"]["model"]["version"] = "v1"
    content["config"]["padding"] = "x" * (1 << 20)
    assert load_s2(write(tmp_path / "model.pth", content)).version == Version.V2


@pytest.mark.parametrize(("version", "header"), [("v2", b"05"), ("v1", b"01"), ("v2Pro", b"06"), ("v2", b"03")])
def test_a_header_that_contradicts_the_tensors_is_refused(tmp_path: Path, version: str, header: bytes) -> None:
    with pytest.raises(CheckpointRefused, match="header says"):
        load_s2(write(tmp_path / "model.pth", s2_content(version), header))


def lora(version: str | None) -> dict[str, Any]:
    name = "cfm.base_model.model.estimator.transformer_blocks.0.attn.to_q.lora_{}.default.weight"
    weight = {name.format("A"): torch.zeros(2, 8).half(), name.format("B"): torch.zeros(8, 2).half()}
    return {"weight": weight, "config": {"model": {"version": version}}, "info": "", "lora_rank": 2}


@pytest.mark.parametrize(
    ("header", "claimed", "found"),
    [(b"03", "v4", "v3"), (b"04", "v3", "v4"), (b"PK", "v3", "v3"), (b"PK", "v4", "v4")],
)
def test_lora_files_are_told_apart_by_header_then_by_configuration(
    tmp_path: Path, header: bytes, claimed: str, found: str
) -> None:
    loaded = load_s2(write(tmp_path / "model.pth", lora(claimed), header))
    assert (loaded.version, loaded.lora_rank) == (Version(found), 2)


@pytest.mark.parametrize("rank", [None, 0, "2", 10**9, True])
def test_a_lora_rank_that_cannot_be_is_refused(tmp_path: Path, rank: object) -> None:
    with pytest.raises(CheckpointRefused):
        load_s2(write(tmp_path / "model.pth", {**lora("v3"), "lora_rank": rank}))


def test_a_model_that_tells_no_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointRefused, match="which version"):
        load_s2(write(tmp_path / "model.pth", lora(None)))


@pytest.mark.parametrize("load", ["s1", "s2"])
def test_missing_and_surplus_tensors_are_named(tmp_path: Path, load: str) -> None:
    content = s1_content() if load == "s1" else s2_content("v2Pro")
    names = list(content["weight"])
    for name in (names[1], names[-1]):
        content["weight"]["model.unheard.of" if load == "s1" else f"{name}.of"] = content["weight"].pop(name)
    with pytest.raises(WrongTensors) as wrong:
        (load_s1 if load == "s1" else load_s2)(write(tmp_path / "model.pth", content))
    assert set(wrong.value.missing) == {names[1], names[-1]}
    assert all(name.endswith("of") for name in wrong.value.surplus)
    assert names[1] in str(wrong.value)


@pytest.mark.parametrize("name", ["enc_p.text_embedding.weight", "dec.ups.0.weight_v", "sv_emb.weight"])
def test_a_missing_tensor_that_tells_the_version_is_named_too(tmp_path: Path, name: str) -> None:
    content = s2_content("v2Pro")
    del content["weight"][name]
    with pytest.raises((WrongTensors, CheckpointRefused), match=name if name != "sv_emb.weight" else "header says"):
        load_s2(write(tmp_path / "model.pth", content, b"05"))


def test_the_posterior_encoder_is_accepted_and_left_out(tmp_path: Path) -> None:
    content = s2_content("v2")
    content["weight"]["enc_q.pre.weight"] = torch.zeros(2, 2).half()
    assert set(load_s2(write(tmp_path / "model.pth", content)).weights) == set(s2_weights("v2"))


def test_a_tensor_of_another_shape_is_named(tmp_path: Path) -> None:
    content = s1_content()
    content["weight"]["model.ar_predict_layer.weight"] = torch.zeros(1025, 31).half()
    with pytest.raises(WrongShape, match=r"ar_predict_layer\.weight has shape \(1025, 31\)"):
        load_s1(write(tmp_path / "model.ckpt", content))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64])
@pytest.mark.parametrize("load", ["s1", "s2"])
def test_another_precision_is_refused_with_the_way_out(tmp_path: Path, dtype: torch.dtype, load: str) -> None:
    content = s1_content() if load == "s1" else s2_content("v2")
    content["weight"] = {name: tensor.to(dtype) for name, tensor in content["weight"].items()}
    with pytest.raises(WrongPrecision, match="models convert --half") as wrong:
        (load_s1 if load == "s1" else load_s2)(write(tmp_path / "model.pth", content))
    assert wrong.value.dtype == str(dtype).removeprefix("torch.")


@pytest.mark.parametrize(
    ("rows", "version", "fits"),
    [(732, "v2", True), (732, "v2ProPlus", True), (512, "v1", True), (512, "v2", False), (732, "v1", False)],
)
def test_a_pair_reads_one_symbol_table(tmp_path: Path, rows: int, version: str, fits: bool) -> None:
    s1 = load_s1(write(tmp_path / "s1.ckpt", s1_content(rows)))
    s2 = load_s2(write(tmp_path / "s2.pth", s2_content(version)))
    assert s1.phonemes == rows
    if fits:
        check_pair(s1, s2)
        return
    with pytest.raises(VersionMismatch, match="take an s1 of v1 with an s2 of v1") as mismatch:
        check_pair(s1, s2)
    assert mismatch.value.s2_version == version


def test_a_phoneme_table_of_no_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointRefused, match="400 rows"):
        load_s1(write(tmp_path / "s1.ckpt", s1_content(400)))


def test_the_wrong_file_is_said_to_be_what_it_is(tmp_path: Path) -> None:
    s1, s2 = write(tmp_path / "s1.ckpt", s1_content()), write(tmp_path / "s2.pth", s2_content("v2"))
    with pytest.raises(WrongKind, match="s2 model"):
        load_s1(s2)
    with pytest.raises(WrongKind, match="s1 model"):
        load_s2(s1)
    with pytest.raises(WrongKind):
        load_state(s1)


@pytest.mark.parametrize(
    "state",
    [
        {"model": {"a": torch.zeros(1)}, "optimizer": {"b": 1}, "iteration": 7, "learning_rate": 0.1},
        {"state_dict": {"a": torch.zeros(1)}, "epoch": 3},
    ],
)
def test_a_state_of_training_is_no_model(tmp_path: Path, state: dict[str, Any]) -> None:
    with pytest.raises(WrongKind, match="state of training"):
        load_s2(write(tmp_path / "G_233333333333.pth", state))


@pytest.mark.parametrize("config", [None, [1], {}, {"model": 3}, {"model": {"hidden_dim": "32"}}])
def test_an_unusable_configuration_is_an_error_of_ours(tmp_path: Path, config: object) -> None:
    with pytest.raises((CheckpointRefused, BadConfig)):
        load_s1(write(tmp_path / "s1.ckpt", {**s1_content(), "config": config}))


def test_bare_tensors_keep_their_precision(tmp_path: Path) -> None:
    state = {"a": torch.arange(6.0).reshape(2, 3).T, "b": torch.tensor(3), "c": torch.ones(2).half()}
    torch.save(state, tmp_path / "net.bin")
    loaded = load_state(tmp_path / "net.bin")
    assert {name: (value.dtype, value.tolist()) for name, value in loaded.items()} == {
        name: (value.dtype, value.tolist()) for name, value in state.items()
    }


def test_tensors_that_share_a_storage_are_read(tmp_path: Path) -> None:
    whole = torch.arange(8.0)
    torch.save({"whole": whole, "half": whole[4:], "again": whole}, tmp_path / "net.bin")
    loaded = load_state(tmp_path / "net.bin")
    assert loaded["half"].tolist() == [4, 5, 6, 7]
    assert loaded["again"].tolist() == whole.tolist()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        load_s1(tmp_path / "absent.ckpt")
    assert missing.value.filename == os.fspath(tmp_path / "absent.ckpt")


def test_the_file_of_the_reference_loads_with_its_digest() -> None:
    loaded = load_s1(DATA / "checkpoints" / "s1-micro.ckpt")
    assert loaded.sha256 == "e2579cdb86ddc30a12b9c1ea528639f5e1221c04595595b4b0bc45df8e100b04"
    assert (loaded.info, loaded.symbols, loaded.config["inference"]["top_k"]) == ("GPT-e3", 732, 15)
