from __future__ import annotations

import random
import time
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.scripts.errors import ScriptEmpty, ScriptError, ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.model import ReadOptions, ScriptDocument, ScriptLine
from scheduler.scripts.scc import SccReader
from scheduler.scripts.source import ScriptSource
from scheduler.scripts.srt import SrtReader
from scheduler.scripts.stl import StlReader
from scheduler.scripts.vtt import VttReader

NTSC = Fraction(30000, 1001)


# --- EBU STL -------------------------------------------------------------------------------------------------------


def gsi(*, code: bytes = b"STL25.01", table: bytes = b"00", language: bytes = b"09", title: str = "The Lamp",
        blocks: int = 0, start: bytes = b"00000000") -> bytes:  # fmt: skip
    header = bytearray(b" " * 1024)
    for at, value in ((0, b"850"), (3, code), (11, b"1"), (12, table), (14, language), (16, title.encode("cp850")),
                      (238, b"%05d" % blocks), (243, b"%05d" % blocks), (255, b"1"), (256, start)):  # fmt: skip
        header[at : at + len(value)] = value
    return bytes(header)


def tti(text: bytes, start: Sequence[int] = (0, 0, 1, 0), end: Sequence[int] = (0, 0, 2, 0), *, number: int = 1,
        extension: int = 0xFF, cumulative: int = 0, comment: int = 0) -> bytes:  # fmt: skip
    head = bytes([0, number & 0xFF, number >> 8, extension, cumulative, *start, *end, 20, 2, comment])
    return head + text.ljust(112, b"\x8f")


def read_stl(data: bytes, folder: Path, **options: object) -> ScriptDocument:
    path = folder / "film.stl"
    path.write_bytes(data)
    return StlReader().read(ScriptSource.open(path), ReadOptions(**options))  # type: ignore[arg-type]


def stl_lines(*blocks: bytes, folder: Path, **header: object) -> tuple[ScriptLine, ...]:
    return read_stl(gsi(blocks=len(blocks), **header) + b"".join(blocks), folder).sections[0].lines  # type: ignore[arg-type]


def test_a_teletext_subtitle_with_boxes_double_height_and_two_rows(tmp_path: Path) -> None:
    text = b"\x0d\x0b\x0bWe have\x8a\x8a\x0d\x0b\x0bone \x80hour\x81.\x0a\x0a"
    block = tti(text, (10, 0, 1, 5), (10, 0, 3, 24), number=7)
    document = read_stl(gsi(blocks=1, start=b"10000000") + block, tmp_path)
    (line,) = document.sections[0].lines
    assert (line.text, line.key, line.place, line.characters) == ("We have one hour.", "7", "block 1", ())
    assert (line.in_time, line.out_time) == (36001 + Fraction(5, 25), 36003 + Fraction(24, 25))
    assert (document.title, document.language, document.format, document.kind) == ("The Lamp", "en", "stl", "dubbing")
    assert [notice.reason for notice in document.notices] == [
        "the programme starts at 10:00:00:00: not taken off the times"
    ]


@pytest.mark.parametrize(
    ("table", "raw", "expected"),
    [
        (b"00", b"L'\xc2et\xc2e \xc8uber \xcbca va \xa9quoi\xb9", "L'été über ça va ‘quoi’"),
        (b"01", "Пойдём".encode("iso8859-5"), "Пойдём"),
        (b"03", "Καλημέρα".encode("iso8859-7"), "Καλημέρα"),
    ],
)
def test_character_tables(table: bytes, raw: bytes, expected: str, tmp_path: Path) -> None:
    assert stl_lines(tti(raw), folder=tmp_path, table=table)[0].text == expected


def test_rows_of_accents_controls_and_colours(tmp_path: Path) -> None:
    text = b"\x0d\x0b\xc8\x02Uber\x9f den\x07\x01 Fl\xc8u\xfb\xc2\x8a\x8a\x03\xc8a"
    (line,) = stl_lines(tti(text), folder=tmp_path)
    # an accent goes with the byte behind it: with a space, which is what a control code is, it stands by itself
    assert line.text == "¨Uber den Flüß ä"
    assert dict(line.extra) == {"colour": "white, green, red, yellow"}


@pytest.mark.parametrize(
    ("code", "asked", "expected"),
    [
        (b"STL25.01", None, Fraction(13, 25)),
        (b"STL30.01", None, Fraction(13, 30)),
        (b"STL24.01", None, Fraction(13, 24)),
        (b"STL30.01", NTSC, 13 / NTSC),
        (b"STL77.01", None, Fraction(13, 25)),
    ],
)
def test_frame_rates(code: bytes, asked: Fraction | None, expected: Fraction, tmp_path: Path) -> None:
    document = read_stl(gsi(code=code, blocks=1) + tti(b"Said.", (0, 0, 0, 13)), tmp_path, frame_rate=asked)
    assert document.sections[0].lines[0].in_time == expected
    assert bool(document.notices) == (code not in (b"STL25.01", b"STL24.01"))


def test_colours_are_kept_and_not_taken_for_speakers(tmp_path: Path) -> None:
    lines = stl_lines(tti(b"\x03Who is it?\x8a\x06Only me."), tti(b"\x07White."), folder=tmp_path)
    assert [(line.text, line.characters, dict(line.extra)) for line in lines] == [
        ("Who is it? Only me.", (), {"colour": "yellow, cyan"}),
        ("White.", (), {}),
    ]


def test_extension_blocks_are_one_subtitle_and_comments_are_none(tmp_path: Path) -> None:
    long = b"x" * 60 + b" " + b"y" * 51
    document = read_stl(
        gsi(blocks=4) + tti(long, extension=0) + tti(b"zz.", extension=0xFF) + tti(b"A note.", comment=1)
        + tti(b"user data", extension=0xFE) + tti(b"End.", (0, 0, 3, 0), (0, 0, 4, 0)),
        tmp_path,
    )  # fmt: skip
    lines = document.sections[0].lines
    assert [(line.text, line.place) for line in lines] == [
        ("x" * 60 + " " + "y" * 51 + "zz.", "block 1"),
        ("End.", "block 5"),
    ]
    reasons = [notice.reason for notice in document.notices]
    assert reasons == ["its header counts 4 text blocks, and it holds 5", "1 comments left out"]


def test_cumulative_subtitles_and_overlaps_each_keep_their_times(tmp_path: Path) -> None:
    lines = stl_lines(
        tti(b"First row.", (0, 0, 1, 0), (0, 0, 5, 0), cumulative=1),
        tti(b"Second row.", (0, 0, 3, 0), (0, 0, 5, 0), cumulative=3, number=2),
        folder=tmp_path,
    )
    assert [(line.text, line.in_ms, line.out_ms) for line in lines] == [
        ("First row.", 1000, 5000),
        ("Second row.", 3000, 5000),
    ]


@pytest.mark.parametrize(
    ("block", "why"),
    [
        (tti(b"Backwards.", (0, 0, 5, 0), (0, 0, 4, 0)), "ends before"),
        (tti(b"No time.", (0, 0, 5, 0), (0, 0, 5, 0)), "lasts no time"),
        (tti(b"No frame.", (0, 0, 5, 25), (0, 0, 6, 0)), "frame 25"),
        (tti(b"No hour.", (24, 0, 5, 0), (24, 0, 6, 0)), "24:00:05:00"),
        (tti(b"No minute.", (0, 99, 5, 0), (0, 99, 6, 0)), "no timecode"),
        (tti(b"  \x8a\x0d "), "no text"),
        (tti(b"Cut off.")[:90], "cut off"),
        (tti(b"Never goes on.", extension=1), "last block is missing"),
    ],
)
def test_a_broken_block_is_reported_with_its_number(block: bytes, why: str, tmp_path: Path) -> None:
    document = read_stl(gsi(blocks=2) + tti(b"Fine.") + block, tmp_path)
    assert [line.text for line in document.sections[0].lines] == ["Fine."]
    ((place, reason),) = [(fault.place, fault.reason) for fault in document.rejected]
    assert place == "block 2"
    assert why in reason


def test_unknown_characters_are_counted(tmp_path: Path) -> None:
    document = read_stl(gsi(blocks=1) + tti(b"Said\xa6."), tmp_path)
    assert document.sections[0].lines[0].text == "Said."
    assert any("1 characters" in notice.reason for notice in document.notices)


def test_stl_files_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert StlReader().sniff(gsi())
    assert not StlReader().sniff(b"solid cube\nfacet normal 0 0 0\n")
    for data in (b"solid cube\n" * 200, b"00:00:01:00 , 00:00:02:00 , text\n" * 50, gsi()[:900]):
        with pytest.raises(ScriptUnreadable, match="EBU STL"):
            read_stl(data, tmp_path)
    with pytest.raises(ScriptEmpty):
        read_stl(gsi(), tmp_path)
    monkeypatch.setattr("scheduler.scripts.stl.MAX_BLOCKS", 2)
    with pytest.raises(ScriptTooLarge, match="blocks"):
        read_stl(gsi() + tti(b"x") * 3, tmp_path)


# --- SCC -----------------------------------------------------------------------------------------------------------

RCL, EOC, EDM, ENM, CR, RDC, RU2, RU3, BS = "9420", "942f", "942c", "94ae", "94ad", "9429", "9425", "9426", "94a1"
ROW14, ROW15 = "9440", "94e0"


def odd(byte: int) -> int:
    return byte if bin(byte).count("1") % 2 else byte | 0x80


def words(text: str) -> str:
    data = [odd(ord(char)) for char in text]
    data += [0x80] * (len(data) % 2)
    return " ".join(f"{data[at]:02x}{data[at + 1]:02x}" for at in range(0, len(data), 2))


def twice(*codes: str) -> str:
    return " ".join(f"{code} {code}" for code in codes)


def scc(*rows: tuple[str, str]) -> str:
    return "Scenarist_SCC V1.0\n\n" + "".join(f"{stamp}\t{codes}\n\n" for stamp, codes in rows)


def read_scc(data: str | bytes, folder: Path, **options: object) -> ScriptDocument:
    path = folder / "film.scc"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return SccReader().read(ScriptSource.open(path), ReadOptions(**options))  # type: ignore[arg-type]


def found(*rows: tuple[str, str], folder: Path) -> list[tuple[str, Fraction | None, Fraction | None]]:
    return [(line.text, line.in_time, line.out_time) for line in read_scc(scc(*rows), folder).sections[0].lines]


def test_pop_on_appears_at_its_flip_and_goes_at_its_erasure(tmp_path: Path) -> None:
    load = f"{twice(ENM, RCL, ROW14)} {words('We have')} {twice(ROW15)} {words('one hour.')} {twice(EOC)}"
    at = load.split().index(EOC)
    assert found(("00:00:01:00", load), ("00:00:04:10", twice(EDM)), folder=tmp_path) == [
        ("We have one hour.", (30 + at) / NTSC, 130 / NTSC)
    ]


def test_the_next_caption_ends_the_one_before(tmp_path: Path) -> None:
    rows = [
        (f"00:00:0{at}:00", f"{twice(RCL, ROW15)} {words(text)} {twice(EOC)}")
        for at, text in ((1, "One."), (3, "Two."))
    ]
    first, second = found(*rows, ("00:00:05:00", EDM), folder=tmp_path)
    assert first[0] == "One."
    assert first[2] == second[1]
    assert second[2] == 150 / NTSC


@pytest.mark.parametrize(
    ("stamp", "frames"),
    [
        ("00:10:00;00", 17982),
        ("00:01:00;02", 1800),
        ("00:01:00:00", 1800),
        ("01:00:00:00", 108000),
        ("00:10:00.00", 17982),
    ],
)
def test_drop_frame_and_plain_counting(stamp: str, frames: int, tmp_path: Path) -> None:
    load = f"{twice(RDC, ROW15)} {words('Said.')}"
    document = read_scc(scc((stamp, load), (stamp[:3] + "20" + stamp[5:], twice(EDM))), tmp_path)
    assert document.sections[0].lines[0].in_time == (frames + 4) / NTSC


def test_rows_that_roll_up_are_said_once(tmp_path: Path) -> None:
    def row(text: str) -> str:
        return f"{twice(RU3, CR, ROW15)} {words(text)}"

    lines = found(
        ("00:00:01:00", row("First row")),
        ("00:00:02:00", row("second row")),
        ("00:00:03:00", row("third row.")),
        ("00:00:05:00", twice(EDM)),
        folder=tmp_path,
    )
    assert [(text, start) for text, start, _ in lines] == [
        ("First row", 36 / NTSC),
        ("second row", 66 / NTSC),
        ("third row.", 96 / NTSC),
    ]
    assert [end for _, _, end in lines] == [62 / NTSC, 92 / NTSC, 150 / NTSC]


def test_a_row_that_is_sent_with_its_return_stays_until_the_next(tmp_path: Path) -> None:
    lines = found(
        ("00:00:01:00", f"{twice(RU2, ROW15)} {words('One')} {twice(CR)}"),
        ("00:00:03:00", f"{words('Two')} {twice(CR)}"),
        ("00:00:05:00", twice(EDM)),
        folder=tmp_path,
    )
    assert lines == [("One", 34 / NTSC, 90 / NTSC), ("Two", 90 / NTSC, 150 / NTSC)]


def test_paint_on_is_said_once(tmp_path: Path) -> None:
    lines = found(
        ("00:00:01:00", f"{twice(RDC, ROW14)} {words('Painted')}"),
        ("00:00:02:00", f"{twice(ROW15)} {words('in two rows.')}"),
        ("00:00:04:00", f"{twice(RDC, ROW14)} {words('Anew.')}"),
        ("00:00:06:00", twice(EDM)),
        folder=tmp_path,
    )
    assert lines == [("Painted in two rows.", 34 / NTSC, 120 / NTSC), ("Anew.", 124 / NTSC, 180 / NTSC)]


def test_special_characters_accents_backspace_and_italics(tmp_path: Path) -> None:
    load = (
        f"{twice(RCL, ROW15)} 91ae 91ae {words('Ete')} {BS} 5c80 9137 9137 {words(' Aa')} 9220 9220 9180 {twice(EOC)}"
    )
    (line,) = found(("00:00:01:00", load), ("00:00:03:00", EDM), folder=tmp_path)
    assert line[0] == "Eté♪ AÁ"


def test_marks_of_a_new_speaker(tmp_path: Path) -> None:
    def caption(second: int, text: str, row: str = "") -> tuple[str, str]:
        more = f" {twice(ROW15)} {words(row)}" if row else ""
        return f"00:00:{second:02}:00", f"{twice(RCL, ROW14)} {words(text)}{more} {twice(EOC)}"

    document = read_scc(
        scc(
            caption(1, ">> REPORTER: IT IS LATE."),
            caption(3, ">> Jane Doe: Who is it?", ">> Only me."),
            caption(5, "5 >> 3 AND NO TURN: YES"),
            caption(7, ">>> GOOD EVENING. >> HI."),
            ("00:00:09:00", EDM),
        ),
        tmp_path,
    )
    assert [(line.characters, line.text) for line in document.sections[0].lines] == [
        (("REPORTER",), "IT IS LATE."),
        (("Jane Doe",), "Who is it?"),
        ((), "Only me."),
        ((), "5"),
        ((), "3 AND NO TURN: YES"),
        ((), "GOOD EVENING."),
        ((), "HI."),
    ]


def test_a_speaker_goes_on_in_the_next_row_that_rolls_up(tmp_path: Path) -> None:
    texts = [">> MAYOR: WE SHALL", "SEE TO IT.", ">> WHEN?"]
    rows = [(f"00:00:0{at}:00", f"{twice(RU2, CR, ROW15)} {words(text)}") for at, text in enumerate(texts, 1)]
    document = read_scc(scc(*rows, ("00:00:09:00", EDM)), tmp_path)
    assert [line.characters for line in document.sections[0].lines] == [("MAYOR",), ("MAYOR",), ()]


def test_colours_and_sounds(tmp_path: Path) -> None:
    load = f"{twice(RCL)} 94ea 94ea {words('[door slams]')} {twice(EOC)}"
    (line,) = read_scc(scc(("00:00:01:00", load), ("00:00:03:00", EDM)), tmp_path).sections[0].lines
    assert (line.kind, line.text, dict(line.extra)) == ("reaction", "door slams", {"colour": "yellow"})


def test_what_is_never_erased_or_never_shown(tmp_path: Path) -> None:
    shown = f"{twice(RCL, ROW15)} {words('Shown.')} {twice(EOC)}"
    document = read_scc(
        scc(("00:00:01:00", shown), ("00:00:02:00", f"{twice(RCL, ROW15)} {words('Not shown.')}")), tmp_path
    )
    (line,) = document.sections[0].lines
    assert line.out_time is not None
    assert line.in_time is not None
    assert line.out_time - line.in_time == 16
    assert any("never erased" in notice.reason for notice in document.notices)
    assert [(fault.place, "never shown" in fault.reason) for fault in document.rejected] == [("line 5", True)]


def test_the_second_channel_and_the_text_service_are_left_out(tmp_path: Path) -> None:
    document = read_scc(
        scc(
            ("00:00:01:00", f"1c20 1c20 1c60 {words('Segundo')} {twice(RCL, ROW15)} {words('First.')} {twice(EOC)}"),
            ("00:00:02:00", f"{twice(EDM)} {twice('942a')} {words('WEATHER')}"),
        ),
        tmp_path,
    )
    assert [line.text for line in document.sections[0].lines] == ["First."]
    reasons = " ".join(notice.reason for notice in document.notices)
    assert "second caption channel" in reasons
    assert "text service" in reasons


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("00:00:09:30\t942c 942c", "frame 30"),
        ("00:01:00;00\t942c 942c", "does not exist"),
        ("-00:00:09:00\t942c", "HH:MM:SS:FF"),
        ("just words", "no line of captions"),
        ("00:00:09:00\t942c zzzz 94", "2 of its codes"),
        ("25:00:09:00\t942c", "no timecode"),
    ],
)
def test_a_broken_line_is_reported(row: str, why: str, tmp_path: Path) -> None:
    load = f"{twice(RCL, ROW15)} {words('Fine.')} {twice(EOC)}"
    document = read_scc(scc(("00:00:01:00", load), ("00:00:03:00", EDM)) + row + "\n", tmp_path)
    assert [line.text for line in document.sections[0].lines] == ["Fine."]
    ((place, reason),) = [(fault.place, fault.reason) for fault in document.rejected]
    assert place == "line 7"
    assert why in reason


def test_characters_without_a_style_and_times_that_go_back(tmp_path: Path) -> None:
    load = f"{twice(RCL, ROW15)} {words('Back.')} {twice(EOC)}"
    document = read_scc(
        scc(("00:00:01:00", words("Stray")), ("00:00:05:00", load), ("00:00:03:00", load), ("00:00:09:00", EDM)),
        tmp_path,
    )
    assert [(fault.place, fault.reason[:12]) for fault in document.rejected] == [
        ("line 5", "the cue ends"), ("line 3", "5 characters"),
    ]  # fmt: skip


def test_scc_files_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = scc(("00:00:01:00", f"{twice(RCL, ROW15)} {words('Said.')} {twice(EOC)}"), ("00:00:02:00", EDM))
    assert SccReader().sniff(b"\xef\xbb\xbf" + whole.encode())
    assert not SccReader().sniff(b"WEBVTT\n")
    for encoding in ("utf-8-sig", "utf-16"):
        data = whole.replace("\n", "\r\n").encode(encoding)
        assert read_scc(data, tmp_path).sections[0].lines[0].text == "Said."
    with pytest.raises(ScriptUnreadable, match="line 1"):
        read_scc("00:00:01:00\t942c\n", tmp_path)
    with pytest.raises(ScriptEmpty):
        read_scc("Scenarist_SCC V1.0\n", tmp_path)
    monkeypatch.setattr("scheduler.scripts.scc.MAX_WORDS", 8)
    with pytest.raises(ScriptTooLarge, match="codes"):
        read_scc(whole, tmp_path)


@pytest.mark.parametrize(
    "hostile", [f"{words('ab' * 50_000)}", "94a4 94a1 " * 50_000, "94ad 94a1 " * 50_000, "97a2 97a1 " * 50_000]
)
def test_a_large_file_is_read_in_bounded_time(hostile: str, tmp_path: Path) -> None:
    started = time.monotonic()
    for style in (RCL, RDC, RU2):
        codes = f"{twice(style, ROW15)} {words('ab' * 30_000)} {hostile} {words('.')} {twice(EOC)}"
        assert read_scc(scc(("00:00:01:00", codes), ("02:00:00:00", EDM)), tmp_path).line_count
    assert time.monotonic() - started < 20


# --- SubRip and WebVTT as they are found --------------------------------------------------------------------------

A = "00:00:01,000 --> 00:00:02,000"
B = "00:00:03,000 --> 00:00:04,000"


def texts_of(data: str, folder: Path, suffix: str) -> tuple[list[tuple[str, int | None]], list[str]]:
    path = folder / f"film.{suffix}"
    path.write_bytes(data.encode())
    reader = SrtReader() if suffix == "srt" else VttReader()
    document = reader.read(ScriptSource.open(path), ReadOptions())
    lines = [(line.text, line.in_ms) for line in document.sections[0].lines]
    return lines, [fault.place for fault in document.rejected]


@pytest.mark.parametrize(
    "data",
    [
        f"{A}\nOne.\n\n{B}\nTwo.\n",
        f"1\n{A}\nOne.\n\n\ufeff2\n{B}\nTwo.\n",
        f"\ufeff\ufeff1\n{A}\nOne.\n\n2\n{B}\nTwo.\n",
        f"1\n{A}\nOne.\n\n2\n{B}\nTwo.\n".replace("\n", "\r\r\n"),
        f"1\n00: 00: 01, 000  -->  00:00:02 ,000\nOne.\n\n2\n{B.replace(' ', '')}\nTwo.\n",
        f"1\n{A} X1:1 X2:2\n<i>One</i>.\n2\n\t{B}\n{{\\an8}}Two.\n",
    ],
)
def test_subrip_with_the_usual_faults(data: str, tmp_path: Path) -> None:
    assert texts_of(data, tmp_path, "srt") == ([("One.", 1000), ("Two.", 3000)], [])


def test_an_arrow_among_words_is_text_and_a_cue_without_length_is_rejected(tmp_path: Path) -> None:
    data = (
        f"1\n{A}\nGo --> there.\n\n2\n00:00:02,500 --> 00:00:02,500\nGone.\n\n"
        "3\n100:00:00,000 --> 100:00:01,000\nLate.\n"
    )
    assert texts_of(data, tmp_path, "srt") == ([("Go --> there.", 1000), ("Late.", 360_000_000)], ["line 6"])


def test_webvtt_with_the_usual_extras(tmp_path: Path) -> None:
    data = (
        "\ufeffWEBVTT\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000\n\nNOTE\nnot said\n\nREGION\nid:a\n\n"
        "STYLE\n::cue { color: red }\n\n\ufeff00:01.000 --> 00:02.000 align:start line:0\n"
        "<c.yellow>One</c> <00:00:01.500><b>word</b>.\n\n00:02.000 --> 00:02.000\nGone.\n"
    )
    assert texts_of(data, tmp_path, "vtt") == ([("One word.", 1000)], ["line 16"])


# --- any bytes at all ------------------------------------------------------------------------------------------------

STL = (
    gsi(blocks=3)
    + tti(b"\x03One \xc2e\x8atwo", extension=1)
    + tti(b"three")
    + tti(b">> MARA: Four.", (0, 0, 3, 0), (0, 0, 4, 0))
)
SCC = scc(
    ("00:00:01:00", f"{twice(RCL, ROW14)} {words('One')} {twice(EOC)}"),
    ("00:00:02;00", f"{twice(RDC, ROW15)} {words('two')} {twice(EDM, RU2, CR, ROW15)} {words('three')} {twice(CR)}"),
).encode()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), count=st.integers(1, 40))
def test_whatever_the_bytes_are_only_script_errors_come(tmp_path: Path, seed: int, count: int) -> None:
    dice = random.Random(seed)
    stl, captions = bytearray(STL), bytearray(SCC)
    for _ in range(count):
        stl[dice.randrange(len(stl))] = dice.randrange(256)
        captions[dice.randrange(18, len(captions))] = dice.choice(b"0123456789abcdef \t\n:;\xff")
    with suppress(ScriptError):
        read_stl(bytes(stl[: dice.randrange(1, len(stl) + 1)]), tmp_path)
    with suppress(ScriptError):
        read_scc(bytes(captions), tmp_path)
