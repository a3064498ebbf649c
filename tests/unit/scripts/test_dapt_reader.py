"""Script Events as lines: who says what, in which language, when exactly, and what is told about it."""

import json
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.scripts.dapt.findings import errors
from scheduler.scripts.dapt.reader import DaptReader
from scheduler.scripts.dapt.validate import validate
from scheduler.scripts.errors import ScriptEmpty, ScriptError, ScriptRefused, ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.model import ReadOptions
from scheduler.scripts.source import ScriptSource

ROOT = """<?xml version="1.0" encoding="UTF-8"?>
<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter"
    xmlns:ttm="http://www.w3.org/ns/ttml#metadata" xmlns:tts="http://www.w3.org/ns/ttml#styling"
    xmlns:daptm="http://www.w3.org/ns/ttml/profile/dapt#metadata" xmlns:ebuttm="urn:ebu:tt:metadata"
    ttp:contentProfiles="http://www.w3.org/ns/ttml/profile/dapt1.0/content"
    """
DUB = """xml:lang="fr" daptm:scriptType="preRecording" daptm:scriptRepresents="audio visual.text"
    daptm:represents="audio.dialogue" daptm:langSrc="en">"""
FILM = f"""{ROOT}ttp:frameRate="24" ttp:frameRateMultiplier="1000 1001" {DUB}
  <head>
    <metadata>
      <ttm:title>The  Harbour</ttm:title>
      <ttm:agent type="person" xml:id="p1"><ttm:name type="full">Ida Blom</ttm:name></ttm:agent>
      <ttm:agent type="character" xml:id="c1"><ttm:name type="alias">NORA</ttm:name><ttm:actor agent="p1"/></ttm:agent>
      <ttm:agent type="character" xml:id="c2">
        <ttm:name type="full">Otto Lind</ttm:name><ttm:name type="alias">OTTO</ttm:name>
      </ttm:agent>
      <ebuttm:documentStartOfProgramme>10:00:00:00</ebuttm:documentStartOfProgramme>
      <daptm:daptOriginTimecode>10:01:00:12</daptm:daptOriginTimecode>
    </metadata>
  </head>
  <body>
    <div xml:id="r1-001" begin="2400f" end="2460f" ttm:agent="c1" daptm:onScreen="OFF">
      <ttm:desc daptm:descType="scene">12A</ttm:desc>
      <ttm:desc daptm:descType="pronunciationNote">[o.to]</ttm:desc>
      <ttm:desc daptm:descType="x-emotion">worried</ttm:desc>
      <ttm:desc>Wind on the track.</ttm:desc>
      <ttm:desc>Check with the client.</ttm:desc>
      <metadata xmlns:v="urn:vendor" v:take="3"><v:loop nr="7">R1</v:loop></metadata>
      <p xml:lang="en" daptm:langSrc="en">
        <span>Otto, the boat is gone!</span>
      </p>
      <p>
        <span begin="0f">Otto,</span>
        <span begin="24f"> le bateau a disparu !</span>
      </p>
      <p xml:lang="de">Otto, das Boot ist weg!</p>
    </div>
    <div xml:id="r1-002" begin="2460f" dur="1s" ttm:agent="c1 c2"><p>Quoi<br/>donc ?</p></div>
    <div xml:id="r1-003" begin="200s" end="201s" ttm:agent="c2" daptm:represents="audio.nonDialogueSounds">
      <p>halète</p>
    </div>
    <div xml:id="r1-004" begin="202s" end="203s" daptm:represents="audio.nonDialogueSounds"><p>foule</p></div>
    <div xml:id="r1-005" begin="204s" end="205s" daptm:represents="visual.text.location">
      <p xml:lang="en" daptm:langSrc="en">BERGEN, 1912</p><p>BERGEN, 1912</p>
    </div>
    <div xml:id="r1-006" begin="206s" end="207s"/>
  </body>
</tt>
"""


def read(tmp_path, text, name="film.dapt", **options):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return DaptReader().read(ScriptSource.open(path), ReadOptions(**options))


def lines(document):
    return [line for section in document.sections for line in section.lines]


def dub(body, root=DUB):
    return f"{ROOT}{root}\n<body>\n{body}\n</body></tt>"


def described(body, **options):
    root = 'xml:lang="en" daptm:scriptType="preRecording" daptm:scriptRepresents="visual">'
    return dub(body, root)


def test_a_film_as_lines(tmp_path):
    document = read(tmp_path, FILM)
    assert (document.title, document.language, document.kind, document.format) == (
        "The Harbour",
        "fr",
        "dubbing",
        "dapt",
    )
    (section,) = document.sections
    assert (section.key, section.kind, section.title) == ("events", "reel", "The Harbour")
    assert [line.key for line in section.lines] == [f"r1-00{number}" for number in range(1, 6)]
    assert [line.kind for line in section.lines] == ["speech", "speech", "reaction", "walla", "onscreen"]
    assert [line.boundary for line in section.lines][-1] == "section"
    assert document.rejected == ()


def test_a_line_with_everything(tmp_path):
    line = lines(read(tmp_path, FILM))[0]
    assert line.text == "Otto, le bateau a disparu !"
    assert (line.language, line.original) == ("fr", "Otto, the boat is gone!")
    assert line.characters == ("NORA",)
    assert (line.in_time, line.out_time) == (Fraction(1001, 10), Fraction(2460 * 1001, 24000))
    assert (line.in_ms, line.out_ms) == (100_100, 102_603)
    assert line.direction == {"pronunciation": "[o.to]", "emotion": "worried", "onscreen": "off"}
    assert line.notes == "Wind on the track.\nCheck with the client."
    assert line.place == "line 21"
    extra = dict(line.extra)
    assert json.loads(extra.pop("spans")) == [
        {"in": "1001/10", "out": "41041/400", "text": "Otto,"},
        {"in": "101101/1000", "out": "41041/400", "text": " le bateau a disparu !"},
    ]
    assert extra == {
        "scene": "12A",
        "actor": "Ida Blom",
        "original.language": "en",
        "text:de": "Otto, das Boot ist weg!",
        "{urn:vendor}take": "3",
        "{urn:vendor}loop": "R1",
        "{urn:vendor}loop/@nr": "7",
    }


def test_two_characters_at_once_and_a_line_break(tmp_path):
    line = lines(read(tmp_path, FILM))[1]
    assert (line.characters, line.text) == (("NORA", "OTTO"), "Quoi donc ?")
    assert line.out_time - line.in_time == 1


def test_what_the_reader_noticed(tmp_path):
    reasons = [item.reason for item in read(tmp_path, FILM).notices]
    assert "the script's time zero is at timecode 10:01:00:12" in reasons
    assert "the programme's start is at timecode 10:00:00:00" in reasons
    assert "1 Script Events hold no text yet: r1-006" in reasons
    assert any("add +60.560 s to every time" in reason for reason in reasons)


def test_another_language_of_the_file(tmp_path):
    document = read(tmp_path, FILM, language="de")
    first, second, *_ = lines(document)
    assert document.language == "de"
    assert (first.text, first.language, first.original) == ("Otto, das Boot ist weg!", "de", "Otto, the boat is gone!")
    assert second.language == "fr"
    assert any(item.reason == "r1-002 has no text in de; its text in fr is taken" for item in document.notices)


def test_a_language_that_is_nowhere(tmp_path):
    with pytest.raises(ScriptEmpty, match="no text in ja; it has de, en, fr"):
        read(tmp_path, FILM, language="ja")


def test_a_regional_text_is_the_language_asked_for(tmp_path):
    (line,) = lines(read(tmp_path, dub('<div xml:id="a"><p xml:lang="en">x</p><p xml:lang="fr-CA">y</p></div>')))
    assert (line.text, line.language, line.original) == ("y", "fr-CA", "x")


def test_an_original_transcript_in_two_languages(tmp_path):
    root = (
        'xml:lang="da" daptm:scriptType="originalTranscript" daptm:scriptRepresents="audio" daptm:represents="audio">'
    )
    body = (
        '<div xml:id="a"><p daptm:langSrc="da">Hej.</p></div>'
        '<div xml:id="b"><p xml:lang="sv" daptm:langSrc="sv">Hejsan.</p></div>'
    )
    document = read(tmp_path, dub(body, root))
    assert [(line.text, line.language, line.original) for line in lines(document)] == [
        ("Hej.", "da", ""),
        ("Hejsan.", "sv", ""),
    ]
    assert document.notices == ()


def test_times_add_up_through_all_that_is_around(tmp_path):
    body = """<div begin="00:10:00" xml:lang="fr"><div begin="1m" end="80s">
      <div xml:id="a" begin="1.5s" end="3000ms"><p begin="0.5s">a</p></div>
      <div xml:id="b" begin="10s" dur="30s"><p>b</p></div>
      <div xml:id="c" begin="0.00001h"><p>c</p></div>
    </div></div>"""
    found = lines(read(tmp_path, dub(body)))
    base = Fraction(660)
    assert [(line.in_time, line.out_time) for line in found] == [
        (base + Fraction(3, 2), base + 3),
        (base + 10, base + 20),
        (base + Fraction(36, 1000), base + 20),
    ]


def test_ticks_are_exact(tmp_path):
    root = DUB.replace("xml:lang", 'ttp:tickRate="90000" xml:lang', 1)
    (line,) = lines(read(tmp_path, dub('<div xml:id="a" begin="1t" end="90001t"><p>a</p></div>', root)))
    assert (line.in_time, line.out_time) == (Fraction(1, 90000), Fraction(90001, 90000))


def test_times_of_the_text_where_the_event_has_none(tmp_path):
    timed, untimed = lines(
        read(tmp_path, dub('<div xml:id="a"><p begin="1s" end="2s">a</p></div><div xml:id="b"><p>b</p></div>'))
    )
    assert (timed.in_time, timed.out_time) == (1, 2)
    assert (untimed.in_time, untimed.out_time, untimed.in_ms) == (None, None, None)


def test_an_event_that_never_is_is_rejected(tmp_path):
    body = '<div xml:id="a" begin="2s" end="2s"><p>a</p></div><div xml:id="b" begin="1s"><p>b</p></div>'
    body += '<div xml:id="c" begin="999h"><p>c</p></div>'
    document = read(tmp_path, dub(body))
    assert [line.key for line in lines(document)] == ["b"]
    assert [item.reason for item in document.rejected] == [
        "a: the cue lasts no time: give it an end after its beginning",
        "c: the cue is more than 596 hours in",
    ]


def test_groups_are_sections(tmp_path):
    body = """<div xml:id="zero"><p>0</p></div>
    <div><ttm:title>Reel 1</ttm:title><div><div xml:id="one"><p>1</p></div></div><div xml:id="two"><p>2</p></div></div>
    <div xml:id="R2"><div xml:id="three"><p>3</p></div></div>"""
    found = [
        (section.title, [line.key for line in section.lines], section.lines[-1].boundary)
        for section in read(tmp_path, dub(body)).sections
    ]
    assert found == [("film", ["zero"], "section"), ("Reel 1", ["one", "two"], "section"), ("R2", ["three"], "section")]


def test_text_of_no_event_is_rejected(tmp_path):
    document = read(tmp_path, dub('<div>\n<p>lost</p></div><div xml:id="a"><p>a</p></div>'))
    assert [(item.place, item.reason.split(";")[0]) for item in document.rejected] == [
        ("line 10", "the text belongs to no Script Event"),
    ]


def test_an_audio_description_is_spoken(tmp_path):
    body = """<div xml:id="a" daptm:represents="visual.nonText" daptm:langSrc="zxx"><p>A boat drifts by.</p></div>
    <div xml:id="b" daptm:represents="visual.text.location"><p>Bergen harbour</p></div>"""
    found = lines(read(tmp_path, described(body)))
    assert [(line.kind, line.text, line.extra["represents"]) for line in found] == [
        ("speech", "A boat drifts by.", "visual.nonText"),
        ("speech", "Bergen harbour", "visual.text.location"),
    ]


def test_ruby_is_how_it_is_said(tmp_path):
    body = (
        '<div xml:id="a"><p xml:lang="ja"><span tts:ruby="container"><span tts:ruby="base">海</span>'
        '<span tts:ruby="delimiter">(</span><span tts:ruby="text">うみ</span><span tts:ruby="delimiter">)</span></span>'
        "へ</p></div>"
    )
    (line,) = lines(read(tmp_path, dub(body)))
    assert (line.text, line.spoken) == ("海へ", "うみへ")


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        ("<p>\n  one\n  <span>two</span>\n</p>", "one two"),
        ("<p xml:lang='ja'>\n  一行\n  <span>二行</span>\n</p>", "一行二行"),
        ('<p xml:space="preserve"> a  b<br/>c </p>', " a  b\nc "),
        ("<p>a<metadata><ttm:desc>no</ttm:desc></metadata>b</p>", "ab"),
        ('<p>a<x xmlns="urn:v">no</x>b</p>', "ab"),
        ("<p>&lt;a&gt; &amp; &#233;<!-- no --></p>", "<a> & é"),
        ("<p>one</p><p>two</p>", "one two"),
    ],
)
def test_words_of_a_text(tmp_path, inside, text):
    inside = inside.replace("<p>a<metadata>", "<p><metadata>").replace("</metadata>b", "</metadata>ab")
    (line,) = lines(read(tmp_path, dub(f'<div xml:id="a">{inside}</div>')))
    assert line.text == text


def test_characters_named_on_the_text(tmp_path):
    agents = (
        '<head><metadata><ttm:agent type="character" xml:id="c"><ttm:name type="alias">NORA</ttm:name></ttm:agent>'
        "</metadata></head>"
    )
    text = dub('<div xml:id="a"><p ttm:agent="c">a</p></div><div xml:id="b"><p><span ttm:agent="c">b</span></p></div>')
    found = lines(read(tmp_path, text.replace("<body>", f"{agents}<body>")))
    assert [line.characters for line in found] == [("NORA",), ("NORA",)]


def test_a_recording_is_carried(tmp_path):
    body = '<div xml:id="a"><p>a<audio src="a.wav" type="audio/wave"/></p></div>'
    assert lines(read(tmp_path, dub(body)))[0].extra["audio"] == "a.wav"


def test_a_byte_order_mark_is_read_past(tmp_path):
    document = read(tmp_path, b"\xef\xbb\xbf" + FILM.encode())
    assert document.notices[0].reason.startswith("serialization: ")


def test_a_file_that_is_not_dapt_is_refused_with_rules_and_lines(tmp_path):
    wrong = (
        FILM.replace('"OFF"', '"off"').replace('begin="200s"', 'begin="200"').replace("visual.text.location", "video")
    )
    with pytest.raises(ScriptUnreadable) as caught:
        read(tmp_path, wrong)
    assert caught.value.place == "line 21"
    assert caught.value.reason.startswith("onScreen: ")
    assert "line 38: timing: " in caught.value.reason
    assert "represents: " in caught.value.reason


@pytest.mark.parametrize(
    ("data", "error", "reason"),
    [
        (b"\n", ScriptUnreadable, "serialization: .*not well-formed"),
        (FILM.encode()[:900], ScriptUnreadable, "serialization: .*not well-formed"),
        (FILM.encode("utf-16"), ScriptUnreadable, "not UTF-8"),
        (FILM.encode("cp1252"), ScriptUnreadable, "not UTF-8"),
        (FILM.replace("<tt ", '<!DOCTYPE tt [<!ENTITY e "e">]><tt ').encode(), ScriptRefused, "document type"),
        (b"PK\x03\x04" + bytes(100), ScriptUnreadable, "not well-formed"),
        (b'<tt xmlns="http://www.w3.org/ns/ttml" xml:lang="fr"><body/></tt>', ScriptUnreadable, "contentProfiles-root"),
        (dub('<div xml:id="a"/>').encode(), ScriptEmpty, "no Script Event with a text"),
        (dub("<div>" * 70 + "</div>" * 70).encode(), ScriptTooLarge, "deep"),
    ],
)
def test_bad_files(tmp_path, data, error, reason):
    with pytest.raises(error, match=reason):
        read(tmp_path, data)


def test_a_large_file_is_not_read(tmp_path):
    with pytest.raises(ScriptTooLarge):
        read(tmp_path, FILM, max_file_bytes=1000)


def test_a_text_without_end_is_not_read(tmp_path):
    with pytest.raises(ScriptTooLarge, match="a has a text of more than 100 characters"):
        read(tmp_path, dub(f'<div xml:id="a"><p>{"word " * 50}</p></div>'), max_source_line_chars=100)


def test_an_embedded_recording_of_megabytes_is_read_past(tmp_path):
    data = f'<data type="audio/wave">{"QUJD" * 2_000_000}=</data>'
    body = f'<div xml:id="a"><p>a<audio><source>{data}</source></audio></p></div>'
    assert lines(read(tmp_path, dub(body)))[0].text == "a"


def test_signatures():
    reader = DaptReader()
    assert reader.sniff(FILM.encode()[:4096])
    assert reader.sniff(b"\xef\xbb\xbf" + FILM.encode()[:4096])
    assert not reader.sniff(b'<?xml version="1.0"?><tt xmlns="http://www.w3.org/ns/ttml" xml:lang="fr"/>')
    assert not reader.sniff(b"see http://www.w3.org/ns/ttml/profile/dapt1.0/content")


_NAMES = st.sampled_from(
    [
        "div",
        "div",
        "p",
        "p",
        "span",
        "br",
        "audio",
        "source",
        "data",
        "metadata",
        "ttm:desc",
        "animate",
        "region",
        "v:x",
    ]
)
_ATTRIBUTES = st.dictionaries(
    st.sampled_from(
        [
            "xml:id",
            "begin",
            "end",
            "dur",
            "xml:lang",
            "xml:space",
            "daptm:langSrc",
            "daptm:represents",
            "ttm:agent",
            "src",
            "type",
            "daptm:onScreen",
            "daptm:descType",
            "tts:ruby",
            "v:a",
            "timeContainer",
        ]
    ),
    st.sampled_from(
        [
            "a",
            "b",
            "c",
            "#a",
            "",
            "1s",
            "0.5s",
            "00:00:02",
            "24f",
            "9t",
            "preserve",
            "fr",
            "en",
            "zxx",
            "audio.dialogue",
            "visual.text",
            "ON",
            "scene",
            "x-a",
            "base",
            "text",
            "container",
            "par",
        ]
    ),
    max_size=4,
)


def _element(name, attributes, inside):
    written = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f"<{name}{written}>{''.join(inside)}</{name}>"


_TREES = st.recursive(
    st.sampled_from(["", " ", "words", "漢字"]),
    lambda inner: st.builds(_element, _NAMES, _ATTRIBUTES, st.lists(inner, max_size=3)),
    max_leaves=8,
)
_EVENTS = st.builds(
    lambda attributes, inside: _element("div", attributes | {"xml:id": "e"}, inside),
    _ATTRIBUTES,
    st.lists(_TREES, max_size=3),
)


@settings(max_examples=150, deadline=None)
@given(_EVENTS)
def test_what_is_valid_is_read_and_nothing_else_is(tmp_path_factory, body):
    data = dub(body, f'xmlns:v="urn:v" ttp:frameRate="25" {DUB}').encode()
    path = tmp_path_factory.getbasetemp() / "tree.dapt"
    path.write_bytes(data)
    wrong = errors(validate(data, "tree.dapt", strict=False))
    try:
        DaptReader().read(ScriptSource.open(path), ReadOptions())
    except ScriptEmpty:
        outcome = "empty"
    except ScriptUnreadable as error:
        outcome = error.place
    else:
        outcome = "read"
    assert outcome == (f"line {wrong[0].line}" if wrong else outcome)
    assert outcome in ("empty", "read") or wrong


_SEED = FILM.encode()
_PIECES = st.sampled_from(
    [
        b"<",
        b">",
        b"/",
        b'"',
        b"&",
        b"<div>",
        b"</div>",
        b"<p>",
        b"f",
        b"t",
        b"999999999h",
        b"\xff",
        b"\x00",
        b"xml:id",
        b"-",
        b"<![CDATA[",
    ]
)


@settings(max_examples=250, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(_SEED) - 1), st.integers(0, 12), _PIECES | st.binary(max_size=3)), max_size=4)
)
def test_no_bytes_raise_anything_else(tmp_path_factory, changes):
    data = bytearray(_SEED)
    for at, cut, piece in changes:
        data[at : at + cut] = piece
    path = tmp_path_factory.getbasetemp() / "mutated.dapt"
    path.write_bytes(bytes(data))
    try:
        found = DaptReader().read(ScriptSource.open(path), ReadOptions()).line_count
    except ScriptError as error:
        found = len(error.reason)
    assert found
