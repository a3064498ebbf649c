"""A spelling-to-sound network for words that no dictionary has: GRU encoder and decoder, greedy, in numpy.

The weights are those of g2p_en (checkpoint20.npz, 0.8 M parameters, Apache-2.0), read without importing that package.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from synthesis.text.en.lexicon import CONSONANTS, VOWELS
from synthesis.text.package_data import package_file

Array = NDArray[np.float32]

PHONES_LIMIT = 20
"""The decoder stops after this many phones, whatever the word."""
GRAPHEMES = ("<pad>", "<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz")
_SOUNDS = sorted([*CONSONANTS, "UW", *(vowel + stress for vowel in VOWELS for stress in "012")])
OUTPUTS = ("<pad>", "<unk>", "<s>", "</s>", *_SOUNDS)
"""What the output rows stand for; the network was trained with an extra UW without stress."""
_START, _END = OUTPUTS.index("<s>"), OUTPUTS.index("</s>")


@dataclass(frozen=True)
class Gru:
    """Weights of a gated recurrent unit; the rows are reset, update and candidate gates, ``h`` each."""

    w_in: Array  # [3h, x]
    w_state: Array  # [3h, h]
    b_in: Array  # [3h]
    b_state: Array  # [3h]

    def step(self, x: Array, state: Array) -> Array:
        """The state [h] after an input [x]."""
        gates_in = self.w_in @ x + self.b_in  # [3h]
        gates_state = self.w_state @ state + self.b_state  # [3h]
        width = len(state)
        reset, update = np.split(_sigmoid(gates_in[: 2 * width] + gates_state[: 2 * width]), 2)  # 2 x [h]
        candidate = np.tanh(gates_in[2 * width :] + reset * gates_state[2 * width :])
        return np.asarray((1 - update) * candidate + update * state, dtype=np.float32)


@dataclass(frozen=True)
class Speller:
    """The whole network; immutable, shared by everybody."""

    letters: Array  # [29, 64]
    encoder: Gru
    sounds: Array  # [74, 64]
    decoder: Gru
    w_out: Array  # [74, 128]
    b_out: Array  # [74]

    def pronounce(self, word: str) -> list[str]:
        """Phones of a lower-case word, at most PHONES_LIMIT. Letters outside a-z are read as an unknown letter."""
        state = np.zeros(self.encoder.w_state.shape[1], dtype=np.float32)
        for letter in (*word, "</s>"):
            number = GRAPHEMES.index(letter) if letter in GRAPHEMES else 1
            state = self.encoder.step(self.letters[number], state)
        phones: list[str] = []
        last = _START
        while len(phones) < PHONES_LIMIT:
            state = self.decoder.step(self.sounds[last], state)
            last = int(np.argmax(self.w_out @ state + self.b_out))
            if last == _END:
                break
            phones.append(OUTPUTS[last])
        return [phone for phone in phones if phone in VOICED]


VOICED = frozenset(_SOUNDS) - {"UW"}
"""What is kept of the output. UW without stress is in no symbol table, so it is left out as in training."""


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)), dtype=np.float32)


@cache
def speller() -> Speller:
    """The network with its weights, loaded once. Raises LanguageDataMissing when g2p-en is not installed."""
    with np.load(package_file("en", "g2p_en", "checkpoint20.npz", "g2p-en")) as stored:
        weights = {name: np.asarray(stored[name], dtype=np.float32) for name in stored.files}

    def gru(side: str) -> Gru:
        return Gru(*(weights[f"{side}_{part}"] for part in ("w_ih", "w_hh", "b_ih", "b_hh")))

    return Speller(weights["enc_emb"], gru("enc"), weights["dec_emb"], gru("dec"), weights["fc_w"], weights["fc_b"])
