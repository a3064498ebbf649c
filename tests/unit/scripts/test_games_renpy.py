from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.scripts.errors import HeaderMissing, ScriptEmpty, ScriptError, ScriptUnreadable
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.renpy import RenpyDialogueReader, RenpyReader
from scheduler.scripts.source import ScriptSource

SCRIPT = '''# a story
define e = Character("Eileen", color="#c8ffc8",
                     image="eileen")
define config.name = _("It's a game")
define n = Character(None)
define p = Character("[name]")
define l = Character(_('Lucy'))
image bg = "bg.png"

init python:
    label = "label not:"
    def f(x):
        return """no
speech"""

label start:
    scene bg room
    show eileen:
        "eileen_happy.png"
        linear 1.0 xalign 0.5
    play music "theme.ogg"
    "It was {i}late{/i}. 100%% of it."  # a remark
    voice "e1.ogg"
    e happy @ wink "Hello, \\"you\\".{w=0.5} [[sighs] {{x}" id start_e1
    e @ -smile "You have [coins] coins."
    l "It's two
        lines."
    extend " And more."
    "Old Tom" "Come in."
    p "Who am I?"
    n "Nobody."
    if e == "x":
        e 'Single {rb}text{/rb}{rt}read{/rt}.'
    menu:
        "What now?"
        "Go in" if key:
            jump .inside
        "Stay [name]":
            pass
label .inside:
    e """
    First paragraph
    goes on.

    Second one.
    """
    e "broken {b"
    e "..."
    return

screen hud():
    text "Not spoken"
'''


def read(text: str | bytes, tmp_path: Path, name: str = "script.rpy", **options: object) -> ScriptDocument:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    reader = RenpyReader() if name.endswith(".rpy") else RenpyDialogueReader()
    return reader.read(ScriptSource.open(path), ReadOptions(**options))  # type: ignore[arg-type]


def test_a_script(tmp_path: Path) -> None:
    document = read(SCRIPT, tmp_path)
    assert [(section.key, section.kind, section.title) for section in document.sections] == [
        ("start", "label", "start"),
        ("start-inside", "label", "start.inside"),
    ]
    assert [(line.characters, line.text, line.kind) for line in document.sections[0].lines] == [
        ((), "It was late. 100% of it.", "speech"),
        (("Eileen",), 'Hello, "you". {x}', "speech"),
        (("Lucy",), "It's two lines.", "speech"),
        (("Lucy",), "And more.", "speech"),
        (("Old Tom",), "Come in.", "speech"),
        (("p",), "Who am I?", "speech"),
        ((), "Nobody.", "speech"),
        (("Eileen",), "Single text.", "speech"),
        ((), "What now?", "speech"),
        ((), "Go in", "onscreen"),
    ]
    assert [(line.characters, line.text) for line in document.sections[1].lines] == [
        (("Eileen",), "First paragraph goes on."),
        (("Eileen",), "Second one."),
    ]


def test_ids_directions_voices_and_places(tmp_path: Path) -> None:
    line = read(SCRIPT, tmp_path).sections[0].lines[1]
    assert line.key == "start_e1"
    assert dict(line.direction) == {"emotion": "happy wink", "reaction": "sighs"}
    assert dict(line.extra) == {"voice": "e1.ogg"}
    assert line.place == "line 24"


def test_what_cannot_be_said_is_rejected_with_its_place(tmp_path: Path) -> None:
    document = read(SCRIPT, tmp_path)
    assert [(item.place, item.reason.split(" ")[0]) for item in document.rejected] == [
        ("line 25", "'[coins]'"),
        ("line 38", "'[name]'"),
        ("line 47", "a"),
        ("line 48", "nothing"),
    ]
    assert any("p (1)" in item.reason for item in document.notices)


def test_a_speaker_named_at_run_time_is_not_the_narrator(tmp_path: Path) -> None:
    document = read('label a:\n    "[name]" "Hi."\n    "Tom & Ann" "Hello."\n', tmp_path)
    assert [line.characters for line in document.sections[0].lines] == [("[name]",), ("Tom", "Ann")]
    assert any("[name] (1)" in item.reason for item in document.notices)


def test_a_statement_too_long_to_be_one_is_rejected(tmp_path: Path) -> None:
    text = 'label a:\n    "Fine."\n    "' + "word\n" * 30_000 + '"\n    "Also."\n'
    document = read(text, tmp_path)
    assert [line.text for line in document.sections[0].lines] == ["Fine.", "Also."]
    assert [item.place for item in document.rejected] == ["line 3"]


TRANSLATION = """# game/script.rpy:12
translate french start_a170b500:

    # e "Hello, \\"you\\"."
    voice "fr/e1.ogg"
    e "Bonjour."

# game/script.rpy:13
translate french start_a170b500_1:

    # "Night."
    "Nuit."

translate french end_0badcafe:

    # e "Bye."
    e ""

translate french strings:

    old "Start Game"
    new "Commencer"

translate french python:
    x = "y"
"""


def test_translations_keep_their_identifiers(tmp_path: Path) -> None:
    document = read(TRANSLATION, tmp_path)
    assert document.language == "fr"
    assert [(section.title, section.kind) for section in document.sections] == [("start", "label")]
    assert [(line.key, line.characters, line.original, line.text) for line in document.sections[0].lines] == [
        ("start_a170b500", ("e",), 'Hello, "you".', "Bonjour."),
        ("start_a170b500_1", (), "Night.", "Nuit."),
    ]
    assert [(item.place, item.reason) for item in document.rejected] == [("line 17", "end_0badcafe is not translated")]
    assert any(item.reason == "not spoken: 1 strings of the interface" for item in document.notices)


EXPORT = "\n".join([
    "Identifier\tCharacter\tDialogue\tFilename\tLine Number\tRen'Py Script",
    'start_a170b500\te\tHello, \\"you\\".\\nAnd {b}you{/b}.\tgame/script.rpy\t12\te "[what]"',
    "start_b170b500_1\tnarrator\tNight.\tgame/script.rpy\t13\t",
    "end_a170b501\te\tYou are [name].\tgame/end.rpy\t3\t",
    "\t\tMenu text\tgame/screens.rpy\t9\t",
])  # fmt: skip


def test_an_export(tmp_path: Path) -> None:
    document = read(EXPORT, tmp_path, "dialogue.tab")
    assert [(section.title, len(section.lines)) for section in document.sections] == [
        ("start", 2),
        ("game/screens.rpy", 1),
    ]
    first, second = document.sections[0].lines
    assert (first.key, first.characters, first.text) == ("start_a170b500", ("e",), 'Hello, "you". And you.')
    assert dict(first.extra) == {
        "Filename": "game/script.rpy",
        "Line Number": "12",
        "Ren'Py Script": 'e "[what]"',
    }
    assert (second.characters, second.text) == ((), "Night.")
    assert [item.place for item in document.rejected] == ["row 4"]


def test_keys_without_ids_stay_when_lines_come(tmp_path: Path) -> None:
    text = 'label a:\n    "One."\n    "Two."\n'
    keys = [line.key for line in read(text, tmp_path).sections[0].lines]
    later = read(text.replace('    "Two', '    "New."\n    "Two'), tmp_path).sections[0].lines
    assert [later[0].key, later[2].key] == keys


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ('label a:\n    e "Hello\n', "line 2", "a string"),
        ('label a:\n    "Hi"\ndefine e = Character("E"\n', "line 3", "a bracket"),
    ],
)
def test_a_script_that_is_cut_off(text: str, place: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ScriptUnreadable) as caught:
        read(text, tmp_path)
    assert caught.value.place == place
    assert reason in caught.value.reason


def test_nothing_to_say_and_no_columns(tmp_path: Path) -> None:
    with pytest.raises(ScriptEmpty):
        read("label a:\n    return\n", tmp_path)
    with pytest.raises(HeaderMissing):
        read("a\tb\n1\t2\n", tmp_path, "x.tab")


def test_files_are_recognised() -> None:
    assert RenpyReader().sniff(b'# x\ndefine e = Character("E")\n')
    assert RenpyReader().sniff(b"label start:\n")
    assert not RenpyReader().sniff(b"The label said:\n")
    assert RenpyDialogueReader().sniff(b"\xef\xbb\xbf" + EXPORT.encode())
    assert not RenpyDialogueReader().sniff(b"id\tcharacter\ttext\n")


@pytest.mark.parametrize(("name", "good"), [("a.rpy", SCRIPT), ("b.rpy", TRANSLATION), ("c.tab", EXPORT)])
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_bytes_raise_anything_but_script_errors(name: str, good: str, data: st.DataObject, tmp_path: Path) -> None:
    changed = bytearray(good.encode())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(changed)))
        changed[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.sampled_from(
                [b"", b"[", b"{", b"}", b'"', b"'", b"\\", b"\\ud800", b"\xff", b"\0", b"(", b"\t", b"#", b":"]
            )
        )
    try:
        document = read(bytes(changed), tmp_path, name)
    except ScriptError:
        return
    assert document.line_count


@pytest.mark.parametrize("piece", ["{", "{rt}", "[", "\\\\", "\\'", " ", "%", "{b}", "a."])
@pytest.mark.parametrize("before", ['e "', "# e '"])
def test_long_lines_are_read_at_once(piece: str, before: str, tmp_path: Path) -> None:
    line = before + (piece * 90_000)[:90_000] + before[-1]
    document = read(f'label a:\n    "Fine."\ntranslate fr x_12345678:\n    {line}\n', tmp_path)
    assert document.sections[0].lines[0].text == "Fine."


@pytest.mark.parametrize("piece", [" ", "a.", "x ", "@ ", "_12345678"])
@pytest.mark.parametrize("before", ["e ", "label ", "translate fr "])
def test_long_statements_are_read_at_once(piece: str, before: str, tmp_path: Path) -> None:
    document = read(f'"Fine."\n{before}{(piece * 90_000)[:90_000]}\n', tmp_path)
    assert document.sections[0].lines[0].text == "Fine."


def test_a_name_written_in_the_script_has_no_quotation_marks(tmp_path: Path) -> None:
    text = (
        "Identifier\tCharacter\tDialogue\tFilename\tLine Number\tRen'Py Script\n"
        'start_0a1b2c3d\t"Old Tom"\tCome in.\tgame/script.rpy\t3\t"Old Tom" "[what]"\n'
        'start_0a1b2c3e\t"\tYes.\tgame/script.rpy\t4\tx\n'
    )
    lines = read(text, tmp_path, "dialogue.tab").sections[0].lines
    assert lines[0].characters == ("Old Tom",)


def test_the_original_of_a_named_line_is_what_was_said(tmp_path: Path) -> None:
    text = (
        'translate french start_0a1b2c3d:\n\n    # "Old Tom" "Come in."\n    "Old Tom" "Entrez."\n\n'
        'translate french start_0a1b2c3e:\n\n    # e happy "Yes."\n    e happy "Oui."\n'
    )
    lines = [line for section in read(text, tmp_path).sections for line in section.lines]
    assert [(line.text, line.original) for line in lines] == [("Entrez.", "Come in."), ("Oui.", "Yes.")]
