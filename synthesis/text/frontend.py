"""The text front end: a line of a script becomes segments of one language each, as phoneme ids."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from itertools import groupby
from pathlib import Path

from synthesis.text.errors import UnreadableText
from synthesis.text.language import PUNCTUATION, Segment
from synthesis.text.lexicon import Lexicon, Spelling, is_arpabet, spellings
from synthesis.text.readable import plain
from synthesis.text.segmentation import Stretch, stretches
from synthesis.text.speaking import Speaker
from synthesis.text.symbols import UNKNOWN, SymbolTable, TableVersion
from synthesis.text.zh.frontend import ReadClause

SHORTEST = 6
"""A line of fewer phonemes is done again with a full stop in front: very short ones let the reference clip leak."""
PACKAGES = ("pypinyin", "jieba", "OpenCC", "ToJyutping", "pyopenjtalk-plus", "g2p-en", "g2pk2")
_UNHEARD = frozenset(PUNCTUATION) | {UNKNOWN, "SP", "SP2", "SP3", "空", "停"}


class FrontEnd:
    """Text to phonemes for one symbol table; remembers nothing between calls and may be shared by threads.

    ``g2pw`` is a folder with the G2PW model; without it, or without onnxruntime, pypinyin reads polyphones. ``name``
    and ``version`` say which one it is and are recorded with each take. ``lexicon`` maps terms to readings and is used
    beside ``{term|reading}`` in the text. ``read_clause`` replaces either reader of Mandarin clauses (v2 only).
    """

    def __init__(
        self,
        version: TableVersion,
        *,
        g2pw: Path | str | None = None,
        lexicon: Mapping[str, str] | None = None,
        read_clause: ReadClause | None = None,
    ) -> None:
        self.table = SymbolTable(version)
        self.name = "pypinyin" if read_clause is None else "given"
        if g2pw is not None and version == "v2" and read_clause is None:
            from synthesis.text.zh.g2pw import G2pw, is_available

            if is_available():
                read_clause = G2pw.from_directory(Path(g2pw)).clause
                self.name = "g2pw"
        self._lexicon = Lexicon(lexicon or {})
        self._speaker = Speaker(self.table, read_clause)

    @cached_property
    def version(self) -> str:
        """What the phonemes depend on, in one line: symbol table, reader of polyphones, versions of packages."""
        return ", ".join([f"symbols {self.table.version}", f"polyphones {self.name}", *map(_installed, PACKAGES)])

    def segments(self, text: str, language: str, *, lexicon: Mapping[str, str] | None = None) -> list[Segment]:
        """Segments of the text in order, one for each stretch of a language; none of them is empty.

        ``language`` is zh, en, ja, ko, yue (that language, mixed with English), the same after ``all_`` (numbers
        beside English words are in that language too), ``auto`` or ``auto_yue``; v1 has zh, en, ja and auto. Pause
        marks are not read here: take them out with ``split_pauses``. ``lexicon`` wins over the front end's own.
        Raises UnreadableText, LanguageUnknown, BadReading and LanguageDataMissing.
        """
        tag = language.lower()
        terms = Lexicon(self._lexicon.terms | dict(lexicon)) if lexicon else self._lexicon
        clean, spelled = spellings(re.sub(" {2,}", " ", plain(text)), terms)
        found = self._segments(clean, tag, spelled)
        if sum(len(segment.phonemes.ids) for segment in found) < SHORTEST:
            found = self._segments("." + clean, tag, [spelling.moved(1) for spelling in spelled])
        if not any(symbol not in _UNHEARD for segment in found for symbol in segment.phonemes.symbols):
            raise UnreadableText(text, "".join(dict.fromkeys(char for char in text if not char.isspace())))
        return found

    def _segments(self, text: str, tag: str, spelled: Sequence[Spelling]) -> list[Segment]:
        segments = []
        start = 0
        for stretch in _around(stretches(text, tag, version=self.table.version), spelled):
            end = start + len(stretch.text)
            inside = [spelling.moved(-start) for spelling in spelled if start <= spelling.start < end]
            phonemes = self._speaker.phonemes(stretch, inside)
            if phonemes.ids:
                segments.append(Segment(stretch.text, stretch.language, phonemes))
            start = end
        return segments


def _around(parts: Sequence[Stretch], spelled: Sequence[Spelling]) -> Iterator[Stretch]:
    """The stretches with borders moved so that each spelled term lies in one stretch of the reading's language."""
    if not spelled:
        yield from parts
        return
    languages = [part.language for part in parts for _ in part.text]
    text = "".join(part.text for part in parts)
    for spelling in spelled:
        language = languages[spelling.start]
        if is_arpabet(spelling.reading):
            language = "en"
        elif language == "en":
            language = "zh"  # pinyin inside an English text
        languages[spelling.start : spelling.end] = [language] * (spelling.end - spelling.start)
    for language, places in groupby(range(len(text)), key=languages.__getitem__):
        yield Stretch(language, "".join(text[at] for at in places))


def _installed(package: str) -> str:
    try:
        return f"{package} {installed(package)}"
    except PackageNotFoundError:
        return f"{package} missing"
