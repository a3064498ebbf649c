from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.scripts.errors import HeaderMissing, ScriptEmpty, ScriptError, ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.source import ScriptSource
from scheduler.scripts.yarn import YarnReader, YarnStringsReader

NODES = """#a_file_tag
title: Start
tags: intro rawText
position: 10,20
---
// a remark
<<set $met to true>>
Mae: Hey, Gregg! #line:0a1 #emotion:glad #loud
Gregg: [wave]Hey[/wave] yourself. [b/] See \\[this\\]? #line:0a2  // after it
A door opens. It is 10:30.
<<if $met>>
    Mae: We met. #line:0a3
<<else>>
    Mae: Who are you?
<<endif>>
-> Go in <<if $has_key>> #line:0a4
    Mae\\: not a name #line:0a5
    <<jump Inside>>
-> Mae: Stay
=> Gregg: One of a group. #line:0a6
===
title: Inside
---
[character name="Old Tom"]Tom: [/character]Come in.
Mae: You have {$coins} coins. #line:bad1
Mae: You have {"ten"} coins. #line:0a7
Mae: I saw [select value={$g} m="him" f="her"/] go. #line:bad2
Mae: broken [mark #line:bad3
... #line:bad4
Copy of another. #shadow:0a1
Narrator: The end. #line:0a8
===
"""


def read(text: str | bytes, tmp_path: Path, name: str = "a.yarn", **options: object) -> ScriptDocument:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    reader = YarnReader() if name.endswith(".yarn") else YarnStringsReader()
    return reader.read(ScriptSource.open(path), ReadOptions(**options))  # type: ignore[arg-type]


def test_nodes_lines_and_options(tmp_path: Path) -> None:
    document = read(NODES, tmp_path)
    assert [(section.key, section.kind, section.title) for section in document.sections] == [
        ("start", "node", "Start"),
        ("inside", "node", "Inside"),
    ]
    first = document.sections[0].lines
    assert [(line.characters, line.text) for line in first] == [
        (("Mae",), "Hey, Gregg!"),
        (("Gregg",), "Hey yourself. See ?"),
        ((), "A door opens. It is 10:30."),
        (("Mae",), "We met."),
        (("Mae",), "Who are you?"),
        ((), "Go in"),
        ((), "Mae: not a name"),
        (("Mae",), "Stay"),
        (("Gregg",), "One of a group."),
    ]
    assert [line.key for line in first if line.key.startswith("line:")] == [
        f"line:0a{number}" for number in (1, 2, 3, 4, 5, 6)
    ]
    assert dict(first[0].direction) == {"emotion": "glad"}
    assert dict(first[0].extra) == {"tags": "loud"}
    assert dict(first[1].direction) == {"reaction": "this"}
    assert dict(first[5].extra) == {"role": "choice"}
    assert (first[0].place, first[-1].boundary) == ("line 8", "section")


def test_names_in_marks_constants_and_what_is_known_only_at_run_time(tmp_path: Path) -> None:
    document = read(NODES, tmp_path)
    assert [(line.key, line.characters, line.text) for line in document.sections[1].lines[1:]] == [
        ("line:0a7", ("Mae",), "You have ten coins."),
        ("line:0a8", (), "The end."),
    ]
    assert document.sections[1].lines[0].characters == ("Old Tom",)
    assert document.sections[1].lines[0].text == "Come in."
    assert [(item.place, item.reason.split(" ", 2)[0]) for item in document.rejected] == [
        ("line 25", "'{$coins}'"),
        ("line 27", "'{$g}'"),
        ("line 28", "a"),
        ("line 29", "nothing"),
    ]
    assert any("1 shadow lines" in item.reason for item in document.notices)


def test_lines_without_ids_keep_their_keys_when_others_come(tmp_path: Path) -> None:
    body = "title: A\n---\nAnn: One.\nAnn: Two.\nAnn: Two.\n===\n"
    keys = [line.key for line in read(body, tmp_path).sections[0].lines]
    later = read(body.replace("Ann: Two.\n", "Ann: New.\nAnn: Two.\n", 1), tmp_path).sections[0].lines
    assert [line.key for line in later if line.text != "New."] == keys
    assert len(set(keys)) == 3


def test_an_id_used_twice_is_numbered_and_said(tmp_path: Path) -> None:
    document = read("title: A\n---\nOne. #line:x\nTwo. #line:x\n===\n", tmp_path)
    assert [line.key for line in document.sections[0].lines] == ["line:x", "line:x~2"]
    assert any("used before" in item.reason for item in document.notices)


def test_crlf_and_utf_16(tmp_path: Path) -> None:
    text = NODES.replace("\n", "\r\n")
    assert read(text, tmp_path).line_count == read(text.encode("utf-16"), tmp_path).line_count == 12


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("title: A\n---\nHello\n", "line 2", "not closed"),
        ("Hello there\n", "", "no node"),
        ("---\nHello\n===\n", "line 1", "no title"),
    ],
)
def test_a_file_that_is_not_whole(text: str, place: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ScriptUnreadable) as caught:
        read(text, tmp_path)
    assert caught.value.place == place
    assert reason in caught.value.reason


def test_nodes_without_words(tmp_path: Path) -> None:
    with pytest.raises(ScriptEmpty):
        read("title: A\n---\n<<jump B>>\n===\n", tmp_path)


def test_only_node_files_are_recognised() -> None:
    assert YarnReader().sniff(b"\xef\xbb\xbf// x\r\n\r\ntitle: A\r\n---\r\nHi\r\n===")
    assert not YarnReader().sniff(b"title: A book\n\nIt begins.")
    assert not YarnReader().sniff(b" " * 4096)
    header = b"language,id,text,file,node,lineNumber,lock,comment\n"
    assert YarnStringsReader().sniff(b"\xef\xbb\xbf" + header)
    assert not YarnStringsReader().sniff(b"id,character,text\n")


TABLE = """language,id,text,file,node,lineNumber,lock,comment
de,line:1,"Mae: ""Hallo"", [b]du[/b].",a.yarn,Start,3,ab12,said softly
de,line:2,"Zwei
Zeilen.",a.yarn,Inside,9,cd34,
de,line:3,Du hast {0} Taler.,a.yarn,Inside,10,ee,
de,line:4,,a.yarn,Inside,11,,
de,line:5,Wieder hier.,a.yarn,Start,12,ff,
"""


def test_a_strings_table(tmp_path: Path) -> None:
    document = read(TABLE, tmp_path, "de.csv")
    assert document.language == "de"
    assert [(section.title, [line.key for line in section.lines]) for section in document.sections] == [
        ("Start", ["line:1", "line:5"]),
        ("Inside", ["line:2"]),
    ]
    first = document.sections[0].lines[0]
    assert (first.characters, first.text, first.notes) == (("Mae",), '"Hallo", du.', "said softly")
    assert dict(first.extra) == {"file": "a.yarn", "lineNumber": "3", "lock": "ab12"}
    assert document.sections[1].lines[0].text == "Zwei Zeilen."
    assert [item.place for item in document.rejected] == ["row 4", "row 5"]
    assert "'{0}'" in document.rejected[0].reason


def test_a_quotation_mark_that_is_not_closed(tmp_path: Path) -> None:
    with pytest.raises(ScriptTooLarge) as caught:
        read(TABLE + 'de,line:9,"open\n' + "word\n" * 30_000, tmp_path, "x.csv")
    assert "not closed" in caught.value.reason


def test_a_table_without_its_columns(tmp_path: Path) -> None:
    with pytest.raises(HeaderMissing) as caught:
        read("id,words\n1,Hello\n", tmp_path, "x.csv")
    assert "node, text" in caught.value.reason


@pytest.mark.parametrize("name", ["a.yarn", "a.csv"])
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_bytes_raise_anything_but_script_errors(name: str, data: st.DataObject, tmp_path: Path) -> None:
    good = bytearray((NODES if name == "a.yarn" else TABLE).encode())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(good)))
        good[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.sampled_from([b"", b"[", b"]", b"{", b"}", b"<<", b"\\", b"\xff", b"\0", b'"', b"#", b"===", b"\r"])
        )
    try:
        document = read(bytes(good), tmp_path, name)
    except ScriptError:
        return
    assert document.line_count


@pytest.mark.parametrize("piece", ["[character ", "[character]", "{", "[", "<<", "\\", " ", "a: ", "#"])
def test_long_lines_are_read_at_once(piece: str, tmp_path: Path) -> None:
    line = (piece * 99_000)[:99_000]
    document = read(f"title: A\n---\nFine.\n{line}\n===\n", tmp_path)
    assert document.sections[0].lines[0].text == "Fine."


def said(document: ScriptDocument) -> list[tuple[tuple[str, ...], str]]:
    return [(line.characters, line.text) for section in document.sections for line in section.lines]


def node(body: str, title: str = "Start") -> str:
    return f"title: {title}\n---\n{body}\n===\n"


def test_a_remark_behind_the_title_is_not_in_it(tmp_path: Path) -> None:
    assert [part.title for part in read(node("One.", "Start // of it all"), tmp_path).sections] == ["Start"]


def test_a_colon_that_ends_a_sentence_names_nobody(tmp_path: Path) -> None:
    document = read(node("These things remain:\nMae:\n(TODO: more)\nMae: Yes."), tmp_path)
    assert said(document) == [((), "These things remain:"), ((), "(TODO: more)"), (("Mae",), "Yes.")]
    assert [(item.place, item.reason) for item in document.rejected] == [("line 4", "Mae has nothing to say")]


def test_options_of_version_1_are_rejected_as_that(tmp_path: Path) -> None:
    document = read(node("One.\n    [[Look around|Look]] #line:1"), tmp_path)
    assert said(document) == [((), "One.")]
    assert [item.place for item in document.rejected] == ["line 4"]
    assert "version 1" in document.rejected[0].reason


def test_tags_of_rich_text_are_not_said(tmp_path: Path) -> None:
    document = read(node("Mae: It is <color=\\#f00>red</color><sprite index=1> <3."), tmp_path)
    assert said(document) == [(("Mae",), "It is red <3.")]


def test_why_nothing_is_spoken_says_what_was_left_out(tmp_path: Path) -> None:
    with pytest.raises(ScriptEmpty, match="not spoken: 2 commands and conditions"):
        read(node("<<set $a to 1>>\n<<stop>>"), tmp_path)
