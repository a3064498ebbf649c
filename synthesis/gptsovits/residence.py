"""Voices in memory: a voice's checkpoints, the networks under them, and its clips as codes, phonemes and style."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

from synthesis.engine import VoiceSpec
from synthesis.errors import TextError
from synthesis.gptsovits.checkpoints.load import check_pair
from synthesis.gptsovits.errors import ChineseUnread, ModelChanged, ModelNeeded, TranscriptUnreadable
from synthesis.gptsovits.gate import Codes, PaceHistory
from synthesis.gptsovits.loading import Listener, Loaders, TextNetwork, TextReader
from synthesis.gptsovits.memory import give_back, loading
from synthesis.gptsovits.pool import ModelPool
from synthesis.gptsovits.reference import BoundedCache, read_reference
from synthesis.gptsovits.s2 import S2Model, Style
from synthesis.gptsovits.voice import Clip, ModelFile, Voice, content_sha256, read_voice
from synthesis.text.cuts import split_long

if TYPE_CHECKING:
    from synthesis.gptsovits.s1 import S1Model

T = TypeVar("T")
FEATURES_KEPT: Final = 32
"""Clips whose features are kept; one of 10 s has 4 MB."""
BERT_WIDTH: Final = 1024
_STOPS = frozenset("，。？！,.?!~:：—…")


@dataclass(frozen=True, slots=True, eq=False)
class ReadText:
    """A piece of text as the networks take it."""

    phonemes: Tensor
    """[P] int64."""
    bert: Tensor | None
    """[1024, P] float32 on the CPU; None when no part of it is Chinese."""
    languages: tuple[str, ...]
    """Of its parts, each once."""


@dataclass(frozen=True, slots=True, eq=False)
class ReadyClip:
    """A reference clip, ready to be continued from."""

    text: ReadText
    codes: Tensor
    """[C] int64 on the CPU."""
    style: Style

    @property
    def prompt(self) -> Codes:
        """The codes as an array."""
        found: Codes = self.codes.numpy().astype(np.int64)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _Features:
    """What the networks heard in a clip; the same for every fine-tune of a base."""

    ssl: Tensor
    """[768, T] at 50 Hz; empty for a clip that is there for its timbre only."""
    spectrogram: Tensor
    """[1025, frames]."""
    speaker: Tensor | None
    """[20480], where the voice has a speaker network."""


@dataclass(frozen=True, slots=True, eq=False)
class ReadyVoice:
    """A voice whose models are loaded. Weights, clips and the pace of the voice: nothing of any line."""

    label: str
    parameters: Mapping[str, Any]
    """As the voice was asked for."""
    voice: Voice
    s1: S1Model
    s2: S2Model
    front_end: TextReader
    hubert: Listener
    roberta: TextNetwork | None
    speaker: Listener | None
    keys: tuple[Hashable, ...]
    """What it holds in the pool."""
    clips: dict[int, ReadyClip]
    history: dict[str, PaceHistory]
    """Pace by language."""

    @property
    def s1_key(self) -> str:
        """Lines of voices with the same key are decoded together."""
        return self.voice.s1.sha256

    def read(self, text: str, language: str) -> ReadText:
        """Phonemes and text features. Raises TextError."""
        segments = self.front_end.segments(text, language, lexicon=self.voice.lexicon)
        ids = [number for segment in segments for number in segment.phonemes.ids]
        chinese = any(each.phonemes.language == "zh" and each.phonemes.word2ph for each in segments)
        bert = torch.zeros(BERT_WIDTH, len(ids)) if chinese else None
        start = 0
        for segment in segments:
            end = start + len(segment.phonemes.ids)
            if bert is not None and segment.phonemes.language == "zh" and segment.phonemes.word2ph:
                bert[:, start:end] = self._features(segment.phonemes.norm, segment.phonemes.word2ph)
            start = end
        languages = tuple(dict.fromkeys(each.phonemes.language for each in segments))
        return ReadText(torch.tensor(ids, dtype=torch.int64), bert, languages)

    def _features(self, norm: str, word2ph: tuple[int, ...]) -> Tensor:
        if self.roberta is None:
            raise ChineseUnread(self.label, norm)
        found, start = [], 0
        for part in split_long(norm):  # numbers in words are longer than what was cut before
            end = start + len(part)
            found.append(self.roberta.features(part, word2ph[start:end]).float().cpu())
            start = end
        return torch.cat(found, dim=1)


class Residence:
    """Loads voices, shares what they have in common, and keeps what the networks heard in their clips."""

    def __init__(self, loaders: Loaders) -> None:
        self._loaders = loaders
        self._pool = ModelPool()
        self._features: BoundedCache[Hashable, _Features] = BoundedCache(FEATURES_KEPT)

    def load(self, spec: VoiceSpec) -> ReadyVoice:
        """Load a voice and its first clip. Raises VoiceError of every kind; then nothing of it stays loaded."""
        voice = read_voice(spec.name, spec.parameters)
        held: list[Hashable] = []
        try:
            with loading():
                ready = self._assemble(spec, voice, held)
            self.clip(ready, 0)
        except BaseException:
            self._let_go(held)
            raise
        return ready

    def release(self, ready: ReadyVoice) -> None:
        """Let go of a voice; models that no other voice holds leave memory with its last line."""
        self._let_go(ready.keys)
        give_back()

    def loaded(self) -> list[Hashable]:
        """Keys of the models in memory, (kind, sha256)."""
        return self._pool.keys()

    def clip(self, ready: ReadyVoice, index: int) -> ReadyClip:
        """A clip of the voice, made ready at its first use. Raises ReferenceUnusable, ModelNeeded, ModelChanged."""
        if index not in ready.clips:
            ready.clips[index] = self._prepare(ready, ready.voice.clips[index])
        return ready.clips[index]

    def _let_go(self, keys: list[Hashable] | tuple[Hashable, ...]) -> None:
        for key in keys:
            self._pool.release(key)

    def _assemble(self, spec: VoiceSpec, voice: Voice, held: list[Hashable]) -> ReadyVoice:
        def share(kind: str, file: ModelFile, load: Callable[[ModelFile], T]) -> T:
            key = (kind, file.sha256)
            value = self._pool.acquire(key, lambda: load(file))
            held.append(key)
            return value

        # the two checkpoints first: they are what people mix up, and the rest takes longest
        s2 = share("s2", voice.s2, self._loaders.s2)
        s1 = share("s1", voice.s1, self._loaders.s1)
        check_pair(s1.checkpoint, s2.checkpoint)
        wants_speaker = s2.model.wants_speakers
        if wants_speaker and voice.speaker is None:
            raise ModelNeeded("speaker", f"checkpoints of {s2.model.version} are used with a speaker network")
        # the largest of the rest first: while it is read, it is in memory twice
        roberta = share("roberta", voice.roberta, self._loaders.roberta) if voice.roberta else None
        return ReadyVoice(
            label=spec.label,
            parameters=spec.parameters,
            voice=voice,
            s1=s1.model,
            s2=s2.model,
            front_end=self._share_front_end(s2.model.version, voice, held),
            hubert=share("hubert", voice.hubert, self._loaders.hubert),
            roberta=roberta,
            speaker=share("speaker", voice.speaker, self._loaders.speaker) if voice.speaker and wants_speaker else None,
            keys=tuple(held),
            clips={},
            history={},
        )

    def _share_front_end(self, version: str, voice: Voice, held: list[Hashable]) -> TextReader:
        """Voices with the same symbols share the dictionaries; each brings its lexicon with every call."""
        symbols: Literal["v1", "v2"] = "v1" if version == "v1" else "v2"
        key = ("front end", symbols, voice.g2pw.sha256 if voice.g2pw else "")
        found = self._pool.acquire(key, lambda: self._loaders.front_end(symbols, voice.g2pw))
        held.append(key)
        return found

    def _prepare(self, ready: ReadyVoice, clip: Clip) -> ReadyClip:
        transcript = clip.text if clip.text[-1] in _STOPS else clip.text + ("." if clip.language == "en" else "。")
        try:
            text = ready.read(transcript, clip.language)
        except TextError as error:
            raise TranscriptUnreadable(str(clip.audio.path), str(error)) from error
        heard = [self._hear(ready, clip.audio, timbre_only=False)]
        heard += [self._hear(ready, each, timbre_only=True) for each in clip.also]
        codes = ready.s2.encode_ssl(heard[0].ssl)
        speakers = [each.speaker for each in heard if each.speaker is not None]
        style = ready.s2.style([each.spectrogram for each in heard], speakers if ready.s2.wants_speakers else None)
        return ReadyClip(text, codes.cpu(), style)

    def _hear(self, ready: ReadyVoice, file: ModelFile, *, timbre_only: bool) -> _Features:
        speaker_sha = ready.voice.speaker.sha256 if ready.voice.speaker and ready.speaker else None
        key = (file.sha256, timbre_only, ready.voice.hubert.sha256, speaker_sha)
        return self._features.get(key, lambda: self._listen(ready, file, timbre_only=timbre_only))

    def _listen(self, ready: ReadyVoice, file: ModelFile, *, timbre_only: bool) -> _Features:
        waves = read_reference(file.path, timbre_only=timbre_only)
        found = content_sha256(file.path)
        if found != file.sha256:
            raise ModelChanged(str(file.path), file.sha256, found)
        return _Features(
            ssl=torch.empty(0) if timbre_only else ready.hubert(torch.from_numpy(waves.prompt)),
            spectrogram=self._loaders.spectrogram(torch.from_numpy(waves.timbre)),
            speaker=None if ready.speaker is None else ready.speaker(torch.from_numpy(waves.speaker)),
        )
