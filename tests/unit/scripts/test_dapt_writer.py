"""What is written is DAPT, is the same each time, and comes back as the same lines."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.scripts.clock import to_ms
from scheduler.scripts.dapt.reader import DaptReader
from scheduler.scripts.dapt.validate import validate
from scheduler.scripts.dapt.write import AudioRecording, write_dapt
from scheduler.scripts.errors import ScriptUnreadable
from scheduler.scripts.model import ReadOptions, ScriptDocument, ScriptLine, ScriptSection
from scheduler.scripts.source import ScriptSource

SHA = "ab" * 32


def line(key="e1", text="Bonsoir.", begin=Fraction(1), end=Fraction(2), **more):
    times = {
        "in_time": begin,
        "out_time": end,
        "in_ms": None if begin is None else to_ms(begin),
        "out_ms": None if end is None else to_ms(end),
    }
    return ScriptLine(key=key, text=text, language=more.pop("language", "fr"), **times, **more)


def script(*lines, language="fr", title="Film"):
    *first, last = lines
    sections = (ScriptSection("events", "reel", title, (*first, replace(last, boundary="section"))),)
    return ScriptDocument(title, "", language, "dubbing", "dapt", sections)


def read_back(tmp_path, data):
    path = tmp_path / "back.dapt"
    path.write_bytes(data)
    return DaptReader().read(ScriptSource.open(path), ReadOptions())


def placeless(document):
    return [replace(item, place="") for section in document.sections for item in section.lines]


def assert_round_trip(tmp_path, document, **options):
    data = write_dapt(document, **options)
    assert validate(data, "x") == ()
    back = read_back(tmp_path, data)
    assert placeless(back) == placeless(document)
    assert write_dapt(back, **options) == data
    return data.decode()


def test_a_dubbing_line_is_written_in_the_words_of_dapt(tmp_path):
    written = assert_round_trip(
        tmp_path,
        script(
            line(
                "dlg-0001",
                "On part demain.",
                Fraction(10),
                Fraction(51, 4),
                characters=("MARTIN",),
                original="We leave tomorrow.",
                direction={"emotion": "exalté", "onscreen": "on/off", "pronunciation": "mar.tin"},
                notes="Plan large.",
                extra={"original.language": "en", "scene": "12A", "actor": "P. Durand"},
            )
        ),
    )
    assert '<p xml:lang="en" daptm:langSrc="en">We leave tomorrow.</p>' in written
    assert '<p xml:lang="fr" daptm:langSrc="en">On part demain.</p>' in written
    assert (
        '<div xml:id="dlg-0001" begin="10s" end="12.75s" ttm:agent="character_1" daptm:represents="audio.dialogue"'
        ' daptm:onScreen="ON_OFF">'
    ) in written
    assert '<ttm:desc daptm:descType="x-emotion">exalté</ttm:desc>' in written
    assert '<ttm:desc daptm:descType="pronunciationNote">mar.tin</ttm:desc>' in written
    assert '<ttm:desc daptm:descType="scene">12A</ttm:desc>' in written
    assert '<ttm:actor agent="actor_1"/>' in written
    assert "vf:line" not in written
    assert "vf:extra" not in written


def test_every_kind_comes_back(tmp_path):
    written = assert_round_trip(
        tmp_path,
        script(
            line("a", kind="speech", characters=("ANNE",)),
            line("b", kind="reaction", characters=("ANNE",), begin=Fraction(2), end=Fraction(3)),
            line("c", kind="walla", begin=Fraction(3), end=Fraction(4)),
            line("d", kind="onscreen", begin=Fraction(4), end=Fraction(5)),
        ),
    )
    assert 'daptm:scriptRepresents="audio.dialogue audio.nonDialogueSounds visual.text"' in written
    assert "vf:line" not in written


def test_onscreen_alone_is_not_taken_for_audio_description(tmp_path):
    assert 'kind="onscreen"' in assert_round_trip(tmp_path, script(line(kind="onscreen")))


def test_a_kind_that_the_descriptor_does_not_tell(tmp_path):
    lines = (line("a"), line("b", extra={"represents": "visual.text"}), line("c", kind="walla", characters=("ANNE",)))
    written = assert_round_trip(tmp_path, script(*lines))
    assert written.count('<vf:line kind="speech"/>') == 1


def test_audio_description_keeps_what_it_describes(tmp_path):
    written = assert_round_trip(tmp_path, script(line(extra={"represents": "visual.nonText"})))
    assert 'daptm:scriptRepresents="visual.nonText"' in written


def test_times_at_29_97_are_frames_and_others_stay_exact(tmp_path):
    rate = Fraction(30000, 1001)
    written = assert_round_trip(
        tmp_path,
        script(
            line("a", begin=100 / rate, end=160 / rate),
            line("b", begin=Fraction(16, 3), end=Fraction(23, 4)),
        ),
        frame_rate=rate,
    )
    assert 'ttp:frameRate="30"' in written
    assert 'ttp:frameRateMultiplier="1000 1001"' in written
    assert 'begin="100f" end="160f"' in written
    assert 'ttp:tickRate="3"' in written
    assert 'begin="16t" end="5.75s"' in written


def test_drop_frame_times_without_a_rate_become_ticks(tmp_path):
    written = assert_round_trip(tmp_path, script(line(begin=Fraction(1001, 30), end=Fraction(1001, 15))))
    assert 'ttp:tickRate="30"' in written


def test_inner_times_are_spans(tmp_path):
    spans = '[{"in":"1","out":"3/2","text":"Bonsoir,"},{"in":"3/2","out":"2","text":" Anne."}]'
    written = assert_round_trip(tmp_path, script(line(text="Bonsoir, Anne.", extra={"spans": spans})))
    assert '<span begin="0s" end="0.5s">Bonsoir,</span><span begin="0.5s" end="1s"> Anne.</span>' in written
    assert "vf:extra" not in written


@pytest.mark.parametrize(
    "spans",
    [
        '[{"in":"0","out":"3/2","text":"Bonsoir."}]',  # before the line
        '[{"in":"1","out":"3/2","text":"Autre."}]',  # not its text
        '[{"in":"1e999999999","out":"2","text":"Bonsoir."}]',
        "[" * 5000,
        "nothing",
    ],
)
def test_inner_times_that_do_not_fit_are_carried(tmp_path, spans):
    assert "vf:extra" in assert_round_trip(tmp_path, script(line(extra={"spans": spans})))


def test_metadata_of_other_tools_goes_back_where_it_came_from(tmp_path):
    written = assert_round_trip(tmp_path, script(line(extra={"{urn:vendor}take": "3", "Loop Nr": "7"})))
    assert '<x:take xmlns:x="urn:vendor">3</x:take>' in written
    assert '<vf:extra name="Loop Nr">7</vf:extra>' in written


def test_translations_into_further_languages_are_texts(tmp_path):
    extra = {"original.language": "en", "text:de": "Guten Abend."}
    written = assert_round_trip(tmp_path, script(line(original="Good evening.", extra=extra)))
    assert '<p xml:lang="de" daptm:langSrc="en">Guten Abend.</p>' in written


def test_an_original_in_the_same_language_is_no_second_text_to_speak(tmp_path):
    extra = {"original.language": "fr"}
    assert_round_trip(tmp_path, script(line(original="Bonsoir quand même.", extra=extra)))


def test_a_line_in_another_language_than_the_script(tmp_path):
    extra = {"original.language": "en"}
    assert_round_trip(tmp_path, script(line(), line("e2", "¡Hola!", language="es", original="Hi!", extra=extra)))


def test_keys_that_are_no_ids_come_back(tmp_path):
    written = assert_round_trip(tmp_path, script(line("0001"), line("ep 1/loop 2"), line("event_1"), line("a~2")))
    assert '<div xml:id="event_2"' in written


def test_sections_come_back(tmp_path):
    one = ScriptSection("reel-1", "reel", "Reel 1", (line("a"), line("b", boundary="section")))
    two = ScriptSection("reel-2", "scene", "Reel 2 & 3", (line("c", boundary="section"),))
    document = ScriptDocument("Film", "", "fr", "dubbing", "dapt", (one, two))
    assert_round_trip(tmp_path, document)
    back = read_back(tmp_path, write_dapt(document))
    assert [(item.key, item.kind, item.title) for item in back.sections] == [
        ("reel-1", "reel", "Reel 1"),
        ("reel-2", "scene", "Reel 2 & 3"),
    ]


def test_recordings_of_an_as_recorded_script(tmp_path):
    document = script(line("a"), line("b", begin=Fraction(3), end=Fraction(4)))
    data = write_dapt(
        document,
        script_type="asRecorded",
        recordings={
            "a": AudioRecording("stems/a%20b.wav", SHA, Fraction(48001, 48000)),
            "b": AudioRecording("https://example.org/b.mp3", media_type="audio/mpeg"),
        },
    )
    assert validate(data, "x") == ()
    assert b'<audio src="https://example.org/b.mp3" type="audio/mpeg"/>' in data
    first, second = placeless(read_back(tmp_path, data))
    assert first.extra == {"audio": "stems/a%20b.wav", "audio.sha256": SHA, "audio.duration": "48001/48000"}
    assert second.extra == {"audio": "https://example.org/b.mp3"}


def test_lines_without_a_clock(tmp_path):
    assert "begin=" not in assert_round_trip(tmp_path, script(line(begin=None, end=None)))


def test_milliseconds_do_where_there_is_no_exact_time(tmp_path):
    document = script(replace(line(begin=None, end=None), in_ms=1500, out_ms=2250))
    (back,) = placeless(read_back(tmp_path, write_dapt(document)))
    assert (back.in_time, back.out_time) == (Fraction(3, 2), Fraction(9, 4))


def test_original_language_is_named_by_the_caller(tmp_path):
    document = script(line(original="Good evening."))
    with pytest.raises(ScriptUnreadable, match="original_language"):
        write_dapt(document)
    (back,) = placeless(read_back(tmp_path, write_dapt(document, original_language="en")))
    assert (back.text, back.original, back.extra) == ("Bonsoir.", "Good evening.", {"original.language": "en"})


@pytest.mark.parametrize(
    ("lines", "options", "reason"),
    [
        ((line(), line()), {}, "two lines have this key"),
        ((line(text="a\x00b"),), {}, "U\\+0000"),
        ((line(extra={"k\ud800": ""}),), {}, "U\\+D800"),
        ((line(language="français"),), {}, "BCP 47"),
        ((line(begin=Fraction(3)),), {}, "ends before it begins"),
        ((line(begin=Fraction(-1)),), {}, "begins before"),
        ((line(begin=Fraction(1, 10**9 + 7)),), {}, "no tick rate"),
        ((line(characters=(" ",)),), {}, "no name"),
        ((line(),), {"script_type": "dub"}, "none of"),
        ((line(),), {"frame_rate": Fraction(0)}, "no frame rate"),
        ((line(),), {"original_language": "x"}, "BCP 47"),
        ((line(),), {"recordings": {"e1": AudioRecording("a.wav")}}, "asRecorded"),
        ((line(),), {"script_type": "asRecorded", "recordings": {"e9": AudioRecording("a.wav")}}, "no line"),
        ((line(),), {"script_type": "asRecorded", "recordings": {"e1": AudioRecording("a b.wav")}}, "address"),
        ((line(),), {"script_type": "asRecorded", "recordings": {"e1": AudioRecording("a.wav", "x")}}, "sha256"),
    ],
)
def test_what_cannot_be_written_is_named(lines, options, reason):
    with pytest.raises(ScriptUnreadable, match=reason):
        write_dapt(script(*lines), **options)


_TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=12
)
_TEXTS |= st.text(st.sampled_from(" \n\t\raé<&>'\"漢字。"), max_size=8)
_SAID = _TEXTS.filter(lambda text: text.strip())
_TAGS = st.sampled_from(["fr", "FR", "fr-CA", "en", "es-419", "zh-Hant", "und"])
_KEYS = st.sampled_from(["a", "b-1", "scene.2", "3", "ep 1", "event_1", "character_1", "é", "a~2", "x:y", ""])
_TIMES = st.builds(
    lambda count, rate: Fraction(count) / rate,
    st.integers(0, 10**6),
    st.sampled_from([Fraction(1000), Fraction(24000, 1001), Fraction(30000, 1001), Fraction(25), Fraction(48000)]),
)
_SPAN = Fraction(1, 8)
_EXTRA_KEYS = st.sampled_from(
    [
        "represents",
        "scene",
        "actor",
        "spans",
        "audio",
        "text:de",
        "text:en",
        "{urn:v}take",
        "{urn:v}a/{urn:v}b",
        "Loop",
        "",
        "{",
    ]
)
_EXTRA_VALUES = _TEXTS | st.sampled_from(
    [
        "visual.nonText",
        "audio.dialogue",
        "visual.x-y",
        "visual.text",
        "audio.nonDialogueSounds",
        "Anne",
        '[{"in":"0","out":null,"text":"a"}]',
    ]
)


@st.composite
def _lines(draw, key):
    begin = draw(st.none() | _TIMES)
    end = None if begin is None else draw(st.none() | st.just(begin + _SPAN) | st.just(begin + Fraction(1001, 30000)))
    extra = draw(st.dictionaries(_EXTRA_KEYS, _EXTRA_VALUES, max_size=4))
    original = draw(st.just("") | _SAID)
    if original or draw(st.booleans()):
        extra["original.language"] = draw(_TAGS)
    return line(
        key,
        draw(_SAID),
        begin,
        end,
        language=draw(_TAGS),
        kind=draw(st.sampled_from(["speech", "reaction", "walla", "onscreen"])),
        characters=tuple(draw(st.lists(st.sampled_from(["ANNE", "BOB  2", "群衆", " x"]), max_size=3))),
        spoken=draw(_TEXTS),
        original=original,
        boundary=draw(st.sampled_from(["sentence", "paragraph", "heading", "scene", "section"])),
        pause_ms=draw(st.none() | st.integers(0, 10**6)),
        direction=draw(
            st.dictionaries(
                st.sampled_from(["emotion", "onscreen", "pronunciation", "reaction", "", "a\nb"]),
                _TEXTS | st.sampled_from(["on", "off", "on/off", "off/on"]),
                max_size=3,
            )
        ),
        notes=draw(_TEXTS),
        extra=extra,
    )


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_script_comes_back_line_for_line(tmp_path_factory, data):
    keys = data.draw(st.lists(_KEYS.filter(bool), min_size=1, max_size=4, unique=True))
    lines = tuple(data.draw(_lines(key)) for key in keys)
    cut = data.draw(st.integers(0, len(lines)))
    sections = tuple(
        ScriptSection(f"s{number}", "reel", f"S {number}", part)
        for number, part in enumerate((lines[:cut], lines[cut:]))
        if part
    )
    document = ScriptDocument(
        "Film", "", data.draw(st.sampled_from(["fr", "fr-FR", "en"])), "dubbing", "dapt", sections
    )
    options = {
        "frame_rate": data.draw(st.sampled_from([None, Fraction(25), Fraction(24000, 1001)])),
        "script_type": data.draw(st.sampled_from(["originalTranscript", "translatedTranscript", "preRecording"])),
    }
    written = write_dapt(document, **options)
    assert not [item for item in validate(written, "x") if item.severity == "error"]
    back = read_back(tmp_path_factory.mktemp("dapt"), written)
    assert placeless(back) == placeless(document)
    assert [item.key for item in back.sections] == [item.key for item in document.sections]
