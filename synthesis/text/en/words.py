"""Words to phones: dictionary, initials, possessives, compounds, and the network for what is left."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib import import_module
from typing import Any

from synthesis.text.en.lexicon import dictionary
from synthesis.text.en.neural import speller
from synthesis.text.errors import LanguageDataMissing
from synthesis.text.package_data import package_file

LONGEST_COMPOUND = 60
"""Longer runs of letters are not taken apart into words, which takes a recursive search, but cut and spelled out."""
_PIECE = 20
_TOKEN = re.compile(
    r"[A-Za-z0-9]+(?:[.\-][A-Za-z0-9]+)*?\.[A-Za-z]{2,13}(?![A-Za-z0-9])"  # example.com, or a stop without its space
    r"|[A-Za-z](?:[A-Za-z'\-])+[A-Za-z]"  # don't, forty-five
    r"|[A-Za-z]+|\S"
)
_SHARP, _HISSING = ("P", "T", "K", "F", "TH", "HH"), ("S", "Z", "SH", "ZH", "CH", "JH")


def tokens(norm: str) -> list[str]:
    """Words (with inner apostrophes and hyphens) and marks of a normalised text."""
    return _TOKEN.findall(norm)


def pronounce(word: str) -> list[str]:
    """Phones of a word of two letters or more: from the dictionary, or worked out from its parts.

    An apostrophe that belongs to no known word becomes the mark ``-``, as in training.
    """
    words, word = dictionary(), word.lower()
    if len(word) > 1 and word in words:
        return list(words[word])
    if len(word) <= 3:
        return [phone for letter in word for phone in letter_name(letter)]
    if re.fullmatch(r"[a-z]+'s", word):
        return _possessive(pronounce(word[:-2]))
    return list(_unknown(word))


@lru_cache(maxsize=4096)
def _unknown(word: str) -> tuple[str, ...]:
    """A word that is in no dictionary: as a compound of known words, or by its spelling."""
    letters = re.sub(r"[^a-z]", "", word)
    if len(letters) > LONGEST_COMPOUND:
        pieces = [letters[start : start + _PIECE] for start in range(0, len(letters), _PIECE)]
        return tuple(phone for piece in pieces for phone in speller().pronounce(piece))
    parts = segment(letters)
    if len(parts) <= 1:
        return tuple(speller().pronounce(word))
    return tuple(phone for part in parts for phone in pronounce(part))


def letter_name(letter: str) -> list[str]:
    """How a lower-case letter is called; the article "a" is another word."""
    if letter == "a":
        return ["EY1"]
    return list(dictionary()[letter]) if letter.isalpha() else ["-" if letter == "'" else letter]


def _possessive(phones: list[str]) -> list[str]:
    if phones and phones[-1] in _SHARP:
        return [*phones, "S"]
    return [*phones, "AH0", "Z"] if phones and phones[-1] in _HISSING else [*phones, "Z"]


def segment(letters: str) -> list[str]:
    """A run of lower-case letters as the likeliest words that make it up (Norvig's n-gram counts, wordsegment)."""
    return [str(word) for word in _segmenter().segment(letters)]


@cache
def _segmenter() -> Any:
    """The counts of one and two words, loaded at the first unknown compound (1 s, 100 MB)."""
    try:
        segmenter = import_module("wordsegment").Segmenter()
    except ImportError:
        raise LanguageDataMissing("en", "wordsegment") from None
    segmenter.unigrams.update(segmenter.parse(package_file("en", "wordsegment", "unigrams.txt")))
    segmenter.bigrams.update(segmenter.parse(package_file("en", "wordsegment", "bigrams.txt")))
    segmenter.total, segmenter.limit = segmenter.TOTAL, segmenter.LIMIT
    return segmenter
