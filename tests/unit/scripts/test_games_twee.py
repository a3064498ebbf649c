from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.scripts.errors import ScriptEmpty, ScriptError
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.source import ScriptSource
from scheduler.scripts.twee import TweeReader

SUGARCUBE = """:: StoryTitle
The Cave

:: StoryData
{"ifid": "D674C58C-DEFA-4F70-B7A2-27742230C0FC", "format": "SugarCube", "start": "Start"}

:: Code [script]
window.x = "Not spoken";

:: StoryCaption
Not spoken either

:: Start \\[one\\] [tag other] {"position":"600,400"}
/* a remark
   over two lines */
Ann: You //see// a ''cave''. <b>Dark</b>, <!-- really --> it is.
<<set $gold to 5>>
<<if $gold gt 3>>
You are rich.
<<else>>You are poor.
<</if>>
You have $gold coins, that is $5.
I am <<if $x>>glad<<else>>sad<</if>>.
You may [[go in|Cave]] or [[stay->Start]] or [[Start<-wait]].
[[Ben: I leave.|End][$left to true]]
<<link "Open the box">><<goto "Box">><</link>>
<<print $name>> waits.
<<script>>
alert("Not spoken");
<</script>>
A line that goes \\
on here.
One<br>Two
----
...
Costs $$name.
"""

HARLOWE = """:: StoryData
{"format": "Harlowe"}

:: Cave
(set: $x to "a (b)")
(if: $x is 1)[The door is open.]
(else:)[
Ann: The door is shut.
]
It is (text-style: "bold")[very] dark.
Go (if: $x)[left](else:)[right].
(link: "Push")[It moves.]
(link-goto: "Leave it", "End")
|hook>[A hook] here.
Note (really: this) is (either: "a", "b").
"""


def read(text: str | bytes, tmp_path: Path, name: str = "cave.twee", **options: object) -> ScriptDocument:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return TweeReader().read(ScriptSource.open(path), ReadOptions(**options))  # type: ignore[arg-type]


def test_sugarcube(tmp_path: Path) -> None:
    document = read(SUGARCUBE, tmp_path)
    assert document.title == "The Cave"
    assert [(section.key, section.kind, section.title) for section in document.sections] == [
        ("start-one", "passage", "Start [one]")
    ]
    assert [(line.characters, line.text, dict(line.extra)) for line in document.sections[0].lines] == [
        (("Ann",), "You see a cave. Dark, it is.", {}),
        ((), "You are rich.", {}),
        ((), "You are poor.", {}),
        ((), "You may go in or stay or wait.", {}),
        (("Ben",), "I leave.", {"role": "choice"}),
        ((), "Open the box", {"role": "choice"}),
        ((), "A line that goes on here.", {}),
        ((), "One", {}),
        ((), "Two", {}),
        ((), "Costs $name.", {}),
    ]


def test_sugarcube_places_and_reasons(tmp_path: Path) -> None:
    document = read(SUGARCUBE, tmp_path)
    assert [line.place for line in document.sections[0].lines][:4] == ["line 16", "line 19", "line 20", "line 24"]
    assert document.sections[0].lines[-1].place == "line 36"
    assert [(item.place, item.reason.split(" ")[0]) for item in document.rejected] == [
        ("line 22", "'$gold'"),
        ("line 23", "a"),
        ("line 27", "what"),
        ("line 35", "nothing"),
    ]
    assert any("2 passages of code and interface" in item.reason for item in document.notices)


def test_harlowe(tmp_path: Path) -> None:
    document = read(HARLOWE, tmp_path)
    assert [(line.characters, line.text) for line in document.sections[0].lines] == [
        ((), "The door is open."),
        (("Ann",), "The door is shut."),
        ((), "It is very dark."),
        ((), "Leave it"),
        ((), "A hook here."),
    ]
    assert [(item.place, item.reason.split(" ")[0]) for item in document.rejected] == [
        ("line 11", "a"),
        ("line 12", "a"),
        ("line 15", "what"),
    ]


def test_a_story_of_no_known_format(tmp_path: Path) -> None:
    text = ":: A\nAnn: [sighs] I _know_ (note: him).\n(set: $x to 1)\n:: B\nBen: Yes.\n"
    document = read(text, tmp_path)
    assert [[(line.characters, line.text) for line in section.lines] for section in document.sections] == [
        [(("Ann",), "I _know_ (note: him).")],
        [(("Ben",), "Yes.")],
    ]
    assert dict(document.sections[0].lines[0].direction) == {"reaction": "sighs"}
    assert any("read as harlowe" in item.reason for item in document.notices)
    other = read(':: StoryData\n{"format": "Paperthin"}\n' + text, tmp_path)
    assert any("paperthin" in item.reason for item in other.notices)


def test_labels_may_be_text_and_keys_stay(tmp_path: Path) -> None:
    lines = read(":: A\nAnn: One.\nTwo.\n", tmp_path, speaker_labels=False).sections[0].lines
    assert (lines[0].characters, lines[0].text) == ((), "Ann: One.")
    later = read(":: A\nAnn: One.\nNew.\nTwo.\n", tmp_path, speaker_labels=False).sections[0].lines
    assert [later[0].key, later[2].key] == [line.key for line in lines]


def test_what_stands_outside_passages_or_is_broken_is_said(tmp_path: Path) -> None:
    text = "Stray.\n:: StoryData\n{broken\n:: \nFine.\nA [[link\nA <<macro\n"
    document = read(text, tmp_path)
    assert [line.text for line in document.sections[0].lines] == ["Fine."]
    assert [item.place for item in document.rejected] == ["line 1", "line 4", "line 2", "line 6", "line 7"]


def test_nothing_to_say(tmp_path: Path) -> None:
    with pytest.raises(ScriptEmpty):
        read(":: A\n<<set $x to 1>>\n", tmp_path)


def test_stories_are_recognised() -> None:
    assert TweeReader().sniff(b"\xef\xbb\xbf:: Start [tag]\r\nHello")
    assert not TweeReader().sniff(b"Some text\n:: Start\n")
    assert not TweeReader().sniff(b"::: notes\nx\n")


@pytest.mark.parametrize("good", [SUGARCUBE, HARLOWE])
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_bytes_raise_anything_but_script_errors(good: str, data: st.DataObject, tmp_path: Path) -> None:
    changed = bytearray(good.encode())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(changed)))
        changed[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.sampled_from(
                [b"", b"[[", b"]", b"<<", b">>", b"(if:", b")", b"{", b'"', b"\xff", b"\0", b"$", b"::", b"|"]
            )
        )
    try:
        document = read(bytes(changed), tmp_path)
    except ScriptError:
        return
    assert document.line_count


@pytest.mark.parametrize(
    "piece", ["[[", "<<", "<<script>>", "(if:", "[", "]", "<b ", "<script>", "/*", "*", "_", " ", "!"]
)
@pytest.mark.parametrize("story_format", ["Harlowe", "SugarCube"])
def test_long_lines_are_read_at_once(piece: str, story_format: str, tmp_path: Path) -> None:
    line = (piece * 90_000)[:90_000]
    text = f':: StoryData\n{{"format": "{story_format}"}}\n:: A\nFine.\n{line}\n{line}x\n'
    assert read(text, tmp_path).sections[0].lines[0].text == "Fine."


def said(document: ScriptDocument) -> list[str]:
    return [line.text for section in document.sections for line in section.lines]


@pytest.mark.parametrize(
    ("body", "story_format"),
    [
        ("(if: $x)[One.]\n(set: $y to 2)", "harlowe"),
        ("<<if $x>>One.<</if>>", "sugarcube"),
        ("x: 1\n--\n[if x > 2]\nOne.", "chapbook"),
        ("<% if (s.x) { %>\nOne.\n<% } %>", "snowman"),
    ],
)
def test_the_format_is_told_from_the_macros(body: str, story_format: str, tmp_path: Path) -> None:
    document = read(f":: A\n{body}\n", tmp_path)
    assert said(document) == ["One."]
    assert not document.rejected
    assert any(f"read as {story_format} by its macros" in item.reason for item in document.notices)


def test_code_of_chapbook_is_not_said(tmp_path: Path) -> None:
    text = (
        ':: StoryData\n{"format": "Chapbook"}\n:: A\nfuel: 4\nname (fuel > 2): "Ann"\n--\nYou fly on.\n'
        "[JavaScript]\nlet fuel = 2;\ngo('B');\n[continue]\nThe tank is low.\n[if fuel < 2; append]\nIt is empty.\n"
        "[note to myself]\nToo short.\n[cont]\nFuel: {fuel}\n[[Land->B]]\n:: B\nFuel: none\n--\nDown.\n:: C\n"
        "We rest.\n--\nThen we go on.\n"
    )
    document = read(text, tmp_path)
    assert said(document) == [
        "You fly on.", "The tank is low.", "It is empty.", "Land", "Down.", "We rest.", "Then we go on.",
    ]  # fmt: skip
    assert [item.place for item in document.rejected] == ["line 18"]


def test_code_of_snowman_is_not_said(tmp_path: Path) -> None:
    text = (
        ":: A\n<%\n  s.maze = [1, 2];\n  if (s.x) { go(); }\n%>\nYou see {a} maze.\n"
        "It has <%= s.maze.length %> rooms.\n<% never closed\n"
    )
    document = read(text, tmp_path)
    assert said(document) == ["You see {a} maze."]
    assert [item.place for item in document.rejected] == ["line 7", "line 8"]


def test_marks_of_lists_headings_quotes_and_styles_are_not_said(tmp_path: Path) -> None:
    text = (
        ":: A\n<<set $x to 1>>\n#Heading one\n##Two\n> He said so.\n>> She too.\n** Second level\n0.0. Numbered\n"
        '==Gone==\n@@.red;Hot@@ and @@color:blue;cold@@\n"""No //format//"""\n{{{As it is}}}\n=><=\n'
        "<<type 40ms>>\\\nSlowly.\n\\<</type>>\n#1 is 1 == 1.\n"
    )
    document = read(text, tmp_path)
    assert said(document) == [
        "Heading one", "Two", "He said so.", "She too.", "Second level", "Numbered", "Gone",
        "Hot and cold", "No format", "As it is", "Slowly.", "#1 is 1 == 1.",
    ]  # fmt: skip
    assert not document.rejected


def test_a_passage_shown_in_another_is_read_where_it_is_written(tmp_path: Path) -> None:
    text = ':: A\n<<include "B">>\nYou see <<display "B">> here.\n<<include "Gone">>\n:: B\nA cave.\n'
    document = read(text, tmp_path)
    assert said(document) == ["A cave."]
    assert [item.place for item in document.rejected] == ["line 3", "line 4"]
    harlowe = read(':: A\n(display: "B")\n(if: $x)[Dark.]\n:: B\nA cave.\n', tmp_path)
    assert said(harlowe) == ["Dark.", "A cave."]
    assert not harlowe.rejected


def test_named_hooks_and_templates(tmp_path: Path) -> None:
    assert said(read(":: A\nHealth: |health>[10] of 20\n(set: $x to 1)\n", tmp_path)) == ["10 of 20"]
    document = read(":: A\n<<set $x to 1>>\nHe says ?greeting.\nReally?\n", tmp_path)
    assert said(document) == ["Really?"]
    assert [item.place for item in document.rejected] == ["line 3"]
