"""The decoder: latent frames to audio, HiFi-GAN (Kong et al. 2020, arXiv:2010.05646).

It is rendered in blocks of latent frames, so memory does not grow with the length of a line. Every convolution reaches
a known number of samples to each side; ``spans`` works back from the samples a block is to give to the frames it needs,
and each stage drops what its neighbours' absence has touched. A block's samples are therefore those of the whole line,
up to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from synthesis.gptsovits.s2.config import S2Config
from synthesis.gptsovits.s2.layers import Conv, Linear, Lines, Reader
from synthesis.gptsovits.s2.tiled import TiledConv, TiledResBlock, worthwhile

SLOPE = 0.1
LAST_SLOPE = 0.01


@dataclass(frozen=True)
class Span:
    """Samples start … stop of a line, at the rate of one stage."""

    start: int
    stop: int

    def grown(self, reach: int, total: int) -> Span:
        """With ``reach`` more on each side, inside a line of ``total``."""
        return Span(max(0, self.start - reach), min(total, self.stop + reach))

    def cut(self, x: Tensor, held: Span) -> Tensor:
        """The part of x [B, held, C] that is this span."""
        return x[:, self.start - held.start : self.stop - held.start]


@dataclass(frozen=True)
class Upsampling:
    """A transposed convolution as an ordinary one that gives ``rate`` samples per input sample side by side."""

    conv: Conv
    rate: int

    @classmethod
    def read(cls, reader: Reader, prefix: str, rate: int, gain: float) -> Upsampling:
        """Sorts the taps of the kernel by phase: output sample q rate + r takes tap r + pad + m rate of input q - m.

        ``gain`` scales the input: the mean over the residual blocks before, taken into the weights.
        """
        kernel = reader.kernel(prefix) * gain  # [in, out, size]; the norm is over the input axis
        width_in, width_out, size = kernel.shape
        pad = (size - rate) // 2
        reach = (pad + rate - 1) // rate  # the same to both sides, since size = rate + 2 pad
        phases = kernel.new_zeros(rate, width_out, width_in, 2 * reach + 1)
        for phase in range(rate):
            for m in range(-reach, reach + 1):
                tap = phase + pad + m * rate
                if 0 <= tap < size:
                    phases[phase, :, :, reach - m] = kernel[:, :, tap].T
        flat = phases.flatten(0, 1)  # [rate * out, in, 2 reach + 1]
        return cls(reader.conv_of(flat, reader.raw(f"{prefix}.bias").repeat(rate)), rate)

    @property
    def reach(self) -> int:
        """Input samples to each side."""
        return self.conv.reach

    def __call__(self, x: Tensor) -> Tensor:
        """[B, T, in] -> [B, T * rate, out]."""
        batch, length, _ = x.shape
        return self.conv(x).reshape(batch, length * self.rate, -1)  # [B, T, rate * out] -> [B, T * rate, out]


@dataclass(frozen=True)
class UpsamplingByTaps:
    """As ``Upsampling``, without the products by zero that phases of unlike length cost: each input sample is
    multiplied by all taps at once, ``rate`` of them to a matrix, and what falls on the same output is added up."""

    taps: tuple[Tensor, ...]
    """Each [in, rate * out], the last with the taps that are left."""
    bias: Tensor
    """[rate * out]"""
    rate: int
    pad: int

    @classmethod
    def read(cls, reader: Reader, prefix: str, rate: int, gain: float) -> UpsamplingByTaps:
        """``gain`` scales the input."""
        kernel = reader.kernel(prefix) * gain  # [in, out, size]
        size = kernel.shape[2]
        return cls(
            taps=tuple(
                reader.place(kernel[:, :, first : first + rate].transpose(1, 2).flatten(1))
                for first in range(0, size, rate)
            ),
            bias=reader.place(reader.raw(f"{prefix}.bias").repeat(rate)),
            rate=rate,
            pad=(size - rate) // 2,
        )

    @property
    def reach(self) -> int:
        """Input samples to each side."""
        return (self.pad + self.rate - 1) // self.rate

    def __call__(self, x: Tensor) -> Tensor:
        """[B, T, in] -> [B, T * rate, out]."""
        batch, length, _ = x.shape
        y = x.new_empty(batch, length + len(self.taps) - 1, len(self.bias))
        y[:] = self.bias
        for row in range(batch):
            for first, weight in enumerate(self.taps):
                y[row, first : first + length, : weight.shape[1]].addmm_(x[row], weight)
        width = len(self.bias) // self.rate
        return y.view(batch, -1, width)[:, self.pad : self.pad + length * self.rate]


@dataclass(frozen=True)
class ResBlock:
    """Pairs of convolutions, dilated and plain, each pair with a residual."""

    pairs: tuple[tuple[Conv, Conv], ...]

    @property
    def reach(self) -> int:
        """Samples to each side."""
        return sum(dilated.reach + plain.reach for dilated, plain in self.pairs)

    def __call__(self, x: Tensor, lines: Lines) -> Tensor:
        """[B, T, C] -> a new tensor of the same shape; x has its padding cleared."""
        for dilated, plain in self.pairs:
            y = functional.leaky_relu(x, SLOPE)
            y = functional.leaky_relu_(dilated(y), SLOPE)
            x = lines.clear(plain(lines.clear(y)).add_(x))
        return x


def _res_block(reader: Reader, prefix: str, dilations: Sequence[int]) -> ResBlock | TiledResBlock:
    """In tiles where that is faster."""
    width, _, size = reader.kernel(f"{prefix}.convs1.0").shape
    if _exact_on_cpu(reader) and worthwhile(size, width):
        return TiledResBlock(
            tuple(
                (_tiled(reader, f"{prefix}.convs1.{k}", dilation), _tiled(reader, f"{prefix}.convs2.{k}", 1))
                for k, dilation in enumerate(dilations)
            ),
            SLOPE,
        )
    return ResBlock(
        tuple(
            (reader.conv(f"{prefix}.convs1.{k}", dilation), reader.conv(f"{prefix}.convs2.{k}"))
            for k, dilation in enumerate(dilations)
        )
    )


def _exact_on_cpu(reader: Reader) -> bool:
    return reader.device.type == "cpu" and reader.dtype == torch.float32


def _tiled(reader: Reader, prefix: str, dilation: int) -> TiledConv:
    return TiledConv.of(reader.kernel(prefix), reader.raw(f"{prefix}.bias"), dilation)


@dataclass(frozen=True)
class Stage:
    """One upsampling and the sum of its residual blocks; the mean is taken by the next weights."""

    up: Upsampling | UpsamplingByTaps
    blocks: tuple[ResBlock | TiledResBlock, ...]

    @property
    def reach(self) -> int:
        """Samples of the widest residual block, to each side."""
        return max(block.reach for block in self.blocks)


@dataclass(frozen=True)
class StageSpans:
    """What a stage does for a block: from ``source`` at the input rate to ``work`` after upsampling, of it ``kept``."""

    source: Span
    work: Span
    kept: Span


@dataclass(frozen=True)
class HifiGan:
    """All stages."""

    first: Conv
    condition: Linear
    stages: tuple[Stage, ...]
    last: Conv

    @classmethod
    def read(cls, reader: Reader, config: S2Config) -> HifiGan:
        """Under ``dec``."""
        count = len(config.res_kernels)
        stages = []
        for i, rate in enumerate(config.rates):
            blocks = tuple(
                _res_block(reader, f"dec.resblocks.{i * count + j}", dilations)
                for j, dilations in enumerate(config.res_dilations)
            )
            gain = 1.0 if i == 0 else 1 / count
            kind = UpsamplingByTaps if _exact_on_cpu(reader) and config.up_kernels[i] > rate else Upsampling
            stages.append(Stage(kind.read(reader, f"dec.ups.{i}", rate, gain), blocks))
        return cls(
            first=reader.conv("dec.conv_pre"),
            condition=reader.linear("dec.cond"),
            stages=tuple(stages),
            last=reader.conv_of(reader.kernel("dec.conv_post") / count, None),
        )

    @property
    def hop(self) -> int:
        """Samples per latent frame."""
        product = 1
        for stage in self.stages:
            product *= stage.up.rate
        return product

    def spans(self, block: Span, frames: int) -> tuple[Span, list[StageSpans], Span]:
        """For a block of latent frames in a line of ``frames``: the latent frames needed, what each stage computes, the
        samples given."""
        total = frames * self.hop
        given = Span(block.start * self.hop, block.stop * self.hop)
        kept = given.grown(self.last.reach, total)
        plan: list[StageSpans] = []
        for stage in reversed(self.stages):
            rate = stage.up.rate
            wanted = kept.grown(stage.reach, total)
            total //= rate
            whole = Span(wanted.start // rate, -(-wanted.stop // rate))  # input samples whose outputs are wanted
            source = whole.grown(stage.up.reach, total)
            plan.append(StageSpans(source, wanted, kept))
            kept = source
        return kept.grown(self.first.reach, frames), plan[::-1], given

    def blocks(self, z: Tensor, ge: Tensor, lines: Lines, block: int) -> Iterator[Tensor]:
        """Audio before tanh, block after block, each [B, samples].

        z [B, frames, inter] with cleared padding, ``ge`` [B, gin], ``block`` latent frames at a time. Beyond a line's
        end the samples mean nothing.
        """
        frames = lines.longest
        for start in range(0, frames, block):
            yield self.piece(z, ge, lines, Span(start, min(frames, start + block)))

    def piece(self, z: Tensor, ge: Tensor, lines: Lines, block: Span) -> Tensor:
        """One block, [B, samples]."""
        condition = self.condition(ge).unsqueeze(1)  # [B, 1, width]
        needed, plan, given = self.spans(block, lines.longest)
        source = plan[0].source
        x = self.first(z[:, needed.start : needed.stop])
        x = source.cut(x, needed) + condition  # [B, source, width]
        rate = 1
        for stage, span in zip(self.stages, plan, strict=True):
            _clear(x, lines, rate, span.source)
            upsampled = stage.up(functional.leaky_relu_(x, SLOPE))
            rate *= stage.up.rate
            x = span.work.cut(upsampled, Span(span.source.start * stage.up.rate, span.source.stop * stage.up.rate))
            inside = _inside(lines, rate, span.work)
            inside.clear(x)
            total = stage.blocks[0](x, inside)
            for residual in stage.blocks[1:]:
                total += residual(x, inside)
            x = span.kept.cut(total, span.work)  # [B, kept, C]
        _clear(x, lines, rate, plan[-1].kept)
        audio = self.last(functional.leaky_relu_(x, LAST_SLOPE))  # [B, kept, 1]
        return given.cut(audio, plan[-1].kept).squeeze(-1)


def _inside(lines: Lines, rate: int, span: Span) -> Lines:
    """Where in a span each line ends."""
    return Lines.of([length * rate - span.start for length in lines.lengths])


def _clear(x: Tensor, lines: Lines, rate: int, span: Span) -> None:
    _inside(lines, rate, span).clear(x)


def render(decoder: HifiGan, z: Tensor, ge: Tensor, lines: Lines, block: int) -> list[Tensor]:
    """One tensor of samples in [-1, 1] per line, at the model's rate; arguments as ``HifiGan.blocks``."""
    audio = torch.cat(list(decoder.blocks(z, ge, lines, block)), dim=1).tanh_()
    return [line[: length * decoder.hop].clone() for line, length in zip(audio, lines.lengths, strict=True)]
