"""The numbers of an s2 model, read from the configuration that every file carries.

Widths that no configuration holds (ssl features, fusion, inner width of the style encoder, rows of the phoneme table)
are read from the tensors instead: ``layout.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from synthesis.gptsovits.errors import BadConfig

WINDOW = 4
"""Relative positions reach this many frames to each side."""
FUSION_HEADS = 4
STYLE_HEADS = 2
STYLE_KERNEL = 5
FLOWS = 4
FLOW_LAYERS = 4
FLOW_KERNEL = 5
OUTER_KERNEL = 7
"""Kernel of the first and the last convolution of the decoder."""
SPEAKER_WIDTH = 20480


@dataclass(frozen=True)
class S2Config:
    """Widths in channels, kernels in frames or samples. Raises BadConfig for a number that is absent or cannot be."""

    inter: int
    hidden: int
    filter: int
    heads: int
    layers: int
    kernel: int
    gin: int
    rates: tuple[int, ...]
    up_kernels: tuple[int, ...]
    up_width: int
    res_kernels: tuple[int, ...]
    res_dilations: tuple[tuple[int, ...], ...]
    code_stride: int
    sample_rate: int

    @property
    def hop(self) -> int:
        """Samples per latent frame."""
        return prod(self.rates)

    def stage_width(self, stage: int) -> int:
        """Channels after ``stage`` upsamplings."""
        return self.up_width >> stage

    @classmethod
    def from_mapping(cls, config: Mapping[str, Any]) -> S2Config:
        """From the ``model`` and ``data`` sections of a checkpoint's configuration."""
        model, data = _section(config, "model"), _section(config, "data")
        rate = model.get("semantic_frame_rate")
        if rate not in ("25hz", "50hz"):
            raise BadConfig("model.semantic_frame_rate", f"is {rate!r}, not 25hz or 50hz")
        if str(model.get("resblock")) != "1":
            raise BadConfig("model.resblock", f"is {model.get('resblock')!r}; only '1' exists in released models")
        dilations = model.get("resblock_dilation_sizes")
        if not isinstance(dilations, Sequence) or not dilations:
            raise BadConfig("model.resblock_dilation_sizes", "is not a list of lists")
        built = cls(
            inter=_number(model, "inter_channels"),
            hidden=_number(model, "hidden_channels"),
            filter=_number(model, "filter_channels"),
            heads=_number(model, "n_heads"),
            layers=_number(model, "n_layers"),
            kernel=_number(model, "kernel_size"),
            gin=_number(model, "gin_channels"),
            rates=_numbers(model.get("upsample_rates"), "upsample_rates"),
            up_kernels=_numbers(model.get("upsample_kernel_sizes"), "upsample_kernel_sizes"),
            up_width=_number(model, "upsample_initial_channel"),
            res_kernels=_numbers(model.get("resblock_kernel_sizes"), "resblock_kernel_sizes"),
            res_dilations=tuple(_numbers(row, "resblock_dilation_sizes") for row in dilations),
            code_stride=2 if rate == "25hz" else 1,
            sample_rate=_number(data, "sampling_rate"),
        )
        built._check()
        return built

    def _check(self) -> None:
        if self.inter % 2:
            raise BadConfig("model.inter_channels", f"is {self.inter}, and the flow needs an even number")
        if self.hidden % self.heads:
            raise BadConfig("model.n_heads", f"is {self.heads} and does not divide hidden_channels {self.hidden}")
        if len(self.rates) != len(self.up_kernels):
            raise BadConfig("model.upsample_kernel_sizes", f"has not {len(self.rates)} entries as upsample_rates has")
        for rate, kernel in zip(self.rates, self.up_kernels, strict=True):
            if kernel < rate or (kernel - rate) % 2:
                raise BadConfig("model.upsample_kernel_sizes", f"holds {kernel} for rate {rate}: not rate + 2 n")
        if self.stage_width(len(self.rates)) < 1:
            raise BadConfig("model.upsample_initial_channel", f"is {self.up_width}, too few to halve at each rate")
        if len(self.res_kernels) != len(self.res_dilations):
            raise BadConfig("model.resblock_dilation_sizes", f"has not {len(self.res_kernels)} entries as the kernels")
        if any(kernel % 2 == 0 for kernel in (*self.res_kernels, self.kernel)):
            raise BadConfig("model.resblock_kernel_sizes", "or kernel_size holds an even kernel")


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name)
    if not isinstance(section, Mapping):
        raise BadConfig(name, "is absent")
    return section


def _number(section: Mapping[str, Any], key: str) -> int:
    return _positive(section.get(key), key)


def _numbers(values: object, key: str) -> tuple[int, ...]:
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        raise BadConfig(key, "is not a list of numbers")
    return tuple(_positive(value, key) for value in values)


def _positive(value: object, key: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise BadConfig(key, f"is {value!r}, not a positive whole number")
    return value
