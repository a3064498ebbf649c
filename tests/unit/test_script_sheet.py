from __future__ import annotations

from pathlib import Path

import pytest
from script_samples import SHEET, write

from scheduler.scripts.columns import find_columns
from scheduler.scripts.errors import HeaderMissing, ScriptEmpty, ScriptUnreadable
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.registry import read_script


def read(text: str | bytes, tmp_path: Path, name: str = "reel.csv", **options: object) -> ScriptDocument:
    return read_script(write(tmp_path / name, text), options=ReadOptions(**options))  # type: ignore[arg-type]


def test_a_dubbing_sheet(tmp_path: Path) -> None:
    document = read(SHEET, tmp_path)
    assert [(section.title, len(section.lines)) for section in document.sections] == [("Gate", 2), ("Road", 1)]
    first, second = document.sections[0].lines
    assert (first.key, first.characters, first.text) == ("a1", ("MARA",), "We have one hour, no more.")
    assert (first.in_ms, first.out_ms, dict(first.direction), dict(first.extra)) == (
        1000,
        2500,
        {"emotion": "calm"},
        {"Shelf": "7"},
    )
    assert second.characters == ("Old Tom",)
    assert document.kind == "dubbing"
    assert not document.rejected


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp932"])
def test_delimiters_and_encodings_are_found(delimiter: str, encoding: str, tmp_path: Path) -> None:
    rows = [
        ["番号", "役名", "セリフ"],
        ["1", "真理", "もう行かなければならないのです。"],
        ["2", "太郎", "まだ早い、と思う。"],
    ]
    text = "\n".join(delimiter.join(row) for row in rows)
    document = read(text.encode(encoding), tmp_path)
    assert [(line.key, line.characters, line.text) for line in document.sections[0].lines] == [
        ("1", ("真理",), "もう行かなければならないのです。"),
        ("2", ("太郎",), "まだ早い、と思う。"),
    ]
    assert document.language == "ja"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["Cue #", "Character", "Dialogue"], {"id": 0, "character": 1, "text": 2}),
        (
            ["speaker", "start_time", "end_time", "transcription", "translation"],
            {"character": 0, "in": 1, "out": 2, "text": 4, "original": 3},
        ),
        (["Rôle", "VO", "VF", "TC In"], {"character": 0, "original": 1, "text": 2, "in": 3}),
        (["ID", "Role", "Line"], {"id": 0, "character": 1, "text": 2}),
        (["Character", "Line"], {"character": 0, "text": 1}),
        (["SOURCE", "In-Timecode", "Dialogue", "Annotations"], {"character": 0, "in": 1, "text": 2}),
        (["Source", "Target", "Speaker"], {"original": 0, "text": 1, "character": 2}),
        (["角色", "台词", "情绪", "备注"], {"character": 0, "text": 1, "emotion": 2, "notes": 3}),
        (
            ["language", "id", "text", "file", "node", "lineNumber", "lock", "comment"],
            {"language": 0, "id": 1, "text": 2},
        ),
    ],
)
def test_column_names_in_many_spellings(headers: list[str], expected: dict[str, int], tmp_path: Path) -> None:
    found = find_columns(headers)
    assert {name: at for name, at in found.items() if name in expected} == expected


def test_a_header_is_required_and_the_error_says_what_is_understood(tmp_path: Path) -> None:
    with pytest.raises(HeaderMissing) as caught:
        read("Mara,Hello there\nTom,Good day\n", tmp_path)
    assert "'Mara'" in str(caught.value)
    assert "dialogue" in str(caught.value)
    assert "row 1" in str(caught.value)


def test_rows_that_cannot_be_read_are_reported_and_the_rest_is(tmp_path: Path) -> None:
    text = (
        "id,text,in,out\n1,Fine words.,0:01,0:02\n2,,0:03,0:04\n3,……,0:05,0:06\n4,Late.,0:09,0:08\n5,Odd.,noon,0:12\n"
    )
    document = read(text, tmp_path)
    assert [line.key for line in document.sections[0].lines] == ["1"]
    assert [rejection.place for rejection in document.rejected] == [
        "row 3, column 2 (text)",
        "row 4, column 2 (text)",
        "row 5, column 4 (out)",
        "row 6, column 3 (in)",
    ]


def test_frames_need_a_rate(tmp_path: Path) -> None:
    with pytest.raises(ScriptUnreadable, match=r"row 2.*01:00:00:12.*frame rate"):
        read("text,in\nWords.,01:00:00:12\n", tmp_path)


def test_an_id_used_twice_is_kept_apart_and_noted(tmp_path: Path) -> None:
    document = read("id,text,language\nx,One thing.,en\nx,Another thing.,en\n", tmp_path)
    assert [line.key for line in document.sections[0].lines] == ["x", "x~2"]
    assert [notice.place for notice in document.notices] == ["row 3"]


def test_formulas_are_text(tmp_path: Path) -> None:
    document = read('text\n"=HYPERLINK(""http://localhost"",""x"")"\n+1 is the answer\n', tmp_path, language="en")
    assert [line.text for line in document.sections[0].lines] == [
        '=HYPERLINK("http://localhost","x")',
        "+1 is the answer",
    ]


def test_several_characters_narration_and_reactions(tmp_path: Path) -> None:
    text = "who,text\nMARA / TOM,Together now.\nNarrator,It rained.\nTOM,[sighs] Fine.\nTOM,[laughs]\n"
    lines = read(text, tmp_path).sections[0].lines
    assert [(line.characters, line.kind, line.text) for line in lines] == [
        (("MARA", "TOM"), "speech", "Together now."),
        ((), "speech", "It rained."),
        (("TOM",), "speech", "Fine."),
        (("TOM",), "reaction", "laughs"),
    ]
    assert dict(lines[2].direction) == {"reaction": "sighs"}


def test_languages_by_row_and_a_long_row_without_times_is_divided(tmp_path: Path) -> None:
    long = "This is one sentence of a long cell in the sheet. " * 12
    document = read(f"id,text,lang\na,{long},en\nb,Guten Tag zusammen.,German\nc,Words.,klingon!\n", tmp_path)
    lines = document.sections[0].lines
    assert [line.key for line in lines[:3]] == ["a", "a~2", "a~3"]
    assert " ".join(line.text for line in lines if line.key.startswith("a")) == long.strip()
    assert lines[-2].language == "de"
    assert any("klingon" in notice.reason for notice in document.notices)


def test_short_rows_and_blank_rows_are_harmless(tmp_path: Path) -> None:
    document = read("\n\nid,text,notes\n1,Words.\n\n,,\n2,More words.,note,too,many\n", tmp_path)
    assert [line.text for line in document.sections[0].lines] == ["Words.", "More words."]


def test_cells_hold_line_ends(tmp_path: Path) -> None:
    document = read('id,text\r\n1,"Two lines\r\nin one cell."\r\n2,After.\r\n', tmp_path)
    assert [line.text for line in document.sections[0].lines] == ["Two lines in one cell.", "After."]
    assert document.sections[0].lines[1].place == "row 3"


def test_a_sheet_without_rows_is_empty(tmp_path: Path) -> None:
    with pytest.raises(ScriptEmpty, match="'Text'"):
        read("ID,Text\n1,\n", tmp_path)
