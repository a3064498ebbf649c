"""Languages told from the text, and left alone where the text does not tell."""

from __future__ import annotations

import pytest

from scheduler.scripts.detection import line_by_line, of_text
from scheduler.scripts.model import ScriptDocument, ScriptLine, ScriptSection

GERMAN = "Es war ein langer Tag gewesen, und niemand wollte noch arbeiten."
FRENCH = "Bonjour tout le monde, il fait très beau ce matin dans la vallée."
ENGLISH = "It had been a long day, and nobody wanted to do any more work."


@pytest.mark.parametrize(
    ("text", "tag", "sure"),
    [
        (GERMAN, "de", True),
        (FRENCH, "fr", True),
        (ENGLISH, "en", True),
        ("Сегодня очень холодно, и никто не хочет выходить из дома.", "ru", True),
        ("Сьогодні дуже холодно, і ніхто не хоче виходити з дому.", "uk", True),
        ("彼は東京に住んでいます。", "ja", True),
        ("我住在重庆。", "zh", True),
        ("오늘은 춥다.", "ko", True),
        ("No.", "en", False),
        ("", "en", False),
        ("1234 5678", "en", False),
    ],
)
def test_whole_texts(text: str, tag: str, sure: bool) -> None:
    assert of_text(text) == (tag, sure)


def script(language: str, *texts: str) -> ScriptDocument:
    lines = tuple(ScriptLine(str(number), text, language) for number, text in enumerate(texts))
    sections = (ScriptSection("s", "scene", "S", lines),)
    return ScriptDocument("T", "", language, "dialogue", "csv", sections, language_stated=False)


def tags(document: ScriptDocument) -> list[str]:
    return [line.language for section in document.sections for line in section.lines]


def test_lines_of_a_mixed_script() -> None:
    told = line_by_line(script("en", ENGLISH, GERMAN, "No.", FRENCH, "彼は東京に住んでいます。"))
    assert tags(told) == ["en", "de", "en", "fr", "ja"]
    assert "3 lines" in told.notices[-1].reason


def test_han_alone_is_never_told_apart() -> None:
    assert tags(line_by_line(script("ja", "東京", "彼は東京に住んでいます。", "大学"))) == ["ja", "ja", "ja"]


def test_a_script_in_one_language_is_returned_as_it_is() -> None:
    document = script("en", *[ENGLISH] * 1000)
    assert line_by_line(document) is document


def test_a_line_with_a_language_of_its_own_keeps_it() -> None:
    document = script("en", GERMAN)
    line = ScriptLine("x", FRENCH, "it")
    mixed = ScriptDocument(
        "T", "", "en", "dialogue", "csv", (ScriptSection("s", "scene", "S", (line, *document.sections[0].lines)),)
    )
    assert tags(line_by_line(mixed)) == ["it", "de"]
