"""Everything that a folder of vectors lets compare, and what nobody compared."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile

from synthesis.errors import SynthesisError
from synthesis.parity.results import Check, Result, Skip

PARTS: Mapping[str, tuple[str, ...]] = {
    "checkpoints": ("checkpoints/*",),
    "networks": tuple(f"vectors/{name}*.npz" for name in ("spectrogram", "eres2netv2", "hubert", "roberta")),
    "s1": ("vectors/s1-*.npz", "checkpoints/s1-*"),
    "s2": ("vectors/s2-*.npz", "checkpoints/s2-*"),
    "frontend": ("frontend.json", "cuts.json", "symbols-*.json"),
}
"""Modules of this package with a function ``checks(folder)``, and the files each compares."""

LATER = ("vectors/s2-v3*", "vectors/s2-v4*", "vectors/vocoder-*", "vectors/bigvgan-*")
"""Vectors of networks that are not built here yet."""
TABLES = ("README.md", "shapes-*.json")
"""Files that say how to read the others; there is nothing to compare in them."""


def run(folder: Path, only: str | None = None) -> Iterator[Result]:
    """Compare what is in ``folder`` (layout of the reference vectors); results come as they are found.

    ``only``: a pattern of files, such as ``s1-*`` or ``checkpoints/*``; the others are not touched. Every file that
    nothing compared is listed as skipped, so that nothing goes missing quietly.
    """
    wanted = [name for name in files(folder) if only is None or _matches(name, only)]
    seen: set[str] = set()
    with _narrowed(folder, wanted if only is not None else None) as narrowed:
        for part, patterns in PARTS.items():
            if any(fnmatchcase(name, pattern) for name in wanted for pattern in patterns):
                for result in _guarded(part, narrowed):
                    seen.add(full := _full_name(result.file, wanted))
                    yield replace(result, file=full)
    for name in wanted:
        if name not in seen:
            later = any(fnmatchcase(name, pattern) for pattern in LATER)
            yield Skip(name, "this network is not built here yet" if later else "nothing here reads it")


def files(folder: Path) -> list[str]:
    """The files that hold something to compare, relative to the folder."""
    found = [*folder.glob("vectors/*.npz"), *folder.glob("checkpoints/*"), *folder.glob("*.json")]
    names = sorted(path.relative_to(folder).as_posix() for path in found)
    return [name for name in names if not any(fnmatchcase(name, pattern) for pattern in TABLES)]


def passed(results: Iterable[Result]) -> bool:
    """Whether something was compared and all of it is within its tolerance."""
    checks = [result for result in results if isinstance(result, Check)]
    return bool(checks) and all(check.ok for check in checks)


def _matches(name: str, only: str) -> bool:
    path = PurePosixPath(name)
    return any(fnmatchcase(text, only) for text in (name, path.name, path.stem))


def _full_name(file: str, wanted: Sequence[str]) -> str:
    """The path of a file that a part calls by its bare name: of a vector before a checkpoint of the same name."""
    paths = sorted(wanted, key=lambda name: not name.startswith("vectors/"))
    return next((name for name in paths if file in (name, PurePosixPath(name).name, PurePosixPath(name).stem)), file)


def _guarded(part: str, folder: Path) -> Iterator[Result]:
    """What a part finds. An error on the way is a failure to report: the other parts still run."""
    try:
        checks: Callable[[Path], Iterator[Result]] = import_module(f"synthesis.parity.{part}").checks
        yield from checks(folder)
    except (SynthesisError, ImportError, OSError, ValueError, LookupError, BadZipFile) as error:
        yield Check(part, f"ended early ({type(error).__name__}: {error})", float("inf"), 0.0, False)


@contextmanager
def _narrowed(folder: Path, wanted: Sequence[str] | None) -> Iterator[Path]:
    """The folder, or a view of it in which only ``wanted`` and the tables are."""
    if wanted is None:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="parity-") as name:
        view = Path(name)
        for table in (path for pattern in TABLES for path in folder.glob(pattern)):
            (view / table.name).symlink_to(table.resolve())
        for file in wanted:
            (view / file).parent.mkdir(exist_ok=True)
            (view / file).symlink_to((folder / file).resolve())
        yield view
