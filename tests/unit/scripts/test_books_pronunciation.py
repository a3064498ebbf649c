from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from script_samples import Book, page

from scheduler.scripts.epub import EpubReader
from scheduler.scripts.errors import ScriptError, ScriptRefused, ScriptUnreadable
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.pls import PlsEntry, read_pls
from scheduler.scripts.source import ScriptSource

SSML = 'xmlns:ssml="http://www.w3.org/2001/10/synthesis"'


def pls(lexemes: str, *, lang: str = "en", alphabet: str = "ipa") -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<lexicon version="1.0"'
        f' xmlns="http://www.w3.org/2005/01/pronunciation-lexicon" alphabet="{alphabet}" xml:lang="{lang}">\n'
        f"{lexemes}</lexicon>"
    )


def entries(lexemes: str, **options: str) -> tuple[PlsEntry, ...]:
    return read_pls(pls(lexemes, **options).encode(), "book.epub", "en.pls")


def test_each_spelling_of_a_lexeme_has_its_preferred_pronunciation() -> None:
    found = entries(
        "<lexeme><grapheme>colour</grapheme><grapheme>color</grapheme><phoneme>ˈkʌlə</phoneme></lexeme>"
        "<lexeme><grapheme>  New\n York </grapheme><alias>big apple</alias><phoneme>x</phoneme></lexeme>"
        '<lexeme><grapheme>tomato</grapheme><phoneme>a</phoneme><phoneme prefer="true" alphabet="x-CMU">'
        "T AH0 M AA1 T OW2</phoneme></lexeme>"
        "<lexeme><grapheme>said by rule</grapheme></lexeme>"
    )
    assert found == (
        PlsEntry("colour", "ˈkʌlə", None, "ipa", "en"),
        PlsEntry("color", "ˈkʌlə", None, "ipa", "en"),
        PlsEntry("New York", None, "big apple", "ipa", "en"),
        PlsEntry("tomato", "T AH0 M AA1 T OW2", None, "x-cmu", "en"),
    )


def test_a_lexeme_with_a_role_counts_only_where_there_is_none_without() -> None:
    found = entries(
        '<lexeme role="my:VB"><grapheme>read</grapheme><phoneme>riːd</phoneme></lexeme>'
        "<lexeme><grapheme>read</grapheme><phoneme>rɛd</phoneme></lexeme>"
        '<lexeme role="my:NN"><grapheme>lead</grapheme><phoneme>lɛd</phoneme></lexeme>'
    )
    assert [(entry.grapheme, entry.phoneme) for entry in found] == [("read", "rɛd"), ("lead", "lɛd")]


@pytest.mark.parametrize(
    ("data", "error", "reason"),
    [
        (b"", ScriptUnreadable, "is not XML"),
        (b"<lexicon/>", ScriptUnreadable, "is no pronunciation lexicon"),
        (pls("<lexeme><phoneme>a</phoneme></lexeme>").encode(), ScriptUnreadable, "line 3.*no spelling"),
        (pls("<lexeme><grapheme>a</grapheme>").encode(), ScriptUnreadable, "is not XML"),
        (
            pls("<lexeme><grapheme>&b;</grapheme></lexeme>")
            .replace("<lexicon", '<!DOCTYPE lexicon [<!ENTITY b "c">]><lexicon')
            .encode(),
            ScriptRefused,
            "entities",
        ),
        (
            pls(f"<lexeme><grapheme>a</grapheme><phoneme>{'b' * 1001}</phoneme></lexeme>").encode(),
            ScriptUnreadable,
            "line 3.*over 1,000",
        ),
    ],
)
def test_what_is_no_lexicon_is_an_error(data: bytes, error: type[ScriptError], reason: str) -> None:
    with pytest.raises(error, match=reason):
        read_pls(data, "a.pls", "")


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_whatever_the_bytes_of_a_lexicon_are_nothing_but_script_errors_comes(data: st.DataObject) -> None:
    raw = bytearray(pls("<lexeme><grapheme>é</grapheme><phoneme>a</phoneme></lexeme>").encode())
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        read_pls(bytes(raw), "a.pls", "")
    except ScriptError:
        return


def read(
    body: str, tmp_path: Path, *, lang: str = "en", attributes: str = "", links: str = "", **extra: str
) -> ScriptDocument:
    text = page(body, lang=lang, attributes=f"{SSML} {attributes}").replace("<style>", f"{links}<style>")
    files = {f"OPS/{name.replace('_', '.')}": data.encode() for name, data in extra.items()}
    path = Book({"a.xhtml": text}, language=lang, extra=files).write(tmp_path / "book.epub")
    return EpubReader().read(ScriptSource.open(path), ReadOptions())


def said(document: ScriptDocument) -> list[tuple[str, str]]:
    return [(line.text, line.said) for section in document.sections for line in section.lines]


def link(name: str, **attributes: str) -> str:
    more = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f'<link rel="pronunciation" type="application/pls+xml" href="{name}"{more}/>'


def test_a_phoneme_string_on_any_element_is_what_is_said(tmp_path: Path) -> None:
    body = (
        '<p>I say <span ssml:ph="T AH0 M AA1 T OW2">tomato</span> here.</p>'
        '<p ssml:ph="L EH1 D" ssml:alphabet="x-arpabet">lead</p>'
        '<div><p>And <b ssml:ph="R EH1 D"> red </b>lamps.</p></div>'
    )
    document = read(body, tmp_path, attributes='ssml:alphabet="x-ARPABET"')
    assert said(document) == [
        ("I say tomato here.", "I say {tomato|T AH0 M AA1 T OW2} here."),
        ("lead", "{lead|L EH1 D}"),
        ("And red lamps.", "And {red|R EH1 D} lamps."),
    ]
    assert not document.notices


def test_ipa_is_the_alphabet_where_none_is_named(tmp_path: Path) -> None:
    [(text, spoken)] = said(read('<p>The <i ssml:ph="təˈmɑːtoʊ">tomato</i>.</p>', tmp_path))
    assert text == "The tomato."
    assert spoken == "The {tomato|T AH0 M AA1 T OW0}."


def test_what_is_not_read_in_an_element_is_not_in_its_words(tmp_path: Path) -> None:
    body = (
        '<p>A <span ssml:ph="L EH1 D" ssml:alphabet="x-cmu">le<i>ad</i><a epub:type="noteref" href="#n">1</a>'
        '<!-- c --><span hidden="hidden">x</span></span> pipe.</p>'
    )
    assert said(read(body, tmp_path)) == [("A lead pipe.", "A {lead|L EH1 D} pipe.")]


def test_readings_without_a_form_are_one_notice_and_the_text_is_read(tmp_path: Path) -> None:
    body = (
        '<p>Le <i ssml:ph="ʃa">chat</i> et <i ssml:ph="ʃjɛ̃">chien</i>.</p>'
        '<p>Un <i ssml:ph="&quot;ab" ssml:alphabet="x-sampa">mot</i>.</p>'
        '<div ssml:ph="abc"><p>Deux.</p><p>Trois.</p></div>'
    )
    document = read(body, tmp_path, lang="fr")
    assert said(document) == [(text, text) for text in ("Le chat et chien.", "Un mot.", "Deux.", "Trois.")]
    assert [notice.reason for notice in document.notices] == [
        "pronunciations left out, because the voice engines have no form for them: 3 × ipa in fr, 1 × x-sampa in fr"
    ]


def test_the_words_of_a_lexicon_are_said_as_it_says(tmp_path: Path) -> None:
    lexicon = pls(
        "<lexeme><grapheme>SQL</grapheme><alias>sequel</alias></lexeme>"
        "<lexeme><grapheme>SQL Server</grapheme><alias>sequel server</alias></lexeme>"
        "<lexeme><grapheme>tomato</grapheme><phoneme>T AH0 M AA1 T OW2</phoneme></lexeme>",
        alphabet="x-cmu",
    )
    body = (
        "<h1>SQL</h1><p>SQL Server, MySQL, SQLite and <b>SQL</b>. A toma<i>to</i> or tomatoes.</p>"
        '<p lang="fr">Une base SQL et une <i>tomato</i>.</p>'
    )
    document = read(body, tmp_path, links=link("en.pls", hreflang="en-GB"), en_pls=lexicon)
    assert said(document) == [
        ("SQL", "sequel"),
        (
            "SQL Server, MySQL, SQLite and SQL. A tomato or tomatoes.",
            "sequel server, MySQL, SQLite and sequel. A {tomato|T AH0 M AA1 T OW2} or tomatoes.",
        ),
        ("Une base SQL et une tomato.",) * 2,
    ]
    assert not document.rejected


def test_a_lexicon_of_a_script_without_spaces_matches_inside_runs_and_its_own_language_counts(tmp_path: Path) -> None:
    lexicon = pls(
        "<lexeme><grapheme>重庆</grapheme><phoneme>chong2 qing4</phoneme></lexeme>", lang="zh-CN", alphabet="x-pinyin"
    )
    document = read("<p>他住在重庆市。</p>", tmp_path, lang="zh", links=link("zh.pls"), zh_pls=lexicon)
    assert said(document) == [("他住在重庆市。", "他住在{重庆|chong2 qing4}市。")]


def test_a_reading_in_the_text_wins_over_the_lexicon(tmp_path: Path) -> None:
    lexicon = pls("<lexeme><grapheme>灯り</grapheme><alias>ともしび</alias></lexeme>", lang="ja")
    body = "<p><ruby>灯り<rt>あかり</rt></ruby>と灯り。</p>"
    document = read(body, tmp_path, lang="ja", links=link("ja.pls"), ja_pls=lexicon)
    assert said(document) == [("灯りと灯り。", "あかりとともしび。")]


@pytest.mark.parametrize(
    ("links", "data", "place", "reason"),
    [
        (link("gone.pls"), pls(""), "OPS/a.xhtml", "OPS/gone.pls, which is missing"),
        (link("en.pls"), "<lexicon/>", "OPS/en.pls", "is no pronunciation lexicon"),
        (link("http://127.0.0.1/en.pls"), pls(""), "OPS/a.xhtml", "only PLS inside the book"),
        (link("../../en.pls"), pls(""), "OPS/a.xhtml", "only PLS inside the book"),
        ('<link rel="pronunciation" type="text/csv" href="en.pls"/>', pls(""), "OPS/a.xhtml", "only PLS"),
    ],
)
def test_a_lexicon_that_cannot_be_read_is_reported_once_and_the_book_is_read(
    links: str, data: str, place: str, reason: str, tmp_path: Path
) -> None:
    document = read("<p>Read all the same.</p>", tmp_path, links=links * 2, en_pls=data)
    assert said(document) == [("Read all the same.",) * 2]
    [rejection] = document.rejected
    assert rejection.place == place
    assert reason in rejection.reason


def test_lexicons_belong_to_the_documents_that_name_them(tmp_path: Path) -> None:
    lexicon = pls("<lexeme><grapheme>SQL</grapheme><alias>sequel</alias></lexeme>").encode()
    pages = {
        "a.xhtml": page("<p>This is SQL.</p>").replace("<style>", f"{link('en.pls')}<style>"),
        "b.xhtml": page("<p>That is SQL.</p>"),
    }
    path = Book(pages, extra={"OPS/en.pls": lexicon}).write(tmp_path / "book.epub")
    document = EpubReader().read(ScriptSource.open(path), ReadOptions())
    assert said(document) == [("This is SQL.", "This is sequel."), ("That is SQL.", "That is SQL.")]
