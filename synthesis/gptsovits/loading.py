"""Where the engine gets its models from: one place that knows every loader, and imports each when it is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import torch
from torch import Tensor

from synthesis.errors import VoiceMissing
from synthesis.gptsovits.errors import ModelChanged, naming
from synthesis.gptsovits.voice import ModelFile, content_sha256

if TYPE_CHECKING:
    from synthesis.gptsovits.checkpoints.load import S1Checkpoint, S2Checkpoint
    from synthesis.gptsovits.s1 import S1Batch, S1Model
    from synthesis.gptsovits.s2 import S2Model
    from synthesis.text.language import Segment

Quantise = Literal["bf16", "int8"]


class Listener(Protocol):
    """HuBERT ([n] at 16 kHz → [768, T]) and the speaker network ([n] at 16 kHz → [20480])."""

    def __call__(self, wave: Tensor) -> Tensor:
        """The features of a wave."""


class TextNetwork(Protocol):
    """RoBERTa."""

    def features(self, text: str, word2ph: Sequence[int]) -> Tensor:
        """Features of the characters, repeated for their phonemes, [1024, sum(word2ph)]."""


class TextReader(Protocol):
    """The front end: text to segments of one language."""

    @property
    def name(self) -> str:
        """What reads Chinese polyphones."""

    @property
    def version(self) -> str:
        """What the phonemes depend on, in one line."""

    def segments(self, text: str, language: str, *, lexicon: Mapping[str, str] | None = None) -> Sequence[Segment]:
        """Phonemes of a text. Raises TextError."""


@dataclass(frozen=True, slots=True, eq=False)
class LoadedS1:
    """An s1 model; the checkpoint beside it has no weights any more."""

    checkpoint: S1Checkpoint
    model: S1Model


@dataclass(frozen=True, slots=True, eq=False)
class LoadedS2:
    """An s2 model; the checkpoint beside it has no weights any more."""

    checkpoint: S2Checkpoint
    model: S2Model


class Loaders:
    """Loads from files onto one device. Every loader raises VoiceError for a file that is not what it should be."""

    def __init__(
        self, device: str = "cpu", dtype: torch.dtype = torch.float32, quantise: Quantise | None = None
    ) -> None:
        self.device = device
        self.dtype = dtype
        self.quantise = quantise

    def s1(self, file: ModelFile) -> LoadedS1:
        """Text to codes."""
        from synthesis.gptsovits.checkpoints.load import load_s1
        from synthesis.gptsovits.s1 import S1Model

        with naming(file.path):
            checkpoint = load_s1(_there(file.path))
            _same(file, checkpoint.sha256)
            model = S1Model.from_checkpoint(checkpoint, device=self.device, dtype=self.dtype, quantise=self.quantise)
        return LoadedS1(replace(checkpoint, weights={}), model)

    def s2(self, file: ModelFile) -> LoadedS2:
        """Codes to audio."""
        from synthesis.gptsovits.checkpoints.load import load_s2
        from synthesis.gptsovits.s2 import S2Model

        with naming(file.path):
            checkpoint = load_s2(_there(file.path))
            _same(file, checkpoint.sha256)
            model = S2Model.from_checkpoint(checkpoint, device=self.device, dtype=self.dtype)
        return LoadedS2(replace(checkpoint, weights={}), model)

    def hubert(self, file: ModelFile) -> Listener:
        """The network that hears prompts: a folder as Hugging Face shares it."""
        from synthesis.gptsovits.networks.hubert import Hubert

        _same(file, content_sha256(file.path))
        with naming(file.path):
            return Hubert.from_directory(file.path, device=self.device, dtype=self.dtype)

    def roberta(self, file: ModelFile) -> TextNetwork:
        """The network that reads Chinese: a folder as Hugging Face shares it."""
        from synthesis.gptsovits.networks.roberta import Roberta

        _same(file, content_sha256(file.path))
        with naming(file.path):
            return Roberta.from_directory(file.path, device=self.device, dtype=self.dtype)

    def speaker(self, file: ModelFile) -> Listener:
        """The network that tells speakers apart, for v2Pro and v2ProPlus."""
        from synthesis.gptsovits.networks.speaker import SpeakerNet

        _same(file, content_sha256(file.path))
        with naming(file.path):
            return SpeakerNet.from_file(file.path, device=self.device, dtype=self.dtype)

    def front_end(self, symbols: Literal["v1", "v2"], g2pw: ModelFile | None) -> TextReader:
        """What reads text for checkpoints of these symbols."""
        from synthesis.text.frontend import FrontEnd

        if g2pw is not None:
            _same(g2pw, content_sha256(g2pw.path))
        return FrontEnd(symbols, g2pw=None if g2pw is None else g2pw.path)

    def spectrogram(self, wave: Tensor) -> Tensor:
        """Linear magnitudes [1025, frames] of a wave [m] at 32 kHz."""
        from synthesis.gptsovits.networks.spectrogram import spectrogram

        return spectrogram(wave)

    def batch(self, model: S1Model, slots: int) -> S1Batch:
        """A decoder of the model for as many segments at once."""
        from synthesis.gptsovits.s1 import S1Batch

        return S1Batch(model, slots=slots)


def _there(path: Path) -> Path:
    if not path.is_file():
        raise VoiceMissing(str(path), "there is no such file on this machine")
    return path


def _same(file: ModelFile, found: str) -> None:
    if found != file.sha256:
        raise ModelChanged(str(file.path), file.sha256, found)
