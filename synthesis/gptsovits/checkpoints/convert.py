"""Checkpoints into safetensors, a format that can hold nothing but tensors and text."""

from __future__ import annotations

import json
from pathlib import Path

from synthesis.gptsovits.checkpoints.containers import SAFETENSORS, write_safetensors
from synthesis.gptsovits.checkpoints.load import S1Checkpoint, S2Checkpoint, load_s1, load_s2
from synthesis.gptsovits.errors import BadInput, WrongKind


def load_any(path: str | Path, *, any_precision: bool = False) -> S1Checkpoint | S2Checkpoint:
    """Load an s1 or an s2 model, whichever it is. Raises what `load_s1` and `load_s2` raise."""
    try:
        return load_s1(path, any_precision=any_precision)
    except WrongKind:
        return load_s2(path, any_precision=any_precision)


def convert(source: str | Path, target: str | Path, *, half: bool = False) -> S1Checkpoint | S2Checkpoint:
    """Write the model in ``source`` (any format) as safetensors; ``half`` rounds other precisions to half.

    What `load_s1` or `load_s2` reads from ``target`` equals what they read from ``source``, but for its sha256. Raises
    BadInput for a target that is not called ``.safetensors``, and what loading raises.
    """
    if Path(target).suffix != SAFETENSORS:
        raise BadInput(str(target), f"is written as safetensors: give it a name that ends in {SAFETENSORS}")
    model = load_any(source, any_precision=half)
    described = {"format": "pt", "info": model.info, "config": json.dumps(model.config), "source_sha256": model.sha256}
    described["kind"] = "s1" if isinstance(model, S1Checkpoint) else "s2"
    if isinstance(model, S2Checkpoint):
        described["version"] = model.version.value
        if model.lora_rank is not None:
            described["lora_rank"] = json.dumps(model.lora_rank)
    write_safetensors(target, model.weights, described)
    return model
