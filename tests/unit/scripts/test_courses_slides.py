from __future__ import annotations

import random
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.scripts.errors import MarkupError, ScriptEmpty, ScriptError, ScriptRefused, ScriptUnreadable
from scheduler.scripts.frontmatter import load_yaml, split_front_matter
from scheduler.scripts.markdown import MarkdownReader
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.slides import find_deck
from scheduler.scripts.source import ScriptSource

MARP = """---
marp: true
theme: gaia
title: Light and Heat
author: Ada Field
language: en-GB
---

<!-- _class: lead -->
<!-- paginate: true -->
# <!-- fit --> Light

![bg right](lamp.png)

<!--
Welcome to the first lesson.
It is about **light**.
-->

---

## What a lamp does

```yaml
a: 1
---
b: 2
```

Text of the slide, not spoken.

<!-- A lamp turns current into light. -->
<!-- The rest of it is heat. -->

---

## A picture

![](x.png)

---

## What a lamp does {#lamp-again}

Setext
---

<!-- Setext headings break nothing. -->
"""

REVEAL = """---
theme: moon
language: en
---
# Start

Shown text

Note:
Good morning to all of you.

- the first point
- the second point

---

## Across

Note: Said on the way.

--

## Down

<aside class="notes">
Said one floor below.
</aside>

---

## <!-- .slide: id="the-end" --> End

Notes: Goodbye.
"""

SLIDEV = """---
theme: seriph
title: A Deck of Cards
id: cover
language: en
---

# Welcome

<!-- not the last, so no note -->

Hello there

<!--
[click] Welcome, everybody. [click:2] Here we go.
-->

---
layout: two-cols
id: pipes
title: All the pipes
---

# Pipes

Water runs here.

<!-- The pipes are old. -->

---
layout: center
disabled: true
---

# Not shown

<!-- Never said. -->

---
src: ./pages/other.md
---

---

# Questions

Nothing more.
"""

PANDOC = """---
title: Moving Pictures
slides: pandoc
lang: en
---

# Part

## First {#first .big}

Shown.

::: notes
Said on the first slide.

::: inner
Still said.
:::
:::

## Second

::: {.notes}
Said on the second.
:::
"""


def read(text: str | bytes, tmp_path: Path, **options: object) -> ScriptDocument:
    path = tmp_path / "deck.md"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return MarkdownReader().read(ScriptSource.open(path), ReadOptions(**options))  # type: ignore[arg-type]


def spoken(document: ScriptDocument) -> list[tuple[str, str, list[str]]]:
    return [(part.key, part.title, [line.text for line in part.lines]) for part in document.sections]


def test_a_marp_deck(tmp_path: Path) -> None:
    document = read(MARP, tmp_path)
    assert (document.title, document.author, document.language, document.kind, document.format) == (
        "Light and Heat",
        "Ada Field",
        "en-GB",
        "course",
        "markdown",
    )
    assert spoken(document) == [
        ("light", "Light", ["Welcome to the first lesson. It is about light."]),
        (
            "what-a-lamp-does",
            "What a lamp does",
            ["A lamp turns current into light.", "The rest of it is heat."],
        ),
        ("lamp-again", "What a lamp does", ["Setext headings break nothing."]),
    ]
    assert {part.kind for part in document.sections} == {"slide"}
    assert (
        document.sections[1].lines[0].place == f"line {MARP.splitlines().index('Text of the slide, not spoken.') + 3}"
    )
    line = MARP.splitlines().index("## A picture")
    assert [(note.place, note.reason) for note in document.notices] == [
        (f"line {line}", "the slide 'A picture' has no speaker notes: nothing is spoken")
    ]
    assert document.rejected == ()


def test_a_reveal_deck_with_slides_below_each_other(tmp_path: Path) -> None:
    assert spoken(read(REVEAL, tmp_path)) == [
        ("start", "Start", ["Good morning to all of you.", "the first point", "the second point"]),
        ("across", "Across", ["Said on the way."]),
        ("down", "Down", ["Said one floor below."]),
        ("the-end", "End", ["Goodbye."]),
    ]


def test_a_slidev_deck_with_front_matter_of_slides(tmp_path: Path) -> None:
    document = read(SLIDEV, tmp_path)
    assert spoken(document) == [
        ("cover", "Welcome", ["Welcome, everybody. Here we go."]),
        ("pipes", "All the pipes", ["The pipes are old."]),
    ]
    assert [note.reason for note in document.notices] == [
        "the slide 'Not shown' is not shown: it is left out",
        "the slide 'Questions' has no speaker notes: nothing is spoken",
    ]
    assert len(document.rejected) == 1
    assert "'./pages/other.md', which is not read" in document.rejected[0].reason


def test_a_pandoc_deck_breaks_at_headings_of_its_slide_level(tmp_path: Path) -> None:
    assert spoken(read(PANDOC, tmp_path)) == [
        ("first", "First", ["Said on the first slide.", "Still said."]),
        ("second", "Second", ["Said on the second."]),
    ]


def test_notes_of_pandoc_alone_make_a_deck(tmp_path: Path) -> None:
    document = read(PANDOC.replace("slides: pandoc\n", ""), tmp_path)
    assert [part.key for part in document.sections] == ["first", "second"]
    assert "'slides: false'" in document.notices[0].reason


def test_a_deck_is_known_by_breaks_and_notes_without_front_matter(tmp_path: Path) -> None:
    text = "# One\n\nShown.\n\n<!-- Said first. -->\n\n---\n\n# Two\n\n<!-- Said second. -->\n\n---\n\n# Three\n"
    document = read(text, tmp_path, language="en")
    assert [part[2] for part in spoken(document)] == [["Said first."], ["Said second."]]
    assert "'slides: false' in its front matter makes it a lesson" in document.notices[0].reason
    told = read("---\nslides: false\n---\n\n" + text, tmp_path, language="en")
    assert [line.text for part in told.sections for line in part.lines] == ["One", "Shown.", "Two", "Three"]


@pytest.mark.parametrize(
    "text",
    [
        "# A\n\nWords.\n\n---\n\n<!-- a comment -->\n\nMore words.\n",
        "# A\n\nWords.\n\n<!-- one -->\n\n---\n\nMore.\n\n---\n\nStill more.\n\n---\n\nAnd more.\n",
        "# A\n\nNote: this is a lesson, and there is no break in it.\n",
        "# A\n\nWords.\n\n---\n\nMore.\n\n---\n\nNote: one remark.\n\n---\n\nMore.\n\n---\n\nMore.\n",
    ],
)
def test_a_lesson_stays_a_lesson(text: str, tmp_path: Path) -> None:
    document = read(text, tmp_path, language="en")
    assert [part.kind for part in document.sections] == ["lesson"]
    assert document.notices == ()


def test_a_deck_without_any_notes_is_read_as_a_lesson(tmp_path: Path) -> None:
    text = "---\nmarp: true\nlanguage: en\n---\n# One\n\nWords of one.\n\n---\n\n# Two\n\nWords of two.\n"
    document = read(text, tmp_path)
    assert [part.kind for part in document.sections] == ["lesson", "lesson"]
    assert [line.text for part in document.sections for line in part.lines] == [
        "One",
        "Words of one.",
        "Two",
        "Words of two.",
    ]
    assert document.notices[0].reason == "no slide has speaker notes: the text of the slides is read"


def test_front_matter_of_slides_is_never_read_aloud(tmp_path: Path) -> None:
    text = "---\ntheme: seriph\nlanguage: en\n---\n# One\n\nWords.\n\n---\nlayout: center\n---\n\n# Two\n\nMore.\n"
    assert [line.text for part in read(text, tmp_path).sections for line in part.lines] == [
        "One",
        "Words.",
        "Two",
        "More.",
    ]


def test_the_keys_of_slides_survive_slides_put_before_them(tmp_path: Path) -> None:
    before = read(MARP, tmp_path)
    head, rest = MARP.split("# <!-- fit -->", 1)
    after = read(f"{head}# New\n\n<!-- Quite new. -->\n\n---\n\n# <!-- fit -->{rest}", tmp_path)
    assert [part.key for part in after.sections] == ["new", *(part.key for part in before.sections)]
    keys = [[line.key for line in part.lines] for part in before.sections]
    assert [[line.key for line in part.lines] for part in after.sections][1:] == keys


def test_slides_without_a_title_are_named_by_what_they_show(tmp_path: Path) -> None:
    one = "![](a.png)\n\n<!-- About the first picture. -->\n"
    two = "![](b.png)\n\n<!-- About the second picture. -->\n"
    head = "---\nmarp: true\nlanguage: en\n---\n"
    first = [part.key for part in read(f"{head}{one}\n---\n\n{two}", tmp_path).sections]
    assert [part.key for part in read(f"{head}{two}\n---\n\n{one}", tmp_path).sections] == first[::-1]
    assert all(key.startswith("slide-") for key in first)


def test_ids_in_the_file_are_the_keys(tmp_path: Path) -> None:
    text = (
        "---\nmarp: true\nlanguage: en\n---\n<!-- slide-id: Intro.1 -->\n# Same\n\n<!-- One. -->\n\n---\n\n"
        "# Same\n\n<!-- Two. -->\n\n---\n\n# Same\n\n<!-- Three. -->\n\n---\n\n# Other {#same}\n\n<!-- Four. -->\n"
    )
    assert [part.key for part in read(text, tmp_path).sections] == ["Intro.1", "same~2", "same~3", "same"]


def test_an_id_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    text = "---\nmarp: true\n---\n# A {#x}\n\n<!-- One. -->\n\n---\n\n# B {#x}\n\n<!-- Two. -->\n"
    with pytest.raises(ScriptUnreadable, match=r"deck\.md, line 9: the slide id 'x' is that of the slide on line 4"):
        read(text, tmp_path)
    with pytest.raises(ScriptUnreadable, match=r"line 4: '\.\./up' is no id"):
        read("---\nmarp: true\n---\n<!-- slide-id: ../up -->\n# A\n\n<!-- One. -->\n", tmp_path)


def test_stage_directions(tmp_path: Path) -> None:
    text = (
        "---\nmarp: true\nlanguage: en\nvoice: Ada\n---\n# A\n\n<!--\n(voice: Ben)\nBen speaks first of all.\n"
        "(pause: 2)\n(pause: 500ms)\nBen goes on. (pause: this is text)\n(image: x.png)\n-->\n\n---\n\n# B\n\n"
        "<!--\n(pause: 1)\nAda says the rest. [pause 300ms] All of it.\n-->\n"
    )
    document = read(text, tmp_path)
    assert [(line.text, line.characters, line.pause_ms) for part in document.sections for line in part.lines] == [
        ("Ben speaks first of all.", ("Ben",), 2500),
        ("Ben goes on. (pause: this is text)", ("Ben",), None),
        ("Ada says the rest. All of it.", ("Ada",), None),
    ]
    assert document.sections[1].lines[0].said.startswith("[pause 1000ms]Ada says the rest.")
    assert [note.reason for note in document.notices] == ["1 stage directions left out"]


def test_stage_directions_of_scenes_that_are_the_narration_themselves(tmp_path: Path) -> None:
    text = (
        "---\nlanguage: en\n---\n\n(voice: Ben)\n\nBen speaks in this scene.\n\n(pause: 1.5)\n\n---\n\n"
        "The narrator speaks here.\n\n```\n(voice: Nobody)\n```\n"
    )
    lines = read(text, tmp_path).sections[0].lines
    assert [(line.text, line.characters, line.pause_ms, line.boundary) for line in lines] == [
        ("Ben speaks in this scene.", ("Ben",), 1500, "scene"),
        ("The narrator speaks here.", (), None, "section"),
    ]


@pytest.mark.parametrize("value", ["soon", "-1", "601", "1e3", ""])
def test_a_pause_that_is_no_time_is_refused_with_its_line(value: str, tmp_path: Path) -> None:
    with pytest.raises(MarkupError, match="line 3: "):
        read(f"Words.\n\n(pause: {value})\n", tmp_path)


def test_who_speaks_in_brackets_works_in_notes_and_over_slides(tmp_path: Path) -> None:
    text = "---\nmarp: true\nlanguage: en\n---\n# A\n\n<!-- [voice:Mara]Hello.[/voice] Good day. -->\n"
    lines = read(text, tmp_path).sections[0].lines
    assert [(line.text, line.characters) for line in lines] == [("Hello.", ("Mara",)), ("Good day.", ())]
    with pytest.raises(MarkupError, match=r"line 7: \[voice:Mara\] is never closed"):
        read(text.replace("[/voice]", ""), tmp_path)


def test_a_comment_that_never_ends_is_reported(tmp_path: Path) -> None:
    document = read("---\nmarp: true\nlanguage: en\n---\n# A\n\n<!-- Said all the same.\n\n---\n\n# B\n", tmp_path)
    assert [(note.place, note.reason) for note in document.rejected] == [
        ("line 7", "the comment is never closed; write --> where it ends")
    ]


def test_a_deck_whose_slides_with_notes_are_all_hidden_is_empty(tmp_path: Path) -> None:
    text = "---\ntheme: seriph\n---\n# A\n\n---\nhide: true\n---\n\n# B\n\n<!-- Said. -->\n"
    with pytest.raises(ScriptEmpty, match="no slide that is shown has speaker notes"):
        read(text, tmp_path)


@pytest.mark.parametrize(
    ("front", "place", "reason"),
    [
        ("title: A: B", "line 2", "mapping values are not allowed"),
        ("title: x\nauthor: [a, b", "line 3", "is not YAML"),
        ("title: x\n\tauthor: y", "line 3", "is not YAML"),
        ("title: x\ntitle: y", "line 3", "is there twice"),
        ("title: x\nauthor: \x01", "line 3", r"U\+0001"),
        ("title: x\n? [a]\n: b", "line 3", "a key is not text"),
    ],
)
def test_bad_front_matter_is_named_with_its_line(front: str, place: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ScriptUnreadable, match=f"deck.md, {place}: .*{reason}"):
        read(f"---\n{front}\n---\n\nWords.\n", tmp_path)


def test_front_matter_is_text_and_never_types() -> None:
    lines = [
        "---",
        "language: no",
        "date: 2024-02-31",
        "draft: true",
        "authors:",
        "  - name: Ada",
        "  - Ben",
        "x: ~",
        "---",
    ]
    assert split_front_matter(lines) == (
        {"language": "no", "date": "2024-02-31", "draft": "true", "author": "Ada, Ben"},
        9,
    )
    assert split_front_matter(["---", "a: !!python/object/apply:os.system [ls]", "---"]) == ({}, 3)


def test_aliases_and_depth_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ScriptRefused, match="line 2: uses a YAML anchor"):
        read("---\na: &a [x, x]\nb: [*a, *a]\n---\n\nWords.\n", tmp_path)
    started = time.monotonic()
    for bomb in ("[" * 60_000, "{a: " * 15_000, "- " * 30_000):
        with pytest.raises(ScriptError, match="levels inside each other"):
            load_yaml(bomb, "x.yaml")
    assert time.monotonic() - started < 3


def test_long_lines_of_marks_take_no_time(tmp_path: Path) -> None:
    started = time.monotonic()
    for unit in (
        "<!--",
        "<!-- a -->",
        "# ",
        "{#a",
        "`",
        "`a``",
        ":::",
        "<aside class=notes ",
        "--- ",
        "(pause: ",
        "notes ",
    ):
        text = f"---\nslides: true\n---\n# A\n\n{unit * (60_000 // len(unit))}\n\n---\n\n# B\n\nNote: Said.\n"
        find_deck(text.split("\n"), 3, {"slides": "true"}, "deck.md")
    assert time.monotonic() - started < 5


PARTS = st.sampled_from([
    "---", "--", "# Title", "## Other {#x}", "<!--", "-->", "<!-- note -->", "<!-- slide-id: a -->", "::: notes", ":::",
    "Note: said", "```", "~~~", "(voice: A)", "(pause: 2)", "layout: x", "id: y", "words", "", "", "[voice:B]",
    "[/voice]", "<aside class='notes'>", "</aside>", "marp: true", "theme: seriph", "slides: true",
    "a: [b", "===", "- item", "***",
])  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(
    st.lists(PARTS, max_size=40), st.sampled_from(["", "marp: true", "theme: seriph", "slides: pandoc", "theme: moon"])
)
def test_whatever_the_lines_nothing_but_a_script_error(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], front: str
) -> None:
    text = "\n".join([*(["---", front, "---"] if front else []), *parts, " "])
    try:
        document = read(text, tmp_path_factory.getbasetemp())
    except ScriptError:
        return
    keys = [part.key for part in document.sections]
    assert len(keys) == len(set(keys))
    assert all(line.text for part in document.sections for line in part.lines)


def test_mutated_bytes_raise_nothing_but_a_script_error(tmp_path: Path) -> None:
    chance = random.Random(7)
    for original in (MARP, REVEAL, SLIDEV, PANDOC):
        for _ in range(40):
            data = bytearray(original.encode())
            for _ in range(chance.randint(1, 8)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            with suppress(ScriptError):
                read(bytes(data[: chance.randint(1, len(data))]), tmp_path)


def test_a_deck_put_together_from_files_is_known_as_slidev(tmp_path: Path) -> None:
    files = "---\nsrc: a.md\n---\n\n---\nsrc: b.md\nbackground: sky.png\n---\n\n---\n\n"
    taken = ["is taken from 'a.md'", "is taken from 'b.md'"]
    document = read(f"{files}# Own\n\nShown.\n\n<!-- Said. -->\n", tmp_path)
    assert spoken(document) == [("own", "Own", ["Said."])]
    assert [item.reason.split(",")[0] for item in document.rejected] == taken
