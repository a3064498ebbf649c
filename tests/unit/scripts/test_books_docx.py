from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from docx import Document
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.scripts.docx import DocxReader
from scheduler.scripts.errors import ScriptEmpty, ScriptError, ScriptRefused, ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.source import ScriptSource

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def read(path: Path, **options: object) -> ScriptDocument:
    return DocxReader().read(ScriptSource.open(path), ReadOptions(**options))  # type: ignore[arg-type]


def made(tmp_path: Path, fill: Callable[[Any], None], **options: object) -> ScriptDocument:
    """A document as python-docx writes it, in Word's own template."""
    document = Document()
    fill(document)
    document.save(str(tmp_path / "book.docx"))
    return read(tmp_path / "book.docx", **options)


def raw(
    body: str, tmp_path: Path, *, styles: str = "", extra: Mapping[str, str] | None = None, name: str = "a.docx"
) -> Path:
    """A document of the fewest parts."""
    kinds = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    space = "http://schemas.openxmlformats.org/package/2006/relationships"
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{space}"><Relationship Id="r1" Type="{kinds}/officeDocument" '
        'Target="word/document.xml"/></Relationships>',
        "word/document.xml": f"<w:document {W}><w:body>{body}</w:body></w:document>",
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{space}"><Relationship Id="r1" '
        f'Type="{kinds}/styles" Target="styles.xml"/></Relationships>',
        "word/styles.xml": f"<w:styles {W}>{styles}</w:styles>",
        **(extra or {}),
    }
    path = tmp_path / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, text in parts.items():
            archive.writestr(part, text)
    return path


def p(text: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr>{text if text.startswith('<') else r(text)}</w:p>"


def r(text: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def defaults(properties: str) -> str:
    return f"<w:docDefaults><w:rPrDefault><w:rPr>{properties}</w:rPr></w:rPrDefault></w:docDefaults>"


def texts(document: ScriptDocument) -> list[list[str]]:
    return [[line.text for line in section.lines] for section in document.sections]


def test_headings_make_sections_and_the_properties_title_and_author(tmp_path: Path) -> None:
    def fill(document: Any) -> None:
        document.core_properties.title, document.core_properties.author = "The Lamp", "Ada Field"
        document.add_heading("The Lamp", 0)
        document.add_paragraph("A Story", style="Subtitle")
        document.add_heading("One", 1)
        paragraph = document.add_paragraph("The lamp was lit. ")
        paragraph.add_run("Nobody had").bold = True
        paragraph.add_run(" asked for it.")
        document.add_paragraph("* * *")
        document.add_paragraph("Then the bell rang twice.")
        document.add_heading("The Gate", 2)
        document.add_paragraph("It was shut that day.")
        document.add_heading("A detail", 3)
        document.add_paragraph("It was painted green.")

    document = made(tmp_path, fill)
    assert (document.title, document.author, document.year, document.kind) == (
        "The Lamp",
        "Ada Field",
        "2013",
        "audiobook",
    )
    assert [section.title for section in document.sections] == ["One", "The Gate"]
    assert texts(document) == [
        ["The Lamp", "A Story", "One", "The lamp was lit. Nobody had asked for it.", "Then the bell rang twice."],
        ["The Gate", "It was shut that day.", "A detail", "It was painted green."],
    ]
    lines = document.sections[0].lines
    assert [line.boundary for line in lines] == ["heading", "heading", "heading", "scene", "section"]
    assert [line.place for line in lines] == ["paragraph 1", "paragraph 2", "paragraph 3", "paragraph 4", "paragraph 6"]


def test_headings_are_known_by_their_english_name_or_their_outline_level(tmp_path: Path) -> None:
    styles = (
        '<w:style w:type="paragraph" w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>'
        '<w:style w:type="paragraph" w:styleId="Kapitel"><w:name w:val="Kapitel"/><w:basedOn w:val="berschrift1"/>'
        "</w:style>"
        '<w:style w:type="paragraph" w:styleId="Own"><w:name w:val="Mein Stil"/>'
        '<w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style>'
        '<w:style w:type="paragraph" w:styleId="a"><w:name w:val="a"/><w:basedOn w:val="a"/></w:style>'
    )
    body = (
        p("Eins", '<w:pStyle w:val="berschrift1"/>')
        + p("Text eins.")
        + p("Zwei", '<w:pStyle w:val="Kapitel"/>')
        + p("Text zwei.")
        + p("Drei", '<w:pStyle w:val="Own"/>')
        + p("Text drei.", '<w:pStyle w:val="a"/>')
        + p("Vier", '<w:outlineLvl w:val="0"/>')
        + p("Text vier.")
        + p("Fünf", '<w:pStyle w:val="Heading2"/>')
        + p("Text fünf.")
        + p("Sechs", '<w:pStyle w:val="berschrift1"/><w:outlineLvl w:val="9"/>')
    )
    document = read(raw(body, tmp_path, styles=styles))
    assert [section.title for section in document.sections] == ["Eins", "Zwei", "Drei", "Vier", "Fünf"]
    assert texts(document)[4] == ["Fünf", "Text fünf.", "Sechs"]


def test_manuscripts_without_styles_are_divided_at_chapter_titles(tmp_path: Path) -> None:
    body = p("Chapter One") + p("It was late that night.") + p("Chapter Two") + p("Morning came at last.")
    assert [section.title for section in read(raw(body, tmp_path)).sections] == ["Chapter One", "Chapter Two"]


def test_what_is_deleted_noted_or_hidden_is_left_out_and_counted(tmp_path: Path) -> None:
    body = (
        p(
            r("Kept ")
            + f'<w:del w:id="1">{r("x").replace("w:t", "w:delText")}</w:del>'
            + f'<w:ins w:id="2">{r("and inserted ")}</w:ins>'
            + f'<w:moveFrom w:id="3">{r("LEFT")}</w:moveFrom><w:moveTo w:id="4">{r("and moved ")}</w:moveTo>'
            + '<w:r><w:footnoteReference w:id="2"/></w:r><w:r><w:endnoteReference w:id="2"/></w:r>'
            + '<w:r><w:commentReference w:id="0"/></w:r>'
            + r("LEFT", "<w:vanish/>")
            + r("and shown ", '<w:vanish w:val="0"/>')
            + '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>LEFT</w:instrText></w:r>'
            + '<w:r><w:fldChar w:fldCharType="separate"/></w:r>' + r("and told")
            + '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
            + f'<w:hyperlink>{r(" and linked")}</w:hyperlink><w:smartTag>{r(" here")}</w:smartTag>'
            + '<w:r><w:noBreakHyphen/></w:r><w:r><w:t>and</w:t><w:softHyphen/><w:t>over.</w:t></w:r>'
            + "<w:r><w:drawing/></w:r>"
        )
        + "<w:sdt><w:sdtPr><w:docPartObj><w:docPartGallery w:val=\"Table of Contents\"/></w:docPartObj></w:sdtPr>"
        + f'<w:sdtContent>{p("LEFT")}</w:sdtContent></w:sdt>'
        + f'<w:sdt><w:sdtContent>{p("In a control.")}</w:sdtContent></w:sdt>'
        + p("LEFT 5", '<w:pStyle w:val="TOC1"/>')
        + '<w:sectPr><w:headerReference w:type="default"/></w:sectPr>'
    )  # fmt: skip
    styles = '<w:style w:type="paragraph" w:styleId="TOC1"><w:name w:val="toc 1"/></w:style>'
    document = read(raw(body, tmp_path, styles=styles), language="en")
    assert texts(document) == [
        ["Kept and inserted and moved and shown and told and linked here-andover.", "In a control."]
    ]
    assert [notice.reason for notice in document.notices] == [
        f"1 × {what} left out"
        for what in (
            "comment", "deleted text", "endnote", "footnote", "header", "hidden text", "moved text",
            "paragraph of a table of contents", "picture", "table of contents",
        )
    ]  # fmt: skip


def test_a_paragraph_whose_end_was_deleted_goes_on_in_the_next(tmp_path: Path) -> None:
    body = p("It was late, ", '<w:rPr><w:del w:id="1"/></w:rPr>') + p("and nobody came.") + p("It rained.")
    document = read(raw(body, tmp_path))
    assert [(line.text, line.place) for line in document.sections[0].lines] == [
        ("It was late, and nobody came.", "paragraph 1"),
        ("It rained.", "paragraph 3"),
    ]


def test_a_field_that_never_ends_hides_no_more_than_its_paragraph(tmp_path: Path) -> None:
    body = p('<w:r><w:fldChar w:fldCharType="begin"/></w:r>') + p("It was late that night.")
    assert texts(read(raw(body, tmp_path))) == [["It was late that night."]]


def test_line_breaks_divide_and_page_breaks_do_not(tmp_path: Path) -> None:
    body = p(
        r("The lamp burnt low that night,") + "<w:r><w:br/></w:r>" + r("and nobody came to the door")
        + '<w:r><w:br w:type="page"/></w:r>' + r(" of the house.")
    )  # fmt: skip
    [section] = read(raw(body, tmp_path)).sections
    assert [line.text for line in section.lines] == [
        "The lamp burnt low that night,",
        "and nobody came to the door of the house.",
    ]


def test_tables_boxes_and_formulas_are_reported_with_their_place(tmp_path: Path) -> None:
    box = (
        '<w:r><mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
        f"<mc:Choice><w:drawing><w:txbxContent>{p('In a box')}</w:txbxContent></w:drawing></mc:Choice>"
        f"<mc:Fallback><w:pict><w:txbxContent>{p('In a box')}</w:txbxContent></w:pict></mc:Fallback>"
        "</mc:AlternateContent></w:r>"
    )
    formula = '<m:oMath xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"><m:r><m:t>x</m:t></m:r></m:oMath>'
    table = f"<w:tbl><w:tr><w:tc>{p('First cell.')}</w:tc><w:tc>{p('Second cell.')}</w:tc></w:tr></w:tbl>"
    body = p(r("Before the box. ") + box) + p(r("A sum: ") + formula) + table + p("After the table.")
    path = raw(body, tmp_path)
    document = read(path)
    assert texts(document) == [["Before the box.", "A sum:", "After the table."]]
    assert [(one.place, one.reason) for one in document.rejected] == [
        ("paragraph 1", "a text box is not read ('In a box'); put its text into the body"),
        ("paragraph 2", "a formula is not read; write it out in words"),
        ("after paragraph 2", "a table is not read; write it out as sentences"),
    ]
    told = read(path, tables="read")
    assert texts(told) == [["Before the box.", "A sum:", "First cell.", "Second cell.", "After the table."]]


def test_ruby_is_written_as_its_base_and_said_as_its_kana(tmp_path: Path) -> None:
    def ruby(base: str, said: str) -> str:
        return f"<w:r><w:ruby><w:rubyPr/><w:rt>{r(said)}</w:rt><w:rubyBase>{r(base)}</w:rubyBase></w:ruby></w:r>"

    styles = defaults('<w:lang w:val="en-US" w:eastAsia="ja-JP"/>')
    body = p(
        r("古い")
        + ruby("灯", "あか")
        + r("りと")
        + ruby("光", "light")
        + r("がLampにある。", '<w:lang w:val="en-US"/>')
    )
    document = read(raw(body, tmp_path, styles=styles))
    [line] = document.sections[0].lines
    assert (line.text, line.said, line.language) == (
        "古い灯りと光がLampにある。",
        "古いあかりと光がLampにある。",
        "ja-JP",
    )
    assert document.language_stated


def test_whole_sentences_in_another_language_switch(tmp_path: Path) -> None:
    fr = '<w:lang w:val="fr-FR"/>'
    styles = (
        defaults('<w:lang w:val="en-GB"/>')
        + f'<w:style w:type="paragraph" w:styleId="Fr"><w:name w:val="French"/><w:rPr>{fr}</w:rPr></w:style>'
    )
    body = (
        p(
            r("He turned to the others in the room. ")
            + r("Qui donc a frappé à la porte ?", fr)
            + r(" Nobody said a word.")
        )
        + p(r("He felt a certain ") + r("malaise", fr) + r(" about the whole thing."))
        + p("Personne ne répondit ce soir-là.", '<w:pStyle w:val="Fr"/>')
    )
    document = read(raw(body, tmp_path, styles=styles))
    assert document.language == "en-GB"
    assert [(line.language, line.text) for line in document.sections[0].lines] == [
        ("en-GB", "He turned to the others in the room."),
        ("fr-FR", "Qui donc a frappé à la porte ?"),
        ("en-GB", "Nobody said a word."),
        ("en-GB", "He felt a certain malaise about the whole thing."),
        ("fr-FR", "Personne ne répondit ce soir-là."),
    ]


def test_the_language_of_words_own_template_is_not_believed_against_the_words(tmp_path: Path) -> None:
    def fill(document: Any) -> None:
        document.add_paragraph(
            "Es war spät, und die Lampe im Flur brannte schon seit einer Stunde. Niemand kam herunter."
        )

    document = made(tmp_path, fill)
    assert (document.language, document.language_stated) == ("de", False)
    assert [notice.reason for notice in document.notices] == [
        "its styles say 'en-US', its words 'de': read as 'de'; --language says otherwise"
    ]
    told = read(tmp_path / "book.docx", language="nl")
    assert (told.language, told.language_stated, told.notices) == ("nl", True, ())


def test_a_document_that_states_nothing_says_so(tmp_path: Path) -> None:
    document = read(raw(p("Short."), tmp_path))
    assert (document.language, document.language_stated) == ("en", False)
    assert "no language is stated" in document.notices[0].reason


def test_macros_are_never_run(tmp_path: Path) -> None:
    path = raw(p("It was late that night."), tmp_path, extra={"word/vbaProject.bin": "x"}, name="a.docm")
    document = read(path, language="en")
    assert [notice.reason for notice in document.notices] == ["its macros are not run"]


def test_a_word_document_is_known_by_its_head(tmp_path: Path) -> None:
    assert DocxReader().sniff(raw(p("Text."), tmp_path).read_bytes()[:4096])
    assert not DocxReader().sniff(b"PK\x03\x04 xl/workbook.xml")
    assert not DocxReader().sniff(b"word/ without an archive")


ENTITY = '<!DOCTYPE a [<!ENTITY b "c">]>'


@pytest.mark.parametrize(
    "part", ["word/document.xml", "word/styles.xml", "_rels/.rels", "word/_rels/document.xml.rels"]
)
def test_entities_are_refused_in_every_part_that_is_read(part: str, tmp_path: Path) -> None:
    path = raw(p("&b;"), tmp_path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    parts[part] = ENTITY + parts[part]
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    with pytest.raises(ScriptRefused, match=rf"{part}.*entities"):
        read(path)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "has a password or is an old .doc"),
        (b"PK\x03\x04 not an archive", "not a whole zip archive"),
        (b"plain text", "not a whole zip archive"),
    ],
)
def test_what_is_no_word_document_is_an_error(data: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    path.write_bytes(data)
    with pytest.raises(ScriptUnreadable, match=reason):
        read(path)


def test_archives_of_other_things_and_broken_parts_are_errors_that_name_the_part(tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    with pytest.raises(ScriptUnreadable, match="not a Word document"):
        read(path)
    with pytest.raises(ScriptUnreadable, match=r"word/document\.xml: is not XML"):
        read(raw("<w:p>", tmp_path))
    with pytest.raises(ScriptUnreadable, match="no Word document"):
        read(raw("", tmp_path, extra={"word/document.xml": "<html><body/></html>"}))
    with pytest.raises(ScriptEmpty):
        read(raw(p(""), tmp_path))
    with pytest.raises(ScriptTooLarge, match="paragraph 2: a paragraph of"):
        read(raw(p("Short.") + p("word " * 30_000), tmp_path))


def test_a_document_that_fills_memory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScriptTooLarge, match="fill memory"):
        read(raw(p("Text."), tmp_path, extra={"word/media/a.png": "\0" * 30_000_000}))


def test_a_part_outside_the_archive_is_never_opened(tmp_path: Path) -> None:
    path = raw(p("Text."), tmp_path, extra={"_rels/.rels": "<a/>"})
    rels = '<Relationships><Relationship Type="x/officeDocument" Target="../../etc/passwd"/></Relationships>'
    with pytest.raises(ScriptUnreadable, match="names no document"):
        read(raw(p("Text."), tmp_path, extra={"_rels/.rels": rels}))
    with pytest.raises(ScriptUnreadable, match="names no document"):
        read(path)


SAMPLE = io.BytesIO()
_sample = Document()
_sample.add_heading("One", 1)
_sample.add_paragraph("It was late that night.")
_sample.save(SAMPLE)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_the_bytes_are_nothing_but_script_errors_comes(data: st.DataObject, tmp_path: Path) -> None:
    damaged = bytearray(SAMPLE.getvalue())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    path = tmp_path / "a.docx"
    path.write_bytes(damaged[: data.draw(st.integers(1, len(damaged)))])
    try:
        read(path, language="en")
    except ScriptError:
        return


TAGS = (
    "p",
    "r",
    "t",
    "tbl",
    "tc",
    "ruby",
    "rt",
    "rubyBase",
    "del",
    "ins",
    "br",
    "sdt",
    "pPr",
    "pStyle",
    "fldChar",
    "oMath",
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_elements_in_any_order_are_read_or_an_error(data: st.DataObject, tmp_path: Path) -> None:
    tag = st.sampled_from(TAGS)
    tree = st.recursive(
        st.just("Text."),
        lambda inner: st.builds(
            lambda name, parts: f"<w:{name}>{''.join(parts)}</w:{name}>", tag, st.lists(inner, max_size=3)
        ),
        max_leaves=12,
    )
    body = "".join(data.draw(st.lists(tree, max_size=4)))
    try:
        read(raw(body, tmp_path), language="en")
    except ScriptError:
        return
