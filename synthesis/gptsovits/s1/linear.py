"""Matrix products of the decoder, in the form that suits the processor.

A decoding step reads every weight once for few rows, so on a CPU its time is that of fetching the weights from memory.
Checkpoints hold half-precision numbers; where torch has FBGEMM (x86), they are kept as such and widened in registers
while the sums stay in float32: the same numbers in half the traffic, nothing is approximated. The two other forms are
approximations that a caller asks for:

- "int8": weights in 8 bits with a scale per output, inputs in 7 bits with a scale per row (on x86 without VNNI eight
  bits may overflow a 16-bit partial sum). Logits of a full-size model with random weights move by 12 %
  of their spread, and one likeliest code in six is another: for drafts.
- "bf16": weights and inputs rounded to bfloat16. Logits move by 2 % of their spread. Pays on processors with AMX or
  AVX512-BF16, and costs elsewhere.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows
from torch import Tensor

from synthesis.gptsovits.errors import BadInput

Quantise = Literal["bf16", "int8"]
Linear = Callable[[Tensor], Tensor]
"""[rows, in] -> [rows, out] in the type of the input."""

INT7_HALF = 63
PLAIN_STEP = 4
EVEN = 12
"""A row count that needs none of the small kernels; others are compared with it."""
PROBED = 512


def build(weight: Tensor, bias: Tensor | None, *, relu: bool = False, quantise: Quantise | None = None) -> Linear:
    """The product x W^T + b, then max(0, .) with ``relu``.

    weight: [out, in], on the device and in the type to compute in. Raises BadInput: ``quantise`` cannot be had there.
    """
    if quantise is not None and (weight.device.type != "cpu" or weight.dtype != torch.float32):
        raise BadInput("quantise", f"is {quantise} for {weight.dtype} on {weight.device}; it is for float32 on the CPU")
    if quantise == "int8":
        if not has_fbgemm():
            raise BadInput("quantise", "is int8, for which this processor has no kernels; leave it out")
        return _Int8(weight, bias, relu)
    if quantise == "bf16":
        return _BFloat16(weight, bias, relu)
    if weight.device.type == "cpu" and weight.dtype == torch.float32 and has_fbgemm() and exact_in_half(weight):
        return _Half(weight, bias, relu)
    return _Plain(weight, bias, relu)


def even_rows(rows: int) -> int:
    """The row count to fill up to on the CPU.

    FBGEMM divides rows among kernels of one to some rows, and the smallest add up in another order than the others.
    With these counts they are not used, and the bits of a row, so one day a code of a line, do not depend on its
    company. Which counts those are differs between processors and releases of FBGEMM, so it is tried.
    """
    if not has_fbgemm():
        return -(-rows // PLAIN_STEP) * PLAIN_STEP
    return next((count for count in range(rows, rows + EVEN) if _is_even(count)), -(-rows // EVEN) * EVEN)


@cache
def _is_even(rows: int) -> bool:
    """Whether every one of so many equal rows has the bits that it has among ``EVEN``."""
    product, row = _probe()
    return bool((product(row.expand(rows, -1)) == product(row.expand(EVEN, -1))[:1]).all())


@cache
def _probe() -> tuple[Linear, Tensor]:
    """A product of which every other order of adding has another result, and a row for it."""
    numbers = torch.randn(PROBED + 1, PROBED, generator=torch.Generator().manual_seed(0))
    return _Half(numbers[:-1].half().float(), None, relu=False), numbers[-1:]


def has_fbgemm() -> bool:
    """Whether torch's packed products for x86 can be used in this process."""
    return torch.backends.quantized.engine in ("x86", "fbgemm")


def exact_in_half(weight: Tensor) -> bool:
    """Whether half precision holds every number of the tensor without rounding."""
    return bool(torch.equal(weight.half().float(), weight))


class _Plain:
    def __init__(self, weight: Tensor, bias: Tensor | None, relu: bool) -> None:
        self._weight, self._bias, self._relu = weight.contiguous(), bias, relu

    def __call__(self, x: Tensor) -> Tensor:
        y = F.linear(x, self._weight, self._bias)
        return y.relu_() if self._relu else y


class _Half:
    """Weights in half precision, everything else in float32."""

    def __init__(self, weight: Tensor, bias: Tensor | None, relu: bool) -> None:
        self._packed = torch.ops.quantized.linear_prepack_fp16(weight.contiguous(), bias)
        ops = torch.ops.quantized
        self._product = ops.linear_relu_dynamic_fp16 if relu else ops.linear_dynamic_fp16

    def __call__(self, x: Tensor) -> Tensor:
        y: Tensor = self._product(x, self._packed)
        return y


class _BFloat16:
    def __init__(self, weight: Tensor, bias: Tensor | None, relu: bool) -> None:
        self._weight = weight.to(torch.bfloat16).contiguous()
        self._bias, self._relu = bias, relu

    def __call__(self, x: Tensor) -> Tensor:
        y = F.linear(x.to(torch.bfloat16), self._weight).float()
        if self._bias is not None:
            y += self._bias
        return y.relu_() if self._relu else y


class _Int8:
    """Each row is scaled to [-1, 1] by its own largest value first, so that rows do not share a scale."""

    def __init__(self, weight: Tensor, bias: Tensor | None, relu: bool) -> None:
        scales = weight.abs().amax(dim=1).clamp_(min=1e-12).double() / 127  # [out]
        zeros = torch.zeros(weight.shape[0], dtype=torch.int64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # quantised tensors may leave torch one day
            quantised = torch.quantize_per_channel(weight.contiguous(), scales, zeros, 0, torch.qint8)
        self._packed = torch.ops.quantized.linear_prepack(quantised, None)
        self._bias = torch.zeros(weight.shape[0]) if bias is None else bias
        self._relu = relu

    def __call__(self, x: Tensor) -> Tensor:
        largest = x.abs().amax(dim=1, keepdim=True).clamp_(min=1e-12)  # [rows, 1]
        product = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32
        y: Tensor = torch.addcmul(self._bias, product(x / largest, 1 / INT7_HALF, INT7_HALF + 1, self._packed), largest)
        return y.relu_() if self._relu else y
