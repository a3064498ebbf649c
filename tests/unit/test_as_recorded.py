"""Scripts handed back as they were recorded: a DAPT file for dubbing, a workbook for every sheet and game."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import openpyxl
import pytest

from db.records import DeliveryWork, JobOptions, Reading
from db.store import Store
from scheduler.scripts.dapt.findings import errors
from scheduler.scripts.dapt.validate import validate
from scheduler.scripts.model import ScriptDocument, ScriptLine
from scheduler.scripts.registry import read_script
from synthesis.deliverables.manifest import ManifestData, ManifestFile, ManifestLine, ManifestTrack, ManifestVoice
from workers.recorded import DAPT, SHEET, as_recorded, recorded_lines, script_papers

FIRST = ManifestLine(
    key="R1-001", character="ANNA", text="Who's there? <Nobody> & co.", language="en", digest="d" * 64,
    audio="a" * 64 + ".flac", voice="fake-2@1", engine="fake", engine_version="1", seed=1, start_samples=24_000,
    samples=72_048, pause_ms=300, in_ms=12_340, out_ms=13_000,
)  # fmt: skip
SECOND = replace(FIRST, key="R1-002", character="narrator", text="Night.", voice="fake-1@3", start_samples=110_448,
                 samples=24_000, in_ms=15_000, out_ms=16_000)  # fmt: skip
LEFT_OUT = replace(FIRST, key="R1-003", audio=None, voice=None, start_samples=None, samples=None, skipped=True)
TRACK = ManifestTrack(0, "r1", "R1", "t" * 64, 240_000, 48_000, {}, 7, (FIRST, SECOND, LEFT_OUT))
DATA = ManifestData(
    production={"slug": "film", "title": "Film", "author": "", "language": "en", "kind": "dubbing"},
    job={"id": 3, "created_at": "2026-11-20T08:00:00+00:00"}, software="voicefarm 0.1.0",
    made_at="2026-11-21T00:00:00Z", profile={"name": "netflix-premix"},
    voices=(ManifestVoice("fake-1@3", "fake", "1", draft=True),), tracks=(TRACK,),
    files=(
        ManifestFile("flac/01 - R1.flac", "flac", "1" * 64, 99, 5000),
        ManifestFile("lines/R1/R1-002.ogg", "lines-ogg", "2" * 64, 9, 500, line="R1-002", watermark=7),
    ),
)  # fmt: skip

SOURCE = """Cue;Reel;Character;TC in;TC out;Original;Text;Notes;Take OK;recorded voice
R1-001;R1;ANNA;00:00:12.340;00:00:13.000;Qui est là ?;Who's there? <Nobody> & co.;softly;yes;somebody@1
R1-002;R1;;00:00:15.000;00:00:16.000;Nuit.;=Night.;;;
R1-004;R1;ANNA;00:00:17.000;00:00:18.000;;[laughs];;@home;
"""


def written(data: ManifestData = DATA, document: ScriptDocument | None = None) -> bytes | None:
    return as_recorded(data, list(recorded_lines(data)), document)


def work(store: Store, source: Path | None, **reading: str) -> DeliveryWork:
    kept = None if source is None else store.put_file(source)
    options = JobOptions(script=kept, reading=Reading(**reading))  # type: ignore[arg-type]
    return DeliveryWork(
        3, 1, 1, "film", "Film", "", "en", "dubbing", "netflix-premix", options, "file:///nowhere", "film.csv",
        "0" * 64, datetime(2026, 11, 20, tzinfo=UTC), (),
    )  # fmt: skip


def papers(tmp_path: Path, source: str | None, data: ManifestData = DATA, **reading: str) -> tuple[Path, list[str]]:
    """The folder with what was written, and what was said."""
    script = None
    if source is not None:
        script = tmp_path / "film.csv"
        script.write_text(source, encoding="utf-8")
    store = Store((tmp_path / "store").as_uri())
    place = tmp_path / "place"
    place.mkdir()
    files, reasons = script_papers(work(store, script, **reading), data, store, place)
    assert [path.name for path, _ in files] == [name for name in (DAPT, SHEET) if (place / name).exists()]
    return place, reasons


def rows(folder: Path) -> list[dict[str, object]]:
    sheet = openpyxl.load_workbook(folder / SHEET).worksheets[0]
    head, *found = sheet.iter_rows(values_only=True)
    return [dict(zip(map(str, head), row, strict=True)) for row in found]


def events(folder: Path) -> tuple[ScriptLine, ...]:
    (section,) = read_script(folder / DAPT).sections
    return section.lines


def test_it_is_dapt_and_says_who_said_what_when_and_how_long(tmp_path: Path) -> None:
    data = written()
    assert data is not None
    assert errors(validate(data, DAPT)) == ()
    (tmp_path / DAPT).write_bytes(data)
    assert [line.key for line in events(tmp_path)] == ["R1-001", "R1-002"]
    first, second = events(tmp_path)
    assert (first.text, first.characters) == ("Who's there? <Nobody> & co.", ("ANNA",))
    # the take's length, not the cue's
    assert (first.in_time, first.out_time) == (Fraction("12.34"), Fraction("13.841"))
    assert first.extra["actor"] == "AI voice, fake-2"
    assert (second.characters, second.extra["actor"]) == ((), "AI voice, fake-1")


def test_recordings_are_named_with_their_checksums() -> None:
    text = (written() or b"").decode()
    assert 'daptm:scriptType="asRecorded"' in text
    assert "flac/01%20-%20R1.flac#t=0.500,2.001" in text
    assert "lines/R1/R1-002.ogg" in text
    assert "1" * 64 in text
    assert "2" * 64 in text


def test_without_files_to_point_at_it_is_still_a_script() -> None:
    data = written(replace(DATA, files=()))
    assert data is not None
    assert errors(validate(data, DAPT)) == ()


def test_only_dubbing_with_times_has_one() -> None:
    assert written(replace(DATA, production={**DATA.production, "kind": "dialogue"})) is None
    untimed = replace(TRACK, lines=(replace(FIRST, in_ms=None, out_ms=None),))
    assert written(replace(DATA, tracks=(untimed,))) is None


def test_originals_notes_and_unknown_columns_come_back_in_both(tmp_path: Path) -> None:
    folder, reasons = papers(tmp_path, SOURCE)
    assert reasons == []
    first = events(folder)[0]
    assert (first.original, first.notes, first.extra["Take OK"]) == ("Qui est là ?", "softly", "yes")
    assert (first.extra["original.language"], first.extra["actor"]) == ("und", "AI voice, fake-2")
    found = rows(folder)
    assert [row["id"] for row in found] == ["R1-001", "R1-002", "R1-004"]
    assert (found[0]["original"], found[0]["notes"], found[0]["Take OK"]) == ("Qui est là ?", "softly", "yes")
    assert found[0]["recorded voice"] == "fake-2@1"  # not the one an earlier recording had
    assert (found[0]["recorded length (s)"], found[0]["recorded over (s)"]) == (1.501, 0.841)
    assert (found[1]["recorded over (s)"], found[1]["recorded file"]) == (None, "lines/R1/R1-002.ogg")
    assert found[1]["text"] == "=Night."
    assert (found[2]["kind"], found[2]["Take OK"], found[2]["recorded voice"]) == ("reaction", "@home", None)


def test_the_workbook_is_read_as_the_script_it_came_from(tmp_path: Path) -> None:
    folder, _ = papers(tmp_path, SOURCE)
    before, after = read_script(tmp_path / "film.csv"), read_script(folder / SHEET)

    def said(document: ScriptDocument) -> list[tuple[object, ...]]:
        return [
            (section.title, line.key, line.kind, line.characters, line.text, line.original, line.in_ms, line.out_ms)
            for section in document.sections
            for line in section.lines
        ]

    assert said(after) == said(before)


def test_the_same_rows_are_the_same_bytes_and_no_cell_is_a_formula(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    one, _ = papers(tmp_path, SOURCE)
    other, _ = papers(tmp_path / "again", SOURCE)
    assert (one / SHEET).read_bytes() == (other / SHEET).read_bytes()
    cells = [cell for row in openpyxl.load_workbook(one / SHEET).worksheets[0].iter_rows() for cell in row]
    assert {cell.data_type for cell in cells if cell.value is not None} == {"s", "n"}


def test_a_script_is_read_again_as_it_was_read(tmp_path: Path) -> None:
    text = SOURCE.replace(";Notes;", ";Bemerkung des Hauses;").replace("12.340", "12:08").replace("13.000", "13:00")
    mapping = "columns: {notes: Bemerkung des Hauses}\nframe_rate: 25\n"
    with_frames = "\n".join(text.splitlines()[:2]) + "\n"
    folder, reasons = papers(tmp_path, with_frames, mapping=mapping)
    assert reasons == []
    assert (rows(folder)[0]["notes"], rows(folder)[0]["in"]) == ("softly", "00:00:12.320")


@pytest.mark.parametrize("source", [None, "a;b\n1;2\n"])
def test_without_the_script_what_was_made_is_still_told(tmp_path: Path, source: str | None) -> None:
    folder, reasons = papers(tmp_path, source)
    assert [row["id"] for row in rows(folder)] == ["R1-001", "R1-002"]
    assert len(events(folder)) == 2
    assert [reason.partition(":")[0] for reason in reasons] == (
        [] if source is None else ["columns and notes of film.csv are not handed back"]
    )


def test_a_script_that_no_file_can_hold_is_reported_and_stops_nothing(tmp_path: Path) -> None:
    long = replace(DATA, tracks=(replace(TRACK, lines=(replace(FIRST, text="a" * 40_000),)),))
    folder, reasons = papers(tmp_path, None, long)
    assert not (folder / SHEET).exists()
    (reason,) = reasons
    assert reason.startswith("script.xlsx is not written: ")
    assert "row 2" in reason
