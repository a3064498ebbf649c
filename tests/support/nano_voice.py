"""A whole cloned voice of a few hundred kilobytes on disk: weights from a formula, in the formats people share.

It says nothing that anybody understands, at the right rate, in codes that stop by themselves.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import soundfile
import torch
from voicelike import speechlike

from synthesis.engine import LineRequest, RenderedLine, VoiceSpec
from synthesis.gptsovits.checkpoints.s1_layout import entries as s1_entries
from synthesis.gptsovits.engine import GptSovitsEngine
from synthesis.gptsovits.registering import ClipFiles, ModelFiles, make_voice
from synthesis.gptsovits.s2.config import S2Config
from synthesis.gptsovits.s2.layout import CODEBOOK
from synthesis.gptsovits.s2.layout import entries as s2_entries
from synthesis.gptsovits.voice import ENGINE, Voice
from synthesis.parity.fill import fill

WIDTH = 24
"""Of the speech features."""
TRANSCRIPT = "The water was cold and nobody spoke."
S1_CONFIG = {
    "model": {
        "vocab_size": 1025,
        "phoneme_vocab_size": 732,
        "embedding_dim": 32,
        "hidden_dim": 32,
        "head": 4,
        "linear_units": 128,
        "n_layer": 2,
        "dropout": 0,
        "EOS": 1024,
    },
    "data": {"max_sec": 54},
}
S2_CONFIG = {
    "model": {
        "inter_channels": 16,
        "hidden_channels": 16,
        "filter_channels": 32,
        "n_heads": 2,
        "n_layers": 2,
        "kernel_size": 3,
        "gin_channels": 32,
        "resblock": "1",
        "resblock_kernel_sizes": [3, 7, 11],
        "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
        "upsample_rates": [10, 8, 2, 2, 2],
        "upsample_initial_channel": 32,
        "upsample_kernel_sizes": [16, 16, 8, 2, 2],
        "semantic_frame_rate": "25hz",
    },
    "data": {"sampling_rate": 32000, "hop_length": 640, "filter_length": 2048},
}


def s1_file(path: Path, *, salt: str = "nano", phonemes: int = 732, change: Any = None) -> Path:
    """A .ckpt; ``change`` is given the content before it is written."""
    shapes = dict(s1_entries(32, 2, phonemes, 1025))
    return _written(path, salt, shapes, S1_CONFIG, "GPT-e1", _stop_early, change)


def s2_file(path: Path, *, salt: str = "nano", version: str = "v2", change: Any = None) -> Path:
    """A .pth; ``change`` is given the content before it is written."""
    free = {
        "ssl_proj.weight": (WIDTH, WIDTH, 2),
        "enc_p.mrte.c_pre.weight": (32, 16, 1),
        "enc_p.text_embedding.weight": (322 if version == "v1" else 732, 16),
        "ref_enc.spectral.0.fc.weight": (32, 704),
        CODEBOOK + "embed": (1024, WIDTH),
    }
    shapes = dict(s2_entries(S2Config.from_mapping(S2_CONFIG), version, free))
    return _written(path, salt, shapes, S2_CONFIG, "1epoch_1iteration", _without_dc, change)


def _stop_early(content: dict[str, Any]) -> None:
    """Make the stop code likelier: a line is about two seconds long."""
    content["weight"]["model.ar_predict_layer.weight"][-1] *= 2.2


def _without_dc(content: dict[str, Any]) -> None:
    """Take the mean out of the last filter: audio of random weights would not swing around zero."""
    weight = content["weight"]["dec.conv_post.weight"]
    content["weight"]["dec.conv_post.weight"] = weight - weight.mean(dim=2, keepdim=True)


def _written(path: Path, salt: str, shapes: Mapping[str, Any], config: Any, info: str, *changes: Any) -> Path:
    weights = OrderedDict((name, torch.from_numpy(value).half()) for name, value in fill(salt, shapes).items())
    content = {"weight": weights, "config": config, "info": info}
    for change in changes:
        if change is not None:
            change(content)
    torch.save(content, path)
    return path


def hubert_folder(path: Path) -> Path:
    """A network of the kind that hears prompts, 24 wide."""
    from transformers.models.hubert.configuration_hubert import HubertConfig
    from transformers.models.hubert.modeling_hubert import HubertModel

    config = HubertConfig(
        hidden_size=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=[8] * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
    )
    with torch.random.fork_rng():
        torch.manual_seed(5)
        HubertModel(config).save_pretrained(path)
    return path


def roberta_folder(path: Path) -> Path:
    """A network of the kind that reads Chinese: as wide as the real one, three layers, a vocabulary of ten."""
    from transformers.models.bert.configuration_bert import BertConfig
    from transformers.models.bert.modeling_bert import BertModel

    path.mkdir()
    (path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n今\n天\n好\n。\n水\n", encoding="utf-8")
    config = BertConfig(
        vocab_size=10, hidden_size=1024, num_hidden_layers=3, num_attention_heads=2, intermediate_size=8
    )
    with torch.random.fork_rng():
        torch.manual_seed(6)
        BertModel(config, add_pooling_layer=False).half().save_pretrained(path)
    return path


@dataclass(frozen=True)
class Nano:
    """Files of a voice."""

    folder: Path
    models: ModelFiles
    clip: ClipFiles

    def voice(self, name: str = "nano", **changes: Any) -> Voice:
        return make_voice(name, self.models, [self.clip], **changes)

    def spec(self, name: str = "nano", version: int = 1, **changes: Any) -> VoiceSpec:
        return spec_of(self.voice(name, **changes), name, version)

    def other(self, **models: Path) -> Nano:
        return replace(self, models=replace(self.models, **models))


def spec_of(voice: Voice, name: str = "nano", version: int = 1) -> VoiceSpec:
    return VoiceSpec(name, version, ENGINE, ("en",), voice.to_parameters())


def nano_voice(folder: Path) -> Nano:
    """Make the files of a voice of v2."""
    clip = folder / "clip.wav"
    soundfile.write(clip, speechlike(4.0, 24_000, level=0.5), 24_000)
    models = ModelFiles(s1_file(folder / "s1.ckpt"), s2_file(folder / "s2.pth"), hubert_folder(folder / "hubert"))
    return Nano(folder, models, ClipFiles(clip, TRANSCRIPT, "en"))


def line(line_id: int, text: str, spec: VoiceSpec, *, seed: int | None = None, **more: Any) -> LineRequest:
    return LineRequest(line_id, text, more.pop("language", "en"), spec, line_id if seed is None else seed, **more)


def render(engine: GptSovitsEngine, lines: list[LineRequest]) -> dict[int, RenderedLine]:
    """Every line through the engine, as many at a time as it takes."""
    left, done = list(lines), {}
    while left or engine.in_flight():
        room = engine.capacity - engine.in_flight()
        engine.submit(left[:room])
        del left[:room]
        done |= {result.line_id: result for result in engine.step()}
    return done
