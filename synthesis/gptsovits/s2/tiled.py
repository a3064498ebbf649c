"""Wide convolutions on a CPU in float32, in tiles: a third to a half of the arithmetic of plain ones.

A tile's samples are mixed by a constant matrix, multiplied channels by channels, and mixed back (``bilinear.py``). All
three are matrix products when tiles lie side by side, so a signal is gathered into [sample of a tile, tiles, channels]
and scattered back; the activation before and the residual behind come with these copies.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from synthesis.gptsovits.s2.bilinear import Algorithm, on_circle, on_line
from synthesis.gptsovits.s2.layers import Lines

WORK = 2 << 20
"""Bytes of products held at a time: with what they are made of they stay in a core's share of the cache."""
ROWS = 72
"""Tiles at a time at least, so that the weights are not read for too little."""
NARROW, NARROW_SHORT = 64, 128
"""Channels below which a plain convolution is as fast; the second for kernels up to 3."""


def worthwhile(kernel: int, width: int) -> bool:
    """Whether tiles beat the plain convolution between ``width`` channels."""
    return width >= (NARROW if kernel > 3 else NARROW_SHORT) and kernel >= 3


def algorithm(kernel: int) -> Algorithm:
    """What measured fastest: short tiles for a kernel of 3, otherwise tiles of about twice the kernel."""
    if kernel == 3:
        return on_line(3, (0.0, 1.0, -1.0, 0.5, -2.0))
    return on_circle(kernel, 2 * kernel + 4)


@dataclass(frozen=True, eq=False)
class Canvas:
    """A signal [B, length, C] with zeros around it, so that every tile can be read and written whole."""

    data: Tensor
    """[B, margin + length + margin, C], contiguous."""
    margin: int
    length: int

    @classmethod
    def like(cls, x: Tensor, margin: int) -> Canvas:
        """Room for a signal of the shape of x [B, length, C]; what is in it means nothing yet."""
        batch, length, width = x.shape
        data = x.new_empty(batch, margin + length + margin, width)
        data[:, :margin] = 0
        return cls(data, margin, length)

    @property
    def inside(self) -> Tensor:
        """[B, length, C], a view."""
        return self.data[:, self.margin : self.margin + self.length]

    def clear(self, lines: Lines) -> None:
        """Zeros behind the end of each line and of the signal."""
        self.data[:, self.margin + self.length :] = 0
        lines.clear(self.inside)

    def tiles(self, tiles: Tiles, samples: int, reach: int = 0) -> Tensor:
        """``samples`` of each tile, from ``reach`` samples before it, as a view [samples, B, tiles, dilation, C]."""
        batch, _, width = self.data.shape
        group = tiles.dilation * width  # neighbours that belong to as many interleaved signals
        return self.data.as_strided(
            (samples, batch, tiles.count, tiles.dilation, width),
            (group, self.data.stride(0), tiles.step * group, width, 1),
            self.data.storage_offset() + (self.margin - reach) * width + tiles.first * tiles.step * group,
        )


@dataclass(frozen=True)
class Tiles:
    """``count`` tiles from the ``first`` on, each of ``step`` times ``dilation`` samples."""

    first: int
    count: int
    step: int
    dilation: int


@dataclass(frozen=True, eq=False)
class TiledConv:
    """As ``Conv``: keeps the length, zeros beyond both ends."""

    before: Tensor
    """[products, inputs]"""
    weights: Tensor
    """[products, C in, C out]"""
    bias: Tensor
    after: Tensor
    """[outputs, products + 1]; the last column spreads the bias."""
    kernel: int
    dilation: int

    @classmethod
    def of(cls, kernel: Tensor, bias: Tensor, dilation: int = 1) -> TiledConv:
        """From a float32 kernel [C, C, size] on the CPU."""
        chosen = algorithm(kernel.shape[2])
        weights = torch.einsum("pk,oik->pio", torch.from_numpy(chosen.weights), kernel.double())
        return cls(
            before=torch.from_numpy(chosen.before).float().contiguous(),
            weights=weights.float().contiguous(),
            bias=bias.clone(),
            after=functional.pad(torch.from_numpy(chosen.after), (0, 1), value=1.0).float().contiguous(),
            kernel=kernel.shape[2],
            dilation=dilation,
        )

    @property
    def reach(self) -> int:
        """Samples to each side."""
        return (self.kernel - 1) // 2 * self.dilation

    @property
    def margin(self) -> int:
        """Samples beyond the signal that tiles read or write, at most."""
        return self.reach + self.after.shape[0] * self.dilation

    def activated(self, source: Canvas, target: Canvas, slope: float) -> None:
        """target = leaky_relu(convolution of leaky_relu(source)); its surroundings are to be cleared."""
        for tiles, room in self._portions(source):
            x = room.gathered(source.tiles(tiles, self.before.shape[1], self.reach).shape)
            torch.ops.aten.leaky_relu.out(source.tiles(tiles, self.before.shape[1], self.reach), slope, out=x)
            into = target.tiles(tiles, tiles.step)
            torch.ops.aten.leaky_relu.out(self._convolve(x, room).view(into.shape), slope, out=into)

    def residual(self, source: Canvas, target: Canvas, add: Canvas) -> None:
        """target = convolution of source + add; its surroundings are to be cleared. ``add`` may be ``target``."""
        for tiles, room in self._portions(source):
            read = source.tiles(tiles, self.before.shape[1], self.reach)
            x = room.gathered(read.shape).copy_(read)
            into = target.tiles(tiles, tiles.step)
            torch.add(add.tiles(tiles, tiles.step), self._convolve(x, room).view(into.shape), out=into)

    def _portions(self, source: Canvas) -> list[tuple[Tiles, Room]]:
        """Equal numbers of tiles, as few as fit the cache, and the memory they share."""
        products, inputs = self.before.shape
        outputs = self.after.shape[0]
        batch, _, width = source.data.shape
        total = -(-source.length // (outputs * self.dilation))
        rows = batch * self.dilation  # of one tile
        most = max(ROWS, WORK // (4 * products * width)) // rows
        portion = -(-total // -(-total // max(1, most)))
        room = Room.of(source.data, inputs, products, portion * rows)
        return [
            (Tiles(first, min(portion, total - first), outputs, self.dilation), room)
            for first in range(0, total, portion)
        ]

    def _convolve(self, x: Tensor, room: Room) -> Tensor:
        """Tiles [inputs, …, C] -> [outputs, rows * C]; x is overwritten."""
        products, inputs = self.before.shape
        width = x.shape[-1]
        rows = x.numel() // (inputs * width)
        mixed = room.mixed[: products * rows * width].view(products, rows * width)
        torch.mm(self.before, x.view(inputs, rows * width), out=mixed)
        multiplied = room.multiplied[: (products + 1) * rows * width].view(products + 1, rows, width)
        torch.bmm(mixed.view(products, rows, width), self.weights, out=multiplied[:products])
        multiplied[products] = self.bias
        y = room.samples[: self.after.shape[0] * rows * width].view(-1, rows * width)
        return torch.mm(self.after, multiplied.view(products + 1, rows * width), out=y)


@dataclass(frozen=True, eq=False)
class Room:
    """Memory that the tiles of a convolution go through, portion by portion."""

    samples: Tensor
    mixed: Tensor
    multiplied: Tensor

    @classmethod
    def of(cls, like: Tensor, inputs: int, products: int, rows: int) -> Room:
        """For ``rows`` tiles of one signal each."""
        size = rows * like.shape[-1]
        return cls(
            like.new_empty(inputs * size), like.new_empty(products * size), like.new_empty(products * size + size)
        )

    def gathered(self, shape: torch.Size) -> Tensor:
        """Room for the samples of tiles."""
        return self.samples[: shape.numel()].view(shape)


@dataclass(frozen=True, eq=False)
class TiledResBlock:
    """As ``ResBlock``."""

    pairs: tuple[tuple[TiledConv, TiledConv], ...]
    slope: float

    @property
    def reach(self) -> int:
        """Samples to each side."""
        return sum(dilated.reach + plain.reach for dilated, plain in self.pairs)

    def __call__(self, x: Tensor, lines: Lines) -> Tensor:
        """[B, T, C] -> a new tensor of the same shape; x has its padding cleared."""
        margin = max(conv.margin for pair in self.pairs for conv in pair)
        source, between, result = (Canvas.like(x, margin) for _ in range(3))
        source.inside.copy_(x)
        source.clear(lines)
        for dilated, plain in self.pairs:
            dilated.activated(source, between, self.slope)
            between.clear(lines)
            plain.residual(between, result, add=source)
            result.clear(lines)
            source = result
        return result.inside
