"""Weights from a salt: two programs that hold the same salt and table of shapes hold the same weights, bit for bit.

Each tensor has standard normal numbers of numpy's legacy generator, seeded with sha256("salt:name"); a rule chosen by
its name scales them, and they are rounded to half precision, the precision of checkpoints. G is the gain of the name,
fan-in the product of all axes but the first (a transposed convolution: twice the first axis).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from math import prod, sqrt

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Shapes = Mapping[str, Sequence[int]]

STOP_ROW = 1.35
"""The last row of the s1 output layer, the stop code, is this much larger: otherwise nothing would ever stop."""

GAINS: tuple[tuple[re.Pattern[str], float], ...] = tuple(
    (re.compile(pattern), gain)
    for pattern, gain in (
        (r"ar_predict_layer\.weight$", 4.0),
        (r"^model\.ar_\w+_embedding\.word_embeddings\.weight$", 3.0),
        (r"^model\.h\..*self_attn\.in_proj_weight$", 1.7),
        (r"^model\.h\..*(self_attn\.out_proj|linear2)\.weight$", 0.2),
        (r"^feature_extractor\.conv_layers\.\d+\.conv\.weight$", 1.5),
        (r"^encoder\.layers\.\d+\.attention\.[qk]_proj\.weight$", 1.5),
        (r"^bert\.encoder\..*\.(query|key)\.weight$", 1.5),
        (r"^encoder\.layers\.\d+\.(attention\.out_proj|feed_forward\.output_dense)\.weight$", 0.3),
        (r"^bert\.encoder\..*output\.dense\.weight$", 0.3),
        (r"^ref_enc\.spectral\.0\.fc\.weight$", 0.1),
        (r"^dec\.conv_pre\.weight$", 3.0),
        (r"^dec\.ups\.\d+\.weight_g$", 1.5),
        (r"^dec\.resblocks\..*convs2\..*weight_g$", 1.5),
        (r"^dec\.conv_post\.weight$", 0.045),
        (r"^resblocks\..*weight_g$", 0.4),
        (r"^conv_pre\.weight_g$", 0.5),
        (r"^conv_post\.weight_g$", 0.06),
        (r"^conv_post\.weight$", 0.15),
        (r"flow\.flows\.\d+\.post\.weight$", 0.5),
    )
)
TRANSPOSED = re.compile(r"ups\.\d+\.")
SMALL = re.compile(r"\.grn\.(gamma|beta)$|activation.*\.(alpha|beta)$")
TABLES = re.compile(r"(word_embeddings|text_embedding|position_embeddings|token_type_embeddings)\.weight$")


def fill(salt: str, shapes: Shapes) -> dict[str, NDArray[np.float32]]:
    """Weights of the model with these names and shapes: float32 whose values are exact in half precision."""
    return {name: tensor(salt, name, shapes) for name in shapes}


def tensor(salt: str, name: str, shapes: Shapes) -> NDArray[np.float32]:
    """One tensor of the model. A ``weight_g`` needs the shape of the ``weight_v`` beside it."""
    shape = tuple(shapes[name])
    return _value(salt, name, shape, shapes).astype(np.float16).astype(np.float32).reshape(shape)


def _value(salt: str, name: str, shape: tuple[int, ...], shapes: Shapes) -> Numbers:
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape)
    if name.endswith(("_codebook.inited", "_codebook.cluster_size")):
        return np.ones(shape)
    normal = _normal(salt, name, shape)
    if name.endswith(("_codebook.embed", "_codebook.embed_avg")):
        return normal
    if name.endswith("running_mean"):
        return 0.05 * normal
    if name.endswith("running_var"):
        return 1 + 0.1 * np.abs(normal)
    if name.endswith("weight_g"):
        return _norm_of(name, normal, shapes)
    if name.endswith("weight_v"):
        return normal / sqrt(_fan_in(name, shape))
    return _plain_value(name, shape, normal)


def _norm_of(name: str, normal: Numbers, shapes: Shapes) -> Numbers:
    """Norms of weight norm: the fused weight gets variance G^2 / fan-in."""
    direction = name.removesuffix("weight_g") + "weight_v"
    shape = tuple(shapes[direction])
    values_per_norm = prod(shape) / normal.size
    return np.abs(_gain(name) * sqrt(values_per_norm / _fan_in(direction, shape)) * (1 + 0.1 * normal))


def _plain_value(name: str, shape: tuple[int, ...], normal: Numbers) -> Numbers:
    if name.endswith("prelu.weight"):
        return 0.25 + 0.05 * normal
    if SMALL.search(name):
        return 0.1 * normal
    if name.endswith("alpha") and normal.size == 1:
        return 1 + 0.1 * normal
    if name.endswith(("emb_rel_k", "emb_rel_v")):
        return normal / sqrt(shape[-1])
    if (len(shape) == 1 and name.endswith(("bias", "beta"))) or name.endswith("masked_spec_embed"):
        return 0.02 * normal
    if len(shape) == 1 and name.endswith(("weight", "gamma")):
        return 1 + 0.1 * normal
    if TABLES.search(name):
        return _gain(name) * normal
    value = _gain(name) * normal / sqrt(_fan_in(name, shape))
    if name.endswith("ar_predict_layer.weight"):
        value[-1] *= STOP_ROW
    return value


def _normal(salt: str, name: str, shape: tuple[int, ...]) -> Numbers:
    digest = hashlib.sha256(f"{salt}:{name}".encode()).digest()
    generator = np.random.RandomState(np.frombuffer(digest, "<u4"))
    return generator.standard_normal(prod(shape)).reshape(shape)


def _fan_in(name: str, shape: tuple[int, ...]) -> int:
    if len(shape) == 3 and TRANSPOSED.search(name):
        return 2 * shape[0]
    return prod(shape[1:]) if len(shape) > 1 else 1


def _gain(name: str) -> float:
    return next((gain for pattern, gain in GAINS if pattern.search(name)), 1.0)
