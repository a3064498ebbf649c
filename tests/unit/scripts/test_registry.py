"""The table of readers, and which of them reads a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.scripts.errors import FormatUnknown, ScriptError
from scheduler.scripts.registry import ENTRIES, format_names, read_script, readers

PLAIN = {
    "a.csv": (b"character,text\nMara,Good morning to you.\n", "csv"),
    "b.csv": (
        b"language,id,text,file,node,lineNumber,lock,comment\nen,line:1,Hello there.,a,Start,1,x,\n",
        "yarn-strings",
    ),
    "a.tab": (b"character\ttext\nMara\tGood morning to you.\n", "csv"),
    "a.md": (b"# One\n\nGood morning to you.\n", "markdown"),
    "a.txt": (b"Good morning to you.\n", "text"),
    "a.fountain": (b"INT. ROOM - DAY\n\nMARA\nGood morning.\n", "fountain"),
    "a.xml": (
        b'<speak version="1.1" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="en">Good morning.</speak>',
        "ssml",
    ),
    "a.vtt": (b"WEBVTT\n\n00:01.000 --> 00:02.000\nGood morning.\n", "vtt"),
}  # fmt: skip


def test_the_table_says_what_the_readers_say() -> None:
    assert [(entry.suffixes, reader.suffixes) for entry, reader in zip(ENTRIES, readers(), strict=True)] == [
        (reader.suffixes, reader.suffixes) for reader in readers()
    ]
    assert len(set(format_names())) == len(ENTRIES)


@pytest.mark.parametrize("name", PLAIN)
def test_the_right_reader_reads(name: str, tmp_path: Path) -> None:
    data, format = PLAIN[name]
    path = tmp_path / name
    path.write_bytes(data)
    assert read_script(path).format == format
    assert read_script(path, format=format).format == format


@pytest.mark.parametrize("data", [b"\x00\x01\x02 nothing", b"PK\x03\x04 broken", b"%PDF-1.7 broken", b"<a/>"])
def test_a_file_nobody_knows_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "unnamed"
    path.write_bytes(data)
    with pytest.raises(ScriptError):
        read_script(path)


def test_the_message_lists_the_formats(tmp_path: Path) -> None:
    path = tmp_path / "unnamed"
    path.write_bytes(b"just words")
    with pytest.raises(FormatUnknown, match="fountain"):
        read_script(path)
