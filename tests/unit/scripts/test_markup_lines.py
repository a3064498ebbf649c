from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.scripts.blocks import LINE_BREAK, Block, Piece, tidy
from scheduler.scripts.builder import Builder, Draft
from scheduler.scripts.errors import MarkupError, ScriptEmpty, ScriptError
from scheduler.scripts.markup import Speakers, refuse_tags
from scheduler.scripts.model import ReadOptions, ScriptDocument, ScriptLine
from scheduler.scripts.source import ScriptSource
from scheduler.scripts.ssml import SsmlReader
from scheduler.scripts.text import TextReader
from synthesis.text.markup import split_pauses, split_readings

HEAD = (
    '<?xml version="1.0"?>\n<speak version="1.1" xmlns="http://www.w3.org/2001/10/synthesis" '
    'xmlns:d="https://voicefarm.invalid/ns/direction" xml:lang="en-GB">'
)


def read(body: str | bytes, tmp_path: Path, **options: object) -> ScriptDocument:
    path = tmp_path / "tale.ssml"
    path.write_bytes(body if isinstance(body, bytes) else f"{HEAD}{body}</speak>".encode())
    return SsmlReader().read(ScriptSource.open(path), ReadOptions(**options))  # type: ignore[arg-type]


def lines(body: str, tmp_path: Path) -> tuple[ScriptLine, ...]:
    (section,) = read(body, tmp_path).sections
    return section.lines


def bracketed(*paragraphs: str, language: str = "en") -> tuple[ScriptLine, ...]:
    speakers = Speakers.start("a.txt", language)
    items = [Block(tidy(speakers.pieces(text, at)), language, f"line {at}") for at, text in enumerate(paragraphs, 1)]
    speakers.finish()
    (section,) = Builder("a.txt", ReadOptions()).sections([Draft("a", "a", list(items))], "chapter")
    return section.lines


def test_a_document_with_everything(tmp_path: Path) -> None:
    document = read(
        '\n<p>It was late. <break time="300ms"/>Nobody came, <break strength="weak"/> not even the old grey cat.</p>'
        '\n<break time="2s"/>'
        '\n<p><voice name="Mara"><d:emotion name="sad">Who is there?</d:emotion></voice> she asked the '
        '<sub alias="World Wide Web">WWW</sub>.</p>'
        '\n<p><prosody rate="90%">Say <say-as interpret-as="characters">SQL</say-as> and '
        '<phoneme alphabet="ipa" ph="təˈmɑːtəʊ">tomato</phoneme>.</prosody></p>'
        '\n<p xml:lang="fr">Bonjour, monsieur du Corbeau.<mark name="end"/></p>',
        tmp_path,
    )
    found = [
        (line.text, line.said, line.characters, line.language, dict(line.direction), line.pause_ms, line.place)
        for line in document.sections[0].lines
    ]
    assert found == [
        (
            "It was late. Nobody came, not even the old grey cat.",
            "It was late. [pause 300ms]Nobody came, [pause 250ms]not even the old grey cat.",
            (),
            "en-GB",
            {},
            2000,
            "line 3",
        ),
        ("Who is there?", "Who is there?", ("Mara",), "en-GB", {"emotion": "sad"}, None, "line 5"),
        ("she asked the WWW.", "she asked the World Wide Web.", (), "en-GB", {}, None, "line 5"),
        (
            "Say SQL and tomato.",
            "Say S Q L and {tomato|T AH0 M AA1 T OW0}.",
            (),
            "en-GB",
            {"rate": "0.9"},
            None,
            "line 6",
        ),
        ("Bonjour, monsieur du Corbeau.", "Bonjour, monsieur du Corbeau.", (), "fr", {}, None, "line 7"),
    ]
    assert dict(document.sections[0].lines[-1].extra) == {"mark": "end"}
    assert (document.language, document.format, document.title) == ("en-GB", "ssml", "tale")


def test_a_reaction_alone_is_a_line_that_is_carried_and_one_in_a_line_is_its_direction() -> None:
    found = bracketed("Oh no. [reaction:sigh] Not again, said the grey cat.", "[reaction:laugh]", "They all laughed.")
    assert [(line.kind, line.text, dict(line.direction), line.boundary) for line in found] == [
        ("speech", "Oh no. Not again, said the grey cat.", {"reaction": "sigh"}, "paragraph"),
        ("reaction", "laugh", {"reaction": "laugh"}, "paragraph"),
        ("speech", "They all laughed.", {}, "section"),
    ]
    assert found[0].spoken == ""


def test_a_reaction_at_the_end_of_a_paragraph_takes_no_boundary_from_the_words_before_it() -> None:
    found = bracketed("Very good then.[voice:M][reaction:laugh][/voice]", "They all laughed.")
    assert [(line.kind, line.characters, line.boundary) for line in found] == [
        ("speech", (), "paragraph"),
        ("reaction", ("M",), "paragraph"),
        ("speech", (), "section"),
    ]


def test_pauses_at_edges_are_silence_around_lines_and_pauses_between_words_are_spoken() -> None:
    found = bracketed(
        "[pause 1s] A first paragraph of some length.[pause 200ms][pause 300ms]",
        "[break]",
        "A second one [pause 1.5s] that goes on. [pause:1] A third sentence stands here.",
        "“A last one [pause 2s].”",
    )
    assert [(line.said, line.pause_ms) for line in found] == [
        ("[pause 1000ms]A first paragraph of some length.", 1000),
        ("A second one [pause 1500ms]that goes on.", 1000),
        ("A third sentence stands here.", None),
        ("“A last one .”", 2000),
    ]
    assert not any("[" in line.text for line in found)


def test_an_emotion_goes_on_over_paragraphs_and_divides_a_sentence() -> None:
    found = bracketed("He said [emotion:glad]I am so very glad that you came.", "So am I.[/emotion] And he was.")
    assert [(line.text, dict(line.direction)) for line in found] == [
        ("He said", {}),
        ("I am so very glad that you came.", {"emotion": "glad"}),
        ("So am I.", {"emotion": "glad"}),
        ("And he was.", {}),
    ]


def test_readings_are_shown_as_their_words() -> None:
    (line,) = bracketed("彼は{漢字|かんじ}を読む。", language="ja")
    assert (line.text, line.spoken) == ("彼は漢字を読む。", "彼は{漢字|かんじ}を読む。")
    (line,) = bracketed("他住在[phoneme:x-pinyin:chóngqìng]重庆[/phoneme]。", language="zh")
    assert (line.text, line.spoken) == ("他住在重庆。", "他住在{重庆|chong2 qing4}。")


def test_brackets_that_are_text_are_spoken_as_text() -> None:
    (line,) = bracketed(r"Type \[pause 500ms\] or \{a|b\} [sic] now.")
    assert line.text == "Type [pause 500ms] or {a|b} [sic] now."
    ((spoken, pause),) = split_pauses(line.said)
    assert pause == 0
    assert "".join(run.text for run in split_readings(spoken)) == line.text
    assert [run.reading for run in split_readings(spoken)] == [None]


def test_a_backslash_before_a_mark_makes_no_text_of_it() -> None:
    (line,) = bracketed(r"Press \\{OK|okay} and \\[pause 1s] then go on.")
    assert line.text == r"Press \OK and \ then go on."
    assert line.said == "Press {OK|okay} and [pause 1000ms] then go on."


def test_an_unusable_reading_is_an_error_in_text_and_a_notice_in_ssml(tmp_path: Path) -> None:
    with pytest.raises(MarkupError, match="cannot be used as ipa in 'de'") as caught:
        bracketed("Eins.", "Das ist [phoneme:ipa:ʁuːʃ]rouge[/phoneme].", language="de")
    assert caught.value.place == "line 2"
    document = read('\n\n<p>A <phoneme ph="ʁuʒ">rouge</phoneme> pot.</p>', tmp_path)
    assert document.sections[0].lines[0].said == "A rouge pot."
    assert [(note.place, "read as it is spelled" in note.reason) for note in document.notices] == [("line 4", True)]


def test_text_files_take_the_markup(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(
        "[Illustration: a fox]\n\nSay {SQL|sequel} [pause 500ms] and then go.\n\n[emotion:sad]Oh no.[/emotion]\n"
    )
    (section,) = TextReader().read(ScriptSource.open(path), ReadOptions()).sections
    assert [(line.text, line.said, dict(line.direction)) for line in section.lines] == [
        ("Say SQL and then go.", "Say {SQL|sequel} [pause 500ms]and then go.", {}),
        ("Oh no.", "Oh no.", {"emotion": "sad"}),
    ]


def test_lines_without_markup_are_as_before() -> None:
    plain = [Piece("One sentence of some length here. Another sentence of some length.")]
    (section,) = Builder("a", ReadOptions()).sections([Draft("a", "a", [Block(tidy(plain), "en", "")])], "chapter")
    assert [(line.text, line.spoken, line.direction, line.pause_ms) for line in section.lines] == [
        ("One sentence of some length here.", "", {}, None),
        ("Another sentence of some length.", "", {}, None),
    ]


def test_points_leave_the_spaces_of_a_paragraph_tidy() -> None:
    point = Piece("", pause_ms=5)
    assert tidy([point, Piece(" a "), point, Piece(" b "), LINE_BREAK, point]) == (
        point,
        Piece("a "),
        point,
        Piece("b"),
        point,
    )


def test_a_sheet_takes_no_markup() -> None:
    for cell in ("[pause 1s] x", "{a|b}", "[emotion:sad]x"):
        with pytest.raises(MarkupError, match="not understood in a sheet"):
            refuse_tags(cell, "a.csv", "row 2")
    refuse_tags(r"an \[escape\] and [sic]", "a.csv", "row 2")


def test_ssml_is_known_by_its_root() -> None:
    reader = SsmlReader()
    assert reader.sniff(b"<speak>x")
    assert reader.sniff(HEAD.encode())
    assert reader.sniff("\ufeff<!-- a --><ssml:speak xmlns:ssml='x'/>".encode())
    assert reader.sniff(HEAD.encode("utf-16"))
    assert not reader.sniff(b"<tt><speak>")
    assert not reader.sniff(b"<speaker>")


@pytest.mark.parametrize("body", ["", "<p/>", "<p>…</p>", '<break time="1s"/>', "<!-- x -->"])
def test_a_document_without_words_is_empty(body: str, tmp_path: Path) -> None:
    with pytest.raises(ScriptEmpty):
        read(body, tmp_path)


def test_many_points_and_pieces_take_no_time(tmp_path: Path) -> None:
    body = "<p>" + 'A word<break time="1ms"/> and <sub alias="b">c</sub>. ' * 2500 + "</p>"
    assert sum(line.said.count("[pause 1ms]") for line in lines(body, tmp_path)) == 2500


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_documents_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    whole = f'{HEAD}<p>One <break/>two. <voice name="A">three<d:reaction name="x"/></voice></p></speak>'.encode()
    at = data.draw(st.integers(0, len(whole)))
    cut = data.draw(st.integers(0, 5))
    junk = data.draw(st.one_of(st.binary(max_size=4), st.sampled_from([b"<p>", b"</p>", b"<s>", b"&", b"<break/>"])))
    try:
        read(whole[:at] + junk + whole[at + cut :], tmp_path_factory.mktemp("ssml"))
    except ScriptError:
        pass
