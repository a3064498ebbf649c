from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.scripts.errors import (
    EncodingUnknown,
    ScriptEmpty,
    ScriptError,
    ScriptRefused,
    ScriptTooLarge,
    ScriptUnreadable,
)
from scheduler.scripts.html import MAX_HTML_BYTES, HtmlReader
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.source import ScriptSource


def read(text: str | bytes, tmp_path: Path, **options: object) -> ScriptDocument:
    path = tmp_path / "page.html"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return HtmlReader().read(ScriptSource.open(path), ReadOptions(**options))  # type: ignore[arg-type]


def page(body: str, *, lang: str = ' lang="en"', head: str = "<title>The Lamp</title>") -> str:
    return f"<!DOCTYPE html>\n<html{lang}><head><meta charset=utf-8>{head}</head>\n<body>{body}</body></html>"


def texts(document: ScriptDocument) -> list[list[str]]:
    return [[line.text for line in section.lines] for section in document.sections]


def only(body: str, tmp_path: Path, **options: object) -> list[str]:
    [lines] = texts(read(page(body), tmp_path, **options))
    return lines


def test_title_author_language_and_sections(tmp_path: Path) -> None:
    head = (
        '<title>The\n Lamp</title><meta name="author" content="Ada  Field">'
        '<meta name="dcterms.created" content="1921-05-04">'
    )
    body = (
        "<header><h1>The Lamp</h1></header><h2>One</h2><p>The lamp was lit. Nobody\nhad asked for it."
        "<p>Then it rained &amp; rained."
        "<hr><p>Another scene begins here.<h2>Two</h2><h3>A detail</h3><p>Morning came at last."
    )
    document = read(page(body, head=head), tmp_path)
    assert (document.title, document.author, document.year, document.language, document.kind, document.format) == (
        "The Lamp",
        "Ada Field",
        "1921",
        "en",
        "audiobook",
        "html",
    )
    assert [section.title for section in document.sections] == ["One", "Two"]
    assert texts(document) == [
        [
            "The Lamp",
            "One",
            "The lamp was lit. Nobody had asked for it.",
            "Then it rained & rained.",
            "Another scene begins here.",
        ],
        ["Two", "A detail", "Morning came at last."],
    ]
    first = document.sections[0].lines
    assert [line.boundary for line in first] == ["heading", "heading", "paragraph", "scene", "section"]
    assert [line.place for line in first] == ["line 4", "line 4", "line 4", "line 5", "line 5"]
    assert (document.rejected, document.notices) == ((), ())


@pytest.mark.parametrize(
    ("part", "notice"),
    [
        ("<nav>LEFT OUT</nav>", "toc"),
        ('<div role="navigation">LEFT OUT</div>', "toc"),
        ('<section role="doc-endnotes"><p>LEFT OUT</section>', "endnotes"),
        ('<aside epub:type="footnote">LEFT OUT</aside>', "footnote"),
        ('<div class="footnotes"><p>LEFT OUT</div>', "footnotes"),
        ('Kept<a class="fnanchor" href="#f">LEFT OUT</a> here.', "noteref"),
        ('Kept<span class="x pagenum">LEFT OUT</span> here.', "pagebreak"),
        ("<footer>LEFT OUT</footer>", "colophon"),
        ("<script>LEFT OUT</script>", ""),
        ("<style>LEFT OUT</style>", ""),
        ("<p hidden>LEFT OUT</p>", ""),
        ('<p aria-hidden="true">LEFT OUT</p>', ""),
        ('<p style="display:none">LEFT OUT</p>', ""),
        ("<!-- LEFT OUT -->", ""),
        ("<template><p>LEFT OUT</p></template>", ""),
        ('<section class="pg-boilerplate pgheader"><p>LEFT OUT</section>', "licence"),
        ("<select><option>LEFT OUT</select><textarea>LEFT OUT</textarea><button>LEFT OUT</button>", ""),
    ],
)
def test_what_is_not_read_aloud_is_left_out(part: str, notice: str, tmp_path: Path) -> None:
    document = read(page(f"<p>It was late that night.</p>{part}<p>Nobody came to the door.</p>"), tmp_path)
    said = " ".join(text for section in texts(document) for text in section)
    assert "LEFT" not in said
    assert said.startswith("It was late that night.")
    assert said.endswith("Nobody came to the door.")
    assert [notice in one.reason for one in document.notices] == ([True] if notice else [])


def test_a_role_may_be_taken_in(tmp_path: Path) -> None:
    body = '<p>It was late that night.</p><aside class="footnote"><p>Taken in after all.</p></aside>'
    assert only(body, tmp_path, include_roles=frozenset({"footnote"}))[-1] == "Taken in after all."


def test_tables_are_reported_or_read(tmp_path: Path) -> None:
    body = "<p>It was late that night.</p>\n<table><caption>All hours</caption>"
    body += "<tr><td>Seven o'clock<td>Eight o'clock</table>"
    document = read(page(body), tmp_path)
    assert texts(document) == [["It was late that night.", "All hours"]]
    assert [(one.place, one.reason) for one in document.rejected] == [
        ("line 4", "a table is not read; write it out as sentences")
    ]
    assert only(body, tmp_path, tables="read") == [
        "It was late that night.",
        "All hours",
        "Seven o'clock",
        "Eight o'clock",
    ]


def test_two_line_breaks_set_paragraphs_apart_and_one_divides(tmp_path: Path) -> None:
    body = "The lamp burnt low that night,<br>and nobody came to the door.<br><br>\n<br>It rained until the morning."
    [section] = read(page(body), tmp_path).sections
    assert [(line.text, line.boundary) for line in section.lines] == [
        ("The lamp burnt low that night,", "sentence"),
        ("and nobody came to the door.", "paragraph"),
        ("It rained until the morning.", "section"),
    ]


def test_ruby_with_and_without_its_end_tags(tmp_path: Path) -> None:
    body = (
        "<p>古い<ruby>灯<rt>あか</rt></ruby>りの<ruby>東<rp>（<rt>とう<rp>）</rp>京<rp>（<rt>きょう<rp>）</ruby>です。"
        "<p><ruby>漢<rt>かん</rt>字<rt>じ</rt></ruby>です。"
    )
    document = read(page(body, lang=" lang=ja"), tmp_path)
    assert [(line.text, line.said) for line in document.sections[0].lines] == [
        ("古い灯りの東京です。", "古いあかりのとうきょうです。"),
        ("漢字です。", "かんじです。"),
    ]


def test_languages_switch_and_a_phoneme_string_is_said(tmp_path: Path) -> None:
    body = '<p>It was late that night.</p><p lang="fr">Personne ne vint.</p>'
    body += '<p>A <span ssml:ph="L EH1 D" ssml:alphabet="x-cmu">lead</span> pipe.</p>'
    document = read(page(body), tmp_path)
    assert [(line.language, line.said) for line in document.sections[0].lines] == [
        ("en", "It was late that night."),
        ("fr", "Personne ne vint."),
        ("en", "A {lead|L EH1 D} pipe."),
    ]


def test_without_a_language_the_words_decide_and_it_is_said_so(tmp_path: Path) -> None:
    body = "<p>Es war spät, und die Lampe im Flur brannte schon seit einer Stunde. Niemand kam herunter.</p>"
    document = read(page(body, lang=""), tmp_path)
    assert (document.language, document.language_stated) == ("de", False)
    assert read(page(body, lang=""), tmp_path, language="nl").language == "nl"
    meta = '<meta http-equiv="content-language" content="de-AT">'
    assert read(page(body, lang="", head=meta), tmp_path).language == "de-AT"


def test_without_headings_chapter_titles_make_sections_and_the_file_gives_the_title(tmp_path: Path) -> None:
    body = "<p>Chapter One</p><p>It was late that night.</p><p>Chapter Two</p><p>Morning came at last.</p>"
    document = read(page(body, head=""), tmp_path)
    assert [section.title for section in document.sections] == ["Chapter One", "Chapter Two"]
    assert document.title == "page"


def test_lower_headings_make_the_sections_where_there_is_one_title(tmp_path: Path) -> None:
    body = "<h1>The Lamp</h1><h3>One</h3><p>It was late.</p><h3>Two</h3><h4>Detail</h4><p>It rained.</p>"
    assert [section.title for section in read(page(body), tmp_path).sections] == ["One", "Two"]


def test_xhtml_is_read_as_xml_and_as_browsers_do_where_it_is_none(tmp_path: Path) -> None:
    body = '<p id="a">It was late.<a id="x"/><br/></p><script src="x"/><p>Nobody came&nbsp;then.</p>'
    root = '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en">'
    xhtml = f'<?xml version="1.0" encoding="ISO-8859-1"?>\n{root}<body>{body}é</body></html>'
    assert texts(read(xhtml.encode("latin-1"), tmp_path)) == [["It was late.", "Nobody came then.", "é"]]
    loose = (
        '<html xmlns="http://www.w3.org/1999/xhtml" lang="en"><body><p>It was <b>late<p>that night.</i></body></html>'
    )
    assert " ".join(texts(read(loose, tmp_path))[0]) == "It was late that night."


@pytest.mark.parametrize(
    ("encoding", "stated", "lang", "text"),
    [
        ("cp1252", "iso-8859-1", "fr", "L’été à la “maison” fut bref."),
        ("cp932", "Shift_JIS", "ja", "①古い灯りがついた。"),
        ("gb18030", "gb2312", "zh", "那盏灯还亮着，镕基来了。"),
        ("euc_jp", "euc-jp", "ja", "古い灯りがついた。"),
        ("koi8-r", "koi8-r", "ru", "Лампа горела всю ночь."),
        ("utf-8", "utf-16", "fr", "L’été fut bref."),
    ],
)
def test_the_encoding_that_a_page_states_is_read_as_browsers_do(
    encoding: str, stated: str, lang: str, text: str, tmp_path: Path
) -> None:
    for meta in (
        f'<meta charset="{stated}">',
        f'<meta http-equiv="Content-Type" content="text/html; charset={stated}">',
    ):
        raw = f'<html lang="{lang}"><head>{meta}</head><body><p>{text}</p></body></html>'.encode(encoding)
        document = read(raw, tmp_path)
        assert (texts(document), document.notices) == ([[text]], ())


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_wins(encoding: str, tmp_path: Path) -> None:
    raw = page("<p>L’été fut bref.</p>").replace("utf-8", "koi8-r").encode(encoding)
    assert HtmlReader().sniff(raw[:4096])
    assert texts(read(raw, tmp_path)) == [["L’été fut bref."]]


def test_a_wrong_or_missing_statement_is_told_from_the_bytes_and_noticed(tmp_path: Path) -> None:
    raw = page("<p>L’été à la maison fut bref.</p>").encode("cp1252")
    document = read(raw, tmp_path)
    assert texts(document) == [["L’été à la maison fut bref."]]
    assert [one.reason for one in document.notices] == ["says it is in utf-8, and is not: read as cp1252"]
    document = read(raw.replace(b"<meta charset=utf-8>", b""), tmp_path)
    assert [one.reason for one in document.notices] == ["no encoding is stated: read as cp1252"]
    with pytest.raises(EncodingUnknown, match="'klingon-8', which is no encoding"):
        read(page("<p>Text.</p>").replace("utf-8", "klingon-8"), tmp_path)


@pytest.mark.parametrize(
    ("head", "known"),
    [
        (b"<!DOCTYPE html>", True),
        (b" <!-- c -->\n<!doctype HTML PUBLIC 'x'>", True),
        (b"<?xml version='1.0'?>\n<html xmlns='x'>", True),
        (b"<HTML>", True),
        (b"<?xml version='1.0'?><tt xmlns='x'>", False),
        (b"<p>html</p>", False),
        (b"It was late. <html>", False),
        (b"<htmlx>", False),
        (b"", False),
    ],
)
def test_html_is_known_by_its_beginning(head: bytes, known: bool) -> None:
    assert HtmlReader().sniff(head) is known


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE html [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>',
        '<?xml version="1.0"?><!-- c --><!doctype html SYSTEM "x" [ <!ENTITY a SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_entities_are_refused(head: str, tmp_path: Path) -> None:
    with pytest.raises(ScriptRefused, match="entities"):
        read(f"{head}<html><body><p>Text &b;</p></body></html>", tmp_path)


def test_an_entity_that_nothing_declares_is_refused_in_xhtml_and_text_in_html(tmp_path: Path) -> None:
    with pytest.raises(ScriptRefused) as raised:
        read('<html xmlns="http://www.w3.org/1999/xhtml">\n<p>Text &secret;</p></html>', tmp_path)
    assert raised.value.place == "line 2"
    assert only("<p>Text &secret; here.</p>", tmp_path) == ["Text &secret; here."]


def test_bad_files_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ScriptTooLarge, match="2,048 deep"):
        read(page("<div>" * 3000 + "text"), tmp_path)
    with pytest.raises(ScriptTooLarge, match="MiB"):
        read(b"<html>" + b"a" * MAX_HTML_BYTES, tmp_path)
    with pytest.raises(ScriptTooLarge, match="a paragraph of"):
        read(page("<p>" + "word " * 30_000), tmp_path)
    with pytest.raises(ScriptUnreadable, match="no element"):
        read("<!-- nothing -->", tmp_path)
    with pytest.raises(ScriptEmpty):
        read(page(""), tmp_path)
    with pytest.raises(EncodingUnknown):
        read(b"\0\xff\0\xfe", tmp_path)


@pytest.mark.timeout(10)
def test_a_row_of_comments_takes_no_time(tmp_path: Path) -> None:
    comments = "<!-- --> " * 20_000
    assert not HtmlReader().sniff(comments.encode())
    assert HtmlReader().sniff(f"{comments}<html>".encode())
    assert texts(read(comments + page("<p>It was late that night.</p>"), tmp_path)) == [["It was late that night."]]


PARTS = (
    "<p>", "</p>", "<br>", "<br><br>", "<table>", "<td>", "<ruby>", "<rt>", "<rp>", "</ruby>", "<h1>", "</h1>", "<nav>",
    "</nav>", "<svg>", "<math>", "<script>", "</script>", "<b", "&amp;", "&#0;", "&#xD800;", "&#1114112;", "&#x1F;",
    "\0", "é", "text ", "<!--", "-->", "<?x", "]]>", "<html>", "</html>", "<body>", "<title>", "<![CDATA[",
    '<p lang="', '" epub:type="footnote">', '<p ssml:ph="a" x:y="b">',
)  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.sampled_from(PARTS), min_size=1, max_size=25), xml=st.booleans(), cut=st.integers(0, 3))
def test_any_soup_of_tags_is_read_or_an_error(parts: list[str], xml: bool, cut: int, tmp_path: Path) -> None:
    start = '<html xmlns="http://www.w3.org/1999/xhtml" lang="en"><body>' if xml else '<html lang="en"><body>'
    raw = (start + "".join(parts)).encode()
    try:
        read(raw[: len(raw) - cut], tmp_path)
    except ScriptError:
        return


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.binary(min_size=1, max_size=200))
def test_whatever_the_bytes_are_nothing_but_script_errors_comes(raw: bytes, tmp_path: Path) -> None:
    try:
        read(b'<html lang="en"><p>' + raw, tmp_path)
        read(raw, tmp_path, language="en")
    except ScriptError:
        return


def test_a_librarys_pages_in_plain_text_around_the_work_are_left_out(tmp_path: Path) -> None:
    title = "<title>The Project Gutenberg eBook of The Lamp, by Ada Field</title>"
    first = "<pre>The eBook of The Lamp\n\n***START OF THE PROJECT GUTENBERG EBOOK THE LAMP***\n\nProduced by me</pre>"
    last = "<pre>End of the Project Gutenberg EBook of The Lamp\n\n*** END OF THIS PROJECT GUTENBERG EBOOK ***</pre>"
    body = f"{first}<h2>One</h2><p>The lamp was lit, and nobody had asked for it.</p>{last}<p>Free."
    document = read(page(body, head=title), tmp_path)
    assert (document.title, document.author) == ("The Lamp", "Ada Field")
    assert texts(document) == [["One", "The lamp was lit, and nobody had asked for it."]]
    assert [one.reason for one in document.notices] == ["its library's licence pages are left out"]
