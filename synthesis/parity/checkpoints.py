"""Checkpoint files: told apart, loaded, equal to the weights their salt makes; a malicious one refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from synthesis.gptsovits.checkpoints import S1Checkpoint, S2Checkpoint, load_s1, load_s2
from synthesis.gptsovits.errors import CheckpointRefused, ModelError, WrongKind
from synthesis.parity import vectors
from synthesis.parity.fill import tensor
from synthesis.parity.results import Result, Skip, same

REFUSED = "must be refused"
SUFFIXES = (".ckpt", ".pth", ".safetensors")
TRAPS = ("PWNED",)
"""Names that a malicious file of the reference would create where the program runs, if it were run."""


def checks(folder: Path) -> Iterator[Result]:
    """Load every file of ``checkpoints/``; what to conclude of each is in the table of the README, or in its name."""
    for path in sorted((folder / "checkpoints").glob("*")):
        if path.suffix not in SUFFIXES:
            yield Skip(_file(path), "not a checkpoint by its suffix")
            continue
        row = vectors.described(folder, path.name) or {}
        expected = row.get("version to conclude") or (REFUSED if path.name.startswith("malicious") else "")
        if expected == REFUSED:
            yield from _refused(path)
        else:
            yield from _loaded(folder, path, expected)


def _file(path: Path) -> str:
    return f"checkpoints/{path.name}"


def _refused(path: Path) -> Iterator[Result]:
    before = _traps()
    try:
        load_s2(path)
    except CheckpointRefused:
        refused = True
    except ModelError:
        refused = False
    else:
        refused = False
    yield same(_file(path), "refused as unsafe", refused, True)
    yield same(_file(path), "without effect", _traps(), before)


def _traps() -> list[str]:
    return [name for name in TRAPS if Path(name).exists()]


def _loaded(folder: Path, path: Path, expected: str) -> Iterator[Result]:
    try:
        loaded = _load(path)
    except ModelError as error:
        yield same(_file(path), f"loaded ({type(error).__name__}: {error})", False, True)
        return
    if expected:
        yield same(_file(path), f"version {expected.partition(' (')[0]}", _name(loaded), expected.partition(" (")[0])
    salt = vectors.salt(folder, path.name)
    table = _table(folder, path.stem, loaded)
    if salt is None or table is None:
        yield Skip(_file(path), "no salt, or no table of shapes, to compare the weights with")
        return
    yield same(_file(path), "names and shapes", _shapes(loaded.weights), table)
    wrong = [name for name in table if not _equal(loaded.weights.get(name), salt, name, table)]
    yield same(_file(path), "weights" + (f" (not {wrong[0]})" if wrong else ""), len(wrong), 0)


def _load(path: Path) -> S1Checkpoint | S2Checkpoint:
    try:
        return load_s1(path)
    except WrongKind:
        return load_s2(path)


def _name(loaded: S1Checkpoint | S2Checkpoint) -> str:
    if isinstance(loaded, S1Checkpoint):
        return "s1"
    return loaded.version.value if loaded.lora_rank is None else f"{loaded.version.value} LoRA"


def _table(folder: Path, stem: str, loaded: S1Checkpoint | S2Checkpoint) -> Mapping[str, tuple[int, ...]] | None:
    rank = loaded.lora_rank if isinstance(loaded, S2Checkpoint) else None
    name = stem if rank is None else f"s2-lora-rank{rank}"
    if not (folder / f"shapes-{name}.json").exists():
        return None
    return {key: shape for key, shape in vectors.shapes(folder, name).items() if "enc_q" not in key}


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in weights.items()}


def _equal(found: Tensor | None, salt: str, name: str, table: Mapping[str, tuple[int, ...]]) -> bool:
    return found is not None and torch.equal(found.float(), torch.from_numpy(tensor(salt, name, table)))
