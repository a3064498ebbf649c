from __future__ import annotations

import random
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.scripts.ass import AssReader
from scheduler.scripts.errors import HeaderMissing, ScriptEmpty, ScriptError, ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.model import ReadOptions, ScriptDocument, ScriptLine
from scheduler.scripts.source import ScriptSource

HEAD = """[Script Info]
; made by hand for a test
Title: The Lamp, episode 2
ScriptType: v4.00+
PlayResX: 1920
WrapStyle: 0

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, Encoding
Style: Default,Arial,48,&H00FFFFFF,1
Style: Sign,Arial,48,&H00FFFFFF,1

[Events]
"""
FORMAT = "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"


def event(text: str, start: str = "0:00:01.00", end: str = "0:00:02.00", style: str = "Default", name: str = "",
          effect: str = "", layer: int = 0) -> str:  # fmt: skip
    return f"Dialogue: {layer},{start},{end},{style},{name},0,0,0,{effect},{text}\n"


def read(data: str | bytes, folder: Path, **options: object) -> ScriptDocument:
    path = folder / "film.ass"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return AssReader().read(ScriptSource.open(path), ReadOptions(**options))  # type: ignore[arg-type]


def lines_of(*events: str, folder: Path, **options: object) -> tuple[ScriptLine, ...]:
    return read(HEAD + FORMAT + "".join(events), folder, **options).sections[0].lines


def test_an_event_keeps_its_actor_style_and_time_to_the_centisecond(tmp_path: Path) -> None:
    document = read(HEAD + FORMAT + event("Who, me?", "1:02:03.45", "1:02:04.07", name="Mara"), tmp_path)
    (line,) = document.sections[0].lines
    assert (line.text, line.characters, line.kind, line.place) == ("Who, me?", ("Mara",), "speech", "line 15")
    assert (line.in_time, line.out_time) == (Fraction(372345, 100), Fraction(372407, 100))
    assert (line.in_ms, line.out_ms, dict(line.extra)) == (3723450, 3724070, {"style": "Default"})
    assert (document.title, document.kind, document.format, document.rejected) == (
        "The Lamp, episode 2", "dubbing", "ass", (),
    )  # fmt: skip


def test_the_format_line_may_name_its_columns_in_any_order(tmp_path: Path) -> None:
    text = HEAD + (
        "Format: Start, Actor, Text, End\nDialogue: 0:00:01.00,Tom,One, two, three.,0:00:02.00\n"
        "Dialogue: 0:00:01.00,Tom\n"
    )
    document = read(text, tmp_path)
    (line,) = document.sections[0].lines
    assert (line.text, line.characters, line.out_ms) == ("One, two, three.", ("Tom",), 2000)
    assert [(fault.place, "4 fields" in fault.reason) for fault in document.rejected] == [("line 16", True)]


def test_the_old_format_and_a_missing_format_line(tmp_path: Path) -> None:
    text = (
        "[Script Info]\nScriptType: v4.00\n[V4 Styles]\nFormat: Name\nStyle: Default\n[Events]\n"
        "Dialogue: Marked=0,0:00:01.00,0:00:02.00,*Default,Mara,0000,0000,0000,!Effect,Read me.\n"
    )
    document = read(text, tmp_path)
    (line,) = document.sections[0].lines
    assert (line.text, line.characters, line.extra["style"]) == ("Read me.", ("Mara",), "Default")
    assert any("no Format line" in notice.reason and "marked" in notice.reason for notice in document.notices)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Mara", ("Mara",)),
        ("Mara/Tom", ("Mara", "Tom")),
        ("Mara; Tom", ("Mara", "Tom")),
        ("Mara & Tom & Mara", ("Mara", "Tom")),
        (" Old  Man ", ("Old Man",)),
        ("Ed", ("Ed",)),
        ("", ()),
    ],
)
def test_who_speaks(name: str, expected: tuple[str, ...], tmp_path: Path) -> None:
    assert [line.characters for line in lines_of(event("All of us.", name=name), folder=tmp_path)] == [expected]


def test_a_label_in_the_text_is_read_where_no_actor_is_named(tmp_path: Path) -> None:
    (line,) = lines_of(event("MARA: We must go."), folder=tmp_path)
    assert (line.characters, line.text) == (("MARA",), "We must go.")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (r"{\an8}Up here.", "Up here."),
        (r"{\i1}Slanted{\i0} and {\b1}bold{\b0}.", "Slanted and bold."),
        (r"First row\Nsecond row\nthird\hword", "First row second row third word"),
        (r"{note of the author}Said.", "Said."),
        (r"\{braces\} said", "{braces} said"),
        (r"Never {closed", "Never {closed"),
        (r"{\p1}m 0 0 l 10 0 10 10{\p0}After the box.", "After the box."),
        (r"Ends {\p4\an5}m 0 0 l 1 1", "Ends"),
        (r"右に\N見える", "右に見える"),
        (r"Tom &amp; I", "Tom &amp; I"),
    ],
)
def test_only_the_words_are_left(raw: str, expected: str, tmp_path: Path) -> None:
    assert [line.text for line in lines_of(event(raw), folder=tmp_path)] == [expected]


def test_comments_and_drawings_are_counted_once(tmp_path: Path) -> None:
    document = read(
        HEAD + FORMAT + event("Said.") + event("Not said.").replace("Dialogue", "Comment") * 3
        + event(r"{\p1}m 0 0 l 9 9{\p0}") * 2 + "Picture: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,a.png\n",
        tmp_path,
    )  # fmt: skip
    assert [line.text for line in document.sections[0].lines] == ["Said."]
    reasons = [notice.reason for notice in document.notices]
    assert [reason for reason in reasons if "left out" in reason] == [
        "3 comment lines left out", "2 drawings left out", "1 picture events left out",
    ]  # fmt: skip
    assert document.rejected == ()


@pytest.mark.parametrize(
    ("style", "name", "effect", "text"),
    [
        ("Sign", "", "", "BAKERY"),
        ("signs-top", "", "", "BAKERY"),
        ("Episode Title", "", "", "The Lamp"),
        ("OP", "", "", "We sing"),
        ("ED2_romaji", "", "", "utaou"),
        ("Karaoke", "", "", "We sing"),
        ("Default", "Sign", "", "BAKERY"),
        ("Default", "", "", r"{\pos(960,120)}BAKERY"),
        ("Default", "", "", r"{\an5\move(1,2,3,4)}BAKERY"),
        ("Default", "", "", r"{\k20}We {\kf31}sing"),
        ("Default", "", "Banner;20", "Breaking news"),
    ],
)
def test_text_in_the_picture_is_not_dialogue(style: str, name: str, effect: str, text: str, tmp_path: Path) -> None:
    (line,) = lines_of(event(text, style=style, name=name, effect=effect), folder=tmp_path)
    assert (line.kind, line.characters) == ("onscreen", ())


@pytest.mark.parametrize(
    ("style", "name", "text"),
    [
        ("Default", "Mara", r"{\pos(960,120)}I moved aside."),
        ("Edward", "", "My style has my name."),
        ("Signal", "", "A callsign."),
        ("Main - Top", "Ed", "Up here."),
    ],
)
def test_dialogue_is_not_taken_for_a_sign(style: str, name: str, text: str, tmp_path: Path) -> None:
    assert [line.kind for line in lines_of(event(text, style=style, name=name), folder=tmp_path)] == ["speech"]


def test_layers_of_one_text_are_one_and_frames_of_a_sign_are_joined(tmp_path: Path) -> None:
    document = read(
        HEAD + FORMAT
        + event(r"{\bord4}Hello.", name="Mara", layer=0) + event(r"{\bord0}Hello.", name="Mara", layer=1)
        + event("Hello.", name="Tom")
        + "".join(event("SHOP", f"0:00:05.{at:02}", f"0:00:05.{at + 4:02}", "Sign") for at in range(0, 40, 4))
        + event("SHOP", "0:00:09.00", "0:00:10.00", "Sign"),
        tmp_path,
    )  # fmt: skip
    found = [(line.text, line.characters, line.in_ms, line.out_ms) for line in document.sections[0].lines]
    assert found == [
        ("Hello.", ("Mara",), 1000, 2000),
        ("Hello.", ("Tom",), 1000, 2000),
        ("SHOP", (), 5000, 5400),
        ("SHOP", (), 9000, 10000),
    ]
    reasons = " ".join(notice.reason for notice in document.notices)
    assert "1 events that repeat" in reasons
    assert "9 on-screen events" in reasons


def test_sounds_are_reactions_and_notes_of_music_go(tmp_path: Path) -> None:
    lines = lines_of(
        event("[laughs]", "0:00:01.00"),
        event("(sighs) All right.", "0:00:01.10"),
        event("(on the other hand) No.", "0:00:01.20"),
        event("♪ la la ♪", "0:00:01.30"),
        event("(clears throat)", "0:00:01.40"),
        folder=tmp_path,
    )
    assert [(line.kind, line.text, dict(line.direction)) for line in lines] == [
        ("reaction", "laughs", {}),
        ("speech", "All right.", {"reaction": "sighs"}),
        ("speech", "(on the other hand) No.", {}),
        ("reaction", "la la", {}),
        ("reaction", "clears throat", {}),
    ]


def test_events_are_sorted_and_overlaps_stay(tmp_path: Path) -> None:
    document = read(
        HEAD + FORMAT + event("Second.", "0:00:03.00", "0:00:06.00") + event("First.", "0:00:01.00", "0:00:04.00"),
        tmp_path,
    )
    assert [(line.text, line.in_ms, line.out_ms) for line in document.sections[0].lines] == [
        ("First.", 1000, 4000),
        ("Second.", 3000, 6000),
    ]
    assert any("sorted" in notice.reason for notice in document.notices)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (event("Backwards.", "0:00:05.00", "0:00:04.00"), "ends before"),
        (event("No time at all.", "0:00:05.00", "0:00:05.00"), "lasts no time"),
        (event("Before zero.", "-0:00:01.00", "0:00:05.00"), "before zero"),
        (event("Words for a time.", "soon"), "H:MM:SS.cc"),
        (event("Sixty-one.", "0:00:61.00", "0:02:00.00"), "H:MM:SS.cc"),
        (event(""), "no text"),
        ("Dialogue: 0,0:00:01.00\n", "10 fields"),
        ("just words\n", "is no event"),
        (event("Too late.", "999999:00:00.00", "999999:00:01.00"), "596 hours"),
    ],
)
def test_a_broken_event_is_reported_with_its_line(line: str, why: str, tmp_path: Path) -> None:
    document = read(HEAD + FORMAT + event("Fine.") + line + event("Also fine.", "0:00:30.00", "0:00:31.00"), tmp_path)
    assert [line.text for line in document.sections[0].lines] == ["Fine.", "Also fine."]
    ((place, reason),) = [(fault.place, fault.reason) for fault in document.rejected]
    assert place == "line 16"
    assert why in reason


def test_more_than_a_day_is_a_time(tmp_path: Path) -> None:
    assert lines_of(event("Late.", "100:00:00.00", "100:00:01.00"), folder=tmp_path)[0].in_ms == 360_000_000


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(encoding: str, newline: str, tmp_path: Path) -> None:
    text = HEAD + FORMAT + event("C’était déjà l’été, où es-tu allée ?", name="Zoë")
    data = text.replace("\n", newline).encode(encoding)
    assert AssReader().sniff(data[:4096])
    (line,) = read(data, tmp_path).sections[0].lines
    assert (line.text, line.characters, line.place) == ("C’était déjà l’été, où es-tu allée ?", ("Zoë",), "line 15")


def test_files_that_are_none(tmp_path: Path) -> None:
    assert not AssReader().sniff(b"1\n00:00:01,000 --> 00:00:02,000\nx\n")
    with pytest.raises(ScriptUnreadable, match="Events"):
        read("[Script Info]\nTitle: x\n", tmp_path)
    with pytest.raises(ScriptEmpty, match="no cue"):
        read(HEAD + FORMAT, tmp_path)
    with pytest.raises(HeaderMissing, match=r"line 14.*End"):
        read(HEAD + "Format: Start, Text\n" + event("x"), tmp_path)


def test_one_huge_line_does_not_cost_the_dialogue(tmp_path: Path) -> None:
    drawing = event(r"{\p1}" + "m 0 0 l 1 1 " * 20_000)
    document = read(HEAD + FORMAT + drawing + event("x" * 120_000) + event("Said."), tmp_path)
    assert [line.text for line in document.sections[0].lines] == ["Said."]
    assert [fault.place for fault in document.rejected] == ["line 16"]


def test_too_many_events_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scheduler.scripts.ass.MAX_EVENTS", 3)
    with pytest.raises(ScriptTooLarge, match="events"):
        lines_of(*[event(f"Number {at}.") for at in range(5)], folder=tmp_path)


WHOLE = (
    HEAD + FORMAT + event(r"{\i1}One{\i0}, two.", name="A/B") + event("[sighs]") + event("SHOP", style="Sign")
).encode()


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), count=st.integers(1, 40))
def test_whatever_the_bytes_are_only_script_errors_come(tmp_path: Path, seed: int, count: int) -> None:
    dice = random.Random(seed)
    data = bytearray(WHOLE)
    for _ in range(count):
        at = dice.randrange(len(data))
        data[at : at + dice.randrange(3)] = dice.randbytes(dice.randrange(3)) + dice.choice(
            [b"", b"{", b"\n", b",", b":"]
        )
    with suppress(ScriptError):
        read(bytes(data[: dice.randrange(1, len(data))]), tmp_path)
