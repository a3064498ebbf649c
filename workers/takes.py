"""Takes brought to where they can be mastered, each checked against its name."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path

from db.errors import StoreCorrupt, StoreMissing
from db.records import SectionLine, SectionWork
from db.store import Store
from synthesis.mastering.takes import Part
from workers.errors import TakesDamaged


def fetch_parts(store: Store, work: SectionWork, place: Path) -> list[Part]:
    """The section's takes as local files, in order. Raises TakesDamaged naming every line whose take is no good."""
    parts: list[Part] = []
    damaged: list[int] = []
    for line in spoken_lines(work.lines):
        key = str(line.audio_sha256)
        try:
            path = fetch(store, key, place)
        except (StoreCorrupt, StoreMissing):
            set_aside(store, key)
            damaged.append(line.line_id)
            continue
        parts.append(Part(key=line.line_id, path=path, pause_ms=line.pause_ms, voice=line.voice or ""))
    if damaged:
        raise TakesDamaged(work.section_id, damaged)
    return parts


def set_aside(store: Store, key: str) -> None:
    """Move a damaged file out of the way: content made again, the same to the byte, would be taken for stored already.

    One that is missing, or whole by now, needs nothing.
    """
    with contextlib.suppress(StoreMissing):
        store.quarantine(key)


def spoken_lines(lines: Sequence[SectionLine]) -> list[SectionLine]:
    """The lines with a take: those a person left out are not in the track."""
    return [line for line in lines if not line.skipped and line.audio_sha256 is not None]


def fetch(store: Store, key: str, place: Path) -> Path:
    """A local file with the key's content, verified. Raises StoreMissing, StoreCorrupt."""
    local = store.path(key)
    if local is None:
        target = place / key
        if not target.exists():
            store.fetch_to(key, target)
        return target
    store.verify(key)
    return local


def sha256_of(path: Path) -> str:
    """Hex digest of a file, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
