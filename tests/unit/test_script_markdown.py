from __future__ import annotations

from pathlib import Path

from script_samples import MARKDOWN, write

from scheduler.scripts.frontmatter import split_front_matter
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.registry import read_script


def read(text: str, tmp_path: Path, **options: object) -> ScriptDocument:
    return read_script(write(tmp_path / "lesson.md", text), options=ReadOptions(**options))  # type: ignore[arg-type]


def all_text(document: ScriptDocument) -> list[str]:
    return [line.text for section in document.sections for line in section.lines]


def test_a_lesson(tmp_path: Path) -> None:
    document = read(MARKDOWN, tmp_path)
    assert (document.title, document.author, document.language, document.kind) == (
        "The First Lesson",
        "Ada Field",
        "en",
        "course",
    )
    assert [section.title for section in document.sections] == ["Light", "Heat"]
    assert all_text(document) == [
        "Light",
        "A lamp turns current into light. It also gets warm.",
        "Heat",
        "Warm air rises above the lamp.",
        "Is it dangerous?",
        "Not if you are careful with it.",
    ]
    heat = document.sections[1].lines
    assert [line.boundary for line in heat] == ["heading", "scene", "sentence", "section"]
    assert [line.characters for line in heat] == [(), (), ("Mara",), ()]
    assert "1 blocks of code left out" in [notice.reason for notice in document.notices]


def test_places_are_lines_of_the_file(tmp_path: Path) -> None:
    places = {line.text: line.place for section in read(MARKDOWN, tmp_path).sections for line in section.lines}
    assert places["Light"] == f"line {MARKDOWN.splitlines().index('# Light') + 1}"


def test_what_is_not_read(tmp_path: Path) -> None:
    text = (
        "# One\n\nWords are here[^1]. ![a picture](x.png){alt='not read'}\n\n[^1]: A note not read.\n\n"
        "::: callout\n\nWords in a box.\n\n:::\n\n<div>HTML not read</div>\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    )
    document = read(text, tmp_path)
    assert all_text(document) == ["One", "Words are here.", "Words in a box."]
    assert [rejection.place for rejection in document.rejected] == ["line 13", "line 15"]
    assert all_text(read(text, tmp_path, tables="read"))[-4:] == ["a", "b", "1", "2"]


def test_inline_code_and_links_are_words_and_never_markup(tmp_path: Path) -> None:
    assert all_text(read("Call `x[voice:1]` and [see: this](http://localhost/).", tmp_path)) == [
        "Call x[voice:1] and see: this."
    ]


def test_a_title_over_code_alone_is_not_read_and_one_over_a_title_is(tmp_path: Path) -> None:
    document = read(
        "# Part\n\n## Chapter\n\nWords of it.\n\n## Solution\n\n```\nx\n```\n\n## Next\n\nMore words.\n", tmp_path
    )
    assert [section.title for section in document.sections] == ["Chapter", "Next"]
    assert all_text(document) == ["Part", "Chapter", "Words of it.", "Next", "More words."]


def test_items_of_a_list_are_paragraphs(tmp_path: Path) -> None:
    lines = read("- the first thing\n- the second thing\n", tmp_path).sections[0].lines
    assert [(line.text, line.boundary) for line in lines] == [
        ("the first thing", "paragraph"),
        ("the second thing", "section"),
    ]


def test_front_matter_is_flat_and_a_rule_is_none() -> None:
    assert split_front_matter(["---", "title: 'A: B'", "tags:", "  - x", "---", "text"]) == ({"title": "A: B"}, 5)
    assert split_front_matter(["---", "no pairs here", "---"]) == ({}, 0)
    assert split_front_matter(["---", "title: never closed"]) == ({}, 0)
    assert split_front_matter([]) == ({}, 0)
