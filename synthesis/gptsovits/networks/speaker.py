"""ERes2NetV2, the speaker network of v2Pro and v2ProPlus: who speaks, as 20480 numbers.

Chen et al., "ERes2NetV2: Boosting Short-Duration Speaker Verification Performance with Computational Efficiency"
(Interspeech 2024); base width 24, scale 4, expansion 4. What GPT-SoVITS uses is not the 192-dimensional embedding
behind the network's last layer but the fused map before it, averaged over time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import conv2d, silu

from synthesis.gptsovits.checkpoints.states import load_state
from synthesis.gptsovits.errors import WrongShape, WrongTensors
from synthesis.gptsovits.networks import fbank as kaldi

Shape = tuple[int, ...]

WIDTH = 20480
"""Numbers of a speaker vector: 2048 channels of 10 bands."""
STEM = 64
BLOCKS = (3, 4, 6, 3)
"""Blocks of the four stages."""
SCALE = 4
"""Groups of a block, each fed the one before it."""
EXPANSION = 4
REDUCTION = 4
CEILING = 20.0
"""Activations inside the stages are clipped here."""
NORM_EPSILON = 1e-5
NORM = ("weight", "bias", "running_mean", "running_var")
UNUSED = ("seg_1.weight", "seg_1.bias")
"""The layer to the 192-dimensional embedding."""


@dataclass(frozen=True)
class _Convolution:
    """A convolution with the batch norm behind it: names in the file, shape of the weight."""

    name: str
    norm: str | None
    shape: Shape
    bias: bool = False


@dataclass(frozen=True)
class SpeakerNet:
    """The network, ready to run: convolutions with their norms folded in. Holds no state of calls."""

    _folded: Mapping[str, tuple[Tensor, Tensor | None]]

    @classmethod
    def from_file(cls, path: str | Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> SpeakerNet:
        """From ``pretrained_eres2netv2w24s4ep4.ckpt``, see `from_state`. Raises CheckpointRefused, OSError too."""
        return cls.from_state(load_state(path), device=device, dtype=dtype)

    @classmethod
    def from_state(
        cls, weights: Mapping[str, Tensor], *, device: str = "cpu", dtype: torch.dtype = torch.float32
    ) -> SpeakerNet:
        """From the 1001 tensors of the published file. Raises WrongTensors, WrongShape."""
        _check(weights)
        folded = {}
        for convolution in _convolutions():
            weight, bias = _fold(weights, convolution)
            folded[convolution.name] = (weight.to(device, dtype), None if bias is None else bias.to(device, dtype))
        return cls(folded)

    @torch.inference_mode()
    def __call__(self, wave: Tensor) -> Tensor:
        """The speaker vector [20480] of a 16 kHz wave [n] in [-1, 1], at least 25 ms. Raises BadInput."""
        return self.embed(kaldi.fbank(wave.float()))

    def fbank(self, wave: Tensor) -> Tensor:
        """The features [frames, 80] that the network sees."""
        return kaldi.fbank(wave)

    @torch.inference_mode()
    def embed(self, features: Tensor) -> Tensor:
        """The speaker vector [20480] of features [frames, 80]."""
        like = self._folded["conv1"][0]
        x = features.to(like).T[None, None]  # [1, 1, 80 bands, frames]
        x = self._convolve("conv1", x, padding=1).relu()
        stages = []
        for stage, blocks in enumerate(BLOCKS):
            for block in range(blocks):
                x = self._block(f"layer{stage + 1}.{block}", x, stride=2 if stage and not block else 1, fused=stage > 1)
            stages.append(x)
        coarse = self._convolve("layer3_ds", stages[2], stride=2, padding=1)
        fused = self._fuse("fuse34", stages[3], coarse)  # [1, 2048, 10, frames / 8]
        return fused.flatten(1, 2).mean(dim=-1)[0].float()  # [20480]

    def _convolve(self, name: str, x: Tensor, *, stride: int = 1, padding: int = 0) -> Tensor:
        weight, bias = self._folded[name]
        return conv2d(x, weight, bias, stride, padding)

    def _block(self, name: str, x: Tensor, *, stride: int, fused: bool) -> Tensor:
        shortcut = f"{name}.shortcut.0"
        residual = self._convolve(shortcut, x, stride=stride) if shortcut in self._folded else x
        groups = self._convolve(f"{name}.conv1", x, stride=stride).clamp_(0.0, CEILING).chunk(SCALE, dim=1)
        done: list[Tensor] = []
        for i, group in enumerate(groups):
            if done:
                before = done[-1]
                group = self._fuse(f"{name}.fuse_models.{i - 1}", before, group) if fused else before + group
            done.append(self._convolve(f"{name}.convs.{i}", group, padding=1).clamp_(0.0, CEILING))
        return (self._convolve(f"{name}.conv3", torch.cat(done, dim=1)) + residual).clamp_(0.0, CEILING)

    def _fuse(self, name: str, x: Tensor, y: Tensor) -> Tensor:
        """The two maps, weighted against each other by an attention that both decide on."""
        attention = self._convolve(f"{name}.local_att.0", torch.cat((x, y), dim=1))
        attention = self._convolve(f"{name}.local_att.3", silu(attention)).tanh()
        return x * (1.0 + attention) + y * (1.0 - attention)


def _convolutions() -> Iterator[_Convolution]:
    yield _Convolution("conv1", "bn1", (STEM, 1, 3, 3))
    before = STEM
    for stage, blocks in enumerate(BLOCKS):
        planes = STEM << stage
        group, out = planes * 24 // 64, planes * EXPANSION
        for block in range(blocks):
            name = f"layer{stage + 1}.{block}"
            yield _Convolution(f"{name}.conv1", f"{name}.bn1", (group * SCALE, before, 1, 1))
            for i in range(SCALE):
                yield _Convolution(f"{name}.convs.{i}", f"{name}.bns.{i}", (group, group, 3, 3))
            for i in range(SCALE - 1 if stage > 1 else 0):
                yield from _fusion(f"{name}.fuse_models.{i}", group)
            yield _Convolution(f"{name}.conv3", f"{name}.bn3", (out, group * SCALE, 1, 1))
            if not block:
                yield _Convolution(f"{name}.shortcut.0", f"{name}.shortcut.1", (out, before, 1, 1))
            before = out
    yield _Convolution("layer3_ds", None, (before, before // 2, 3, 3))
    yield from _fusion("fuse34", before)


def _fusion(name: str, channels: int) -> Iterator[_Convolution]:
    inner, attention = channels // REDUCTION, f"{name}.local_att"
    yield _Convolution(f"{attention}.0", f"{attention}.1", (inner, 2 * channels, 1, 1), bias=True)
    yield _Convolution(f"{attention}.3", f"{attention}.4", (channels, inner, 1, 1), bias=True)


def shapes() -> dict[str, Shape]:
    """Names and shapes of the 1001 tensors of the published file."""
    wanted: dict[str, Shape] = {"seg_1.weight": (192, 2 * WIDTH), "seg_1.bias": (192,)}
    for convolution in _convolutions():
        wanted[f"{convolution.name}.weight"] = convolution.shape
        if convolution.bias:
            wanted[f"{convolution.name}.bias"] = convolution.shape[:1]
        if convolution.norm is not None:
            wanted.update({f"{convolution.norm}.{part}": convolution.shape[:1] for part in NORM})
            wanted[f"{convolution.norm}.num_batches_tracked"] = ()
    return wanted


def _check(weights: Mapping[str, Tensor]) -> None:
    wanted = shapes()
    missing, surplus = sorted(wanted.keys() - weights.keys()), sorted(weights.keys() - wanted.keys())
    if missing or surplus:
        raise WrongTensors(tuple(missing), tuple(surplus))
    for name, shape in wanted.items():
        if tuple(weights[name].shape) != shape:
            raise WrongShape(name, shape, tuple(weights[name].shape))


def _fold(weights: Mapping[str, Tensor], convolution: _Convolution) -> tuple[Tensor, Tensor | None]:
    """Weight and bias that do the convolution and its norm in one step, computed in float64."""
    weight = weights[f"{convolution.name}.weight"].double()
    bias = weights[f"{convolution.name}.bias"].double() if convolution.bias else None
    if convolution.norm is None:
        return weight, bias
    scale, shift, mean, variance = (weights[f"{convolution.norm}.{part}"].double() for part in NORM)
    factor = scale / (variance + NORM_EPSILON).sqrt()
    offset = -mean if bias is None else bias - mean
    return weight * factor[:, None, None, None], offset * factor + shift
