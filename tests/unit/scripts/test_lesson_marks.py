"""Marks of text in lessons and books that are no words: struck out, taken from elsewhere, formulas without words."""

from __future__ import annotations

from pathlib import Path

from scheduler.scripts.html import HtmlReader
from scheduler.scripts.markdown import MarkdownReader
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.source import ScriptSource


def said(document: ScriptDocument) -> list[str]:
    return [line.text for section in document.sections for line in section.lines]


def lesson(folder: Path, text: str) -> ScriptDocument:
    path = folder / "lesson.md"
    path.write_text(text, encoding="utf-8")
    return MarkdownReader().read(ScriptSource.open(path), ReadOptions())


def test_tildes_of_struck_out_words_are_not_spoken(tmp_path: Path) -> None:
    document = lesson(tmp_path, "# One\n\nIt costs ~~nine~~ ten coins.\n")
    assert said(document)[-1] == "It costs nine ten coins."


def test_slides_taken_from_files_are_reported_where_the_deck_has_no_notes(tmp_path: Path) -> None:
    deck = "---\nsrc: a.md\n---\n\n---\nsrc: b.md\nbackground: sky.png\n---\n\n---\n\n# Own\n\nShown.\n"
    document = lesson(tmp_path, deck)
    assert "Shown." in said(document)
    assert [each.reason.split(",")[0] for each in document.rejected] == ["is taken from 'a.md'", "is taken from 'b.md'"]


def test_what_stands_for_missing_words_of_a_formula_is_not_spoken(tmp_path: Path) -> None:
    path = tmp_path / "book.html"
    math = '<math xmlns="http://www.w3.org/1998/Math/MathML" alttext="{}"><mi>x</mi></math>'
    path.write_text(
        "<html lang='en'><head><title>B</title></head><body><h1>One</h1>"
        f"<p>So {math.format('Alternative text not available')} holds.</p>"
        f"<p>And {math.format('x squared')} too.</p></body></html>",
        encoding="utf-8",
    )
    document = HtmlReader().read(ScriptSource.open(path), ReadOptions())
    assert said(document)[-2:] == ["So holds.", "And x squared too."]
