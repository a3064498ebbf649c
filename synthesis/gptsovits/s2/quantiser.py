"""Speech features to codes and back: one convolution to 25 Hz and the nearest of 1024 codebook rows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from synthesis.gptsovits.errors import BadInput
from synthesis.gptsovits.s2.layers import Linear, Reader
from synthesis.gptsovits.s2.layout import CODEBOOK


@dataclass(frozen=True)
class Quantiser:
    """The codebook [codes, width] and the projection before it, which takes ``stride`` feature frames to one code."""

    project: Linear
    codebook: Tensor
    stride: int

    @classmethod
    def read(cls, reader: Reader, stride: int) -> Quantiser:
        """Kernel and stride are equal, so the convolution is a product over groups of frames. Always in float32: a
        nearest row decided in half precision is not the nearest row."""
        kernel = reader.kernel("ssl_proj")  # [width, width, stride]
        exact = Reader({}, reader.device, torch.float32)
        flat = kernel.transpose(1, 2).flatten(1)  # [width, stride * width]
        return cls(
            project=Linear(exact.place(flat), exact.place(reader.raw("ssl_proj.bias"))),
            codebook=exact.place(reader.raw(CODEBOOK + "embed")),
            stride=stride,
        )

    def encode(self, ssl: Tensor) -> Tensor:
        """Features [width, T] at 50 Hz -> codes [T // stride] int64. Raises BadInput for another shape."""
        width = self.codebook.shape[1]
        if ssl.dim() != 2 or ssl.shape[0] != width or ssl.shape[1] < self.stride:
            raise BadInput("ssl", f"has shape {tuple(ssl.shape)}, wanted [{width}, at least {self.stride}]")
        frames = ssl.shape[1] // self.stride * self.stride
        x = ssl[:, :frames].to(self.codebook.device, torch.float32).T.reshape(-1, self.stride * width)
        x = self.project(x)  # [codes, width]
        # |x - row|^2 without |x|^2, which is the same for all rows
        distance = self.codebook.square().sum(dim=1) - 2 * x @ self.codebook.T  # [codes, rows]
        return distance.argmin(dim=1)

    def rows(self, codes: Tensor, dtype: torch.dtype) -> Tensor:
        """Codes [B, T] -> their rows at 50 Hz, each twice: [B, stride * T, width]."""
        rows = functional.embedding(codes, self.codebook)  # [B, T, width]
        return rows.repeat_interleave(self.stride, dim=1).to(dtype)
