from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.scripts.errors import ScriptEmpty, ScriptError, ScriptUnreadable
from scheduler.scripts.gametext import take_name
from scheduler.scripts.ink import InkReader, parse_ink
from scheduler.scripts.inkids import assign_ids, identify, identify_file, write_back
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.source import ScriptSource

STORY = """# title: The Orchard
# author: Nobody
# language: en-GB
INCLUDE other.ink
VAR met = false
TODO: write more
-> start

=== start ===
# dark
Ann: It is late. # speaker: Mara # id: l1
/* nothing
   here */ Ben: "Is it?" // said softly
We hurried home <>
to Savile Row # mood: calm
* [Go away] -> gone
* "Wait[."]," I said. #id:w1 -> gone
+ {met} {not gone} (again) Ann: Hello[?] again
- - Ann: Both meet here. -> gone
- -> gone
~ met = true

= inner
{ met:
    Ann: We met.
- else:
    Ben: Who are you?
}
{stopping:
- Ben: Once.
- Ben: {x} times.
}
{ met: Ann: On one line.
- else: Ben: Also one. }
{met: -> gone}
{met: Hello|Bye}
You have {coins} coins.
I {~like|love} it.
Escaped \\{ and \\# and \\[.
[sighs] Oh well.

=== gone(x) ===
<- start
Ann: Bye. -> END
=== function f(x) ===
Not said.
~ return x
"""


def read(text: str | bytes, tmp_path: Path, **options: object) -> ScriptDocument:
    path = tmp_path / "story.ink"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return InkReader().read(ScriptSource.open(path), ReadOptions(**options))  # type: ignore[arg-type]


def test_knots_and_stitches(tmp_path: Path) -> None:
    document = read(STORY, tmp_path)
    assert (document.title, document.author, document.language) == ("The Orchard", "Nobody", "en-GB")
    assert [(section.key, section.kind, section.title) for section in document.sections] == [
        ("start", "knot", "start"),
        ("start-inner", "knot", "start.inner"),
        ("gone", "knot", "gone"),
    ]
    assert [(line.characters, line.text) for line in document.sections[0].lines] == [
        (("Mara",), "Ann: It is late."),
        (("Ben",), '"Is it?"'),
        ((), "We hurried home"),
        ((), "to Savile Row"),
        ((), '"Wait," I said.'),
        (("Ann",), "Hello again"),
        (("Ann",), "Both meet here."),
    ]
    assert [(line.characters, line.text) for line in document.sections[2].lines] == [(("Ann",), "Bye.")]


def test_ids_tags_and_directions(tmp_path: Path) -> None:
    lines = read(STORY, tmp_path).sections[0].lines
    assert (lines[0].key, lines[4].key) == ("l1", "w1")
    assert dict(lines[0].extra) == {"tags": "dark"}
    assert dict(lines[3].direction) == {"emotion": "calm"}
    assert dict(lines[5].extra) == {"role": "choice"}
    assert re.fullmatch("[0-9a-f]{16}", lines[1].key)


def test_blocks_are_lines_and_lines_with_logic_are_rejected(tmp_path: Path) -> None:
    document = read(STORY, tmp_path)
    texts = [line.text for line in document.sections[1].lines]
    assert texts[:5] == ["We met.", "Who are you?", "Once.", "On one line.", "Also one."]
    assert texts[5:] == ["Escaped { and # and [.", "Oh well."]
    assert dict(document.sections[1].lines[6].direction) == {"reaction": "sighs"}
    assert [(item.place, item.reason.split(",")[0]) for item in document.rejected] == [
        ("line 31", "a printed value"),
        ("line 36", "an alternative"),
        ("line 37", "a printed value"),
        ("line 38", "an alternative"),
    ]


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    notices = [(item.place, item.reason) for item in read(STORY, tmp_path).notices]
    assert ("line 4", "INCLUDE 'other.ink' is not opened; read it as a script of its own") in notices
    assert ("", "not spoken: 1 choices that print nothing, 1 lines of functions") in notices
    assert any(place == "line 14" and "<>" in reason for place, reason in notices)
    assert any(reason.startswith("taken as characters from before a colon: Ann (5)") for _, reason in notices)


def test_labels_may_be_text(tmp_path: Path) -> None:
    line = read("Ann: Hello.\n", tmp_path, speaker_labels=False).sections[0].lines[0]
    assert (line.characters, line.text) == ((), "Ann: Hello.")


@pytest.mark.parametrize(
    ("text", "name", "rest"),
    [
        ("Ann: Hi.", "Ann", "Hi."),
        ("Dr. Old-Tom 2 : Hi.", "Dr. Old-Tom 2", "Hi."),
        ("真理：行こう。", "真理", "行こう。"),
        ("It is 10:30 now.", "", "It is 10:30 now."),
        ("see https://x.example", "", "see https://x.example"),
        ("he said: no", "", "he said: no"),
        ("Wait, Ann: no", "", "Wait, Ann: no"),
        ("This is not really a name: no", "", "This is not really a name: no"),
        ("12: no", "", "12: no"),
        ("Ann:", "Ann", ""),
        ("Then she said:", "", "Then she said:"),
    ],
)
def test_what_is_a_name_before_a_colon(text: str, name: str, rest: str) -> None:
    assert take_name(text) == (name, rest)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Fine.\n{ x:\nHello\n", "not closed"),
        ("Fine.\nHello }\n", "no { opens"),
        ("Fine.\nI say {x:\nyes\n}\n", "the rest of the line"),
        ("Fine.\n{ x:\nyes\n} and more\n", "behind the }"),
        ("Fine.\n{a|\nb}\n", "only while the game runs"),
    ],
)
def test_broken_blocks_are_rejected(text: str, reason: str, tmp_path: Path) -> None:
    document = read(text, tmp_path)
    assert document.sections[0].lines[0].text == "Fine."
    assert any(reason in item.reason for item in document.rejected)


def test_logic_alone_is_empty(tmp_path: Path) -> None:
    with pytest.raises(ScriptEmpty):
        read("VAR x = 1\n~ x = 2\n-> END\n", tmp_path)


def without_new_ids(text: str) -> str:
    return re.sub(r" #id:[0-9a-f]{8}", "", text)


def test_ids_are_written_where_they_change_nothing() -> None:
    written = assign_ids(STORY)
    assert without_new_ids(written) == STORY
    assert re.search(r'\*/ Ben: "Is it\?" #id:[0-9a-f]{8} // said softly\n', written)
    assert re.search(r"We hurried home <> #id:[0-9a-f]{8}\n", written)
    assert re.search(r"to Savile Row #id:[0-9a-f]{8} # mood: calm\n", written)
    assert re.search(r"Ann: Hello\[\?\] again #id:[0-9a-f]{8}\n", written)
    assert re.search(r"Ann: Bye\. #id:[0-9a-f]{8} -> END\n", written)
    assert re.search(r"Ben: Also one\. #id:[0-9a-f]{8} }\n", written)
    for kept in ("* [Go away] -> gone\n", "You have {coins} coins.\n", "Not said.\n", "# speaker: Mara # id: l1\n"):
        assert kept in written


def test_every_line_read_has_the_id_written(tmp_path: Path) -> None:
    before = read(STORY, tmp_path)
    after = read(assign_ids(STORY), tmp_path)
    assert [line.text for section in after.sections for line in section.lines] == [
        line.text for section in before.sections for line in section.lines
    ]
    keys = [line.key for section in after.sections for line in section.lines]
    assert len(set(keys)) == len(keys)
    assert all(len(key) == 8 or key in ("l1", "w1") for key in keys)
    assert after.rejected == before.rejected


def test_ids_stay_when_lines_come_and_words_change() -> None:
    written = assign_ids("One.\r\nTwo.\rThree.")
    first = re.findall(r"#id:(\w+)", written)
    changed = "New.\n" + written.replace("Two.", "Two, then.")
    assert re.findall(r"#id:(\w+)", assign_ids(changed))[1:] == first
    assert without_new_ids(written) == "One.\r\nTwo.\rThree."


@pytest.mark.parametrize("text", ["{ x:\n- Hello.\n}\n", "VAR", "Hello \\", "Hello \\// x", "Hello->x", "* a[b]c#d->x"])
def test_an_id_changes_nothing_in_how_a_line_is_read(text: str) -> None:
    written = assign_ids(text)
    assert without_new_ids(written) == text
    assert assign_ids(written) == written


def test_an_id_in_use_is_not_given_again() -> None:
    name = re.findall(r"#id:(\w+)", assign_ids("One."))[0]
    names = re.findall(r"#id:(\w+)", assign_ids(f"Zero. #id:{name}\nOne.\n"))
    assert names[0] == name
    assert names[1] != name


PIECES = st.sampled_from(
    [
        *("Hello", " there", "Ann: ", "* ", "+ ", "- ", "[", "]", "{", "}", "|", ":", "#", "#id:ab ", "->", " -> x"),
        *("<>", "\\", "\n", "\r\n", "\n", "//", "/*", "*/", "=== k ===\n", "= s\n", "~ x", "{x: ", "- else:"),
        *("(", ")", "\t", "é", "日本"),
    ]
)


@settings(max_examples=400, deadline=None)
@given(pieces=st.lists(PIECES, max_size=30))
def test_ids_are_idempotent_unique_and_change_nothing_else(pieces: list[str]) -> None:
    text = "".join(pieces)
    written = assign_ids(text)
    assert without_new_ids(written) == text
    assert assign_ids(written) == written
    new = re.findall(r" #id:([0-9a-f]{8})", written)
    assert len(set(new)) == len(new)
    lines = re.split(r"\r\n?|\n", text)
    before, after = parse_ink(lines).lines, parse_ink(re.split(r"\r\n?|\n", written)).lines
    assert [" ".join(line.text.split()) for line in after] == [" ".join(line.text.split()) for line in before]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_bytes_raise_anything_but_script_errors(data: st.DataObject, tmp_path: Path) -> None:
    good = bytearray(STORY.encode())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(good)))
        good[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.sampled_from([b"", b"[", b"{", b"}", b"#", b"\\", b"\xff", b"\0", b"*", b"-", b"->", b"\r", b"/*"])
        )
    try:
        document = read(bytes(good), tmp_path)
    except ScriptError:
        return
    assert document.line_count


@pytest.mark.parametrize(
    "piece", [*["{}", "{", "}", "[", "*", "*{}", "/*", "/**/", "\\", "-", "#", "{x:"], " ", "once "]
)
def test_long_lines_are_read_at_once(piece: str, tmp_path: Path) -> None:
    document = read("Fine.\n" + (piece * 99_000)[:99_000] + "\n", tmp_path)
    assert document.sections[0].lines[0].text == "Fine."


def said(document: ScriptDocument) -> list[str]:
    return [line.text for section in document.sections for line in section.lines]


def test_logic_and_threads_behind_a_gather_are_not_said(tmp_path: Path) -> None:
    text = (
        "One.\n-   ~ seen = true\n- - <- passing_time\n{ seen:\n    Two.\n- else: ~ seen = true\n- <- passing_time\n}\n"
    )
    document = read(text, tmp_path)
    assert said(document) == ["One.", "Two."]
    assert not document.rejected


def test_the_text_of_a_choice_may_stand_under_its_conditions(tmp_path: Path) -> None:
    text = (
        "* {!told(HARBOUR)} Ask about the harbour.\n"
        "* {!told(SHIPS)}\n  {told(TIDES) || rich}\n  Ask about ships.\n  They are old.\n"
        "+ {rich}\n* {poor}\n- Both meet here.\n* {poor}\n=== next ===\nMore.\n"
    )
    document = read(text, tmp_path)
    lines = [line for section in document.sections for line in section.lines]
    assert [(line.text, line.extra.get("role", "")) for line in lines] == [
        ("Ask about the harbour.", "choice"),
        ("Ask about ships.", "choice"),
        ("They are old.", ""),
        ("Both meet here.", ""),
        ("More.", ""),
    ]
    assert not document.rejected
    assert said(read(assign_ids(text), tmp_path)) == said(document)


def test_a_once_only_text_before_a_choice_is_no_condition(tmp_path: Path) -> None:
    document = read("Fine.\n* {!Well,|} go.\n", tmp_path)
    assert [item.place for item in document.rejected] == ["line 2"]


@pytest.mark.parametrize(
    "logic", ["{met: -> gone(1)}", "{<- aside|}", "{&-> one|-> two}", "{met: -> a ->|<- b}", "{|}"]
)
def test_logic_that_only_goes_elsewhere_is_not_reported(logic: str, tmp_path: Path) -> None:
    document = read(f"Fine.\n{logic}\n", tmp_path)
    assert said(document) == ["Fine."]
    assert not document.rejected


def test_tags_of_rich_text_are_not_said(tmp_path: Path) -> None:
    text = "It is <i>not</i> <color=\\#ff0000>red</color>.\n<b>Ann:</b> Two<br>lines, 1 <3 2 and <o>.\n"
    document = read(text, tmp_path)
    assert said(document) == ["It is not red.", "Two lines, 1 <3 2 and <o>."]
    assert document.sections[0].lines[1].characters == ("Ann",)


def test_a_name_with_nothing_to_say_is_reported_as_that(tmp_path: Path) -> None:
    document = read("Fine.\nAnn:\nThen she said:\n", tmp_path)
    assert said(document) == ["Fine.", "Then she said:"]
    assert [(item.place, item.reason) for item in document.rejected] == [("line 2", "Ann has nothing to say")]


def test_new_ids_are_told_with_their_lines() -> None:
    made = identify("One. #id:a\nTwo.\n{x|y}\n* [Go] -> DONE\nThree. -> DONE\n")
    assert (made.lines, [(one.line, one.text) for one in made.new]) == (3, [(2, "Two."), (5, "Three.")])
    assert f"Three. #id:{made.new[1].name} -> DONE" in made.text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_a_file_keeps_its_encoding_mark_and_rights(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "a.ink"
    text = "“Déjà vu,” he said, “naïve café.”\r\nTwo.\r\n"
    path.write_bytes(text.encode(encoding))
    path.chmod(0o640)
    link = tmp_path / "link.ink"
    link.symlink_to(path)
    made, data = identify_file(link)
    write_back(link, data)
    assert link.is_symlink()
    assert path.read_bytes() == made.text.encode(encoding) if encoding != "utf-8-sig" else b"\xef\xbb\xbf" in data
    assert path.read_bytes().decode(encoding) == made.text
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.ink", "link.ink"]
    assert not identify_file(path)[0].new


def test_other_files_and_folders_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "a.txt"
    other.write_text("One.\n")
    with pytest.raises(ScriptUnreadable, match=r"does not end in \.ink"):
        identify_file(other)
    with pytest.raises(ScriptUnreadable, match="cannot be written"):
        write_back(tmp_path / "gone" / "a.ink", b"One.\n")
