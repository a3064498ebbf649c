from __future__ import annotations

import json
import random
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.scripts.errors import (
    EncodingUnknown,
    MarkupError,
    ScriptEmpty,
    ScriptError,
    ScriptRefused,
    ScriptTooLarge,
    ScriptUnreadable,
)
from scheduler.scripts.lessons import LessonsReader
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.source import ScriptSource

YAML = """\
title: Weather
author: Ada Field
language: en-GB
date: 2026-03-01
theme: dark
slides:
  - id: intro
    title: Light
    layout: cover
    speaker_notes: |
      Welcome to the first lesson.
      It is about light.

      A lamp turns current into light.
  - title: Heat
    text: Shown and never spoken.
    speaker_notes:
      - A plain paragraph of its own.
      - id: l-7
        text: Is it dangerous? I should like to know it.
        character: Mara
        emotion: afraid
        pause: 1.5
        reviewer: Ben
      - text: Nein, gar nicht gefährlich.
        speaker: [Ben, Cleo]
        language: de
  - title: A picture
"""


def read(data: str | bytes | object, tmp_path: Path, name: str = "course.yaml", **options: object) -> ScriptDocument:
    path = tmp_path / name
    text = data if isinstance(data, str | bytes) else json.dumps(data)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return LessonsReader().read(ScriptSource.open(path), ReadOptions(**options))  # type: ignore[arg-type]


def from_json(data: object, tmp_path: Path, **options: object) -> ScriptDocument:
    return read(data, tmp_path, "course.json", **options)


def spoken(document: ScriptDocument) -> list[tuple[str, str, list[str]]]:
    return [(part.key, part.title, [line.text for line in part.lines]) for part in document.sections]


def test_a_course_in_yaml(tmp_path: Path) -> None:
    document = read(YAML, tmp_path)
    assert (document.title, document.author, document.language, document.year, document.kind, document.format) == (
        "Weather",
        "Ada Field",
        "en-GB",
        "2026",
        "course",
        "lessons",
    )
    assert spoken(document) == [
        (
            "intro",
            "Light",
            ["Welcome to the first lesson. It is about light.", "A lamp turns current into light."],
        ),
        (
            "heat",
            "Heat",
            [
                "A plain paragraph of its own.",
                "Is it dangerous? I should like to know it.",
                "Nein, gar nicht gefährlich.",
            ],
        ),
    ]
    intro, heat = document.sections
    assert [dict(line.extra) for line in intro.lines] == [{"layout": "cover"}] * 2
    assert [line.place for line in heat.lines] == [f"slides[1].speaker_notes[{n}]" for n in range(3)]
    line = heat.lines[1]
    assert (line.key, line.characters, dict(line.direction), line.pause_ms, line.boundary) == (
        "l-7",
        ("Mara",),
        {"emotion": "afraid"},
        1500,
        "paragraph",
    )
    assert dict(line.extra) == {"text": "Shown and never spoken.", "reviewer": "Ben"}
    assert (heat.lines[2].characters, heat.lines[2].language, heat.lines[2].boundary) == (
        ("Ben", "Cleo"),
        "de",
        "section",
    )
    assert [(note.place, note.reason) for note in document.notices] == [
        ("", "not understood and left out: theme"),
        ("slides[2]", "'A picture' has no notes: nothing is spoken"),
    ]
    assert document.rejected == ()


def test_json_of_the_same_shape_reads_the_same(tmp_path: Path) -> None:
    import yaml

    data = yaml.safe_load(YAML)
    data["date"] = str(data["date"])
    ours = from_json(data, tmp_path)
    assert ours == read(YAML, tmp_path)


def test_a_list_of_lines(tmp_path: Path) -> None:
    lines = [
        {"id": "a1", "text": "Who is there? Nobody answers.", "character": "Mara"},
        {"id": 17, "text": "Only the rain.", "character": "narrator"},
        {"text": "It has no id."},
    ]
    document = from_json(lines, tmp_path, language="en")
    assert document.kind == "dialogue"
    assert [(line.key, line.characters) for line in document.sections[0].lines][:2] == [("a1", ("Mara",)), ("17", ())]
    assert (document.sections[0].key, document.sections[0].title) == ("course", "course")


def test_the_keys_survive_parts_put_before_them(tmp_path: Path) -> None:
    part = {"title": "Heat", "notes": "Warm air rises above the lamp. It does so quite slowly."}
    bare = {"notes": "A slide that has no title at all."}
    one = from_json({"language": "en", "slides": [part, bare]}, tmp_path)
    two = from_json({"language": "en", "slides": [{"title": "New", "notes": "New words."}, part, bare]}, tmp_path)
    assert [part.key for part in one.sections] == [part.key for part in two.sections[1:]]
    assert [[line.key for line in part.lines] for part in one.sections] == [
        [line.key for line in part.lines] for part in two.sections[1:]
    ]


def test_ids_come_before_keys_made_from_titles(tmp_path: Path) -> None:
    slides = [{"title": "Heat", "notes": "First words."}, {"id": "heat", "notes": "Second words."}]
    assert [part.key for part in from_json({"language": "en", "slides": slides}, tmp_path).sections] == [
        "heat~2",
        "heat",
    ]


def test_parts_inside_parts_follow_each_other_and_inherit(tmp_path: Path) -> None:
    course = {
        "language": "en",
        "lessons": [
            {
                "title": "One",
                "language": "de",
                "character": "Ada",
                "slides": [{"title": "Erste Folie", "notes": "Guten Tag."}, {"title": "Zweite", "script": "Ende."}],
            },
            {"title": "Two", "narration": "Good day to you."},
        ],
    }
    document = from_json(course, tmp_path)
    assert [(part.key, part.kind) for part in document.sections] == [
        ("erste-folie", "slide"),
        ("zweite", "slide"),
        ("two", "lesson"),
    ]
    assert [(line.language, line.characters) for part in document.sections for line in part.lines] == [
        ("de", ("Ada",)),
        ("de", ("Ada",)),
        ("en", ()),
    ]
    assert document.notices == ()


def test_a_line_that_is_too_long_for_one_take_is_divided_and_keeps_its_id(tmp_path: Path) -> None:
    text = "This is a sentence of a very long line that goes on. " * 10
    lines = [{"id": "x", "text": text, "pause": "500ms"}, {"id": "x~2", "text": "Another line."}]
    made = from_json(lines, tmp_path, language="en").sections[0].lines
    assert [line.key for line in made] == ["x", *(f"x~{n}" for n in range(3, 12)), "x~2"]
    assert " ".join(line.text for line in made[:-1]) == text.strip()
    assert [line.pause_ms for line in made[-3:]] == [None, 500, None]


def test_brackets_say_who_speaks(tmp_path: Path) -> None:
    course = {"language": "en", "slides": [{"notes": "[voice:Mara]Hello.[/voice] Good day, Mara."}]}
    assert [(line.text, line.characters) for line in from_json(course, tmp_path).sections[0].lines] == [
        ("Hello.", ("Mara",)),
        ("Good day, Mara.", ()),
    ]
    course["slides"] = [{"notes": ["Words.", "[voice:Mara]Hello."]}]
    with pytest.raises(MarkupError, match=r"course\.json, slides\[0\]\.notes\[1\]: \[voice:Mara\] is never closed"):
        from_json(course, tmp_path)


@pytest.mark.parametrize(
    ("data", "place", "reason"),
    [
        ({"slides": [{"speaker_notes": 5}]}, "slides[0].speaker_notes", "is a number, where text or a list belongs"),
        ({"slides": [{}, {"notes": ["a", 3]}]}, "slides[1].notes[1]", "is a number, where text or a mapping"),
        ({"slides": [{"notes": [{"id": "x"}]}]}, "slides[0].notes[0]", "has no 'text', only 'id'"),
        ({"slides": [{"notes": [{"text": ["x"]}]}]}, "slides[0].notes[0].text", "is a list, where text belongs"),
        ({"slides": [{"notes": True}]}, "slides[0].notes", "is true or false"),
        ({"slides": ["words"]}, "slides[0]", "is text, where a mapping"),
        ({"slides": {"a": 1}}, "slides", "is a mapping, where a list belongs"),
        ({"slides": [{"title": [1], "notes": "x"}]}, "slides[0].title", "is a list, where text belongs"),
        ({"slides": [{"id": "a/b", "notes": "x"}]}, "slides[0].id", "'a/b' is no id"),
        ({"slides": [{"id": "a", "notes": "x"}, {"id": "a"}]}, "slides[1].id", "'a' is the id of slides[0]"),
        ([{"id": "a", "text": "x"}, {"id": "a", "text": "y"}], "[1].id", "'a' is the id of [0]"),
        ([{"text": "x", "character": 5}], "[0].character", "is a number, where a name belongs"),
        ([{"text": "x", "language": "klingon?"}], "[0].language", "is no language"),
        ([{"text": "x", "pause": -1}], "[0].pause", "is no silence"),
        ([{"text": "x", "pause": True}], "[0].pause", "is no silence"),
        ([{"text": "x", "pause": "soon"}], "[0].pause", "is no silence"),
        ({"name": "package", "version": 1}, "", "a mapping without slides or lessons; expected is {title, slides"),
        ("words", "", "holds text without slides"),
        (None, "", "holds nothing without slides"),
    ],
)
def test_another_shape_is_named_with_its_path(data: object, place: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ScriptUnreadable) as caught:
        from_json(json.dumps(data), tmp_path)
    assert caught.value.place == place
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        ('{"slides": [], "slides": []}', ScriptUnreadable, "the key 'slides' is there twice"),
        ('{"slides": [{"pause": NaN}]}', ScriptUnreadable, "NaN is no number"),
        ('{"slides": [{"pause": -Infinity}]}', ScriptUnreadable, "-Infinity is no number"),
        ('[{"text": "x", "pause": ' + "9" * 5000 + "}]", ScriptUnreadable, "a number of 5,000 digits"),
        ('{"slides":\n [}', ScriptUnreadable, "line 2: is not JSON: Expecting value"),
        ('{"slides": [{"notes": "cut off', ScriptUnreadable, "is not JSON: Unterminated string"),
        ("[" * 100_000, ScriptTooLarge, "line 1: has more than 32 levels"),
        ('{"a":' * 100_000, ScriptTooLarge, "has more than 32 levels"),
        ('{"slides": []}', ScriptEmpty, "no slide or lesson says anything"),
        ('{"slides": [{"notes": "..."}]}', ScriptEmpty, "nothing in it is to be spoken"),
        (b'{"slides": "\xff\xfe\0', EncodingUnknown, "zero bytes"),
    ],
)
def test_bad_json(text: str | bytes, kind: type[ScriptError], reason: str, tmp_path: Path) -> None:
    with pytest.raises(kind, match=reason):
        read(text, tmp_path, "course.json")


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        ("slides: &a\n  - notes: x\nmore: *a\n", ScriptRefused, "line 1: uses a YAML anchor or alias"),
        ("slides:\n  - notes: a: b\n", ScriptUnreadable, "line 2: is not YAML: mapping values"),
        ("slides: []\nslides: []\n", ScriptUnreadable, "line 2: the key 'slides' is there twice"),
        ("slides: []\n---\nslides: []\n", ScriptUnreadable, "line 2: a second YAML document"),
        ("slides: [{notes: !!python/name:os.system x, id: 1}]\n", ScriptEmpty, ""),
        ("- " * 40 + "x", ScriptTooLarge, "line 1: has more than 32 levels"),
        ("[" * 50_000, ScriptTooLarge, "levels"),
        ("just: a mapping", ScriptUnreadable, "expected is"),
        ("", ScriptUnreadable, "is empty"),
    ],
)
def test_bad_yaml(text: str, kind: type[ScriptError], reason: str, tmp_path: Path) -> None:
    if kind is ScriptEmpty:
        # a tag constructs nothing: what it stands before is text
        assert read(text, tmp_path, language="en").sections[0].lines[0].text == "x"
        return
    with pytest.raises(kind, match=reason):
        read(text, tmp_path)


def test_norwegian_is_no_falsehood_and_a_version_no_number(tmp_path: Path) -> None:
    document = read("language: no\ntitle: 1.10\nslides:\n  - id: 007\n    notes: yes\n", tmp_path)
    assert (document.language, document.title, spoken(document)) == ("no", "1.10", [("007", "Slide 1", ["yes"])])


def test_half_characters_are_dropped(tmp_path: Path) -> None:
    document = read('[{"id": "a\\ud800", "text": "Wo\\udfffrds.", "x": "\\ud800"}]', tmp_path, "a.json", language="en")
    line = document.sections[0].lines[0]
    assert (line.key, line.text, dict(line.extra)) == ("a", "Words.", {"x": ""})


def test_big_files_of_marks_take_no_time(tmp_path: Path) -> None:
    started = time.monotonic()
    for text in ('"' + '\\"' * 300_000, '["' + "a\\u0041" * 100_000 + '"]', "[" + "1," * 300_000 + "1]"):
        with pytest.raises(ScriptError):
            read(text, tmp_path, "course.json")
    assert time.monotonic() - started < 3


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.sampled_from(["de", "2s", "[voice:A]"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from([
            "slides", "lessons", "id", "title", "text", "speaker_notes", "character", "language", "pause", "x",
        ]),
        inner,
        max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(TREES)
def test_whatever_the_tree_nothing_but_a_script_error(tmp_path_factory: pytest.TempPathFactory, tree: object) -> None:
    for name in ("tree.json", "tree.yaml"):
        with suppress(ScriptError):
            document = read(json.dumps(tree), tmp_path_factory.getbasetemp(), name)
            keys = [line.key for part in document.sections for line in part.lines]
            assert len(keys) == len(set(keys)) > 0


def test_mutated_bytes_raise_nothing_but_a_script_error(tmp_path: Path) -> None:
    chance = random.Random(11)
    for _ in range(150):
        data = bytearray(YAML.encode())
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(data))
            data[at : at + 1] = chance.choice([b"", b"&", b"*", b":", b"\xff", b"[", b"\t", b"'", b"!", b"%", b"\n"])
        with suppress(ScriptError):
            read(bytes(data), tmp_path)
