"""XML from a stranger: no entity is ever expanded, no network, no huge trees, and HTML's named characters work.

The document type declaration is taken out before the parser sees it. Entities it declares are refused; HTML's named
characters are replaced from a table, one for one, so nothing can grow.
"""

from __future__ import annotations

import html.entities
import re

from lxml import etree

from scheduler.scripts.encodings import known_encoding, marked
from scheduler.scripts.errors import ScriptRefused, ScriptUnreadable

_DECLARED = re.compile(rb"""\A\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")
_XML_DECLARATION = re.compile(r"\A\s*<\?xml[^>]{0,500}\?>")
_PROLOG = re.compile(r"(?:\s+|<!--.*?-->|<\?.*?\?>)*", re.DOTALL)
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,31});")
_REFERENCE = re.compile(r"&#(?:[xX]0*([0-9A-Fa-f]{1,8})|0*([0-9]{1,10}));")
_XML_ENTITIES = frozenset({"amp", "lt", "gt", "quot", "apos"})
_TAGS = re.compile(r"<[^<>]*>")
_COMMENTS = re.compile(r"<!--.*?-->", re.DOTALL)
_BAD_CHARS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


def parse_xml(data: bytes, file: str, place: str, *, lenient: bool = False) -> etree._Element:
    """Return the root of a document.

    ``lenient`` reads on past mistakes that leave the text clear, as reading systems do with old books. Raises
    ScriptRefused for entity declarations and ScriptUnreadable for what is not XML, naming the line.
    """
    text = _without_doctype(_decoded(data, file, place), file, place)
    text = _ENTITY.sub(lambda match: _character(match, file, place), text)
    text = _REFERENCE.sub(_valid, text)
    raw = _BAD_CHARS.sub("", text).encode("utf-8")
    try:
        return etree.fromstring(raw, _parser(recover=False))
    except etree.XMLSyntaxError as error:
        if lenient and (root := _recovered(raw)) is not None and _is_whole(root, raw):
            return root
        raise ScriptUnreadable(file, place, f"is not XML: {error.msg}") from error
    except ValueError as error:
        raise ScriptUnreadable(file, place, f"is not XML: {error}") from error


def _valid(match: re.Match[str]) -> str:
    """A reference by number; one to what is no character of XML is dropped."""
    number = int(match[1], 16) if match[1] else int(match[2])
    return "" if number > 0x10FFFF or _BAD_CHARS.match(chr(number)) else match[0]


def _parser(*, recover: bool) -> etree.XMLParser:
    # ids are not collected: files that use one twice, or one that is no XML name, say clearly enough what is spoken
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        collect_ids=False,
        recover=recover,
    )


def _recovered(raw: bytes) -> etree._Element | None:
    try:
        root: etree._Element | None = etree.fromstring(raw, _parser(recover=True))
    except (etree.XMLSyntaxError, ValueError):
        return None
    return root


def _is_whole(root: etree._Element, raw: bytes) -> bool:
    """Whether what was recovered holds the text: the parser may have given up half way."""
    plain = _TAGS.sub(" ", _COMMENTS.sub(" ", raw.decode("utf-8")))
    expected = sum(map(str.isalnum, plain))
    found = sum(char.isalnum() for text in root.itertext() for char in str(text))
    return found >= 0.98 * expected


def _decoded(data: bytes, file: str, place: str) -> str:
    found = marked(data)
    if found is not None:
        return data[found[1] :].decode(found[0], "replace")
    if data[:2] in (b"<\0", b"\0<"):
        return data.decode("utf-16-le" if data[0] else "utf-16-be", "replace")
    match = _DECLARED.match(data)
    name = known_encoding(match[1].decode("ascii")) if match is not None else "utf-8"
    if name is None:
        raise ScriptUnreadable(file, place, "declares an encoding that does not exist")
    try:
        return data.decode(name)
    except UnicodeDecodeError:
        # a book that says UTF-8 and is not was nearly always written on Windows
        return data.decode("cp1252", "replace")


def _without_doctype(text: str, file: str, place: str) -> str:
    declared = _XML_DECLARATION.match(text)
    at = declared.end() if declared is not None else 0
    prolog = _PROLOG.match(text, at)
    start = prolog.end() if prolog is not None else at
    if text[start : start + 9].upper() != "<!DOCTYPE":
        return text[at:] if at == start else "\n" * text.count("\n", 0, at) + text[at:]
    end = _doctype_end(text, start)
    if end is None:
        raise ScriptUnreadable(file, place, "its document type declaration does not end")
    if "<!ENTITY" in text[start:end].upper():
        raise ScriptRefused(file, place, "declares XML entities, which are never expanded; write the characters out")
    return "\n" * text.count("\n", 0, end) + text[end:]


def _doctype_end(text: str, start: int) -> int | None:
    depth = 0
    quote = ""
    for at in range(start, min(len(text), start + 1_000_000)):
        char = text[at]
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char == "[":
            depth += 1
        elif char == "]":
            depth -= 1
        elif char == ">" and depth <= 0:
            return at + 1
    return None


def _character(match: re.Match[str], file: str, place: str) -> str:
    name = match[1]
    if name in _XML_ENTITIES:
        return match[0]
    found = html.entities.html5.get(name + ";")
    if found is None:
        line = match.string.count("\n", 0, match.start()) + 1
        raise ScriptRefused(file, f"{place} line {line}", f"uses the entity &{name}; that nothing declares")
    return found if found not in "<&" else f"&#{ord(found)};"
