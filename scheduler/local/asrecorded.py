"""The script of a dubbing production as it was recorded: a DAPT file beside the tracks, made from the manifest.

What was said, by whom, in whose voice, when and how long, with the place of each recording. Written by commands that
follow a job to its end; readers and writers of scripts are no business of workers.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from db.records import NewDeliverable
    from scheduler.local.render import Outcome
    from scheduler.scripts.dapt.write import AudioRecording
    from scheduler.scripts.model import ScriptDocument, ScriptLine

NAME = "script.dapt.ttml"
_MEDIA_TYPES = {".flac": "audio/flac", ".wav": "audio/wave", ".ogg": "audio/ogg", ".mp3": "audio/mpeg"}
_TRACK_KINDS = ("flac", "mp3")
"""Tracks that a recording can be pointed at in, the better one first."""


def deliver_as_recorded(out_url: str) -> NewDeliverable | None:
    """Write the as-recorded script of the delivery at ``out_url``; None where it is no dubbing, or has no times.

    Raises ScriptError for a text that DAPT cannot hold, DeliveryRefused for a place that cannot be written.
    """
    from db.records import NewDeliverable
    from workers.shelf import open_shelf

    shelf = open_shelf(out_url)
    manifest = shelf.manifest()
    data = None if manifest is None else as_recorded(manifest)
    if data is None:
        return None
    digest = hashlib.sha256(data).hexdigest()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / NAME
        path.write_bytes(data)
        shelf.put(path, NAME)
    return NewDeliverable("dapt", NAME, digest, len(data))


def with_script(outcome: Outcome, say: Callable[[str], None]) -> Outcome:
    """A finished render with its as-recorded script among its files; ``say`` hears why there is none that should be."""
    from scheduler.scripts.errors import ScriptError
    from workers.errors import DeliveryRefused

    if not outcome.complete:
        return outcome
    try:
        made = deliver_as_recorded(outcome.job.out_url)
    except (ScriptError, DeliveryRefused) as error:
        say(f"{NAME} is not written: {error}")
        return outcome
    return outcome if made is None else replace(outcome, files=(*outcome.files, made))


def as_recorded(manifest: Mapping[str, Any]) -> bytes | None:
    """A delivery's manifest as an as-recorded DAPT script; None where it is no dubbing, or no line has a time.

    A line lasts as long as its take, from where the script wants it to begin. Raises ScriptError.
    """
    from scheduler.scripts.dapt.write import write_dapt
    from scheduler.scripts.model import ScriptDocument, ScriptSection

    production = manifest["production"]
    if production["kind"] != "dubbing":
        return None
    sections = tuple(
        ScriptSection(track["key"], "reel", track["title"], tuple(_lines(track))) for track in manifest["tracks"]
    )
    if all(line.in_ms is None for section in sections for line in section.lines):
        return None
    title, language = production["title"], production["language"]
    document = ScriptDocument(title, production["author"] or "", language, "dubbing", "dapt", sections)
    return write_dapt(document, script_type="asRecorded", recordings=dict(_recordings(manifest, document)))


def _lines(track: Mapping[str, Any]) -> Iterator[ScriptLine]:
    from scheduler.casting import NARRATOR
    from scheduler.scripts.model import ScriptLine

    for line in track["lines"]:
        if line["take"] is None:  # left out by a person: it was not recorded
            continue
        begin = line.get("in_ms")
        length = _seconds(line["samples"], track)
        yield ScriptLine(
            key=line["key"],
            text=line["text"],
            language=line["language"],
            characters=() if line["character"] == NARRATOR else (line["character"],),
            in_ms=begin,
            in_time=None if begin is None else Fraction(begin, 1000),
            out_time=None if begin is None else Fraction(begin, 1000) + length,
            extra={"actor": f"AI voice, {str(line['take']['voice']).rpartition('@')[0]}"},
        )


def _recordings(manifest: Mapping[str, Any], document: ScriptDocument) -> Iterator[tuple[str, AudioRecording]]:
    """Where each line is heard: in a file of its own where there is one, else in its stretch of the track."""
    from scheduler.scripts.dapt.write import AudioRecording
    from workers.labels import track_name

    files = {file["name"]: file for file in manifest["files"]}
    alone = {file["line"]: file for file in manifest["files"] if "line" in file}
    count = len(manifest["tracks"])
    for track in manifest["tracks"]:
        stem = track_name(track["position"], count, track["title"] or track["key"])
        whole = next((files[name] for kind in _TRACK_KINDS if (name := f"{kind}/{stem}.{kind}") in files), None)
        for line in track["lines"]:
            file = alone.get(line["key"], whole)
            if file is None or line["take"] is None:
                continue
            begin = _seconds(line["start_samples"], track)
            length = _seconds(line["samples"], track)
            stretch = "" if file is not whole else f"#t={_decimal(begin)},{_decimal(begin + length)}"
            address, media = quote(file["name"]) + stretch, _MEDIA_TYPES[Path(file["name"]).suffix]
            yield line["key"], AudioRecording(address, file["sha256"], length, media)


def _seconds(samples: int, track: Mapping[str, Any]) -> Fraction:
    """Rounded to milliseconds: the clock of a script."""
    return Fraction(round(samples * 1000 / track["sample_rate"]), 1000)


def _decimal(seconds: Fraction) -> str:
    return f"{float(seconds):.3f}"
