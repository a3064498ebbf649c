"""What is written on the files: names, tags, and the statement that a machine spoke."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version

from db.records import JobOptions, SectionLine
from synthesis.deliverables.manifest import AI_STATEMENT, DRAFT_STATEMENT
from synthesis.mastering.encode import TrackTags

DRAFT_ENGINES = frozenset({"draft", "fake"})
"""Engines whose voices are placeholders."""
NAME_LIMIT = 80
"""Characters of a title kept in a file name."""

_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]+')


@cache
def release() -> str:
    """The farm's own version, as installed; looked up once, for it is part of every track's digest."""
    return version("voicefarm")


def safe_name(title: str, fallback: str) -> str:
    """A title as a file name on any system: no separators, no control characters, no dots or blanks at the ends."""
    flat = _FORBIDDEN.sub(" ", unicodedata.normalize("NFC", title))
    short = " ".join(flat.split())[:NAME_LIMIT].strip(" .")
    return short or fallback


def track_name(position: int, count: int, title: str) -> str:
    """'01 - The Wolf and the Lamb'; ``position`` is 0-based, numbers are as wide as the last one's."""
    width = max(2, len(str(count)))
    return f"{position + 1:0{width}d} - {safe_name(title, f'Track {position + 1}')}"


def is_draft(lines: Iterable[SectionLine]) -> bool:
    """Whether any line was spoken by a placeholder."""
    return any(line.engine in DRAFT_ENGINES for line in lines)


def statement(lines: Iterable[SectionLine]) -> str:
    """The comment written into every file."""
    return f"{AI_STATEMENT} {DRAFT_STATEMENT}" if is_draft(lines) else AI_STATEMENT


def voices_of(lines: Iterable[SectionLine]) -> list[str]:
    """Labels of the voices heard, in order of appearance."""
    return list(dict.fromkeys(line.voice for line in lines if line.voice and not line.skipped))


def tags(
    *,
    title: str,
    album: str,
    author: str,
    language: str,
    options: JobOptions,
    lines: Iterable[SectionLine],
    track: int,
    tracks: int,
) -> TrackTags:
    """The tags of one file."""
    spoken = list(lines)
    return TrackTags(
        title=title,
        album=album,
        artist=author,
        narrator=options.narrator or ", ".join(voices_of(spoken)),
        track=track,
        tracks=tracks,
        year=options.year,
        language=language,
        comment=statement(spoken),
    )
