"""The content encoder (``enc_p``): codes and phonemes to mean and log deviation of the latent, 50 frames a second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from synthesis.gptsovits.s2.attention import CrossAttention, RelativeAttention
from synthesis.gptsovits.s2.config import FUSION_HEADS, S2Config
from synthesis.gptsovits.s2.layers import Conv, Linear, Lines, Norm, Reader


@dataclass(frozen=True)
class Block:
    """Attention and a convolutional feed-forward, each followed by residual and norm."""

    attention: RelativeAttention
    norm_1: Norm
    conv_1: Conv
    conv_2: Conv
    norm_2: Norm

    def __call__(self, x: Tensor, lines: Lines, padding: Tensor | None) -> Tensor:
        """[B, T, C] with cleared padding -> the same."""
        x = self.norm_1(x + self.attention(x, padding))
        y = lines.clear(functional.relu_(self.conv_1(lines.clear(x))))
        return lines.clear(self.norm_2(x + self.conv_2(y)))


@dataclass(frozen=True)
class Transformer:
    """A stack of blocks."""

    blocks: tuple[Block, ...]

    @classmethod
    def read(cls, reader: Reader, prefix: str, config: S2Config, layers: int) -> Transformer:
        """``layers`` blocks under ``prefix``."""
        return cls(
            tuple(
                Block(
                    attention=RelativeAttention.read(reader, f"{prefix}.attn_layers.{i}", config.heads),
                    norm_1=reader.norm(f"{prefix}.norm_layers_1.{i}"),
                    conv_1=reader.conv(f"{prefix}.ffn_layers.{i}.conv_1"),
                    conv_2=reader.conv(f"{prefix}.ffn_layers.{i}.conv_2"),
                    norm_2=reader.norm(f"{prefix}.norm_layers_2.{i}"),
                )
                for i in range(layers)
            )
        )

    def __call__(self, x: Tensor, lines: Lines) -> Tensor:
        """[B, T, C] -> [B, T, C], padding cleared."""
        padding = lines.padding(x.device)
        x = lines.clear(x)
        for block in self.blocks:
            x = block(x, lines, padding)
        return x


@dataclass(frozen=True)
class Fusion:
    """MRTE: brings phonemes and timbre into the frames."""

    frames_in: Linear
    phonemes_in: Linear
    attention: CrossAttention
    out: Linear

    @classmethod
    def read(cls, reader: Reader, prefix: str) -> Fusion:
        """Width from the tensors; four heads."""
        return cls(
            frames_in=reader.linear(f"{prefix}.c_pre"),
            phonemes_in=reader.linear(f"{prefix}.text_pre"),
            attention=CrossAttention.read(reader, f"{prefix}.cross_attention", FUSION_HEADS),
            out=reader.linear(f"{prefix}.c_post"),
        )

    def __call__(self, frames: Tensor, phonemes: Tensor, timbre: Tensor, padding: Tensor | None) -> Tensor:
        """[B, T, hidden], [B, P, hidden], [B, width] -> [B, T, hidden]; ``padding`` [B, P] of the phonemes."""
        x = self.frames_in(frames)  # [B, T, width]
        return self.out(self.attention(x, self.phonemes_in(phonemes), padding) + x + timbre[:, None])


@dataclass(frozen=True)
class ContentEncoder:
    """Codebook rows and phonemes to the distribution of the latent."""

    frames_in: Linear
    frames_encoder: Transformer
    phoneme_table: Tensor
    phoneme_encoder: Transformer
    fusion: Fusion
    encoder: Transformer
    out: Linear

    @classmethod
    def read(cls, reader: Reader, config: S2Config) -> ContentEncoder:
        """Under ``enc_p``."""
        return cls(
            frames_in=reader.linear("enc_p.ssl_proj"),
            frames_encoder=Transformer.read(reader, "enc_p.encoder_ssl", config, config.layers // 2),
            phoneme_table=reader.tensor("enc_p.text_embedding.weight"),
            phoneme_encoder=Transformer.read(reader, "enc_p.encoder_text", config, config.layers),
            fusion=Fusion.read(reader, "enc_p.mrte"),
            encoder=Transformer.read(reader, "enc_p.encoder2", config, config.layers // 2),
            out=reader.linear("enc_p.proj"),
        )

    def stages(
        self, quantised: Tensor, frames: Lines, phonemes: Tensor, text: Lines, timbre: Tensor
    ) -> Mapping[str, Tensor]:
        """All stages up to the last encoder, by name.

        ``quantised`` [B, T, ssl] at 50 frames a second, ``phonemes`` [B, P] int64, ``timbre`` [B, fusion width].
        """
        ssl = self.frames_encoder(self.frames_in(quantised), frames)  # [B, T, hidden]
        said = self.phoneme_encoder(functional.embedding(phonemes, self.phoneme_table), text)  # [B, P, hidden]
        fused = self.fusion(ssl, said, timbre, text.padding(said.device))  # [B, T, hidden]
        return {"encoder_ssl": ssl, "encoder_text": said, "mrte": fused, "encoder2": self.encoder(fused, frames)}

    def distribution(self, encoded: Tensor, frames: Lines, speeds: Sequence[float]) -> tuple[Tensor, Tensor, Lines]:
        """Mean and log deviation [B, T', inter] of the latent, and the lengths after the change of pace.

        At a speed other than 1 a line of T frames is drawn out or squeezed to int(T / speed) + 1 frames, linearly.
        """
        if any(speed != 1 for speed in speeds):
            encoded, frames = _repace(encoded, frames, speeds)
        mean, log_deviation = self.out(encoded).chunk(2, dim=-1)  # [B, T', inter] each
        return mean, log_deviation, frames


def _repace(encoded: Tensor, frames: Lines, speeds: Sequence[float]) -> tuple[Tensor, Lines]:
    """Line by line, so that the end of a line is interpolated from the line and not from its padding."""
    paced = []
    for line, length, speed in zip(encoded, frames.lengths, speeds, strict=True):
        own = line[:length]
        if speed != 1:
            image = own.T.unsqueeze(0)  # [1, hidden, T]
            own = functional.interpolate(image, size=int(length / speed) + 1, mode="linear")[0].T  # [T', hidden]
        paced.append(own)
    padded = torch.nn.utils.rnn.pad_sequence(paced, batch_first=True)
    return padded, Lines.of([len(line) for line in paced])
