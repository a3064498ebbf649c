"""Our networks compute what the reference implementation does, on the small vectors of this folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from synthesis.parity import Check, Skip, fill, vectors
from synthesis.parity.cli import main
from synthesis.parity.runner import files, passed, run

DATA = Path(__file__).parent / "data"


def view(tmp_path: Path, *wanted: str) -> Path:
    """A folder with some files of ours, to change one in."""
    for name in ("README.md", *(path.name for path in DATA.glob("shapes-*.json")), *wanted):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((DATA / name).read_bytes())
    return tmp_path


@pytest.mark.parametrize("name", files(DATA))
def test_every_vector_is_met(name: str) -> None:
    results = list(run(DATA, name))
    assert [result for result in results if isinstance(result, Check) and not result.ok] == []
    assert any(isinstance(result, Check) and result.file == name for result in results)


def test_the_quantities_of_each_kind_are_all_there() -> None:
    assert len(files(DATA)) == 13
    assert {result.quantity for result in run(DATA, "spectrogram") if isinstance(result, Check)} == {
        "spec",
        "mel_v3",
        "mel_v4",
    }


def test_a_changed_weight_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(salt: str, shapes: Any) -> dict[str, NDArray[np.float32]]:
        weights = fill(salt, shapes)
        weights["enc_p.proj.weight"] = weights["enc_p.proj.weight"] * np.float32(0.9)
        return weights

    monkeypatch.setattr(vectors, "fill", changed)
    results = list(run(DATA, "vectors/s2-v2-nano.npz"))
    assert not passed(results)
    wrong = {result.quantity for result in results if isinstance(result, Check) and not result.ok}
    assert {"m_p", "audio"} <= wrong
    assert "mrte" not in wrong


def test_another_salt_is_noticed(tmp_path: Path) -> None:
    folder = view(tmp_path, "vectors/s1-micro.npz")
    readme = folder / "README.md"
    readme.write_text(readme.read_text().replace("dev-s1-micro-a", "another-salt"))
    assert not passed(list(run(folder)))


def test_a_checkpoint_with_one_other_value_is_noticed(tmp_path: Path) -> None:
    from synthesis.gptsovits.checkpoints.containers import write_safetensors
    from synthesis.gptsovits.checkpoints.convert import convert

    folder = view(tmp_path, "checkpoints/s1-micro.ckpt")
    readme = folder / "README.md"
    readme.write_text(readme.read_text().replace("s1-micro.ckpt", "s1-micro.safetensors"))
    target = folder / "checkpoints" / "s1-micro.safetensors"
    model = convert(folder / "checkpoints" / "s1-micro.ckpt", target)
    (folder / "checkpoints" / "s1-micro.ckpt").unlink()
    assert passed(list(run(folder)))

    weights = {name: tensor.clone() for name, tensor in model.weights.items()}
    weights["model.ar_predict_layer.weight"][3, 5] += 1
    write_safetensors(target, weights, {"kind": "s1", "config": json.dumps(model.config), "info": model.info})
    wrong = [result for result in run(folder) if isinstance(result, Check) and not result.ok]
    assert [result.error for result in wrong if result.file == "checkpoints/s1-micro.safetensors"] == [1.0]


def test_the_command_prints_every_comparison_and_tells_by_its_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--vectors", str(DATA), "--only", "spectrogram"]) == 0
    assert "3 compared, 0 not ok, 0 skipped" in capsys.readouterr().out

    stored = dict(np.load(DATA / "vectors" / "spectrogram.npz"))
    (tmp_path / "vectors").mkdir()
    np.savez(tmp_path / "vectors" / "spectrogram.npz", **{**stored, "spec": stored["spec"] + np.float32(1e-3)})
    np.savez(tmp_path / "vectors" / "vocoder-v4.npz", mel=np.zeros(3))
    assert main(["--vectors", str(tmp_path), "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert all({"file", "quantity", "error", "tolerance", "ok"} <= row.keys() for row in rows)
    assert [row["quantity"] for row in rows if row["ok"] is False] == ["spec"]
    assert [row["skipped"] for row in rows if row["file"] == "vectors/vocoder-v4.npz"] == [
        "this network is not built here yet"
    ]


def test_a_broken_vector_is_a_failure_and_the_rest_still_runs(tmp_path: Path) -> None:
    folder = view(tmp_path, "vectors/s1-sampler.npz", "vectors/spectrogram.npz")
    (folder / "vectors" / "spectrogram.npz").write_bytes(b"PK\x03\x04 no more")
    results = list(run(folder))
    assert not passed(results)
    assert any(isinstance(result, Check) and result.ok and "probs0" in result.quantity for result in results)


def test_a_folder_without_vectors_is_said_to_be_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--vectors", str(tmp_path)]) == 2
    assert "no vectors/" in capsys.readouterr().err


def test_nothing_compared_is_no_success() -> None:
    assert not passed([Skip("vectors/x.npz", "no salt")])
