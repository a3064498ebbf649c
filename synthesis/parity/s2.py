"""The s2 networks against vectors: every stage from codes, phonemes and references to audio.

All quantities within 2e-5: five times the worst difference that threads, convolution kernels and float64 make in the
reference itself. Codes must be equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from synthesis.gptsovits.checkpoints import load_s2
from synthesis.gptsovits.s2 import S2Model, S2Request, S2Weights, Style
from synthesis.gptsovits.s2.layers import Lines
from synthesis.gptsovits.s2.layout import STYLE_BINS
from synthesis.parity import vectors
from synthesis.parity.results import Result, Skip, close, equal

TOLERANCE = 2e-5
RATES = (10, 8, 2, 2, 2)
"""Upsampling rates are in no shape; all released models have these."""
SHORT_BLOCK = 7
"""Latent frames: blocks this short put a seam into most of what is compared."""


@dataclass(frozen=True)
class Source:
    """Weights and configuration as a checkpoint would hold them."""

    weights: Mapping[str, Tensor]
    config: Mapping[str, Any]
    version: str


def checks(folder: Path) -> Iterator[Result]:
    """Compare all s2 vectors of the folder, and the audio of all s2 checkpoints that name a vector."""
    for name in vectors.names(folder, "s2-"):
        version = name.split("-")[1]
        if version not in STYLE_BINS:
            yield Skip(f"vectors/{name}.npz", f"the network of version {version} is not built here")
            continue
        weights = vectors.weights(folder, name, without="enc_q")
        if weights is None:
            yield Skip(f"vectors/{name}.npz", "no salt or no table of shapes is known for it")
            continue
        tensors = {key: torch.from_numpy(array) for key, array in weights.items()}
        config = configuration({key: tuple(tensor.shape) for key, tensor in tensors.items()})
        yield from vector_checks(f"vectors/{name}.npz", vectors.load(folder, name), Source(tensors, config, version))
    for path in sorted((folder / "checkpoints").glob("s2-*")):
        vector = (vectors.described(folder, path.name) or {}).get("vector", "-")
        if vector != "-" and (folder / "vectors" / f"{vector}.npz").exists():
            yield from audio_checks(f"checkpoints/{path.name}", vectors.load(folder, vector), load_s2(path))


def configuration(shapes: Mapping[str, tuple[int, ...]]) -> Mapping[str, Any]:
    """The configuration of a released model with these shapes."""
    text = "enc_p.encoder_text"
    hidden = shapes["enc_p.text_embedding.weight"][1]
    layers = sum(1 for name in shapes if name.startswith(f"{text}.attn_layers.") and name.endswith(".emb_rel_k"))
    filters, _, kernel = shapes[f"{text}.ffn_layers.0.conv_1.weight"]
    width, inter, _ = shapes["dec.conv_pre.weight"]
    return {
        "data": {"sampling_rate": 32000},
        "model": {
            "inter_channels": inter,
            "hidden_channels": hidden,
            "filter_channels": filters,
            "n_heads": hidden // shapes[f"{text}.attn_layers.0.emb_rel_k"][2],
            "n_layers": layers,
            "kernel_size": kernel,
            "gin_channels": shapes["dec.cond.weight"][1],
            "resblock": "1",
            "resblock_kernel_sizes": [shapes[f"dec.resblocks.{i}.convs1.0.weight_v"][2] for i in range(3)],
            "resblock_dilation_sizes": [[1, 3, 5]] * 3,
            "upsample_rates": list(RATES),
            "upsample_initial_channel": width,
            "upsample_kernel_sizes": [shapes[f"dec.ups.{i}.weight_v"][2] for i in range(len(RATES))],
            "semantic_frame_rate": "25hz" if shapes["ssl_proj.weight"][2] == 2 else "50hz",
        },
    }


@torch.inference_mode()
def vector_checks(file: str, arrays: vectors.Arrays, source: S2Weights) -> Iterator[Result]:
    """All quantities of one vector, stage after stage."""
    model = S2Model.from_checkpoint(source)
    given = {name: torch.from_numpy(array) for name, array in arrays.items() if array.ndim > 1}
    yield equal(file, "latent_codes", model.encode_ssl(given["ssl"][0]), arrays["latent_codes"][0, 0])
    one, two = styles(model, given)
    reference = model.style_encoder.reference(given["refer0"][0])
    for quantity, ours in (("ref_enc", reference), ("ge", one.ge), ("ge_two", two.ge)):
        yield close(file, quantity, ours, arrays[quantity][0, :, 0], TOLERANCE)
    yield from _stage_checks(file, arrays, model, S2Request(given["codes"][0, 0], given["text"][0], one, noise_scale=0))
    yield from audio_checks(file, arrays, source)


def styles(model: S2Model, given: Mapping[str, Tensor]) -> tuple[Style, Style]:
    """From the first reference, and from both."""
    references = [given["refer0"][0], given["refer1"][0]]
    speakers = [given["sv0"][0], given["sv1"][0]] if model.wants_speakers else None
    one = model.style(references[:1], None if speakers is None else speakers[:1])
    return one, model.style(references, speakers)


def _stage_checks(file: str, arrays: vectors.Arrays, model: S2Model, request: S2Request) -> Iterator[Result]:
    frames = Lines.of([2 * len(request.codes)])
    rows = model.quantiser.rows(request.codes[None], torch.float32)  # [1, T, ssl]
    yield _first_channels(file, "quantised", rows, arrays)
    text = Lines.of([len(request.phonemes)])
    stages = model.content.stages(rows, frames, request.phonemes[None], text, request.style.fusion[None])
    mean, log_deviation, _ = model.content.distribution(stages["encoder2"], frames, [1.0])
    z = model.flow(mean, request.style.ge[None], frames)
    for quantity in ("encoder_ssl", "encoder_text", "mrte"):
        yield _first_channels(file, quantity, stages[quantity], arrays)
    for quantity, ours in (("m_p", mean), ("logs_p", log_deviation), ("z", z)):
        yield _first_channels(file, quantity, ours, arrays)
    quick, _, _ = model.content.distribution(stages["encoder2"], frames, [1.25])
    yield _first_channels(file, "m_p_speed125", quick, arrays)
    blocks = model.decoder.blocks(z, request.style.ge[None], frames, SHORT_BLOCK)
    raw = torch.cat(list(blocks), dim=1)[0]  # [samples]
    count = len(arrays["pre_tanh"])
    yield close(file, "pre_tanh", raw[:count], arrays["pre_tanh"], TOLERANCE)
    yield close(file, "audio in short blocks", raw.tanh(), arrays["audio"], TOLERANCE)


@torch.inference_mode()
def audio_checks(file: str, arrays: vectors.Arrays, source: S2Weights) -> Iterator[Result]:
    """What a caller gets: audio alone, at another speed, with two references, and side by side with other lines."""
    model = S2Model.from_checkpoint(source)
    given = {name: torch.from_numpy(array) for name, array in arrays.items() if array.ndim > 1}
    codes, phonemes = given["codes"][0, 0], given["text"][0]
    one, two = styles(model, given)
    whole = S2Request(codes, phonemes, one, noise_scale=0)
    fast = S2Request(codes, phonemes, one, speed=1.25, noise_scale=0)
    both = S2Request(codes, phonemes, two, noise_scale=0)
    short = S2Request(codes[:-6], phonemes[:-9], two, noise_scale=0)
    audio, sped, mixed, _ = model.decode_many([whole, fast, both, short])
    yield close(file, "audio", model.decode(codes, phonemes, one, noise_scale=0), arrays["audio"], TOLERANCE)
    yield close(file, "audio in a batch", audio, arrays["audio"], TOLERANCE)
    yield equal(file, "samples_speed125", len(sped), arrays["samples_speed125"])
    for quantity, ours in (("audio_speed125", sped), ("audio_two", mixed)):
        yield close(file, quantity, ours[: len(arrays[quantity])], arrays[quantity], TOLERANCE)


def _first_channels(file: str, quantity: str, ours: Tensor, arrays: vectors.Arrays) -> Result:
    """``ours`` [1, T, C] against an array [1, the first channels, T]."""
    theirs = arrays[quantity]
    return close(file, quantity, ours[0, :, : theirs.shape[1]].T, theirs[0], TOLERANCE)
