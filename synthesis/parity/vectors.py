"""A folder of vectors: ``vectors/*.npz``, ``shapes-*.json`` and the salts in the tables of its ``README.md``.

Salts of vectors that the README does not name are taken from ``salts.json`` of this package.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthesis.parity.fill import fill

Arrays = Mapping[str, NDArray[Any]]
NO_SALT = frozenset(("", "-"))


def names(folder: Path, *prefixes: str) -> list[str]:
    """Names of the vectors in the folder that begin with one of ``prefixes``, in order."""
    found = sorted(path.stem for path in (folder / "vectors").glob("*.npz"))
    return [name for name in found if name.startswith(prefixes)]


def load(folder: Path, name: str) -> Arrays:
    """Inputs and outputs of a vector. Arrays stored in half precision are exact and come as float32."""
    path = folder / "vectors" / f"{name}.npz"
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        return {key: _single(stored[key]) for key in stored.files}


def shapes(folder: Path, name: str) -> Mapping[str, tuple[int, ...]]:
    """The table of names and shapes of a model. Raises OSError when the folder has none."""
    table = json.loads((folder / f"shapes-{name}.json").read_text(encoding="utf-8"))
    return {key: tuple(shape) for key, shape in table.items()}


def salt(folder: Path, name: str) -> str | None:
    """The salt of a vector or a checkpoint file (with its suffix). None: nobody names one."""
    for row in _rows(folder):
        if name in (row.get("vector"), row.get("file")):
            return None if row.get("salt", "") in NO_SALT else row["salt"]
    return _packaged().get(name)


def weights(folder: Path, name: str, *, without: str | None = None) -> dict[str, NDArray[np.float32]] | None:
    """The weights of a vector's model, but for names that contain ``without``. None: salt or shapes are not known."""
    seed = salt(folder, name)
    if seed is None or not (folder / f"shapes-{name}.json").exists():
        return None
    table = {key: shape for key, shape in shapes(folder, name).items() if without is None or without not in key}
    return fill(seed, table)


def described(folder: Path, file: str) -> Mapping[str, str] | None:
    """The row of the README's tables about a file of ``checkpoints/``."""
    return next((row for row in _rows(folder) if row.get("file") == file), None)


def _rows(folder: Path) -> Iterator[Mapping[str, str]]:
    """Rows of every table of the README, by column."""
    readme = folder / "README.md"
    header: list[str] | None = None
    for line in readme.read_text(encoding="utf-8").splitlines() if readme.exists() else ():
        if not line.startswith("|"):
            header = None
            continue
        cells = [cell.strip(" `") for cell in line.strip().strip("|").split("|")]
        if header is None:
            header = cells
        elif any(cell.strip("-: ") for cell in cells):
            yield dict(zip(header, cells, strict=False))


def _packaged() -> Mapping[str, str]:
    table: Mapping[str, str] = json.loads(files("synthesis.parity").joinpath("salts.json").read_text(encoding="utf-8"))
    return table


def _single(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.float32) if array.dtype == np.float16 else array
