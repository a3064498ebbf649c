import pytest
import torch
from tiny_s2 import tiny_checkpoint, tiny_model
from torch.nn import functional

from synthesis.gptsovits.errors import BadInput

V2, PRO = tiny_model("v2"), tiny_model("v2Pro")


def spectrogram(seed, frames=20):
    return torch.rand(1025, frames, generator=torch.Generator().manual_seed(seed))


def speaker(seed):
    return torch.randn(20480, generator=torch.Generator().manual_seed(seed))


def test_the_style_of_several_references_is_the_mean():
    alone = [V2.style([spectrogram(i)], None) for i in range(3)]
    together = V2.style([spectrogram(i) for i in range(3)], None)
    torch.testing.assert_close(together.ge, torch.stack([style.ge for style in alone]).mean(0), atol=1e-6, rtol=0)
    assert torch.equal(together.ge, together.fusion)


def test_from_v2_on_only_the_lower_bins_count():
    high, low = spectrogram(0), spectrogram(0)
    high[704:] += 5
    low[703] += 5
    before = V2.style([spectrogram(0)], None).ge
    assert torch.equal(V2.style([high], None).ge, before)
    assert not torch.equal(V2.style([low], None).ge, before)


def test_pro_adds_the_speaker_before_the_slope_and_averages_after():
    tensors = tiny_checkpoint("v2Pro").weights
    styles = []
    for i in range(2):
        summed = PRO.style_encoder.reference(spectrogram(i)) + functional.linear(
            speaker(i), tensors["sv_emb.weight"], tensors["sv_emb.bias"]
        )
        styles.append(torch.where(summed > 0, summed, summed * tensors["prelu.weight"]))
    style = PRO.style([spectrogram(0), spectrogram(1)], [speaker(0), speaker(1)])
    ge = (styles[0] + styles[1]) / 2
    torch.testing.assert_close(style.ge, ge, atol=1e-5, rtol=0)
    fusion = functional.linear(ge, tensors["ge_to512.weight"], tensors["ge_to512.bias"])
    torch.testing.assert_close(style.fusion, fusion, atol=1e-5, rtol=0)


def test_codes_are_the_nearest_rows_of_the_codebook():
    tensors = tiny_checkpoint().weights
    ssl = torch.randn(12, 31, generator=torch.Generator().manual_seed(3))
    projected = functional.conv1d(ssl[None], tensors["ssl_proj.weight"], tensors["ssl_proj.bias"], stride=2)[0].T
    rows = tensors["quantizer.vq.layers.0._codebook.embed"]
    expected = torch.cdist(projected, rows).argmin(dim=1)
    assert V2.encode_ssl(ssl).tolist() == expected.tolist()
    assert len(expected) == 15


def test_codes_do_not_depend_on_the_precision_of_the_model():
    ssl = torch.randn(12, 400, generator=torch.Generator().manual_seed(4))
    coarse = tiny_model("v2", dtype=torch.bfloat16)
    assert torch.equal(coarse.encode_ssl(ssl), V2.encode_ssl(ssl))


def test_rows_come_twice():
    codes = torch.tensor([[3, 0]])
    rows = V2.quantiser.rows(codes, torch.float32)[0]
    table = tiny_checkpoint().weights["quantizer.vq.layers.0._codebook.embed"]
    assert torch.equal(rows, table[[3, 3, 0, 0]])


@pytest.mark.parametrize(
    "model, spectrograms, speakers, quantity",
    [
        (V2, [], None, "spectrograms"),
        (V2, [torch.zeros(704, 5)], None, "spectrogram"),
        (V2, [torch.zeros(1025, 0)], None, "spectrogram"),
        (V2, [torch.zeros(1, 1025, 5)], None, "spectrogram"),
        (V2, [torch.zeros(1025, 5)], [torch.zeros(20480)], "speakers"),
        (PRO, [torch.zeros(1025, 5)], None, "speakers"),
        (PRO, [torch.zeros(1025, 5)] * 2, [torch.zeros(20480)], "speakers"),
        (PRO, [torch.zeros(1025, 5)], [torch.zeros(192)], "speaker"),
    ],
)
def test_wrong_references_are_refused(model, spectrograms, speakers, quantity):
    with pytest.raises(BadInput) as caught:
        model.style(spectrograms, speakers)
    assert caught.value.quantity == quantity


@pytest.mark.parametrize("shape", [(12,), (11, 20), (12, 1), (1, 12, 20)])
def test_wrong_features_are_refused(shape):
    with pytest.raises(BadInput, match="ssl"):
        V2.encode_ssl(torch.zeros(shape))
