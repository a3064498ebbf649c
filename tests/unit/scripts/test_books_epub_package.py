"""EPUBs as the world packs them: ids with spaces, names in two forms of Unicode, protected files, roles in classes."""

from __future__ import annotations

import unicodedata
import zipfile
from pathlib import Path

import pytest
from script_samples import CONTAINER, Book, page, small_book

from scheduler.scripts.errors import ScriptEmpty, ScriptRefused, ScriptUnreadable
from scheduler.scripts.model import ReadOptions, Rejection, ScriptDocument
from scheduler.scripts.registry import read_script

TALE = "<p>The lamp was lit, and nobody had asked for it.</p>"
AES = "http://www.w3.org/2001/04/xmlenc#aes256-cbc"
OBFUSCATED = "http://www.idpf.org/2008/embedding"


def read(book: Book, tmp_path: Path, **options: object) -> ScriptDocument:
    return read_script(book.write(tmp_path / "book.epub"), options=ReadOptions(**options))  # type: ignore[arg-type]


def said(document: ScriptDocument) -> list[str]:
    return [line.text for section in document.sections for line in section.lines]


def titles(document: ScriptDocument) -> list[str]:
    return [section.title for section in document.sections]


def packed(tmp_path: Path, manifest: str, spine: str, files: dict[str, str]) -> Path:
    """A book with a package document of the test's own."""
    path = tmp_path / "own.epub"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("META-INF/container.xml", CONTAINER)
        archive.writestr(
            "OPS/book.opf",
            '<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata '
            'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>The Lamp</dc:title><dc:language>en</dc:language>'
            f"</metadata><manifest>{manifest}</manifest>{spine}</package>",
        )
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def encryption(*files: tuple[str, str]) -> dict[str, bytes]:
    data = "".join(
        f'<e:EncryptedData><e:EncryptionMethod Algorithm="{method}"/><e:CipherData><e:CipherReference URI="{name}"/>'
        "</e:CipherData></e:EncryptedData>"
        for name, method in files
    )
    text = (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" '
        f'xmlns:e="http://www.w3.org/2001/04/xmlenc#">{data}</encryption>'
    )
    return {"META-INF/encryption.xml": text.encode()}


def test_spaces_around_ids_are_no_part_of_them(tmp_path: Path) -> None:
    ncx = (
        '<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap><navPoint>'
        '<navLabel><text>The Light</text></navLabel><content src="a.xhtml"/></navPoint></navMap></ncx>'
    )
    manifest = (
        '<item id=" a" href="a.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="ncx " href="t.ncx" media-type="application/x-dtbncx+xml"/>'
    )
    spine = '<spine toc=" ncx"><itemref idref="a "/></spine>'
    document = read_script(packed(tmp_path, manifest, spine, {"OPS/a.xhtml": page(TALE), "OPS/t.ncx": ncx}))
    assert titles(document) == ["The Light"]
    assert not document.rejected


def test_a_letter_and_its_mark_are_the_same_name_however_they_are_written(tmp_path: Path) -> None:
    composed, apart = "f\u00fcr.xhtml", unicodedata.normalize("NFD", "f\u00fcr.xhtml")
    for stored, named in ((composed, apart), (apart, composed)):
        manifest = f'<item id="a" href="{named}" media-type="application/xhtml+xml"/>'
        path = packed(tmp_path, manifest, '<spine><itemref idref="a"/></spine>', {f"OPS/{stored}": page(TALE)})
        assert said(read_script(path)) == ["The lamp was lit, and nobody had asked for it."]


def test_a_name_in_utf_8_that_the_archive_does_not_declare_is_found(tmp_path: Path) -> None:
    manifest = '<item id="a" href="f%C3%BCr.xhtml" media-type="application/xhtml+xml"/>'
    path = packed(tmp_path, manifest, '<spine><itemref idref="a"/></spine>', {"OPS/f\u00fcr.xhtml": page(TALE)})
    data = bytearray(path.read_bytes())
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = data.find(signature)
        while start >= 0:
            data[start + at + 1] &= ~0x08  # the flag of a name that is UTF-8
            start = data.find(signature, start + 4)
    path.write_bytes(data)
    assert len(read_script(path).sections) == 1


def test_an_address_outside_the_archive_is_named_by_its_id(tmp_path: Path) -> None:
    manifest = '<item id="far" href="../../far.xhtml" media-type="application/xhtml+xml"/>'
    path = packed(tmp_path, manifest, '<spine><itemref idref="far"/></spine>', {})
    with pytest.raises(ScriptRefused, match="leads outside the archive: 'far'"):
        read_script(path)


def test_a_protected_book_is_refused_and_says_so(tmp_path: Path) -> None:
    book = small_book()
    book.pages = dict.fromkeys(book.pages, b"\x8f\x00\x13 no text")
    book.extra = encryption(*((f"OPS/{name}", AES) for name in book.pages))
    with pytest.raises(ScriptUnreadable, match=r"OPS/one\.xhtml: is encrypted; only a copy without copy protection"):
        read(book, tmp_path)


def test_one_protected_page_is_reported_and_the_rest_read(tmp_path: Path) -> None:
    book = small_book()
    book.extra = encryption(("OPS/two.xhtml", AES), ("OPS/font.otf", OBFUSCATED))
    document = read(book, tmp_path)
    assert [(one.place, one.reason[:12]) for one in document.rejected] == [("OPS/two.xhtml", "is encrypted")]
    assert titles(document) == ["One: The Lamp"]


def test_a_list_of_what_is_encrypted_that_is_no_xml_is_reported(tmp_path: Path) -> None:
    book = small_book()
    book.extra = {"META-INF/encryption.xml": b"<encryption"}
    document = read(book, tmp_path)
    assert len(document.sections) == 2
    assert [one.place for one in document.rejected] == ["META-INF/encryption.xml"]


def test_what_older_books_mark_by_a_class_alone_is_left_out(tmp_path: Path) -> None:
    body = (
        '<h1>One</h1><p>The lamp<a class="fnanchor" href="#f">[1]</a> was lit, <span class="pagenum">[Pg 7]</span>and '
        'nobody had asked for it.<span class="lnum">10</span></p><div class="footnote"><p>A lamp of brass.</p></div>'
    )
    document = read(Book({"a.xhtml": page(body)}), tmp_path)
    assert said(document) == ["One", "The lamp was lit, and nobody had asked for it."]
    assert [one.reason for one in document.notices] == [
        "1 × footnote left out",
        "1 × noteref left out",
        "2 × pagebreak left out",
    ]
    taken = read(Book({"a.xhtml": page(body)}), tmp_path, include_roles=frozenset({"footnote"}))
    assert "A lamp of brass." in said(taken)[-1]


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (
            "<pre>The eBook of The Lamp\n*** START OF THIS PROJECT GUTENBERG EBOOK THE LAMP ***</pre>",
            "<p>End of the Project Gutenberg EBook of The Lamp</p><p>*** END OF THIS PROJECT GUTENBERG EBOOK ***</p>"
            "<p>You may give it away.</p>",
        ),
        (
            '<section class="pg-boilerplate pgheader"><p>The eBook of The Lamp</p></section>',
            '<section class="pg-boilerplate"><p>You may give it away.</p></section>',
        ),
    ],
)
def test_a_librarys_pages_are_left_out(first: str, last: str, tmp_path: Path) -> None:
    book = Book({"a.xhtml": page(f"{first}<h1>One</h1>{TALE}"), "b.xhtml": page(f"<p>It rained.</p>{last}")})
    document = read(book, tmp_path)
    assert said(document) == ["One", "The lamp was lit, and nobody had asked for it.", "It rained."]
    assert document.notices == (Rejection("", "its library's licence pages are left out"),)


def test_a_bare_number_is_titled_together_with_what_it_is_in(tmp_path: Path) -> None:
    pages = {f"{name}.xhtml": page(TALE) for name in "abcd"}
    book = Book(pages, nav=(("x.xhtml", "x"),))
    numbers = "".join(f'<li><a href="{name}.xhtml">{label}</a></li>' for name, label in (("a", "I"), ("b", "II.")))
    letters = "".join(f'<li><a href="{name}.xhtml">{label}</a></li>' for name, label in (("c", "C"), ("d", "Notes")))
    nav = (
        f'<nav epub:type="toc"><ol><li><a href="z.xhtml">The Red Lamp</a><ol>{numbers}</ol></li>'
        f"<li><span>Words</span><ol>{letters}</ol></li></ol></nav>"
    )
    path = book.write(tmp_path / "book.epub")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "new.epub", "w") as new:
        for info in old.infolist():
            new.writestr(info, page(nav) if info.filename == "OPS/nav.xhtml" else old.read(info))
    assert titles(read_script(tmp_path / "new.epub")) == ["The Red Lamp, I", "The Red Lamp, II.", "C", "Notes"]


def test_numbers_in_an_ncx_are_titled_in_the_same_way(tmp_path: Path) -> None:
    def point(label: str, name: str, inside: str = "") -> str:
        return f'<navPoint><navLabel><text>{label}</text></navLabel><content src="{name}.xhtml"/>{inside}</navPoint>'

    ncx = (
        '<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap>'
        f"{point('The Red Lamp', 'z', point('1', 'a') + point('2', 'b'))}{point('3', 'c')}</navMap></ncx>"
    )
    names = ("a", "b", "c")
    manifest = "".join(f'<item id="{n}" href="{n}.xhtml" media-type="application/xhtml+xml"/>' for n in names)
    manifest += '<item id="ncx" href="t.ncx" media-type="application/x-dtbncx+xml"/>'
    spine = f'<spine toc="ncx">{"".join(f"<itemref idref={chr(34)}{n}{chr(34)}/>" for n in names)}</spine>'
    files = {f"OPS/{n}.xhtml": page(TALE) for n in names} | {"OPS/t.ncx": ncx}
    assert titles(read_script(packed(tmp_path, manifest, spine, files))) == ["The Red Lamp, 1", "The Red Lamp, 2", "3"]


def test_where_nothing_is_left_the_error_says_what_was_left_out(tmp_path: Path) -> None:
    table = "<table><tr><td>A lamp</td></tr></table>"
    with pytest.raises(
        ScriptEmpty, match=r"nothing in it is to be spoken: a table is not read.* \(2 times\); 1 × pagebreak"
    ):
        read(Book({"a.xhtml": page(f'{table}{table}<span epub:type="pagebreak">7</span>')}), tmp_path)
