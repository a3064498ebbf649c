"""XML into a small tree that knows its line numbers; nothing that DAPT forbids ever reaches the parser's insides.

The parser stops at a document type declaration, so that no entity is declared, expanded or fetched. Depth and the
number of elements are counted while reading, before memory is spent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from scheduler.scripts.dapt.names import XML
from scheduler.scripts.errors import ScriptTooLarge

MAX_DEPTH = 64
MAX_ELEMENTS = 400_000
"""A feature film has some 3,000 events of ten elements."""
MAX_ATTRIBUTES = 10_000
"""Of one element."""
_STRETCH = re.compile(rb"<[^<]{30000,}")
"""A long tag with the text after it: no attribute holds a '<'."""
_SEPARATOR = "\n"
"""Between namespace and name: it cannot stand in either after the parser has read an attribute's value."""
_DECLARED = re.compile(rb"""\A\s*<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([^"']{0,60})["']""")
_VERSION = re.compile(rb"""\A\s*<\?xml[^>]{0,200}?\sversion\s*=\s*["']([^"']{0,60})["']""")
_MARKS = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<", b"\0\0\xfe\xff")
_BOM = b"\xef\xbb\xbf"


@dataclass(slots=True, eq=False)
class Node:
    """An element; ``content`` holds its text and children in order."""

    namespace: str
    name: str
    attributes: dict[tuple[str, str], str]
    line: int
    parent: Node | None = field(default=None, repr=False)
    content: list[Node | str] = field(default_factory=list, repr=False)
    children: list[Node] = field(default_factory=list, repr=False)
    """The elements of ``content``."""

    def get(self, namespace: str, name: str) -> str | None:
        """Return an attribute's value, or None."""
        return self.attributes.get((namespace, name))

    def plain(self, name: str) -> str | None:
        """Return the value of an attribute without namespace, or None."""
        return self.attributes.get(("", name))

    @property
    def identity(self) -> str | None:
        """Its ``xml:id``."""
        return self.attributes.get((XML, "id"))

    def named(self, namespace: str, name: str) -> Iterator[Node]:
        """Children of one name."""
        return (child for child in self.children if child.name == name and child.namespace == namespace)

    def walk(self) -> Iterator[Node]:
        """Itself and everything inside, in the order of the file."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children))

    def is_a(self, namespace: str, *names: str) -> bool:
        """Whether it is one of the elements named."""
        return self.namespace == namespace and self.name in names

    def own_text(self) -> str:
        """Its character data without that of its children."""
        return "".join(item for item in self.content if isinstance(item, str))

    def inherited(self, namespace: str, name: str, default: str = "") -> str:
        """The value of an attribute on itself or the nearest element around it."""
        node: Node | None = self
        while node is not None:
            value = node.attributes.get((namespace, name))
            if value is not None:
                return value
            node = node.parent
        return default

    @property
    def shown(self) -> str:
        """Its name for messages."""
        return f"<{self.name}>" if self.identity is None else f'<{self.name} xml:id="{self.identity[:60]}">'


class NotSerializable(Exception):
    """The bytes are no DAPT serialization; ``is_refused`` where it declares what is never expanded."""

    def __init__(self, line: int, message: str, *, is_refused: bool = False) -> None:
        super().__init__(line, message)
        self.line = line
        self.message = message
        self.is_refused = is_refused


def encoding_fault(data: bytes) -> str | None:
    """Return why the bytes do not count as UTF-8, or None."""
    if data.startswith(_MARKS):
        return "is not UTF-8; save it as UTF-8"
    match = _DECLARED.match(data.removeprefix(_BOM))
    if match is not None and match[1].lower() not in (b"utf-8", b"utf8"):
        return f"declares the encoding {match[1].decode('ascii', 'replace')!r}; save it as UTF-8 and declare that"
    version = _VERSION.match(data.removeprefix(_BOM))
    if version is not None and version[1] != b"1.0":
        return f"declares XML version {version[1].decode('ascii', 'replace')!r}; only 1.0 is DAPT"
    return None


def has_mark(data: bytes) -> bool:
    """Whether a UTF-8 byte order mark stands in front."""
    return data.startswith(_BOM)


def parse_tree(data: bytes, file: str) -> Node:
    """Return the root element. Raises NotSerializable with the line, and ScriptTooLarge for a limit."""
    fault = encoding_fault(data)
    if fault is not None:
        raise NotSerializable(1, f"the file {fault}")
    data = data.removeprefix(_BOM)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        reason = f"byte {data[error.start]:#04x} is not UTF-8; save the file as UTF-8"
        raise NotSerializable(line, reason) from error
    _check_tags(data, file)
    builder = _Builder(file)
    builder.feed(data)
    if builder.root is None:  # the parser has already refused a document without an element
        raise NotSerializable(1, "the file holds no element")
    return builder.root


def _check_tags(data: bytes, file: str) -> None:
    """Stop before a tag of countless attributes: the parser would hand over all of them at once."""
    for stretch in _STRETCH.finditer(data):
        if stretch[0].count(b"=") > MAX_ATTRIBUTES:
            line = data.count(b"\n", 0, stretch.start()) + 1
            raise ScriptTooLarge(file, f"line {line}", f"has an element with more than {MAX_ATTRIBUTES:,} attributes")


class _Builder:
    """Makes the tree from the parser's events."""

    def __init__(self, file: str) -> None:
        self.root: Node | None = None
        self._file = file
        self._open: list[Node] = []
        self._pending: list[str] = []
        """Character data that arrived in pieces; joining piece by piece would take the square of its length."""
        self._count = 0
        self._parser = expat.ParserCreate("utf-8", _SEPARATOR)
        self._parser.buffer_text = True
        self._parser.ordered_attributes = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._doctype

    def feed(self, data: bytes) -> None:
        try:
            self._parser.Parse(data, True)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code)
            raise NotSerializable(max(error.lineno, 1), f"the file is not well-formed XML: {reason}") from error

    def _start(self, name: str, attributes: list[str]) -> None:
        self._count += 1
        line = self._parser.CurrentLineNumber
        if self._count > MAX_ELEMENTS:
            raise ScriptTooLarge(self._file, f"line {line}", f"has more than {MAX_ELEMENTS:,} elements; divide it")
        if len(self._open) >= MAX_DEPTH:
            raise ScriptTooLarge(self._file, f"line {line}", f"nests elements more than {MAX_DEPTH} deep; flatten it")
        self._flush()
        parent = self._open[-1] if self._open else None
        values = {_split(key): value for key, value in zip(attributes[::2], attributes[1::2], strict=True)}
        node = Node(*_split(name), values, line, parent)
        if parent is None:
            self.root = node
        else:
            parent.content.append(node)
            parent.children.append(node)
        self._open.append(node)

    def _end(self, name: str) -> None:
        self._flush()
        self._open.pop()

    def _text(self, text: str) -> None:
        self._pending.append(text)

    def _flush(self) -> None:
        if self._pending:
            self._open[-1].content.append("".join(self._pending))
            self._pending.clear()

    def _doctype(self, name: str, system: str | None, public: str | None, has_subset: bool) -> None:
        raise NotSerializable(
            self._parser.CurrentLineNumber,
            "the file has a document type declaration; take it and its entities out",
            is_refused=True,
        )


def _split(name: str) -> tuple[str, str]:
    namespace, _, local = name.rpartition(_SEPARATOR)
    return namespace, local
