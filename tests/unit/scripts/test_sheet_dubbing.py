from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.scripts.columns import divided, find_columns, header_language, presence_of, sure_names, take_marks
from scheduler.scripts.errors import HeaderMissing, MarkupError, ScriptEmpty, ScriptError, ScriptUnreadable
from scheduler.scripts.model import ReadOptions, ScriptDocument, ScriptLine
from scheduler.scripts.sheet import SheetReader
from scheduler.scripts.source import ScriptSource

FPS_25 = Fraction(25)
DROP = Fraction(30000, 1001)


def read(text: str | bytes, tmp_path: Path, **options: object) -> ScriptDocument:
    path = tmp_path / "reel.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return SheetReader().read(ScriptSource.open(path), ReadOptions(**{"language": "en", **options}))  # type: ignore[arg-type]


def lines(text: str, tmp_path: Path, **options: object) -> list[ScriptLine]:
    return [line for section in read(text, tmp_path, **options).sections for line in section.lines]


# times


def test_every_notation_of_a_time_is_exact(tmp_path: Path) -> None:
    text = (
        "Dialogue,TC In,TC Out\n"
        "One word.,01:00:00:12,01:00:02:00\n"
        'Two words.,00:00:03.250,"00:00:04,5"\n'
        "Three words.,5.5,6\n"
        "Four words.,1:30,1:31.040\n"
    )
    found = lines(text, tmp_path, frame_rate=FPS_25)
    assert [(line.in_time, line.out_time, line.in_ms, line.out_ms) for line in found] == [
        (Fraction("3600.48"), Fraction(3602), 3_600_480, 3_602_000),
        (Fraction("3.25"), Fraction("4.5"), 3250, 4500),
        (Fraction("5.5"), Fraction(6), 5500, 6000),
        (Fraction(90), Fraction("91.04"), 90_000, 91_040),
    ]


def test_drop_frame(tmp_path: Path) -> None:
    text = "Dialogue,TC In,TC Out\nOne word.,01:00:00;00,01:00:01;00\n"
    line = lines(text, tmp_path, frame_rate=DROP)[0]
    assert line.in_time == Fraction("3599.9964")
    assert line.in_ms == 3_599_996
    colons = lines(text.replace(";", ":"), tmp_path, frame_rate=DROP, drop_frame=True)[0]
    assert (colons.in_time, colons.out_time) == (line.in_time, line.out_time)
    assert lines(text.replace(";", ":"), tmp_path, frame_rate=DROP)[0].in_time == Fraction("3603.6")


def test_frames_without_a_rate_refuse_the_file_at_the_first_place(tmp_path: Path) -> None:
    text = (
        "Cue,Character,TC In,Dialogue\n1,MARA,00:00:01.000,Fine.\n2,TOM,01:00:00:00,Words.\n3,TOM,01:00:01:00,Words.\n"
    )
    with pytest.raises(ScriptUnreadable) as caught:
        read(text, tmp_path)
    assert caught.value.place == "row 3, column 3 (TC In)"
    assert caught.value.reason.startswith("'01:00:00:00' counts frames")
    assert "--fps 25" in caught.value.reason


def test_drop_frame_at_25_refuses_the_file(tmp_path: Path) -> None:
    with pytest.raises(ScriptUnreadable, match=r"row 2, column 1 \(TC In\).*drop-frame.*only 29\.97 and 59\.94.*25"):
        read("TC In,Dialogue\n01:00:00;00,Words.\n", tmp_path, frame_rate=FPS_25)


def test_bad_times_reject_their_row_and_name_the_cell(tmp_path: Path) -> None:
    text = (
        "TC In,TC Out,Dialogue\n"
        "00:00:01:00,00:00:02:00,Fine words.\n"
        "00:00:01:25,00:00:02:00,Frame too high.\n"
        "00:00:05:00,00:00:04:24,Backwards.\n"
        "soon,00:00:02:00,No time.\n"
        "00:00:01:00,9999999:00:00,Too late.\n"
    )
    document = read(text, tmp_path, frame_rate=FPS_25)
    assert [line.text for line in document.sections[0].lines] == ["Fine words."]
    assert [(r.place, r.reason) for r in document.rejected] == [
        ("row 3, column 1 (TC In)", "'00:00:01:25' has frame 25, and at 25 the last of a second is 24"),
        ("row 4, column 2 (TC Out)", "'00:00:04:24' ends before it begins"),
        ("row 5, column 1 (TC In)", "'soon' is not a time"),
        ("row 6, column 2 (TC Out)", "'9999999:00:00' is not a time"),
    ]


def test_overlaps_and_negative_gaps_stay_and_so_does_the_order(tmp_path: Path) -> None:
    text = "in,out,text\n10,12,First one.\n11,13,Over it.\n5,6,Before both.\n5,5,No length.\n"
    found = lines(text, tmp_path)
    assert [(line.in_ms, line.out_ms) for line in found] == [(10000, 12000), (11000, 13000), (5000, 6000), (5000, 5000)]


def test_a_duration_makes_an_end(tmp_path: Path) -> None:
    found = lines("Start,Duration,Text\n00:00:01:00,00:00:01:12,Words.\n2,0.5,More.\n", tmp_path, frame_rate=FPS_25)
    assert [line.out_time for line in found] == [Fraction("2.48"), Fraction("2.5")]


# who speaks


@pytest.mark.parametrize("sign", [" / ", "/", " + ", "＋", "、", "，", "；", "／"])
def test_signs_that_always_set_characters_apart(sign: str, tmp_path: Path) -> None:
    assert sure_names(f"MARA{sign}OLD  TOM") == ("MARA", "OLD TOM")
    assert lines(f'who,text\n"MARA{sign}TOM",Together.\n', tmp_path)[0].characters == ("MARA", "TOM")


def test_a_line_end_in_the_cell_sets_characters_apart(tmp_path: Path) -> None:
    assert lines('who,text\n"MARA\nTOM",Together.\n', tmp_path)[0].characters == ("MARA", "TOM")


@pytest.mark.parametrize("sign", [" & ", " and ", " et ", " und ", ", ", " y "])
def test_other_signs_divide_where_the_sheet_has_them_alone(sign: str, tmp_path: Path) -> None:
    text = f"who;text\nMARA{sign}TOM;Together.\nTOM;I am Tom.\nMara;I am Mara.\n"
    assert lines(text, tmp_path)[0].characters == ("MARA", "TOM")


def test_a_name_with_such_a_sign_stays_one_where_nobody_of_it_speaks_alone(tmp_path: Path) -> None:
    text = (
        "who;text\nSalt & Pepper;We are one act.\nMARA, QUEEN OF KINGS;I reign.\nMARA;I am Mara.\n"
        "Lady and the Tramp;Woof.\nSalt & Pepper / MARA;Together now.\nTOM & MARA;The two of us.\n"
    )
    assert [line.characters for line in lines(text, tmp_path)] == [
        ("Salt & Pepper",),
        ("MARA, QUEEN OF KINGS",),
        ("MARA",),
        ("Lady and the Tramp",),
        ("Salt & Pepper", "MARA"),
        ("TOM", "MARA"),
    ]
    assert divided("Anderson", frozenset({"anderson"})) == ("Anderson",)


def test_marks_after_a_name(tmp_path: Path) -> None:
    text = (
        "who,text\nMARA (OFF),One word.\nTOM (V.O.) (CONT'D),Two words.\nTOM (young),Three words.\nMARA (R),\n"
        "MARA (OFF) / TOM,Four words.\n"
    )
    assert [(line.characters, dict(line.direction), line.kind, line.text) for line in lines(text, tmp_path)] == [
        (("MARA",), {"onscreen": "off"}, "speech", "One word."),
        (("TOM",), {"onscreen": "off"}, "speech", "Two words."),
        (("TOM (young)",), {}, "speech", "Three words."),
        (("MARA",), {}, "reaction", "MARA"),
        (("MARA", "TOM"), {"onscreen": "off"}, "speech", "Four words."),
    ]


# what is said and what is not


@pytest.mark.parametrize(
    ("cell", "kind", "text", "direction"),
    [
        ("[sighs] Fine.", "speech", "Fine.", {"reaction": "sighs"}),
        ("(sighs) Fine (coughs) then.", "speech", "Fine then.", {"reaction": "sighs; coughs"}),
        ("[laughs]", "reaction", "laughs", {}),
        ("(sanglots)", "reaction", "sanglots", {}),
        ("(R)", "reaction", "R", {}),
        ("MNE", "reaction", "MNE", {}),
        ("[efforts]", "reaction", "efforts", {}),
        ("breaths", "reaction", "breaths", {}),
        ("(I cannot stay here.)", "speech", "I cannot stay here.", {}),
        ("（もう行かなければ。）", "speech", "もう行かなければ。", {}),
        ("(door slams)", "reaction", "door slams", {}),
        ("[door slams]", "reaction", "door slams", {}),
        ("Walla", "walla", "Walla", {}),
        ("(ambiances)", "walla", "ambiances", {}),
        ("(whispering) Come here.", "speech", "Come here.", {"action": "whispering"}),
        ("[to Tom] (softly) Come.", "speech", "Come.", {"action": "to Tom; softly"}),
        ("（小声）走吧。", "speech", "走吧。", {"action": "小声"}),
        ("I know. (beat) Always.", "speech", "I know. Always.", {"action": "beat"}),
        ("Wait. [pause] Now.", "speech", "Wait. Now.", {"action": "pause"}),
        ("He (the king) died.", "speech", "He (the king) died.", {}),
        ("The rate (really high) is real.", "speech", "The rate (really high) is real.", {}),
        ("(off) Hello there.", "speech", "Hello there.", {"onscreen": "off"}),
        ("(ON) Hello there.", "speech", "Hello there.", {"onscreen": "on"}),
        ("Hello (ON/OFF) there.", "speech", "Hello there.", {"onscreen": "on/off"}),
        ("(DOS) Salut toi.", "speech", "Salut toi.", {"onscreen": "back"}),
        ("[O.S.] Hello.", "speech", "Hello.", {"onscreen": "off"}),
        ("Breaths are short.", "speech", "Breaths are short.", {}),
        ("Effort", "reaction", "Effort", {}),
        ("Efforts.", "speech", "Efforts.", {}),
    ],
)
def test_marks_in_the_text(cell: str, kind: str, text: str, direction: dict[str, str], tmp_path: Path) -> None:
    line = lines(f'who,text\nTOM,"{cell}"\n', tmp_path)[0]
    assert (line.kind, line.text, dict(line.direction)) == (kind, text, direction)


def test_a_cell_of_nothing_but_a_mark_is_rejected_with_its_place(tmp_path: Path) -> None:
    document = read("text\nWords.\n(OFF)\n", tmp_path)
    assert [(r.place, r.reason) for r in document.rejected] == [
        ("row 3, column 1 (text)", "nothing speakable in '(OFF)'")
    ]


def test_markup_stays_an_error(tmp_path: Path) -> None:
    with pytest.raises(MarkupError, match="row 2"):
        read("text\n[pause 500ms] Words.\n", tmp_path)


def test_the_columns_of_a_recording_script(tmp_path: Path) -> None:
    text = (
        "N°,Personnage,Type,VF,ON/OFF,Émotion,Didascalie,Remarques,Prise\n"
        "1,MARA,Dialogue,Bonjour à tous.,OFF,gai,(de loin),vite,3\n"
        "2,TOM,Réaction,,ON,,,,\n"
        "3,,Walla,Brouhaha du marché,,,,,\n"
        "4,,Carton,Dix ans plus tard,,,,,\n"
        "5,TOM,Dialogue,(rit) Oui !,DOS,,(bas),,\n"
        "6,FOULE,Dialogue,Vive la reine !,,,,,\n"
    )
    found = lines(text, tmp_path, language="fr")
    assert [(line.key, line.kind, line.text, dict(line.direction), line.notes, dict(line.extra)) for line in found] == [
        (
            "1",
            "speech",
            "Bonjour à tous.",
            {"emotion": "gai", "action": "de loin", "onscreen": "off"},
            "vite",
            {"Prise": "3"},
        ),
        ("2", "reaction", "Réaction", {"onscreen": "on"}, "", {}),
        ("3", "walla", "Brouhaha du marché", {}, "", {}),
        ("4", "onscreen", "Dix ans plus tard", {}, "", {}),
        ("5", "speech", "Oui !", {"reaction": "rit", "action": "bas", "onscreen": "back"}, "", {}),
        ("6", "walla", "Vive la reine !", {}, "", {}),
    ]


def test_a_dialogue_list_with_text_in_the_picture(tmp_path: Path) -> None:
    text = (
        "In-Timecode,Out-Timecode,Source,Dialogue,On-screen text/Burned-in subtitle,Annotations\n"
        "00:00:01:00,00:00:02:00,MARA,We are here.,,arrives\n"
        "00:00:03:00,00:00:04:00,,,TEN YEARS LATER,\n"
        "00:00:05:00,00:00:06:00,TOM,Look at that.,EXIT,\n"
    )
    found = lines(text, tmp_path, frame_rate=FPS_25)
    assert [(line.kind, line.text, line.characters, line.in_ms, line.notes) for line in found] == [
        ("speech", "We are here.", ("MARA",), 1000, "arrives"),
        ("onscreen", "TEN YEARS LATER", (), 3000, ""),
        ("speech", "Look at that.", ("TOM",), 5000, ""),
        ("onscreen", "EXIT", (), 5000, ""),
    ]
    assert len({line.key for line in found}) == 4


# the sheet


def test_zero_bytes_are_dropped_from_every_cell(tmp_path: Path) -> None:
    line = lines("id,who,text,Shelf\na\x001,MA\x00RA,Wo\x00rds.,x\x00y\n", tmp_path)[0]
    assert (line.key, line.characters, line.text, dict(line.extra)) == ("a1", ("MARA",), "Words.", {"Shelf": "xy"})


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ("Script(de)|Start|End|Character|Comments", {"text": 0, "in": 1, "out": 2, "character": 3, "notes": 4}),
        ("speaker|start_time|end_time|transcription|translation", {"character": 0, "in": 1, "out": 2, "text": 4}),
        (
            "Cue #|Reel|Character|Start TC|End TC|Dialogue|Reason Code",
            {"id": 0, "section": 1, "in": 3, "out": 4, "text": 5},
        ),
        (
            "Rolle|TC In|TC Out|Originaltext|Übersetzung|Anmerkung",
            {"character": 0, "original": 3, "text": 4, "notes": 5},
        ),
        ("Personaje|Entrada|Salida|Original|Traducción|Observaciones", {"in": 1, "out": 2, "original": 3, "text": 4}),
        ("Personaggio|Inizio|Fine|Battuta|Note", {"character": 0, "in": 1, "out": 2, "text": 3, "notes": 4}),
        ("Personagem|Início|Fim|Fala|Língua", {"character": 0, "in": 1, "out": 2, "text": 3, "language": 4}),
        ("Personage|Begintijd|Eindtijd|Vertaling|Opmerkingen", {"character": 0, "in": 1, "out": 2, "text": 3}),
        ("Postać|Początek|Koniec|Tłumaczenie|Uwagi", {"character": 0, "in": 1, "out": 2, "text": 3, "notes": 4}),
        ("Персонаж|Начало|Конец|Перевод|Примечания", {"character": 0, "in": 1, "out": 2, "text": 3, "notes": 4}),
        ("编号|角色|入点|出点|原文|译文|备注", {"id": 0, "character": 1, "in": 2, "out": 3, "original": 4, "text": 5}),
        ("番号|役名|開始|終了|セリフ|ト書き", {"id": 0, "character": 1, "in": 2, "out": 3, "text": 4, "action": 5}),
        ("번호|캐릭터|시작|종료|대사|비고", {"id": 0, "character": 1, "in": 2, "out": 3, "text": 4, "notes": 5}),
        ("startTime|endTime|characterName|Text", {"in": 0, "out": 1, "character": 2, "text": 3}),
        ("In|Out|Speaker|Line|Notes", {"in": 0, "out": 1, "character": 2, "text": 3, "notes": 4}),
    ],
)
def test_headers_in_many_languages(headers: str, expected: dict[str, int]) -> None:
    found = find_columns(headers.split("|"))
    assert {name: at for name, at in found.items() if name in expected} == expected


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("Script(de)", "de"),
        ("Translation (French)", "fr"),
        ("Text [pt-BR]", "pt-BR"),
        ("Text (max)", None),
        ("VF", None),
    ],
)
def test_a_header_names_a_language(header: str, language: str | None) -> None:
    assert header_language(header) == language


def test_the_language_of_the_header_is_the_sheets(tmp_path: Path) -> None:
    document = read("Character,Script (German)\nMARA,Guten Tag.\n", tmp_path, language=None)
    assert (document.language, document.language_stated, document.notices) == ("de", True, ())
    assert not read("Character,Script\nMARA,Guten Tag.\n", tmp_path, language=None).language_stated


def test_columns_nobody_knows_are_carried_in_order(tmp_path: Path) -> None:
    found = lines("Shelf,text,Box,Shelf,,Comments,Notes\na,Words.,b,c,d,e,f\n", tmp_path)
    assert list(found[0].extra.items()) == [
        ("Shelf", "a"), ("Box", "b"), ("Shelf (4)", "c"), ("column 5", "d"), ("Comments", "e")
    ]  # fmt: skip
    assert found[0].notes == "f"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le-bom", "cp1252"])
def test_delimiters_marks_quotes_and_titles_above(delimiter: str, encoding: str, tmp_path: Path) -> None:
    rows = [
        ["", "", ""],
        ["DIALOGUE", "", ""],
        ["Episode", "7", ""],
        ["Cue", "Character", "Dialogue"],
        ["1", "MÄRA", f'"Quoted{delimiter} ""words""\nover two lines."'],
        ["Cue", "Character", "Dialogue"],
        ["2", "TOM", "Plain words."],
    ]
    text = "\r\n".join(delimiter.join(row) for row in rows)
    data = b"\xff\xfe" + text.encode("utf-16-le") if encoding == "utf-16-le-bom" else text.encode(encoding)
    # one letter of cp1252 does not tell it from other encodings
    document = read(data, tmp_path, encoding="cp1252" if encoding == "cp1252" else None)
    said = " ".join(f'Quoted{delimiter} "words" over two lines.'.split())
    assert [(line.key, line.characters, line.text, line.place) for line in document.sections[0].lines] == [
        ("1", ("MÄRA",), said, "row 5"),
        ("2", ("TOM",), "Plain words.", "row 7"),
    ]
    notices = {(notice.place, notice.reason) for notice in document.notices}
    assert {
        ("row 2", "2 rows are above the header and not read"),
        ("row 6", "is the header again and not read"),
    } <= notices


def test_a_section_set_in_a_row_of_its_own_counts_below(tmp_path: Path) -> None:
    document = read("Reel,Text\nOne,\n,Words here.\nTwo,More words.\n", tmp_path)
    assert [(section.title, len(section.lines)) for section in document.sections] == [("One", 1), ("Two", 1)]
    assert [r.place for r in document.rejected] == ["row 2, column 2 (Text)"]


def test_when_no_row_can_be_read_the_first_reason_is_told(tmp_path: Path) -> None:
    with pytest.raises(ScriptEmpty, match=r"the first of 1 rows.*row 2, column 1 \(in\): 'x' is not a time"):
        read("in,text\nx,Words.\n", tmp_path)


def test_no_header(tmp_path: Path) -> None:
    with pytest.raises(HeaderMissing, match=r"row 1: names no column for the text; found 'a', 'b'"):
        read("a,b\nc,d\n", tmp_path)


def test_an_on_off_word_that_is_none_is_kept_as_it_is(tmp_path: Path) -> None:
    assert presence_of("half") is None
    assert dict(lines("text,on/off\nWords.,half\n", tmp_path)[0].direction) == {"onscreen": "half"}


def test_many_brackets_and_spaces_take_no_time() -> None:
    for text in ("(" * 100_000, "[" * 100_000, "(a" * 50_000, "(a)" * 30_000, " " * 100_000, "( " * 50_000):
        take_marks(text)
        sure_names(text)


CELLS = [
    "", "text", "Dialogue", "TC In", "out", "who", "00:00:01:00", "01:00:00;02", "1.5", "(off)", "[x]", '"', "\n", ";",
    "|", "\t", "MARA & TOM", "a, b", "kind", "R", "\x00", "\ufeff", "é", "笑", "(", "on/off", "語", "=1+1", "sep=;",
]  # fmt: skip


@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(CELLS), max_size=5), max_size=6),
    st.sampled_from([None, FPS_25, DROP]),
    st.sampled_from(["utf-8", "utf-16", "utf-16-le"]),
)
def test_whatever_the_sheet_is_the_error_is_ours(
    tmp_path: Path, rows: list[list[str]], rate: Fraction | None, encoding: str
) -> None:
    text = "\n".join(",".join(row) for row in [["TC In", "who", "text"], *rows])
    try:
        document = read(text.encode(encoding), tmp_path, frame_rate=rate)
    except ScriptError:
        pass
    else:
        assert document.line_count


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(min_size=1, max_size=300))
def test_whatever_the_bytes_are_the_error_is_ours(tmp_path: Path, data: bytes) -> None:
    for head in (b"", b"id,text,in\n"):
        try:
            read(head + data, tmp_path)
        except ScriptError:
            pass
