from __future__ import annotations

import io
import logging
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pypdf import PdfWriter

from scheduler.scripts import pdf
from scheduler.scripts.errors import ScriptError, ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.pdf import PdfReader
from scheduler.scripts.source import ScriptSource

LEADING = 15


@dataclass
class Printed:
    """A PDF to be: lines of each page, as (x, y, size, text)."""

    pages: list[list[tuple[float, float, float, str]]] = field(default_factory=list)
    bookmarks: Sequence[tuple[str, int]] = ()
    facts: str = ""
    catalog: str = ""
    contents: bytes | None = None
    resources: str = ""
    font: str = ""
    more: Sequence[bytes] = ()
    """Further objects; the first is number 6 where there is one page."""

    def page(self, *lines: str, head: str = "", foot: str = "") -> Printed:
        """Set a page: '  ' before a line indents it, '#' sets it large, an empty line leaves a gap."""
        done: list[tuple[float, float, float, str]] = [(72, 760, 9, head)] if head else []
        y = 700
        for line in lines:
            if line:
                done.append(
                    (90 if line.startswith("  ") else 72, y, 18 if line.startswith("#") else 12, line.strip("# "))
                )
            y -= LEADING
        self.pages.append([*done, (300, 30, 9, foot)] if foot else done)
        return self

    def data(self) -> bytes:
        """The file."""
        font = f"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding {self.font} >>"
        objects: list[bytes] = [b"", b"", font.encode()]
        kids = []
        for lines in self.pages:
            packed = zlib.compress(self.contents if self.contents is not None else b"".join(map(_shown, lines)))
            objects.append(b"<< /Length %d /Filter /FlateDecode >>\nstream\n%b\nendstream" % (len(packed), packed))
            resources = f"<< /Font << /F1 3 0 R >> {self.resources} >>"
            objects.append(
                f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {len(objects)} 0 R"
                f" /Resources {resources} >>".encode()
            )
            kids.append(len(objects))
        outline = self._outline(objects, kids) if self.bookmarks else ""
        objects[0] = f"<< /Type /Catalog /Pages 2 0 R {outline} {self.catalog} >>".encode()
        objects[1] = f"<< /Type /Pages /Kids [{' '.join(f'{n} 0 R' for n in kids)}] /Count {len(kids)} >>".encode()
        objects.extend(self.more)
        objects.append(f"<< {self.facts} >>".encode())
        return _file(objects)

    def _outline(self, objects: list[bytes], kids: list[int]) -> str:
        root, first, count = len(objects) + 1, len(objects) + 2, len(self.bookmarks)
        objects.append(
            f"<< /Type /Outlines /First {first} 0 R /Last {first + count - 1} 0 R /Count {count} >>".encode()
        )
        for number, (title, page) in enumerate(self.bookmarks):
            following = f"/Next {first + number + 1} 0 R" if number < count - 1 else ""
            objects.append(
                f"<< /Title ({title}) /Parent {root} 0 R {following} /Dest [{kids[page]} 0 R /Fit] >>".encode()
            )
        return f"/Outlines {root} 0 R"


def _shown(line: tuple[float, float, float, str]) -> bytes:
    x, y, size, text = line
    raw = text.encode("cp1252")
    for char in (b"\\", b"(", b")"):
        raw = raw.replace(char, b"\\" + char)
    return b"BT /F1 %g Tf 1 0 0 1 %g %g Tm (%b) Tj ET\n" % (size, x, y, raw)


def _file(objects: Sequence[bytes]) -> bytes:
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer << /Size %d /Root 1 0 R /Info %d 0 R >>" % (len(objects) + 1, len(objects))
    return (
        out
        + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
        + table
        + trailer
        + b"\nstartxref\n%d\n%%%%EOF\n" % len(out)
    )


def read(source: Printed | bytes, tmp_path: Path, **options: object) -> ScriptDocument:
    path = tmp_path / "book.pdf"
    path.write_bytes(source if isinstance(source, bytes) else source.data())
    return PdfReader().read(ScriptSource.open(path), ReadOptions(**options))  # type: ignore[arg-type]


def texts(document: ScriptDocument) -> list[list[str]]:
    return [[line.text for line in section.lines] for section in document.sections]


def story() -> Printed:
    """Two chapters over six pages, with heads, feet, words divided at line ends and a paragraph over two pages."""
    book = Printed(
        facts="/Title (The Lamp) /Author (Ada Field) /CreationDate (D:20200102030405Z)", catalog="/Lang (en-GB)"
    )
    pages = [
        ("#Chapter 1", "", "  The lamp was lit and nobody in the whole of the", "house had asked for it. It was a re-",
         "markable thing, a well-known thing. The well-", "known lamp burnt on and nobody had to ask for", "it.",
         "  Then the bell rang and it was long after the mid-"),
        ("night when anybody in the whole of the house did", "hear it.", "  * * *",
         "  Another scene begins here and it is a long one", "that goes on for a line."),
        ("#Chapter 2", "#The Gate", "", "  It was shut when they came and the whole of the",
         "party stood before it in the rain."),
        ("  Nobody had the key and nobody in the whole of the", "party knew where it was."),
        ("  The end of it was that they went home again and", "that they did not come back."),
        ("  “So be it,” she said.",),
    ]  # fmt: skip
    for number, lines in enumerate(pages):
        book.page(*lines, head="ADA FIELD" if number % 2 else "THE LAMP", foot=f"– {number + 11} –")
    return book


CHAPTER_ONE = [
    "The lamp was lit and nobody in the whole of the house had asked for it.",
    "It was a remarkable thing, a well-known thing.",
    "The well-known lamp burnt on and nobody had to ask for it.",
    "Then the bell rang and it was long after the midnight when anybody in the whole of the house did hear it.",
    "Another scene begins here and it is a long one that goes on for a line.",
]


def test_pages_are_joined_and_divided_at_the_bookmarks(tmp_path: Path) -> None:
    book = story()
    book.bookmarks = (("Chapter 1", 0), ("Chapter 2: The Gate", 2))
    document = read(book, tmp_path)
    assert (document.title, document.author, document.year, document.language, document.kind) == (
        "The Lamp",
        "Ada Field",
        "2020",
        "en-GB",
        "audiobook",
    )
    assert [section.title for section in document.sections] == ["Chapter 1", "Chapter 2: The Gate"]
    assert texts(document) == [
        ["Chapter 1", *CHAPTER_ONE],
        [
            "Chapter 2 The Gate",
            "It was shut when they came and the whole of the party stood before it in the rain.",
            "Nobody had the key and nobody in the whole of the party knew where it was.",
            "The end of it was that they went home again and that they did not come back.",
            "“So be it,” she said.",
        ],
    ]
    first = document.sections[0].lines
    assert [line.boundary for line in first] == ["heading", "sentence", "sentence", "paragraph", "scene", "section"]
    assert [line.place for line in first] == ["page 1"] * 5 + ["page 2"]
    assert document.notices[0].reason == "12 × running head or page number left out"
    assert document.rejected == ()


def test_without_bookmarks_chapter_titles_divide(tmp_path: Path) -> None:
    document = read(story(), tmp_path)
    assert [section.title for section in document.sections] == ["Chapter 1", "Chapter 2"]
    assert texts(document)[0] == ["Chapter 1", *CHAPTER_ONE]


def test_a_bookmark_whose_words_are_not_printed_divides_where_its_page_begins(tmp_path: Path) -> None:
    book = Printed(bookmarks=(("One", 0), ("Two", 1))).page("It was late that night.").page("Morning came at last.")
    document = read(book, tmp_path)
    assert [section.title for section in document.sections] == ["One", "Two"]
    assert texts(document) == [["It was late that night."], ["Morning came at last."]]


def test_two_bookmarks_on_a_page_divide_it_at_their_titles(tmp_path: Path) -> None:
    book = Printed(bookmarks=(("One", 0), ("TWO", 0)))
    book.page("#One", "It was late that night.", "", "#Two", "Morning came at last.")
    assert texts(read(book, tmp_path)) == [["One", "It was late that night."], ["Two", "Morning came at last."]]


def test_paragraphs_are_told_from_gaps_where_nothing_is_indented(tmp_path: Path) -> None:
    book = Printed().page(
        "The lamp was lit and nobody in the whole of the",
        "house had asked for it.",
        "",
        "Then the bell rang and it was long after the",
        "hour when anybody in the house was up and about.",
        "",
        "It rained until the morning came to the house.",
    )
    [section] = read(book, tmp_path).sections
    assert [(line.text, line.boundary) for line in section.lines] == [
        ("The lamp was lit and nobody in the whole of the house had asked for it.", "paragraph"),
        ("Then the bell rang and it was long after the hour when anybody in the house was up and about.", "paragraph"),
        ("It rained until the morning came to the house.", "section"),
    ]


@pytest.mark.timeout(10)
def test_long_lines_of_marks_take_no_time(tmp_path: Path) -> None:
    book = Printed().page("- " * 20_000, "It was late that night.", ". " * 20_000)
    assert "It was late that night." in texts(read(book, tmp_path))[0][-1]


def test_what_repeats_inside_the_text_is_text(tmp_path: Path) -> None:
    book = Printed()
    for number in range(5):
        more = "again " * number
        book.page(
            f"It begins {more}here.", "", "Nobody came.", "", "The first of it.", "", "Nobody came.", "",
            "The last of it.", "", "Nothing else.", "", f"It ended so {more}then.",
        )  # fmt: skip
    said = [line for section in texts(read(book, tmp_path)) for line in section]
    assert sum(line.count("Nobody came.") for line in said) == 10
    assert sum(line.count("It ended so") for line in said) == 5


def test_small_roman_page_numbers_and_contents_with_leaders_are_left_out(tmp_path: Path) -> None:
    book = Printed()
    book.page("Chapter 1 . . . . . . . . 7", "Chapter 2 ........ 19", foot="iii")
    book.page("It was late that night.", foot="iv").page("Morning came at last.", foot="v")
    document = read(book, tmp_path)
    assert texts(document) == [["It was late that night.", "Morning came at last."]]
    assert [one.reason for one in document.notices][:2] == [
        "2 × line of a table of contents left out",
        "3 × running head or page number left out",
    ]


def test_heads_that_change_are_known_by_the_page_number_beside_them(tmp_path: Path) -> None:
    book = Printed()
    for number, head in enumerate(("The Lamp", "The Bell", "The Gate", "The Rain")):
        more = "again " * number
        lines = (
            f"It was late {more}then.",
            f"Nobody {more}came.",
            f"It rained {more}there.",
            f"It was in 19{number}7.",
        )
        book.page(*lines, head=f"{head} {number + 8}" if number % 2 else f"{number + 8} {head}")
    document = read(book, tmp_path)
    said = " ".join(line for section in texts(document) for line in section)
    assert (said.count("The "), said.count("It was in 19")) == (0, 4)


def test_a_numbered_chapter_title_that_is_also_the_number_of_its_page_is_text(tmp_path: Path) -> None:
    book = Printed()
    for number, name in enumerate(("Lamp", "Bell", "Gate", "Rain"), 1):
        more = "again " * number
        book.page(f"#{number} {name}", f"It was late {more}then.", f"Nobody {more}came.", f"It rained {more}there.")
    said = " ".join(line for section in texts(read(book, tmp_path)) for line in section)
    assert all(f"{number} {name}" in said for number, name in enumerate(("Lamp", "Bell", "Gate", "Rain"), 1))


def test_a_bookmark_without_a_printed_title_leads_to_its_height_on_the_page(tmp_path: Path) -> None:
    book = Printed(bookmarks=(("One", 0), ("Two", 0), ("Three", 0)))
    book.page("1. One", "It was late that night.", "", "Morning came at last.", "", "1.2 Three", "It rained again.")
    data = book.data()
    at = data.index(b"/Title (Two)")
    data = data[:at] + data[at:].replace(b"/Fit]", b"/XYZ 0 670 0]", 1)
    assert texts(read(data, tmp_path)) == [
        ["1. One", "It was late that night."],
        ["Morning came at last."],
        ["1.2 Three", "It rained again."],
    ]


def test_a_year_alone_at_the_end_of_a_page_is_text(tmp_path: Path) -> None:
    book = Printed().page("It was late that night, in the year", "1921").page("Morning came at last.", "So it did.")
    assert "1921" in " ".join(texts(read(book, tmp_path))[0])


def test_the_title_of_a_word_processor_is_not_one(tmp_path: Path) -> None:
    assert read(Printed(facts="/Title (lamp_final.docx)").page("It was late that night."), tmp_path).title == "book"


def test_the_words_tell_the_language_where_the_file_does_not(tmp_path: Path) -> None:
    book = Printed().page(
        "Es war spät, und die Lampe im Flur brannte schon", "seit einer Stunde. Niemand kam herunter."
    )
    document = read(book, tmp_path)
    assert (document.language, document.language_stated) == ("de", False)
    assert read(book, tmp_path, language="nl").language == "nl"


def test_an_encrypted_file_is_an_error_that_says_so(tmp_path: Path) -> None:
    writer = PdfWriter(clone_from=io.BytesIO(story().data()))
    writer.encrypt("secret", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    with pytest.raises(ScriptUnreadable, match="is encrypted; remove its password"):
        read(out.getvalue(), tmp_path)


PICTURE = "/XObject << /I << /Type /XObject /Subtype /Image >> >>"


def test_a_scan_needs_text_recognition(tmp_path: Path) -> None:
    with pytest.raises(ScriptUnreadable, match=r"holds no text.*OCR"):
        read(Printed(pages=[[]], resources=PICTURE), tmp_path)
    mixed = Printed(pages=[[(72, 700, 12, "It was late that night.")], []], resources=PICTURE)
    assert [(one.place, one.reason) for one in read(mixed, tmp_path).rejected] == [
        ("page 2", "is a picture without text; recognise it (OCR) first")
    ]


def test_fonts_that_do_not_say_their_letters_need_text_recognition(tmp_path: Path) -> None:
    cmap = b"1 begincodespacerange <00> <ff> endcodespacerange 1 beginbfrange <61> <7a> <e000> endbfrange"
    stream = b"<< /Length %d >> stream\n%b\nendstream" % (len(cmap), cmap)
    with pytest.raises(ScriptUnreadable, match=r"do not say which letters|holds no text"):
        read(Printed(font="/ToUnicode 6 0 R", more=[stream]).page("abc"), tmp_path)
    with pytest.raises(ScriptUnreadable, match="do not say which letters"):
        read(Printed(font="/ToUnicode 6 0 R", more=[stream]).page("abc A"), tmp_path)


def test_limits_are_errors_that_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "MAX_PAGES", 5)
    with pytest.raises(ScriptTooLarge, match="more than 5 pages; divide it"):
        read(story(), tmp_path)
    monkeypatch.setattr(pdf, "MAX_PAGES", 6)
    assert read(story(), tmp_path).line_count
    monkeypatch.setattr(pdf, "MAX_PDF_BYTES", 100)
    with pytest.raises(ScriptTooLarge, match="MiB"):
        read(story(), tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(pdf, "MAX_SECONDS", -1.0)
    with pytest.raises(ScriptTooLarge, match="page 1: took more than"):
        read(story(), tmp_path)


def test_a_page_that_takes_too_long_or_is_too_large_is_left_out_and_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf, "MAX_PAGE_BYTES", 150)
    document = read(Printed().page(*["A line of text."] * 9).page("It was late that night."), tmp_path)
    assert texts(document) == [["It was late that night."]]
    assert [one.place for one in document.rejected] == ["page 1"]
    monkeypatch.undo()
    monkeypatch.setattr(pdf, "MAX_PAGE_SECONDS", -1.0)
    with pytest.raises(ScriptUnreadable, match="too large a drawing"):
        read(story(), tmp_path)


def test_a_page_that_unpacks_to_more_than_is_read_does_not_fill_memory(tmp_path: Path) -> None:
    bomb = Printed(pages=[[]], contents=b"0 0 m\n" * 20_000_000)
    with pytest.raises(ScriptUnreadable, match="holds no text"):
        read(bomb, tmp_path)


def test_forms_that_draw_themselves_end(tmp_path: Path) -> None:
    form = b"/X Do /X Do"
    facts = b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 6 0 R >> >>"
    stream = b"<< %b /Length %d >> stream\n%b\nendstream" % (facts, len(form), form)
    text = b"BT /F1 12 Tf (Text here.) Tj ET /X Do"
    book = Printed(pages=[[]], contents=text, resources="/XObject << /X 6 0 R >>", more=[stream])
    assert texts(read(book, tmp_path)) == [["Text here."]]


def test_text_inside_a_form_is_read(tmp_path: Path) -> None:
    form = b"BT /F1 12 Tf 72 600 Td (More in a form.) Tj ET"
    facts = b"/Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >>"
    stream = b"<< %b /Length %d >> stream\n%b\nendstream" % (facts, len(form), form)
    text = b"BT /F1 12 Tf 72 700 Td (Text here.) Tj ET /X Do"
    book = Printed(pages=[[]], contents=text, resources="/XObject << /X 6 0 R >>", more=[stream])
    assert " ".join(texts(read(book, tmp_path))[0]) == "Text here. More in a form."


def test_lines_that_are_moved_to_and_words_set_apart_are_read(tmp_path: Path) -> None:
    text = (
        b"BT /F1 12 Tf 14 TL 72 700 Td (The lamp was) Tj T* [(lit and no) -10 (body) -600 (had)] TJ T* (asked for it.)"
    )
    text += b" Tj ET"
    assert texts(read(Printed(pages=[[]], contents=text), tmp_path)) == [
        ["The lamp was lit and nobody had asked for it."]
    ]


def test_the_parsers_remarks_stay_out_of_the_output(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = story().data()
    cut = data.rindex(b"startxref")
    with caplog.at_level(logging.DEBUG):
        assert read(data[:cut] + b"startxref\n5\n%%EOF\n", tmp_path).line_count
    assert caplog.records == []
    assert logging.getLogger("pypdf").level == logging.NOTSET


@pytest.mark.parametrize("filter_name", [b"/JBIG2Decode", b"/A85"])
def test_a_page_in_a_coding_that_the_parser_has_not_is_reported(filter_name: bytes, tmp_path: Path) -> None:
    data = story().data()
    broken = data.replace(b"<< /Length", b"<< /Filter %b /Length" % filter_name, 1)
    assert broken != data
    document = read(broken, tmp_path)
    assert [(one.place, one.reason[:28]) for one in document.rejected] == [("page 1", "is damaged and not read (Dep")]


@pytest.mark.parametrize("data", [b"plain text", b"%PDF-1.4\n", b"%PDF-1.4\n%%EOF", story().data()[:400]])
def test_what_is_no_whole_pdf_is_an_error(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(ScriptUnreadable):
        read(data, tmp_path)


def test_a_pdf_is_known_by_its_head() -> None:
    assert PdfReader().sniff(story().data()[:4096])
    assert PdfReader().sniff(b"\n\n%PDF-1.7")
    assert not PdfReader().sniff(b"PDF-1.4")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_the_bytes_are_nothing_but_script_errors_comes(data: st.DataObject, tmp_path: Path) -> None:
    raw = bytearray(SAMPLE)
    for _ in range(data.draw(st.integers(1, 12))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.one_of(
                st.binary(max_size=3),
                st.sampled_from([b"0 0 R", b"<<", b">>", b"[", b"/Kids", b"9999999999", b"(", b"-1"]),
            )
        )
    try:
        read(bytes(raw[: data.draw(st.integers(len(raw) // 2, len(raw)))]), tmp_path, language="en")
    except ScriptError:
        return


SAMPLE = Printed(bookmarks=(("One", 0),), facts="/Title (T)").page("One", "It was late.").page("Two").data()
