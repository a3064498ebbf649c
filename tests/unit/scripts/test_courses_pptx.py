from __future__ import annotations

import io
import random
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pptx import Presentation
from pptx.oxml.ns import qn

from scheduler.scripts.errors import (
    MarkupError,
    ScriptEmpty,
    ScriptError,
    ScriptRefused,
    ScriptTooLarge,
    ScriptUnreadable,
)
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.pptx import PptxReader
from scheduler.scripts.source import ScriptSource

SLIDES: tuple[tuple[str, str | None], ...] = (
    ("Light", "Welcome to the first lesson.\nIt is about light."),
    ("Heat", None),
    ("Rain", "Rain falls on the old roof. It is loud tonight, and nobody sleeps."),
)


def deck(slides: tuple[tuple[str, str | None], ...] = SLIDES, *, lang: str = "en-GB", title: str = "Weather") -> bytes:
    show = Presentation()
    show.core_properties.title, show.core_properties.author = title, "Ada Field"
    for heading, notes in slides:
        slide = show.slides.add_slide(show.slide_layouts[1])
        slide.shapes.title.text = heading
        slide.placeholders[1].text = "Text of the slide, never spoken."
        if notes is not None:
            slide.notes_slide.notes_text_frame.text = notes
            for run in slide.notes_slide.notes_text_frame._txBody.iter(qn("a:r")):
                run.get_or_add_rPr().set("lang", lang)
    out = io.BytesIO()
    show.save(out)
    return out.getvalue()


def repacked(data: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    change(parts)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name, part in parts.items():
            new.writestr(name, part)
    return out.getvalue()


def read(data: bytes, tmp_path: Path, name: str = "deck.pptx", **options: object) -> ScriptDocument:
    path = tmp_path / name
    path.write_bytes(data)
    return PptxReader().read(ScriptSource.open(path), ReadOptions(**options))  # type: ignore[arg-type]


def spoken(document: ScriptDocument) -> list[tuple[str, str, list[str]]]:
    return [(part.key, part.title, [line.text for line in part.lines]) for part in document.sections]


def test_the_notes_of_a_deck(tmp_path: Path) -> None:
    document = read(deck(), tmp_path)
    assert (document.title, document.author, document.language, document.kind, document.format) == (
        "Weather",
        "Ada Field",
        "en-GB",
        "course",
        "pptx",
    )
    assert spoken(document) == [
        ("slide-256", "Light", ["Welcome to the first lesson.", "It is about light."]),
        ("slide-258", "Rain", ["Rain falls on the old roof.", "It is loud tonight, and nobody sleeps."]),
    ]
    assert [line.boundary for line in document.sections[0].lines] == ["paragraph", "section"]
    assert [line.place for line in document.sections[1].lines] == ["slide 3", "slide 3"]
    assert [part.kind for part in document.sections] == ["slide", "slide"]
    assert [(note.place, note.reason) for note in document.notices] == [
        ("slide 2", "the slide 'Heat' has no speaker notes: nothing is spoken")
    ]
    assert document.rejected == ()


def moved(data: bytes) -> bytes:
    show = Presentation(io.BytesIO(data))
    order = show.slides._sldIdLst
    order.insert(0, order[-1])
    show.slides[1]._element.set("show", "0")
    out = io.BytesIO()
    show.save(out)
    return out.getvalue()


def test_the_order_is_that_of_the_presentation_and_ids_stay_with_their_slides(tmp_path: Path) -> None:
    before = read(deck(), tmp_path)
    document = read(moved(deck()), tmp_path)
    assert [part.key for part in document.sections] == ["slide-258"]
    assert document.sections[0].lines[0].key == before.sections[1].lines[0].key
    assert [note.reason for note in document.notices] == [
        "the slide 'Light' is hidden: it is left out",
        "the slide 'Heat' has no speaker notes: nothing is spoken",
    ]


def test_what_is_read_is_what_another_reader_reads(tmp_path: Path) -> None:
    texts = [
        ("A", "One.\vTwo after a line break."),
        ("B", "Zwei <&> drei."),
        ("C", "雨が降っています。"),
        ("D", "É, ñ and ő."),
    ]
    data = deck(tuple(texts))
    show = Presentation(io.BytesIO(data))
    theirs = [" ".join(slide.notes_slide.notes_text_frame.text.split()) for slide in show.slides]
    ours = [" ".join(line.text for line in part.lines) for part in read(data, tmp_path).sections]
    assert ours == theirs
    assert [f"slide-{slide.slide_id}" for slide in show.slides] == [part.key for part in read(data, tmp_path).sections]


def test_the_language_is_that_of_most_letters(tmp_path: Path) -> None:
    def change(parts: dict[str, bytes]) -> None:
        name = "ppt/notesSlides/notesSlide2.xml"
        parts[name] = parts[name].replace(b'lang="en-GB"', b'lang="de-DE"')

    assert read(repacked(deck(), change), tmp_path).language == "de-DE"
    assert read(repacked(deck(), change), tmp_path, language="fr").language == "fr"


def test_without_any_language_the_letters_decide(tmp_path: Path) -> None:
    def change(parts: dict[str, bytes]) -> None:
        for name, part in parts.items():
            parts[name] = part.replace(b' lang="en-GB"', b"")

    assert read(repacked(deck((("A", "雨が降っています。"),)), change), tmp_path).language == "ja"
    assert read(repacked(deck(), change), tmp_path).language == "en"


def test_a_deck_with_macros_is_read_and_they_are_not_touched(tmp_path: Path) -> None:
    def change(parts: dict[str, bytes]) -> None:
        parts["ppt/vbaProject.bin"] = b"\xd0\xcf\x11\xe0 not even a project"

    assert spoken(read(repacked(deck(), change), tmp_path, "deck.pptm")) == spoken(read(deck(), tmp_path))


def test_the_strict_edition_is_read(tmp_path: Path) -> None:
    def change(parts: dict[str, bytes]) -> None:
        for name, part in parts.items():
            part = part.replace(
                b"http://schemas.openxmlformats.org/presentationml/2006", b"http://purl.oclc.org/ooxml/p"
            )
            part = part.replace(b"http://schemas.openxmlformats.org/drawingml/2006", b"http://purl.oclc.org/ooxml/d")
            parts[name] = part.replace(
                b"http://schemas.openxmlformats.org/officeDocument/2006", b"http://purl.oclc.org/ooxml/officeDocument"
            )

    assert spoken(read(repacked(deck(), change), tmp_path)) == spoken(read(deck(), tmp_path))


def test_who_speaks_in_brackets(tmp_path: Path) -> None:
    lines = read(deck((("A", "[voice:Mara]Hello.[/voice]\nGood day."),)), tmp_path).sections[0].lines
    assert [(line.text, line.characters) for line in lines] == [("Hello.", ("Mara",)), ("Good day.", ())]
    for notes in ("[voice:Mara]Hello.", "Hello.[/voice]", "[wobble:5]Hello."):
        with pytest.raises(MarkupError, match=r"deck\.pptx, slide 2: "):
            read(deck((("A", "Words."), ("B", notes))), tmp_path)


def test_a_deck_without_notes_says_so(tmp_path: Path) -> None:
    with pytest.raises(ScriptEmpty, match="no slide that is shown has speaker notes; write"):
        read(deck((("A", None), ("B", None))), tmp_path)
    with pytest.raises(ScriptEmpty, match="no slide is shown"):
        read(deck(()), tmp_path)


def test_a_slide_that_is_missing_or_damaged_is_rejected_with_its_place(tmp_path: Path) -> None:
    def lose(parts: dict[str, bytes]) -> None:
        del parts["ppt/slides/slide1.xml"]

    def damage(parts: dict[str, bytes]) -> None:
        parts["ppt/notesSlides/notesSlide1.xml"] = b"<p:notes"

    document = read(repacked(deck(), lose), tmp_path)
    assert [part.key for part in document.sections] == ["slide-258"]
    assert [(one.place, one.reason) for one in document.rejected] == [
        ("slide 1", "is listed and missing from the file")
    ]
    document = read(repacked(deck(), damage), tmp_path)
    assert document.rejected[0].place == "slide 1 (ppt/notesSlides/notesSlide1.xml)"
    assert document.rejected[0].reason.startswith("is not XML")


def test_entities_and_bombs_are_refused(tmp_path: Path) -> None:
    def entity(parts: dict[str, bytes]) -> None:
        name = "ppt/notesSlides/notesSlide1.xml"
        parts[name] = b'<!DOCTYPE x [<!ENTITY a "b">]>' + parts[name].partition(b"?>")[2]

    def bomb(parts: dict[str, bytes]) -> None:
        parts["ppt/slides/slide1.xml"] = b"<a>" + b" " * 30_000_000

    with pytest.raises(ScriptRefused, match="declares XML entities"):
        read(repacked(deck(), entity), tmp_path)
    with pytest.raises(ScriptTooLarge, match="built to fill memory"):
        read(repacked(deck(), bomb), tmp_path)


def test_films_are_never_unpacked(tmp_path: Path) -> None:
    def film(parts: dict[str, bytes]) -> None:
        parts["ppt/media/film.mp4"] = random.Random(1).randbytes(12_000_000)

    data = repacked(deck(), film)
    path = tmp_path / "film.pptx"
    path.write_bytes(data)
    tracemalloc.start()
    PptxReader().read(ScriptSource.open(path), ReadOptions())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "an old .ppt or protected by a password"),
        (b"no zip at all", "is not a whole zip archive"),
        (repacked(deck(), lambda parts: parts.pop("ppt/presentation.xml") and None), "holds no presentation"),
        (repacked(deck(), lambda parts: parts.pop("_rels/.rels") and None), "is no PowerPoint file"),
        (deck()[:-300], "is not a whole zip archive"),
    ],
)
def test_what_is_no_deck_says_so(data: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ScriptUnreadable, match=reason):
        read(data, tmp_path)


def test_ids_that_are_missing_or_there_twice_are_refused(tmp_path: Path) -> None:
    def change(parts: dict[str, bytes]) -> None:
        parts["ppt/presentation.xml"] = parts["ppt/presentation.xml"].replace(b'id="257"', b'id="256"')

    with pytest.raises(ScriptUnreadable, match="slide 2 has no id of its own"):
        read(repacked(deck(), change), tmp_path)


ORIGINAL = deck()
TEXT_PARTS = (
    "ppt/presentation.xml", "ppt/_rels/presentation.xml.rels", "_rels/.rels", "ppt/slides/slide1.xml",
    "ppt/notesSlides/notesSlide1.xml", "docProps/core.xml", "ppt/slides/_rels/slide1.xml.rels",
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(TEXT_PARTS), st.integers(0, 2**32), st.integers(1, 30))
def test_changed_bytes_raise_nothing_but_a_script_error(
    tmp_path_factory: pytest.TempPathFactory, name: str, seed: int, count: int
) -> None:
    chance = random.Random(seed)

    def change(parts: dict[str, bytes]) -> None:
        data = bytearray(parts[name])
        for _ in range(count):
            at = chance.randrange(len(data))
            data[at : at + chance.randint(1, 3)] = chance.choice([b"", b"<", b'"', b"x", b"\xff", b"&", b"9", b"/"])
        parts[name] = bytes(data)

    with suppress(ScriptError):
        read(repacked(ORIGINAL, change), tmp_path_factory.getbasetemp())
