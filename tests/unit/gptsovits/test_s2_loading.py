import pickle

import pytest
import torch
from tiny_s2 import TinyCheckpoint, tiny_checkpoint, tiny_model, tiny_request

from synthesis.gptsovits.errors import BadConfig, VersionUnsupported, WrongShape, WrongTensors
from synthesis.gptsovits.s2 import S2Model


def test_missing_and_surplus_tensors_are_named():
    checkpoint = tiny_checkpoint()
    del checkpoint.weights["enc_p.proj.bias"]
    del checkpoint.weights["dec.resblocks.3.convs2.1.weight_g"]
    checkpoint.weights["dec.noise.weight"] = torch.zeros(1)
    with pytest.raises(WrongTensors) as caught:
        S2Model.from_checkpoint(checkpoint)
    assert caught.value.missing == ("dec.resblocks.3.convs2.1.weight_g", "enc_p.proj.bias")
    assert caught.value.surplus == ("dec.noise.weight",)
    assert pickle.loads(pickle.dumps(caught.value)).args == caught.value.args


@pytest.mark.parametrize("version", ["v1", "v2", "v2Pro"])
def test_no_tensor_of_a_file_may_be_left_out(version):
    whole = tiny_checkpoint(version)
    for name in whole.weights:
        rest = {other: tensor for other, tensor in whole.weights.items() if other != name}
        with pytest.raises(WrongTensors) as caught:
            S2Model.from_checkpoint(TinyCheckpoint(version, whole.config, rest))
        assert name in caught.value.missing


def test_a_tensor_of_another_shape_is_named_with_both_shapes():
    checkpoint = tiny_checkpoint()
    checkpoint.weights["dec.conv_post.weight"] = torch.zeros(1, 3, 7)
    with pytest.raises(WrongShape) as caught:
        S2Model.from_checkpoint(checkpoint)
    assert caught.value.args == ("dec.conv_post.weight", (1, 2, 7), (1, 3, 7))


def test_a_reference_encoder_of_another_version_is_a_wrong_shape():
    checkpoint = tiny_checkpoint("v2")
    checkpoint.version = "v1"
    with pytest.raises(WrongShape, match=r"ref_enc\.spectral"):
        S2Model.from_checkpoint(checkpoint)


def test_a_pro_file_does_not_load_as_v2():
    checkpoint = tiny_checkpoint("v2Pro")
    checkpoint.version = "v2"
    with pytest.raises(WrongTensors) as caught:
        S2Model.from_checkpoint(checkpoint)
    assert "sv_emb.weight" in caught.value.surplus


def test_the_posterior_encoder_is_dropped():
    checkpoint = tiny_checkpoint()
    with_training_part = tiny_checkpoint()
    with_training_part.weights["enc_q.pre.weight"] = torch.zeros(2, 2, 1)
    plain, other = S2Model.from_checkpoint(checkpoint), S2Model.from_checkpoint(with_training_part)
    assert torch.equal(plain.decode_many([tiny_request(plain)])[0], other.decode_many([tiny_request(other)])[0])


def test_the_model_keeps_its_own_copy_of_the_weights():
    checkpoint = tiny_checkpoint()
    model = S2Model.from_checkpoint(checkpoint)
    before = model.decode_many([tiny_request(model)])[0]
    for tensor in checkpoint.weights.values():
        tensor.zero_()
    assert torch.equal(model.decode_many([tiny_request(model)])[0], before)


def test_half_precision_files_compute_in_single_precision():
    checkpoint = tiny_checkpoint()
    checkpoint.weights = {name: tensor.half() for name, tensor in checkpoint.weights.items()}
    model = S2Model.from_checkpoint(checkpoint)
    assert model.dtype == torch.float32
    assert model.decode_many([tiny_request(model)])[0].isfinite().all()


@pytest.mark.parametrize("version", ["v3", "v4", "v5"])
def test_versions_without_a_network_here_are_refused(version):
    checkpoint = tiny_checkpoint()
    checkpoint.version = version
    with pytest.raises(VersionUnsupported, match=version):
        S2Model.from_checkpoint(checkpoint)


@pytest.mark.parametrize(
    "change",
    [
        {"inter_channels": 7},
        {"inter_channels": None},
        {"n_heads": 3},
        {"gin_channels": -1},
        {"gin_channels": True},
        {"upsample_rates": [5, 2]},
        {"upsample_rates": "522"},
        {"upsample_kernel_sizes": [10, 8, 2]},
        {"upsample_kernel_sizes": [3, 8, 2]},
        {"upsample_initial_channel": 4},
        {"resblock": "2"},
        {"resblock_kernel_sizes": [3, 4]},
        {"resblock_dilation_sizes": [[1, 3]]},
        {"resblock_dilation_sizes": 5},
        {"semantic_frame_rate": "12hz"},
    ],
)
def test_an_impossible_configuration_is_refused(change):
    checkpoint = tiny_checkpoint()
    checkpoint.config["model"].update(change)
    with pytest.raises(BadConfig) as caught:
        S2Model.from_checkpoint(checkpoint)
    assert caught.value.key.split(".")[-1]


@pytest.mark.parametrize("section", ["model", "data"])
def test_an_absent_section_is_refused(section):
    checkpoint = tiny_checkpoint()
    del checkpoint.config[section]
    with pytest.raises(BadConfig, match=section):
        S2Model.from_checkpoint(checkpoint)


def test_rates_come_from_the_configuration():
    model = tiny_model()
    assert (model.sample_rate, model.samples_per_code) == (32000, 2 * 5 * 2 * 2)
