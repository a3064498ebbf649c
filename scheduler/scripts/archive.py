"""A zip archive from a stranger: bounded in size, ratio and number, nothing outside itself."""

from __future__ import annotations

import stat
import zipfile
import zlib
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
MAX_RATIO = 200
"""Unpacked to packed, for entries over 1 MB; a chapter of XHTML has 3 to 10."""
_RATIO_FROM_BYTES = 1024 * 1024


class Archive:
    """A checked zip archive; use as a context manager. Entry names are looked up exactly."""

    def __init__(self, source: ScriptSource) -> None:
        """Open and check every entry's name and declared size; nothing is unpacked yet. Raises ScriptError."""
        self.name = source.name
        if source.size > MAX_ARCHIVE_BYTES:
            raise ScriptTooLarge(source.name, "", "is over 1 GiB; take recordings and pictures out of it")
        self._left = MAX_READ_BYTES
        try:
            self._zip = zipfile.ZipFile(source.path)
        except (zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError, OverflowError) as error:
            raise ScriptUnreadable(source.name, "", f"is not a whole zip archive ({error}); copy it again") from error
        try:
            self._entries = self._checked(source.size)
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
        return frozenset(self._entries)

    def read(self, name: str) -> bytes:
        """Unpack one entry. Raises ScriptUnreadable if it is missing or damaged, ScriptTooLarge past a limit."""
        info = self._entries.get(name)
        if info is None:
            raise ScriptUnreadable(self.name, name, "is missing from the archive")
        if info.flag_bits & 0x1:
            raise ScriptUnreadable(self.name, name, "is encrypted; remove its protection first")
        if info.file_size > min(MAX_ENTRY_BYTES, self._left):
            raise ScriptTooLarge(self.name, name, f"unpacks to {info.file_size:,} bytes, more than are read")
        try:
            with self._zip.open(info) as file:
                data = file.read(info.file_size + 1)
        except (
            zipfile.BadZipFile,
            zlib.error,
            OSError,
            EOFError,
            ValueError,
            NotImplementedError,
            RuntimeError,
        ) as error:
            raise ScriptUnreadable(self.name, name, f"is damaged ({error}); copy the file again") from error
        self._left -= len(data)
        return data

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
                entries.setdefault(info.filename, info)
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
