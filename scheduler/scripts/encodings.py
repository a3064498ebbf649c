"""From the bytes of a text file to text: marks first, then UTF-8, then the statistics of the whole file."""

from __future__ import annotations

import codecs
import re

from charset_normalizer import from_bytes

from scheduler.scripts.errors import EncodingUnknown, ScriptTooLarge

_MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CANDIDATES = [
    "cp932", "euc_jp", "iso2022_jp", "gb18030", "big5", "euc_kr", "cp949",
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "koi8_r", "iso8859_2", "iso8859_15",
]  # fmt: skip
_LATIN_FAMILY = frozenset({"cp1250", "cp1252", "cp1254", "iso8859_2", "iso8859_15"})
_WESTERN = frozenset("àâäáãåçéèêëíìîïñóòôöõúùûüßæøœÀÂÄÁÃÅÇÉÈÊËÍÌÎÏÑÓÒÔÖÕÚÙÛÜÆØŒ‘’‚“”„–—…«»‹›°§·•¡¿ªº£€©®½¼²³\xa0\xad")
_SAMPLE_BYTES = 1_000_000
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa]")
_CODES_NOT_TEXT = frozenset({"unicode_escape", "raw_unicode_escape", "punycode", "idna", "undefined", "utf-7"})


def marked(data: bytes) -> tuple[str, int] | None:
    """Return the encoding that a byte order mark names, and the length of the mark; None without one."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name, len(mark)
    return None


def known_encoding(name: str) -> str | None:
    """Return Python's name of a text encoding, or None if it is none."""
    try:
        info = codecs.lookup(name.strip())
        "".encode(info.name)
    except (LookupError, ValueError):  # unknown; holds a null; encodes bytes to bytes
        return None
    return None if info.name in _CODES_NOT_TEXT else info.name


def decode(data: bytes, file: str, wanted: str | None = None) -> tuple[str, str]:
    """Return the text of a file and the encoding it was read in.

    ``wanted`` is what the user said, and is believed. Raises EncodingUnknown when nothing fits.
    """
    if wanted is not None:
        return _as_told(data, file, wanted)
    found = marked(data)
    if found is not None:
        name, skip = found
        return _strictly(data[skip:], name, file), name
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return _guess(data, file)


def _as_told(data: bytes, file: str, wanted: str) -> tuple[str, str]:
    name = known_encoding(wanted)
    if name is None:
        raise EncodingUnknown(file, "", f"there is no encoding called {wanted!r}")
    found = marked(data)
    if found is not None and found[0] == name:
        data = data[found[1] :]
    return _strictly(data, name, file).removeprefix("\ufeff"), name


def _strictly(data: bytes, name: str, file: str) -> str:
    try:
        return data.decode(name)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise EncodingUnknown(
            file, f"line {line}", f"is not {name}: byte {data[error.start]:#04x}; save it as UTF-8"
        ) from error


def _guess(data: bytes, file: str) -> tuple[str, str]:
    if b"\0" in data[:_SAMPLE_BYTES]:
        raise EncodingUnknown(file, "", "holds zero bytes and no byte order mark: it is not a text file")
    # only the lines that are not ASCII tell encodings apart: a long book is judged by them, whole lines at a time
    telling = b"\n".join(line for line in data.split(b"\n") if not line.isascii())[:_SAMPLE_BYTES]
    cut = telling.rfind(b"\n")
    sample = telling[:cut] if cut > 0 and len(telling) == _SAMPLE_BYTES else telling
    names = _japanese(sample)
    best = None if names else from_bytes(sample, cp_isolation=_CANDIDATES).best()
    names += [best.encoding] if best is not None else []
    if not names or (best is not None and best.encoding in _LATIN_FAMILY):
        # few accented bytes do not tell these apart, and western Europe is the likely one when all are its letters
        western = sample.decode("cp1252", "replace")
        names = ["cp1252", *names] if all(char in _WESTERN for char in western if not char.isascii()) else names
    for name in [*names, "cp1252"]:
        try:
            return data.decode(name), name
        except UnicodeDecodeError:
            continue
    raise EncodingUnknown(file, "", "its encoding was not recognised; save it as UTF-8")


def _japanese(data: bytes) -> list[str]:
    """The encoding in which a third of the letters are kana, which no other language has: a few lines tell."""
    for name in ("cp932", "euc_jp"):
        text = data.decode(name, "replace")
        others = sum(not char.isascii() for char in text)
        if others and "\ufffd" not in text and len(_KANA.findall(text)) * 3 >= others:
            return [name]
    return []


_LINE_END = re.compile(r"\r\n?|\n")


def to_lines(text: str, file: str, limit: int) -> list[str]:
    """Divide text at CR, LF or CRLF only. Raises ScriptTooLarge naming a line longer than ``limit`` characters."""
    lines = _LINE_END.split(text)
    if lines and not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, 1):
        if len(line) > limit:
            raise ScriptTooLarge(
                file, f"line {number}", f"has {len(line):,} characters, more than {limit:,}; break it into paragraphs"
            )
    return lines
