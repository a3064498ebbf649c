"""Word lists of Mandarin that the package carries (lexical.json says where they come from and under which licence)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Lexical:
    """Words whose last syllable is neutral or is not, words with and without erhua, character variants."""

    neutral: frozenset[str]
    not_neutral: frozenset[str]
    erhua: frozenset[str]
    not_erhua: frozenset[str]
    variants: Mapping[str, str]


@cache
def lexical() -> Lexical:
    """The lists, read once."""
    data = json.loads(files("synthesis.text.zh").joinpath("lexical.json").read_text(encoding="utf-8"))
    return Lexical(
        neutral=frozenset(data["neutral"].split()),
        not_neutral=frozenset(data["not_neutral"].split()),
        erhua=frozenset(data["erhua"].split()),
        not_erhua=frozenset(data["not_erhua"].split()),
        variants=dict(zip(data["variants_written"], data["variants_read"], strict=True)),
    )
