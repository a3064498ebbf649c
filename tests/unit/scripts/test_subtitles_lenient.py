"""What files in use have and specifications do not: it is read as players read it, or reported with its place."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.registry import read_script
from scheduler.scripts.timecode import TimecodeInvalid, frame_time, parse_timecode

TT = 'xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter"'


def read(text: str, folder: Path, suffix: str, **options: object) -> ScriptDocument:
    path = folder / f"film.{suffix}"
    path.write_text(text, encoding="utf-8", newline="")
    return read_script(path, options=ReadOptions(language="en", **options))  # type: ignore[arg-type]


def texts(document: ScriptDocument) -> list[str]:
    return [line.text for section in document.sections for line in section.lines]


def times(document: ScriptDocument) -> list[tuple[str, int | None, int | None]]:
    return [(line.text, line.in_ms, line.out_ms) for section in document.sections for line in section.lines]


def vtt(payload: str, timing: str = "00:01.000 --> 00:02.000") -> str:
    return f"WEBVTT\n\n{timing}\n{payload}\n"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ("Down <wobble.big>the</wobble.big> stairs.", "Down the stairs."),
        ("Down <h1>the</h1> stairs.", "Down the stairs."),
        ("Down <00:00:01.500 >the stairs.", "Down the stairs."),
        ("Down <q0:01.000>the stairs.", "Down the stairs."),
        ("Down <b.loud the stairs.", "Down the stairs."),
        ("Down the stairs.</i", "Down the stairs."),
        ("Down <00:01.500 the stairs.", "Down the stairs."),
        ("Down <lang the stairs.", "Down the stairs."),
        ("Two &lt; three.", "Two < three."),
        ("I <3 these stairs.", "I <3 these stairs."),
    ],
)
def test_tags_of_webvtt_that_nobody_knows_or_closes(payload: str, expected: str, tmp_path: Path) -> None:
    assert texts(read(vtt(payload), tmp_path, "vtt")) == [expected]


@pytest.mark.parametrize(
    "timing",
    [
        "00:01.000 --> 00:02.000line:40% size:40%",
        "00:01.000 --> 00:02.000\0align:end",
        "00:00:01,000 --> 00:00:02,000",
        "00:01.000-->00:02.000 align:start",
    ],
)
def test_timings_of_webvtt_that_say_the_time(timing: str, tmp_path: Path) -> None:
    assert times(read(vtt("Here.", timing), tmp_path, "vtt")) == [("Here.", 1000, 2000)]


@pytest.mark.parametrize("timing", ["00:01.000 --> 00:02.00x", "00:01.000 --> 00:0x2.000", "00:01.000 --> 00:02.000,5"])
def test_a_timing_of_webvtt_is_never_read_in_part(timing: str, tmp_path: Path) -> None:
    document = read(vtt("Lost.", timing) + "\n00:03.000 --> 00:04.000\nHere.\n", tmp_path, "vtt")
    assert texts(document) == ["Here."]
    assert [rejection.place for rejection in document.rejected] == ["line 3"]


def srt(*cues: str) -> str:
    return "".join(f"{n}\n{cue}\n\n" for n, cue in enumerate(cues, 1))


@pytest.mark.parametrize("timing", ["00:00:04:609-->00:00:05:985", "0:0:04:609 --> 0:0:05:985"])
def test_a_colon_before_three_digits_of_milliseconds(timing: str, tmp_path: Path) -> None:
    assert times(read(srt(f"{timing}\nHere."), tmp_path, "srt")) == [("Here.", 4609, 5985)]


def test_a_colon_before_two_digits_is_a_frame_and_no_time_of_subrip(tmp_path: Path) -> None:
    document = read(
        srt("00:00:04:12 --> 00:00:05:12\nFrames.", "00:00:06,000 --> 00:00:07,000\nHere."), tmp_path, "srt"
    )
    assert texts(document) == ["Here."]
    assert [(rejection.place, rejection.reason) for rejection in document.rejected] == [
        ("line 2", "'00:00:04:12 --> 00:00:05:12' is not a timing")
    ]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (r"Come\hhere.\NNow.", "Come here. Now."),
        (r"It is in C:\News\hall.", r"It is in C:\News\hall."),
    ],
)
def test_breaks_of_substation_in_subrip(payload: str, expected: str, tmp_path: Path) -> None:
    assert texts(read(srt(f"00:00:01,000 --> 00:00:02,000\n{payload}"), tmp_path, "srt")) == [expected]


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        ("srt", srt("00:00:01,000 --> 00:00:02,000\n...", "00:00:03,000 --> 00:00:04,000\nHere.")),
        ("vtt", vtt("...") + "\n00:03.000 --> 00:04.000\nHere.\n"),
        (
            "ttml",
            f'<tt {TT}>\n<body><div>\n<p begin="1s" end="2s">...</p><p begin="3s" end="4s">Here.</p></div></body></tt>',
        ),
    ],
)
def test_a_cue_of_punctuation_alone_is_reported_with_its_place(suffix: str, text: str, tmp_path: Path) -> None:
    document = read(text, tmp_path, suffix)
    assert texts(document) == ["Here."]
    (rejection,) = document.rejected
    assert rejection.reason == "nothing in it can be spoken: '...'"
    assert rejection.place == ("line 2" if suffix == "srt" else "line 3")


def test_words_before_a_colon_are_a_name_only_where_they_may_be_one(tmp_path: Path) -> None:
    said = ["He said: come.", "He said: go.", "See http://a.example now.", "See http://b.example now.",
            "Man on phone: Hello?", "Man on phone: Who is it?"]  # fmt: skip
    cues = (f"00:00:0{n},000 --> 00:00:0{n},900\n{text}" for n, text in enumerate(said))
    lines = read(srt(*cues), tmp_path, "srt").sections[0].lines
    assert [(line.characters, line.text) for line in lines] == [
        ((), "He said: come."),
        ((), "He said: go."),
        ((), "See http://a.example now."),
        ((), "See http://b.example now."),
        (("Man on phone",), "Hello?"),
        (("Man on phone",), "Who is it?"),
    ]


def test_a_sound_in_angle_brackets_is_not_said(tmp_path: Path) -> None:
    cues = ("00:00:01,000 --> 00:00:02,000\n&lt;DOOR SLAMS&gt; Who is it?", "00:00:03,000 --> 00:00:04,000\n2 &lt; 3.")
    first, second = read(srt(*cues), tmp_path, "srt").sections[0].lines
    assert (first.text, dict(first.direction), second.text) == ("Who is it?", {"reaction": "DOOR SLAMS"}, "2 < 3.")


def test_control_characters_never_get_into_keys_names_and_titles(tmp_path: Path) -> None:
    document = read("WEBVTT\nTitle: A\x01b\n\n\0 id\x04\n00:01.000 --> 00:02.000\n<v Ma\0ra>Here.\n", tmp_path, "vtt")
    (line,) = document.sections[0].lines
    assert (line.key, line.characters, document.title) == ("id", ("Mara",), "Ab")
    event = "Dialogue: 0,0:00:01.00,0:00:02.00,De\x01fault,Ma\x02ra,0,0,0,,Here.\n"
    script = (
        "[Script Info]\n\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    )
    (line,) = read(script + event, tmp_path, "ass").sections[0].lines
    assert (line.characters, dict(line.extra)) == (("Mara",), {"style": "Default"})


def ttml(body: str) -> str:
    return f"<tt {TT}>\n<body>{body}</body></tt>"


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        ("04.7", "11.4", (Fraction(47, 10), Fraction(57, 5))),
        ("7", "9", (7, 9)),
        ("1:03.25", "2:00", (Fraction(253, 4), 120)),
    ],
)
def test_times_of_ttml_without_a_unit_are_seconds(
    begin: str, end: str, expected: tuple[Fraction, Fraction], tmp_path: Path
) -> None:
    document = read(ttml(f'<div><p begin="{begin}" end="{end}">Here.</p></div>'), tmp_path, "ttml")
    (line,) = document.sections[0].lines
    assert (line.in_time, line.out_time) == expected
    assert "2 times have no unit: read as seconds" in [notice.reason for notice in document.notices]


def test_minutes_without_hours_have_sixty_seconds(tmp_path: Path) -> None:
    body = '<div><p begin="1:75" end="2:00">Lost.</p>\n<p begin="3s" end="4s">Here.</p></div>'
    document = read(ttml(body), tmp_path, "ttml")
    assert texts(document) == ["Here."]
    assert document.rejected[0].reason.startswith("'1:75' is no time of a clock")


def test_text_of_its_own_lasts_no_time_in_a_sequence(tmp_path: Path) -> None:
    body = (
        '<div timeContainer="seq">'
        '<p begin="5s" timeContainer="seq">Never shown.</p>\n'
        '<p begin="1s" dur="9s" timeContainer="seq"><span dur="4s">First.</span> nor this '
        '<span dur="2s">Second.</span></p>'
        '<p dur="3s">Third.</p></div>'
    )
    document = read(ttml(body), tmp_path, "ttml")
    assert times(document) == [("First.", 6000, 10000), ("Second.", 10000, 12000), ("Third.", 15000, 18000)]
    assert [(rejection.place, rejection.reason.partition(":")[0]) for rejection in document.rejected] == [
        ("line 2", "text in a sequence lasts no time"),
        ("line 3", "text in a sequence lasts no time"),
    ]


def test_a_division_inside_a_limit_ends_with_what_is_in_it(tmp_path: Path) -> None:
    body = (
        '<div timeContainer="seq" dur="40s"><div timeContainer="seq"><p begin="5s" dur="5s">First.</p></div>'
        '<div><p begin="5s" dur="5s">Second.</p></div></div>'
    )
    assert times(read(ttml(body), tmp_path, "ttml")) == [("First.", 5000, 10000), ("Second.", 15000, 20000)]


def test_a_cue_shorter_than_a_millisecond_lasts_no_time(tmp_path: Path) -> None:
    body = '<div><p begin="1.0001s" end="1.0002s">Gone.</p><p begin="3s" end="4s">Here.</p></div>'
    document = read(ttml(body), tmp_path, "ttml")
    assert texts(document) == ["Here."]
    assert document.rejected[0].reason.startswith("the cue lasts no time")


def test_a_timecode_in_numbers_is_the_one_in_text() -> None:
    ntsc = Fraction(30000, 1001)
    assert frame_time(1, 2, 3, 4, ntsc, drop=True) == parse_timecode("01:02:03;04", ntsc)
    assert frame_time(1, 2, 3, 4, Fraction(25)) == parse_timecode("01:02:03:04", Fraction(25))
    with pytest.raises(TimecodeInvalid, match="'00:01:00;01' does not exist"):
        frame_time(0, 1, 0, 1, ntsc, drop=True)
