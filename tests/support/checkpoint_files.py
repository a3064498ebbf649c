"""Checkpoint files as savers write them, made from the shapes of the small vectors: no trained weight is needed."""

from __future__ import annotations

import sys
import types
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from synthesis.parity import fill, vectors

DATA = Path(__file__).parents[1] / "parity" / "data"
S2_MODEL = {
    "inter_channels": 16,
    "hidden_channels": 16,
    "filter_channels": 32,
    "n_heads": 2,
    "n_layers": 2,
    "kernel_size": 3,
    "p_dropout": 0.0,
    "resblock": "1",
    "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5]] * 3,
    "upsample_rates": [10, 8, 2, 2, 2],
    "upsample_initial_channel": 32,
    "upsample_kernel_sizes": [16, 16, 8, 2, 2],
    "gin_channels": 32,
    "semantic_frame_rate": "25hz",
}
OF_VERSION: Mapping[str, Mapping[str, Any]] = {
    "v1": {},
    "v2": {},
    "v2Pro": {"gin_channels": 8},
    "v2ProPlus": {
        "gin_channels": 8,
        "upsample_initial_channel": 48,
        "upsample_kernel_sizes": [20, 16, 8, 2, 2],
    },
}
HEADERS = {"v1": b"PK", "v2": b"PK", "v2Pro": b"05", "v2ProPlus": b"06"}


@cache
def _filled(version: str) -> Mapping[str, Tensor]:
    filled = fill("test", vectors.shapes(DATA, f"s2-{version}-nano"))
    return {key: torch.from_numpy(value).half() for key, value in filled.items()}


def s2_weights(version: str) -> dict[str, Tensor]:
    """Half-precision weights of a nano model."""
    return dict(_filled(version))


def s2_config(version: str) -> dict[str, Any]:
    return {"data": {"sampling_rate": 32000}, "model": {**S2_MODEL, **OF_VERSION[version], "version": version}}


def s2_content(version: str) -> dict[str, Any]:
    return {"weight": s2_weights(version), "config": s2_config(version), "info": "1epoch_1iteration"}


def s1_content(rows: int = 732) -> dict[str, Any]:
    shapes = {**vectors.shapes(DATA, "s1-micro")}
    shapes["model.ar_text_embedding.word_embeddings.weight"] = (rows, 32)
    weight = OrderedDict((key, torch.from_numpy(value).half()) for key, value in fill("test", shapes).items())
    model = {"hidden_dim": 32, "embedding_dim": 32, "n_layer": 2, "head": 4, "vocab_size": 1025, "EOS": 1024}
    return {"weight": weight, "config": {"model": model, "data": {"max_sec": 54}}, "info": "GPT-e1"}


class HParams:
    """Pickled as ``utils.HParams``, as savers do; nested like their configuration."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        for key, value in values.items():
            self.__dict__[key] = HParams(value) if isinstance(value, Mapping) else value


HParams.__module__ = "utils"


def write(path: Path, content: Mapping[str, Any], header: bytes = b"PK", *, legacy: bool = False) -> Path:
    """Save with torch; an s2's configuration becomes an HParams. The header is written over the first two bytes."""
    content, config = dict(content), content.get("config")
    if isinstance(config, dict) and "inter_channels" in str(config.get("model")):
        content["config"] = HParams(content["config"])
    module = types.ModuleType("utils")
    module.HParams = HParams  # type: ignore[attr-defined]
    sys.modules["utils"] = module
    try:
        torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    finally:
        del sys.modules["utils"]
    if header != b"PK":
        with path.open("r+b") as file:
            file.write(header)
    return path


def with_program(path: Path, program: bytes) -> Path:
    """A torch zip whose pickle is ``program``."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/byteorder", b"little")
        archive.writestr("archive/data/0", bytes(16))
    return path


def rewritten(source: Path, target: Path, changes: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    """A copy of a torch zip with other bytes in some entries (named from behind the first slash)."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compression) as new:
        for entry in old.infolist():
            short = entry.filename.partition("/")[2]
            new.writestr(entry.filename, changes.get(short, old.read(entry)))
    return target
