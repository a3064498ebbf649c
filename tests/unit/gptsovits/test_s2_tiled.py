"""Convolutions in tiles against plain ones."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from synthesis.gptsovits.s2 import tiled
from synthesis.gptsovits.s2.bilinear import on_circle, on_line
from synthesis.gptsovits.s2.hifigan import ResBlock
from synthesis.gptsovits.s2.layers import Lines, Reader
from synthesis.gptsovits.s2.tiled import Canvas, TiledConv, TiledResBlock

WIDTH = 6
READER = Reader({}, torch.device("cpu"), torch.float32)


def drawn(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    "kernel, chosen",
    [(3, on_line(3, (0.0, 1.0, -1.0, 0.5, -2.0))), (2, on_line(2, (0.0, 1.0)))]
    + [(kernel, on_circle(kernel, roots)) for kernel, roots in [(3, 4), (5, 8), (7, 18), (11, 26), (11, 30)]],
)
def test_an_algorithm_is_the_filter_it_stands_for(kernel, chosen):
    draw = np.random.default_rng(kernel)
    x, taps = draw.standard_normal(chosen.inputs), draw.standard_normal(kernel)
    ours = chosen.after @ ((chosen.weights @ taps) * (chosen.before @ x))
    assert chosen.outputs == chosen.inputs - kernel + 1
    assert chosen.products < kernel * chosen.outputs
    np.testing.assert_allclose(ours, np.correlate(x, taps, "valid"), atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    kernel=st.sampled_from([3, 7, 11]),
    dilation=st.integers(1, 5),
    length=st.integers(1, 300),
    batch=st.integers(1, 3),
    work=st.sampled_from([1, 20_000, 1 << 20]),
    seed=st.integers(0, 99),
)
def test_tiles_are_the_plain_convolution_whatever_the_portions(kernel, dilation, length, batch, work, seed):
    weight, bias = drawn(seed, WIDTH, WIDTH, kernel) / (WIDTH * kernel) ** 0.5, drawn(seed + 1, WIDTH)
    x, other = drawn(seed + 2, batch, length, WIDTH), drawn(seed + 3, batch, length, WIDTH)
    conv, plain = TiledConv.of(weight, bias, dilation), READER.conv_of(weight, bias, dilation)
    assert conv.reach == plain.reach
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tiled, "WORK", work)
        patched.setattr(tiled, "ROWS", 1)
        ours, add = Canvas.like(x, conv.margin), Canvas.like(x, conv.margin)
        source = Canvas.like(x, conv.margin)
        source.inside.copy_(x)
        source.clear(Lines.of([length] * batch))
        add.inside.copy_(other)
        conv.activated(source, ours, 0.1)
        expected = functional.leaky_relu(plain(functional.leaky_relu(x, 0.1)), 0.1)
        torch.testing.assert_close(ours.inside, expected, atol=5e-6, rtol=0)
        conv.residual(source, add, add=add)
        torch.testing.assert_close(add.inside, plain(x) + other, atol=5e-6, rtol=0)


@pytest.mark.parametrize("lengths", [[50], [50, 50], [50, 31, 1]])
def test_a_block_in_tiles_is_the_plain_block_and_leaves_its_input_alone(lengths):
    kernel, dilations = 7, (1, 3, 5)
    weights = {}
    for k in range(len(dilations)):
        for convs in ("convs1", "convs2"):
            weights[f"b.{convs}.{k}.weight"] = drawn(k, WIDTH, WIDTH, kernel) / (WIDTH * kernel) ** 0.5
            weights[f"b.{convs}.{k}.bias"] = drawn(k + 9, WIDTH)
    reader = Reader(weights, torch.device("cpu"), torch.float32)
    plain = ResBlock(
        tuple((reader.conv(f"b.convs1.{k}", d), reader.conv(f"b.convs2.{k}")) for k, d in enumerate(dilations))
    )
    tiles = TiledResBlock(
        tuple(
            tuple(
                TiledConv.of(reader.raw(f"b.{convs}.{k}.weight"), reader.raw(f"b.{convs}.{k}.bias"), dilation)
                for convs, dilation in (("convs1", d), ("convs2", 1))
            )
            for k, d in enumerate(dilations)
        ),
        0.1,
    )
    lines = Lines.of(lengths)
    x = lines.clear(drawn(7, len(lengths), max(lengths), WIDTH))
    before = x.clone()
    assert tiles.reach == plain.reach
    torch.testing.assert_close(tiles(x, lines), plain(x, lines), atol=5e-6, rtol=0)
    assert torch.equal(x, before)


def test_wide_kernels_between_wide_layers_go_in_tiles_on_a_cpu_in_float32_only():
    assert tiled.worthwhile(3, 128)
    assert tiled.worthwhile(11, 64)
    assert not tiled.worthwhile(3, 64)
    assert not tiled.worthwhile(11, 32)
    assert not tiled.worthwhile(1, 512)
