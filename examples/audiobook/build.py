"""Build fables.epub and cover.png from sources/: ``python examples/audiobook/build.py``.

The result is the same wherever and whenever it is built: no clock, no random numbers, nothing but numpy besides the
standard library. The text format of the sources is described in README.md.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
TITLE = "Fables of Aesop"
AUTHOR = "Joseph Jacobs"
IDENTIFIER = "urn:uuid:6f6d9a52-0d5b-5c1e-9a6e-1894aeb0f001"
MODIFIED = "2026-11-01T00:00:00Z"
ZIP_TIME = (1980, 1, 1, 0, 0, 0)

_SPAN = re.compile(r"\[([A-Z][A-Za-z ]*): (“[^“”]*”)\]")
_NOTE = re.compile(r"\[\^ ([^\]]*)\]")


@dataclass(frozen=True, slots=True)
class Chapter:
    """One fable: its file name in the book, its title and its XHTML."""

    name: str
    title: str
    body: str


def read_chapter(path: Path) -> Chapter:
    """Turn one source file into the body of a chapter."""
    title, *paragraphs = [part.strip() for part in path.read_text(encoding="utf-8").split("\n\n")]
    notes: list[str] = []
    body = "\n".join(_paragraph(text, notes) for text in paragraphs)
    asides = "".join(
        f'\n<aside epub:type="footnote" id="note-{number}"><p>{text}</p></aside>'
        for number, text in enumerate(notes, start=1)
    )
    return Chapter(path.stem, title, f"<h1>{escape(title, quote=False)}</h1>\n{body}{asides}")


def _paragraph(text: str, notes: list[str]) -> str:
    moral = text.startswith("> ")

    def note(match: re.Match[str]) -> str:
        notes.append(match[1])
        number = len(notes)
        return f'<a epub:type="noteref" href="#note-{number}">{number}</a>'

    marked = _NOTE.sub(note, escape(text.removeprefix("> "), quote=False))
    marked = _SPAN.sub(r'<span data-character="\1">\2</span>', marked)
    return f'<p class="moral">{marked}</p>' if moral else f"<p>{marked}</p>"


def page(title: str, body: str, *, kind: str) -> str:
    """A complete XHTML document whose one section has the epub:type ``kind``."""
    return f"""<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" lang="en" xml:lang="en">
<head>
<meta charset="utf-8"/>
<title>{escape(title)}</title>
<link rel="stylesheet" type="text/css" href="style.css"/>
</head>
<body>
<section epub:type="{kind}">
{body}
</section>
</body>
</html>
"""


STYLE = """body { font-family: serif; line-height: 1.5; margin: 5%; }
h1 { font-size: 1.4em; margin: 2em 0 1em; }
p { margin: 0; text-indent: 1.4em; }
h1 + p { text-indent: 0; }
.moral { font-style: italic; margin-top: 1em; text-indent: 0; }
.small { font-size: 0.85em; text-indent: 0; }
aside { border-top: 1px solid; font-size: 0.85em; margin-top: 2em; }
"""

TITLE_PAGE = """<h1>Fables of Aesop</h1>
<p>Selected, told anew and their history traced by Joseph Jacobs</p>
<p>London, 1894</p>"""

COLOPHON = """<h1>About this edition</h1>
<p class="small">The wording follows Joseph Jacobs’s edition of 1894, which is in the public domain. The speakers are
marked for a cast of voices. Laid out as the example of voicefarm.</p>"""


def navigation(chapters: list[Chapter]) -> str:
    """The navigation document: table of contents and landmarks."""
    items = "\n".join(f'<li><a href="{c.name}.xhtml">{escape(c.title, quote=False)}</a></li>' for c in chapters)
    return f"""<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" lang="en" xml:lang="en">
<head>
<meta charset="utf-8"/>
<title>Contents</title>
</head>
<body>
<nav epub:type="toc" id="toc">
<h1>Contents</h1>
<ol>
{items}
</ol>
</nav>
<nav epub:type="landmarks" id="landmarks" hidden="hidden">
<h1>Landmarks</h1>
<ol>
<li><a epub:type="titlepage" href="titlepage.xhtml">Title page</a></li>
<li><a epub:type="toc" href="nav.xhtml">Contents</a></li>
<li><a epub:type="bodymatter" href="{chapters[0].name}.xhtml">First fable</a></li>
</ol>
</nav>
</body>
</html>
"""


def package(chapters: list[Chapter]) -> str:
    """The package document: metadata, manifest and spine."""
    items = "\n".join(
        f'<item id="c{number:02}" href="{c.name}.xhtml" media-type="application/xhtml+xml"/>'
        for number, c in enumerate(chapters, start=1)
    )
    spine = "\n".join(f'<itemref idref="c{number:02}"/>' for number in range(1, len(chapters) + 1))
    return f"""<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" xml:lang="en">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">{IDENTIFIER}</dc:identifier>
<dc:title>{TITLE}</dc:title>
<dc:creator id="author">{AUTHOR}</dc:creator>
<meta refines="#author" property="role" scheme="marc:relators">aut</meta>
<dc:language>en</dc:language>
<dc:date>1894</dc:date>
<dc:rights>Public domain</dc:rights>
<meta property="dcterms:modified">{MODIFIED}</meta>
</metadata>
<manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="style" href="style.css" media-type="text/css"/>
<item id="cover" href="cover.png" media-type="image/png" properties="cover-image"/>
<item id="titlepage" href="titlepage.xhtml" media-type="application/xhtml+xml"/>
{items}
<item id="colophon" href="colophon.xhtml" media-type="application/xhtml+xml"/>
</manifest>
<spine>
<itemref idref="titlepage"/>
<itemref idref="nav" linear="no"/>
{spine}
<itemref idref="colophon"/>
</spine>
</package>
"""


CONTAINER = """<?xml version="1.0" encoding="utf-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles>
<rootfile full-path="EPUB/package.opf" media-type="application/oebps-package+xml"/>
</rootfiles>
</container>
"""


def build_book(cover: bytes) -> bytes:
    """The EPUB as bytes: mimetype first and stored, everything dated 1980."""
    chapters = [read_chapter(path) for path in sorted((HERE / "sources").glob("*.txt"))]
    members: list[tuple[str, bytes]] = [
        ("META-INF/container.xml", CONTAINER.encode()),
        ("EPUB/package.opf", package(chapters).encode()),
        ("EPUB/nav.xhtml", navigation(chapters).encode()),
        ("EPUB/style.css", STYLE.encode()),
        ("EPUB/cover.png", cover),
        ("EPUB/titlepage.xhtml", page(TITLE, TITLE_PAGE, kind="titlepage").encode()),
        *((f"EPUB/{c.name}.xhtml", page(c.title, c.body, kind="chapter").encode()) for c in chapters),
        ("EPUB/colophon.xhtml", page("About this edition", COLOPHON, kind="colophon").encode()),
    ]
    target = BytesIO()
    with zipfile.ZipFile(target, "w") as book:
        _add(book, "mimetype", b"application/epub+zip", zipfile.ZIP_STORED)
        for name, data in members:
            _add(book, name, data, zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED)
    return target.getvalue()


def _add(book: zipfile.ZipFile, name: str, data: bytes, method: int) -> None:
    info = zipfile.ZipInfo(name, ZIP_TIME)
    info.compress_type = method
    info.create_system = 3
    info.external_attr = 0o644 << 16
    book.writestr(info, data)


# --- the cover: a fox under a hanging bunch of grapes, in flat colours ---

WIDTH, HEIGHT = 1200, 1600
PALETTE = ("#f3e6c8", "#e8b04a", "#c8553d", "#7d2e2a", "#2f4b3c", "#22362c", "#5b3a6b", "#7c5590", "#fffaf0", "#24201c")
SAND, SUN, RUST, WINE, HILL, NIGHT, GRAPE, GRAPE_LIGHT, WHITE, INK = range(len(PALETTE))
Canvas = NDArray[np.uint8]

GLYPHS = {
    "A": "01110 10001 10001 11111 10001 10001 10001",
    "B": "11110 10001 10001 11110 10001 10001 11110",
    "C": "01110 10001 10000 10000 10000 10001 01110",
    "E": "11111 10000 10000 11110 10000 10000 11111",
    "F": "11111 10000 10000 11110 10000 10000 10000",
    "H": "10001 10001 10001 11111 10001 10001 10001",
    "J": "00111 00010 00010 00010 00010 10010 01100",
    "L": "10000 10000 10000 10000 10000 10000 11111",
    "O": "01110 10001 10001 10001 10001 10001 01110",
    "P": "11110 10001 10001 11110 10000 10000 10000",
    "S": "01111 10000 10000 01110 00001 00001 11110",
}


def draw_cover() -> Canvas:
    """Palette indices, shape (HEIGHT, WIDTH)."""
    canvas = np.full((HEIGHT, WIDTH), SAND, np.uint8)
    _disc(canvas, 600, 800, 330, SUN)
    _hill(canvas, 1180, 70, 0.0, HILL)
    _hill(canvas, 1330, 50, 2.0, NIGHT)
    _grapes(canvas, 905, 625)
    _fox(canvas, 560, 1330)
    canvas[60 : HEIGHT - 60, 60:72] = canvas[60 : HEIGHT - 60, WIDTH - 72 : WIDTH - 60] = WINE
    canvas[60:72, 60 : WIDTH - 60] = canvas[HEIGHT - 72 : HEIGHT - 60, 60 : WIDTH - 60] = WINE
    _text(canvas, "FABLES", 150, 22, WINE)
    _text(canvas, "OF AESOP", 345, 16, INK)
    _text(canvas, "JOSEPH JACOBS", 1455, 7, SAND)
    return canvas


def _disc(canvas: Canvas, x: int, y: int, radius: int, colour: int) -> None:
    rows, columns = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    canvas[y - radius : y + radius + 1, x - radius : x + radius + 1][columns**2 + rows**2 <= radius**2] = colour


def _hill(canvas: Canvas, top: int, height: int, phase: float, colour: int) -> None:
    rows, columns = np.ogrid[0:HEIGHT, 0:WIDTH]
    canvas[rows >= np.round(top - height * np.sin(columns / 190 + phase))] = colour


def _triangle(canvas: Canvas, corners: tuple[tuple[int, int], ...], colour: int) -> None:
    (left, top), (right, bottom) = np.min(corners, axis=0), np.max(corners, axis=0)
    rows, columns = np.ogrid[top : bottom + 1, left : right + 1]
    sides = [
        (x1 - x0) * (rows - y0) - (y1 - y0) * (columns - x0)
        for (x0, y0), (x1, y1) in zip(corners, (*corners[1:], corners[0]), strict=True)
    ]
    inside = np.logical_and.reduce([side >= 0 for side in sides]) | np.logical_and.reduce([side <= 0 for side in sides])
    canvas[top : bottom + 1, left : right + 1][inside] = colour


def _grapes(canvas: Canvas, x: int, y: int) -> None:
    canvas[y - 100 : y - 20, x - 6 : x + 6] = HILL
    _triangle(canvas, ((x, y - 60), (x + 120, y - 120), (x + 100, y - 25)), HILL)
    for row, count in enumerate((4, 5, 4, 3, 2, 1)):
        for column in range(count):
            centre = x + round((column - (count - 1) / 2) * 58)
            _disc(canvas, centre, y + row * 50, 30, GRAPE)
            _disc(canvas, centre - 9, y + row * 50 - 9, 9, GRAPE_LIGHT)


def _fox(canvas: Canvas, x: int, y: int) -> None:
    """Sitting, head raised: body, tail and head are triangles."""
    _triangle(canvas, ((x - 380, y - 40), (x - 130, y - 10), (x - 330, y - 250)), RUST)
    _triangle(canvas, ((x - 372, y - 110), (x - 306, y - 200), (x - 330, y - 250)), WHITE)
    _triangle(canvas, ((x - 190, y), (x + 130, y), (x + 30, y - 430)), RUST)
    _triangle(canvas, ((x + 60, y), (x + 130, y), (x + 55, y - 300)), WHITE)
    _triangle(canvas, ((x - 95, y - 400), (x + 125, y - 345), (x + 235, y - 520)), RUST)
    _triangle(canvas, ((x + 40, y - 366), (x + 125, y - 345), (x + 235, y - 520)), WHITE)
    _triangle(canvas, ((x - 95, y - 400), (x + 40, y - 445), (x - 70, y - 560)), WINE)
    _triangle(canvas, ((x - 10, y - 425), (x + 110, y - 465), (x + 45, y - 590)), RUST)
    _disc(canvas, x + 95, y - 440, 11, INK)
    _disc(canvas, x + 230, y - 512, 17, INK)


def _text(canvas: Canvas, text: str, top: int, scale: int, colour: int) -> None:
    """Centred, in capitals of 5 x 7 cells of ``scale`` pixels."""
    width = (len(text) * 6 - 1) * scale
    left = (WIDTH - width) // 2
    for index, letter in enumerate(text):
        if letter == " ":
            continue
        cells = np.array([[int(cell) for cell in row] for row in GLYPHS[letter].split()], bool)
        block = np.kron(cells, np.ones((scale, scale), bool))
        x = left + index * 6 * scale
        canvas[top : top + 7 * scale, x : x + 5 * scale][block] = colour


def encode_png(canvas: Canvas) -> bytes:
    """An indexed PNG with four bits per pixel."""
    height, width = canvas.shape
    packed = (canvas[:, ::2] << 4) | canvas[:, 1::2]
    rows = np.hstack([np.zeros((height, 1), np.uint8), packed])  # filter 0 before each row
    palette = b"".join(bytes.fromhex(colour[1:]) for colour in PALETTE)
    header = struct.pack(">IIBBBBB", width, height, 4, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def main() -> None:
    """Write cover.png and fables.epub beside this file."""
    cover = encode_png(draw_cover())
    (HERE / "cover.png").write_bytes(cover)
    (HERE / "fables.epub").write_bytes(build_book(cover))


if __name__ == "__main__":
    main()
