"""One section's takes become one track: mastered, watermarked, encoded, put in the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from db.digest import track_digest
from db.queries import sections, watermarks
from db.records import NewTrack, SectionWork
from db.store import Store
from synthesis.deliverables.vtt import Cue, write_vtt
from synthesis.mastering.encode import EncodedFile, Kind, TrackTags, encode_track
from synthesis.mastering.profiles import get_profile
from synthesis.mastering.takes import Part
from synthesis.mastering.track import MasteredTrack, WatermarkSpec, master_track
from workers.bench import PostBench
from workers.clips import make_clips, wanted
from workers.labels import release, tags
from workers.takes import fetch_parts, spoken_lines
from workers.tracks import at_hand, reusable

AUDIO_KINDS: tuple[Kind, ...] = ("flac", "mp3", "m4a")


def kinds_of(work: SectionWork) -> tuple[str, ...]:
    """The files a section needs by its job's formats: those of its track, then those of its lines."""
    return (*track_kinds(work.options.formats), *dict.fromkeys(clip.kind for clip in wanted(work, work.lines)))


def track_kinds(formats: tuple[str, ...]) -> tuple[str, ...]:
    """The per-track files a job's formats need: an M4B is joined from M4A files. FLAC is always kept: the master."""
    needed = {"m4a" if kind == "m4b" else kind for kind in formats} | {"flac"}
    return tuple(kind for kind in (*AUDIO_KINDS, "vtt") if kind in needed)


def find_made(conn: sa.Connection, store: Store, work: SectionWork) -> int | None:
    """The id of a track made from the same takes before, where a look at its files' names is enough to use it."""
    made = sections.find_track(conn, digest_of(work))
    kinds = kinds_of(work)
    return made.id if made is not None and at_hand(store, made, kinds, work.options.formats) else None


def make_track(bench: PostBench, work: SectionWork, progress: Callable[[float], None] | None = None) -> NewTrack | int:
    """Make the section's track, or find the id of one made from the same takes before that serves again.

    Raises TakesDamaged, StoreFull, SynthesisError.
    """
    kinds = kinds_of(work)
    digest = digest_of(work)
    made = bench.transact(lambda conn: sections.find_track(conn, digest))
    if made is not None and reusable(bench.store, made, kinds, work.options.formats):
        return made.id
    with bench.workspace() as place:
        parts = fetch_parts(bench.store, work, place)
        payload = bench.transact(
            lambda conn: watermarks.allocate(conn, work.production_id, f"{work.production_title}, {work.title}")
        )
        master = _master(work, parts, payload, place, progress)
        files = _files(bench, work, master, kinds, place) | make_clips(bench, work, parts, payload, place)
        return NewTrack(
            digest=digest,
            files={kind: key for kind, (key, _) in files.items()},
            samples=master.samples,
            sample_rate=master.sample_rate,
            loudness_lufs=master.measurements.loudness_lufs,
            true_peak_dbtp=master.measurements.true_peak_dbtp,
            measurements=master.measurements.to_json() | {"files": {kind: facts for kind, (_, facts) in files.items()}},
            offsets=_offsets(work, master),
            watermark=payload,
        )


def digest_of(work: SectionWork) -> str:
    """Digest of everything a track's files are made from: takes, pauses, texts, tags, profile, what masters."""
    spoken = spoken_lines(work.lines)
    return track_digest(
        [(str(line.audio_sha256), line.pause_ms, line.voice or "") for line in spoken],
        title=work.title,
        profile=work.profile,
        extra={
            "numbers": asdict(get_profile(work.profile)),
            "tags": asdict(_tags(work)),
            "cover": work.options.cover,
            "captions": [[line.text, line.character] for line in spoken],
            "silence": [work.options.head_ms, work.options.tail_ms],
            "watermark": [work.production_id, work.section_key],
            "software": release(),
        },
    )


def _tags(work: SectionWork) -> TrackTags:
    return tags(
        title=work.title,
        album=work.production_title,
        author=work.author,
        language=work.language,
        options=work.options,
        lines=spoken_lines(work.lines),
        track=work.position + 1,
        tracks=work.section_count,
    )


def _master(
    work: SectionWork, parts: list[Part], payload: int, place: Path, progress: Callable[[float], None] | None
) -> MasteredTrack:
    return master_track(
        parts,
        get_profile(work.profile),
        place / "master.flac",
        watermark=WatermarkSpec(work.watermark_key, payload),
        head_ms=work.options.head_ms,
        tail_ms=work.options.tail_ms,
        progress=progress,
    )


def _files(
    bench: PostBench, work: SectionWork, master: MasteredTrack, kinds: tuple[str, ...], place: Path
) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Encode and keep every kind asked for; kind → (store key, what was measured on the decoded file)."""
    cover = bench.store.get_bytes(work.options.cover) if work.options.cover else None
    written = _tags(work)
    files: dict[str, tuple[str, Mapping[str, Any]]] = {}
    if "vtt" in kinds:
        captions = place / "track.vtt"
        write_vtt(cues(work, master), captions)
        files["vtt"] = (bench.store.put_file(captions, "vtt"), {})
    for kind in AUDIO_KINDS:
        if kind not in kinds:
            continue
        target = place / f"track.{kind}"
        encoded = encode_track(master.path, target, kind, get_profile(work.profile), written, cover=cover)
        files[kind] = (bench.store.put_file(encoded.path, kind), _facts(encoded))
        target.unlink(missing_ok=True)
    return files


def _facts(encoded: EncodedFile) -> Mapping[str, Any]:
    return {
        "duration_ms": encoded.duration_ms,
        "loudness_lufs": encoded.loudness_lufs,
        "true_peak_dbtp": encoded.true_peak_dbtp,
    }


def cues(work: SectionWork, master: MasteredTrack) -> list[Cue]:
    """One cue per line, where the line lies in the track."""
    by_line = {line.line_id: line for line in work.lines}
    rate = master.sample_rate
    return [
        Cue(
            start_ms=offset.start * 1000 // rate,
            end_ms=(offset.start + offset.samples) * 1000 // rate,
            text=by_line[offset.key].text,
            speaker=by_line[offset.key].character,
        )
        for offset in master.offsets
    ]


def _offsets(work: SectionWork, master: MasteredTrack) -> tuple[Mapping[str, Any], ...]:
    take_ids = {line.line_id: line.take_id for line in work.lines}
    return tuple(
        {
            "line_id": offset.key,
            "take_id": take_ids[offset.key],
            "start": offset.start,
            "samples": offset.samples,
            "pause": offset.pause,
        }
        for offset in master.offsets
    )
