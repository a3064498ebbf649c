"""Which tensors an s2 model of v1, v2, v2Pro or v2ProPlus has, and their shapes.

The table is written out from the configuration, so that a file is refused before anything is built from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from synthesis.gptsovits.errors import WrongShape, WrongTensors
from synthesis.gptsovits.s2.config import (
    FLOW_KERNEL,
    FLOW_LAYERS,
    FLOWS,
    OUTER_KERNEL,
    SPEAKER_WIDTH,
    STYLE_KERNEL,
    WINDOW,
    S2Config,
)

Shape = tuple[int, ...]
Entries = Iterator[tuple[str, Shape]]

SPECTRUM_BINS = 1025
STYLE_BINS = {"v1": SPECTRUM_BINS, "v2": 704, "v2Pro": 704, "v2ProPlus": 704}
"""Bins of the reference spectrogram that the style encoder sees. From v2 on 0 to 11 kHz only."""
WITH_SPEAKER = frozenset({"v2Pro", "v2ProPlus"})

TRAINING_ONLY = "enc_q."
"""The posterior encoder is needed to train; a file that still has it is accepted without it."""

CODEBOOK = "quantizer.vq.layers.0._codebook."


def check_tensors(weights: Mapping[str, torch.Tensor], config: S2Config, version: str) -> dict[str, torch.Tensor]:
    """The tensors without the posterior encoder. Raises WrongTensors for names, then WrongShape for shapes."""
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith(TRAINING_ONLY)}
    shapes = {name: tuple(tensor.shape) for name, tensor in kept.items()}
    wanted = dict(entries(config, version, shapes))
    missing, surplus = sorted(wanted.keys() - kept.keys()), sorted(kept.keys() - wanted.keys())
    if missing or surplus:
        raise WrongTensors(tuple(missing), tuple(surplus))
    for name, shape in wanted.items():
        if shapes[name] != shape:
            raise WrongShape(name, shape, shapes[name])
    return kept


def entries(config: S2Config, version: str, shapes: Mapping[str, Shape]) -> Entries:
    """Names and shapes; widths that the configuration does not hold are read from ``shapes`` (0 where absent)."""
    ssl = _free(shapes, "ssl_proj.weight", 0, 3)
    fusion = _free(shapes, "enc_p.mrte.c_pre.weight", 0, 3)
    yield from _affine("ssl_proj", (ssl, ssl, config.code_stride))
    codes = _free(shapes, CODEBOOK + "embed", 0, 2)
    yield CODEBOOK + "inited", (1,)
    yield CODEBOOK + "cluster_size", (codes,)
    yield CODEBOOK + "embed", (codes, ssl)
    yield CODEBOOK + "embed_avg", (codes, ssl)
    yield from _content_encoder(config, ssl, fusion, _free(shapes, "enc_p.text_embedding.weight", 0, 2))
    yield from _style_encoder(config, STYLE_BINS[version], _free(shapes, "ref_enc.spectral.0.fc.weight", 0, 2))
    yield from _flow(config)
    yield from _decoder(config)
    if version in WITH_SPEAKER:
        yield from _affine("sv_emb", (config.gin, SPEAKER_WIDTH))
        yield from _affine("ge_to512", (fusion, config.gin))
        yield "prelu.weight", (config.gin,)


def _free(shapes: Mapping[str, Shape], name: str, axis: int, rank: int) -> int:
    shape = shapes.get(name, ())
    return shape[axis] if len(shape) == rank else 0


def _affine(name: str, weight: Shape) -> Entries:
    yield f"{name}.weight", weight
    yield f"{name}.bias", (weight[0],)


def _normed(name: str, weight: Shape, bias: int) -> Entries:
    yield f"{name}.bias", (bias,)
    yield f"{name}.weight_g", (weight[0], 1, 1)
    yield f"{name}.weight_v", weight


def _content_encoder(config: S2Config, ssl: int, fusion: int, phonemes: int) -> Entries:
    hidden = config.hidden
    yield from _affine("enc_p.ssl_proj", (hidden, ssl, 1))
    yield "enc_p.text_embedding.weight", (phonemes, hidden)
    for name, layers in (("ssl", config.layers // 2), ("text", config.layers)):
        yield from _transformer(f"enc_p.encoder_{name}", config, layers)
    yield from _transformer("enc_p.encoder2", config, config.layers // 2)
    for name in ("c_pre", "text_pre"):
        yield from _affine(f"enc_p.mrte.{name}", (fusion, hidden, 1))
    for name in "qkvo":
        yield from _affine(f"enc_p.mrte.cross_attention.conv_{name}", (fusion, fusion, 1))
    yield from _affine("enc_p.mrte.c_post", (hidden, fusion, 1))
    yield from _affine("enc_p.proj", (2 * config.inter, hidden, 1))


def _transformer(prefix: str, config: S2Config, layers: int) -> Entries:
    hidden, head = config.hidden, config.hidden // config.heads
    for i in range(layers):
        attention = f"{prefix}.attn_layers.{i}"
        for name in ("emb_rel_k", "emb_rel_v"):
            yield f"{attention}.{name}", (1, 2 * WINDOW + 1, head)
        for name in "qkvo":
            yield from _affine(f"{attention}.conv_{name}", (hidden, hidden, 1))
        yield from _affine(f"{prefix}.ffn_layers.{i}.conv_1", (config.filter, hidden, config.kernel))
        yield from _affine(f"{prefix}.ffn_layers.{i}.conv_2", (hidden, config.filter, config.kernel))
        for norm in ("norm_layers_1", "norm_layers_2"):
            yield f"{prefix}.{norm}.{i}.gamma", (hidden,)
            yield f"{prefix}.{norm}.{i}.beta", (hidden,)


def _style_encoder(config: S2Config, bins: int, inner: int) -> Entries:
    yield from _affine("ref_enc.spectral.0.fc", (inner, bins))
    yield from _affine("ref_enc.spectral.3.fc", (inner, inner))
    for i in range(2):
        yield from _affine(f"ref_enc.temporal.{i}.conv1.conv", (2 * inner, inner, STYLE_KERNEL))
    for name in ("w_qs", "w_ks", "w_vs", "fc"):
        yield from _affine(f"ref_enc.slf_attn.{name}", (inner, inner))
    yield from _affine("ref_enc.fc.fc", (config.gin, inner))


def _flow(config: S2Config) -> Entries:
    half, hidden = config.inter // 2, config.hidden
    for i in range(0, 2 * FLOWS, 2):
        prefix = f"flow.flows.{i}"
        yield from _affine(f"{prefix}.pre", (hidden, half, 1))
        yield from _affine(f"{prefix}.post", (half, hidden, 1))
        yield from _normed(
            f"{prefix}.enc.cond_layer", (2 * hidden * FLOW_LAYERS, config.gin, 1), 2 * hidden * FLOW_LAYERS
        )
        for j in range(FLOW_LAYERS):
            out = 2 * hidden if j < FLOW_LAYERS - 1 else hidden
            yield from _normed(f"{prefix}.enc.in_layers.{j}", (2 * hidden, hidden, FLOW_KERNEL), 2 * hidden)
            yield from _normed(f"{prefix}.enc.res_skip_layers.{j}", (out, hidden, 1), out)


def _decoder(config: S2Config) -> Entries:
    yield from _affine("dec.conv_pre", (config.up_width, config.inter, OUTER_KERNEL))
    yield from _affine("dec.cond", (config.up_width, config.gin, 1))
    for i, kernel in enumerate(config.up_kernels):
        before, width = config.stage_width(i), config.stage_width(i + 1)
        yield from _normed(f"dec.ups.{i}", (before, width, kernel), width)
        for j, (size, dilations) in enumerate(zip(config.res_kernels, config.res_dilations, strict=True)):
            block = f"dec.resblocks.{i * len(config.res_kernels) + j}"
            for k in range(len(dilations)):
                yield from _normed(f"{block}.convs1.{k}", (width, width, size), width)
                yield from _normed(f"{block}.convs2.{k}", (width, width, size), width)
    yield "dec.conv_post.weight", (1, config.stage_width(len(config.rates)), OUTER_KERNEL)
