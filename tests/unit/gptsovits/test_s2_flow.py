import torch
from tiny_s2 import tiny_checkpoint, tiny_model, tiny_vectors
from torch.nn import functional

from synthesis.gptsovits.s2.layers import Lines

MODEL = tiny_model()


def forwards(x, ge):
    """The flow in the direction of training, written out plainly with its channel flips: x [1, inter, T]."""
    tensors = tiny_checkpoint().weights

    def conv(x, name, **kwargs):
        if f"{name}.weight_v" in tensors:
            weight = torch._weight_norm(tensors[f"{name}.weight_v"], tensors[f"{name}.weight_g"], 0)
        else:
            weight = tensors[f"{name}.weight"]
        return functional.conv1d(x, weight, tensors[f"{name}.bias"], **kwargs)

    for i in (0, 2, 4, 6):
        name = f"flow.flows.{i}"
        first, second = x.chunk(2, dim=1)
        h = conv(first, f"{name}.pre")
        conditions = conv(ge[:, :, None], f"{name}.enc.cond_layer").chunk(4, dim=1)
        total = 0
        for layer in range(4):
            a, b = (conv(h, f"{name}.enc.in_layers.{layer}", padding=2) + conditions[layer]).chunk(2, dim=1)
            y = conv(a.tanh() * b.sigmoid(), f"{name}.enc.res_skip_layers.{layer}")
            if layer < 3:
                residual, y = y.chunk(2, dim=1)
                h = h + residual
            total = total + y
        x = torch.cat([first, second + conv(total, f"{name}.post")], dim=1).flip(1)
    return x


def test_the_flow_undoes_what_training_does():
    z, ge = tiny_vectors(MODEL, 21)
    there = forwards(z.transpose(1, 2), ge).transpose(1, 2)
    assert (there - z).abs().max() > 0.1
    back = MODEL.flow(there, ge, Lines.of([21]))
    torch.testing.assert_close(back, z, atol=5e-6, rtol=0)


def test_padded_lines_flow_as_they_do_alone():
    lines = Lines.of([20, 13, 1])
    z, ge = tiny_vectors(MODEL, 20, lines=3)
    lines.clear(z)
    together = MODEL.flow(z, ge, lines)
    for row, length in enumerate(lines.lengths):
        alone = MODEL.flow(z[row : row + 1, :length], ge[row : row + 1], Lines.of([length]))
        torch.testing.assert_close(together[row, :length], alone[0], atol=2e-6, rtol=0)
        assert not together[row, length:].any()


def test_the_latent_given_is_left_as_it_was():
    z, ge = tiny_vectors(MODEL, 5)
    before = z.clone()
    MODEL.flow(z, ge, Lines.of([5]))
    assert torch.equal(z, before)
