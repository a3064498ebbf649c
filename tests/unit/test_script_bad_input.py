from __future__ import annotations

import os
import pickle
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from script_samples import CONTAINER, SHEET, TEXT, VTT, Book, page, small_book, write

import scheduler.scripts.errors as script_errors
from scheduler.errors import (
    CastingError,
    CharacterUnknown,
    ConsentMissing,
    NobodySpeaks,
    SchedulerError,
    VoiceUnknown,
)
from scheduler.scripts import archive as limits
from scheduler.scripts.errors import (
    EncodingUnknown,
    FormatUnknown,
    MarkupError,
    ScriptEmpty,
    ScriptError,
    ScriptRefused,
    ScriptTooLarge,
    ScriptUnreadable,
)
from scheduler.scripts.model import ReadOptions
from scheduler.scripts.registry import format_names, read_script, readers


def test_a_truncated_epub_is_named(tmp_path: Path) -> None:
    data = small_book().write(tmp_path / "whole.epub").read_bytes()
    for share in (0.1, 0.5, 0.9, 0.99):
        path = write(tmp_path / "cut.epub", data[: int(len(data) * share)])
        with pytest.raises(ScriptUnreadable, match=r"cut\.epub"):
            read_script(path)


def test_a_damaged_entry_is_named_with_its_place(tmp_path: Path) -> None:
    book = Book({"a.xhtml": page("<p>" + "Quite ordinary text. " * 50 + "</p>")})
    data = bytearray(book.write(tmp_path / "a.epub").read_bytes())
    at = data.index(b"OPS/a.xhtml") + len("OPS/a.xhtml") + 20
    data[at : at + 8] = b"\xff" * 8
    with pytest.raises(ScriptUnreadable, match=r"OPS/a\.xhtml"):
        read_script(write(tmp_path / "b.epub", bytes(data)))


def test_a_zip_bomb_is_refused_without_being_unpacked(tmp_path: Path) -> None:
    book = small_book()
    book.extra = {"OPS/pad.xhtml": b"\0" * (80 * 1024 * 1024)}
    path = book.write(tmp_path / "bomb.epub")
    tracemalloc.start()
    with pytest.raises(ScriptTooLarge, match=r"bomb\.epub.*fill memory"):
        read_script(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 1024 * 1024


def test_too_many_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_ENTRIES", 3)
    with pytest.raises(ScriptTooLarge, match="files"):
        read_script(small_book().write(tmp_path / "a.epub"))


@pytest.mark.parametrize(
    "name", ["../evil.xhtml", "/etc/evil.xhtml", "OPS/../../evil", "C:/evil", "..\\evil", "OPS/.."]
)
def test_paths_outside_the_archive_are_refused(name: str, tmp_path: Path) -> None:
    book = small_book()
    book.extra = {name: b"x"}
    with pytest.raises(ScriptRefused, match="outside the archive"):
        read_script(book.write(tmp_path / "a.epub"))


def test_a_link_in_the_archive_is_refused(tmp_path: Path) -> None:
    path = small_book().write(tmp_path / "a.epub")
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("OPS/link.xhtml")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(ScriptRefused, match="link"):
        read_script(path)


@pytest.mark.parametrize("href", ["../../outside.xhtml", "http://127.0.0.1/x.xhtml", "file:///etc/passwd"])
def test_a_reading_order_that_leads_outside_is_refused(href: str, tmp_path: Path) -> None:
    book = small_book()
    with zipfile.ZipFile(tmp_path / "a.epub", "w") as archive:
        archive.writestr("META-INF/container.xml", CONTAINER)
        archive.writestr("OPS/book.opf", book.package().replace('href="one.xhtml"', f'href="{href}"'))
        archive.writestr("OPS/two.xhtml", page("<p>Text.</p>"))
    with pytest.raises(ScriptRefused, match="outside the archive"):
        read_script(tmp_path / "a.epub")


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE html [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE html [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE html [<!ENTITY % p SYSTEM "http://127.0.0.1/x.dtd"> %p;]>',
        '<!-- c --><!doctype html [ <!entity a "x"> ]>',
    ],
)
def test_entity_declarations_are_refused_wherever_they_stand(head: str, tmp_path: Path) -> None:
    with pytest.raises(ScriptRefused, match=r"OPS/a\.xhtml.*entities"):
        read_script(Book({"a.xhtml": page("<p>&b;</p>", head=head)}).write(tmp_path / "a.epub"))


def test_an_undeclared_entity_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ScriptRefused, match=r"line \d+.*&secret;"):
        read_script(Book({"a.xhtml": page("<p>&secret;</p>")}).write(tmp_path / "a.epub"))


def test_a_200_mb_line_is_refused_at_once_with_flat_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    with path.open("wb") as file:
        file.truncate(200 * 1024 * 1024)
    readers()  # loading them takes memory, too
    tracemalloc.start()
    with pytest.raises(ScriptTooLarge, match=r"long\.txt.*200\.0 MiB"):
        read_script(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1024 * 1024


@pytest.mark.parametrize("suffix", ["txt", "md", "vtt", "srt"])
def test_a_long_line_is_named_with_its_number(suffix: str, tmp_path: Path) -> None:
    head = {"vtt": "WEBVTT\n\n", "srt": "1\n"}.get(suffix, "A line.\n\n")
    path = write(tmp_path / f"a.{suffix}", head + "word " * 30_000)
    with pytest.raises(ScriptTooLarge, match=r"line \d.*150,000"):
        read_script(path)


def test_a_long_paragraph_in_a_book_and_a_long_cell_are_named(tmp_path: Path) -> None:
    with pytest.raises(ScriptTooLarge, match=r"OPS/a\.xhtml line"):
        read_script(Book({"a.xhtml": page("<p>" + "word " * 30_000 + "</p>")}).write(tmp_path / "a.epub"))
    with pytest.raises(ScriptTooLarge, match="line 2"):
        read_script(write(tmp_path / "a.csv", "text\n" + "word " * 24_000 + "\n"))
    with pytest.raises(ScriptTooLarge, match="row 2"):
        read_script(write(tmp_path / "a.csv", 'text\n"' + "word\n" * 24_000 + '"\n'))


def test_a_quotation_mark_that_is_never_closed_is_found(tmp_path: Path) -> None:
    with pytest.raises(ScriptTooLarge, match=r"row 2.*quotation mark"):
        read_script(write(tmp_path / "a.csv", 'id,text\n1,"open ' + "and on it goes\n" * 20_000))


def test_a_compressed_long_page_is_refused(tmp_path: Path) -> None:
    book = Book({"a.xhtml": page("<p>" + "word " * 2_000_000 + "</p>")})
    with pytest.raises(ScriptTooLarge):
        read_script(book.write(tmp_path / "a.epub"))


@pytest.mark.parametrize("name", ["a.doc", "a", "a.xyz", "a.xml"])
def test_an_unknown_format_lists_the_known_ones(name: str, tmp_path: Path) -> None:
    with pytest.raises(FormatUnknown) as caught:
        read_script(write(tmp_path / name, "Plain words."))
    assert all(known in str(caught.value) for known in format_names())
    with pytest.raises(FormatUnknown, match="'klingon'"):
        read_script(write(tmp_path / "a.txt", "Words."), format="klingon")


def test_a_file_without_a_telling_name_is_known_by_its_signature(tmp_path: Path) -> None:
    assert read_script(write(tmp_path / "cues", VTT)).format == "vtt"
    assert read_script(small_book().write(tmp_path / "book.zip")).format == "epub"
    assert read_script(write(tmp_path / "words", "Plain words."), format="text").format == "text"


def test_missing_empty_and_special_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ScriptUnreadable, match="No such file"):
        read_script(tmp_path / "absent.txt")
    with pytest.raises(ScriptUnreadable, match="is empty"):
        read_script(write(tmp_path / "empty.txt", ""))
    with pytest.raises(ScriptUnreadable, match="not a file"):
        read_script(tmp_path)
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(ScriptUnreadable, match="not a file"):
        read_script(tmp_path / "pipe.txt")


@pytest.mark.parametrize("suffix", ["txt", "md", "csv", "vtt", "srt"])
def test_binary_data_is_not_text(suffix: str, tmp_path: Path) -> None:
    with pytest.raises((EncodingUnknown, ScriptUnreadable, ScriptEmpty)):
        read_script(write(tmp_path / f"a.{suffix}", bytes(range(256)) * 20))


def test_the_wrong_encoding_said_by_the_user_is_named_with_the_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "first\nsecond é\n".encode("cp1252"))
    with pytest.raises(EncodingUnknown, match=r"line 2.*utf-8"):
        read_script(path, options=ReadOptions(encoding="utf-8"))
    with pytest.raises(EncodingUnknown, match="no encoding called 'klingon'"):
        read_script(path, options=ReadOptions(encoding="klingon"))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[voice:Mara]Hello.", 1),
        ("Hello.[/voice]", 1),
        ("[voice:]x[/voice]", 1),
        ("Fine.\n\nThen [pause:soon] here.", 3),
        ("One.\n\nTwo\nthree [emotion:sad]four.", 4),
        ("[pause 11s] and on", 1),
        ("[made-up:thing] x", 1),
        ("half a [voice:tag", 1),
    ],
)
@pytest.mark.parametrize("suffix", ["txt", "md"])
def test_markup_that_is_not_understood_is_an_error_with_its_line(
    text: str, line: int, suffix: str, tmp_path: Path
) -> None:
    with pytest.raises(MarkupError, match=rf"line {line}\b"):
        read_script(write(tmp_path / f"a.{suffix}", text))


def test_markup_in_a_sheet_is_an_error_with_its_row(tmp_path: Path) -> None:
    with pytest.raises(MarkupError, match="row 2"):
        read_script(write(tmp_path / "a.csv", "text\n[emotion:sad]Oh.[/emotion]\n"))


@pytest.mark.parametrize("data", ["", "\n\n\n", "* * *\n\n***\n", "……\n\n——\n", "[Illustration]\n"])
def test_a_text_without_words_is_empty(data: str, tmp_path: Path) -> None:
    with pytest.raises((ScriptEmpty, ScriptUnreadable)):
        read_script(write(tmp_path / "a.txt", data))


def test_every_error_pickles_and_says_where(tmp_path: Path) -> None:
    kinds = [kind for kind in vars(script_errors).values() if isinstance(kind, type) and issubclass(kind, ScriptError)]
    errors: list[SchedulerError] = [kind("book.epub", "line 3", "is wrong") for kind in kinds]
    errors += [
        VoiceUnknown("x", ("a", "b")),
        CharacterUnknown("x", ("a",)),
        NobodySpeaks("x", "ja", ("a",)),
        NobodySpeaks("", "ja", ()),
        ConsentMissing("x", "y"),
        CastingError("x"),
    ]
    for error in errors:
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert (again.args, str(again)) == (error.args, str(error))
    assert "book.epub, line 3: is wrong" in {str(error) for error in errors}


def test_samples_are_read_alike_whatever_their_line_ends(tmp_path: Path) -> None:
    for suffix, text in (("txt", TEXT), ("csv", SHEET), ("vtt", VTT)):
        read = [
            read_script(write(tmp_path / f"a.{suffix}", mark + text.replace("\n", end).encode()))
            for end in ("\n", "\r\n", "\r")
            for mark in (b"", b"\xef\xbb\xbf")
        ]
        assert all(document == read[0] for document in read)


@pytest.mark.parametrize("reference", ["&#xD800;", "&#x0;", "&#99999999;"])
def test_a_reference_to_no_character_is_dropped(reference: str, tmp_path: Path) -> None:
    book = Book({"a.xhtml": page(f"<p>Good{reference} morning<b> to you.</p>")})
    document = read_script(book.write(tmp_path / "a.epub"))
    assert document.sections[0].lines[0].text == "Good morning to you."
