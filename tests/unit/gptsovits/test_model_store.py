"""Models of a machine: converted, added, verified, fetched."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from checkpoint_files import DATA, s1_content, s2_content, write
from hub_server import COMMIT, HubServer, hub_server

from synthesis.gptsovits.checkpoints import fetch as fetching
from synthesis.gptsovits.checkpoints import load_s1, load_s2
from synthesis.gptsovits.checkpoints.convert import convert
from synthesis.gptsovits.checkpoints.fetch import HuggingFace, Published, fetch
from synthesis.gptsovits.checkpoints.store import ModelStore
from synthesis.gptsovits.errors import (
    BadInput,
    CheckpointRefused,
    FetchFailed,
    ModelDamaged,
    ModelUnknown,
    WrongKind,
    WrongPrecision,
)

MICRO = DATA / "checkpoints" / "s1-micro.ckpt"


@pytest.mark.parametrize("version", ["v1", "v2Pro", "v2ProPlus"])
def test_an_s2_in_safetensors_is_the_same_model(tmp_path: Path, version: str) -> None:
    source = write(tmp_path / "model.pth", s2_content(version))
    convert(source, tmp_path / "model.safetensors")
    before, after = load_s2(source), load_s2(tmp_path / "model.safetensors")
    assert (after.version, after.config, after.info, after.lora_rank) == (
        before.version,
        before.config,
        before.info,
        before.lora_rank,
    )
    assert after.weights.keys() == before.weights.keys()
    assert all(torch.equal(after.weights[name], tensor) for name, tensor in before.weights.items())
    convert(tmp_path / "model.safetensors", tmp_path / "again.safetensors")
    assert load_s2(tmp_path / "again.safetensors").weights.keys() == before.weights.keys()


def test_an_s1_in_safetensors_is_the_same_model(tmp_path: Path) -> None:
    convert(MICRO, tmp_path / "s1.safetensors")
    before, after = load_s1(MICRO), load_s1(tmp_path / "s1.safetensors")
    assert (after.config, after.info, after.phonemes) == (before.config, before.info, before.phonemes)
    assert all(torch.equal(after.weights[name], tensor) for name, tensor in before.weights.items())
    with pytest.raises(WrongKind):
        load_s2(tmp_path / "s1.safetensors")


def test_full_precision_is_rounded_only_on_request(tmp_path: Path) -> None:
    content = s1_content()
    content["weight"] = {name: tensor.float() + 1e-5 for name, tensor in content["weight"].items()}
    source = write(tmp_path / "s1.ckpt", content)
    with pytest.raises(WrongPrecision):
        convert(source, tmp_path / "s1.safetensors")
    assert not (tmp_path / "s1.safetensors").exists()
    convert(source, tmp_path / "s1.safetensors", half=True)
    for name, tensor in load_s1(tmp_path / "s1.safetensors").weights.items():
        assert torch.equal(tensor, content["weight"][name].half())


def test_a_target_of_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"ends in \.safetensors"):
        convert(MICRO, tmp_path / "s1.pth")


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def test_an_added_model_is_listed_and_loads(store: ModelStore, tmp_path: Path) -> None:
    store.add("anna-s2", [write(tmp_path / "anna.pth", s2_content("v2Pro"), b"05")], source="here")
    store.add("micro", [MICRO])
    assert [(model.name, model.kind, model.version) for model in store.models()] == [
        ("anna-s2", "s2", "v2Pro"),
        ("micro", "s1", "732 symbols"),
    ]
    assert load_s2(store.verify("anna-s2").path).version == "v2Pro"
    assert store.get("micro").files == {"s1-micro.ckpt": hashlib.sha256(MICRO.read_bytes()).hexdigest()}


def test_a_network_is_added_with_the_files_around_it(store: ModelStore, tmp_path: Path) -> None:
    folder = tmp_path / "hubert"
    folder.mkdir()
    torch.save({"encoder.pos_conv_embed.conv.weight_v": torch.zeros(2)}, folder / "pytorch_model.bin")
    (folder / "config.json").write_text("{}")
    model = store.add("hubert", [folder])
    assert (model.kind, sorted(model.files)) == ("hubert", ["config.json", "pytorch_model.bin"])
    assert Path(model.path) == store.root / "hubert"


def test_what_is_no_model_is_not_added(store: ModelStore, tmp_path: Path) -> None:
    torch.save({"something": torch.zeros(2)}, tmp_path / "else.bin")
    with pytest.raises(WrongKind):
        store.add("else", [tmp_path / "else.bin"])
    with pytest.raises(CheckpointRefused):
        store.add("bad", [DATA / "checkpoints" / "malicious-s2.pth"])
    with pytest.raises(BadInput, match="hold 2 files of weights"):
        store.add("two", [MICRO, tmp_path / "else.bin"])
    assert store.models() == []


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "a b", "x" * 101])
def test_a_name_that_is_a_path_is_refused(store: ModelStore, name: str) -> None:
    with pytest.raises(BadInput):
        store.add(name, [MICRO])
    with pytest.raises(ModelUnknown):
        store.get(name)


def test_a_name_is_given_once(store: ModelStore) -> None:
    store.add("micro", [MICRO])
    with pytest.raises(BadInput, match="taken"):
        store.add("micro", [MICRO])


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_a_damaged_model_is_noticed(store: ModelStore, damage: str) -> None:
    path = Path(store.add("micro", [MICRO]).path)
    path.write_bytes(path.read_bytes() + b"x") if damage == "changed" else path.unlink()
    with pytest.raises(ModelDamaged, match="fetch or add it again"):
        store.verify("micro")


class FakeHub:
    """Publishes files of a folder; a download can break off, or bring something else."""

    def __init__(self, folder: Path, fails: Sequence[str] = (), wrong: Sequence[str] = ()) -> None:
        self.folder, self.fails, self.wrong = folder, set(fails), wrong
        self.downloads: list[str] = []

    def look_up(self, repository: str, names: Sequence[str]) -> Published:
        return Published(
            "c0ffee", {name: hashlib.sha256((self.folder / name).read_bytes()).hexdigest() for name in names}
        )

    def download(self, repository: str, commit: str, name: str, folder: Path) -> Path:
        assert commit == "c0ffee"
        if name in self.fails:
            self.fails.remove(name)
            raise FetchFailed(repository, "the line broke")
        self.downloads.append(name)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"else" if name in self.wrong else (self.folder / name).read_bytes())
        return path


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    table = {
        "repository": "somebody/models",
        "models": {"s1": ["base/s1.ckpt"], "s2": ["s2.pth"], "hubert": ["hub/config.json", "hub/pytorch_model.bin"]},
        "sets": {"v2": ["s1", "s2", "hubert"]},
    }
    monkeypatch.setattr(fetching, "catalogue", lambda: table)
    folder = tmp_path / "published"
    (folder / "base").mkdir(parents=True)
    (folder / "hub").mkdir()
    (folder / "base" / "s1.ckpt").write_bytes(MICRO.read_bytes())
    write(folder / "s2.pth", s2_content("v2"))
    torch.save({"encoder.pos_conv_embed.conv.weight_v": torch.zeros(2)}, folder / "hub" / "pytorch_model.bin")
    (folder / "hub" / "config.json").write_text("{}")
    return folder


def test_a_set_is_fetched_checked_and_added(store: ModelStore, published: Path) -> None:
    hub = FakeHub(published)
    assert [model.name for model in fetch("v2", store, hub)] == ["s1", "s2", "hubert"]
    assert store.get("s2").source == "somebody/models@c0ffee"
    assert not (store.root / ".downloads").exists()
    before = list(hub.downloads)
    assert [model.name for model in fetch("v2", store, hub)] == ["s1", "s2", "hubert"]
    assert hub.downloads == before  # the second time nothing is downloaded


def test_a_fetch_that_broke_off_goes_on_where_it_ended(store: ModelStore, published: Path) -> None:
    hub = FakeHub(published, fails=["hub/pytorch_model.bin"])
    with pytest.raises(FetchFailed, match="run the command again"):
        list(fetch("v2", store, hub))
    assert [model.name for model in store.models()] == ["s1", "s2"]
    hub.downloads.clear()
    list(fetch("v2", store, hub))
    assert [name for name in hub.downloads if not name.startswith("hub/")] == []


def test_a_file_that_is_not_the_published_one_is_deleted(store: ModelStore, published: Path) -> None:
    with pytest.raises(ModelDamaged):
        list(fetch("v2", store, FakeHub(published, wrong=["s2.pth"])))
    assert [model.name for model in store.models()] == ["s1"]
    assert not list((store.root / ".downloads").rglob("s2.pth"))


def test_a_published_file_that_is_malicious_is_not_added(store: ModelStore, published: Path) -> None:
    (published / "s2.pth").write_bytes((DATA / "checkpoints" / "malicious-s2.pth").read_bytes())
    with pytest.raises(CheckpointRefused):
        list(fetch("v2", store, FakeHub(published)))


FETCH = """
import json, sys
from pathlib import Path
from synthesis.gptsovits.checkpoints import fetch as fetching
from synthesis.gptsovits.checkpoints.store import ModelStore
fetching.catalogue = lambda: json.loads(sys.argv[2])
print(*[model.name for model in fetching.fetch("v2", ModelStore(Path(sys.argv[1])))])
"""


def fetch_from(hub: HubServer, root: Path) -> subprocess.CompletedProcess[str]:
    """Fetch with the hub's own client, in a process of its own: it reads its settings when it is imported."""
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(root / "hf"), "HF_HUB_DISABLE_XET": "1"}
    environment.pop("HF_HUB_OFFLINE", None)
    return subprocess.run(
        [sys.executable, "-c", FETCH, str(root / "models"), json.dumps(fetching.catalogue())],
        env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_the_client_of_the_hub_fetches_and_goes_on_after_a_broken_line(published: Path, tmp_path: Path) -> None:
    large = "hub/pytorch_model.bin"  # the client keeps what it got by ten megabytes
    torch.save({"encoder.pos_conv_embed.conv.weight_v": torch.zeros(6_000_000)}, published / large)
    with hub_server(published) as hub:
        hub.breaks.add(large)
        done = fetch_from(hub, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["s1", "s2", "hubert"]
    ((name, wanted),) = hub.ranges
    assert (name, int(wanted.removeprefix("bytes=").partition("-")[0])) == (large, 10 * 1024 * 1024)
    store = ModelStore(tmp_path / "models")
    assert store.get("s2").source == f"somebody/models@{COMMIT}"
    assert [store.verify(model.name).name for model in store.models()] == ["hubert", "s1", "s2"]


def test_the_client_of_the_hub_finds_a_file_gone(published: Path, tmp_path: Path) -> None:
    (published / "s2.pth").unlink()
    with hub_server(published) as hub:
        done = fetch_from(hub, tmp_path)
    assert done.returncode != 0
    assert "it has no file s2.pth any more" in done.stderr


def test_an_unknown_set_names_those_there_are(store: ModelStore) -> None:
    with pytest.raises(ModelUnknown, match="v1, v2, v2Pro, v2ProPlus"):
        list(fetch("v9", store))


def test_the_table_of_sets_is_whole() -> None:
    table = fetching.catalogue()
    assert {name for names in table["sets"].values() for name in names} == set(table["models"])
    assert set(fetching.versions()) == {"v1", "v2", "v2Pro", "v2ProPlus"}


def test_without_a_network_fetching_says_so(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def unreachable(*_: object, **__: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", unreachable)
    with pytest.raises(FetchFailed, match="Name or service not known"):
        list(fetch("v2", store, HuggingFace()))
