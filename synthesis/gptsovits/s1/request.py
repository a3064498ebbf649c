"""What is asked of the decoder for one line, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from synthesis.gptsovits.errors import BadInput

BERT_WIDTH = 1024
CODES_PER_SECOND = 25
MAX_CODES = 1500
"""A minute of speech: the models were never trained on more, and what runs this long has lost its text."""

Stop = Literal["eos", "limit", "not finite"]


@dataclass(frozen=True)
class Sampling:
    """How a code is drawn from its distribution. The defaults are those the models are published with.

    top_k: at least 1; only the k likeliest codes (and ties with the last of them) can be drawn. 1 is greedy.
    top_p: above 0; likeliest codes whose probabilities add up to at most this. 1 switches it off.
    temperature: at least 0 (taken as 1e-5); above 1 is more lively, below 1 more even.
    repetition_penalty: above 0; divides the advantage of codes that were heard before. 1 switches it off.
    """

    top_k: int = 15
    top_p: float = 1.0
    temperature: float = 1.0
    repetition_penalty: float = 1.35

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise BadInput("top_k", f"is {self.top_k}; at least 1 code must be possible")
        if not self.top_p > 0:
            raise BadInput("top_p", f"is {self.top_p}; it is above 0, and 1 switches it off")
        if not self.temperature >= 0:
            raise BadInput("temperature", f"is {self.temperature}; it is 0 or more")
        if not self.repetition_penalty > 0:
            raise BadInput("repetition_penalty", f"is {self.repetition_penalty}; it is above 0, and 1 switches it off")


@dataclass(frozen=True)
class S1Request:
    """One line for the decoder. Tensors are on the CPU.

    phonemes: [P] int64, ids of the reference's phonemes followed by those of the text to speak.
    bert: [1024, P] features of the phonemes, or None for languages without (the same as zeros).
    prompt: [C] int64, codes of the reference; may be empty.
    seed: 0 to 2**63 - 1; the same seed gives the same codes, whoever is rendered beside.
    max_codes: 1 or more; the line ends after this many codes (25 are a second).
    early_stop: a second limit of the same kind, for callers that estimate how long the text should take.
    """

    phonemes: Tensor
    bert: Tensor | None
    prompt: Tensor
    seed: int
    sampling: Sampling = field(default_factory=Sampling)
    max_codes: int = MAX_CODES
    early_stop: int | None = None

    def __post_init__(self) -> None:
        _ids("phonemes", self.phonemes)
        _ids("prompt", self.prompt)
        if not self.phonemes.numel():
            raise BadInput("phonemes", "are none; there must be something to say")
        if self.bert is not None and tuple(self.bert.shape) != (BERT_WIDTH, self.phonemes.numel()):
            raise BadInput(
                "bert",
                f"has shape {tuple(self.bert.shape)}, not {(BERT_WIDTH, self.phonemes.numel())}: one per phoneme",
            )
        if not 0 <= self.seed < 1 << 63:
            raise BadInput("seed", f"is {self.seed}, not within 0 and 2**63 - 1")
        if self.limit < 1:
            raise BadInput("max_codes", f"is {self.limit}; a line has at least one code")

    @property
    def prefix(self) -> int:
        """Positions taken before the first new code: phonemes and prompt."""
        return self.phonemes.numel() + self.prompt.numel()

    @property
    def limit(self) -> int:
        """Most codes the request allows."""
        return self.max_codes if self.early_stop is None else min(self.max_codes, self.early_stop)


@dataclass(frozen=True)
class S1Result:
    """Codes of one line.

    codes: [n] int64, the generated ones only, without the stop code.
    stopped: "eos" when the model ended the line, "limit" when it was cut off: it may have lost its text, "not finite"
    when its logits were NaN or infinite: the codes are those before.
    steps: codes drawn and kept, n.
    """

    codes: Tensor
    stopped: Stop
    steps: int


def _ids(quantity: str, values: Tensor) -> None:
    if values.ndim != 1 or values.dtype != torch.int64:
        raise BadInput(quantity, f"are {values.dtype} of shape {tuple(values.shape)}, not int64 in one row")


def check_range(quantity: str, values: Tensor, rows: int) -> None:
    """Raise BadInput unless every id is a row of a table with ``rows`` rows."""
    if values.numel() and not 0 <= int(values.min()) <= int(values.max()) < rows:
        raise BadInput(quantity, f"are within {int(values.min())} and {int(values.max())}, not within 0 and {rows - 1}")
