"""RoBERTa large (whole word masking) for Chinese: what each character means where it stands, as 1024 numbers.

Cui et al., "Pre-Training with Whole Word Masking for Chinese BERT" (2021). The third state from the end is used, so the
last two of the 24 layers are neither kept nor run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers.models.bert.configuration_bert import BertConfig
from transformers.models.bert.modeling_bert import BertModel

from synthesis.gptsovits.errors import BadConfig, BadInput, ModelUnknown, WrongTensors
from synthesis.gptsovits.networks.assembly import assign, directory_config, directory_state

LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
VOCABULARY = 21128
LAYERS_LEFT_OUT = 2
LONGEST = 510
"""Characters in one piece: 512 positions less the first and the last."""
PREFIX = "bert."
UNUSED = re.compile(r"^(cls\.|bert\.pooler\.|bert\.embeddings\.position_ids$)")
"""Heads of the pre-training, and a buffer that old files hold."""
LAYER = re.compile(r"^encoder\.layer\.(\d+)\.")
FIRST, LAST, UNKNOWN = "[CLS]", "[SEP]", "[UNK]"


class Roberta:
    """The network with its vocabulary, in evaluation mode. Holds no state of calls."""

    def __init__(self, model: BertModel, vocabulary: Mapping[str, int] | None) -> None:
        self._model = model
        self._vocabulary = vocabulary

    @classmethod
    def from_directory(cls, path: str | Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Roberta:
        """From a folder as Hugging Face keeps it: ``config.json``, weights and ``vocab.txt`` or ``tokenizer.json``.

        Raises CheckpointRefused, WrongTensors, WrongShape, BadConfig, ModelUnknown, OSError.
        """
        return cls.from_state(
            directory_state(path),
            config=directory_config(path),
            vocabulary=_vocabulary(Path(path)),
            device=device,
            dtype=dtype,
        )

    @classmethod
    def from_state(
        cls,
        weights: Mapping[str, Tensor],
        *,
        config: Mapping[str, Any] | None = None,
        vocabulary: Mapping[str, int] | None = None,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Roberta:
        """From the tensors of a released file; the large configuration unless one is given."""
        settings = dict(config) if config is not None else {**LARGE, "vocab_size": VOCABULARY}
        layers = settings.get("num_hidden_layers", BertConfig().num_hidden_layers)
        if type(layers) is not int or layers <= LAYERS_LEFT_OUT:
            raise BadConfig("num_hidden_layers", f"is {layers!r}")
        kept = layers - LAYERS_LEFT_OUT
        state = {name.removeprefix(PREFIX): value for name, value in weights.items() if not UNUSED.match(name)}
        _all_layers(state, layers)
        state = {name: value for name, value in state.items() if _layer(name) < kept}
        with torch.device("meta"):
            model = BertModel(BertConfig(**{**settings, "num_hidden_layers": kept}), add_pooling_layer=False)
        assign(model, state, device, dtype)
        positions = torch.arange(model.config.max_position_embeddings, device=device)[None]
        model.embeddings.register_buffer("position_ids", positions, persistent=False)
        model.embeddings.register_buffer("token_type_ids", torch.zeros_like(positions), persistent=False)
        return cls(model, vocabulary)

    def features(self, text: str, word2ph: Sequence[int]) -> Tensor:
        """Features [1024, phonemes] of a Chinese text; ``word2ph``: how many phonemes each character has.

        Every character is one token; one that is not in the vocabulary counts as unknown. Raises BadInput when the
        counts do not match the text, or it is empty or longer than 510 characters.
        """
        if len(word2ph) != len(text):
            raise BadInput("word2ph", f"has {len(word2ph)} counts for {len(text)} characters")
        if not 0 < len(text) <= LONGEST:
            raise BadInput("text", f"has {len(text)} characters; 1 to {LONGEST} are read in one piece")
        rows: Tensor = self._run(self.encode(text), False).last_hidden_state[0, 1:-1].float()  # [characters, 1024]
        counts = torch.as_tensor(list(word2ph), device=rows.device)
        return rows.repeat_interleave(counts, dim=0).T  # [1024, phonemes]

    def weights(self) -> Mapping[str, Tensor]:
        """Tensors that are held as they are computed with; matrices kept in half precision are not among them."""
        return dict(self._model.named_parameters())

    def encode(self, text: str) -> Tensor:
        """Token ids [characters + 2] of a text. Raises ModelUnknown when the network came without a vocabulary."""
        if self._vocabulary is None:
            raise ModelUnknown("vocab.txt", ("vocab.txt", "tokenizer.json"))
        unknown = self._vocabulary[UNKNOWN]
        middle = [self._vocabulary.get(character.lower(), unknown) for character in text]
        return torch.tensor([self._vocabulary[FIRST], *middle, self._vocabulary[LAST]])

    def stages(self, ids: Tensor) -> dict[str, Tensor]:
        """What comes out on the way: embeddings, hidden1 [tokens, 1024], feature [tokens - 2, 1024]."""
        states = self._run(ids, True).hidden_states
        return {
            "embeddings": states[0][0].float(),
            "hidden1": states[1][0].float(),
            "feature": states[-1][0, 1:-1].float(),
        }

    @torch.inference_mode()
    def _run(self, ids: Tensor, all_states: bool) -> Any:
        tokens = ids[None].to(self._model.device)  # [1, tokens]
        return self._model(input_ids=tokens, output_hidden_states=all_states, return_dict=True)


def _layer(name: str) -> int:
    found = LAYER.match(name)
    return int(found[1]) if found else -1


def _all_layers(state: Mapping[str, Tensor], layers: int) -> None:
    """The layers that are left out must be in the file too, or it is of another model. Raises WrongTensors."""
    parts: dict[int, set[str]] = {}
    for name in state:
        parts.setdefault(_layer(name), set()).add(LAYER.sub("", name))
    missing, surplus = [], []
    for layer in range(layers - LAYERS_LEFT_OUT, layers):
        first, found = parts.get(0, set()), parts.get(layer, set())
        missing += [f"encoder.layer.{layer}.{part}" for part in sorted(first - found)]
        surplus += [f"encoder.layer.{layer}.{part}" for part in sorted(found - first)]
    surplus += [f"encoder.layer.{layer}" for layer in sorted(parts) if layer >= layers]
    if missing or surplus:
        raise WrongTensors(tuple(missing), tuple(surplus))


def _vocabulary(path: Path) -> Mapping[str, int]:
    """Tokens and their ids, of either file that tokenizers are kept in. Raises BadConfig, ModelUnknown."""
    if (path / "vocab.txt").exists():
        found = {token: i for i, token in enumerate((path / "vocab.txt").read_text(encoding="utf-8").splitlines())}
    elif (path / "tokenizer.json").exists():
        try:
            found = dict(json.loads((path / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"])
        except (ValueError, KeyError, TypeError) as error:
            raise BadConfig("tokenizer.json", f"holds no vocabulary ({error})") from error
    else:
        raise ModelUnknown(str(path / "vocab.txt"), ("vocab.txt", "tokenizer.json"))
    for token in (FIRST, LAST, UNKNOWN):
        if not isinstance(found.get(token), int):
            raise BadConfig("vocabulary", f"has no {token}")
    return found
