"""SoVITS, the second stage of GPT-SoVITS: semantic codes, phonemes and a style to audio.

    model = S2Model.from_checkpoint(load_s2(path))
    style = model.style([spectrogram(wave32k)], None)
    samples = model.decode(codes, phonemes, style, generator=torch.Generator().manual_seed(7))

The model is weights only. A call leaves nothing behind, so threads and callers may share one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Protocol

import torch
from torch import Tensor

from synthesis.gptsovits.errors import BadInput, VersionUnsupported
from synthesis.gptsovits.s2.batching import buckets
from synthesis.gptsovits.s2.config import S2Config
from synthesis.gptsovits.s2.content import ContentEncoder
from synthesis.gptsovits.s2.flow import Flow
from synthesis.gptsovits.s2.hifigan import HifiGan, render
from synthesis.gptsovits.s2.lanes import render_lines, threads
from synthesis.gptsovits.s2.layers import Lines, Reader
from synthesis.gptsovits.s2.layout import STYLE_BINS, WITH_SPEAKER, check_tensors
from synthesis.gptsovits.s2.quantiser import Quantiser
from synthesis.gptsovits.s2.style import Style, StyleEncoder

BUILT = tuple(STYLE_BINS)
"""Versions whose networks are here. v3 and v4 share codes, styles and content encoder with these and replace flow and
decoder by flow matching and a vocoder: they will be their own model beside this one, from the same parts."""

LINES_TOGETHER = 16
AREA_TOGETHER = 16 * 600 * 600
"""Frames squared of a batch: sixteen lines of 12 s."""
BLOCK_GPU = 600
"""Latent frames the decoder renders at a time: 12 s fill a GPU."""


class S2Weights(Protocol):
    """What a model is built from: the part of a checkpoint that matters here."""

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """Tensors by name, any float precision."""

    @property
    def config(self) -> Mapping[str, Any]:
        """With the sections ``model`` and ``data``."""

    @property
    def version(self) -> str:
        """v1, v2, v2Pro, v2ProPlus, v3, v4."""


@dataclass(frozen=True, eq=False)
class S2Request:
    """One line to decode.

    ``codes`` [T] int64 at 25 Hz, ``phonemes`` [P] int64 ids of the target text alone, ``speed`` above 1 is faster,
    ``noise_scale`` 0 or more times the latent's deviation (0 is the mean, always the same audio), ``generator`` the
    source of the noise, on any device. Without a generator the noise is fresh, and no global state is touched.
    """

    codes: Tensor
    phonemes: Tensor
    style: Style
    speed: float = 1.0
    noise_scale: float = 0.5
    generator: torch.Generator | None = None


@dataclass(frozen=True, eq=False, repr=False)
class S2Model:
    """All networks of one s2 model. Build it with ``from_checkpoint``."""

    version: str
    config: S2Config
    quantiser: Quantiser
    style_encoder: StyleEncoder
    content: ContentEncoder
    flow: Flow
    decoder: HifiGan

    @classmethod
    def from_checkpoint(
        cls, checkpoint: S2Weights, *, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
    ) -> S2Model:
        """Copies the weights to ``device`` in ``dtype``; weight norm is fused.

        Raises VersionUnsupported, BadConfig, WrongTensors (names missing or surplus; ``enc_q`` is ignored), WrongShape.
        """
        version = str(checkpoint.version)
        if version not in BUILT:
            raise VersionUnsupported(version, BUILT)
        config = S2Config.from_mapping(checkpoint.config)
        reader = Reader(check_tensors(checkpoint.weights, config, version), torch.device(device), dtype)
        with torch.inference_mode():
            return cls(
                version=version,
                config=config,
                quantiser=Quantiser.read(reader, config.code_stride),
                style_encoder=StyleEncoder.read(reader, version in WITH_SPEAKER),
                content=ContentEncoder.read(reader, config),
                flow=Flow.read(reader, config),
                decoder=HifiGan.read(reader, config),
            )

    @property
    def sample_rate(self) -> int:
        """Of the audio, in Hz: 32000 in all released models."""
        return self.config.sample_rate

    @property
    def samples_per_code(self) -> int:
        """Samples per code at speed 1: 1280 in all released models."""
        return self.config.hop * self.config.code_stride

    @property
    def wants_speakers(self) -> bool:
        """Whether ``style`` needs speaker vectors."""
        return self.style_encoder.part is not None

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.content.phoneme_table.device

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the weights; codes are always found in float32."""
        return self.content.phoneme_table.dtype

    @torch.inference_mode()
    def encode_ssl(self, ssl: Tensor) -> Tensor:
        """Speech features [width, T] at 50 Hz -> codes [T // 2] int64 at 25 Hz. Raises BadInput for another shape."""
        return self.quantiser.encode(ssl)

    @torch.inference_mode()
    def style(self, spectrograms: Sequence[Tensor], speakers: Sequence[Tensor] | None) -> Style:
        """Linear magnitudes [1025, frames] of the references, and speaker vectors [20480] (v2Pro*) -> their mean style.

        Raises BadInput for wrong shapes or numbers.
        """
        return self.style_encoder(spectrograms, speakers)

    def decode(
        self,
        codes: Tensor,
        phonemes: Tensor,
        style: Style,
        *,
        speed: float = 1.0,
        noise_scale: float = 0.5,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """One line; arguments as in S2Request. -> samples [n] float32 in [-1, 1] on the model's device.

        n = samples_per_code * T at speed 1, otherwise (int(frames / speed) + 1) * samples per frame. Raises BadInput.
        """
        return self.decode_many([S2Request(codes, phonemes, style, speed, noise_scale, generator)])[0]

    @torch.inference_mode()
    def decode_many(self, requests: Sequence[S2Request]) -> list[Tensor]:
        """Several lines, each as it would be alone (within rounding); samples in the order of the requests.

        Lines of like length go together under masks. The noise of a line comes from its own generator. All requests are
        checked before any is decoded. Raises BadInput.
        """
        for request in requests:
            self._check(request)
        found: dict[int, Tensor] = {}
        frames = [len(request.codes) * self.config.code_stride for request in requests]
        for bucket in buckets(frames, LINES_TOGETHER, AREA_TOGETHER):
            for index, samples in zip(bucket, self._decode([requests[i] for i in bucket]), strict=True):
                found[index] = samples
        return [found[index] for index in range(len(requests))]

    def _decode(self, requests: Sequence[S2Request]) -> list[Tensor]:
        """One bucket."""
        ge = torch.stack([request.style.ge for request in requests]).to(self.device, self.dtype)  # [B, gin]
        if self.device.type != "cpu":
            z, lines = self._speech_latent(requests, ge)
            return [samples.float() for samples in render(self.decoder, z, ge, lines, BLOCK_GPU)]
        # these products are small: on a machine that does other things too, more threads mostly wait for one another
        with threads(max(1, torch.get_num_threads() // 2)):
            z, lines = self._speech_latent(requests, ge)
        return [samples.float() for samples in render_lines(self.decoder, z, ge, lines)]

    def _speech_latent(self, requests: Sequence[S2Request], ge: Tensor) -> tuple[Tensor, Lines]:
        """What the decoder renders, [B, frames, inter]."""
        mean, log_deviation, lines = self.latent(requests)
        noise = torch.nn.utils.rnn.pad_sequence(
            [self._noise(request, length) for request, length in zip(requests, lines.lengths, strict=True)],
            batch_first=True,
        ).to(mean)  # [B, T, inter]
        return self.flow(lines.clear(mean + noise * log_deviation.exp()), ge, lines), lines

    def latent(self, requests: Sequence[S2Request]) -> tuple[Tensor, Tensor, Lines]:
        """Mean and log deviation of the latent before the flow, [B, frames, inter], and the lengths in frames."""
        codes = [request.codes.to(self.device) for request in requests]
        frames = Lines.of([len(line) * self.config.code_stride for line in codes])
        padded = torch.nn.utils.rnn.pad_sequence(codes, batch_first=True)  # [B, T]
        phonemes = [request.phonemes.to(self.device) for request in requests]
        text = torch.nn.utils.rnn.pad_sequence(phonemes, batch_first=True)  # [B, P]
        timbre = torch.stack([request.style.fusion for request in requests]).to(self.device, self.dtype)
        stages = self.content.stages(
            self.quantiser.rows(padded, self.dtype), frames, text, Lines.of([len(line) for line in phonemes]), timbre
        )
        return self.content.distribution(stages["encoder2"], frames, [request.speed for request in requests])

    def _noise(self, request: S2Request, frames: int) -> Tensor:
        """[frames, inter] float32, scaled; drawn as [inter, frames]."""
        if request.noise_scale == 0:
            return torch.zeros(frames, self.config.inter, device=self.device)
        generator = request.generator
        if generator is None:
            generator = torch.Generator()
            generator.seed()
        drawn = torch.randn(self.config.inter, frames, generator=generator, device=generator.device)
        return drawn.T.to(self.device) * request.noise_scale

    def _check(self, request: S2Request) -> None:
        _check_ids("codes", request.codes, self.quantiser.codebook.shape[0])
        _check_ids("phonemes", request.phonemes, self.content.phoneme_table.shape[0])
        if not (isfinite(request.speed) and request.speed > 0):
            raise BadInput("speed", f"is {request.speed}, wanted more than 0")
        if not (isfinite(request.noise_scale) and request.noise_scale >= 0):
            raise BadInput("noise_scale", f"is {request.noise_scale}, wanted 0 or more")
        if request.style.ge.shape != (self.config.gin,):
            raise BadInput(
                "style", f"has width {tuple(request.style.ge.shape)}, wanted [{self.config.gin}]: of another model?"
            )


def _check_ids(name: str, ids: Tensor, count: int) -> None:
    if ids.dim() != 1 or ids.dtype != torch.int64 or len(ids) == 0:
        raise BadInput(
            name, f"have shape {tuple(ids.shape)} and type {ids.dtype}, wanted at least one int64 in one row"
        )
    low, high = int(ids.min()), int(ids.max())
    if low < 0 or high >= count:
        raise BadInput(name, f"are {low} to {high}, wanted 0 to {count - 1}")
