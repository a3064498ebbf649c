from __future__ import annotations

import importlib.util
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from types import ModuleType

import pytest
from lxml import etree

from scheduler.scripts.registry import read_script

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "audiobook"
NS = {
    "opf": "http://www.idpf.org/2007/opf",
    "dc": "http://purl.org/dc/elements/1.1/",
    "x": "http://www.w3.org/1999/xhtml",
    "epub": "http://www.idpf.org/2007/ops",
}


@pytest.fixture(scope="module")
def build() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("example_audiobook_build", EXAMPLE / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def book() -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(EXAMPLE / "fables.epub") as book:
        yield book


def pixels(png: bytes) -> tuple[bytes, bytes]:
    """Everything before the pixels, and the pixels: deflate may differ between builds of zlib, its content not."""
    position, head, data = 8, png[:8], b""
    while position < len(png):
        size, kind = struct.unpack(">I4s", png[position : position + 8])
        body = png[position + 8 : position + 8 + size]
        head, data = (head, data + body) if kind == b"IDAT" else (head + kind + body, data)
        position += 12 + size
    return head, zlib.decompress(data)


def test_the_committed_book_is_what_build_makes(build: ModuleType, book: zipfile.ZipFile) -> None:
    cover = build.encode_png(build.draw_cover())
    assert pixels(cover) == pixels((EXAMPLE / "cover.png").read_bytes()) == pixels(book.read("EPUB/cover.png"))
    with zipfile.ZipFile(BytesIO(build.build_book((EXAMPLE / "cover.png").read_bytes()))) as made:
        assert [describe(info) for info in made.infolist()] == [describe(info) for info in book.infolist()]
        for name in made.namelist():
            assert made.read(name) == book.read(name), name


def describe(info: zipfile.ZipInfo) -> tuple[object, ...]:
    return info.filename, info.date_time, info.compress_type, info.external_attr, info.file_size, info.CRC


def test_mimetype_is_first_and_stored(book: zipfile.ZipFile) -> None:
    first = book.infolist()[0]
    assert (first.filename, first.compress_type, first.extra) == ("mimetype", zipfile.ZIP_STORED, b"")
    assert book.read("mimetype") == b"application/epub+zip"


def test_the_package_names_every_file_and_the_metadata_readers_need(book: zipfile.ZipFile) -> None:
    package = etree.fromstring(book.read("EPUB/package.opf"))
    assert package.get("version") == "3.0"
    identifier = package.xpath(f"//dc:identifier[@id='{package.get('unique-identifier')}']", namespaces=NS)
    assert len(identifier) == 1
    stated = {"title": "Fables of Aesop", "creator": "Joseph Jacobs", "language": "en", "date": "1894"}
    for name, value in stated.items():
        assert package.xpath(f"//dc:{name}/text()", namespaces=NS) == [value]
    assert package.xpath("//opf:meta[@property='dcterms:modified']/text()", namespaces=NS) == ["2026-11-01T00:00:00Z"]
    hrefs = {f"EPUB/{href}" for href in package.xpath("//opf:item/@href", namespaces=NS)}
    assert hrefs == {name for name in book.namelist() if name.startswith("EPUB/")} - {"EPUB/package.opf"}
    ids = package.xpath("//opf:item/@id", namespaces=NS)
    assert len(ids) == len(set(ids))
    assert set(package.xpath("//opf:itemref/@idref", namespaces=NS)) <= set(ids)
    assert package.xpath("//opf:item[@properties='nav']", namespaces=NS)
    assert package.xpath("//opf:item[@properties='cover-image']/@href", namespaces=NS) == ["cover.png"]


def test_every_page_is_well_formed_and_every_link_leads_somewhere(book: zipfile.ZipFile) -> None:
    for name in book.namelist():
        if not name.endswith(".xhtml"):
            continue
        page = etree.fromstring(book.read(name))
        ids = page.xpath("//@id")
        assert len(ids) == len(set(ids)), name
        for href in page.xpath("//x:a/@href", namespaces=NS):
            path, _, fragment = href.partition("#")
            assert f"EPUB/{path}" in book.namelist() if path else fragment in ids, (name, href)


def test_navigation_has_contents_and_landmarks(book: zipfile.ZipFile) -> None:
    page = etree.fromstring(book.read("EPUB/nav.xhtml"))
    assert len(page.xpath("//x:nav[@epub:type='toc']//x:a", namespaces=NS)) == 14
    kinds = page.xpath("//x:nav[@epub:type='landmarks']//x:a/@epub:type", namespaces=NS)
    assert {"titlepage", "toc", "bodymatter"} <= set(kinds)


def test_the_cover_is_large_enough_and_small_enough() -> None:
    png = (EXAMPLE / "cover.png").read_bytes()
    assert min(struct.unpack(">II", png[16:24])) >= 1000
    assert len(png) < 200_000


def test_no_markup_of_the_sources_is_left_in_the_book(book: zipfile.ZipFile) -> None:
    for name in book.namelist():
        if name.endswith(".xhtml"):
            text = "".join(etree.fromstring(book.read(name)).itertext())
            assert not set(text) & set("[]^<>"), name


def test_the_reader_finds_chapters_cast_and_cover() -> None:
    document = read_script(EXAMPLE / "fables.epub")
    assert (document.title, document.author, document.language) == ("Fables of Aesop", "Joseph Jacobs", "en")
    assert document.cover == (EXAMPLE / "cover.png").read_bytes()
    assert len(document.sections) == 14
    assert document.sections[6].title == "The Frogs Desiring a King"
    lines = [line for section in document.sections for line in section.lines]
    assert 150 <= len(lines) <= 260
    cast = {character for line in lines for character in line.characters}
    assert {"Wolf", "Lamb", "Town Mouse", "Country Mouse", "Fox", "Hare", "Patty"} <= cast
    spoken = " ".join(line.text for line in lines)
    assert "Dimity is a light" not in spoken, "footnotes are not read"
    assert "dimity frock" in spoken, "nor are their marks"
    assert "1894" not in spoken, "nor the title page"
