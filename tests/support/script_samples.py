"""Builders of script files: every sample in the tests is made here, none is copied from anywhere."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from db.records import VoiceRecord

CONTAINER = (
    '<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)


def png() -> bytes:
    """One grey pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\x80")) + chunk(b"IEND", b"")
    )


def page(body: str, *, lang: str = "en", attributes: str = "", head: str = "<!DOCTYPE html>\n") -> str:
    """One XHTML document."""
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n{head}'
        '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"'
        f' xml:lang="{lang}"><head><title>not read</title><style>p {{ color: red }}</style></head>'
        f"<body {attributes}>{body}</body></html>"
    )


@dataclass
class Book:
    """An EPUB to be: pages in reading order, and whatever else the test wants in it."""

    pages: Mapping[str, str | bytes]
    title: str = "The Lamp"
    author: str = "Ada Field"
    language: str = "en"
    version: str = "3.0"
    nav: Sequence[tuple[str, str]] = ()
    ncx: Sequence[tuple[str, str]] = ()
    non_linear: frozenset[str] = frozenset()
    cover: bytes | None = None
    guide: str = ""
    landmarks: str = ""
    extra: Mapping[str, bytes] = field(default_factory=dict)
    mimetype: bool = True
    nav_in_spine: bool = False

    def write(self, path: Path) -> Path:
        """Write the archive."""
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            if self.mimetype:
                archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
            archive.writestr("META-INF/container.xml", CONTAINER)
            archive.writestr("OPS/book.opf", self.package())
            for name, text in self.pages.items():
                archive.writestr(f"OPS/{name}", text)
            if self.nav:
                archive.writestr("OPS/nav.xhtml", self._nav())
            if self.ncx:
                archive.writestr("OPS/toc.ncx", self._ncx())
            if self.cover is not None:
                archive.writestr("OPS/cover.png", self.cover)
            for name, data in self.extra.items():
                archive.writestr(name, data)
        return path

    def package(self) -> str:
        """The package document."""
        items = [
            f'<item id="p{n}" href="{name}" media-type="application/xhtml+xml"/>' for n, name in enumerate(self.pages)
        ]
        spine = [
            f'<itemref idref="p{n}"{" linear=" + chr(34) + "no" + chr(34) if name in self.non_linear else ""}/>'
            for n, name in enumerate(self.pages)
        ]
        meta = ""
        if self.nav:
            items.append('<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>')
            if self.nav_in_spine:
                spine.insert(0, '<itemref idref="nav"/>')
        if self.ncx:
            items.append('<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>')
        if self.cover is not None and self.version == "3.0":
            items.append('<item id="cover" href="cover.png" properties="cover-image" media-type="image/png"/>')
        elif self.cover is not None:
            items.append('<item id="cover" href="cover.png" media-type="image/png"/>')
            meta = '<meta name="cover" content="cover"/>'
        return (
            f'<package xmlns="http://www.idpf.org/2007/opf" version="{self.version}">'
            f'<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{self.title}</dc:title>'
            f"<dc:creator>{self.author}</dc:creator><dc:language>{self.language}</dc:language>"
            f"<dc:date>1921-05-04</dc:date>{meta}</metadata><manifest>{''.join(items)}</manifest>"
            f'<spine toc="ncx">{"".join(spine)}</spine>{self.guide}</package>'
        )

    def _nav(self) -> str:
        links = "".join(f'<li><a href="{href}">{title}</a></li>' for href, title in self.nav)
        return page(f'<nav epub:type="toc"><h1>Contents</h1><ol>{links}</ol></nav>{self.landmarks}')

    def _ncx(self) -> str:
        points = "".join(
            f'<navPoint id="n{n}"><navLabel><text>{title}</text></navLabel><content src="{href}"/></navPoint>'
            for n, (href, title) in enumerate(self.ncx)
        )
        return f'<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/" version="2005-1"><navMap>{points}</navMap></ncx>'


def small_book() -> Book:
    """Two chapters with a nav, a cover and some dialogue."""
    return Book(
        pages={
            "one.xhtml": page(
                "<h1>One</h1><p>The lamp was lit. Nobody had asked for it.</p><p>“Who is there?” she said.</p>"
            ),
            "two.xhtml": page("<h1>Two</h1><p>Morning came at last, and with it the rain.</p>"),
        },
        nav=(("one.xhtml", "One: The Lamp"), ("two.xhtml", "Two: The Rain")),
        cover=png(),
    )


VTT = """WEBVTT
Language: en

NOTE nobody reads this

intro
00:00:01.000 --> 00:00:02.500 align:start
<v Mara>We have <i>one</i> hour.</v>

00:00:02.400 --> 00:00:04.000
Then we should
leave now.
"""

SRT = """1
00:00:01,000 --> 00:00:02,500
MARA: We have one hour.

2
00:00:02,400 --> 00:00:04,000
{\\an8}<i>Then we should
leave now.</i>
"""

SHEET = """Cue #,Scene,Character,Dialogue,TC In,TC Out,Emotion,Shelf
a1,Gate,MARA,"We have one hour, no more.",00:00:01.000,00:00:02.500,calm,7
a2,Gate,Old Tom,Then we should leave now.,00:00:02.400,00:00:04.000,,9
a3,Road,MARA,It is raining.,00:00:05.000,00:00:06.000,,
"""

MARKDOWN = """---
title: The First Lesson
author: Ada Field
language: en
---

# Light

A lamp turns current into light. It also gets [warm](http://localhost/x).

```python
print("not read")
```

## Heat

Warm air rises above the lamp.

---

<!-- a note to myself -->
[voice:Mara]Is it dangerous?[/voice] Not if you are careful with it.
"""

TEXT = """CHAPTER I

It was late, and the lamp in the hall
had burnt for an hour. Nobody came.

Then the bell rang twice.

* * *

CHAPTER II

In the morning the street was white
with new snow.
"""


def write(path: Path, data: str | bytes) -> Path:
    """Write a file and return its path."""
    path.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)
    return path


def voice(
    name: str,
    *languages: str,
    number: int = 1,
    engine: str = "draft",
    live: bool = True,
    version: int = 1,
) -> VoiceRecord:
    """A stored voice; speaks every language unless told which."""
    return VoiceRecord(
        id=number,
        name=name,
        version=version,
        engine=engine,
        engine_version="1",
        languages=languages or ("*",),
        parameters={},
        description="",
        digest=f"digest-of-{name}-{version}",
        live=live,
    )


def draft_voices(count: int = 8) -> list[VoiceRecord]:
    """The narrator and ``count`` numbered voices, in no particular order."""
    numbered = [voice(f"draft-{n}", number=n + 1) for n in range(count, 0, -1)]
    return [*numbered, voice("draft-narrator", number=1)]
