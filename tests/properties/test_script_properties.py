from __future__ import annotations

import atexit
import shutil
import tempfile
import zipfile
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from script_samples import MARKDOWN, SHEET, SRT, TEXT, VTT, Book, draft_voices, page, small_book, write

from db.records import JobOptions
from scheduler.casting import cast
from scheduler.planning import make_plan
from scheduler.scripts.errors import ScriptError
from scheduler.scripts.model import ScriptDocument
from scheduler.scripts.registry import read_script
from scheduler.scripts.segmentation import speakable, split, spoken_length

LANGUAGES = st.sampled_from(["en", "de", "ja", "zh", "ko", "ru", "xx", "en-GB"])
PROSE = st.text(
    alphabet=st.one_of(
        st.sampled_from("abc ABC .,;:!?…—“”\"'()[]{}\\ \n1234567890"),
        st.sampled_from("雨が降って。、！「」『』…と言った漢字カナ"),
        st.characters(exclude_categories=("Cs", "Cc")),
    ),
    max_size=400,
)
MANY = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
SOME = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@MANY
@given(text=PROSE, language=LANGUAGES, limit=st.integers(20, 200), breaks=st.lists(st.integers(0, 400), max_size=4))
def test_spans_cover_the_text_in_order_and_keep_to_the_limit(
    text: str, language: str, limit: int, breaks: list[int]
) -> None:
    spans = split(text, language, limit, breaks=breaks)
    assert "".join(text[a:b] for a, b in spans) == text
    assert all(before[1] == after[0] for before, after in pairwise(spans))
    assert all(a < b for a, b in spans)
    assert all(spoken_length(text[a:b]) <= limit for a, b in spans)


@cache
def folder() -> Path:
    made = Path(tempfile.mkdtemp(prefix="voicefarm-scripts-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def check(document: ScriptDocument) -> None:
    """What holds for every document, whatever it was read from."""
    keys = [line.key for section in document.sections for line in section.lines]
    assert keys
    assert len(set(keys)) == len(keys)
    assert len({section.key for section in document.sections}) == len(document.sections)
    for section in document.sections:
        assert section.title
        assert section.lines[-1].boundary == "section"
        for line in section.lines:
            assert line.text == line.text.strip()
            assert "\0" not in line.text
            assert line.language
            assert speakable(line.text) or line.kind != "speech"
    speech = any(line.kind == "speech" for section in document.sections for line in section.lines)
    if speech:
        casting = cast(document, draft_voices(), narrator="draft-narrator")
        options = JobOptions()
        make_plan(
            document, casting, slug="s", source_name="a", source_sha256="", profile="p", options=options, out_url=""
        )


def read_or_refused(path: Path) -> None:
    """Any file is either a document that holds together or an error that names it; nothing else may be raised."""
    refused: ScriptError | None = None
    try:
        check(read_script(path))
    except ScriptError as error:
        refused = error
    assert refused is None or refused.file == path.name


def changed(data: bytes, changes: Changes) -> bytes:
    """Replace stretches of a file."""
    made = bytearray(data)
    for place, length, new in changes:
        at = int(place * len(made))
        made[at : at + length] = new
    return bytes(made)


def letters(text: str) -> str:
    return "".join(char for char in text if char.isalnum())


PARAGRAPHS = st.lists(
    st.text(alphabet=st.sampled_from("abcde fgh. ,!?“”…雨が降る。「」"), min_size=1, max_size=200).filter(speakable),
    min_size=1,
    max_size=6,
)


@SOME
@given(paragraphs=PARAGRAPHS)
def test_no_word_is_lost_between_a_book_and_its_lines(paragraphs: list[str]) -> None:
    body = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    document = read_script(Book({"a.xhtml": page(body)}).write(folder() / "words.epub"))
    said = "".join(line.text for section in document.sections for line in section.lines)
    assert letters(said) == letters("".join(paragraphs))


@SOME
@given(paragraphs=PARAGRAPHS)
def test_no_word_is_lost_between_a_text_and_its_lines(paragraphs: list[str]) -> None:
    document = read_script(write(folder() / "words.txt", "\n\n".join(paragraphs)))
    said = "".join(line.text for section in document.sections for line in section.lines)
    assert letters(said) == letters("".join(paragraphs))


@cache
def sample(suffix: str) -> bytes:
    if suffix == "epub":
        return small_book().write(folder() / "sample.epub").read_bytes()
    return {"txt": TEXT, "md": MARKDOWN, "csv": SHEET, "vtt": VTT, "srt": SRT}[suffix].encode()


Changes = list[tuple[float, int, bytes]]
CHANGES = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 20), st.binary(max_size=20)),
    min_size=1,
    max_size=6,
)


@pytest.mark.parametrize("suffix", ["epub", "txt", "md", "csv", "vtt", "srt"])
@SOME
@given(changes=CHANGES)
def test_damaged_files_are_read_or_refused_by_name(suffix: str, changes: Changes) -> None:
    read_or_refused(write(folder() / f"a.{suffix}", changed(sample(suffix), changes) or b"x"))


@cache
def entries() -> dict[str, bytes]:
    sample("epub")
    with zipfile.ZipFile(folder() / "sample.epub") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@MANY
@given(
    name=st.sampled_from(["META-INF/container.xml", "OPS/book.opf", "OPS/nav.xhtml", "OPS/one.xhtml"]), changes=CHANGES
)
def test_damaged_parts_of_a_whole_archive_are_read_or_refused(name: str, changes: Changes) -> None:
    path = folder() / "parts.epub"
    with zipfile.ZipFile(path, "w") as archive:
        for entry, data in entries().items():
            archive.writestr(entry, changed(data, changes) if entry == name else data)
    read_or_refused(path)


MARKUP = [
    *(
        "<p>",
        "</p>",
        "<b>",
        "</b>",
        "<ruby>",
        "<rt>",
        "</rt>",
        "</ruby>",
        "<table>",
        "</table>",
        "<tr><td>",
        "</td></tr>",
    ),
    *("<h1 id='x'>", "</h1>", "<br/>", "<hr/>", "<!-- c -->", "<?p i?>", "<![CDATA[<x>&nope;]]>", "&nbsp;", "&amp;"),
    *(
        "<aside epub:type='footnote'>",
        "</aside>",
        "<span data-character='A'>",
        "</span>",
        "<p lang='ja'>",
        "words here. ",
    ),
    *(
        "雨が降る。",
        "<div hidden=''>",
        "</div>",
        "<math alttext='x'>",
        "</math>",
        "<svg>",
        "</svg>",
        "<a id='y'/>",
        "&#65;",
    ),
]


@SOME
@given(markup=st.lists(st.sampled_from(MARKUP), max_size=30))
def test_any_markup_in_a_page_is_read_or_refused_by_name(markup: list[str]) -> None:
    nav = (("a.xhtml#x", "X"), ("a.xhtml#y", "Y"), ("a.xhtml", "A"), ("b.xhtml#none", "B"))
    book = Book({"a.xhtml": page("".join(markup)), "b.xhtml": page("<p>The second page.</p>")}, nav=nav)
    read_or_refused(book.write(folder() / "markup.epub"))


HEADS = {
    "csv": "id,character,text\n",
    "vtt": "WEBVTT\n\n00:01.000 --> 00:02.000\n",
    "srt": "1\n00:00:01,0 --> 00:00:02,0\n",
}


@MANY
@given(text=PROSE, suffix=st.sampled_from(["txt", "md", "csv", "vtt", "srt"]))
def test_any_text_is_read_or_refused(text: str, suffix: str) -> None:
    read_or_refused(write(folder() / f"a.{suffix}", HEADS.get(suffix, "") + text or " "))


@MANY
@given(data=st.binary(min_size=1, max_size=300), suffix=st.sampled_from(["epub", "txt", "md", "csv", "vtt", "srt"]))
def test_any_bytes_are_read_or_refused(data: bytes, suffix: str) -> None:
    read_or_refused(write(folder() / f"a.{suffix}", data))
