import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_s2 import tiny_checkpoint, tiny_model, tiny_vectors
from torch.nn import functional

from synthesis.gptsovits.s2.hifigan import Span, Upsampling, UpsamplingByTaps, render
from synthesis.gptsovits.s2.lanes import pieces, render_lines
from synthesis.gptsovits.s2.layers import Lines, Reader

MODEL = tiny_model()
DECODER = MODEL.decoder


def plain(z, ge):
    """The decoder written out plainly, channels first and whole: z [1, frames, inter] -> [samples]."""
    checkpoint = tiny_checkpoint()
    model, tensors = checkpoint.config["model"], checkpoint.weights

    def weight(name):
        v = tensors[f"{name}.weight_v"]
        return torch._weight_norm(v, tensors[f"{name}.weight_g"], 0), tensors[f"{name}.bias"]

    x = functional.conv1d(z.transpose(1, 2), tensors["dec.conv_pre.weight"], tensors["dec.conv_pre.bias"], padding=3)
    x = x + functional.conv1d(ge[:, :, None], tensors["dec.cond.weight"], tensors["dec.cond.bias"])
    kernels = model["resblock_kernel_sizes"]
    for i, (rate, size) in enumerate(zip(model["upsample_rates"], model["upsample_kernel_sizes"], strict=True)):
        x = functional.leaky_relu(x, 0.1)
        x = functional.conv_transpose1d(x, *weight(f"dec.ups.{i}"), stride=rate, padding=(size - rate) // 2)
        total = 0
        for j, (kernel, dilations) in enumerate(zip(kernels, model["resblock_dilation_sizes"], strict=True)):
            y, name = x, f"dec.resblocks.{i * len(kernels) + j}"
            for k, d in enumerate(dilations):
                pad = (kernel - 1) * d // 2
                t = functional.leaky_relu(y, 0.1)
                t = functional.conv1d(t, *weight(f"{name}.convs1.{k}"), padding=pad, dilation=d)
                t = functional.leaky_relu(t, 0.1)
                y = y + functional.conv1d(t, *weight(f"{name}.convs2.{k}"), padding=(kernel - 1) // 2)
            total = total + y
        x = total / len(kernels)
    x = functional.conv1d(functional.leaky_relu(x, 0.01), tensors["dec.conv_post.weight"], padding=3)
    return x.tanh()[0, 0]


@pytest.mark.parametrize("frames", [1, 2, 13, 60])
@pytest.mark.parametrize("block", [1, 7, 1000])
def test_audio_in_blocks_is_the_plain_decoder_on_the_whole_line(frames, block):
    z, ge = tiny_vectors(MODEL, frames)
    ours = render(DECODER, z, ge, Lines.of([frames]), block)[0]
    torch.testing.assert_close(ours, plain(z, ge), atol=3e-6, rtol=0)


def test_nothing_outside_the_needed_frames_reaches_a_block():
    """Frames that ``spans`` does not ask for cannot reach the block."""
    frames, block = 200, Span(90, 110)
    needed, _, given = DECODER.spans(block, frames)
    assert 0 < needed.start < 90
    assert 110 < needed.stop < frames
    z, ge = tiny_vectors(MODEL, frames)
    whole = plain(z, ge)[given.start : given.stop]
    outside = z.clone()
    outside[:, : needed.start] = 9
    outside[:, needed.stop :] = -9
    torch.testing.assert_close(plain(outside, ge)[given.start : given.stop], whole, atol=0, rtol=0)


def test_lines_of_uneven_length_render_together_as_they_do_alone():
    lengths = [40, 33, 12, 1]
    z, ge = tiny_vectors(MODEL, max(lengths), lines=len(lengths))
    lines = Lines.of(lengths)
    for block in (9, 40):
        together = render(DECODER, lines.clear(z.clone()), ge, lines, block)
        for row, length in enumerate(lengths):
            alone = plain(z[row : row + 1, :length], ge[row : row + 1])
            torch.testing.assert_close(together[row], alone, atol=3e-6, rtol=0)


@settings(max_examples=60, deadline=None)
@given(rate=st.integers(1, 6), extra=st.integers(0, 5), length=st.integers(1, 9), seed=st.integers(0, 99))
def test_upsampling_by_phases_is_the_transposed_convolution(rate, extra, length, seed):
    generator = torch.Generator().manual_seed(seed)
    v = torch.randn(5, 3, rate + 2 * extra, generator=generator)
    g = torch.rand(5, 1, 1, generator=generator) + 0.5
    bias = torch.randn(3, generator=generator)
    reader = Reader({"u.weight_v": v, "u.weight_g": g, "u.bias": bias}, torch.device("cpu"), torch.float32)
    x = torch.randn(2, length, 5, generator=generator)
    weight = torch._weight_norm(v, g, 0)
    theirs = functional.conv_transpose1d(0.5 * x.transpose(1, 2), weight, bias, stride=rate, padding=extra)
    for kind in (Upsampling, UpsamplingByTaps):
        ours = kind.read(reader, "u", rate, 0.5)
        assert ours.reach * rate >= extra
        torch.testing.assert_close(ours(x), theirs.transpose(1, 2), atol=1e-5, rtol=0)


@settings(max_examples=100, deadline=None)
@given(frames=st.integers(1, 400), block=st.integers(1, 400))
def test_blocks_tile_the_line_and_stay_inside_it(frames, block):
    end = 0
    for start in range(0, frames, block):
        needed, plan, given = DECODER.spans(Span(start, min(frames, start + block)), frames)
        assert given.start == end
        end = given.stop
        assert 0 <= needed.start <= start
        assert needed.stop <= frames
        assert needed.stop - needed.start <= block + 40
        assert plan[-1].kept.stop <= frames * DECODER.hop
    assert end == frames * DECODER.hop


@settings(max_examples=100, deadline=None)
@given(frames=st.integers(1, 3000), cores=st.integers(1, 64))
def test_pieces_tile_a_line_and_are_like_one_another(frames, cores):
    found = pieces(frames, cores)
    assert [span.stop for span in found[:-1]] == [span.start for span in found[1:]]
    assert (found[0].start, found[-1].stop) == (0, frames)
    lengths = [span.stop - span.start for span in found]
    assert max(lengths) - min(lengths) <= 1
    assert max(lengths) <= 100
    assert len(found) == 1 or min(lengths) >= 25 or frames > 100


@pytest.mark.parametrize("cores", [1, 2, 5])
def test_lines_on_several_cores_are_lines_alone_and_torch_keeps_its_threads(cores):
    lengths = [230, 41, 1]
    z, ge = tiny_vectors(MODEL, max(lengths), lines=len(lengths))
    before = torch.get_num_threads()
    torch.set_num_threads(cores)
    try:
        with torch.inference_mode():
            together = render_lines(DECODER, z, ge, Lines.of(lengths))
        assert torch.get_num_threads() == cores
    finally:
        torch.set_num_threads(before)
    for row, length in enumerate(lengths):
        torch.testing.assert_close(
            together[row], plain(z[row : row + 1, :length], ge[row : row + 1]), atol=3e-6, rtol=0
        )
