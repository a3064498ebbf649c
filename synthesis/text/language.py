"""What a front end of one language is, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

LANGUAGES = ("zh", "en", "ja", "ko", "yue")
"""Languages with a front end (v1 models: zh, en and ja only)."""
PUNCTUATION = ("!", "?", "…", ",", ".", "-")
"""Marks that are phonemes of their own in every language."""


class Language(Protocol):
    """A front end. It is made without arguments except options, and loads its dictionaries at the first use."""

    def normalise(self, text: str) -> str:
        """Spell out numbers, dates and units and reduce marks to PUNCTUATION. What cannot be read is dropped here."""
        ...

    def phonemes(self, norm: str) -> tuple[list[str], list[int] | None]:
        """Symbols of a normalised text, and how many belong to each of its characters (zh and yue; None otherwise).

        Symbols outside the table of the version become ``UNK`` later; an empty text gives an empty list.
        """
        ...


@dataclass(frozen=True)
class Phonemes:
    """Phonemes of a text in one language.

    ``symbols`` and ``ids`` [P] go together; ``word2ph`` [len(norm)] counts the phonemes of each character of ``norm``
    and sums to P, or is None for languages without text features (en, ja, ko).
    """

    symbols: tuple[str, ...]
    ids: tuple[int, ...]
    word2ph: tuple[int, ...] | None
    norm: str
    language: str


@dataclass(frozen=True)
class Segment:
    """A stretch of one language inside a text, as written (``text``) and as phonemes."""

    text: str
    language: str
    phonemes: Phonemes
