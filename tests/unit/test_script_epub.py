from __future__ import annotations

from pathlib import Path

import pytest
from script_samples import Book, page, png, small_book

from scheduler.scripts.errors import ScriptEmpty, ScriptUnreadable
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.registry import read_script


def read(book: Book, tmp_path: Path, **options: object) -> ScriptDocument:
    return read_script(book.write(tmp_path / "book.epub"), options=ReadOptions(**options))  # type: ignore[arg-type]


def texts(document: ScriptDocument) -> list[list[str]]:
    return [[line.text for line in section.lines] for section in document.sections]


def one_page(body: str, tmp_path: Path, *, lang: str = "en", **options: object) -> ScriptDocument:
    return read(Book({"a.xhtml": page(body, lang=lang)}, language=lang), tmp_path, **options)


def all_text(document: ScriptDocument) -> str:
    return " ".join(line.text for section in document.sections for line in section.lines)


def test_a_book_is_read_with_its_titles_cover_and_author(tmp_path: Path) -> None:
    document = read(small_book(), tmp_path)
    assert (document.title, document.author, document.year, document.language) == (
        "The Lamp",
        "Ada Field",
        "1921",
        "en",
    )
    assert [section.title for section in document.sections] == ["One: The Lamp", "Two: The Rain"]
    assert document.cover == png()
    assert texts(document)[0] == ["One", "The lamp was lit. Nobody had asked for it.", "“Who is there?” she said."]
    assert not document.rejected


def test_the_boundary_of_a_line_is_what_follows_it(tmp_path: Path) -> None:
    body = (
        "<h1>One</h1><p>The first sentence stands here. The second sentence follows it.</p><p>A third stands alone.</p>"
    )
    document = one_page(body + "<hr/><p>Another scene begins here.</p>", tmp_path)
    assert [line.boundary for line in document.sections[0].lines] == [
        "heading",
        "sentence",
        "paragraph",
        "scene",
        "section",
    ]


def test_an_epub_2_has_its_titles_from_the_ncx_and_its_cover_from_the_metadata(tmp_path: Path) -> None:
    book = small_book()
    book.version, book.nav = "2.0", ()
    book.ncx = (("one.xhtml", "Chapter 1"), ("two.xhtml", "Chapter 2"))
    document = read(book, tmp_path)
    assert [section.title for section in document.sections] == ["Chapter 1", "Chapter 2"]
    assert document.cover == png()


def test_fragments_of_one_file_become_sections_in_order(tmp_path: Path) -> None:
    body = (
        "<h1>Part One</h1>"
        '<section id="c1"><h2>First</h2><p>The text of the first.</p></section>'
        '<p><a id="c2"></a>Second chapter text, without any heading.</p>'
        '<div id="c3"><h2>Third</h2><p>The text of the third.</p></div>'
    )
    nav = (("a.xhtml#c1", "One"), ("a.xhtml#c2", "Two"), ("a.xhtml#c3", "Three"))
    document = read(Book({"a.xhtml": page(body)}, nav=nav), tmp_path)
    assert [section.title for section in document.sections] == ["One", "Two", "Three"]
    assert texts(document) == [
        ["Part One", "First", "The text of the first."],
        ["Second chapter text, without any heading."],
        ["Third", "The text of the third."],
    ]


def test_a_file_the_navigation_does_not_name_continues_the_section_before(tmp_path: Path) -> None:
    pages = {f"{n}.xhtml": page(f"<p>This is file number {n}.</p>") for n in range(3)}
    book = Book(pages, nav=(("0.xhtml", "Start"), ("2.xhtml", "End")))
    assert [len(section.lines) for section in read(book, tmp_path).sections] == [2, 1]
    apart = read(book, tmp_path, merge_unlisted=False)
    assert [section.title for section in apart.sections] == ["Start", "Section 1", "End"]


def test_without_navigation_each_file_is_a_section_titled_by_its_heading(tmp_path: Path) -> None:
    pages = {"a.xhtml": page("<h2>The Gate</h2><p>It was shut.</p>"), "b.xhtml": page("<p>Nobody came that day.</p>")}
    document = read(Book(pages), tmp_path)
    assert [section.title for section in document.sections] == ["The Gate", "Section 2"]


def test_non_linear_files_and_the_contents_page_are_not_read(tmp_path: Path) -> None:
    book = small_book()
    book.pages = {**book.pages, "notes.xhtml": page("<p>Never read.</p>")}
    book.non_linear = frozenset({"notes.xhtml"})
    book.nav_in_spine = True
    document = read(book, tmp_path)
    assert "Never" not in all_text(document)
    assert "Contents" not in all_text(document)


@pytest.mark.parametrize(
    "part",
    [
        '<aside epub:type="footnote"><p>LEFT OUT</p></aside>',
        '<aside role="doc-footnote"><p>LEFT OUT</p></aside>',
        '<section epub:type="endnotes"><p>LEFT OUT</p></section>',
        '<section role="doc-bibliography"><p>LEFT OUT</p></section>',
        '<p>Kept <a epub:type="noteref" href="#n">LEFT OUT</a> here.</p>',
        '<p>Kept<span epub:type="pagebreak" title="9">LEFT OUT</span> here.</p>',
        '<section epub:type="backmatter index"><p>LEFT OUT</p></section>',
        '<p hidden="hidden">LEFT OUT</p>',
        '<p style="color:red; display: none">LEFT OUT</p>',
        '<p aria-hidden="true">LEFT OUT</p>',
        "<script>LEFT OUT</script>",
        '<svg xmlns="http://www.w3.org/2000/svg"><text>LEFT OUT</text></svg>',
        "<p>Kept <!-- LEFT OUT --> here. <?pi LEFT OUT?></p>",
    ],
)
def test_what_is_not_for_reading_aloud_is_left_out_and_its_tail_is_kept(part: str, tmp_path: Path) -> None:
    document = one_page(f"<p>Before it all.</p><div>{part}tail text</div><p>After it all.</p>", tmp_path)
    said = all_text(document)
    assert "LEFT OUT" not in said
    assert "Before it all." in said
    assert "tail text" in said
    assert "After it all." in said


def test_a_skipped_role_is_counted_and_can_be_taken_in(tmp_path: Path) -> None:
    body = '<p>The body of it.</p><aside epub:type="footnote"><p>A note to it.</p></aside>'
    document = one_page(body, tmp_path)
    assert "1 × footnote left out" in [notice.reason for notice in document.notices]
    assert "A note to it." in all_text(one_page(body, tmp_path, include_roles=frozenset({"footnote"})))


def test_landmarks_and_guide_name_whole_files_to_leave_out(tmp_path: Path) -> None:
    pages = {"cover.xhtml": page("<p>COVER PAGE</p>"), "a.xhtml": page("<p>The text of the book.</p>")}
    landmarks = '<nav epub:type="landmarks"><ol><li><a epub:type="cover" href="cover.xhtml">c</a></li></ol></nav>'
    assert "COVER" not in all_text(read(Book(pages, nav=(("a.xhtml", "A"),), landmarks=landmarks), tmp_path))
    guide = '<guide><reference type="cover" href="cover.xhtml"/></guide>'
    assert "COVER" not in all_text(read(Book(pages, version="2.0", guide=guide), tmp_path))


def test_ruby_is_text_with_its_reading_spoken_in_japanese_only(tmp_path: Path) -> None:
    ruby = "<ruby>山路<rp>（</rp><rt>やまみち</rt><rp>）</rp></ruby>を<ruby>登<rt>のぼ</rt>道<rt>みち</rt></ruby>る。"
    line = one_page(f"<p>{ruby}</p>", tmp_path, lang="ja").sections[0].lines[0]
    assert (line.text, line.spoken) == ("山路を登道る。", "やまみちをのぼみちる。")
    assert one_page(f"<p>{ruby}</p>", tmp_path, lang="zh").sections[0].lines[0].spoken == ""


def test_emphasis_dots_in_ruby_are_never_spoken(tmp_path: Path) -> None:
    line = (
        one_page("<p><ruby>人でなし<rt>・・・・</rt></ruby>の国へ行く。</p>", tmp_path, lang="ja").sections[0].lines[0]
    )
    assert line.said == "人でなしの国へ行く。"


def test_a_sentence_in_another_language_is_its_own_line_a_word_is_not(tmp_path: Path) -> None:
    body = (
        '<p>He turned around and spoke to them. <span xml:lang="fr">Je ne sais pas ce que vous voulez.</span>'
        ' They answered with a <i lang="fr">bon mot</i> of their own.</p>'
    )
    lines = one_page(body, tmp_path).sections[0].lines
    assert [line.language for line in lines] == ["en", "fr", "en"]
    assert lines[2].text == "They answered with a bon mot of their own."


def test_a_short_sentence_in_another_language_stays_by_itself(tmp_path: Path) -> None:
    body = '<p>He turned. <span lang="fr">Oui, Madame.</span> <span lang="fr">Merci.</span> She left.</p>'
    lines = one_page(body, tmp_path).sections[0].lines
    assert [(line.language, line.text) for line in lines] == [
        ("en", "He turned."),
        ("fr", "Oui, Madame. Merci."),
        ("en", "She left."),
    ]


def test_a_block_in_another_language_switches_and_switches_back(tmp_path: Path) -> None:
    body = '<p>An English paragraph.</p><p lang="de_DE">Ein deutscher Absatz.</p><p>English once more.</p>'
    assert [line.language for line in one_page(body, tmp_path).sections[0].lines] == ["en", "de-DE", "en"]


def test_the_users_language_stands_over_the_books_and_not_over_switches(tmp_path: Path) -> None:
    document = one_page('<p>Mislabelled text.</p><p lang="de">Deutsch hier.</p>', tmp_path, lang="fr", language="en")
    assert document.language == "en"
    assert [line.language for line in document.sections[0].lines] == ["en", "de"]


def test_data_character_gives_the_speaker_and_divides_the_paragraph(tmp_path: Path) -> None:
    body = '<p><span data-character="Mara">“We must go,”</span> said Mara. <b data-character="Tom">“Never!”</b></p>'
    lines = one_page(body, tmp_path).sections[0].lines
    assert [(line.characters, line.text) for line in lines] == [
        (("Mara",), "“We must go,”"),
        ((), "said Mara."),
        (("Tom",), "“Never!”"),
    ]
    assert lines[0].boundary == "sentence"


def test_verse_is_divided_at_its_line_breaks(tmp_path: Path) -> None:
    body = "<p>The lamp is burning in the window still,<br/>and no one comes to put it out tonight,<br/>nor will.</p>"
    lines = [line.text for line in one_page(body, tmp_path).sections[0].lines]
    assert lines == ["The lamp is burning in the window still,", "and no one comes to put it out tonight, nor will."]


def test_a_table_is_reported_and_its_caption_read(tmp_path: Path) -> None:
    body = "<p>See the table.</p><table><caption>Rainfall</caption><tr><td>May</td><td>40</td></tr></table>"
    document = one_page(body, tmp_path)
    assert all_text(document) == "See the table. Rainfall"
    assert "table" in document.rejected[0].reason
    assert document.rejected[0].place.startswith("OPS/a.xhtml line")
    assert all_text(one_page(body, tmp_path, tables="read")) == "See the table. Rainfall May 40"


def test_named_characters_of_html_work_without_a_dtd(tmp_path: Path) -> None:
    head = '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd">\n'
    book = Book({"a.xhtml": page("<p>caf&eacute;&nbsp;&amp; tea &mdash; &lt;fine&gt;</p>", head=head)})
    assert all_text(read(book, tmp_path)) == "café & tea — <fine>"


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("cp1252", "utf-8"),
        ("iso-8859-1", "iso-8859-1"),
    ],
)
def test_encodings_declared_marked_and_mislabelled(encoding: str, declared: str, tmp_path: Path) -> None:
    text = page("<p>Die Straße war naß.</p>").replace('encoding="utf-8"', f'encoding="{declared}"')
    assert all_text(read(Book({"a.xhtml": text.encode(encoding)}), tmp_path)) == "Die Straße war naß."


def test_a_page_that_is_not_well_formed_is_read_as_far_as_it_is_clear(tmp_path: Path) -> None:
    body = "<p>First paragraph.<p>Second paragraph.</p><br>Third."
    assert "Second paragraph." in all_text(one_page(body, tmp_path))


def test_a_page_of_which_the_parser_loses_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScriptUnreadable, match=r"OPS/a\.xhtml"):
        one_page("<div>" * 5000 + "<p>Too deep to be read.</p>" + "</div>" * 5000, tmp_path)


def test_deep_nesting_does_not_break_the_reader(tmp_path: Path) -> None:
    deep = "<div>" * 200 + "<p>Deep down here.</p>" + "</div>" * 200
    assert all_text(one_page(deep, tmp_path)) == "Deep down here."


def test_a_mimetype_is_not_insisted_on(tmp_path: Path) -> None:
    book = small_book()
    book.mimetype = False
    assert len(read(book, tmp_path).sections) == 2


def test_a_missing_page_is_reported_and_the_rest_read(tmp_path: Path) -> None:
    path = small_book().write(tmp_path / "whole.epub")
    import zipfile

    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(tmp_path / "part.epub", "w") as part:
        for info in whole.infolist():
            if info.filename != "OPS/two.xhtml":
                part.writestr(info, whole.read(info))
    document = read_script(tmp_path / "part.epub")
    assert [(r.place, r.reason) for r in document.rejected] == [("OPS/two.xhtml", "is missing from the archive")]


def test_an_empty_book_says_so(tmp_path: Path) -> None:
    with pytest.raises(ScriptEmpty, match=r"book\.epub.*nothing"):
        read(Book({"a.xhtml": page("<p> </p><img src='x.png' alt='x'/>")}), tmp_path)


def test_a_file_that_is_no_epub_says_what_is_missing(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "x.epub", "w") as archive:
        archive.writestr("a.txt", "hello")
    with pytest.raises(ScriptUnreadable, match=r"META-INF/container\.xml"):
        read_script(tmp_path / "x.epub")
