from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.scripts.errors import HeaderMissing, ScriptError, ScriptRefused, ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.mapping import SheetMapping, read_mapping
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.sheet import SheetReader
from scheduler.scripts.source import ScriptSource

WHOLE = """\
# the columns of the studio
columns:
  text: Adaptation finale
  in: "Timecode"
frame_rate: 23.976
drop_frame: no
language: French
kinds:
  Bruitage: reaction
sheets: [Bobine 1, Bobine 2]
header_row: 3
skip:
  kind: [Comment, NO]
"""


def mapping(text: str | bytes, tmp_path: Path) -> SheetMapping:
    path = tmp_path / "map.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_mapping(path)


def sheet(text: str, tmp_path: Path, options: ReadOptions) -> ScriptDocument:
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8")
    return SheetReader().read(ScriptSource.open(path), options)


def test_a_whole_mapping(tmp_path: Path) -> None:
    assert mapping(WHOLE, tmp_path) == SheetMapping(
        columns={"text": "Adaptation finale", "in": "Timecode"},
        frame_rate=Fraction(24000, 1001),
        language="fr",
        kinds={"Bruitage": "reaction"},
        sheets=("Bobine 1", "Bobine 2"),
        header_row=3,
        skip={"kind": frozenset({"Comment", "NO"})},
    )


def test_a_mapping_of_nothing_but_remarks_changes_nothing(tmp_path: Path) -> None:
    assert mapping("# later\n", tmp_path).applied_to(ReadOptions()) == ReadOptions()


def test_the_command_line_counts_more(tmp_path: Path) -> None:
    given = ReadOptions(language="de", frame_rate=Fraction(25), columns={"text": "Deutsch"}, header_row=1)
    options = mapping(WHOLE, tmp_path).applied_to(given)
    assert (options.language, options.frame_rate, options.header_row) == ("de", 25, 1)
    assert options.columns == {"text": "Deutsch", "in": "Timecode"}
    assert options.sheets == ("Bobine 1", "Bobine 2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colums:\n  text: A\n", r"map\.yaml, line 1: there is no key 'colums'; known are columns.*'columns'\?"),
        ("language: fr\ncolumns:\n  txt: A\n", r"line 3 \(columns\): there is no key 'txt'; known are id.*'text'\?"),
        ("columns: A\n", r"line 1 \(columns\): holds no"),
        ("columns:\n  text: [A]\n", r"line 2 \(columns: text\): is not one word"),
        ("columns:\n  text:\n", r"line 2 \(columns: text\)"),
        ("columns:\n  text: A\n  text: B\n", r"line 3 \(text\): stands twice"),
        ("kinds:\n  SFX: noise\n", r"line 2 \(kinds: SFX\): is 'noise'; a line is one of speech, reaction"),
        ("frame_rate: 26\n", r"line 1 \(frame_rate\): '26' is no frame rate"),
        ("header_row: 0\n", r"line 1 \(header_row\)"),
        ("header_row: 99999999999999999999\n", "header_row"),
        ("drop_frame: perhaps\n", r"line 1 \(drop_frame\).*true or false"),
        ("language: Klingon!\n", r"line 1 \(language\)"),
        ("- text\n", r"line 1 \(the file\)"),
        ("columns: {text: A\n", r"line 2: is not YAML"),
        ("a: b\n---\nc: d\n", r"line 2: is not YAML"),
        ("columns:\n  ? [a, b]\n  : c\n", r"line 2 \(columns\)"),
        ("a: \x00\n", "is not YAML"),
        (b"columns: \xff\xfe", "is not UTF-8 at byte 9"),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_key(text: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(ScriptUnreadable, match=message):
        mapping(text, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        "columns: &c\n  text: A\n",
        "skip:\n  kind: *nothing\n",
        "[" * 50_000,
        "{a: " * 5_000,
    ],
)
def test_aliases_and_depth_are_refused_before_anything_is_built(text: str, tmp_path: Path) -> None:
    with pytest.raises(ScriptRefused, match=r"map\.yaml, line \d"):
        mapping(text, tmp_path)


def test_tags_make_no_objects(tmp_path: Path) -> None:
    with pytest.raises(ScriptUnreadable):
        mapping(f"!!python/object/apply:pathlib.Path.touch ['{tmp_path}/made']\n", tmp_path)
    assert not (tmp_path / "made").exists()


def test_a_mapping_is_a_page(tmp_path: Path) -> None:
    with pytest.raises(ScriptTooLarge, match=r"map\.yaml"):
        mapping("#" * 300_000, tmp_path)


def test_a_sheet_of_strange_headers_is_read_by_its_mapping(tmp_path: Path) -> None:
    options = mapping(
        "columns:\n  text: Gesprochen (final)\n  character: Wer\n  in: Ab\nkinds:\n  Geräusch: reaction\n"
        "skip:\n  kind: [Regie]\n  character: [KAMERA]\nframe_rate: 25\nlanguage: de\n",
        tmp_path,
    ).applied_to(ReadOptions())
    text = (
        "Wer;Gesprochen (final);Ab;Typ;Notiz intern\n"
        "Mara;Komm her.;00:00:01:05;Dialog;a\n"
        "Tom;Husten;00:00:02:00;geräusch;\n"
        "Tom;Schwenk.;00:00:03:00;Regie;\n"
        "kamera;Totale.;00:00:03:00;;\n"
    )
    document = sheet(text, tmp_path, options)
    lines = document.sections[0].lines
    assert [(line.characters, line.text, line.kind, line.in_time, dict(line.extra)) for line in lines] == [
        (("Mara",), "Komm her.", "speech", Fraction(6, 5), {"Notiz intern": "a"}),
        (("Tom",), "Husten", "reaction", Fraction(2), {}),
    ]
    assert [line.language for line in lines] == ["de", "de"]
    assert [(notice.place, notice.reason) for notice in document.notices] == [
        ("row 4, column 4 (Typ)", "left out for 'Regie'"),
        ("row 5, column 1 (Wer)", "left out for 'kamera'"),
    ]


def test_a_header_that_the_sheet_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(HeaderMissing, match=r"row 1: has no column 'Untertitel'; found 'id', 'text'"):
        sheet("id,text\n1,Words.\n", tmp_path, ReadOptions(columns={"notes": "Untertitel"}))
    with pytest.raises(HeaderMissing, match=r"row 1: has no column 'Spoken words'; found 'id', 'foo'"):
        sheet("id,foo\n1,Words.\n", tmp_path, ReadOptions(columns={"text": "Spoken words"}))
    with pytest.raises(HeaderMissing, match=r"'txet' is none of the fields.*text"):
        sheet("id,text\n1,Words.\n", tmp_path, ReadOptions(columns={"txet": "text"}))


def test_the_row_of_the_header_may_be_said(tmp_path: Path) -> None:
    text = "id,text,notes\nkey,script,comment\n7,Words to say.,x\n"
    line = sheet(text, tmp_path, ReadOptions(header_row=2, language="en")).sections[0].lines[0]
    assert (line.key, line.text, line.notes) == ("7", "Words to say.", "x")
    with pytest.raises(HeaderMissing, match="row 9"):
        sheet(text, tmp_path, ReadOptions(header_row=9))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.sampled_from([*WHOLE.split("\n"), "&a", "*a", "- ", ": ", "!!int x", "\t", "'", '"', "? ", "{", "]", "é"])
    )
)
def test_whatever_the_file_is_the_error_is_ours(tmp_path: Path, lines: list[str]) -> None:
    try:
        found = mapping("\n".join([*lines, "#"]), tmp_path)
    except ScriptError:
        pass
    else:
        assert isinstance(found, SheetMapping)
