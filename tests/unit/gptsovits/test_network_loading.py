"""HuBERT, RoBERTa and the speaker network: loaded strictly, from the names that released files have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers.models.bert.configuration_bert import BertConfig
from transformers.models.bert.modeling_bert import BertModel
from transformers.models.hubert.configuration_hubert import HubertConfig
from transformers.models.hubert.modeling_hubert import HubertModel

from synthesis.gptsovits.errors import BadConfig, BadInput, CheckpointRefused, ModelUnknown, WrongShape, WrongTensors
from synthesis.gptsovits.networks import speaker
from synthesis.gptsovits.networks.hubert import Hubert
from synthesis.gptsovits.networks.roberta import Roberta
from synthesis.gptsovits.networks.speaker import SpeakerNet

HUBERT: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": [16] * 7,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}
BERT: dict[str, Any] = {
    "vocab_size": 12,
    "hidden_size": 16,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 512,
}
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "你", "好", "世", "界", "，", "。", "a", "b"]


def hubert_state(model: HubertModel) -> dict[str, Tensor]:
    """Named as torch named weight norm before 2.0."""
    new = "encoder.pos_conv_embed.conv.parametrizations.weight.original"
    old = {f"{new}0": "encoder.pos_conv_embed.conv.weight_g", f"{new}1": "encoder.pos_conv_embed.conv.weight_v"}
    return {old.get(name, name): tensor for name, tensor in model.state_dict().items()}


@pytest.fixture(scope="module")
def hubert() -> HubertModel:
    torch.manual_seed(3)
    return HubertModel(HubertConfig(**HUBERT)).eval()


@pytest.fixture(scope="module")
def bert() -> BertModel:
    torch.manual_seed(3)
    return BertModel(BertConfig(**BERT), add_pooling_layer=False).eval()


def bert_state(model: BertModel) -> dict[str, Tensor]:
    state = {f"bert.{name}": tensor for name, tensor in model.state_dict().items()}
    return {**state, "cls.predictions.bias": torch.zeros(12), "bert.pooler.dense.bias": torch.zeros(16)}


@pytest.mark.parametrize("names", ["released", "of this library"])
def test_hubert_is_the_same_network_under_either_name(hubert: HubertModel, names: str) -> None:
    state = hubert_state(hubert) if names == "released" else dict(hubert.state_dict())
    wave = torch.randn(8000, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        theirs = hubert(wave[None]).last_hidden_state[0].T
    ours = Hubert.from_state(state, config=HUBERT)(wave)
    assert ours.shape == (16, 24)
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_hubert_names_missing_and_surplus_tensors(hubert: HubertModel) -> None:
    state = hubert_state(hubert)
    state["encoder.layers.0.attention.z_proj.weight"] = state.pop("encoder.layers.0.attention.q_proj.weight")
    with pytest.raises(WrongTensors) as wrong:
        Hubert.from_state(state, config=HUBERT)
    assert wrong.value.missing == ("encoder.layers.0.attention.q_proj.weight",)
    assert wrong.value.surplus == ("encoder.layers.0.attention.z_proj.weight",)


def test_hubert_refuses_another_shape_and_a_click(hubert: HubertModel) -> None:
    with pytest.raises(WrongShape):
        Hubert.from_state({**hubert_state(hubert), "encoder.layer_norm.bias": torch.zeros(3)}, config=HUBERT)
    with pytest.raises(BadInput):
        Hubert.from_state(hubert_state(hubert), config=HUBERT)(torch.zeros(399))


def test_hubert_loads_from_a_folder(hubert: HubertModel, tmp_path: Path) -> None:
    with pytest.raises(ModelUnknown):
        Hubert.from_directory(tmp_path)
    torch.save({name: tensor.half() for name, tensor in hubert_state(hubert).items()}, tmp_path / "pytorch_model.bin")
    settings = {**HUBERT, "architectures": ["HubertModel"], "torch_dtype": "float16", "mask_time_prob": 0.05}
    settings |= {"gradient_checkpointing": False, "tokenizer_class": "Wav2Vec2CTCTokenizer", "_name_or_path": "x"}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    assert Hubert.from_directory(tmp_path)(torch.zeros(400)).shape == (16, 1)
    (tmp_path / "config.json").write_text("[")
    with pytest.raises(BadConfig):
        Hubert.from_directory(tmp_path)


def test_roberta_gives_the_third_state_from_the_end(bert: BertModel) -> None:
    vocabulary = {token: i for i, token in enumerate(TOKENS)}
    network = Roberta.from_state(bert_state(bert), config=BERT, vocabulary=vocabulary)
    with torch.inference_mode():
        ids = torch.tensor([[2, 4, 5, 8, 3]])
        theirs = bert(input_ids=ids, output_hidden_states=True).hidden_states[-3][0, 1:-1]
    ours = network.features("你好，", [2, 2, 1])
    assert ours.shape == (16, 5)
    for column, row in enumerate((0, 0, 1, 1, 2)):
        assert torch.allclose(ours[:, column], theirs[row], atol=1e-5)


@pytest.mark.parametrize(("text", "ids"), [("你A", [2, 4, 10, 3]), ("龘。", [2, 1, 9, 3]), ("b b", [2, 11, 1, 11, 3])])
def test_every_character_is_one_token(bert: BertModel, text: str, ids: list[int]) -> None:
    network = Roberta.from_state(bert_state(bert), config=BERT, vocabulary={t: i for i, t in enumerate(TOKENS)})
    assert network.encode(text).tolist() == ids


@pytest.mark.parametrize(("text", "word2ph"), [("你好", [2]), ("", []), ("你" * 511, [1] * 511)])
def test_roberta_refuses_counts_that_do_not_match(bert: BertModel, text: str, word2ph: list[int]) -> None:
    network = Roberta.from_state(bert_state(bert), config=BERT, vocabulary={t: i for i, t in enumerate(TOKENS)})
    with pytest.raises(BadInput):
        network.features(text, word2ph)


@pytest.mark.parametrize("layer", [0, 3])
def test_roberta_needs_also_the_layers_that_it_leaves_out(bert: BertModel, layer: int) -> None:
    state = bert_state(bert)
    gone = f"bert.encoder.layer.{layer}.output.dense.bias"
    del state[gone]
    with pytest.raises(WrongTensors) as wrong:
        Roberta.from_state(state, config=BERT)
    assert gone.removeprefix("bert.") in wrong.value.missing + wrong.value.surplus or layer == 0


@pytest.mark.parametrize("form", ["vocab.txt", "tokenizer.json"])
def test_roberta_loads_from_a_folder_with_either_vocabulary(bert: BertModel, tmp_path: Path, form: str) -> None:
    torch.save(bert_state(bert), tmp_path / "pytorch_model.bin")
    (tmp_path / "config.json").write_text(
        json.dumps({**BERT, "model_type": "bert", "directionality": "bidi", "output_past": True})
    )
    with pytest.raises(ModelUnknown):
        Roberta.from_directory(tmp_path)
    tokens = {token: i for i, token in enumerate(TOKENS)}
    text = "\n".join(TOKENS) if form == "vocab.txt" else json.dumps({"model": {"vocab": tokens}})
    (tmp_path / form).write_text(text, encoding="utf-8")
    assert Roberta.from_directory(tmp_path).features("世界", [1, 3]).shape == (16, 4)


def test_a_folder_with_a_malicious_file_of_weights_is_refused(tmp_path: Path) -> None:
    from checkpoint_files import DATA

    (tmp_path / "pytorch_model.bin").write_bytes((DATA / "checkpoints" / "malicious-s2.pth").read_bytes())
    (tmp_path / "config.json").write_text("{}")
    for network in (Hubert, Roberta):
        with pytest.raises(CheckpointRefused):
            network.from_directory(tmp_path)


@pytest.fixture
def speaker_state(monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """Weights of a network a quarter as wide as the published one."""
    monkeypatch.setattr(speaker, "STEM", 16)
    monkeypatch.setattr(speaker, "WIDTH", 5120)
    generator = torch.Generator().manual_seed(1)
    state = {"seg_1.weight": torch.zeros(192, 10240), "seg_1.bias": torch.zeros(192)}
    for part in speaker._convolutions():
        fan_in = part.shape[1] * part.shape[2] * part.shape[3]
        state[f"{part.name}.weight"] = torch.randn(part.shape, generator=generator) / fan_in**0.5
        if part.bias:
            state[f"{part.name}.bias"] = torch.randn(part.shape[0], generator=generator)
        if part.norm is not None:
            state |= {f"{part.norm}.{name}": torch.rand(part.shape[0], generator=generator) for name in speaker.NORM}
            state[f"{part.norm}.num_batches_tracked"] = torch.tensor(0)
    return state


def test_a_speaker_vector_has_ten_bands_of_every_channel(speaker_state: dict[str, Tensor]) -> None:
    network = SpeakerNet.from_state(speaker_state)
    wave = torch.randn(8000, generator=torch.Generator().manual_seed(2))
    vector = network(wave)
    assert vector.shape == (5120,)
    assert torch.isfinite(vector).all()
    assert torch.equal(vector, network(wave))  # nothing is remembered
    assert not torch.equal(vector, network(wave.flip(0)))


def test_the_published_network_has_1001_tensors_and_20480_numbers() -> None:
    names = {"seg_1.weight", "seg_1.bias"}
    for part in speaker._convolutions():
        names |= {f"{part.name}.weight"} | ({f"{part.name}.bias"} if part.bias else set())
        if part.norm is not None:
            names |= {f"{part.norm}.{name}" for name in (*speaker.NORM, "num_batches_tracked")}
    assert (len(names), speaker.WIDTH) == (1001, 20480)


@pytest.mark.parametrize(
    "name", ["seg_1.bias", "layer3.2.fuse_models.1.local_att.4.running_var", "layer1.0.shortcut.0.weight"]
)
def test_a_speaker_network_without_one_tensor_is_refused(speaker_state: dict[str, Tensor], name: str) -> None:
    with pytest.raises(WrongTensors) as wrong:
        SpeakerNet.from_state({key: value for key, value in speaker_state.items() if key != name})
    assert wrong.value.missing == (name,)
