"""g2pW: a BERT that chooses among the readings of polyphonic characters, as ONNX (Chen et al. 2022, arXiv:2203.10430).

A model folder holds ``g2pW.onnx``, ``POLYPHONIC_CHARS.txt``, ``MONOPHONIC_CHARS.txt`` and
``bopomofo_to_pinyin_wo_tune_dict.json``; the vocabulary ``vocab.txt`` of a Chinese BERT lies there or in a folder
``chinese-roberta-wwm-ext-large`` beside it. Nothing in the folder is executed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from synthesis.text.errors import LanguageDataMissing
from synthesis.text.zh import readings as pinyin

CONTEXT = 16
"""Characters kept on either side of the polyphonic ones."""
_NOT_POLYPHONIC = frozenset("一不和咋嗲剖差攢倒難奔勁拗肖瘙誒泊听噢")
_NOT_MONOPHONIC = frozenset("似攢")
"""Characters whose entries in the tables are not used."""


class Session(Protocol):
    """An onnxruntime session."""

    def run(self, outputs: Sequence[str] | None, inputs: Mapping[str, Any]) -> Sequence[Any]:
        """Outputs for the named inputs."""
        ...


def is_available() -> bool:
    """Whether onnxruntime is installed."""
    return find_spec("onnxruntime") is not None


class G2pw:
    """The network with its tables. ``clause`` reads like pypinyin's."""

    def __init__(
        self,
        session: Session,
        *,
        polyphonic: Mapping[str, Sequence[str]],
        monophonic: Mapping[str, str],
        syllables: Mapping[str, str],
        vocabulary: Sequence[str],
    ) -> None:
        """``polyphonic`` and ``monophonic`` hold bopomofo with a tone digit; ``syllables`` bopomofo to pinyin."""
        self._session = session
        self._polyphonic = polyphonic
        self._monophonic = monophonic
        self._syllables = syllables
        self._tokens = {token: number for number, token in enumerate(vocabulary)}
        self._labels = sorted({reading for readings in polyphonic.values() for reading in readings})
        self._numbers = {char: number for number, char in enumerate(sorted(polyphonic))}
        self._traditional = import_module("opencc").OpenCC("s2tw")

    @classmethod
    def from_directory(cls, folder: Path) -> G2pw:
        """Load the model. Raises LanguageDataMissing naming the first file that is not there."""
        onnx = _first(folder / "g2pW.onnx", folder / "g2pw.onnx")
        vocabulary = _first(folder / "vocab.txt", folder.parent / "chinese-roberta-wwm-ext-large" / "vocab.txt")
        polyphonic: dict[str, list[str]] = {}
        for char, reading in _pairs(folder / "POLYPHONIC_CHARS.txt"):
            polyphonic.setdefault(char, []).append(reading)
        syllables = json.loads(_first(folder / "bopomofo_to_pinyin_wo_tune_dict.json").read_text(encoding="utf-8"))
        session = import_module("onnxruntime").InferenceSession(str(onnx), providers=["CPUExecutionProvider"])
        return cls(
            session,
            polyphonic=polyphonic,
            monophonic=dict(_pairs(folder / "MONOPHONIC_CHARS.txt")),
            syllables=syllables,
            vocabulary=vocabulary.read_text(encoding="utf-8").splitlines(),
        )

    def clause(self, text: str) -> list[str]:
        """The reading of each character of a simplified clause: the network's, or pypinyin's where it has none."""
        readings = pinyin.clause(text)
        written: str = self._traditional.convert(text)
        if len(written) != len(text):
            return readings
        asked = [at for at, char in enumerate(written) if char in self._polyphonic and char not in _NOT_POLYPHONIC]
        for at, char in enumerate(written):
            if at not in asked and char in self._monophonic and char not in _NOT_MONOPHONIC:
                readings[at] = self._pinyin(self._monophonic[char]) or readings[at]
        for at, label in zip(asked, self._choose(written, asked), strict=True):
            readings[at] = self._pinyin(label) or readings[at]
        return readings

    def _choose(self, text: str, asked: Sequence[int]) -> list[str]:
        if not asked:
            return []
        start = max(0, asked[0] - CONTEXT)
        context = text[start : asked[-1] + CONTEXT + 1].lower()
        unknown = self._tokens["[UNK]"]
        tokens = [self._tokens.get(char, unknown) for char in context]
        ids = np.array([[self._tokens["[CLS]"], *tokens, self._tokens["[SEP]"]]], dtype=np.int64)  # [1, characters + 2]
        allowed = np.zeros((len(asked), len(self._labels)), dtype=np.float32)  # [asked, labels]
        for row, at in enumerate(asked):
            for reading in self._polyphonic[text[at]]:
                allowed[row, self._labels.index(reading)] = 1
        rows = np.repeat(ids, len(asked), axis=0)
        (chances, *_) = self._session.run(
            None,
            {
                "input_ids": rows,
                "token_type_ids": np.zeros_like(rows),
                "attention_mask": np.ones_like(rows),
                "phoneme_mask": allowed,
                "char_ids": np.array([self._numbers[text[at]] for at in asked], dtype=np.int64),
                "position_ids": np.array([at - start + 1 for at in asked], dtype=np.int64),
            },
        )
        return [self._labels[number] for number in np.argmax(np.asarray(chances), axis=1)]

    def _pinyin(self, bopomofo: str) -> str | None:
        syllable = self._syllables.get(bopomofo[:-1])
        return f"{syllable}{bopomofo[-1]}" if syllable else None


def _first(*paths: Path) -> Path:
    for path in paths:
        if path.is_file():
            return path
    raise LanguageDataMissing("zh", str(paths[0]))


def _pairs(path: Path) -> list[tuple[str, str]]:
    lines = _first(path).read_text(encoding="utf-8").splitlines()
    return [(parts[0], parts[1]) for line in lines if len(parts := line.split("\t")) == 2]
