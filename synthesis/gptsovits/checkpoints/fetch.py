"""The pretrained sets, downloaded when somebody asks for them by name, and never at any other time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol, cast

from synthesis.gptsovits.checkpoints.store import ModelStore, StoredModel, sha256_of
from synthesis.gptsovits.errors import FetchFailed, ModelDamaged, ModelUnknown

DOWNLOADS = ".downloads"


@dataclass(frozen=True)
class Published:
    """A repository at one commit: the sha256 of each file, where the hub knows one."""

    commit: str
    sha256: Mapping[str, str | None]


class Hub(Protocol):
    """Where the sets are published. Both raise FetchFailed."""

    def look_up(self, repository: str, names: Sequence[str]) -> Published:
        """The newest commit and the digests of files in it."""

    def download(self, repository: str, commit: str, name: str, folder: Path) -> Path:
        """A file below ``folder``; what an earlier call left unfinished is continued."""


class HuggingFace:
    """The hub of Hugging Face, through its own client (token, mirror and proxy come from its environment variables)."""

    def look_up(self, repository: str, names: Sequence[str]) -> Published:
        """The newest commit and the digests of files in it."""
        from huggingface_hub import HfApi

        api = HfApi()
        with _explained(repository):
            commit = str(api.model_info(repository).sha)
            found = api.get_paths_info(repository, list(names), revision=commit)
        digests = {item.path: _digest(item) for item in found}
        for name in names:
            if name not in digests:
                raise FetchFailed(repository, f"it has no file {name} any more")
        return Published(commit, digests)

    def download(self, repository: str, commit: str, name: str, folder: Path) -> Path:
        """A file below ``folder``; what an earlier call left unfinished is continued."""
        from huggingface_hub import hf_hub_download

        with _explained(repository):
            return Path(hf_hub_download(repository, name, revision=commit, local_dir=folder))


def fetch(version: str, store: ModelStore, hub: Hub | None = None) -> Iterator[StoredModel]:
    """Download what a version needs, model by model, and add each to the store; what is there already is not fetched.

    Every file is compared with the digest that the hub publishes, then read by the safe loader. Raises ModelUnknown (no
    such set), FetchFailed (network; run again to go on), ModelDamaged (a digest differs: the file is deleted).
    """
    table = catalogue()
    if version not in table["sets"]:
        raise ModelUnknown(version, tuple(table["sets"]))
    stored = {model.name for model in store.models()}
    wanted = [name for name in table["sets"][version] if name not in stored]
    hub = hub or HuggingFace()
    repository = table["repository"]
    published = hub.look_up(repository, [file for name in wanted for file in table["models"][name]]) if wanted else None
    for name in table["sets"][version]:
        if published is None or name in stored:
            yield store.verify(name)
            continue
        folder = store.root / DOWNLOADS / published.commit
        paths = [_fetched(hub, repository, published, file, folder) for file in table["models"][name]]
        yield store.add(name, paths, source=f"{repository}@{published.commit}")
        for path in paths:
            path.unlink()
    shutil.rmtree(store.root / DOWNLOADS, ignore_errors=True)


def versions() -> tuple[str, ...]:
    """Versions that can be fetched."""
    return tuple(catalogue()["sets"])


@lru_cache(maxsize=1)
def catalogue() -> Mapping[str, Any]:
    """What belongs to each set: a repository, the files of each model, the models of each set."""
    text = files("synthesis.gptsovits.checkpoints").joinpath("pretrained.json").read_text(encoding="utf-8")
    table: Mapping[str, Any] = json.loads(text)
    return table


def _fetched(hub: Hub, repository: str, published: Published, name: str, folder: Path) -> Path:
    path = hub.download(repository, published.commit, name, folder)
    wanted = published.sha256[name]
    found = sha256_of(path)
    if wanted is not None and found != wanted:
        path.unlink()
        raise ModelDamaged(str(path), wanted, found)
    return path


def _digest(item: Any) -> str | None:
    """Small files are kept without a sha256."""
    lfs = getattr(item, "lfs", None)
    return None if lfs is None else str(lfs.sha256)


@contextmanager
def _explained(repository: str) -> Iterator[None]:
    """Turns what the client raises into FetchFailed."""
    from huggingface_hub.errors import HfHubHTTPError

    # Its bases are OSError and the error of whichever HTTP library the client is built on; hf-xet raises RuntimeError.
    failures = cast("tuple[type[Exception], ...]", (*HfHubHTTPError.__bases__, RuntimeError))
    try:
        yield
    except failures as error:
        raise FetchFailed(repository, " ".join(str(error).split()) or type(error).__name__) from error
