"""From an order to its script: reading options, what is rejected, casting files."""

from __future__ import annotations

import csv
import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
from script_samples import draft_voices, write
from typer.testing import CliRunner

from db.records import JobOptions
from scheduler.castfile import Uncast
from scheduler.cli.main import app
from scheduler.local.order import (
    Order,
    OrderError,
    ScriptRejected,
    note_rejects,
    plan,
    read,
    read_as_before,
    read_source,
    reading_of,
)
from scheduler.scripts.rejects import write_rejects

SHEET = """Cue,Who speaks,TC In,TC Out,Translation,Lip notes
1,MARA,00:00:01:00,00:00:02:12,"Hello (off) there.",labial
2,TOM,00:00:05:00,00:00:04:00,Too late.,
3,MARA,00:00:05:00,00:00:06:00,[laughs],
"""
MAP = "columns: {character: Who speaks}\nframe_rate: 25\nlanguage: en-GB\n"


def sheet(folder: Path) -> Path:
    return write(folder / "sheet.csv", SHEET)


def show(*arguments: str) -> tuple[int, dict[str, object], str]:
    done = CliRunner().invoke(app, ["script", "show", *arguments, "--json"])
    return done.exit_code, json.loads(done.stdout) if done.stdout else {}, repr(done.exception)


def test_show_prints_exact_times_and_says_what_was_rejected(tmp_path: Path) -> None:
    code, found, _ = show(str(sheet(tmp_path)), "--map", str(write(tmp_path / "map.yaml", MAP)))
    assert code == 3
    (section,) = found["sections"]  # type: ignore[misc]
    first, laugh = section["lines"]
    assert {key: first[key] for key in ("id", "kind", "characters", "in", "out", "in_ms", "out_ms", "text")} == {
        "id": "1", "kind": "speech", "characters": ["MARA"], "in": "1/1", "out": "62/25", "in_ms": 1000,
        "out_ms": 2480, "text": "Hello there.",
    }  # fmt: skip
    assert (first["direction"], first["language"], first["extra"]) == ("off", "en-GB", {"Lip notes": "labial"})
    assert laugh["kind"] == "reaction"
    (rejected,) = found["rejected"]  # type: ignore[misc]
    assert rejected["place"] == "row 3, column 4 (TC Out)"


def test_show_reads_a_book_without_times(tmp_path: Path) -> None:
    code, found, _ = show(str(write(tmp_path / "book.txt", "CHAPTER I\n\nIt was late, and the lamp had burnt down.\n")))
    assert code == 0
    (section,) = found["sections"]  # type: ignore[misc]
    assert {line["in"] for line in section["lines"]} == {None}
    assert found["rejected"] == []


def test_the_command_lines_frame_rate_counts_more_than_the_maps(tmp_path: Path) -> None:
    mapping = write(tmp_path / "map.yaml", MAP)
    document = read_source(Order(source=sheet(tmp_path), mapping=mapping, frame_rate="24"))
    assert document.sections[0].lines[0].out_ms == 2500


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"frame_rate": "banana"}, "--fps 'banana'"),
        ({"script_kind": "opera"}, "--kind 'opera'"),
    ],
)
def test_reading_options_that_are_not_right(tmp_path: Path, order: dict[str, str], reason: str) -> None:
    with pytest.raises(OrderError, match=reason):
        read_source(Order(source=sheet(tmp_path), **order))  # type: ignore[arg-type]


def test_strict_refuses_the_whole_script_and_names_the_first_place(tmp_path: Path) -> None:
    order = Order(source=sheet(tmp_path), mapping=write(tmp_path / "map.yaml", MAP))
    assert len(read(order).rejected) == 1
    with pytest.raises(ScriptRejected, match="row 3") as caught:
        read(Order(source=order.source, mapping=order.mapping, strict=True))
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.file, again.place, again.count) == ("sheet.csv", "row 3, column 4 (TC Out)", 1)


def test_the_report_of_rejects_opens_in_a_spreadsheet(tmp_path: Path) -> None:
    document = read(Order(source=sheet(tmp_path), mapping=write(tmp_path / "map.yaml", MAP)))
    report = tmp_path / "rejects.csv"
    assert write_rejects(document, "=cmd.csv", report) == 1
    with report.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["file", "place", "reason"]
    assert rows[1][:2] == ["'=cmd.csv", "row 3, column 4 (TC Out)"]


def test_a_kind_is_what_the_caller_says(tmp_path: Path) -> None:
    document = read_source(Order(source=write(tmp_path / "a.md", "# One\n\nHello there.\n"), script_kind="audiobook"))
    assert document.kind == "audiobook"


def test_a_casting_file_casts_and_the_command_line_wins(tmp_path: Path) -> None:
    voices = draft_voices()
    script = write(tmp_path / "a.csv", "character,text\nMARA,Good morning.\nTOM,Good evening.\n")
    casting = write(tmp_path / "cast.yaml", f"narrator: {voices[0].name}\ncharacters: {{Mara: {voices[1].name}}}\n")
    order = Order(source=script, casting=casting, cast={"TOM": voices[2].name})
    made = plan(order, read(order), voices, None)
    assert [line.voice_id for section in made.sections for line in section.lines] == [voices[1].id, voices[2].id]


def test_a_casting_file_that_wants_everybody_named_says_who_is_not(tmp_path: Path) -> None:
    voices = draft_voices()
    script = write(tmp_path / "a.csv", "character,text\nMARA,Good morning.\nTOM,Good evening.\nEVA,Good night.\n")
    text = f"narrator: {voices[0].name}\nuncast: refuse\ncharacters: {{Mara: {voices[1].name}}}\n"
    order = Order(source=script, casting=write(tmp_path / "cast.yaml", text), cast={"tom": voices[2].name})
    with pytest.raises(Uncast, match="EVA") as caught:
        plan(order, read(order), voices, None)
    assert caught.value.characters == ("EVA",)


def test_what_is_left_out_of_a_render_is_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    order = Order(source=sheet(tmp_path), mapping=write(tmp_path / "map.yaml", MAP))
    said = note_rejects(order, read(order))
    assert "1 part of sheet.csv is left out" in said
    assert "sheet-rejected.csv" in said
    assert "row 3" in (tmp_path / "sheet-rejected.csv").read_text(encoding="utf-8-sig")
    whole = Order(source=write(tmp_path / "b.csv", "text\nHello there.\n"))
    assert note_rejects(whole, read(whole)) == ""
    assert not (tmp_path / "b-rejected.csv").exists()


def test_how_a_script_was_read_is_stored_and_used_again(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text("columns: {text: was}", encoding="utf-8")
    first = Order(
        tmp_path / "a.csv", script_format="csv", script_kind="dubbing", language="de", encoding="cp1252",
        frame_rate="25", include_roles=frozenset({"footnote"}), mapping=tmp_path / "map.yaml",
    )  # fmt: skip
    stored = JobOptions.model_validate_json(JobOptions(reading=reading_of(first)).model_dump_json()).reading
    (tmp_path / "map.yaml").unlink()
    again = read_as_before(Order(tmp_path / "b.csv"), stored, "a.csv")
    assert reading_of(again) == stored
    other = read_as_before(Order(tmp_path / "b.xlsx", frame_rate="24", tables="read"), stored, "a.csv")
    assert (other.script_format, other.frame_rate, other.tables, other.language) == (None, "24", "read", "de")
    (tmp_path / "new.yaml").write_text("columns: {text: neu}", encoding="utf-8")
    mapped = read_as_before(Order(tmp_path / "b.csv", mapping=tmp_path / "new.yaml"), stored, "a.csv")
    assert "neu" in (reading_of(mapped).mapping or "")
    (tmp_path / "b.csv").write_text("was\nGuten Tag.\n", encoding="utf-8")
    plain = replace(again, encoding=None, script_kind=None)
    assert [line.text for section in read_source(plain).sections for line in section.lines] == ["Guten Tag."]
