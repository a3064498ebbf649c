"""Spectrograms, HuBERT, RoBERTa and the speaker network against their vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from synthesis.gptsovits.networks import spectrogram as transforms
from synthesis.parity import vectors
from synthesis.parity.results import Check, Result, Skip, close
from synthesis.parity.vectors import Arrays

SPECTRUM_TOLERANCE, MEL_TOLERANCE = 2e-4, 1e-4
FBANK_TOLERANCE, SPEAKER_TOLERANCE = 1e-3, 5e-4
HUBERT_TOLERANCE = 5e-5
ROBERTA_TOLERANCE = 3e-5
FULL_SCALE = 32768.0


def checks(folder: Path) -> Iterator[Result]:
    """Compare every network of this file that the folder has a vector of, one at a time."""
    for name in vectors.names(folder, "spectrogram"):
        yield from _spectrograms(_file(name), vectors.load(folder, name))
    for prefix, compare in NETWORKS.items():
        for name in vectors.names(folder, prefix):
            weights = vectors.weights(folder, name)
            if weights is None:
                yield Skip(_file(name), "no salt, or no table of shapes, to make weights from")
                continue
            tensors = {key: torch.from_numpy(value) for key, value in weights.items()}
            yield from compare(_file(name), vectors.load(folder, name), tensors)


def _file(name: str) -> str:
    return f"vectors/{name}.npz"


def _wave(stored: Arrays, key: str) -> Tensor:
    return torch.from_numpy(stored[key]).float() / FULL_SCALE


def _spectrograms(file: str, stored: Arrays) -> Iterator[Check]:
    wave = _wave(stored, "wave32k_int16")
    bins = stored["spec"].shape[1]  # small copies hold the first ones only
    yield close(file, "spec", transforms.spectrogram(wave)[None, :bins], stored["spec"], SPECTRUM_TOLERANCE)
    mel_v3 = transforms.mel_v3(_wave(stored, "wave24k_int16"))
    yield close(file, "mel_v3", mel_v3[None], stored["mel_v3"], MEL_TOLERANCE)
    yield close(file, "mel_v4", transforms.mel_v4(wave)[None], stored["mel_v4"], MEL_TOLERANCE)


def _speaker(file: str, stored: Arrays, weights: Mapping[str, Tensor]) -> Iterator[Check]:
    from synthesis.gptsovits.networks.speaker import SpeakerNet

    network, wave = SpeakerNet.from_state(weights), _wave(stored, "wave16k_int16")
    yield close(file, "fbank", network.fbank(wave), stored["fbank"], FBANK_TOLERANCE)
    yield close(file, "embedding", network(wave)[None], stored["embedding"], SPEAKER_TOLERANCE)


def _hubert(file: str, stored: Arrays, weights: Mapping[str, Tensor]) -> Iterator[Check]:
    from synthesis.gptsovits.networks.hubert import Hubert

    stages = Hubert.from_state(weights).stages(_wave(stored, "wave16k_int16"))
    rows = stored["conv_features"].shape[1]
    yield close(file, "conv_features", stages["conv_features"][None, :rows], stored["conv_features"], HUBERT_TOLERANCE)
    yield from _columns(file, stages, stored, ("hidden0", "hidden1", "last_hidden_state"), HUBERT_TOLERANCE)


def _roberta(file: str, stored: Arrays, weights: Mapping[str, Tensor]) -> Iterator[Check]:
    from synthesis.gptsovits.networks.roberta import Roberta

    stages = Roberta.from_state(weights).stages(torch.from_numpy(stored["input_ids"][0]))
    yield from _columns(file, stages, stored, ("embeddings", "hidden1"), ROBERTA_TOLERANCE)
    yield close(file, "feature", stages["feature"], stored["feature"], ROBERTA_TOLERANCE)


def _columns(
    file: str, stages: Mapping[str, Tensor], stored: Arrays, keys: tuple[str, ...], tolerance: float
) -> Iterator[Check]:
    """Vectors hold the first columns of most states."""
    for key in keys:
        yield close(file, key, stages[key][None, :, : stored[key].shape[2]], stored[key], tolerance)


NETWORKS: Mapping[str, Callable[[str, Arrays, Mapping[str, Tensor]], Iterator[Check]]] = {
    "eres2netv2": _speaker,
    "hubert": _hubert,
    "roberta": _roberta,
}
