"""Networks of the transformers library, built from a configuration and a table of tensors, strictly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from synthesis.errors import VoiceMissing
from synthesis.gptsovits.checkpoints.states import load_state
from synthesis.gptsovits.errors import BadConfig, ModelUnknown, WrongShape, WrongTensors
from synthesis.gptsovits.s1.linear import build, exact_in_half, has_fbgemm

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
IGNORED_SETTINGS = frozenset(
    (
        "architectures",
        "model_type",
        "torch_dtype",
        "dtype",
        "transformers_version",
        "mask_time_prob",
        "mask_feature_prob",
    )
)
"""Settings of a ``config.json`` that say nothing about the network as it is run here."""


def directory_state(path: str | Path) -> dict[str, Tensor]:
    """Tensors of a folder as Hugging Face keeps it. Raises ModelUnknown when no file of weights is in it."""
    for name in WEIGHTS:
        if (Path(path) / name).exists():
            return load_state(Path(path) / name)
    raise ModelUnknown(str(Path(path) / WEIGHTS[0]), WEIGHTS)


def directory_config(path: str | Path) -> Mapping[str, Any]:
    """Settings of the network in a folder. Raises VoiceMissing without config.json, BadConfig, OSError."""
    try:
        settings = json.loads((Path(path) / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise VoiceMissing(str(path), "the folder has no config.json; give it as Hugging Face keeps it") from None
    except ValueError as error:
        raise BadConfig("config.json", f"is no JSON ({error})") from error
    if not isinstance(settings, dict):
        raise BadConfig("config.json", "is no table")
    return {key: value for key, value in settings.items() if key not in IGNORED_SETTINGS and not key.startswith("_")}


def assign(model: nn.Module, weights: Mapping[str, Tensor], device: str, dtype: torch.dtype) -> None:
    """Give a model that was built without memory its tensors, ready to run. Raises WrongTensors, WrongShape.

    Nothing is initialised at random first: for RoBERTa that would take longer than all the rest. In float32 on the CPU,
    matrices of released files stay in the half precision they have there (``s1/linear.py``): the same numbers in half
    the memory, 0.6 GB of RoBERTa's 1.2.
    """
    wanted = model.state_dict()
    missing, surplus = sorted(wanted.keys() - weights.keys()), sorted(weights.keys() - wanted.keys())
    if missing or surplus:
        raise WrongTensors(tuple(missing), tuple(surplus))
    for name, tensor in wanted.items():
        if tensor.shape != weights[name].shape:
            raise WrongShape(name, tuple(tensor.shape), tuple(weights[name].shape))
    model.load_state_dict({name: value.to(device) for name, value in weights.items()}, assign=True)
    model.requires_grad_(False)
    model.train(False)
    if device == "cpu" and dtype == torch.float32 and has_fbgemm():
        for module in list(model.modules()):
            for name, part in module.named_children():
                if isinstance(part, nn.Linear) and _is_half(part.weight):
                    setattr(module, name, _Product(part))
    model.to(dtype)


def _is_half(weight: Tensor) -> bool:
    return weight.dtype == torch.float16 or (weight.dtype == torch.float32 and exact_in_half(weight))


class _Product(nn.Module):
    """A linear layer that keeps its matrix in half precision and computes in float32."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        bias = getattr(layer, "bias", None)
        self._product = build(layer.weight.float(), None if bias is None else bias.float())

    def forward(self, x: Tensor) -> Tensor:
        """[…, in] -> […, out]."""
        return self._product(x)
