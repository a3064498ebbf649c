"""Where the store's files lie: a directory, or an object store through fsspec.

Both show a file under its key only when it is whole. They know nothing of digests; ``db.store`` does.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from db.errors import BadStoreUrl, StoreFull, StoreMissing, StoreUnreadable

OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "memory"})
"""Protocols whose put is atomic: nobody sees half an object."""

_PART = ".part"
_COPY_BYTES = 1 << 20


class Backend(Protocol):
    """What the store needs of the place where it keeps things. Keys are checked before they come here."""

    def put(self, key: str, source: BinaryIO) -> None:
        """Keep everything ``source`` still holds. Raises StoreFull."""

    def open(self, key: str) -> BinaryIO:
        """Open for reading. Raises StoreMissing, StoreUnreadable."""

    def exists(self, key: str) -> bool:
        """Whether something is kept under the key."""

    def path(self, key: str) -> Path | None:
        """Where the file is, or would be, on this machine; None for an object store."""

    def move_aside(self, key: str) -> bool:
        """Take it from under its key without deleting it; whether there was anything."""

    def sweep(self, older_than_s: float) -> int:
        """Remove what interrupted writes left behind; returns how many files."""


def folders(key: str) -> str:
    """ab/<key>: 256 folders keep millions of files apart, and are all there after the first few hundred takes."""
    return f"{key[:2]}/{key}"


def _reason(error: BaseException) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def _write_all(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]


class LocalFiles:
    """A directory. Files are written aside in their own folder, fsynced, renamed.

    The folder is not fsynced: that would be half of the cost of keeping a short take. A rename that a power cut undoes
    leaves a take without its file, which assembly finds by the checksum and has rendered again.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def _file(self, key: str) -> Path:
        return self.root / folders(key)

    def put(self, key: str, source: BinaryIO) -> None:
        """Keep everything ``source`` still holds. Raises StoreFull."""
        # names are strings here and the file has no buffer: a short take costs as much in pathlib and io as on the disk
        final = f"{self.root}/{folders(key)}"
        folder, name = os.path.split(final)
        part = f"{folder}/.{name}.{os.getpid()}.{secrets.token_hex(4)}{_PART}"
        try:
            try:
                target = self._aside(part)
                try:
                    while block := source.read(_COPY_BYTES):
                        _write_all(target, block)
                    os.fsync(target)
                finally:
                    os.close(target)
                os.replace(part, final)  # noqa: PTH105
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(part)  # noqa: PTH108
                raise
        except OSError as error:  # ENOSPC, EDQUOT, EROFS, EACCES, EFBIG, EIO …: nothing can be kept now
            raise StoreFull(key, _reason(error)) from error

    def _aside(self, part: str) -> int:
        """A new file's descriptor; its folder is made by the first take that goes there."""
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
        try:
            return os.open(part, flags, 0o666)
        except FileNotFoundError:
            Path(part).parent.mkdir(parents=True, exist_ok=True)
            return os.open(part, flags, 0o666)

    def open(self, key: str) -> BinaryIO:
        """Open for reading. Raises StoreMissing, StoreUnreadable."""
        try:
            return self._file(key).open("rb")
        except FileNotFoundError as error:
            raise StoreMissing(key) from error
        except OSError as error:
            raise StoreUnreadable(key, _reason(error)) from error

    def exists(self, key: str) -> bool:
        """Whether something is kept under the key."""
        return os.path.isfile(f"{self.root}/{folders(key)}")  # noqa: PTH113  a third of what pathlib takes

    def path(self, key: str) -> Path | None:
        """Where the file is, or would be."""
        return self._file(key)

    def move_aside(self, key: str) -> bool:
        """Rename it to <key>.damaged-<random>."""
        final = self._file(key)
        try:
            final.replace(final.with_name(f"{key}.damaged-{secrets.token_hex(4)}"))
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreFull(key, _reason(error)) from error
        return True

    def sweep(self, older_than_s: float) -> int:
        """Remove temporary files nobody has written to for that long."""
        removed = 0
        before = time.time() - older_than_s
        for part in self.root.glob(f"[0-9a-f][0-9a-f]/.*{_PART}"):
            with contextlib.suppress(FileNotFoundError):
                if part.stat().st_mtime < before:
                    part.unlink()
                    removed += 1
        return removed


class RemoteObjects:
    """An object store through fsspec: one put to the final key, which is atomic there."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opened: tuple[int, Any, str] | None = None
        self._mutex = threading.Lock()

    def __getstate__(self) -> str:
        return self.url

    def __setstate__(self, url: str) -> None:
        self.url, self._opened, self._mutex = url, None, threading.Lock()

    def _fs(self) -> tuple[Any, str]:
        with self._mutex:
            if self._opened is None or self._opened[0] != os.getpid():  # a connection does not survive a fork
                try:
                    fs, root = importlib.import_module("fsspec").core.url_to_fs(self.url, use_listings_cache=False)
                except (ImportError, ValueError) as error:
                    raise BadStoreUrl(self.url, f"{error} (for s3:// install voicefarm[s3])") from error
                self._opened = (os.getpid(), fs, root.rstrip("/"))
            return self._opened[1], self._opened[2]

    def put(self, key: str, source: BinaryIO) -> None:
        """Keep everything ``source`` still holds. Raises StoreFull."""
        with self._refusals(key):
            fs, root = self._fs()
            target = f"{root}/{folders(key)}"
            name = getattr(source, "name", None)
            if isinstance(name, str):  # a real file: uploaded in parts, shown when complete
                fs.put_file(name, target)
            else:
                fs.pipe_file(target, source.read())

    def open(self, key: str) -> BinaryIO:
        """Open for reading. Raises StoreMissing, StoreUnreadable."""
        try:
            fs, root = self._fs()
            return cast("BinaryIO", fs.open(f"{root}/{folders(key)}", "rb"))
        except FileNotFoundError as error:
            raise StoreMissing(key) from error
        except network_errors() as error:
            raise StoreUnreadable(key, _reason(error)) from error

    def exists(self, key: str) -> bool:
        """Whether something is kept under the key. Raises StoreUnreadable when nobody answers."""
        try:
            fs, root = self._fs()
            fs.info(f"{root}/{folders(key)}")
        except FileNotFoundError:
            return False
        except network_errors() as error:
            raise StoreUnreadable(key, _reason(error)) from error
        return True

    def path(self, key: str) -> Path | None:
        """There is none."""
        return None

    def move_aside(self, key: str) -> bool:
        """Copy it to <key>.damaged-<random>, then remove it."""
        with self._refusals(key):
            fs, root = self._fs()
            name = f"{root}/{folders(key)}"
            try:
                fs.mv(name, f"{name}.damaged-{secrets.token_hex(4)}")
            except FileNotFoundError:
                return False
            return True

    def sweep(self, older_than_s: float) -> int:
        """Nothing to do: unfinished uploads are never shown, the bucket's life-cycle rule ends them."""
        return 0

    @contextlib.contextmanager
    def _refusals(self, key: str) -> Iterator[None]:
        try:
            yield
        except network_errors() as error:
            raise StoreFull(key, _reason(error)) from error


def network_errors() -> tuple[type[Exception], ...]:
    """What reaches us besides OSError: s3fs hands on botocore's own errors for dead connections and bad credentials."""
    try:
        return (OSError, importlib.import_module("botocore.exceptions").BotoCoreError)
    except ImportError:
        return (OSError,)
