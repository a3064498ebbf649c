"""The two symbol tables: which number each phoneme has.

v1 has 322 symbols (zh, en, ja), v2 and later 732: the same 322 first, then the pitch marks of Japanese, Korean jamo and
Cantonese. Some letters are shared between languages; the id is what the models know.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

from synthesis.text.errors import UnknownSymbol

TableVersion = Literal["v1", "v2"]
UNKNOWN = "UNK"
"""The symbol that stands for a phoneme nobody knows."""


class SymbolTable:
    """Symbols of one version in id order. Immutable; make it once and share it."""

    def __init__(self, version: TableVersion) -> None:
        self.version = version
        self.symbols: tuple[str, ...] = _load(version)
        self._ids: Mapping[str, int] = {symbol: number for number, symbol in enumerate(self.symbols)}

    def __len__(self) -> int:
        return len(self.symbols)

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._ids

    def ids(self, symbols: Iterable[str]) -> tuple[int, ...]:
        """Ids of the symbols, each in 0..len(self)-1. Raises UnknownSymbol at the first that is not in the table."""
        try:
            return tuple(self._ids[symbol] for symbol in symbols)
        except KeyError as missing:
            raise UnknownSymbol(str(missing.args[0]), self.version) from None

    def known(self, symbols: Iterable[str]) -> tuple[str, ...]:
        """The symbols with those outside the table replaced by ``UNK``, as the models were trained."""
        return tuple(symbol if symbol in self._ids else UNKNOWN for symbol in symbols)


@cache
def _load(version: TableVersion) -> tuple[str, ...]:
    text = files("synthesis.text").joinpath(f"symbols_{version}.json").read_text(encoding="utf-8")
    return tuple(json.loads(text))
