"""The script handed back as it was recorded: a DAPT file for dubbing, and a workbook with every column that came in.

What was asked for is read from the script file once more, as it was read when the job was planned; what was made is
what the manifest says. The one room of the workers that knows formats of scripts.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path, PurePath
from urllib.parse import quote

from db.records import DeliveryWork
from db.store import Store
from scheduler.scripts.dapt.write import AudioRecording, write_dapt
from scheduler.scripts.errors import ScriptError
from scheduler.scripts.model import ScriptDocument, ScriptLine, ScriptSection
from scheduler.scripts.reading import mapping_of, read_as
from scheduler.scripts.timecode import FrameRateInvalid
from synthesis.deliverables.manifest import ManifestData, ManifestFile, ManifestLine, ManifestTrack
from synthesis.deliverables.sheet import Value, write_sheet
from synthesis.errors import SheetUnwritable
from workers.labels import track_name
from workers.takes import fetch

log = logging.getLogger(__name__)

DAPT = "script.dapt.ttml"
SHEET = "script.xlsx"
NARRATOR = "narrator"
"""What a plan calls whoever speaks lines that name nobody."""
UNDETERMINED = "und"
"""BCP 47 for originals whose language nobody states."""

_MEDIA_TYPES = {".flac": "audio/flac", ".wav": "audio/wave", ".ogg": "audio/ogg", ".mp3": "audio/mpeg"}
_TRACK_KINDS = ("flac", "mp3")
"""Tracks that a recording can be pointed at in, the better one first."""

_ASKED = (
    "id", "section", "kind", "character", "in", "out", "text", "original", "language", "emotion", "action", "presence",
    "notes",
)  # fmt: skip
"""Headers of a workbook that sheets have too; a reader knows them again."""
_MADE = (
    "recorded voice", "recorded length (s)", "recorded over (s)", "recorded from (s)", "recorded file",
    "recorded findings",
)  # fmt: skip
"""Headers of what was made; columns of these names that came in are those of an earlier recording."""
_DIRECTIONS = {"emotion": "emotion", "action": "action", "onscreen": "presence"}
"""Directions that sheets have a column for."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A line as it was made, and where it is heard."""

    track: ManifestTrack
    line: ManifestLine
    file: ManifestFile | None
    """The line's own, else its track's."""

    @property
    def is_alone(self) -> bool:
        """Whether the file holds the line and nothing else."""
        return self.file is not None and self.file.line is not None

    @property
    def begin(self) -> Fraction:
        """Seconds from the start of the track."""
        return self._seconds(self.line.start_samples or 0)

    @property
    def length(self) -> Fraction:
        """Seconds."""
        return self._seconds(self.line.samples or 0)

    def _seconds(self, samples: int) -> Fraction:
        """Rounded to milliseconds: the clock of a script."""
        return Fraction(round(samples * 1000 / self.track.sample_rate), 1000)


def script_papers(
    work: DeliveryWork, made: ManifestData, store: Store, place: Path
) -> tuple[list[tuple[Path, str]], list[str]]:
    """Write what a production's script is handed back as; returns files with their kinds, and what cannot be written.

    A script that cannot be handed back keeps nobody from the audio: the sentences go into the report.
    """
    if work.kind not in ("dubbing", "dialogue"):
        return [], []
    document, reasons = _script(work, store, place)
    lines = list(recorded_lines(made))
    papers = []
    for kind, name, write in (("dapt", DAPT, _put_dapt), ("sheet", SHEET, _put_sheet)):
        path = place / name
        try:
            if write(path, made, lines, document):
                papers.append((path, kind))
        except (ScriptError, SheetUnwritable) as error:
            reasons.append(f"{name} is not written: {error}")
    return papers, reasons


def _script(work: DeliveryWork, store: Store, place: Path) -> tuple[ScriptDocument | None, list[str]]:
    """The script as it was planned; None where it was not kept, or is read otherwise today."""
    if work.options.script is None:
        return None, []
    path = place / f"source{PurePath(work.source_name).suffix.lower()}"
    shutil.copyfile(fetch(store, work.options.script, place), path)
    reading = work.options.reading
    try:
        return read_as(path, reading, mapping_of(reading)), []
    except (ScriptError, FrameRateInvalid) as error:  # an older release read it: what was made is known all the same
        log.warning("%s cannot be read again: %s", work.source_name, error)
        return None, [f"columns and notes of {work.source_name} are not handed back: {error}"]


def recorded_lines(made: ManifestData) -> Iterator[Recorded]:
    """Every line with a take, in order, in a file of its own where there is one, else in its stretch of the track."""
    files = {file.name: file for file in made.files}
    alone = {file.line: file for file in made.files if file.line is not None}
    for track in made.tracks:
        stem = track_name(track.position, len(made.tracks), track.title or track.key)
        whole = next((files[name] for kind in _TRACK_KINDS if (name := f"{kind}/{stem}.{kind}") in files), None)
        for line in track.lines:
            if line.audio is not None:
                yield Recorded(track, line, alone.get(line.key, whole))


# --- DAPT ---


def _put_dapt(path: Path, made: ManifestData, lines: list[Recorded], document: ScriptDocument | None) -> bool:
    data = as_recorded(made, lines, document)
    if data is not None:
        path.write_bytes(data)
    return data is not None


def as_recorded(made: ManifestData, lines: list[Recorded], document: ScriptDocument | None) -> bytes | None:
    """The as-recorded DAPT script; None where it is no dubbing, or no line has a time.

    A line lasts as long as its take, from where the script wants it to begin. Originals, notes and columns are the
    script's. Raises ScriptError for what DAPT cannot hold.
    """
    if made.production["kind"] != "dubbing" or all(item.line.in_ms is None for item in lines):
        return None
    asked = _asked(document)
    sections = tuple(
        ScriptSection(
            track.key,
            "reel",
            track.title,
            tuple(_spoken(item, asked.get((track.key, item.line.key))) for item in lines if item.track is track),
        )
        for track in made.tracks
    )
    title, language = made.production["title"], made.production["language"]
    script = ScriptDocument(title, made.production["author"] or "", language, "dubbing", "dapt", sections)
    recordings = {item.line.key: _recording(item, item.file) for item in lines if item.file is not None}
    return write_dapt(script, script_type="asRecorded", original_language=UNDETERMINED, recordings=recordings)


def _asked(document: ScriptDocument | None) -> dict[tuple[str, str], ScriptLine]:
    """(Section key, line key) → the script's line."""
    if document is None:
        return {}
    return {(section.key, line.key): line for section in document.sections for line in section.lines}


def _spoken(item: Recorded, asked: ScriptLine | None) -> ScriptLine:
    """The line as it was said: the script's own words on it, with the voice, the time and the length of its take."""
    line = item.line
    known = asked or ScriptLine(key=line.key, text=line.text, language=line.language)
    named = known.characters or (() if line.character == NARRATOR else (line.character,))
    begin = known.in_time
    if begin is None and line.in_ms is not None:
        begin = Fraction(line.in_ms, 1000)
    carried = {key: value for key, value in known.extra.items() if not key.startswith("audio")}  # was the original's
    return replace(
        known,
        text=line.text,
        language=line.language,
        characters=named,
        in_ms=line.in_ms,
        in_time=begin,
        out_ms=None,
        out_time=None if begin is None else begin + item.length,
        extra={**carried, "actor": f"AI voice, {_voice(line)}"},
    )


def _voice(line: ManifestLine) -> str:
    return str(line.voice).rpartition("@")[0]


def _recording(item: Recorded, file: ManifestFile) -> AudioRecording:
    stretch = "" if item.is_alone else f"#t={float(item.begin):.3f},{float(item.begin + item.length):.3f}"
    return AudioRecording(quote(file.name) + stretch, file.sha256, item.length, _MEDIA_TYPES[Path(file.name).suffix])


# --- the workbook ---


def _put_sheet(path: Path, made: ManifestData, lines: list[Recorded], document: ScriptDocument | None) -> bool:
    rows = list(_rows(made, lines, document))
    carried = dict.fromkeys(name for row in rows for name in row if name not in _ASKED and name not in _MADE)
    filled = {name for row in rows for name, value in row.items() if value not in (None, "")}
    columns = [name for name in (*_ASKED, *carried, *_MADE) if name in filled or name in ("id", "text")]
    created = datetime.fromisoformat(made.job["created_at"]).astimezone(UTC)
    write_sheet(path, str(made.production["title"]), columns, rows, created)
    return True


def _rows(made: ManifestData, lines: list[Recorded], document: ScriptDocument | None) -> Iterator[Mapping[str, Value]]:
    """A row for every line of the script, spoken or not, then those that only the manifest knows."""
    done = {(item.track.key, item.line.key): item for item in lines}
    for section in () if document is None else document.sections:
        for asked in section.lines:
            item = done.pop((section.key, asked.key), None)
            yield {**_asked_cells(section, asked), **({} if item is None else _made_cells(item))}
    for item in done.values():
        title = item.track.title or item.track.key
        yield {**_asked_cells(ScriptSection(item.track.key, "", title, ()), _spoken(item, None)), **_made_cells(item)}


def _asked_cells(section: ScriptSection, line: ScriptLine) -> dict[str, Value]:
    cells: dict[str, Value] = {
        "id": line.key,
        "section": section.title or section.key,
        "kind": line.kind,
        "character": " / ".join(line.characters),
        "in": _clock(line.in_time, line.in_ms),
        "out": _clock(line.out_time, line.out_ms),
        "text": line.text,
        "original": line.original,
        "language": line.language,
        "notes": line.notes,
    }
    cells.update((_DIRECTIONS.get(name, name), value) for name, value in line.direction.items())
    for name, value in line.extra.items():
        if name not in _MADE:
            cells[name if name not in cells else f"{name} (script)"] = value
    return cells


def _made_cells(item: Recorded) -> dict[str, Value]:
    line = item.line
    over = None if line.in_ms is None or line.out_ms is None else item.length - Fraction(line.out_ms - line.in_ms, 1000)
    return {
        "recorded voice": str(line.voice),
        "recorded length (s)": float(item.length),
        "recorded over (s)": None if over is None or over <= 0 else float(over),
        "recorded from (s)": None if item.is_alone or item.file is None else float(item.begin),
        "recorded file": "" if item.file is None else item.file.name,
        "recorded findings": "; ".join(str(finding.get("message", "")) for finding in line.findings),
    }


def _clock(exact: Fraction | None, ms: int | None) -> str:
    """HH:MM:SS.mmm, or '' for a line without a time."""
    if exact is not None:
        ms = round(exact * 1000)
    if ms is None:
        return ""
    seconds, rest = divmod(ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:03d}"
