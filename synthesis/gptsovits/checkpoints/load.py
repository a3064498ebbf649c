"""The two models of a voice, loaded: text to codes (s1) and codes to audio (s2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from synthesis.gptsovits.checkpoints.containers import Container, configuration, open_container, tensors
from synthesis.gptsovits.checkpoints.s1_layout import check_s1
from synthesis.gptsovits.checkpoints.versions import HEADERS, Version, by_shapes, s1_symbols
from synthesis.gptsovits.errors import CheckpointRefused, VersionMismatch, WrongKind, WrongPrecision
from synthesis.gptsovits.s2.config import S2Config
from synthesis.gptsovits.s2.layout import check_tensors

S1, S2 = "an s1 model (text to codes)", "an s2 model (codes to audio)"
TRAINING_STATE = "a state of training, not a model to render with"
LORA_RANKS = range(1, 1025)


@dataclass(frozen=True)
class S1Checkpoint:
    """Text to codes. ``weights``: half precision, names begin with ``model.``; ``phonemes``: rows of their table."""

    weights: Mapping[str, Tensor]
    config: Mapping[str, Any]
    info: str
    phonemes: int
    sha256: str

    @property
    def symbols(self) -> int:
        """Symbols of the table it reads: 322 (v1) or 732."""
        return s1_symbols(self.phonemes) or self.phonemes


@dataclass(frozen=True)
class S2Checkpoint:
    """Codes to audio. ``weights``: half precision, without the posterior encoder; ``lora_rank``: LoRA matrices only."""

    weights: Mapping[str, Tensor]
    config: Mapping[str, Any]
    info: str
    version: Version
    lora_rank: int | None
    sha256: str


def load_s1(path: str | Path, *, any_precision: bool = False) -> S1Checkpoint:
    """Load an s1 model (``.ckpt`` or ``.safetensors``); ``any_precision`` rounds to half precision instead of refusing.

    Raises CheckpointRefused (unsafe, truncated), WrongKind (something else), WrongTensors and WrongShape (a tensor is
    missing, surplus or of another shape), BadConfig, WrongPrecision, OSError.
    """
    container = open_container(path)
    if kind_of(container) != S1:
        raise WrongKind(container.path, S1, kind_of(container))
    weights = tensors(container.path, container.content["weight"])
    config = configuration(container.path, container.content.get("config"))
    rows = check_s1(weights, config)
    if s1_symbols(rows) is None:
        raise CheckpointRefused(container.path, f"its phoneme table has {rows} rows; v1 has 512, later ones have 732")
    return S1Checkpoint(_half(container.path, weights, any_precision), config, _info(container), rows, container.sha256)


def load_s2(path: str | Path, *, any_precision: bool = False) -> S2Checkpoint:
    """Load an s2 model (``.pth`` with any header, or ``.safetensors``), see `load_s1`.

    The version follows from the tensors' shapes; where those leave it open (v3 or v4), from the header, then from the
    configuration. A header that contradicts the tensors is refused.
    """
    container = open_container(path)
    if kind_of(container) != S2:
        raise WrongKind(container.path, S2, kind_of(container))
    weights = tensors(container.path, container.content["weight"])
    config = configuration(container.path, container.content.get("config"))
    lora_rank = _lora_rank(container, weights)
    version = _version(container, weights, config, lora_rank)
    if version not in (Version.V3, Version.V4):
        weights = _strict(weights, config, version)
    return S2Checkpoint(
        _half(container.path, weights, any_precision), config, _info(container), version, lora_rank, container.sha256
    )


def check_pair(s1: S1Checkpoint, s2: S2Checkpoint) -> None:
    """Raises VersionMismatch when the two models read different symbol tables."""
    if s1.symbols != s2.version.symbols:
        raise VersionMismatch(s1.symbols, s2.version.symbols, s2.version.value)


def kind_of(container: Container) -> str:
    """What a file holds, in words: `S1`, `S2` or something that cannot be rendered with."""
    content = container.content
    weight = content.get("weight")
    if isinstance(weight, Mapping):
        return S1 if any(str(name).startswith("model.") for name in weight) else S2
    if "state_dict" in content or ("model" in content and ("optimizer" in content or "iteration" in content)):
        return TRAINING_STATE
    return "tensors without a configuration" if all(isinstance(v, Tensor) for v in content.values()) else "no model"


def _strict(weights: dict[str, Tensor], config: Mapping[str, Any], version: Version) -> dict[str, Tensor]:
    """The tensors of the network. Raises WrongTensors, WrongShape, BadConfig."""
    return check_tensors(weights, S2Config.from_mapping(config), version.value)


def _version(container: Container, weights: dict[str, Tensor], config: Mapping[str, Any], rank: int | None) -> Version:
    shapes = by_shapes(weights)
    header = HEADERS.get(container.header)
    if header is not None and shapes and (header[0] not in shapes or (header[1] != (rank is not None))):
        kind = "LoRA matrices" if rank is not None else "a whole model"
        raise CheckpointRefused(
            container.path,
            f"its header says {_named(header)}, its tensors are {kind} of {' or '.join(sorted(shapes))}",
        )
    claims = [header[0].value if header else None, container.described.get("version"), _claim(config)]
    claimed = [Version(claim) for claim in claims if claim in list(Version)]
    for version in claimed:
        if not shapes or version in shapes:
            return version
    if len(shapes) == 1:
        return next(iter(shapes))
    raise CheckpointRefused(container.path, "nothing in it tells which version of the network it is of")


def _claim(config: Mapping[str, Any]) -> str | None:
    model = config.get("model")
    version = model.get("version") if isinstance(model, Mapping) else None
    return version if isinstance(version, str) else None


def _named(header: tuple[Version, bool]) -> str:
    return f"{header[0].value} LoRA" if header[1] else header[0].value


def _lora_rank(container: Container, weights: Mapping[str, Tensor]) -> int | None:
    rank = container.content.get("lora_rank")
    adapters = any(".lora_A." in name for name in weights)
    if rank is None and not adapters:
        return None
    if type(rank) is not int or rank not in LORA_RANKS or not adapters:
        raise CheckpointRefused(container.path, f"its LoRA rank is {rank!r}, which its tensors contradict")
    return rank


def _info(container: Container) -> str:
    info = container.content.get("info", "")
    return info if isinstance(info, str) else ""


def _half(path: str, weights: dict[str, Tensor], any_precision: bool) -> dict[str, Tensor]:
    for name, tensor in weights.items():
        if tensor.dtype != torch.float16:
            if not any_precision or not tensor.is_floating_point():
                raise WrongPrecision(path, name, str(tensor.dtype).removeprefix("torch."))
            weights[name] = tensor.half()
    return weights
