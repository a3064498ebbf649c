"""A checkpoint file of either format as one plain object, without having run anything in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from torch import Tensor

from synthesis.gptsovits.checkpoints.archive import ZIP_MAGIC, Archive
from synthesis.gptsovits.checkpoints.pickles import Record, Unsafe, plain
from synthesis.gptsovits.checkpoints.versions import HEADERS
from synthesis.gptsovits.errors import CheckpointRefused

SAFETENSORS = ".safetensors"
LEGACY_PICKLE = b"\x80"
_DESCRIPTION = ("kind", "config", "info", "version", "lora_rank")


@dataclass(frozen=True)
class Container:
    """What a file holds. ``header``: its first two bytes; ``described``: what safetensors say of version and kind."""

    path: str
    header: bytes
    content: Mapping[str, Any]
    described: Mapping[str, str]
    sha256: str


def open_container(path: str | Path) -> Container:
    """Read ``path``: a torch zip (header bytes PK or 00 to 06), or safetensors by its suffix.

    Raises CheckpointRefused for what is unsafe, truncated or no checkpoint, OSError for what cannot be opened.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            header = file.read(2)
            if path.suffix == SAFETENSORS:
                content, described = _safetensors(path)
                return Container(str(path), ZIP_MAGIC, content, described, sha256)
            return Container(str(path), header, _torch(file, header), {}, sha256)
    except Unsafe as error:
        raise CheckpointRefused(str(path), str(error.args[0])) from error


def _torch(file: IO[bytes], header: bytes) -> Mapping[str, Any]:
    if header[:1] == LEGACY_PICKLE:
        raise Unsafe("it is a bare pickle, the format of torch before 1.6, which cannot be read safely")
    if header != ZIP_MAGIC and header not in HEADERS:
        raise Unsafe(f"it begins with {header!r}, which no checkpoint does")
    content = Archive(file).load()
    if isinstance(content, Record):
        content = content.fields
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise Unsafe("it holds no named values")
    return content


def _safetensors(path: Path) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    """Tensors and description of a file that `write_safetensors` or somebody else wrote."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            described = dict(file.metadata() or {})
            weight = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except SafetensorError as error:
        raise Unsafe(f"it is no whole safetensors file ({error})") from error
    if "kind" not in described:
        return weight, described
    content: dict[str, Any] = {"weight": weight, "info": described.get("info", "")}
    content["config"] = _json(described.get("config", "{}"))
    if "lora_rank" in described:
        content["lora_rank"] = _json(described["lora_rank"])
    return content, described


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unsafe(f"its description is no JSON ({error})") from error


def tensors(path: str, found: Any) -> dict[str, Tensor]:
    """``found`` as names and tensors. Raises CheckpointRefused."""
    if not isinstance(found, Mapping) or not found:
        raise CheckpointRefused(path, "it holds no tensors")
    for name, tensor in found.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise CheckpointRefused(path, f"{name!r} in it is no tensor")
    return dict(found)


def configuration(path: str, found: Any) -> Mapping[str, Any]:
    """``found`` as nested plain dicts. Raises CheckpointRefused."""
    try:
        config = plain(found)
    except Unsafe as error:
        raise CheckpointRefused(path, str(error.args[0])) from error
    if not isinstance(config, dict):
        raise CheckpointRefused(path, "its configuration is no table")
    return config


def write_safetensors(path: str | Path, weights: Mapping[str, Tensor], described: Mapping[str, str]) -> None:
    """Write ``weights`` with a description that `open_container` reads back; the file appears whole or not at all."""
    from safetensors.torch import save_file

    path = Path(path)
    unfinished = path.with_name(f".{path.name}.part")
    try:
        save_file({name: tensor.contiguous().clone() for name, tensor in weights.items()}, unfinished, dict(described))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
