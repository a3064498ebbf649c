"""A script read as somebody asked for, and read once more exactly so."""

from __future__ import annotations

import tempfile
from pathlib import Path

from db.records import Reading
from scheduler.scripts.mapping import SheetMapping, read_mapping
from scheduler.scripts.model import ReadOptions, ScriptDocument
from scheduler.scripts.registry import read_script
from scheduler.scripts.timecode import parse_frame_rate


def read_as(path: Path, reading: Reading, mapping: SheetMapping | None) -> ScriptDocument:
    """Read a script with the options of a job. Raises ScriptError; FrameRateInvalid where the rate is none.

    ``mapping`` says what a sheet's columns hold: ``reading.mapping`` as ``mapping_of`` reads it, or the file itself.
    """
    options = ReadOptions(
        language=reading.language,
        encoding=reading.encoding,
        include_roles=frozenset(reading.include_roles),
        tables="read" if reading.tables == "read" else "skip",
        frame_rate=None if reading.frame_rate is None else parse_frame_rate(reading.frame_rate),
    )
    if mapping is not None:
        options = mapping.applied_to(options)
    return read_script(path, format=reading.script_format, kind=reading.script_kind, options=options)


def mapping_of(reading: Reading) -> SheetMapping | None:
    """What the job's mapping file said, if it had one. Raises ScriptError."""
    if reading.mapping is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.yaml"
        path.write_text(reading.mapping, encoding="utf-8")
        return read_mapping(path)
