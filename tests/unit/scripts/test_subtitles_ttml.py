from __future__ import annotations

import random
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.scripts.errors import ScriptEmpty, ScriptError, ScriptRefused, ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.model import ReadOptions, ScriptDocument, ScriptLine
from scheduler.scripts.source import ScriptSource
from scheduler.scripts.ttml import TtmlReader

NS = (
    'xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter" '
    'xmlns:ttm="http://www.w3.org/ns/ttml#metadata" xmlns:tts="http://www.w3.org/ns/ttml#styling" '
    'xmlns:smpte="http://www.smpte-ra.org/schemas/2052-1/2010/smpte-tt" xmlns:ebuttm="urn:ebu:tt:metadata"'
)


def tt(body: str, *, root: str = 'xml:lang="en"', head: str = "", ns: str = NS) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<tt {ns} {root}>\n<head>{head}</head>\n<body>{body}</body></tt>\n'


def read(data: str | bytes, folder: Path, **options: object) -> ScriptDocument:
    path = folder / "film.ttml"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return TtmlReader().read(ScriptSource.open(path), ReadOptions(**options))  # type: ignore[arg-type]


def lines_of(
    body: str, folder: Path, *, root: str = 'xml:lang="en"', head: str = "", **options: object
) -> tuple[ScriptLine, ...]:
    return read(tt(body, root=root, head=head), folder, **options).sections[0].lines


def test_ids_used_twice_or_no_xml_names_refuse_nothing(tmp_path: Path) -> None:
    body = '<div><p xml:id="{}" begin="0s" end="1s">One.</p><p xml:id="{}" begin="1s" end="2s">Two.</p></div>'
    assert [line.key for line in lines_of(body.format("a", "a"), tmp_path)] == ["a", "a~2"]
    assert [line.key for line in lines_of(body.format("1:x", "2/y"), tmp_path)] == ["1:x", "2/y"]


def test_a_paragraph_is_a_line_with_its_id_and_exact_times(tmp_path: Path) -> None:
    document = read(
        tt(
            '<div><p xml:id="c1" begin="00:00:01.500" end="00:00:02.25" region="r" style="s">Two <span>small</span>'
            "<br/>rows &amp; more.</p></div>",
            head="<metadata><ttm:title>The  Lamp</ttm:title></metadata>",
            root='xml:lang="en-gb"',
        ),
        tmp_path,
    )
    (line,) = document.sections[0].lines
    assert (line.key, line.text, line.in_time, line.out_time) == (
        "c1", "Two small rows & more.", Fraction(3, 2), Fraction(9, 4),
    )  # fmt: skip
    assert (line.place, line.language, line.kind) == ("line 4", "en-GB", "speech")
    assert (document.title, document.language, document.kind, document.format) == (
        "The Lamp",
        "en-GB",
        "dubbing",
        "ttml",
    )


@pytest.mark.parametrize(
    ("root", "begin", "expected"),
    [
        ("", "00:00:01", Fraction(1)),
        ("", "100:00:01.1", Fraction(3600011, 10)),
        ("", "1.25s", Fraction(5, 4)),
        ("", "1500ms", Fraction(3, 2)),
        ("", "2m", Fraction(120)),
        ("", "0.5h", Fraction(1800)),
        ('ttp:frameRate="25"', "00:00:01:05", Fraction(6, 5)),
        ('ttp:frameRate="25"', "50f", Fraction(2)),
        ('ttp:frameRate="24" ttp:frameRateMultiplier="1000 1001"', "00:00:00:12", Fraction(12 * 1001, 24000)),
        ('ttp:frameRate="30" ttp:frameRateMultiplier="1000:1001"', "30f", Fraction(1001, 1000)),
        ('ttp:frameRate="25" ttp:subFrameRate="2"', "00:00:01:05.1", Fraction(1) + Fraction(11, 50)),
        ('ttp:tickRate="10000000"', "12345678t", Fraction(12345678, 10_000_000)),
        ('ttp:frameRate="25" ttp:subFrameRate="4"', "250t", Fraction(5, 2)),
        ("", "7t", Fraction(7)),
        (
            'ttp:timeBase="smpte" ttp:frameRate="24" ttp:frameRateMultiplier="1000 1001"',
            "01:00:00:00",
            Fraction(36036, 10),
        ),
        (
            'ttp:timeBase="smpte" ttp:dropMode="dropNTSC" ttp:frameRate="30" ttp:frameRateMultiplier="1000 1001"',
            "01:00:00:00",
            Fraction(107892 * 1001, 30000),
        ),
        ('ttp:frameRate="24" ttp:frameRateMultiplier="1000 1001"', "01:00:00:00", Fraction(3600)),
    ],
)  # fmt: skip
def test_time_expressions(root: str, begin: str, expected: Fraction, tmp_path: Path) -> None:
    (line,) = lines_of(f'<p begin="{begin}" dur="1s">Said.</p>', tmp_path, root=root)
    assert (line.in_time, line.out_time) == (expected, expected + 1)


def test_a_frame_rate_is_only_asked_for_where_the_file_has_none(tmp_path: Path) -> None:
    body = '<p begin="50f" dur="1s">Said.</p>'
    asked = {"frame_rate": Fraction(25)}
    assert lines_of(body, tmp_path, root='ttp:frameRate="50"', **asked)[0].in_time == 1
    assert lines_of(body, tmp_path, root="", **asked)[0].in_time == 2
    document = read(tt(body), tmp_path)
    assert document.sections[0].lines[0].in_time == Fraction(50, 30)
    assert any("states no rate" in notice.reason for notice in document.notices)
    assert not any("states no rate" in notice.reason for notice in read(tt('<p dur="1s">A</p>'), tmp_path).notices)


def test_times_count_from_the_parent_and_nothing_outlasts_it(tmp_path: Path) -> None:
    lines = lines_of(
        '<div begin="10s" end="20s"><p begin="1s" end="3s">A.</p><p begin="8s" dur="9s">B.</p>'
        '<p begin="2s">C.</p></div>',
        tmp_path,
    )
    assert [(line.text, line.in_time, line.out_time) for line in lines] == [
        ("A.", 11, 13),
        ("B.", 18, 20),
        ("C.", 12, 20),
    ]


def test_a_sequence_counts_from_the_one_before(tmp_path: Path) -> None:
    document = read(
        tt(
            '<div timeContainer="seq" begin="10s"><p dur="2s">A.</p><p begin="1s" dur="2s">B.</p>'
            '<p end="1s">C.</p><p>D.</p><p dur="1s">E.</p></div>'
        ),
        tmp_path,
    )
    lines = document.sections[0].lines
    assert [(line.text, line.in_time, line.out_time) for line in lines] == [
        ("A.", 10, 12),
        ("B.", 13, 15),
        ("C.", 15, 16),
    ]
    assert [("no end" in fault.reason) for fault in document.rejected] == [True, True]


def test_a_sequence_of_divisions_takes_their_length_from_what_is_in_them(tmp_path: Path) -> None:
    lines = lines_of(
        '<div timeContainer="seq"><div><p begin="0s" end="4s">A.</p></div>'
        '<div><p begin="1s" end="2s">B.</p></div></div>',
        tmp_path,
    )
    assert [(line.text, line.in_time, line.out_time) for line in lines] == [("A.", 0, 4), ("B.", 5, 6)]


def test_spans_with_times_of_their_own_are_lines_of_their_own(tmp_path: Path) -> None:
    lines = lines_of(
        '<p begin="10s" end="20s">\n <span begin="1s" end="2s">First one.</span><br/>\n'
        ' <span begin="3s" end="5s">Then <span begin="0s">this one.</span></span>\n</p>',
        tmp_path,
    )
    assert [(line.text, line.in_time, line.out_time) for line in lines] == [
        ("First one.", 11, 12),
        ("Then this one.", 13, 15),
    ]


def test_spans_in_sequence(tmp_path: Path) -> None:
    lines = lines_of(
        '<p begin="10s" end="20s" timeContainer="seq"><span dur="1s">First one here.</span>'
        '<span begin="1s" dur="2s">Then this one.</span></p>',
        tmp_path,
    )
    assert [(line.in_time, line.out_time) for line in lines] == [(10, 11), (12, 14)]


def test_words_revealed_one_by_one_are_one_line(tmp_path: Path) -> None:
    document = read(
        tt(
            '<p begin="10s"><span begin="0s" end="1s">This</span> <span begin="1s" end="2s">is</span> '
            '<span begin="2s" end="3s">one</span> <span begin="3s" end="4s">line.</span></p>'
        ),
        tmp_path,
    )
    (line,) = document.sections[0].lines
    assert (line.text, line.in_time, line.out_time) == ("This is one line.", 10, 14)
    assert any("word by word" in notice.reason for notice in document.notices)


def test_agents_are_characters(tmp_path: Path) -> None:
    head = (
        '<metadata><ttm:agent xml:id="a1" type="character"><ttm:name type="full">Mara Field</ttm:name>'
        '<ttm:name type="alias">MARA</ttm:name></ttm:agent>'
        '<ttm:agent xml:id="a2" type="person"><ttm:name type="family">Reed</ttm:name></ttm:agent></metadata>'
    )
    body = (
        '<div ttm:agent="a1"><p begin="0s" end="1s">Mine.</p><p begin="1s" end="2s" ttm:agent="a1 a2">Ours.</p>'
        '<p begin="2s" end="3s">I ask. <span ttm:agent="a2">He answers.</span></p>'
        '<p begin="3s" end="4s" ttm:agent="stranger">Who?</p></div>'
    )
    document = read(tt(body, head=head), tmp_path)
    assert [(line.text, line.characters) for line in document.sections[0].lines] == [
        ("Mine.", ("MARA",)),
        ("Ours.", ("MARA", "Reed")),
        ("I ask.", ("MARA",)),
        ("He answers.", ("Reed",)),
        ("Who?", ("stranger",)),
    ]
    assert any("'stranger'" in notice.reason for notice in document.notices)


def test_language_is_inherited_and_switches(tmp_path: Path) -> None:
    body = (
        '<div xml:lang="fr"><p begin="0s" end="1s">Bonjour.</p></div>'
        '<div><p begin="1s" end="2s">He said <span xml:lang="de">nein</span>.</p></div>'
    )
    lines = lines_of(body, tmp_path)
    assert [(line.text, line.language) for line in lines] == [
        ("Bonjour.", "fr"), ("He said", "en"), ("nein", "de"),
    ]  # fmt: skip
    document = read(tt(body, root='xml:lang=""'), tmp_path)
    assert document.language == "fr"
    assert lines_of(body, tmp_path, language="en-US")[1].language == "en-US"


@pytest.mark.parametrize(
    ("role", "text", "kind", "said"),
    [
        ("caption", "Said.", "speech", "Said."),
        ("dialog", "Said.", "speech", "Said."),
        ("description", "A man enters.", "speech", "A man enters."),
        ("sound", "[door slams]", "reaction", "door slams"),
        ("music", "♪ solemn ♪", "reaction", "solemn"),
        ("text", "BAKERY", "onscreen", "BAKERY"),
        ("x-note caption", "Said.", "speech", "Said."),
    ],
)
def test_roles_are_kinds(role: str, text: str, kind: str, said: str, tmp_path: Path) -> None:
    (line,) = lines_of(f'<p begin="0s" end="1s" ttm:role="{role}">{text}</p>', tmp_path)
    assert (line.kind, line.text, dict(line.extra)) == (kind, said, {"role": role})


def test_suppressed_text_and_readings_are_not_said(tmp_path: Path) -> None:
    document = read(
        tt(
            '<p begin="0s" end="1s" ttm:role="suppressed">Not said.</p>'
            '<p begin="1s" end="2s"><span tts:ruby="container"><span tts:ruby="base">右</span>'
            '<span style="reading">みぎ</span></span>に見える</p>',
            head='<styling><style xml:id="reading" tts:ruby="text"/></styling>',
            root='xml:lang="ja"',
        ),
        tmp_path,
    )
    assert [line.text for line in document.sections[0].lines] == ["右に見える"]
    assert any("suppressed" in notice.reason for notice in document.notices)


def test_labels_and_sounds_inside_the_text(tmp_path: Path) -> None:
    lines = lines_of('<p begin="0s" end="1s">MARA: Go.<br/>TOM: [laughs] No.</p>', tmp_path)
    assert [(line.characters, line.text, dict(line.direction)) for line in lines] == [
        (("MARA",), "Go.", {}),
        (("TOM",), "No.", {"reaction": "laughs"}),
    ]


def test_a_sound_beside_speech_is_a_line_of_its_own(tmp_path: Path) -> None:
    lines = lines_of('<p begin="0s" end="1s">[phone rings]<br/>MARA: Hello?</p>', tmp_path)
    assert [(line.kind, line.text, line.characters) for line in lines] == [
        ("reaction", "phone rings", ()),
        ("speech", "Hello?", ("MARA",)),
    ]


@pytest.mark.parametrize(
    ("cue", "why"),
    [
        ('<p begin="0s" end="1s"><image src="a.png"/></p>', "picture"),
        ('<div begin="0s" end="1s" smpte:backgroundImage="#img1"><p/></div>', "picture"),
        ('<p begin="soon" end="1s">x</p>', "no time expression"),
        ('<p begin="-1s" end="1s">x</p>', "before zero"),
        ('<p begin="00:00:00:25" end="1s">x</p>', "frame 25"),
        ('<p begin="00:61:00" end="1s">x</p>', "clock"),
        ('<p begin="2s" end="2s">x</p>', "lasts no time"),
        ('<p begin="2s" end="1s">x</p>', "ends before"),
        ('<p begin="2s">x</p>', "no end"),
        ('<p begin="999999h" end="1000000h">x</p>', "596 hours"),
    ],
)
def test_what_cannot_be_read_is_reported_with_its_line(cue: str, why: str, tmp_path: Path) -> None:
    document = read(
        tt(f'\n<p begin="0s" end="1s">Fine.</p>\n{cue}\n', root='ttp:frameRate="25" xml:lang="en"'), tmp_path
    )
    assert [line.text for line in document.sections[0].lines] == ["Fine."]
    ((place, reason),) = [(fault.place, fault.reason) for fault in document.rejected]
    assert place == "line 6"
    assert why in reason


def test_a_start_of_programme_is_reported_and_not_taken_off(tmp_path: Path) -> None:
    head = "<metadata><ebuttm:documentStartOfProgramme>10:00:00:00</ebuttm:documentStartOfProgramme></metadata>"
    document = read(tt('<p begin="36001s" end="36002s">Said.</p>', head=head), tmp_path)
    assert document.sections[0].lines[0].in_ms == 36_001_000
    assert any("10:00:00:00" in notice.reason for notice in document.notices)


@pytest.mark.parametrize(
    "ns", ['xmlns="http://www.w3.org/2006/10/ttaf1"', 'xmlns="http://www.w3.org/2006/04/ttaf1"', NS, ""]
)
def test_older_namespaces_and_none(ns: str, tmp_path: Path) -> None:
    document = read(tt('<div><p begin="0s" end="1s">Said.</p></div>', ns=ns), tmp_path)
    assert [line.text for line in document.sections[0].lines] == ["Said."]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_encodings_are_those_declared(encoding: str, tmp_path: Path) -> None:
    text = tt('<p begin="0s" end="1s">Où es-tu allée ?</p>').replace("UTF-8", encoding.replace("-sig", ""))
    data = text.replace("\n", "\r\n").encode(encoding)
    assert TtmlReader().sniff(data[:4096])
    assert read(data, tmp_path).sections[0].lines[0].text == "Où es-tu allée ?"


def test_prefixed_elements(tmp_path: Path) -> None:
    text = (
        '<tt:tt xmlns:tt="http://www.w3.org/ns/ttml" xml:lang="en"><tt:body><tt:div><tt:p begin="0s" end="1s">One'
        "<!-- a comment --> <tt:br/>two.<tt:metadata>not said</tt:metadata></tt:p></tt:div></tt:body></tt:tt>"
    )
    assert TtmlReader().sniff(text.encode())
    assert [line.text for line in read(text, tmp_path).sections[0].lines] == ["One two."]


def test_a_dubbing_script_and_other_xml_are_not_claimed() -> None:
    reader = TtmlReader()
    dapt = '<tt xmlns="http://www.w3.org/ns/ttml" {}>'
    assert reader.sniff(dapt.format("").encode())
    assert not reader.sniff(dapt.format('xmlns:daptm="urn:x" daptm:scriptType="preRecording"').encode())
    profile = 'ttp:contentProfiles="http://www.w3.org/ns/ttml/profile/dapt1.0/content"'
    assert not reader.sniff(dapt.format(profile).encode())
    assert not reader.sniff(b'<xliff version="1.2"><file/></xliff>')
    assert not reader.sniff(b"<html><tt>code</tt></html>")


@pytest.mark.parametrize(
    ("text", "error", "why"),
    [
        ("<tt>", ScriptUnreadable, "XML"),
        ("<html/>", ScriptUnreadable, "root"),
        (f"<tt {NS}/>", ScriptUnreadable, "body"),
        (tt(""), ScriptEmpty, "no cue"),
        (tt('<p begin="0s" end="1s"><image src="a.png"/></p>'), ScriptEmpty, "picture"),
        (tt("<p/>", root='ttp:frameRate="0"'), ScriptUnreadable, "frameRate"),
        (tt("<p/>", root='ttp:frameRate="25" ttp:frameRateMultiplier="1 0"'), ScriptUnreadable, "Multiplier"),
        (tt("<p/>", root='ttp:tickRate="fast"'), ScriptUnreadable, "tickRate"),
        (tt("<p/>", root='ttp:timeBase="smpte" ttp:dropMode="dropPAL"'), ScriptUnreadable, "dropPAL"),
        (tt("<div>" * 90 + '<p end="1s">x</p>' + "</div>" * 90), ScriptTooLarge, "deep"),
        (tt('<p end="1s">' + "<span>" * 90 + "x" + "</span>" * 90 + "</p>"), ScriptTooLarge, "deep"),
        ('<!DOCTYPE tt [<!ENTITY a "b">]>' + tt("").partition("\n")[2], ScriptRefused, "entities"),
    ],
)
def test_files_that_are_none(text: str, error: type[ScriptError], why: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=why):
        read(text, tmp_path)


WHOLE = tt(
    '<div begin="1s" timeContainer="seq"><p xml:id="a" begin="00:00:01:05" dur="2.5s" ttm:agent="m">A <span begin="1f"'
    ' end="30t">b</span><br/>c</p><p end="3s" ttm:role="sound">[bell]</p></div>',
    head='<metadata><ttm:agent xml:id="m"><ttm:name>M</ttm:name></ttm:agent></metadata>',
    root='xml:lang="en" ttp:frameRate="25" ttp:subFrameRate="2" ttp:frameRateMultiplier="1000 1001" ttp:tickRate="10"',
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), count=st.integers(1, 12))
def test_whatever_the_bytes_are_only_script_errors_come(tmp_path: Path, seed: int, count: int) -> None:
    dice = random.Random(seed)
    data = bytearray(WHOLE.encode())
    for _ in range(count):
        at = dice.randrange(data.index(b"<tt"), len(data))
        data[at : at + dice.randrange(2)] = dice.choice([b"9", b"-", b"f", b":", b"0", b" ", dice.randbytes(1)])
    with suppress(ScriptError):
        read(bytes(data), tmp_path)
