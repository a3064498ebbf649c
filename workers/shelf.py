"""Where deliverables go: a directory or an object store, written so that no reader sees half a file."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import fsspec

from workers.errors import DeliveryRefused
from workers.takes import sha256_of

MANIFEST = "manifest.json"


class Shelf(Protocol):
    """A place of delivery. Names are relative with '/' between folders. Every method raises DeliveryRefused."""

    def held(self, name: str, sha256: str) -> int | None:
        """Size in bytes of exactly this content, when it is there already."""

    def put(self, source: Path, name: str) -> None:
        """Put a file in place, whole or not at all."""

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""

    def manifest(self) -> dict[str, Any] | None:
        """The manifest of the delivery that is there; None without one, or when it cannot be read."""


def open_shelf(url: str) -> Shelf:
    """The shelf for a path, a file:// URL or any URL fsspec knows."""
    parts = urlsplit(url)
    if len(parts.scheme) <= 1:  # a plain path, or C:\… on Windows
        return DirectoryShelf(Path(url))
    if parts.scheme == "file":
        return DirectoryShelf(Path(unquote(parts.path)))
    return ObjectShelf(url)


def is_safe(name: str) -> bool:
    """Whether a name read from a manifest stays below the place of delivery."""
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and "\\" not in name


class DirectoryShelf:
    """A directory of this machine or of a shared file system."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def held(self, name: str, sha256: str) -> int | None:
        """Compare the content: a manifest only says what was true when it was written."""
        path = self._root / name
        try:
            return path.stat().st_size if path.is_file() and sha256_of(path) == sha256 else None
        except OSError as error:
            raise self._refused(error) from error

    def put(self, source: Path, name: str) -> None:
        """Copy aside, sync, rename, sync the directory."""
        target = self._root / name
        aside = target.with_name(f".{target.name}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with source.open("rb") as reader, aside.open("wb") as writer:
                shutil.copyfileobj(reader, writer, 1 << 20)
                writer.flush()
                os.fsync(writer.fileno())
            aside.replace(target)
            _sync_directory(target.parent)
        except OSError as error:
            aside.unlink(missing_ok=True)
            raise self._refused(error) from error

    def remove(self, name: str) -> None:
        """Unlink, and drop the folders that are empty then."""
        path = self._root / name
        try:
            path.unlink(missing_ok=True)
            folder = path.parent
            while folder != self._root and folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
                folder = folder.parent
        except OSError as error:
            raise self._refused(error) from error

    def manifest(self) -> dict[str, Any] | None:
        """Read manifest.json."""
        try:
            return _parse((self._root / MANIFEST).read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> DeliveryRefused:
        reason = error.strerror or type(error).__name__
        if error.errno == errno.ENOSPC:
            reason = "no space left"
        return DeliveryRefused(str(self._root), reason)


class ObjectShelf:
    """An object store: one put is one object, so there is nothing to write aside."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._listed: dict[str, dict[str, Any]] | None = None
        """Files of the former manifest by name, read when first asked for."""
        try:
            self._fs, self._root = fsspec.core.url_to_fs(self._url)
        except (ValueError, ImportError) as error:
            raise DeliveryRefused(url, str(error)) from error

    def held(self, name: str, sha256: str) -> int | None:
        """Trust size and the former manifest: reading an object back costs as much as writing it."""
        try:
            if self._listed is None:
                former = self.manifest() or {}
                self._listed = {entry.get("name"): entry for entry in former.get("files", [])}
            entry = self._listed.get(name, {})
            if entry.get("sha256") != sha256:
                return None
            size = int(self._fs.info(self._at(name))["size"])
            return size if size == entry.get("size") else None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._refused(error) from error

    def put(self, source: Path, name: str) -> None:
        """Upload."""
        try:
            self._fs.makedirs(self._at(str(PurePosixPath(name).parent)), exist_ok=True)
            self._fs.put_file(str(source), self._at(name))
        except OSError as error:
            raise self._refused(error) from error

    def remove(self, name: str) -> None:
        """Delete."""
        try:
            if self._fs.exists(self._at(name)):
                self._fs.rm_file(self._at(name))
        except OSError as error:
            raise self._refused(error) from error

    def manifest(self) -> dict[str, Any] | None:
        """Read manifest.json."""
        try:
            return _parse(self._fs.cat_file(self._at(MANIFEST)))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._refused(error) from error

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _refused(self, error: OSError) -> DeliveryRefused:
        return DeliveryRefused(self._url, str(error) or type(error).__name__)


def _parse(data: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(data)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
