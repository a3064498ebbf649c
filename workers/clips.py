"""Files of single lines: what they are called, what they are made from, and making those that are not there yet."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from db.digest import digest
from db.errors import StoreCorrupt, StoreMissing
from db.queries import clips
from db.queries.clips import FormerFiles
from db.records import DeliverySection, DeliveryWork, SectionLine, SectionWork
from db.store import Store
from synthesis.deliverables.clips import ClipKind, master_clip, write_clip
from synthesis.mastering.encode import TrackTags
from synthesis.mastering.profiles import get_profile
from synthesis.mastering.takes import Part
from synthesis.mastering.track import WatermarkSpec
from workers.bench import PostBench
from workers.labels import release, safe_name, tags
from workers.takes import set_aside, spoken_lines

LINE_FORMATS: Mapping[str, ClipKind] = MappingProxyType({"lines-flac": "flac", "lines-wav": "wav", "lines-ogg": "ogg"})
"""Format of a job → kind of the file that each line becomes."""
FOLDER = "lines"

_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x20\x7f]+')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows keeps for devices."""
_NAME_LIMIT = 120
_DIGITS = 32


class Clip(NamedTuple):
    """A line's file as it is to be."""

    line: SectionLine
    format: str
    kind: str
    """Name in a track's files: the format and a digest of everything the file is made from."""
    tags: TrackTags


def path_of(section: str, key: str, suffix: str) -> str:
    """Where a line's file goes: 'lines/The Cave/line_1a2b3c.flac'."""
    return f"{FOLDER}/{_kept(safe_name(section, 'section'))}/{_kept(_plain(key))}.{suffix}"


def clash(lines: Iterable[tuple[str, str]]) -> tuple[str, str, str] | None:
    """The first two lines that want one file, and its name without suffix; ``lines`` are (section title, line key).

    Names that differ in capitals alone are one name on most machines that games are made on.
    """
    taken: dict[str, str] = {}
    for section, key in lines:
        name = path_of(section, key, "").rstrip(".")
        if name.casefold() in taken:
            return taken[name.casefold()], key, name
        taken[name.casefold()] = key
    return None


def wanted(work: SectionWork | DeliveryWork, lines: Sequence[SectionLine]) -> Iterator[Clip]:
    """The files that these lines become, in order."""
    formats = [name for name in LINE_FORMATS if name in work.options.formats]
    if not formats:
        return
    numbers = asdict(get_profile(work.profile))
    album = work.production_title if isinstance(work, SectionWork) else work.title
    for line in spoken_lines(lines):
        written = tags(
            title=line.key, album=album, author=work.author, language=line.language, options=work.options,
            lines=[line], track=0, tracks=0,
        )  # fmt: skip
        made_from = digest(["clip", line.audio_sha256, asdict(written), numbers, work.production_id, release()])
        for name in formats:
            yield Clip(line, name, f"{name}/{made_from[:_DIGITS]}", written)


def is_clip(kind: str) -> bool:
    """Whether a kind of a track's files is a line's file."""
    return "/" in kind


def clip_kinds(section: DeliverySection, formats: Iterable[str]) -> list[str]:
    """Kinds of the lines' files that a track has and these formats deliver."""
    asked = set(formats)
    return [kind for kind in section.track.files if is_clip(kind) and kind.partition("/")[0] in asked]


def make_clips(
    bench: PostBench, work: SectionWork, parts: Sequence[Part], payload: int, place: Path
) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Make the files of a section's lines, or find those made before; kind → (store key, what was measured on it).

    Raises StoreFull, SynthesisError.
    """
    clips_wanted = list(wanted(work, work.lines))
    if not clips_wanted:
        return {}
    before = bench.transact(lambda conn: clips.former(conn, work.production_id, work.section_key))
    takes = {part.key: part for part in parts}
    found: dict[str, tuple[str, Mapping[str, Any]]] = {}
    mastered: tuple[int, Path] | None = None  # formats of one line share its master
    for clip in clips_wanted:
        if clip.kind in found:  # the same words by the same voice twice
            continue
        if _serves(bench.store, before, clip.kind):
            found[clip.kind] = before.files[clip.kind], before.facts[clip.kind]
            continue
        if mastered is None or mastered[0] != clip.line.line_id:
            master = place / "line-master.flac"
            spec = WatermarkSpec(work.watermark_key, payload)
            master_clip(takes[clip.line.line_id], get_profile(work.profile), master, watermark=spec)
            mastered = clip.line.line_id, master
        found[clip.kind] = _write(bench.store, work, clip, mastered[1], payload, place)
    return found


def _write(
    store: Store, work: SectionWork, clip: Clip, master: Path, payload: int, place: Path
) -> tuple[str, Mapping[str, Any]]:
    suffix = LINE_FORMATS[clip.format]
    target = place / f"line.{suffix}"
    made = write_clip(master, target, suffix, get_profile(work.profile), clip.tags)
    facts = {
        "duration_ms": made.duration_ms,
        "loudness_lufs": made.loudness_lufs,
        "true_peak_dbtp": made.true_peak_dbtp,
        "watermark": payload,
    }
    key = store.put_file(target, suffix)
    target.unlink(missing_ok=True)
    return key, facts


def _serves(store: Store, before: FormerFiles, kind: str) -> bool:
    if kind not in before.files or kind not in before.facts:
        return False
    try:
        store.verify(before.files[kind])
    except (StoreCorrupt, StoreMissing):
        set_aside(store, before.files[kind])
        return False
    return True


def _plain(key: str) -> str:
    """A line's id as a file name: what no file system takes becomes '_'."""
    return _FORBIDDEN.sub("_", unicodedata.normalize("NFC", key))[:_NAME_LIMIT].strip(".") or "line"


def _kept(name: str) -> str:
    return f"{name}_" if _RESERVED.fullmatch(name) else name
