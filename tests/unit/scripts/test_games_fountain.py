from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.scripts.errors import ScriptEmpty, ScriptError
from scheduler.scripts.fountain import FountainReader
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.source import ScriptSource

PLAY = """Title:
    _**THE LAST LIGHT**_
Author: A. Writer
Draft date: 1/1/2026
Language: en-GB

FADE IN:

# Act One

= They meet.

INT. LIGHTHOUSE - NIGHT #12A#

The lamp turns. [[how fast?]]
Nobody speaks.

MARA (CONT'D)
(quietly)
I *told* you [[not angry]] the lamp
would \\*fail\\*.
(beat)
It is 5 * 3 now.

OLD TOM (V.O.) ^
And _yet_...

@McAvoy (ON RADIO, O.S.)
~Sing, oh sing
Then speak.

NOBODY
(sighs)

/* MARA
Cut out.
*/
CUT TO:

.THE SHORE

!JOHN
is an action here.

TOM
Line one.
\x20\x20
Line two.

> Centered <

>FADE OUT.

===

EXT. ROAD - DAY

A CAR
"""


def read(text: str | bytes, tmp_path: Path, name: str = "play.fountain", **options: object) -> ScriptDocument:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return FountainReader().read(ScriptSource.open(path), ReadOptions(**options))  # type: ignore[arg-type]


def test_scenes_and_dialogue(tmp_path: Path) -> None:
    document = read(PLAY, tmp_path)
    assert (document.title, document.author, document.language) == ("THE LAST LIGHT", "A. Writer", "en-GB")
    assert [(section.key, section.kind, section.title) for section in document.sections] == [
        ("12a", "scene", "INT. LIGHTHOUSE - NIGHT"),
        ("the-shore", "scene", "THE SHORE"),
    ]
    assert [(line.characters, line.text, dict(line.direction)) for line in document.sections[0].lines] == [
        (("MARA",), "I told you the lamp would *fail*.", {"action": "quietly"}),
        (("MARA",), "It is 5 * 3 now.", {"action": "beat"}),
        (("OLD TOM",), "And yet...", {"onscreen": "off"}),
        (("McAvoy",), "Sing, oh sing", {"action": "ON RADIO; sings", "onscreen": "off"}),
        (("McAvoy",), "Then speak.", {"action": "ON RADIO", "onscreen": "off"}),
    ]
    assert [(line.characters, line.text) for line in document.sections[1].lines] == [(("TOM",), "Line one. Line two.")]


def test_notes_dual_dialogue_and_places(tmp_path: Path) -> None:
    lines = read(PLAY, tmp_path).sections[0].lines
    assert [line.notes for line in lines] == ["not angry", "", "", "", ""]
    assert dict(lines[2].extra) == {"dual": "MARA"}
    assert [line.place for line in lines] == ["line 20", "line 23", "line 26", "line 29", "line 30"]


def test_what_is_not_spoken_is_counted(tmp_path: Path) -> None:
    document = read(PLAY, tmp_path)
    told = next(item.reason for item in document.notices if item.reason.startswith("not spoken"))
    for part in ("4 paragraphs of action", "3 scene headings", "1 synopses", "2 transitions", "1 centered lines"):
        assert part in told
    assert [(item.place, item.reason) for item in document.rejected] == [("line 32", "NOBODY has nothing to say")]


def test_action_is_read_where_it_is_asked_for(tmp_path: Path) -> None:
    document = read(PLAY, tmp_path, include_roles=frozenset({"action"}))
    assert [(line.characters, line.text) for line in document.sections[1].lines[:2]] == [
        ((), "The lamp turns. Nobody speaks."),
        (("MARA",), "I told you the lamp would *fail*."),
    ]
    action = document.sections[1].lines[0]
    assert (dict(action.extra), action.notes) == ({"role": "action"}, "how fast?")
    assert [line.text for line in document.sections[2].lines] == ["JOHN is an action here.", "Line one. Line two."]
    assert (document.sections[0].title, document.sections[-1].title) == ("THE LAST LIGHT", "EXT. ROAD - DAY")


def test_a_long_speech_is_divided_into_sentences(tmp_path: Path) -> None:
    speech = " ".join(f"This is the sentence with the number {number} in it." for number in range(20))
    lines = read(f"ANN\n{speech}\n", tmp_path).sections[0].lines
    assert len(lines) > 3
    assert " ".join(line.text for line in lines) == speech
    assert {line.characters for line in lines} == {("ANN",)}
    assert len({line.key for line in lines}) == len(lines)


def test_keys_stay_when_speeches_come(tmp_path: Path) -> None:
    keys = [line.key for line in read("ANN\nOne.\n\nBEN\nTwo.\n", tmp_path).sections[0].lines]
    later = read("ANN\nOne.\n\nCY\nNew.\n\nBEN\nTwo.\n", tmp_path).sections[0].lines
    assert [later[0].key, later[2].key] == keys


def test_a_cue_for_two_and_for_the_narrator(tmp_path: Path) -> None:
    lines = read("ANN & BEN\nYes!\n\nNARRATOR\nThey left.\n", tmp_path).sections[0].lines
    assert [line.characters for line in lines] == [("ANN", "BEN"), ()]


def test_a_script_without_a_title_page(tmp_path: Path) -> None:
    document = read("FADE IN:\n\nANN\nHello.\n", tmp_path)
    assert (document.title, document.sections[0].lines[0].text) == ("play", "Hello.")


def test_a_boneyard_that_is_not_closed_is_said(tmp_path: Path) -> None:
    document = read("ANN\nHello.\n\n/* BEN\nBye.\n", tmp_path)
    assert [item.place for item in document.rejected] == ["line 4"]
    assert "not closed" in document.rejected[0].reason


def test_a_note_alone_does_not_end_a_speech(tmp_path: Path) -> None:
    document = read("ANN\nHello\n[[a\nnote]]\nthere.\n\n[[open\n\nBEN\nBye.\n", tmp_path)
    assert [line.text for line in document.sections[0].lines] == ["Hello there.", "Bye."]
    assert document.sections[0].lines[0].notes == "a note"


def test_only_action_is_empty(tmp_path: Path) -> None:
    with pytest.raises(ScriptEmpty):
        read("INT. ROOM\n\nSomebody waits.\n", tmp_path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_bytes_raise_anything_but_script_errors(data: st.DataObject, tmp_path: Path) -> None:
    changed = bytearray(PLAY.encode())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(changed)))
        changed[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.sampled_from(
                [b"", b"[[", b"]]", b"/*", b"*/", b"(", b")", b"\n", b"\r", b"\xff", b"\0", b"^", b"@", b".", b"#"]
            )
        )
    try:
        document = read(bytes(changed), tmp_path, include_roles=frozenset({"action"}))
    except ScriptError:
        return
    assert document.line_count


@pytest.mark.parametrize("piece", ["[[", "/*", "(", ")", "*", "_", "a_", " ", "#", "~", "^", "A ("])
def test_long_lines_are_read_at_once(piece: str, tmp_path: Path) -> None:
    line = (piece * 90_000)[:90_000]
    document = read(f"ANN\nFine.\n\n{line}x\n{line}\n\n[[ x ]]\n", tmp_path)
    assert document.sections[0].lines[0].text == "Fine."


def test_several_parentheticals_and_one_behind_the_words(tmp_path: Path) -> None:
    text = "MARA\n(quietly)\n(to Tom)\nCome here.\n(beat)\nPlease.\n(she waits)\n\nTOM\nNo.\n(leaving)\n"
    lines = read(text, tmp_path).sections[0].lines
    assert [(line.text, line.direction.get("action", "")) for line in lines] == [
        ("Come here.", "quietly; to Tom"),
        ("Please.", "beat; she waits"),
        ("No.", "leaving"),
    ]


@pytest.mark.parametrize("cue", ["TOM (V.O.) ^", "TOM ^ (V.O.)", "TOM^(V.O.)"])
def test_the_mark_of_dual_dialogue_is_no_part_of_the_name(cue: str, tmp_path: Path) -> None:
    line = read(f"MARA\nYes.\n\n{cue}\nNo.\n", tmp_path).sections[0].lines[1]
    assert (line.characters, line.extra["dual"], line.direction["onscreen"]) == (("TOM",), "MARA", "off")
