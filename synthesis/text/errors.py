"""What can be wrong with a text or its markup.

TextError
├── UnreadableText      characters that no front end can speak
├── UnknownSymbol       a phoneme that is not in the symbol table
├── LanguageUnknown     a language tag that this version of the models has no front end for
├── BadReading          a reading in the lexicon or in the text that is not one in its language
├── BadPause            a pause mark without a length that can be used
└── TextMethodUnknown   a way of cutting that there is not
EngineError
└── LanguageDataMissing a package or its dictionary, without which a language cannot be read
"""

from __future__ import annotations

from synthesis.errors import EngineError, TextError


def shown(text: str, limit: int = 60) -> str:
    """The text in quotes on one line, shortened to ``limit`` characters."""
    return repr(text if len(text) <= limit else text[: limit - 3] + "...")


class UnreadableText(TextError):
    """Nothing in the text, or not all of it, can be spoken; ``characters`` are those that cannot."""

    def __init__(self, text: str, characters: str) -> None:
        super().__init__("unreadable", text)
        self.args = (text, characters)
        self.characters = characters

    def __str__(self) -> str:
        if not self.characters:
            return f"there is nothing to speak in {shown(self.text)}; write words, or remove the line"
        names = " ".join(f"{char} (U+{ord(char):04X})" for char in self.characters[:8])
        more = f" and {len(self.characters) - 8} more" if len(self.characters) > 8 else ""
        return f"cannot read {names}{more} in {shown(self.text)}; spell out in words what should be said"


class UnknownSymbol(TextError):
    """A phoneme that the symbol table of this version does not have."""

    def __init__(self, symbol: str, version: str) -> None:
        super().__init__("unknown symbol", symbol)
        self.args = (symbol, version)
        self.symbol = symbol
        self.version = version

    def __str__(self) -> str:
        return f"phoneme {self.symbol!r} is not in the {self.version} symbol table; check the reading it comes from"


class LanguageUnknown(TextError):
    """A language tag without a front end; ``known`` are the tags there are."""

    def __init__(self, language: str, known: tuple[str, ...]) -> None:
        super().__init__("unknown language", language)
        self.args = (language, known)
        self.language = language
        self.known = known

    def __str__(self) -> str:
        return f"there is no front end for language {self.language!r}; use one of {', '.join(self.known)}"


class BadReading(TextError):
    """A reading that is not pinyin, jyutping, kana, hangul or ARPAbet where it should be."""

    def __init__(self, term: str, reading: str, detail: str) -> None:
        super().__init__("bad reading", term)
        self.args = (term, reading, detail)
        self.term = term
        self.reading = reading
        self.detail = detail

    def __str__(self) -> str:
        return f"reading {self.reading!r} of {self.term!r} cannot be used: {self.detail}"


class BadPause(TextError):
    """A pause mark whose length is missing, negative or too long."""

    def __init__(self, mark: str, detail: str) -> None:
        super().__init__("bad pause", mark)
        self.args = (mark, detail)
        self.mark = mark
        self.detail = detail

    def __str__(self) -> str:
        return f"pause {self.mark!r} cannot be used: {self.detail}"


class TextMethodUnknown(TextError):
    """No way of cutting a text has this name."""

    def __init__(self, method: str, known: tuple[str, ...]) -> None:
        super().__init__("unknown method", method)
        self.args = (method, known)
        self.method = method
        self.known = known

    def __str__(self) -> str:
        return f"there is no cut method {self.method!r}; use one of {', '.join(self.known)}"


class LanguageDataMissing(EngineError):
    """A package that a language needs is not installed, or its dictionary is not there."""

    def __init__(self, language: str, package: str) -> None:
        super().__init__("gpt-sovits", package)
        self.args = (language, package)
        self.language = language
        self.package = package

    def __str__(self) -> str:
        return f"language {self.language!r} needs {self.package}; install it with: pip install {self.package}"
