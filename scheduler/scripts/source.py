"""A script file on disk: opened once, measured before it is read."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from scheduler.scripts.errors import ScriptTooLarge, ScriptUnreadable

HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class ScriptSource:
    """A regular file that exists; ``name`` is what messages call it."""

    path: Path
    name: str
    size: int
    """Bytes."""

    @classmethod
    def open(cls, path: Path) -> ScriptSource:
        """Look at a file without reading it. Raises ScriptUnreadable if it is not there or not a file."""
        try:
            info = path.stat()
        except OSError as error:
            raise ScriptUnreadable(str(path), "", f"cannot be opened: {_why(error)}") from error
        except ValueError as error:  # a null character in the name
            raise ScriptUnreadable(repr(str(path)), "", f"cannot be opened: {error}") from error
        if not stat.S_ISREG(info.st_mode):
            raise ScriptUnreadable(str(path), "", "is not a file; name a script file")
        if info.st_size == 0:
            raise ScriptUnreadable(str(path), "", "is empty")
        return cls(path, path.name, info.st_size)

    def head(self) -> bytes:
        """Return the first 4 kB, for recognising the format."""
        return self._read(HEAD_BYTES)

    def data(self, limit: int) -> bytes:
        """Return the whole file. Raises ScriptTooLarge, before reading, if it is longer than ``limit`` bytes."""
        if self.size > limit:
            raise ScriptTooLarge(
                self.name, "", f"has {_mega(self.size)}, more than the {_mega(limit)} that are read; divide it"
            )
        data = self._read(limit + 1)
        if len(data) > limit:
            raise ScriptTooLarge(self.name, "", "grew while it was read; wait until it is written")
        return data

    def _read(self, count: int) -> bytes:
        try:
            with self.path.open("rb") as file:
                return file.read(count)
        except OSError as error:
            raise ScriptUnreadable(self.name, "", f"cannot be read: {_why(error)}") from error


def _mega(size: int) -> str:
    return f"{size / (1024 * 1024):,.1f} MiB"


def _why(error: OSError) -> str:
    return error.strerror or str(error)
