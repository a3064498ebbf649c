"""A small s2 model with random weights, as a checkpoint would hold it."""

from dataclasses import dataclass, field, replace

import torch

from synthesis.gptsovits.s2 import S2Model, S2Request
from synthesis.gptsovits.s2.config import S2Config
from synthesis.gptsovits.s2.layout import CODEBOOK, entries

FREE = {
    "ssl_proj.weight": (12, 12, 2),
    "enc_p.mrte.c_pre.weight": (16, 8, 1),
    "enc_p.text_embedding.weight": (30, 8),
    "ref_enc.spectral.0.fc.weight": (8, 704),
    CODEBOOK + "embed": (40, 12),
}


def tiny_config(**changes):
    model = {
        "inter_channels": 6,
        "hidden_channels": 8,
        "filter_channels": 12,
        "n_heads": 2,
        "n_layers": 2,
        "kernel_size": 3,
        "gin_channels": 16,
        "resblock": "1",
        "resblock_kernel_sizes": [3, 7],
        "resblock_dilation_sizes": [[1, 3], [1, 2, 5]],
        "upsample_rates": [5, 2, 2],
        "upsample_initial_channel": 16,
        "upsample_kernel_sizes": [11, 8, 2],
        "semantic_frame_rate": "25hz",
    }
    return {"model": model | changes, "data": {"sampling_rate": 32000}}


@dataclass
class TinyCheckpoint:
    version: str = "v2"
    config: dict = field(default_factory=tiny_config)
    weights: dict = field(default_factory=dict)


def tiny_checkpoint(version="v2", seed=0, **changes):
    config = tiny_config(**changes)
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in entries(S2Config.from_mapping(config), version, FREE):
        drawn = torch.randn(shape, generator=generator)
        fan_in = max(1, drawn[0].numel())
        if name.endswith(("weight_g", "gamma")):
            drawn = 1 + 0.1 * drawn
        elif not name.startswith("quantizer"):
            drawn = drawn / fan_in**0.5
        weights[name] = drawn
    return TinyCheckpoint(version, config, weights)


def tiny_model(version="v2", **kwargs):
    return S2Model.from_checkpoint(tiny_checkpoint(version), **kwargs)


def tiny_style(model, seed=0):
    generator = torch.Generator().manual_seed(seed)
    spectrogram = torch.rand(1025, 30, generator=generator)
    speaker = torch.randn(20480, generator=generator)
    return model.style([spectrogram], [speaker] if model.wants_speakers else None)


def tiny_request(model, codes=9, phonemes=7, seed=0, **changes):
    generator = torch.Generator().manual_seed(seed)
    request = S2Request(
        codes=torch.randint(0, 40, (codes,), generator=generator),
        phonemes=torch.randint(0, 30, (phonemes,), generator=generator),
        style=tiny_style(model, seed),
        generator=torch.Generator().manual_seed(seed),
    )
    return replace(request, **changes)


def tiny_vectors(model, frames, lines=1, seed=0):
    """A latent [lines, frames, inter] and styles [lines, gin]."""
    generator = torch.Generator().manual_seed(seed)
    latent = torch.randn(lines, frames, model.config.inter, generator=generator)
    return latent, torch.randn(lines, model.config.gin, generator=generator)
