"""Words of a Chinese clause with their parts of speech, from jieba without its global tokenizer and cache file."""

from __future__ import annotations

import logging
import threading
import warnings
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib import import_module
from typing import Any

from synthesis.text.errors import LanguageDataMissing

_lock = threading.Lock()


@dataclass(frozen=True)
class Word:
    """A word and jieba's tag of its part of speech."""

    text: str
    pos: str

    def joined(self, after: Word) -> Word:
        """This word with another one at its end; the part of speech stays."""
        return replace(self, text=self.text + after.text)


@cache
def words() -> Words:
    """The one instance of this process; its dictionary takes some 100 MB."""
    return Words()


class Words:
    """jieba, loaded at the first use (about a second). May be called by several threads."""

    def cut(self, clause: str) -> list[Word]:
        """The clause cut into words; joined they are the clause again."""
        return [Word(pair.word, pair.flag) for pair in self._tagger.lcut(clause)]

    def halves(self, word: str) -> tuple[str, str]:
        """A word in two parts, split beside its shortest inner word; the second part may be empty."""
        with _lock:
            inner = min(self._tokenizer.cut_for_search(word), key=len)
        if word.startswith(inner):
            return inner, word[len(inner) :]
        return word[: -len(inner)], inner

    @cached_property
    def _tokenizer(self) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # jieba 0.42 imports pkg_resources
            try:
                jieba = import_module("jieba")
            except ImportError as missing:
                raise LanguageDataMissing("zh", "jieba") from missing
        jieba.setLogLevel(logging.WARNING)
        tokenizer = jieba.Tokenizer()
        # initialize() would read and write a marshalled cache that anybody can replace in the temporary directory.
        tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(tokenizer.get_dict_file())
        tokenizer.initialized = True
        return tokenizer

    @cached_property
    def _tagger(self) -> Any:
        with _lock, warnings.catch_warnings():
            if "_tagger" in vars(self):  # another thread was first
                return vars(self)["_tagger"]
            warnings.simplefilter("ignore")
            tokenizer = self._tokenizer
            tagger = import_module("jieba.posseg").POSTokenizer(tokenizer)
            tagger.initialize()
            return tagger
