"""The store of takes and tracks: content-addressed, written once, never changed.

A key is the sha256 of the content, with a suffix that says what it is: ``<64 hex>.flac``. The same bytes have the
same key wherever they were made, so keeping them twice is free, and what is read can be checked against its name.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import secrets
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from db.errors import BadKey, BadStoreUrl, StoreCorrupt, StoreUnreadable
from db.store_backends import OBJECT_STORES, Backend, LocalFiles, RemoteObjects, network_errors

_KEY = re.compile(r"[0-9a-f]{64}(\.[a-z0-9]{1,8})?")
_READ_BYTES = 1 << 20


class Store:
    """A place for takes: ``file:///directory``, or ``s3://bucket/prefix`` where several machines share it.

    Making one does nothing; it connects at first use. Safe from many threads and processes at once, and picklable.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._backend = _choose(url)

    def __repr__(self) -> str:
        return f"Store({self.url!r})"

    def put_bytes(self, data: bytes, suffix: str = "") -> str:
        """Keep ``data`` and return its key. What is there already is not written again. Raises StoreFull."""
        key = _checked(_named(hashlib.sha256(data).hexdigest(), suffix))
        if not self._there(key):
            self._backend.put(key, io.BytesIO(data))
        return key

    def put_file(self, path: Path, suffix: str = "") -> str:
        """Keep a copy of a file, which must not change meanwhile, and return its key. Memory stays flat.

        Raises StoreFull; FileNotFoundError when there is no such file.
        """
        with path.open("rb") as source:
            key = _checked(_named(hashlib.file_digest(source, "sha256").hexdigest(), suffix))
            if not self._there(key):
                source.seek(0)
                self._backend.put(key, source)
        return key

    def open(self, key: str) -> BinaryIO:
        """Open for reading, unverified. Raises StoreMissing, StoreUnreadable."""
        return self._backend.open(_checked(key))

    def get_bytes(self, key: str) -> bytes:
        """Everything under the key, verified. Raises StoreMissing, StoreCorrupt, StoreUnreadable."""
        with self.open(key) as source:
            data = _read(key, source, -1)
        if hashlib.sha256(data).hexdigest() != key[:64]:
            raise StoreCorrupt(key)
        return data

    def fetch_to(self, key: str, path: Path) -> Path:
        """Write a verified copy to ``path`` (whole or not at all) and return it.

        Raises StoreMissing, StoreCorrupt, StoreUnreadable; OSError when ``path`` cannot be written.
        """
        part = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
        try:
            with self.open(key) as source, part.open("xb") as target:
                digest = hashlib.sha256()
                while block := _read(key, source, _READ_BYTES):
                    digest.update(block)
                    target.write(block)
            if digest.hexdigest() != key[:64]:
                raise StoreCorrupt(key)
            part.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise
        return path

    def verify(self, key: str) -> None:
        """Read it all and compare. Raises StoreMissing, StoreCorrupt, StoreUnreadable."""
        digest = hashlib.sha256()
        with self.open(key) as source:
            while block := _read(key, source, _READ_BYTES):
                digest.update(block)
        if digest.hexdigest() != key[:64]:
            raise StoreCorrupt(key)

    def exists(self, key: str) -> bool:
        """Whether something is kept under the key; whether it is whole, ``verify`` says."""
        return self._backend.exists(_checked(key))

    def path(self, key: str) -> Path | None:
        """Where the file is, or would be, when the store is a directory; None otherwise. Not to be written to."""
        return self._backend.path(_checked(key))

    def quarantine(self, key: str) -> bool:
        """Move a damaged file aside, so that the same content can be put again; returns whether it was damaged.

        What is whole stays: another process may have replaced it since the damage was seen.
        """
        try:
            self.verify(key)
        except StoreCorrupt:
            return self._backend.move_aside(key)
        return False

    def sweep(self, older_than_s: float = 3600.0) -> int:
        """Remove what interrupted writes left behind, when it is older than any write takes; returns how many."""
        return self._backend.sweep(older_than_s)

    def _there(self, key: str) -> bool:
        try:
            return self._backend.exists(key)
        except StoreUnreadable:
            return False  # the put that follows says what is wrong with the store


def _choose(url: str) -> Backend:
    scheme, separator, _ = url.partition("://")
    if not separator:
        return LocalFiles(Path(url).absolute())
    if scheme == "file":
        return LocalFiles(Path(unquote(urlsplit(url).path)))
    if scheme in OBJECT_STORES:
        return RemoteObjects(url)
    raise BadStoreUrl(url, f"{scheme}:// cannot replace a file in one step; use file:// or s3://")


def _named(digest: str, suffix: str) -> str:
    return f"{digest}.{suffix.removeprefix('.')}" if suffix else digest


def _checked(key: str) -> str:
    if _KEY.fullmatch(key) is None:
        raise BadKey(key)
    return key


def _read(key: str, source: BinaryIO, size: int) -> bytes:
    try:
        return source.read(size)
    except network_errors() as error:
        raise StoreUnreadable(key, str(error)) from error
