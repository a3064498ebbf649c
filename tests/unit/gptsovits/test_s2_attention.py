import pytest
import torch

from synthesis.gptsovits.s2 import attention
from synthesis.gptsovits.s2.attention import CrossAttention, RelativeAttention
from synthesis.gptsovits.s2.layers import Lines, Reader

WIDTH, HEADS, WINDOW = 8, 2, 4


def weights(seed=0):
    generator = torch.Generator().manual_seed(seed)
    made = {}
    for name in "qkvo":
        made[f"a.conv_{name}.weight"] = torch.randn(WIDTH, WIDTH, 1, generator=generator) * 0.5
        made[f"a.conv_{name}.bias"] = torch.randn(WIDTH, generator=generator)
    for name in "kv":
        made[f"a.emb_rel_{name}"] = torch.randn(1, 2 * WINDOW + 1, WIDTH // HEADS, generator=generator)
    return made


def by_hand(tensors, x, length):
    """Relative attention of one line, one pair of positions at a time; x [T, C]."""
    q, k, v = (x @ tensors[f"a.conv_{n}.weight"][..., 0].T + tensors[f"a.conv_{n}.bias"] for n in "qkv")
    size = WIDTH // HEADS
    out = torch.zeros_like(x)
    for head in range(HEADS):
        part = slice(head * size, (head + 1) * size)
        for i in range(len(x)):
            scores, values = [], []
            for j in range(length):
                near = abs(j - i) <= WINDOW
                key = k[j, part] + (tensors["a.emb_rel_k"][0, j - i + WINDOW] if near else 0)
                scores.append(q[i, part] @ key / size**0.5)
                values.append(v[j, part] + (tensors["a.emb_rel_v"][0, j - i + WINDOW] if near else 0))
            out[i, part] = torch.stack(scores).softmax(0) @ torch.stack(values)
    return out @ tensors["a.conv_o.weight"][..., 0].T + tensors["a.conv_o.bias"]


def built(kind):
    return kind.read(Reader(weights(), torch.device("cpu"), torch.float32), "a", HEADS)


@pytest.mark.parametrize("length", [1, 3, 4, 5, 6, 17])
@pytest.mark.parametrize("at_once", [1 << 24, 60, 1])
def test_relative_attention_is_what_it_is_by_hand(length, at_once, monkeypatch):
    monkeypatch.setattr(attention, "SCORES_AT_ONCE", at_once)
    x = torch.randn(length, WIDTH, generator=torch.Generator().manual_seed(length))
    ours = built(RelativeAttention)(x[None], None)[0]
    torch.testing.assert_close(ours, by_hand(weights(), x, length), atol=2e-6, rtol=0)


def test_padded_lines_of_a_batch_attend_to_their_own_frames_only():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(3, 14, WIDTH, generator=generator)
    lines = Lines.of([14, 9, 1])
    together = built(RelativeAttention)(x, lines.padding(x.device))
    for row, length in enumerate(lines.lengths):
        alone = by_hand(weights(), x[row, :length], length)
        torch.testing.assert_close(together[row, :length], alone, atol=2e-6, rtol=0)


def test_cross_attention_ignores_padded_phonemes():
    generator = torch.Generator().manual_seed(2)
    frames, phonemes = torch.randn(2, 5, WIDTH, generator=generator), torch.randn(2, 9, WIDTH, generator=generator)
    cross = built(CrossAttention)
    lines = Lines.of([9, 4])
    together = cross(frames, phonemes, lines.padding(frames.device))
    alone = cross(frames[1:], phonemes[1:, :4], None)
    torch.testing.assert_close(together[1:], alone, atol=1e-6, rtol=0)
    assert not torch.allclose(together[1:], cross(frames[1:], phonemes[1:], None))
