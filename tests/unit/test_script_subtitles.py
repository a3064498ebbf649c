from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from script_samples import SRT, VTT, write

from scheduler.scripts.clock import parse_clock, to_ms
from scheduler.scripts.errors import ScriptEmpty, ScriptUnreadable
from scheduler.scripts.model import ReadOptions, ScriptDocument, ScriptLine
from scheduler.scripts.registry import read_script


def read(text: str, tmp_path: Path, suffix: str = "vtt", **options: object) -> ScriptDocument:
    return read_script(write(tmp_path / f"film.{suffix}", text), options=ReadOptions(**options))  # type: ignore[arg-type]


def srt_lines(*cues: str, path: Path) -> tuple[ScriptLine, ...]:
    text = "".join(f"{n}\n00:00:{n:02d},000 --> 00:00:{n:02d},900\n{cue}\n\n" for n, cue in enumerate(cues, 1))
    return read(text, path, "srt").sections[0].lines


@pytest.mark.parametrize(("text", "suffix", "name"), [(VTT, "vtt", "Mara"), (SRT, "srt", "MARA")])
def test_cues_keep_their_exact_times_and_overlap(text: str, suffix: str, name: str, tmp_path: Path) -> None:
    document = read(text, tmp_path, suffix)
    first, second = document.sections[0].lines
    assert (first.text, first.characters, first.in_ms, first.out_ms) == ("We have one hour.", (name,), 1000, 2500)
    assert (second.text, second.characters, second.in_time) == ("Then we should leave now.", (), Fraction(12, 5))
    assert second.in_ms is not None
    assert second.in_ms < 2500
    assert (document.kind, document.sections[0].title, document.language) == ("dubbing", "film", "en")
    assert first.key == ("intro" if suffix == "vtt" else "1")


def test_several_voices_in_one_cue_share_its_slot(tmp_path: Path) -> None:
    lines = read("WEBVTT\n\n00:01.000 --> 00:02.000\n<v A>One word.</v> <v B>Two words.\n", tmp_path).sections[0].lines
    assert [(line.characters, line.text, line.in_ms) for line in lines] == [
        (("A",), "One word.", 1000),
        (("B",), "Two words.", 1000),
    ]


def test_blocks_that_are_no_cues_and_cues_that_are_broken(tmp_path: Path) -> None:
    text = (
        "WEBVTT - a film\nKind: captions\n\nSTYLE\n::cue { color: red }\n\nREGION\nid:1\n\nNOTE 00:00 is not a time\n\n"
        "stray words\n\n00:00:0x.000 --> 00:00:02.000\nbroken\n\n00:05.000 --> 00:04.000\nbackwards\n\n"
        "99999999:00:00.000 --> 99999999:00:01.000\ntoo late\n\n00:06.000 --> 00:07.000\n\n"
        "00:08.000 --> 00:09.000\nIn a <b>good</b> cue &amp; <c.x>fine</c>.\n00:10.000 --> 00:11.000\nNo blank line.\n"
    )
    document = read(text, tmp_path)
    assert [line.text for line in document.sections[0].lines] == ["In a good cue & fine.", "No blank line."]
    assert [rejection.place for rejection in document.rejected] == [
        "line 12",
        "line 14",
        "line 17",
        "line 20",
        "line 23",
    ]


def test_srt_faults_are_reported_with_their_lines(tmp_path: Path) -> None:
    text = (
        "1\n00:00:01,000 --> 00:00:02,000\nFine words.\n\nwords outside a cue\n\n2\n00:00:03 -> 00:00:04\nno arrow\n\n"
        "3\n00:00:05,000 --> 00:00:06,000\n4\n00:00:07,000 --> 00:00:08,000\nAfter an empty one.\n"
    )
    document = read(text, tmp_path, "srt")
    assert [line.text for line in document.sections[0].lines] == ["Fine words.", "After an empty one."]
    assert [rejection.place for rejection in document.rejected] == ["line 5", "line 7", "line 12"]


def test_a_name_before_a_colon_is_a_speaker_when_nothing_else_is_likely(tmp_path: Path) -> None:
    lines = srt_lines(
        "MARA: We must go.",
        "Tom: Never, I say.",
        "Tom: Not today.",
        "Remember: it is late.",
        "He came at 5: 30 minutes late.",
        "ATTENTION: ALL OF YOU MUST GO",
        path=tmp_path,
    )
    assert [line.characters for line in lines] == [("MARA",), ("Tom",), ("Tom",), (), (), ()]
    assert lines[1].text == "Never, I say."
    assert lines[3].text == "Remember: it is late."


def test_names_in_brackets_must_come_again_and_sounds_are_never_names(tmp_path: Path) -> None:
    lines = srt_lines(
        "[MARA] We must go.",
        "[MARA] I mean it.",
        "[sighs] All right.",
        "[sighs] I said so.",
        "[LAUGHS] Good.",
        "[LAUGHS] Very good.",
        "[door slams]",
        "♪ la la la ♪",
        path=tmp_path,
    )
    assert [line.characters for line in lines[:2]] == [("MARA",), ("MARA",)]
    assert [(line.text, dict(line.direction)) for line in lines[2:6]] == [
        ("All right.", {"reaction": "sighs"}),
        ("I said so.", {"reaction": "sighs"}),
        ("Good.", {"reaction": "LAUGHS"}),
        ("Very good.", {"reaction": "LAUGHS"}),
    ]
    assert [(line.kind, line.text) for line in lines[6:]] == [("reaction", "door slams"), ("reaction", "la la la")]


def test_two_turns_in_one_cue(tmp_path: Path) -> None:
    lines = srt_lines("MARA: Who is it?\nTOM: Only me.", "- First says this.\n- Then that.", path=tmp_path)
    assert [(line.characters, line.text, line.key) for line in lines] == [
        (("MARA",), "Who is it?", "1"),
        (("TOM",), "Only me.", "1~2"),
        ((), "First says this. Then that.", "2"),
    ]


def test_labels_can_be_switched_off(tmp_path: Path) -> None:
    line = read(SRT, tmp_path, "srt", speaker_labels=False).sections[0].lines[0]
    assert line.characters in ((), ("MARA",))


def test_a_long_silence_ends_a_paragraph(tmp_path: Path) -> None:
    text = (
        "WEBVTT\n\n00:01.000 --> 00:02.000\nOne.\n\n00:02.500 --> 00:03.000\nTwo.\n\n00:09.000 --> 00:10.000\nThree.\n"
    )
    assert [line.boundary for line in read(text, tmp_path).sections[0].lines] == ["sentence", "paragraph", "section"]


def test_a_language_span_gives_its_language(tmp_path: Path) -> None:
    text = "WEBVTT\nLanguage: en\n\n00:01.000 --> 00:02.000\nHe said <lang fr>je ne sais pas</lang>.\n"
    assert [line.language for line in read(text, tmp_path).sections[0].lines] == ["en", "fr"]


def test_ruby_in_a_cue_is_not_said_twice(tmp_path: Path) -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\n<ruby>右<rt>みぎ</rt></ruby>に見える\n二行目\n"
    assert read(text, tmp_path).sections[0].lines[0].text == "右に見える二行目"


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ScriptUnreadable, match="WEBVTT"):
        read("00:01.000 --> 00:02.000\nx\n", tmp_path)
    with pytest.raises(ScriptEmpty, match="no cue"):
        read("WEBVTT\n", tmp_path)
    with pytest.raises(ScriptEmpty, match="line 1"):
        read("just a text\n", tmp_path, "srt")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("01:02:03.004", Fraction(3723004, 1000)),
        ("01:02:03,4", Fraction(37234, 10)),
        ("02:03", Fraction(123)),
        ("123:00:00.000", Fraction(442800)),
        ("12.5", Fraction(25, 2)),
        ("90 s", Fraction(90)),
        ("00:61:00", None),
        ("00:00:60", None),
        ("-1", None),
        ("1:2:3:4", None),
        ("noon", None),
        ("", None),
    ],
)
def test_clock(text: str, expected: Fraction | None) -> None:
    assert parse_clock(text) == expected


def test_milliseconds_are_rounded_once() -> None:
    assert [to_ms(Fraction(n, 3)) for n in (1, 2, 3)] == [333, 667, 1000]
