"""What a reference sounds like: spectrograms, and speaker vectors where there are any, to conditioning vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor
from torch.nn import functional

from synthesis.gptsovits.errors import BadInput
from synthesis.gptsovits.s2.attention import join_heads, split_heads
from synthesis.gptsovits.s2.config import SPEAKER_WIDTH, STYLE_HEADS
from synthesis.gptsovits.s2.layers import Conv, Linear, Reader
from synthesis.gptsovits.s2.layout import SPECTRUM_BINS


@dataclass(frozen=True, eq=False)
class Style:
    """The timbre of a voice: ``ge`` [gin] conditions flow and decoder, ``fusion`` [width] goes into the content encoder
    (the same vector in v1 and v2). It belongs to the model that made it; keep it as long as the references stand."""

    ge: Tensor
    fusion: Tensor


@dataclass(frozen=True)
class SpeakerPart:
    """v2Pro and v2ProPlus: the speaker vector is added to the style, then a PReLU; MRTE gets a narrower projection."""

    speaker: Linear
    slope: Tensor
    to_fusion: Linear

    @classmethod
    def read(cls, reader: Reader) -> SpeakerPart:
        """``sv_emb``, ``prelu``, ``ge_to512``."""
        return cls(reader.linear("sv_emb"), reader.tensor("prelu.weight"), reader.linear("ge_to512"))


@dataclass(frozen=True)
class StyleEncoder:
    """MelStyleEncoder (Min et al. 2021, arXiv:2106.03153) over linear magnitudes."""

    dense: tuple[Linear, Linear]
    gated: tuple[Conv, Conv]
    q: Linear
    k: Linear
    v: Linear
    mix: Linear
    out: Linear
    part: SpeakerPart | None

    @classmethod
    def read(cls, reader: Reader, with_speaker: bool) -> StyleEncoder:
        """Under ``ref_enc``."""
        return cls(
            dense=(reader.linear("ref_enc.spectral.0.fc"), reader.linear("ref_enc.spectral.3.fc")),
            gated=(reader.conv("ref_enc.temporal.0.conv1.conv"), reader.conv("ref_enc.temporal.1.conv1.conv")),
            q=reader.linear("ref_enc.slf_attn.w_qs"),
            k=reader.linear("ref_enc.slf_attn.w_ks"),
            v=reader.linear("ref_enc.slf_attn.w_vs"),
            mix=reader.linear("ref_enc.slf_attn.fc"),
            out=reader.linear("ref_enc.fc.fc"),
            part=SpeakerPart.read(reader) if with_speaker else None,
        )

    def reference(self, spectrogram: Tensor) -> Tensor:
        """[1025, frames] linear magnitude -> [gin], before the speaker vector. Raises BadInput for another shape."""
        if spectrogram.dim() != 2 or spectrogram.shape[0] != SPECTRUM_BINS or spectrogram.shape[1] < 1:
            raise BadInput("spectrogram", f"has shape {tuple(spectrogram.shape)}, wanted [{SPECTRUM_BINS}, frames]")
        weight = self.dense[0].weight
        bins = weight.shape[1]  # the first 704 from v2 on
        x = spectrogram[:bins].T.unsqueeze(0).to(weight.device, weight.dtype)  # [1, T, bins]
        for dense in self.dense:
            x = functional.mish(dense(x))
        for conv in self.gated:
            x = x + functional.glu(conv(x), dim=-1)
        q, k, v = (split_heads(layer(x), STYLE_HEADS) for layer in (self.q, self.k, self.v))  # [1, H, T, D]
        # the scale is that of the whole width, not of one head
        seen = functional.scaled_dot_product_attention(q, k, v, scale=1 / sqrt(x.shape[-1]))
        x = self.out(self.mix(join_heads(seen)) + x)  # [1, T, gin]
        return x[0].float().mean(dim=0).to(x.dtype)

    def __call__(self, spectrograms: Sequence[Tensor], speakers: Sequence[Tensor] | None) -> Style:
        """The mean over references [1025, frames], each with its speaker vector [20480] where the version wants them.

        Raises BadInput without references, for wrong shapes, and for speaker vectors missing or where none are wanted.
        """
        if not spectrograms:
            raise BadInput("spectrograms", "are none; give at least one reference")
        styles = [self.reference(spectrogram) for spectrogram in spectrograms]
        if self.part is None:
            if speakers is not None:
                raise BadInput("speakers", "are given to a model that takes none; leave them out")
            ge = torch.stack(styles).mean(dim=0)
            return Style(ge, ge)
        if speakers is None or len(speakers) != len(styles):
            count = 0 if speakers is None else len(speakers)
            raise BadInput("speakers", f"are {count} for {len(styles)} spectrograms; this model wants one each")
        ge = torch.stack([self._with(self.part, *pair) for pair in zip(styles, speakers, strict=True)]).mean(dim=0)
        return Style(ge, self.part.to_fusion(ge))

    def _with(self, part: SpeakerPart, style: Tensor, speaker: Tensor) -> Tensor:
        if speaker.shape != (SPEAKER_WIDTH,):
            raise BadInput("speaker", f"has shape {tuple(speaker.shape)}, wanted [{SPEAKER_WIDTH}]")
        summed = style + part.speaker(speaker.to(style.device, style.dtype))  # [gin]
        return functional.prelu(summed.unsqueeze(0), part.slope)[0]
