"""The text-to-codes transformer: phonemes and a prompt of codes in, logits of the next code out.

A decoder whose prefix, the phonemes, is attended to in both directions (prefix language model; Raffel et al. 2020,
section 3.2.1), with layer norms after the residuals. One code is 40 ms of speech.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows
from torch import Tensor

from synthesis.gptsovits.checkpoints import S1Checkpoint
from synthesis.gptsovits.checkpoints.s1_layout import check_s1
from synthesis.gptsovits.errors import BadInput
from synthesis.gptsovits.s1.attention import Run, attend, attend_last, attend_prefix, code_mask, mask_for, reach_for
from synthesis.gptsovits.s1.cache import KvCache
from synthesis.gptsovits.s1.embedding import Embedding
from synthesis.gptsovits.s1.linear import Linear, Quantise, build, even_rows

EPSILON = 1e-5
ROWS_AT_ONCE = 1024
"""Prefixes are read together up to this many positions: enough for products at full speed, few enough for caches."""


@dataclass(frozen=True)
class S1Shape:
    """Sizes of a model. codes: those of the tokeniser and, as the last, the stop code."""

    width: int
    layers: int
    heads: int
    phonemes: int
    codes: int

    @property
    def stop(self) -> int:
        """The code that ends a line."""
        return self.codes - 1


@dataclass(frozen=True)
class Prefix:
    """What a line begins with, phonemes [P], their features [1024, P] or None and a prompt [C], and where it goes."""

    phonemes: Tensor
    bert: Tensor | None
    prompt: Tensor
    slot: int

    @property
    def length(self) -> int:
        """Positions, P + C."""
        return self.phonemes.numel() + self.prompt.numel()


@dataclass(frozen=True)
class Norm:
    """Layer norm over the last axis."""

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """[rows, width] -> [rows, width]."""
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, EPSILON)


@dataclass(frozen=True)
class Layer:
    """One block: x = norm1(x + out(attention(qkv x))); x = norm2(x + down(up x)), ``up`` with its rectifier."""

    qkv: Linear
    out: Linear
    norm1: Norm
    up: Linear
    down: Linear
    norm2: Norm

    def after_attention(self, x: Tensor, attended: Tensor) -> Tensor:
        """[rows, width] twice -> [rows, width]."""
        x = self.norm1(self.out(attended).add_(x))
        return self.norm2(self.down(self.up(x)).add_(x))


class S1Model:
    """Weights, ready to compute. Immutable: nothing of a call stays here, so any number of batches may share it."""

    def __init__(
        self, shape: S1Shape, embedding: Embedding, layers: tuple[Layer, ...], head: Linear, *, like: Tensor
    ) -> None:
        self.shape = shape
        self.device: torch.device = like.device
        self.dtype: torch.dtype = like.dtype
        self._embedding, self._layers, self._head = embedding, layers, head

    @classmethod
    def from_checkpoint(
        cls,
        checkpoint: S1Checkpoint,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        quantise: Quantise | None = None,
    ) -> S1Model:
        """Build from a loaded checkpoint. ``quantise``: see ``linear.py``; None computes what the checkpoint says.

        Raises WrongTensors, WrongShape, BadConfig; BadInput for a ``quantise`` that cannot be had here.
        """
        check_s1(checkpoint.weights, checkpoint.config)
        weights = {
            name.removeprefix("model."): value.detach().to(device, dtype, copy=True)
            for name, value in checkpoint.weights.items()
        }
        model = checkpoint.config["model"]
        codes, width = weights["ar_audio_embedding.word_embeddings.weight"].shape
        phonemes = weights["ar_text_embedding.word_embeddings.weight"]
        shape = S1Shape(width, model["n_layer"], model["head"], phonemes.shape[0], codes)
        embedding = Embedding(
            phonemes,
            weights["ar_audio_embedding.word_embeddings.weight"],
            (weights["bert_proj.weight"], weights["bert_proj.bias"]),
            weights["ar_text_position.alpha"],
            weights["ar_audio_position.alpha"],
        )
        layers = tuple(_layer(weights, f"h.layers.{index}", quantise) for index in range(shape.layers))
        head = build(weights["ar_predict_layer.weight"], None, quantise=quantise)
        return cls(shape, embedding, layers, head, like=phonemes)

    def new_cache(self, slots: int, positions: int) -> KvCache:
        """An empty cache for this model."""
        shape = self.shape
        return KvCache(
            layers=shape.layers,
            slots=slots,
            heads=shape.heads,
            head_width=shape.width // shape.heads,
            positions=positions,
            device=self.device,
            dtype=self.dtype,
        )

    def text_embedding(self, phonemes: Tensor, bert: Tensor | None) -> Tensor:
        """[P] ids, [1024, P] features or None -> [P, width]."""
        return self._embedding.text(phonemes, bert)

    @torch.inference_mode()
    def prefill(self, phonemes: Tensor, bert: Tensor | None, prompt: Tensor, cache: KvCache, slot: int) -> Tensor:
        """Read phonemes [P] and prompt [C] into a slot, in one pass.

        Returns logits of the first new code, [codes] float32.
        """
        return self.prefill_all([Prefix(phonemes, bert, prompt, slot)], cache)[0]

    @torch.inference_mode()
    def prefill_all(self, prefixes: Sequence[Prefix], cache: KvCache) -> Tensor:
        """Read many prefixes, each into its slot, as many in one pass as ``ROWS_AT_ONCE`` allows (at least one).

        Products run over the positions of all of them one after the other, without padding between; attention runs
        within each. Returns logits of the first new codes, [prefixes, codes] float32.
        """
        cache.reserve(max(prefix.length for prefix in prefixes))
        logits: list[Tensor] = []
        start = 0
        while start < len(prefixes):
            end, rows = start + 1, prefixes[start].length
            while end < len(prefixes) and rows + prefixes[end].length <= ROWS_AT_ONCE:
                rows += prefixes[end].length
                end += 1
            logits.append(self._prefill_pass(prefixes[start:end], cache))
            start = end
        return torch.cat(logits)

    def _prefill_pass(self, prefixes: Sequence[Prefix], cache: KvCache) -> Tensor:
        lengths = [prefix.length for prefix in prefixes]
        masks = [code_mask(p.phonemes.numel(), p.prompt.numel(), self.dtype).to(self.device) for p in prefixes]
        x = self._rows(torch.cat([self._embed(prefix) for prefix in prefixes]))  # [M, width], M >= sum of lengths
        room = torch.zeros_like(x)  # rows beyond the last position stay zero
        for index, layer in enumerate(self._layers[:-1]):
            spans = self._fill(index, x, prefixes, cache)
            for span, mask, out in zip(spans, masks, room[: sum(lengths)].split_with_sizes(lengths), strict=True):
                attend_prefix(span, mask, out)
            x = layer.after_attention(x, room)
        # Of the last layer keys and values are needed everywhere, and what follows at the last positions only.
        spans = self._fill(self.shape.layers - 1, x, prefixes, cache)
        attended = torch.cat([attend_last(span) for span in spans])  # [n, width]
        ends = torch.tensor(lengths, device=self.device).cumsum(0) - 1
        x = self._layers[-1].after_attention(self._rows(x[ends]), self._rows(attended))
        return self._head(x)[: len(prefixes)].float()

    def _embed(self, prefix: Prefix) -> Tensor:
        prompt = prefix.prompt.to(self.device)
        codes = self._embedding.codes(prompt, torch.arange(prompt.shape[0], device=self.device))
        return torch.cat((self._embedding.text(prefix.phonemes, prefix.bert), codes))  # [T, width]

    def _fill(self, index: int, x: Tensor, prefixes: Sequence[Prefix], cache: KvCache) -> list[Tensor]:
        """Queries, keys and values of each prefix, [T, 3, heads, head width]; keys and values go into the cache."""
        lengths = [prefix.length for prefix in prefixes]
        qkv = (
            self._layers[index]
            .qkv(x)[: sum(lengths)]
            .view(-1, 3, self.shape.heads, self.shape.width // self.shape.heads)
        )
        spans = list(qkv.split_with_sizes(lengths))
        for prefix, span in zip(prefixes, spans, strict=True):
            cache.fill(index, prefix.slot, span[:, 1:])
        return spans

    def step(
        self, codes: Tensor, code_positions: Tensor, positions: Tensor, runs: Sequence[Run], cache: KvCache
    ) -> Tensor:
        """Append one code to each of the first R slots. The cache must have room for the positions.

        codes, code_positions (among the codes), positions (in the cache): [R] int64; runs: of all R slots, in order.
        Returns [R, codes] float32 logits of the next code. Shapes follow from those given: can be captured in a graph.
        """
        rows = codes.shape[0]
        slots = torch.arange(rows, device=self.device)
        spans = [slice(run.first, run.end) for run in runs]
        masks = [
            mask_for(positions[span], run.reach, self.shape.heads, self.dtype)
            for span, run in zip(spans, runs, strict=True)
        ]
        x = self._embedding.codes(codes, code_positions)
        if cache.slots > 1:  # where there is no company ever, one row may have the order of adding that is fastest
            x = self._rows(x)  # [M, width], M >= R
        room = torch.zeros_like(x)  # rows from R on stay zero
        for layer, pairs in zip(self._layers, cache.layers, strict=True):
            qkv = layer.qkv(x).view(x.shape[0], 3, self.shape.heads, -1)[:rows]  # [R, 3, heads, head width]
            pairs[:, slots, :, positions] = qkv[:, 1:]  # [R, 2, heads, head width]: indexed axes come first
            for span, mask in zip(spans, masks, strict=True):
                attend(qkv[span, 0], pairs[:, span], mask, room[span])
            x = layer.after_attention(x, room)
        return self._head(x)[:rows].float()

    @torch.inference_mode()
    def extend(self, code: int, code_position: int, position: int, cache: KvCache) -> Tensor:
        """Append a given code to the line in slot 0. Returns logits of the next code, [codes] float32."""
        cache.reserve(position + 1)
        reach = min(reach_for(position + 1), cache.capacity)
        at, place, where = (torch.tensor([value], device=self.device) for value in (code, code_position, position))
        return self.step(at, place, where, [Run(0, 1, reach)], cache)[0]

    def _rows(self, x: Tensor) -> Tensor:
        """Fill up with rows of zeros to a number of rows whose sums do not depend on it."""
        lacking = even_rows(x.shape[0]) - x.shape[0] if self.device.type == "cpu" else 0
        return F.pad(x, (0, 0, 0, lacking)) if lacking else x


def check_positions(positions: int, limit: int) -> None:
    """Raise BadInput unless a cache may have this many positions."""
    if not 1 <= positions <= limit:
        raise BadInput("positions", f"are {positions}, not within 1 and {limit}")


def _layer(weights: Mapping[str, Tensor], prefix: str, quantise: Quantise | None) -> Layer:
    def linear(name: str, kind: str = ".", relu: bool = False) -> Linear:
        weight, bias = weights[f"{prefix}.{name}{kind}weight"], weights[f"{prefix}.{name}{kind}bias"]
        return build(weight, bias, relu=relu, quantise=quantise)

    def norm(name: str) -> Norm:
        return Norm(weights[f"{prefix}.{name}.weight"], weights[f"{prefix}.{name}.bias"])

    return Layer(
        qkv=linear("self_attn.in_proj", kind="_"),
        out=linear("self_attn.out_proj"),
        norm1=norm("norm1"),
        up=linear("linear1", relu=True),
        down=linear("linear2"),
        norm2=norm("norm2"),
    )
