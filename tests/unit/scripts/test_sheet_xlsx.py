from __future__ import annotations

import io
import random
import re
import tracemalloc
import zipfile
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from pathlib import Path

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from scheduler.scripts.archive import MAX_ENTRY_BYTES, Archive
from scheduler.scripts.errors import HeaderMissing, ScriptError, ScriptRefused, ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.source import ScriptSource
from scheduler.scripts.xlsx import XlsxReader, column_letters
from scheduler.scripts.xlsx_parts import elements, forget

FPS_25 = Fraction(25)
HEADER = ["Cue", "Character", "TC In", "TC Out", "Dialogue", "Shelf"]
ROWS = [
    ["1", "MARA", "01:00:00:00", "01:00:01:12", "We have one hour.", 7],
    ["2", "TOM", "01:00:01:00", "01:00:02:00", "No more.", None],
]


def workbook(
    path: Path, sheets: dict[str, Sequence[Sequence[object]]], change: Callable[..., None] | None = None
) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet: Worksheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    if change is not None:
        change(book)
    book.save(path)
    return path


def read(path: Path, **options: object) -> ScriptDocument:
    return XlsxReader().read(ScriptSource.open(path), ReadOptions(**{"language": "en", **options}))  # type: ignore[arg-type]


def repacked(path: Path, changes: dict[str, Callable[[bytes], bytes]]) -> Path:
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, changes.get(name, lambda same: same)(data))
    return path


SHEET1 = "xl/worksheets/sheet1.xml"
STRINGS = "xl/sharedStrings.xml"
_INLINE = re.compile(rb'(<c r="[A-Z]+[0-9]+"[^>]*) t="inlineStr"><is>(.*?)</is></c>', re.DOTALL)


def shared(path: Path) -> Path:
    """Store the texts of a workbook in one table, as spreadsheet programs do and the library here does not."""
    table: list[bytes] = []

    def moved(match: re.Match[bytes]) -> bytes:
        table.append(match[2])
        return match[1] + b' t="s"><v>' + str(len(table) - 1).encode() + b"</v></c>"

    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for name in sorted(parts):
        if name.startswith("xl/worksheets/sheet"):
            parts[name] = _INLINE.sub(moved, parts[name])
    main = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    parts[STRINGS] = b"<sst " + main + b">" + b"".join(b"<si>" + text + b"</si>" for text in table) + b"</sst>"
    link = b'<Relationship Id="rIdS" Type="http://x/sharedStrings" Target="sharedStrings.xml"/></Relationships>'
    rels = "xl/_rels/workbook.xml.rels"
    parts[rels] = parts[rels].replace(b"</Relationships>", link)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


def test_a_dubbing_sheet(tmp_path: Path) -> None:
    document = read(workbook(tmp_path / "ep7.xlsx", {"Reel 1": [HEADER, *ROWS]}), frame_rate=FPS_25)
    assert (document.format, document.kind, document.title, document.language) == ("xlsx", "dubbing", "ep7", "en")
    assert [(section.title, section.kind) for section in document.sections] == [("Reel 1", "reel")]
    first, second = document.sections[0].lines
    assert (first.key, first.characters, first.text, dict(first.extra)) == (
        "1",
        ("MARA",),
        "We have one hour.",
        {"Shelf": "7"},
    )
    assert (first.in_time, first.out_time, first.out_ms) == (Fraction(3600), Fraction("3601.48"), 3_601_480)
    assert second.place == "Reel 1, row 3"
    assert (document.rejected, document.notices) == ((), ())


def test_texts_in_one_table_read_like_texts_in_cells(tmp_path: Path) -> None:
    for table in (False, True):
        path = workbook(tmp_path / "a.xlsx", DIALOGUE_LIST)
        document = read(shared(path) if table else path)
        assert [(line.characters, line.text) for line in document.sections[0].lines] == [
            (("MARA",), "We have one hour."),
            (("TOM",), "No more."),
        ]


def test_a_text_that_the_table_lacks_rejects_its_row(tmp_path: Path) -> None:
    path = shared(workbook(tmp_path / "a.xlsx", {"S": [["Text"], ["One word."], ["Two words."]]}))
    document = read(repacked(path, {SHEET1: lambda data: data.replace(b"<v>2</v>", b"<v>9</v>")}))
    assert [(r.place, r.reason) for r in document.rejected] == [("S, row 3, column A (Text)", "its text is missing")]


def test_times_as_cells_are_exact_to_the_millisecond(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        [time(0, 1, 2, 500_000), timedelta(hours=1, minutes=1, seconds=3, milliseconds=40), "A time and a length."],
        [datetime(1899, 12, 30, 0, 2, 0), timedelta(hours=25), "Past the day."],
        [123.5, 124, "Seconds."],
        ["00:02:04.250", "00:02:05,5", "Texts."],
        [0.1, 0.30000000000000004, "Fractions."],
        [datetime(2026, 3, 1, 10, 0), None, "A date is none."],
    ]
    document = read(workbook(tmp_path / "a.xlsx", {"S": [["In", "Out", "Text"], *rows]}))
    assert [(line.in_time, line.out_time) for line in document.sections[0].lines] == [
        (Fraction("62.5"), Fraction("3663.04")),
        (Fraction(120), Fraction(90_000)),
        (Fraction("123.5"), Fraction(124)),
        (Fraction("124.25"), Fraction("125.5")),
        (Fraction("0.1"), Fraction("0.3")),
    ]
    assert [(r.place, r.reason) for r in document.rejected] == [
        ("S, row 7, column A (In)", "'2026-03-01 10:00:00' is not a time")
    ]


def test_the_epoch_of_1904_and_dates_that_are_carried(tmp_path: Path) -> None:
    def change(book: openpyxl.Workbook) -> None:
        book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904

    for name, edit in (("a.xlsx", None), ("b.xlsx", change)):
        rows = [["In", "Text", "Recorded"], [time(1, 0, 0), "Words.", date(2026, 3, 1)]]
        line = read(workbook(tmp_path / name, {"S": rows}, edit)).sections[0].lines[0]
        assert (line.in_ms, dict(line.extra)) == (3_600_000, {"Recorded": "2026-03-01"})


def test_frames_without_a_rate_refuse_the_workbook(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", {"Reel 1": [HEADER, *ROWS]})
    with pytest.raises(
        ScriptUnreadable, match=r"Reel 1, row 2, column C \(TC In\): '01:00:00:00' counts frames.*--fps"
    ):
        read(path)


DIALOGUE_LIST = {
    "Project Info": [["Title", "The Lamp"], ["Frame Rate:", "23.976"], ["Language", "English"]],
    "Change Log": [["Version", "Date", "Comments"], [1, "2026-03-01", "first"]],
    "Dialogue List": [["THE LAMP"], [], HEADER, *ROWS],
    "KNP": [["Source", "Translation"], ["the Gate", "das Tor"]],
}


def test_a_dialogue_list_with_project_tabs(tmp_path: Path) -> None:
    document = read(workbook(tmp_path / "a.xlsx", DIALOGUE_LIST))
    assert [line.in_time for line in document.sections[0].lines] == [Fraction("3603.6"), Fraction("3604.601")]
    assert [(notice.place, notice.reason) for notice in document.notices] == [
        ("Project Info", "is not read: no row names a column for the text"),
        ("Change Log", "is not read: no row names a column for the text"),
        (
            "KNP",
            "is not read: it has no times, and other sheets have; a mapping that names it under sheets has it read",
        ),
        ("Project Info, row 2", "the workbook states 23.976 frames a second, and its timecodes are read so"),
        ("Dialogue List, row 1", "row 1 is above the header and not read"),
    ]
    assert read(tmp_path / "a.xlsx", frame_rate=FPS_25).sections[0].lines[0].in_time == 3600


def test_sheets_are_sections_unless_a_column_says_otherwise(tmp_path: Path) -> None:
    plain = [["Character", "Text"], ["MARA", "Words."]]
    document = read(workbook(tmp_path / "a.xlsx", {"One": plain, "Two": plain}))
    assert [(section.title, section.kind, section.key) for section in document.sections] == [
        ("One", "scene", "one"),
        ("Two", "scene", "two"),
    ]
    reels = [["Reel", "Text"], ["1", "Words."], ["2", "More words."]]
    document = read(workbook(tmp_path / "b.xlsx", {"Ep 1": reels, "Ep 2": reels}))
    assert [section.title for section in document.sections] == ["1", "2", "Ep 2: 1", "Ep 2: 2"]
    document = read(workbook(tmp_path / "lamp.xlsx", {"Sheet1": plain}))
    assert [section.title for section in document.sections] == ["lamp"]


def test_named_sheets_only_hidden_ones_too(tmp_path: Path) -> None:
    def hide(book: openpyxl.Workbook) -> None:
        book["Two"].sheet_state = "hidden"

    plain = [["Character", "Text"], ["MARA", "Words."]]
    path = workbook(tmp_path / "a.xlsx", {"One": plain, "Two": plain, "Info": [["a", "b"]]}, hide)
    document = read(path)
    assert [section.title for section in document.sections] == ["One"]
    assert [notice.place for notice in document.notices] == ["Two", "Info"]
    assert "hidden" in document.notices[0].reason
    assert [section.title for section in read(path, sheets=("two",)).sections] == ["Two"]
    with pytest.raises(HeaderMissing, match=r"has no sheet 'Three'; it has 'One', 'Two', 'Info'"):
        read(path, sheets=("Three",))
    with pytest.raises(HeaderMissing, match=r"Info, row 1: names no column for the text; found 'a', 'b'"):
        read(path, sheets=("Info",))


def test_formulas_are_never_run(tmp_path: Path) -> None:
    rows = [["Text", "Notes"], ["Plain words.", "=1+1"], ['="Made "&"words."', ""], ["=1/0", ""], ["=A2", ""]]
    path = workbook(tmp_path / "a.xlsx", {"S": rows})

    def stored(data: bytes) -> bytes:
        data = data.replace(b"<f>A2</f><v></v>", b"<f>A2</f><v>Plain words.</v>").replace(
            b"<f>A2</f><v />", b"<f>A2</f><v>Plain words.</v>"
        )
        data = data.replace(b'<c r="A5"><f>', b'<c r="A5" t="str"><f>')
        return data.replace(b'<c r="A4"><f>1/0</f><v></v>', b'<c r="A4" t="e"><f>1/0</f><v>#DIV/0!</v>').replace(
            b'<c r="A4"><f>1/0</f><v />', b'<c r="A4" t="e"><f>1/0</f><v>#DIV/0!</v>'
        )

    document = read(repacked(path, {SHEET1: stored}))
    assert [(line.text, line.place) for line in document.sections[0].lines] == [("Plain words.", "S, row 5")]
    assert [(r.place, r.reason.split(";")[0]) for r in document.rejected] == [
        ("S, row 2, column B (Notes)", "is a formula without a stored value"),
        ("S, row 3, column A (Text)", "is a formula without a stored value"),
        ("S, row 4, column A (Text)", "holds the error #DIV/0!"),
    ]


def test_merged_names_count_for_each_row_and_texts_once(tmp_path: Path) -> None:
    def merge(book: openpyxl.Workbook) -> None:
        book["S"].merge_cells("A2:A3")
        book["S"].merge_cells("B4:B5")

    rows = [["Character", "Text"], ["MARA", "One word."], [None, "Two words."], ["TOM", "Three words."], ["MARA", None]]
    document = read(workbook(tmp_path / "a.xlsx", {"S": rows}, merge))
    assert [(line.characters, line.text) for line in document.sections[0].lines] == [
        (("MARA",), "One word."),
        (("MARA",), "Two words."),
        (("TOM",), "Three words."),
    ]
    assert [r.place for r in document.rejected] == ["S, row 5, column B (Text)"]


def test_hidden_rows_are_read_and_noticed(tmp_path: Path) -> None:
    def hide(book: openpyxl.Workbook) -> None:
        book["S"].row_dimensions[3].hidden = True

    document = read(workbook(tmp_path / "a.xlsx", {"S": [["Text"], ["One word."], ["Two words."]]}, hide))
    assert document.line_count == 2
    assert [(n.place, n.reason) for n in document.notices] == [("S, row 3", "1 hidden row is read like the others")]


@pytest.mark.parametrize("table", [False, True])
def test_texts_in_runs_with_readings_and_escapes(table: bool, tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", {"S": [["Text", "Notes"], ["HERE", "x_x0007_y_x000A_z"], [True, 1.5]]})

    def ruby(data: bytes) -> bytes:
        return data.replace(
            b"<t>HERE</t>",
            '<r><t xml:space="preserve">東京 </t></r><r><t>へ</t></r><rPh sb="0" eb="2"><t>カナ</t></rPh>'.encode(),
        ).replace(b"x_x005F_x0007_y_x005F_x000A_z", b"x_x0007_y_x000A_z")

    path = shared(path) if table else path
    lines = read(repacked(path, {STRINGS if table else SHEET1: ruby})).sections[0].lines
    assert [(line.text, line.notes) for line in lines] == [("東京 へ", "xy\nz"), ("TRUE", "1.5")]


def test_letters_of_columns() -> None:
    assert [column_letters(at) for at in (0, 25, 26, 701, 702, 16383)] == ["A", "Z", "AA", "ZZ", "AAA", "XFD"]


def test_cells_far_to_the_right_and_rows_past_the_end(tmp_path: Path) -> None:
    def far(book: openpyxl.Workbook) -> None:
        book["S"]["XFD2"] = "far"

    path = workbook(tmp_path / "a.xlsx", {"S": [["Text"], ["One word."]]}, far)
    assert dict(read(path).sections[0].lines[0].extra) == {}
    path = workbook(tmp_path / "b.xlsx", {"S": [["Text"] * 201, ["One word."]]})
    with pytest.raises(ScriptTooLarge, match="S, row 1: has 201 columns"):
        read(path)
    path = workbook(tmp_path / "c.xlsx", {"S": [["Text"], ["One word."]]})
    with pytest.raises(ScriptTooLarge, match="past the last"):
        read(repacked(path, {SHEET1: lambda data: data.replace(b'<row r="2"', b'<row r="1048577"')}))


def test_one_long_text_used_again_and_again_is_bounded(tmp_path: Path) -> None:
    path = shared(workbook(tmp_path / "a.xlsx", {"S": [["Text"], ["word " * 6000], *[["again"]] * 40]}))

    def again(data: bytes) -> bytes:
        return re.sub(rb"<v>\d+</v>", b"<v>1</v>", data).replace(b"<v>1</v>", b"<v>0</v>", 1)

    with pytest.raises(ScriptTooLarge, match=r"S, row \d+: holds more than 1,000,000 characters"):
        read(repacked(path, {SHEET1: again}), max_file_bytes=1_000_000)


def test_declarations_are_refused_in_every_part(tmp_path: Path) -> None:
    def declare(data: bytes) -> bytes:
        end = data.index(b"?>") + 2 if data.startswith(b"<?xml") else 0
        return data[:end] + b'<!DOCTYPE x [<!ENTITY a "aaaa">]>' + data[end:]

    for part in (SHEET1, STRINGS, "xl/workbook.xml", "xl/styles.xml", "_rels/.rels"):
        path = shared(workbook(tmp_path / "a.xlsx", {"S": [HEADER, *ROWS]}))
        with pytest.raises(ScriptRefused, match=r"a\.xlsx, "):
            read(repacked(path, {part: declare}), frame_rate=FPS_25)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", {"S": [HEADER, *ROWS]})
    with pytest.raises(ScriptTooLarge, match="sheet1"):
        read(repacked(path, {SHEET1: lambda data: data + b" " * 20_000_000}), frame_rate=FPS_25)


def test_a_sheet_larger_than_other_parts_may_be_is_read(tmp_path: Path) -> None:
    """A part of an archive may have 24 MiB; a sheet is read row by row and may have ten times as much."""
    head = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    cell = b'<c r="%s%d" t="inlineStr"><is><t>%s</t></is></c>'
    luck = random.Random(4)
    texts = [b"Dialogue", *(luck.randbytes(900).hex().encode() for _ in range(14_000))]
    cells = (cell % (b"A", n, b"C%d" % n) + cell % (b"B", n, text) for n, text in enumerate(texts, 1))
    rows = [b'<row r="%d">%s</row>' % (n, both) for n, both in enumerate(cells, 1)]
    data = head + b"".join(rows) + b"</sheetData></worksheet>"
    assert len(data) > MAX_ENTRY_BYTES
    path = repacked(workbook(tmp_path / "a.xlsx", {"S": [HEADER]}), {SHEET1: lambda _: data})
    tracemalloc.start()
    try:
        document = read(path, max_line_chars=5000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert document.line_count == 14_000
    assert peak < 2.5 * sum(len(line.text) for section in document.sections for line in section.lines)


def test_a_sheet_past_its_own_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workbook(tmp_path / "a.xlsx", {"S": [HEADER, *ROWS]})
    monkeypatch.setattr("scheduler.scripts.xlsx_parts.MAX_PART_BYTES", 500)
    with pytest.raises(ScriptTooLarge, match=r"sheet1\.xml: unpacks to .* divide it"):
        read(path, frame_rate=FPS_25)


def test_what_is_unpacked_in_passes_is_bounded_in_sum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workbook(tmp_path / "a.xlsx", {"S": [HEADER, *ROWS]})
    monkeypatch.setattr("scheduler.scripts.archive.MAX_STREAMED_BYTES", 2000)
    with pytest.raises(ScriptTooLarge, match="are read of one archive"):
        read(path, frame_rate=FPS_25)


@pytest.mark.parametrize("junk", [b"<x/>", b"<!-- -->", b"<row><x/>", b"<x><x/></x>"])
def test_what_is_no_row_does_not_pile_up_in_memory(
    junk: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = workbook(tmp_path / "a.xlsx", {"S": [HEADER, *ROWS]})
    repacked(path, {SHEET1: lambda data: data.replace(b"</sheetData>", junk * 40_000 + b"</sheetData>")})
    monkeypatch.setattr("scheduler.scripts.archive._BLOCK_BYTES", 1024)
    monkeypatch.setattr("scheduler.scripts.xlsx_parts.MAX_ENTRY_BYTES", 100_000)
    with pytest.raises((ScriptTooLarge, ScriptUnreadable), match=r"beside its rows|not XML"):
        read(path, frame_rate=FPS_25)


def test_rows_anywhere_free_what_stands_before_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workbook(tmp_path / "a.xlsx", {"S": [HEADER, *ROWS]})
    junk = b"<x><row/></x>" * 40_000
    repacked(path, {SHEET1: lambda data: data.replace(b"</sheetData>", b"</sheetData>" + junk)})
    with Archive(ScriptSource.open(path)) as archive:
        for element in elements(archive, SHEET1, ("row", "c")):
            if element.tag.endswith("row"):
                forget(element)
        assert sum(1 for _ in element.getroottree().iter()) < 10


def test_what_lies_across_two_blocks_is_seen_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, merged cells and declarations, wherever a block of the unpacked sheet ends."""
    rows = [HEADER, *ROWS, ["3", None, None, None, "Still me.", None]]
    path = workbook(tmp_path / "a.xlsx", {"S": rows}, lambda book: book["S"].merge_cells("B3:B4"))
    refused = workbook(tmp_path / "b.xlsx", {"S": rows})
    repacked(refused, {SHEET1: lambda data: b'<!DOCTYPE x [<!ENTITY a "a">]>' + data})
    for size in range(1, 60):
        monkeypatch.setattr("scheduler.scripts.archive._BLOCK_BYTES", size)
        lines = read(path, frame_rate=FPS_25).sections[0].lines
        assert [(line.characters, line.text) for line in lines[1:]] == [(("TOM",), "No more."), (("TOM",), "Still me.")]
        with pytest.raises(ScriptRefused, match="document type"):
            read(refused, frame_rate=FPS_25)


def test_what_is_no_workbook_says_so(tmp_path: Path) -> None:
    old = tmp_path / "old.xlsx"
    old.write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(2000))
    with pytest.raises(ScriptUnreadable, match=r"password.*\.xls"):
        read(old)
    (tmp_path / "text.xlsx").write_text("id,text\n", encoding="utf-8")
    with pytest.raises(ScriptUnreadable, match="not a whole zip archive"):
        read(tmp_path / "text.xlsx")
    with zipfile.ZipFile(tmp_path / "other.xlsx", "w") as archive:
        archive.writestr("a.txt", "words")
    with pytest.raises(ScriptUnreadable, match=r"xl/workbook\.xml"):
        read(tmp_path / "other.xlsx")
    whole = workbook(tmp_path / "cut.xlsx", {"S": [HEADER, *ROWS]})
    repacked(whole, {SHEET1: lambda data: data[: len(data) // 2]})
    with pytest.raises(ScriptUnreadable, match=r"sheet1\.xml: is not XML"):
        read(whole, frame_rate=FPS_25)


def test_links_and_macros_are_left_alone(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsm", {"S": [["Text"], ["Words."]]})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"\xd0\xcf\x11\xe0 no macro is read")
    link = (
        b'<Relationship Id="rIdX" Type="http://x/externalLink" Target="file:///etc/passwd" TargetMode="External"/>'
        b'<Relationship Id="rIdY" Type="http://x/sharedStrings" Target="../../../etc/passwd"/></Relationships>'
    )
    repacked(path, {"xl/_rels/workbook.xml.rels": lambda data: data.replace(b"</Relationships>", link)})
    document = read(path)  # its texts are gone with the link that points outside, and nothing else was opened
    assert document.line_count == 1


def test_whatever_the_bytes_are_the_error_is_ours(tmp_path: Path) -> None:
    path = shared(workbook(tmp_path / "a.xlsx", DIALOGUE_LIST))
    whole = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    choice = random.Random(7)
    read_whole = 0
    for turn in range(150):
        if turn % 3 == 0:
            data = bytearray(whole)
            for _ in range(choice.randrange(1, 12)):
                data[choice.randrange(len(data))] = choice.randrange(256)
            path.write_bytes(bytes(data[: choice.randrange(1, len(data))] if turn % 2 else data))
        else:
            name = choice.choice([SHEET1, "xl/worksheets/sheet3.xml", STRINGS, "xl/workbook.xml",
                                  "xl/styles.xml", "xl/_rels/workbook.xml.rels", "_rels/.rels"])  # fmt: skip
            part = bytearray(parts[name])
            for _ in range(choice.randrange(1, 6)):
                at = choice.randrange(len(part))
                part[at : at + choice.randrange(0, 4)] = choice.randbytes(choice.randrange(0, 3)) or b"9"
            with zipfile.ZipFile(path, "w") as archive:
                for other, data_of in parts.items():
                    archive.writestr(other, bytes(part) if other == name else data_of)
        try:
            read_whole += read(path).line_count > 0
        except ScriptError:
            pass
    assert read_whole
