"""Models of this machine in one folder: each under a name, with what it is and the digest of each of its files."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthesis.gptsovits.checkpoints.convert import load_any
from synthesis.gptsovits.checkpoints.load import S1Checkpoint
from synthesis.gptsovits.checkpoints.states import load_state
from synthesis.gptsovits.errors import BadInput, ModelDamaged, ModelUnknown, WrongKind

CARD = "model.json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
NETWORKS: Mapping[str, str] = {
    "seg_1.weight": "speaker",
    "encoder.pos_conv_embed.conv.weight_v": "hubert",
    "encoder.pos_conv_embed.conv.parametrizations.weight.original1": "hubert",
    "bert.embeddings.word_embeddings.weight": "roberta",
}
"""A tensor that only one kind of network has."""
WEIGHT_SUFFIXES = (".bin", ".ckpt", ".pth", ".pt", ".safetensors")


@dataclass(frozen=True)
class StoredModel:
    """One model: ``kind`` s1, s2, speaker, hubert or roberta; ``files``: sha256 by name; ``path``: to load it by."""

    name: str
    kind: str
    version: str
    source: str
    files: Mapping[str, str]
    path: str


class ModelStore:
    """A folder of models. Every change is one rename: a process that dies leaves no half-added model."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def models(self) -> list[StoredModel]:
        """All models, by name. Raises ModelDamaged for a card that cannot be read."""
        return [self._read(card) for card in sorted(self.root.glob(f"[!.]*/{CARD}"))]

    def get(self, name: str) -> StoredModel:
        """The model of this name. Raises ModelUnknown, ModelDamaged."""
        card = self.root / name / CARD
        if not NAME.fullmatch(name) or not card.exists():
            raise ModelUnknown(name, tuple(path.parent.name for path in sorted(self.root.glob(f"[!.]*/{CARD}"))))
        return self._read(card)

    def verify(self, name: str) -> StoredModel:
        """Read every file of a model again. Raises ModelDamaged when one is not what it was, or is gone."""
        model = self.get(name)
        for file, wanted in model.files.items():
            path = self.root / name / file
            found = sha256_of(path) if path.is_file() else "no such file"
            if found != wanted:
                raise ModelDamaged(str(path), wanted, found)
        return model

    def add(self, name: str, paths: Sequence[Path], source: str = "") -> StoredModel:
        """Copy files, or the files of one folder, in under ``name``, after a look at what they hold.

        One file is a checkpoint or a network's tensors; several belong to one network (weights, ``config.json``,
        vocabulary). Raises BadInput for a name that is taken or cannot be one, and what loading raises.
        """
        if not NAME.fullmatch(name):
            raise BadInput("name", f"{name!r} is not letters, digits, dots and dashes")
        if (self.root / name).exists():
            raise BadInput("name", f"{name!r} is taken; choose another, or delete {self.root / name}")
        found = [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
        chosen = [file for file in found if file.is_file()]
        if len({file.name for file in chosen}) < len(chosen):
            raise BadInput("files", "two of them have one name")
        kind, version = identify(chosen)
        unfinished = self.root / f".{name}.part"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        try:
            digests = {file.name: _copy(file, unfinished / file.name) for file in chosen}
            card = {"name": name, "kind": kind, "version": version, "source": source, "files": digests}
            (unfinished / CARD).write_text(json.dumps(card, indent=1), encoding="utf-8")
            unfinished.rename(self.root / name)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return self.get(name)

    def _read(self, card: Path) -> StoredModel:
        try:
            found: dict[str, Any] = json.loads(card.read_text(encoding="utf-8"))
            files = dict(found["files"])
            alone = card.parent / next(iter(files)) if len(files) == 1 else card.parent
            texts = {key: str(found[key]) for key in ("kind", "version", "source")}
            return StoredModel(name=card.parent.name, files=files, path=str(alone), **texts)
        except (ValueError, KeyError, TypeError, StopIteration) as error:
            raise ModelDamaged(str(card), "a card", type(error).__name__) from error


def identify(files: Sequence[Path]) -> tuple[str, str]:
    """Kind and version of a model, read with the safe loader. Raises BadInput, WrongKind, what loading raises."""
    weights = [file for file in files if file.suffix in WEIGHT_SUFFIXES]
    if len(weights) != 1:
        raise BadInput("files", f"hold {len(weights)} files of weights ({', '.join(WEIGHT_SUFFIXES)}); a model has one")
    try:
        model = load_any(weights[0])
    except WrongKind:
        return _network(weights[0]), ""
    if isinstance(model, S1Checkpoint):
        return "s1", f"{model.symbols} symbols"
    return "s2", model.version.value + ("" if model.lora_rank is None else " LoRA")


def _network(path: Path) -> str:
    state = load_state(path)
    kind = next((kind for name, kind in NETWORKS.items() if name in state), None)
    if kind is None:
        raise WrongKind(str(path), "an s1, s2, speaker, HuBERT or RoBERTa model", "tensors of something else")
    return kind


def sha256_of(path: Path) -> str:
    """Digest of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy(source: Path, target: Path) -> str:
    shutil.copyfile(source, target)
    return sha256_of(target)
