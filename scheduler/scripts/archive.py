"""A zip archive from a stranger: bounded in size, ratio and number, nothing outside itself."""

from __future__ import annotations

import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from types import TracebackType

from scheduler.scripts.errors import ScriptRefused, ScriptTooLarge, ScriptUnreadable
from scheduler.scripts.source import ScriptSource

MAX_ARCHIVE_BYTES = 1024 * 1024 * 1024
"""Largest archive; pictures and recordings in it are never read."""
MAX_ENTRIES = 20_000
MAX_TOTAL_BYTES = 4 * 1024 * 1024 * 1024
"""Sum of what the entries say they unpack to."""
MAX_ENTRY_BYTES = 24 * 1024 * 1024
"""Largest entry that is read."""
MAX_READ_BYTES = 256 * 1024 * 1024
"""Sum of the entries read from one archive."""
MAX_STREAMED_BYTES = 1024 * 1024 * 1024
"""Sum of what is unpacked block by block, which takes time and no memory; counted again on each pass."""
_BLOCK_BYTES = 256 * 1024
MAX_RATIO = 200
"""Unpacked to packed, for entries over 1 MB; a chapter of XHTML has 3 to 10."""
_RATIO_FROM_BYTES = 1024 * 1024
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)
"""What unpacking raises for bytes that are not what the archive says."""


class Archive:
    """A checked zip archive; use as a context manager. Names are looked up exactly, in Unicode's composed form."""

    def __init__(self, source: ScriptSource) -> None:
        """Open and check every entry's name and declared size; nothing is unpacked yet. Raises ScriptError."""
        self.name = source.name
        if source.size > MAX_ARCHIVE_BYTES:
            raise ScriptTooLarge(source.name, "", "is over 1 GiB; take recordings and pictures out of it")
        self._left = MAX_READ_BYTES
        self._left_streamed = MAX_STREAMED_BYTES
        try:
            self._zip = zipfile.ZipFile(source.path)
        except (zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError, OverflowError) as error:
            raise ScriptUnreadable(source.name, "", f"is not a whole zip archive ({error}); copy it again") from error
        try:
            self._entries = self._checked(source.size)
            self._names = frozenset(self._entries)
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def names(self) -> frozenset[str]:
        """Names of all files in it."""
        return self._names

    def read(self, name: str) -> bytes:
        """Unpack one entry. Raises ScriptUnreadable if it is missing or damaged, ScriptTooLarge past a limit."""
        info = self._entry(name)
        if info.file_size > min(MAX_ENTRY_BYTES, self._left):
            raise ScriptTooLarge(self.name, name, f"unpacks to {info.file_size:,} bytes, more than are read")
        try:
            with self._zip.open(info) as file:
                data = file.read(info.file_size + 1)
        except _DAMAGE as error:
            raise ScriptUnreadable(self.name, name, f"is damaged ({error}); copy the file again") from error
        self._left -= len(data)
        return data

    def blocks(self, name: str, limit: int) -> Iterator[bytes]:
        """Unpack one entry of at most ``limit`` bytes block by block, for parts that are never held whole.

        Raises as ``read`` does, a damaged entry where the damage is.
        """
        info = self._entry(name)
        if info.file_size > limit:
            raise ScriptTooLarge(
                self.name,
                name,
                f"unpacks to {info.file_size:,} bytes, more than the {limit:,} that are read; divide it",
            )
        try:
            with self._zip.open(info) as file:
                while block := file.read(_BLOCK_BYTES):
                    self._left_streamed -= len(block)
                    if self._left_streamed < 0:
                        reason = f"is past the {MAX_STREAMED_BYTES:,} bytes that are read of one archive; divide it"
                        raise ScriptTooLarge(self.name, name, reason)
                    yield block
        except _DAMAGE as error:
            raise ScriptUnreadable(self.name, name, f"is damaged ({error}); copy the file again") from error

    def _entry(self, name: str) -> zipfile.ZipInfo:
        info = self._entries.get(name)
        if info is None:
            raise ScriptUnreadable(self.name, name, "is missing from the archive")
        if info.flag_bits & 0x1:
            raise ScriptUnreadable(self.name, name, "is encrypted; remove its protection first")
        return info

    def _checked(self, size: int) -> dict[str, zipfile.ZipInfo]:
        infos = self._zip.infolist()
        if len(infos) > MAX_ENTRIES:
            raise ScriptTooLarge(self.name, "", f"holds {len(infos):,} files, more than {MAX_ENTRIES:,}")
        total = packed = 0
        entries: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            self._check_name(info)
            total += info.file_size
            packed += info.compress_size
            if info.file_size > _RATIO_FROM_BYTES and info.file_size > MAX_RATIO * max(info.compress_size, 1):
                raise ScriptTooLarge(
                    self.name,
                    info.filename,
                    f"unpacks {info.compress_size:,} bytes to {info.file_size:,}: it is built to fill memory",
                )
            if not info.is_dir():
                entries.setdefault(_name(info), info)
        if total > MAX_TOTAL_BYTES or packed > size:
            raise ScriptTooLarge(self.name, "", f"unpacks to {total:,} bytes: it is built to fill memory")
        return entries

    def _check_name(self, info: zipfile.ZipInfo) -> None:
        name = info.filename
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if not parts or name.startswith(("/", "\\")) or ".." in parts or (len(name) > 1 and name[1] == ":"):
            raise ScriptRefused(self.name, repr(name), "names a path outside the archive")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise ScriptRefused(self.name, name, "is a link; an archive may only hold files")


_UTF8_NAME = 0x800
"""The flag of an entry whose name is UTF-8."""


def _name(info: zipfile.ZipInfo) -> str:
    """The name as it is looked up: what was made of one letter and its mark apart is the letter that has it."""
    name = info.filename
    if not name.isascii() and not info.flag_bits & _UTF8_NAME:
        try:
            name = name.encode("cp437").decode("utf-8")  # many programs write UTF-8 and do not say so
        except UnicodeError:
            pass
    return unicodedata.normalize("NFC", name)
