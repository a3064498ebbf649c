"""Parts of a workbook that may be large, read block by block: rows and strings go by, and none is held whole."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from lxml import etree

from scheduler.scripts.archive import MAX_ENTRY_BYTES, Archive
from scheduler.scripts.errors import ScriptRefused, ScriptTooLarge, ScriptUnreadable

MAX_PART_BYTES = 256 * 1024 * 1024
"""Largest sheet or table of strings, unpacked: about 450,000 rows of a dubbing sheet."""
_DECLARATIONS = (b"<!DOCTYPE", b"<!ENTITY")
_OVERLAP = max(map(len, _DECLARATIONS)) - 1
_MAX_TAG_BYTES = 4096
_MERGED = re.compile(
    rb"<(?:\w{1,20}:)?mergeCell\s[^<>]*?ref\s*=\s*[\"']([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})[\"']"
)


def elements(archive: Archive, part: str, tags: Sequence[str]) -> Iterator[etree._Element]:
    """Yield the elements of some names as each is read; nothing is expanded or fetched. Raises ScriptError.

    The caller calls ``forget`` with each of the first name when it has done with it: those go by, and the rest of the
    part, which stays in memory, is bounded as parts that are held whole are.
    """
    unit = tags[0]
    parser = etree.XMLPullParser(
        events=("end",),
        tag=[f"{{*}}{tag}" for tag in tags],
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
    )
    before = b""
    kept = 0
    try:
        for block in archive.blocks(part, MAX_PART_BYTES):
            before += block
            if any(word in before for word in _DECLARATIONS):
                raise ScriptRefused(archive.name, part, "declares a document type, which no workbook has")
            before = before[-_OVERLAP:]  # a declaration may begin in one block and end in the next
            kept += len(block)
            if kept > MAX_ENTRY_BYTES:
                reason = f"has more than {MAX_ENTRY_BYTES:,} bytes beside its rows and texts"
                raise ScriptTooLarge(archive.name, part, reason)
            parser.feed(block)
            for _, element in parser.read_events():
                if isinstance(element, etree._Element):  # and not a namespace, which is no event asked for
                    kept = 0 if element.tag.endswith(unit) else kept
                    yield element
        parser.close()
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ScriptUnreadable(archive.name, part, f"is not XML: {error}; save the workbook again") from error


def forget(element: etree._Element) -> None:
    """Free an element that was read, and all that ended before it."""
    element.clear()
    inner: etree._Element | None = element
    while inner is not None and (parent := inner.getparent()) is not None:
        while inner.getprevious() is not None:
            del parent[0]
        inner = parent


def merged_over_rows(archive: Archive, part: str) -> dict[int, list[tuple[str, int]]]:
    """Return first row → (letters of the column, last row) of the cells that are merged over several rows.

    A sheet lists them behind its rows, and they are needed before. Raises ScriptError.
    """
    found: dict[int, list[tuple[str, int]]] = defaultdict(list)
    carried = b""
    for block in archive.blocks(part, MAX_PART_BYTES):
        data = carried + block
        end = data.rfind(b"<")  # what begins here may end in the next block
        end = len(data) if len(data) - end > _MAX_TAG_BYTES else max(end, 0)
        if b"mergeCell" in data:
            _note_merged(data, end, found)
        carried = data[end:]
    _note_merged(carried, len(carried), found)
    return found


def _note_merged(data: bytes, end: int, found: dict[int, list[tuple[str, int]]]) -> None:
    for match in _MERGED.finditer(data, 0, end):
        first, last = int(match[2]), int(match[4])
        if last > first:
            found[first].append((match[1].decode(), last))
