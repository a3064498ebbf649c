"""A job's tracks become deliverables in place: M4B, MP3, FLAC and VTT files, the script as
recorded, the report, and the manifest last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from db.errors import StoreCorrupt, StoreMissing
from db.records import DeliverySection, DeliveryWork, NewDeliverable
from db.store import Store
from synthesis.deliverables.m4b import Chapter, build_m4b
from synthesis.deliverables.manifest import build_manifest, manifest_text
from synthesis.deliverables.report import render_report
from workers.bench import PostBench
from workers.clips import LINE_FORMATS, Clip, path_of, wanted
from workers.errors import TracksDamaged
from workers.labels import release, safe_name, tags, track_name
from workers.papers import DeliveredFile, manifest_data, report_data
from workers.recorded import script_papers
from workers.shelf import MANIFEST, Shelf, is_safe, open_shelf
from workers.takes import fetch, sha256_of, spoken_lines
from workers.tracks import damaged_sections

REPORT = "report.html"
TRACK_KINDS = ("mp3", "flac", "vtt")
SECTIONS_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Parcel:
    """A file ready to be put in place."""

    path: Path
    file: DeliveredFile


def deliver(bench: PostBench, work: DeliveryWork) -> list[NewDeliverable]:
    """Put everything in place and return what is there now.

    What is there already and unchanged is not written again; what a former delivery left and this one does not have
    is removed. Raises TracksDamaged, DeliveryRefused, StoreError, SynthesisError.
    """
    try:
        return _deliver(bench, work)
    except (StoreCorrupt, StoreMissing) as error:
        damaged = damaged_sections(bench.store, work, error.key)
        if not damaged:
            raise
        raise TracksDamaged(work.job_id, damaged) from error


def _deliver(bench: PostBench, work: DeliveryWork) -> list[NewDeliverable]:
    shelf = open_shelf(work.out_url)
    former = shelf.manifest()
    with bench.workspace() as place:
        files = _put_audio(shelf, bench.store, work, place)
        made_at = datetime.now(UTC)
        software = f"voicefarm {release()}"
        scripts, reasons = script_papers(work, manifest_data(work, files, made_at, software), bench.store, place)
        files += [_put(shelf, _parcel(path, kind)) for path, kind in scripts]
        report = render_report(report_data(work, files, made_at, software, reasons))
        files.append(_put(shelf, _paper(place / REPORT, "report", report)))
        document = manifest_text(build_manifest(manifest_data(work, files, made_at, software)))
        manifest = _paper(place / MANIFEST, "manifest", document)
        _put(shelf, manifest)  # last: whoever sees it sees everything it lists
        _remove_former(shelf, former, {file.name for file in files} | {MANIFEST})
    return [NewDeliverable(file.kind, file.name, file.sha256, file.size) for file in (*files, manifest.file)]


def _put(shelf: Shelf, parcel: Parcel) -> DeliveredFile:
    if shelf.held(parcel.file.name, parcel.file.sha256) is None:
        shelf.put(parcel.path, parcel.file.name)
    return parcel.file


def _remove_former(shelf: Shelf, former: dict[str, object] | None, keep: set[str]) -> None:
    entries = (former or {}).get("files")
    for entry in entries if isinstance(entries, list) else ():
        name = entry.get("name") if isinstance(entry, dict) else None
        if isinstance(name, str) and name not in keep and is_safe(name):
            shelf.remove(name)


def _put_audio(shelf: Shelf, store: Store, work: DeliveryWork, place: Path) -> list[DeliveredFile]:
    """Files of every format asked for, of tracks and of single lines, then the M4B.

    Most of a second delivery is checksums of what is there already; they are taken of a few sections at a time. No
    more sections than that are fetched from an object store at once: a book's FLACs are large.
    """
    sections = [section for section in work.sections if section.track.samples > 0]

    def put_tracks(section: DeliverySection) -> list[DeliveredFile]:
        kinds = [kind for kind in TRACK_KINDS if kind in work.options.formats and kind in section.track.files]
        tracks = [_put_track(shelf, store, section, len(work.sections), kind, place) for kind in kinds]
        return [*tracks, *(_put_clip(shelf, store, work, section, clip, place) for clip in wanted(work, section.lines))]

    with ThreadPoolExecutor(SECTIONS_AT_ONCE, "deliver") as pool:
        files = [file for found in pool.map(put_tracks, sections) for file in found]
    if "m4b" in work.options.formats and sections:
        files.append(_put(shelf, _m4b_parcel(store, work, sections, place)))
    return files


def _put_track(
    shelf: Shelf, store: Store, section: DeliverySection, count: int, kind: str, place: Path
) -> DeliveredFile:
    """Put one file of a track in place."""
    key = section.track.files[kind]
    name = f"{kind}/{track_name(section.position, count, section.title or section.key)}.{kind}"
    duration = None if kind == "vtt" else _duration_ms(section)
    return DeliveredFile(name, kind, key.split(".")[0], _put_stored(shelf, store, key, name, place), duration)


def _put_clip(
    shelf: Shelf, store: Store, work: DeliveryWork, section: DeliverySection, clip: Clip, place: Path
) -> DeliveredFile:
    """Put one line's file in place. Raises TracksDamaged where the track was made without it."""
    key = section.track.files.get(clip.kind)
    facts = section.track.measurements.get("files", {}).get(clip.kind)
    if key is None or facts is None:
        raise TracksDamaged(work.job_id, [section.section_id])
    name = path_of(section.title or section.key, clip.line.key, LINE_FORMATS[clip.format])
    size = _put_stored(shelf, store, key, name, place)
    duration, mark = int(facts["duration_ms"]), int(facts["watermark"])
    return DeliveredFile(name, clip.format, key.split(".")[0], size, duration, line=clip.line.key, watermark=mark)


def _put_stored(shelf: Shelf, store: Store, key: str, name: str, place: Path) -> int:
    """Put a file of the store in place and return its size; the store is not read for what is in place already."""
    size = shelf.held(name, key.split(".")[0])
    if size is not None:
        return size
    path = fetch(store, key, place)
    shelf.put(path, name)
    return path.stat().st_size


def _m4b_parcel(store: Store, work: DeliveryWork, sections: list[DeliverySection], place: Path) -> Parcel:
    chapters = [
        Chapter(fetch(store, section.track.files["m4a"], place), section.title or section.key, _duration_ms(section))
        for section in sections
    ]
    target = place / "book.m4b"
    written = tags(
        title=work.title,
        album=work.title,
        author=work.author,
        language=work.language,
        options=work.options,
        lines=[line for section in sections for line in spoken_lines(section.lines)],
        track=1,
        tracks=1,
    )
    cover = store.get_bytes(work.options.cover) if work.options.cover else None
    build_m4b(chapters, target, tags=written, cover=cover)
    name = f"{safe_name(work.title, work.slug)}.m4b"
    duration = sum(_durations(sections))
    return Parcel(target, DeliveredFile(name, "m4b", sha256_of(target), target.stat().st_size, duration))


def _durations(sections: Iterable[DeliverySection]) -> Iterator[int]:
    for section in sections:
        yield _duration_ms(section)


def _duration_ms(section: DeliverySection) -> int:
    return round(section.track.samples * 1000 / section.track.sample_rate)


def _paper(path: Path, kind: str, text: str) -> Parcel:
    path.write_text(text, encoding="utf-8", newline="\n")
    return _parcel(path, kind)


def _parcel(path: Path, kind: str) -> Parcel:
    return Parcel(path, DeliveredFile(path.name, kind, sha256_of(path), path.stat().st_size))
