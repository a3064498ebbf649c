"""Open JTalk: words, readings and accents of Japanese text, by the dictionary inside pyopenjtalk-plus."""

from __future__ import annotations

import io
import unicodedata
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from functools import cache
from types import ModuleType
from typing import Any

from synthesis.text.errors import LanguageDataMissing, UnreadableText

LONGEST = 200
"""Characters analysed at once; a longer run without any mark is cut. The engine's time grows with the square."""


@cache
def _engine() -> ModuleType:
    """The package. Its import prints advice to stdout that nobody asked for; its dictionary loads at the first use."""
    try:
        with redirect_stdout(io.StringIO()):
            import pyopenjtalk
    except ImportError:
        raise LanguageDataMissing("ja", "pyopenjtalk-plus") from None
    return pyopenjtalk


def labels(text: str) -> list[str]:
    """Full-context labels of a text without marks, [] when there is nothing to pronounce.

    The package's corrections of accents and rare characters are on; those that need a model of their own (Sudachi for
    homographs, ONNX for one word) are off. Raises UnreadableText for characters without a reading: silence would
    swallow them.
    """
    found: list[str] = []
    for start in range(0, len(text), LONGEST):
        found.extend(_labels(text[start : start + LONGEST]))
    return found


def _labels(text: str) -> list[str]:
    engine = _engine()
    with warnings.catch_warnings():  # for a rare character it opens another dictionary, in a way that one deprecates
        warnings.simplefilter("ignore", DeprecationWarning)
        features = engine.run_frontend(text, use_sudachi_kanji_yomi=False, predict_nani=False)
    if left := _unread(features):
        raise UnreadableText(text, "".join(dict.fromkeys(left)))
    if not any(_voiced(feature["pron"]) for feature in features):
        return []
    return [str(label) for label in engine.make_label(features)]


def _unread(features: Sequence[dict[str, Any]]) -> str:
    """Letters of the words that have no pronunciation."""
    silent = "".join(feature["string"] for feature in features if not _voiced(feature["pron"]))
    return "".join(char for char in silent if char.isalnum() and char not in "ーｰ")


def _voiced(pronunciation: str) -> bool:
    return any(unicodedata.category(char) == "Lo" for char in pronunciation)
