from __future__ import annotations

import re
import struct
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from synthesis.deliverables.m4b import Chapter, build_m4b
from synthesis.errors import AudioUnreadable, EncodeError

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
RATE = 48000


@dataclass(frozen=True)
class Tags:
    album: str = "A Book = of; #tricks\\"
    artist: str = "An Author"
    narrator: str = "draft-narrator"
    year: str = "1871"
    language: str = "en-GB"
    comment: str = "AI-generated speech"


def tone(path: Path, hertz: float, samples: int) -> Path:
    wave = (0.3 * np.sin(2 * np.pi * hertz * np.arange(samples) / RATE)).astype("<f4")
    command = [FFMPEG, "-v", "error", "-y", "-f", "f32le", "-ar", str(RATE), "-ac", "1", "-i", "-"]
    command += ["-c:a", "aac", "-b:a", "64k", "-f", "ipod", str(path)]
    subprocess.run(command, input=wave.tobytes(), check=True)
    return path


def decode(path: Path) -> np.ndarray:
    command = [FFMPEG, "-v", "error", "-i", str(path), "-f", "f32le", "-ac", "1", "-ar", str(RATE), "-"]
    return np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, "<f4")


def chapters_of(path: Path) -> list[tuple[float, str]]:
    shown = subprocess.run([FFMPEG, "-i", str(path)], capture_output=True, check=False).stderr.decode()
    found = re.findall(r"Chapter #0:\d+: start ([\d.]+), end [\d.]+\n\s+Metadata:\n\s+title\s+: ?(.*)", shown)
    return [(float(start), title) for start, title in found]


def png() -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + b"\x20\x60\xa0" * 64 for _ in range(64))
    header = struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def change_points(samples: np.ndarray, hertz: list[float]) -> list[float]:
    """Seconds at which each tone first is the loudest of them, on 10 ms steps."""
    step = RATE // 100
    frames = samples[: len(samples) // step * step].reshape(-1, step)
    times = np.arange(step) / RATE
    power = np.stack([np.abs(frames @ np.exp(-2j * np.pi * f * times)) for f in hertz])
    loud = np.where(power.max(0) > 10, power.argmax(0), -1)
    return [float(np.argmax(loud == index)) / 100 for index in range(len(hertz))]


def test_chapters_begin_where_the_tone_changes(tmp_path: Path) -> None:
    hertz = [400.0, 900.0, 1500.0, 600.0, 2100.0]
    lengths = [RATE * 2 + 131 * i for i in range(5)]
    chapters = [
        Chapter(tone(tmp_path / f"c'{i}.m4a", f, n), f"Chapter {i + 1}: 'one' = #{i};", round(n / 48))
        for i, (f, n) in enumerate(zip(hertz, lengths, strict=True))
    ]
    book = tmp_path / "book.m4b"
    marks = build_m4b(chapters, book, tags=Tags(), cover=png())
    read_back = chapters_of(book)
    assert [title for _, title in read_back] == [chapter.title for chapter in chapters]
    heard = change_points(decode(book), hertz)
    for (start, _), change, mark in zip(read_back, heard, marks, strict=True):
        assert abs(start - change) <= 0.03
        assert abs(start * 1000 - mark.start_ms) <= 1
    whole = sum(-(-(n + 1024) // 1024) * 1024 for n in lengths)
    assert whole - 1024 < len(decode(book)) <= whole  # the decoder may drop the padding of the last frame


def test_tags_cover_and_bytes(tmp_path: Path) -> None:
    chapter = Chapter(tone(tmp_path / "a.m4a", 500, RATE), "One", 1000)
    first, second = tmp_path / "1.m4b", tmp_path / "2.m4b"
    build_m4b([chapter], first, tags=Tags(), cover=png())
    build_m4b([chapter], second, tags=Tags(), cover=png())
    assert first.read_bytes() == second.read_bytes()
    shown = subprocess.run([FFMPEG, "-i", str(first)], capture_output=True, check=False).stderr.decode()
    assert "attached pic" in shown
    assert "(eng)" in shown
    assert re.search(r"title\s+: A Book = of; #tricks\\", shown)
    assert re.search(r"composer\s+: draft-narrator", shown)
    content = first.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.m4b", "2.m4b", "a.m4a"]


def test_three_hundred_chapters_are_all_there(tmp_path: Path) -> None:
    path = tone(tmp_path / "a.m4a", 500, 4800)
    chapters = [Chapter(path, f"第{i}章", 100) for i in range(300)]
    build_m4b(chapters, tmp_path / "book.m4b", tags=Tags(), cover=None)
    assert [title for _, title in chapters_of(tmp_path / "book.m4b")] == [c.title for c in chapters]


def test_what_is_no_audio_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    bad = tmp_path / "bad.m4a"
    bad.write_bytes(b"\0\0\0\x10moov" + b"x" * 8)
    with pytest.raises(AudioUnreadable, match=r"bad\.m4a"):
        build_m4b([Chapter(bad, "One", 1)], tmp_path / "book.m4b", tags=Tags(), cover=None)
    good = Chapter(tone(tmp_path / "a.m4a", 500, 4800), "One", 100)
    with pytest.raises(EncodeError, match="neither JPEG nor PNG"):
        build_m4b([good], tmp_path / "book.m4b", tags=Tags(), cover=b"GIF89a")
    with pytest.raises(EncodeError, match="at least one chapter"):
        build_m4b([], tmp_path / "book.m4b", tags=Tags(), cover=None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.m4a", "bad.m4a"]
