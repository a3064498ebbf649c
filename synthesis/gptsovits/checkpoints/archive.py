"""The zip of a torch checkpoint: one pickle and one file of bytes for each tensor's storage."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import IO, Any

import torch
from torch import Tensor

from synthesis.gptsovits.checkpoints.pickles import Machine, Maker, Unsafe

MOST_ENTRIES = 20_000
ZIP_MAGIC = b"PK"

STORAGES: Mapping[str, torch.dtype] = {
    "torch HalfStorage": torch.float16,
    "torch BFloat16Storage": torch.bfloat16,
    "torch FloatStorage": torch.float32,
    "torch DoubleStorage": torch.float64,
    "torch LongStorage": torch.int64,
    "torch IntStorage": torch.int32,
    "torch ByteStorage": torch.uint8,
    "torch BoolStorage": torch.bool,
}


@dataclass(frozen=True)
class _Storage:
    """Flat values of one tensor or of several that share them."""

    values: Tensor


class Overlay:
    """A file whose first two bytes read as ``PK``: savers overwrite them with digits that tell the version."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes from here."""
        start = self._file.tell()
        data = self._file.read(size)
        if start >= len(ZIP_MAGIC):
            return data
        return (ZIP_MAGIC[start:] + data[len(ZIP_MAGIC) - start :])[: len(data)]

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go somewhere."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Where this is."""
        return self._file.tell()

    def seekable(self) -> bool:
        """True."""
        return True


class Archive:
    """The entries of one checkpoint. Raises Unsafe when the zip is not what a saver of torch writes."""

    def __init__(self, file: IO[bytes]) -> None:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        try:
            self._zip = zipfile.ZipFile(Overlay(file))
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise Unsafe(f"it is no torch zip, or its end is missing ({error})") from error
        self._entries = {entry.filename: entry for entry in self._zip.infolist()}
        self._check(size)
        programs = [name for name in self._entries if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(programs) != 1:
            raise Unsafe("it is a zip, but not a checkpoint of torch")
        self._root = programs[0].removesuffix("data.pkl")
        self._storages: dict[str, _Storage] = {}
        self._check_byte_order()

    def _check(self, size: int) -> None:
        entries = self._zip.infolist()
        if len(entries) > MOST_ENTRIES or len(entries) != len(self._entries):
            raise Unsafe("its zip has too many entries, or two of one name")
        if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in entries):
            raise Unsafe("its zip is compressed or encrypted, which torch never does")
        if sum(entry.file_size for entry in entries) > size:
            raise Unsafe("its zip claims to hold more than the file does")

    def _check_byte_order(self) -> None:
        name = f"{self._root}byteorder"
        if name in self._entries and self._bytes(name) != b"little":
            raise Unsafe("its tensors are big-endian")

    def _bytes(self, name: str) -> bytes:
        entry = self._entries.get(name)
        if entry is None:
            raise Unsafe(f"its zip has no {name}")
        try:
            return self._zip.read(entry)
        except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError) as error:
            raise Unsafe(f"its zip is damaged at {name} ({error})") from error

    def load(self) -> Any:
        """The saved object: containers, records and tensors."""
        return Machine(MAKERS, RECORDS, self._storage).run(self._bytes(f"{self._root}data.pkl"))

    def _storage(self, reference: Any) -> _Storage:
        """The storage that a persistent id (kind, class, key, device, values) names."""
        if not (isinstance(reference, tuple) and len(reference) == 5 and reference[0] == "storage"):
            raise Unsafe("its pickle refers to something that is no storage")
        _, kind, key, _, count = reference
        dtype = STORAGES.get(kind.name) if isinstance(kind, Maker) else None
        if dtype is None or not (isinstance(key, str) and key.isdecimal()) or type(count) is not int or count < 0:
            raise Unsafe("its pickle refers to a storage of an unknown kind")
        found = self._storages.get(key)
        if found is None:
            found = self._storages[key] = _Storage(self._values(key, dtype, count))
        if found.values.dtype != dtype or found.values.numel() != count:
            raise Unsafe(f"its pickle names storage {key} in two ways")
        return found

    def _values(self, key: str, dtype: torch.dtype, count: int) -> Tensor:
        data = bytearray(self._bytes(f"{self._root}data/{key}"))
        if len(data) != count * dtype.itemsize:
            raise Unsafe(f"storage {key} has {len(data)} bytes where its pickle announces {count} values")
        return torch.frombuffer(data, dtype=dtype) if count else torch.empty(0, dtype=dtype)


def _tensor(arguments: tuple[Any, ...]) -> Tensor:
    """A tensor over a storage, from (storage, offset, shape, strides, …): exactly what lies in the storage."""
    if len(arguments) < 4:
        raise Unsafe("its pickle has a tensor without a shape")
    storage, offset, shape, strides = arguments[:4]
    if not isinstance(storage, _Storage) or not _sizes((offset,)) or not _sizes(shape) or not _sizes(strides):
        raise Unsafe("its pickle has a tensor that is none")
    if len(shape) != len(strides) or prod(shape) > storage.values.numel():
        raise Unsafe("its pickle has a tensor larger than its storage")
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if prod(shape) and last >= storage.values.numel():
        raise Unsafe("its pickle has a tensor that reaches out of its storage")
    return storage.values.as_strided(shape, strides, offset)


def _parameter(arguments: tuple[Any, ...]) -> Tensor:
    if not arguments or not isinstance(arguments[0], Tensor):
        raise Unsafe("its pickle has a parameter that is no tensor")
    return arguments[0]


def _ordered(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    if arguments:
        raise Unsafe("its pickle makes a dict from something")
    return {}


def _sizes(values: Any) -> bool:
    return isinstance(values, tuple) and all(type(value) is int and 0 <= value < 1 << 48 for value in values)


MAKERS: Mapping[str, Maker] = {
    **{name: Maker(name) for name in STORAGES},
    "torch._utils _rebuild_tensor_v2": Maker("tensor", _tensor),
    "torch._utils _rebuild_parameter": Maker("parameter", _parameter),
    "collections OrderedDict": Maker("dict", _ordered),
}
RECORDS = frozenset(("utils HParams",))
