"""Which tensors an s1 model has, and their shapes, written out from its configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from synthesis.gptsovits.errors import BadConfig, WrongShape, WrongTensors

BERT_WIDTH = 1024
FEED_FORWARD = 4
"""Width of the feed-forward layers over that of the model; ``linear_units`` of the configuration is not read."""
PHONEMES = "model.ar_text_embedding.word_embeddings.weight"
Shape = tuple[int, ...]


def check_s1(weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> int:
    """Rows of the phoneme table of an s1 model that is whole. Raises BadConfig, WrongTensors, WrongShape."""
    model = config.get("model")
    if not isinstance(model, Mapping):
        raise BadConfig("model", "is absent")
    width, layers, heads = (_positive(model, key) for key in ("hidden_dim", "n_layer", "head"))
    if width % heads:
        raise BadConfig("model.head", f"is {heads} and does not divide hidden_dim {width}")
    codes = _positive(model, "vocab_size")
    rows = weights[PHONEMES].shape[0] if PHONEMES in weights and weights[PHONEMES].ndim else 0
    wanted = dict(entries(width, layers, rows, codes))
    missing, surplus = sorted(wanted.keys() - weights.keys()), sorted(weights.keys() - wanted.keys())
    if missing or surplus:
        raise WrongTensors(tuple(missing), tuple(surplus))
    for name, shape in wanted.items():
        if tuple(weights[name].shape) != shape:
            raise WrongShape(name, shape, tuple(weights[name].shape))
    return rows


def entries(width: int, layers: int, phonemes: int, codes: int) -> Iterator[tuple[str, Shape]]:
    """Names and shapes of an s1 model."""
    yield "model.bert_proj.weight", (width, BERT_WIDTH)
    yield "model.bert_proj.bias", (width,)
    yield PHONEMES, (phonemes, width)
    yield "model.ar_audio_embedding.word_embeddings.weight", (codes, width)
    yield "model.ar_text_position.alpha", (1,)
    yield "model.ar_audio_position.alpha", (1,)
    yield "model.ar_predict_layer.weight", (codes, width)
    for layer in range(layers):
        prefix = f"model.h.layers.{layer}"
        yield f"{prefix}.self_attn.in_proj_weight", (3 * width, width)
        yield f"{prefix}.self_attn.in_proj_bias", (3 * width,)
        yield from _linear(f"{prefix}.self_attn.out_proj", width, width)
        yield from _linear(f"{prefix}.linear1", FEED_FORWARD * width, width)
        yield from _linear(f"{prefix}.linear2", width, FEED_FORWARD * width)
        for norm in ("norm1", "norm2"):
            yield f"{prefix}.{norm}.weight", (width,)
            yield f"{prefix}.{norm}.bias", (width,)


def _linear(name: str, out: int, into: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (out, into)
    yield f"{name}.bias", (out,)


def _positive(model: Mapping[str, Any], key: str) -> int:
    value = model.get(key)
    if type(value) is not int or not 0 < value < 1 << 20:
        raise BadConfig(f"model.{key}", f"is {value!r}, not a positive whole number")
    return value
