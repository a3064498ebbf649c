"""HuBERT base: what is said in a reference, as 768 numbers for every 20 ms.

Hsu et al., "HuBERT: Self-Supervised Speech Representation Learning by Masked Prediction of Hidden Units" (2021).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.parametrize import remove_parametrizations
from transformers.models.hubert.configuration_hubert import HubertConfig
from transformers.models.hubert.modeling_hubert import HubertModel

from synthesis.gptsovits.errors import BadInput
from synthesis.gptsovits.networks.assembly import assign, directory_config, directory_state

SHORTEST = 400
"""Samples of a 16 kHz wave that give one frame."""
TRAINING_ONLY = "masked_spec_embed"
POSITIONS = "encoder.pos_conv_embed.conv"
RENAMED = {
    f"{POSITIONS}.weight_g": f"{POSITIONS}.parametrizations.weight.original0",
    f"{POSITIONS}.weight_v": f"{POSITIONS}.parametrizations.weight.original1",
}
"""Released files name weight norm as torch did before 2.0."""


class Hubert:
    """The network, in evaluation mode, without gradients. Holds no state of calls."""

    def __init__(self, model: HubertModel) -> None:
        self._model = model

    @classmethod
    def from_directory(cls, path: str | Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Hubert:
        """From a folder as Hugging Face keeps it (chinese-hubert-base): ``config.json`` and the weights.

        Raises CheckpointRefused, WrongTensors, WrongShape, BadConfig, OSError.
        """
        return cls.from_state(directory_state(path), config=directory_config(path), device=device, dtype=dtype)

    @classmethod
    def from_state(
        cls,
        weights: Mapping[str, Tensor],
        *,
        config: Mapping[str, Any] | None = None,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Hubert:
        """From the tensors of a released file; the configuration of HuBERT base unless one is given."""
        built = HubertConfig(**dict(config or {}), mask_time_prob=0.0, mask_feature_prob=0.0)
        with torch.device("meta"):
            model = HubertModel(built)
        state = {RENAMED.get(name, name): value for name, value in weights.items() if name != TRAINING_ONLY}
        assign(model, state, device, dtype)
        remove_parametrizations(model.encoder.pos_conv_embed.conv, "weight")
        return cls(model)

    def __call__(self, wave: Tensor) -> Tensor:
        """Features [768, frames] of a 16 kHz wave [n], not normalised; 50 frames/s, one fewer than n // 320 or so.

        The level hardly matters: a group norm follows the first layer. Raises BadInput below 400 samples.
        """
        states: Tensor = self._run(self._checked(wave), False).last_hidden_state  # [1, frames, 768]
        return states[0].T.float()

    def stages(self, wave: Tensor) -> dict[str, Tensor]:
        """What comes out on the way: conv_features [512, frames], hidden0, hidden1, last_hidden_state [frames, 768]."""
        checked = self._checked(wave)
        states = self._run(checked, True)
        with torch.inference_mode():
            features = self._model.feature_extractor(checked)  # [1, 512, frames]
        return {
            "conv_features": features[0].float(),
            "hidden0": states.hidden_states[0][0].float(),
            "hidden1": states.hidden_states[1][0].float(),
            "last_hidden_state": states.last_hidden_state[0].float(),
        }

    def _checked(self, wave: Tensor) -> Tensor:
        """The wave as a batch [1, n] of the network's precision and device."""
        if wave.ndim != 1 or wave.shape[0] < SHORTEST:
            raise BadInput("wave", f"has shape {tuple(wave.shape)}; at least {SHORTEST} samples of one channel")
        return wave.to(next(self._model.parameters()))[None]

    @torch.inference_mode()
    def _run(self, batch: Tensor, all_states: bool) -> Any:
        return self._model(batch, output_hidden_states=all_states, return_dict=True)
