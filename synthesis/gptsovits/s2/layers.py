"""The few kinds of layer that all s2 networks are made of, and how they are read from the tensors.

Everything runs channels last: a signal is [batch, time, channels] and contiguous. A kernel-1 convolution is then a
matrix product, and longer kernels meet the layout that oneDNN and cuDNN convolve without reordering.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Linear:
    """y = x W + b over the last axis; ``weight`` [out, in]."""

    weight: Tensor
    bias: Tensor | None

    def __call__(self, x: Tensor) -> Tensor:
        """[…, in] -> […, out]."""
        return functional.linear(x, self.weight, self.bias)


@dataclass(frozen=True)
class Conv:
    """Convolution over time that keeps the length; ``weight`` [out, in, 1, kernel], channels last, odd kernel."""

    weight: Tensor
    bias: Tensor | None
    dilation: int = 1

    @property
    def reach(self) -> int:
        """Frames of input to each side of an output frame."""
        return (self.weight.shape[-1] - 1) // 2 * self.dilation

    def __call__(self, x: Tensor) -> Tensor:
        """[B, T, in] -> [B, T, out]; zeros beyond both ends."""
        image = x.transpose(1, 2).unsqueeze(2)  # [B, in, 1, T], channels last in memory
        y = functional.conv2d(
            image, self.weight, self.bias, padding=(0, self.reach), dilation=(1, self.dilation)
        )  # [B, out, 1, T]
        return y.squeeze(2).transpose(1, 2)  # [B, T, out]


@dataclass(frozen=True)
class Norm:
    """Layer normalisation over channels."""

    gamma: Tensor
    beta: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """[B, T, C] -> the same."""
        return functional.layer_norm(x, (x.shape[-1],), self.gamma, self.beta, 1e-5)


@dataclass(frozen=True)
class Lines:
    """How long each line of a padded batch is: the networks' mask, in a form that costs nothing for equal lengths."""

    lengths: tuple[int, ...]

    @classmethod
    def of(cls, lengths: Sequence[int]) -> Lines:
        """One entry per line, at least 1 each."""
        return cls(tuple(lengths))

    @property
    def longest(self) -> int:
        """Length of the padded batch."""
        return max(self.lengths)

    @property
    def even(self) -> bool:
        """No line is padded."""
        return min(self.lengths) == self.longest

    def clear(self, x: Tensor) -> Tensor:
        """Set what lies beyond each line's end to zero, in place; x [B, T, C]."""
        total = x.shape[1]
        for row, length in enumerate(self.lengths):
            if length < total:
                x[row, max(length, 0) :] = 0
        return x

    def padding(self, device: torch.device) -> Tensor | None:
        """True where a line is padded, [B, longest]; None when none is."""
        if self.even:
            return None
        ends = torch.tensor(self.lengths, device=device)
        beyond: Tensor = torch.arange(self.longest, device=device) >= ends[:, None]
        return beyond


class Reader:
    """Takes layers out of the tensors of a model: weight norm is fused here, in float32, before the cast."""

    def __init__(self, weights: Mapping[str, Tensor], device: torch.device, dtype: torch.dtype) -> None:
        self._weights = weights
        self.device = device
        self.dtype = dtype

    def raw(self, name: str) -> Tensor:
        """The tensor in float32 on the CPU."""
        return self._weights[name].detach().to("cpu", torch.float32)

    def place(self, tensor: Tensor) -> Tensor:
        """On the model's device in its precision, contiguous, a copy that is the model's own."""
        return tensor.to(self.device, self.dtype, copy=True).contiguous()

    def tensor(self, name: str) -> Tensor:
        """The tensor as it is, placed."""
        return self.place(self.raw(name))

    def kernel(self, prefix: str) -> Tensor:
        """The convolution's weight in float32: as stored, or g v / |v| with the norm over all axes but the first."""
        if f"{prefix}.weight_g" not in self._weights:
            return self.raw(f"{prefix}.weight")
        v = self.raw(f"{prefix}.weight_v")
        norm = v.square().sum(dim=tuple(range(1, v.dim())), keepdim=True).sqrt()
        return self.raw(f"{prefix}.weight_g") * v / norm

    def conv_of(self, kernel: Tensor, bias: Tensor | None, dilation: int = 1) -> Conv:
        """A Conv from a float32 kernel [out, in, size]."""
        weight = kernel.unsqueeze(2).to(self.device, self.dtype, copy=True)  # [out, in, 1, size]
        return Conv(
            weight.contiguous(memory_format=torch.channels_last),
            None if bias is None else self.place(bias),
            dilation,
        )

    def conv(self, prefix: str, dilation: int = 1) -> Conv:
        """A convolution with bias."""
        return self.conv_of(self.kernel(prefix), self.raw(f"{prefix}.bias"), dilation)

    def linear(self, prefix: str) -> Linear:
        """A matrix, or a convolution of kernel 1 as one."""
        kernel = self.kernel(prefix)
        return Linear(self.place(kernel.reshape(kernel.shape[:2])), self.tensor(f"{prefix}.bias"))

    def norm(self, prefix: str) -> Norm:
        """A channel norm."""
        return Norm(self.tensor(f"{prefix}.gamma"), self.tensor(f"{prefix}.beta"))
