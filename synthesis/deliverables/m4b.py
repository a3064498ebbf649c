"""One audiobook file from per-chapter AAC files: stream copy, chapter marks where the sound really changes, cover.

Every AAC file begins with priming (1024 samples) that its own edit list hides, and ends with a padded frame. A joined
stream has one edit list at most, so those samples are played: here packets are laid end to end at 1024 samples each,
which is what a decoder puts out, and the chapter marks are computed from the packet counts. Marks computed from the
durations of the chapters would run early by up to 40 ms per chapter.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from synthesis.errors import AudioUnreadable, EncodeError
from synthesis.mastering.ffmpeg import run_ffmpeg

AAC_FRAME = 1024
"""Samples in one AAC-LC packet."""

_ISO639_2 = {
    "ar": "ara", "cs": "ces", "da": "dan", "de": "deu", "el": "ell", "en": "eng", "es": "spa", "fi": "fin", "fr": "fra",
    "he": "heb", "hi": "hin", "hu": "hun", "id": "ind", "it": "ita", "ja": "jpn", "ko": "kor", "nl": "nld", "no": "nor",
    "pl": "pol", "pt": "por", "ro": "ron", "ru": "rus", "sv": "swe", "th": "tha", "tr": "tur", "uk": "ukr", "vi": "vie",
    "yue": "yue", "zh": "zho",
}  # fmt: skip


class BookTags(Protocol):
    """What is written about the book; ``synthesis.mastering.encode.TrackTags`` has these fields."""

    @property
    def album(self) -> str:
        """Title of the book."""

    @property
    def artist(self) -> str:
        """Author."""

    @property
    def narrator(self) -> str:
        """Who reads."""

    @property
    def year(self) -> str:
        """Year of publication, or empty."""

    @property
    def language(self) -> str:
        """BCP 47 tag."""

    @property
    def comment(self) -> str:
        """Shown by players; carries the statement that the speech is generated."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """One chapter: an M4A file with AAC-LC audio, its title, and its programme length in ms."""

    path: Path
    title: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a chapter begins in the joined file, in samples at ``sample_rate``."""

    title: str
    start: int
    sample_rate: int

    @property
    def start_ms(self) -> int:
        """The same in whole milliseconds."""
        return round(self.start * 1000 / self.sample_rate)


@dataclass(frozen=True, slots=True)
class _Stream:
    """Length and lead-in of a chapter file's audio, in samples as decoded."""

    samples: int
    priming: int
    sample_rate: int


def build_m4b(chapters: Sequence[Chapter], dst: Path, *, tags: BookTags, cover: bytes | None) -> tuple[Mark, ...]:
    """Join the chapters into ``dst`` and return the chapter marks written.

    The audio is copied, not encoded again. The same input gives the same bytes. ``cover`` is a JPEG or PNG picture.
    ``dst`` appears whole or not at all. Raises AudioUnreadable for a chapter that is no M4A file, EncodeError when
    there is no chapter, the rates differ or ffmpeg refuses.
    """
    if not chapters:
        raise EncodeError(dst.name, "an M4B needs at least one chapter")
    streams = [_read_stream(chapter.path) for chapter in chapters]
    rates = {stream.sample_rate for stream in streams}
    if len(rates) != 1:
        raise EncodeError(dst.name, f"chapters have different sample rates: {sorted(rates)}")
    marks = _marks(chapters, streams)
    with tempfile.TemporaryDirectory(prefix=".m4b-", dir=dst.parent) as work:
        place = Path(work)
        listing = place / "chapters.txt"
        listing.write_text("".join(_listed(chapter.path) for chapter in chapters), encoding="utf-8")
        metadata = place / "metadata.txt"
        end = sum(stream.samples for stream in streams)
        metadata.write_text(_metadata(marks, end, tags), encoding="utf-8", newline="\n")
        joined = place / "joined.m4b"
        _mux(listing, metadata, _cover_file(cover, place), joined, tags)
        with joined.open("rb") as stream:
            os.fsync(stream.fileno())
        joined.replace(dst)
    return marks


def _marks(chapters: Sequence[Chapter], streams: Sequence[_Stream]) -> tuple[Mark, ...]:
    marks: list[Mark] = []
    at = 0
    for chapter, stream in zip(chapters, streams, strict=True):
        start = at + stream.priming if marks else 0
        marks.append(Mark(chapter.title, start, stream.sample_rate))
        at += stream.samples
    return tuple(marks)


def _listed(path: Path) -> str:
    quoted = str(path.resolve()).replace("'", "'\\''")
    return f"file 'file:{quoted}'\noption ignore_editlist 1\n"


def _metadata(marks: Sequence[Mark], end: int, tags: BookTags) -> str:
    fields = {
        "title": tags.album,
        "album": tags.album,
        "artist": tags.artist,
        "album_artist": tags.artist,
        "composer": tags.narrator,
        "date": tags.year,
        "genre": "Audiobook",
        "comment": tags.comment,
    }
    rows = [";FFMETADATA1", *(f"{key}={_escape(value)}" for key, value in fields.items() if value)]
    ends = [*(mark.start for mark in marks[1:]), end]
    for mark, until in zip(marks, ends, strict=True):
        rows += ["[CHAPTER]", f"TIMEBASE=1/{mark.sample_rate}", f"START={mark.start}", f"END={until}"]
        rows.append(f"title={_escape(mark.title)}")
    return "\n".join(rows) + "\n"


def _escape(value: str) -> str:
    flat = " ".join(value.replace("\0", "").split())
    return "".join(f"\\{char}" if char in "=;#\\" else char for char in flat)


def _cover_file(cover: bytes | None, place: Path) -> Path | None:
    if cover is None:
        return None
    if cover.startswith(b"\xff\xd8\xff"):
        path = place / "cover.jpg"
    elif cover.startswith(b"\x89PNG\r\n\x1a\n"):
        path = place / "cover.png"
    else:
        raise EncodeError("cover", "the picture is neither JPEG nor PNG")
    path.write_bytes(cover)
    return path


def _mux(listing: Path, metadata: Path, cover: Path | None, dst: Path, tags: BookTags) -> None:
    primary = tags.language.lower().split("-")[0]
    language = _ISO639_2.get(primary, primary if len(primary) == 3 else "und")
    args = ["-f", "concat", "-safe", "0", "-i", str(listing), "-f", "ffmetadata", "-i", str(metadata)]
    args += ["-i", str(cover)] if cover else []
    args += ["-map", "0:a:0", *(["-map", "2:v:0", "-disposition:v:0", "attached_pic"] if cover else [])]
    args += ["-map_metadata", "1", "-map_chapters", "1", "-c", "copy"]
    frame = AAC_FRAME
    args += ["-bsf:a", f"setts=pts=N*{frame}:dts=N*{frame}:duration={frame}"]
    args += ["-metadata:s:a:0", f"language={language}", "-fflags", "+bitexact", "-flags:a", "+bitexact"]
    args += ["-movflags", "+faststart", "-f", "ipod", str(dst)]
    run_ffmpeg(args, target="the M4B")


def _read_stream(path: Path) -> _Stream:
    """Length and priming of an M4A's first track, from its boxes (ISO/IEC 14496-12: mdhd and elst)."""
    try:
        with path.open("rb") as stream:
            moov = _find(stream, b"moov", 0, path.stat().st_size)
            trak = _find(stream, b"trak", *moov) if moov else None
            mdia = _find(stream, b"mdia", *trak) if trak else None
            mdhd = _find(stream, b"mdhd", *mdia) if mdia else None
            if trak is None or mdhd is None:
                raise AudioUnreadable(str(path), "not an M4A file with an audio track")
            timescale, duration = _timing(stream, mdhd)
            priming = _media_time(stream, trak)
    except (OSError, struct.error) as error:
        raise AudioUnreadable(str(path), str(error) or "truncated") from error
    if duration <= 0 or timescale <= 0:
        raise AudioUnreadable(str(path), "the audio track is empty")
    return _Stream(-(-duration // AAC_FRAME) * AAC_FRAME, priming, timescale)


def _find(stream: BinaryIO, wanted: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Body (start, end) of the first box of a kind between two offsets."""
    at = start
    while at + 8 <= end:
        stream.seek(at)
        size, kind = struct.unpack(">I4s", stream.read(8))
        header = 8
        if size == 1:
            (size,) = struct.unpack(">Q", stream.read(8))
            header = 16
        elif size == 0:
            size = end - at
        if size < header:
            return None
        if kind == wanted:
            return at + header, min(at + size, end)
        at += size
    return None


def _timing(stream: BinaryIO, mdhd: tuple[int, int]) -> tuple[int, int]:
    """Timescale in Hz and duration in its units."""
    stream.seek(mdhd[0])
    version = stream.read(4)[0]
    stream.seek(mdhd[0] + 4 + (16 if version else 8))
    layout = ">IQ" if version else ">II"
    timescale, duration = struct.unpack(layout, stream.read(struct.calcsize(layout)))
    return timescale, duration


def _media_time(stream: BinaryIO, trak: tuple[int, int]) -> int:
    """Samples the edit list skips at the start; 0 without one."""
    edts = _find(stream, b"edts", *trak)
    elst = _find(stream, b"elst", *edts) if edts else None
    if elst is None:
        return 0
    stream.seek(elst[0])
    version = stream.read(4)[0]
    (count,) = struct.unpack(">I", stream.read(4))
    layout = ">QqI" if version else ">IiI"
    for _ in range(count):
        _, media_time, _ = struct.unpack(layout, stream.read(struct.calcsize(layout)))
        if media_time >= 0:
            return int(media_time)
    return 0
