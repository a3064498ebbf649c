"""Bare tables of tensors, as HuBERT, RoBERTa and the speaker network are published."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from synthesis.gptsovits.checkpoints.containers import open_container, tensors
from synthesis.gptsovits.errors import WrongKind

BARE = "tensors of one network"


def load_state(path: str | Path) -> dict[str, Tensor]:
    """Names and tensors of a ``.bin``, ``.ckpt``, ``.pt`` or ``.safetensors`` file, in the precision they have there.

    Raises CheckpointRefused (unsafe, truncated), WrongKind (an s1 or s2 model), OSError.
    """
    container = open_container(path)
    if "weight" in container.content and not isinstance(container.content["weight"], Tensor):
        raise WrongKind(container.path, BARE, "a model of a voice")
    return tensors(container.path, container.content)
