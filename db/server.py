"""The embedded PostgreSQL of one machine: a real server from a wheel, on a Unix socket nobody else can open.

Several processes may use one home at once. Each holds a shared lock on ``postgres.use``; the last one to let go stops
the server. A process that is killed leaves the server running; the next start finds it and goes on with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shlex
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from db.errors import ServerFailed
from db.server_files import SOCKET_NAME, Layout, choose_layout, find_binaries, own_directory

log = logging.getLogger(__name__)

USER = "voicefarm"
DATABASE = "voicefarm"
PORT = 5432
"""Part of the socket's name only; nothing listens on TCP."""
START_TIMEOUT_S = 60.0
LOG_LIMIT_BYTES = 5_000_000
_TAIL_LINES = 20


class EmbeddedPostgres:
    """The server of one home directory. ``start`` and ``stop`` may be called from any thread, any number of times.

    ``home`` is made when it does not exist. Nothing happens before ``start``.
    """

    def __init__(self, home: Path) -> None:
        self.home = home.absolute()
        self._mutex = threading.Lock()
        self._use: IO[str] | None = None
        self._layout: Layout | None = None

    def __enter__(self) -> EmbeddedPostgres:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """URL of the farm's database on the running server."""
        if self._layout is None:
            raise ServerFailed(str(self.home), "is not started")
        return _url(self._layout, DATABASE)

    def start(self) -> str:
        """Start the server, or join the one that runs; returns its URL. The schema is not touched.

        Raises ServerFailed, with the end of the server's log where there is one.
        """
        with self._mutex, self._exclusive():
            if self._use is None:
                use = (self.home / "postgres.use").open("a")
                try:
                    fcntl.flock(use, fcntl.LOCK_SH)
                    layout = _ensure_running(choose_layout(self.home))
                    _ensure_database(layout)
                except BaseException:
                    use.close()
                    raise
                self._use, self._layout = use, layout
            else:  # joined before; the server may have been killed since
                self._layout = layout = _ensure_running(choose_layout(self.home))
            return _url(layout, DATABASE)

    def stop(self) -> None:
        """Let go of the server; the last process to do so stops it. What is open is rolled back, nothing is lost."""
        with self._mutex, self._exclusive():
            self._let_go()

    def remove(self) -> bool:
        """Stop the server and delete its database for good, unless somebody else uses it; returns whether it did."""
        with self._mutex, self._exclusive():
            layout = self._layout
            if layout is None or not self._let_go():
                return False
            shutil.rmtree(layout.place)
            if layout.socket_dir.parent != layout.place:
                shutil.rmtree(layout.socket_dir)
            (self.home / "postgres.location").unlink(missing_ok=True)
            return True

    def _let_go(self) -> bool:
        """Whether the server is stopped now."""
        if self._use is None or self._layout is None:
            return False
        use, layout = self._use, self._layout
        self._use = self._layout = None
        with use:
            fcntl.flock(use, fcntl.LOCK_UN)
            try:
                fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            _stop_server(layout)
            return True

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Starting and stopping happen one at a time among all processes of this home."""
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            handle = (self.home / "postgres.lock").open("a")
        except OSError as error:
            raise ServerFailed(str(self.home), error.strerror or str(error)) from error
        with handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def running_pid(layout: Layout) -> int | None:
    """Process id of the server on this data directory; None when there is none, whatever a stale file says."""
    try:
        pid = int(_pid_file(layout)[0])
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE or "postgres" not in process.name():
            return None
        return pid if Path(process.cwd()).samefile(layout.data) else None
    except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
        return None
    except psutil.AccessDenied:
        return None  # somebody else's process: a server of ours is ours to see


def _pid_file(layout: Layout) -> list[str]:
    """Lines: pid, data directory, start, port, socket directory, address, shared memory, state. Fewer at first."""
    try:
        return [line.strip() for line in (layout.data / "postmaster.pid").read_text("utf-8").splitlines()]
    except FileNotFoundError:
        return []


def _url(layout: Layout, database: str) -> str:
    # the port is spelled out: PGPORT in somebody's environment must not send us elsewhere
    return f"postgresql://{USER}@/{database}?host={quote(str(layout.socket_dir), safe='')}&port={PORT}"


def _ensure_running(layout: Layout) -> Layout:
    """The layout with the socket's real place: whoever started the server may have had another TMPDIR."""
    if running_pid(layout) is None:
        binaries = find_binaries(layout.account)
        _ensure_cluster(layout, binaries)
        _check_version(layout, binaries)
        _clear_stale_pid(layout)
        _launch(layout, binaries)
        return layout
    found = replace(layout, socket_dir=Path(_pid_file(layout)[4]))
    if not _await_ready(found):
        log.warning("the socket of the server in %s was removed: starting it again", layout.place)
        _stop_server(layout)
        _launch(layout, find_binaries(layout.account))
        return layout
    return found


def _ensure_cluster(layout: Layout, binaries: Path) -> None:
    """Make the cluster aside and rename it: an interrupted initdb leaves nothing that looks like a database."""
    if (layout.data / "PG_VERSION").exists():
        return
    aside = layout.place / "data.new"
    shutil.rmtree(aside, ignore_errors=True)
    if layout.data.exists():
        raise ServerFailed(str(layout.data), "exists but is no PostgreSQL data directory; move it away")
    arguments = ["-D", "data.new", "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C"]
    _run(layout, binaries, "initdb", *arguments)
    with (aside / "postgresql.conf").open("a", encoding="utf-8") as settings:
        settings.write("\n# voicefarm: reached through a Unix socket only\nlisten_addresses = ''\n")
    aside.rename(layout.data)
    log.info("made a database cluster in %s", layout.data)


def _check_version(layout: Layout, binaries: Path) -> None:
    has = (layout.data / "PG_VERSION").read_text("utf-8").strip()
    wants = _run(layout, binaries, "postgres", "--version").split()[-1].split(".")[0]
    if has != wants:
        reason = (
            f"the data was made by PostgreSQL {has}, the installed one is {wants}; dump it with {has} and restore it"
        )
        raise ServerFailed(str(layout.data), reason)


def _clear_stale_pid(layout: Layout) -> None:
    """Remove the pid file of a killed server that PostgreSQL itself would stumble over.

    PostgreSQL clears a file whose process is gone, after checking that no orphan of the old server is left. It refuses
    to start when the number is taken by some other program (in a container that was started again, the usual case),
    or when the file was never finished.
    """
    path = layout.data / "postmaster.pid"
    if not path.exists():
        return
    try:
        pid = int(_pid_file(layout)[0])
    except (ValueError, IndexError):
        pid = 0
    if pid <= 0 or psutil.pid_exists(pid):
        log.warning("removing a stale %s: process %d is not a PostgreSQL of this directory", path, pid)
        path.unlink(missing_ok=True)


def _launch(layout: Layout, binaries: Path) -> None:
    if layout.log.exists() and layout.log.stat().st_size > LOG_LIMIT_BYTES:
        layout.log.replace(layout.log.with_suffix(".log.1"))
    own_directory(layout.socket_dir, layout.account)
    server = f"-p {PORT} -c listen_addresses='' -c unix_socket_permissions=0700"
    command = ["start", "-s", "-w", "-t", str(int(START_TIMEOUT_S)), "-D", "data", "-l", "server.log"]
    command += ["-o", f"{server} -k {shlex.quote(str(layout.socket_dir))}"]
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            _run(layout, binaries, "pg_ctl", *command)
            return
        except ServerFailed as error:
            # children of a server that was killed need a moment to notice
            orphans = "pre-existing shared memory block" in error.log_tail.rsplit("starting PostgreSQL", 1)[-1]
            if not orphans or time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _await_ready(layout: Layout) -> bool:
    """Wait until the server takes connections (it may be recovering); False when its socket is gone for good."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            psycopg.connect(_url(layout, "postgres"), connect_timeout=10).close()
            return True
        except psycopg.OperationalError as error:
            if running_pid(layout) is None:
                raise ServerFailed(str(layout.place), f"stopped while starting: {error}", _tail(layout)) from error
            if time.monotonic() > deadline:
                reason = f"does not take connections: {error}"
                raise ServerFailed(str(layout.place), reason, _tail(layout)) from error
            lines = _pid_file(layout)
            if lines[7:8] == ["ready"] and not (layout.socket_dir / SOCKET_NAME).exists():
                return False
            time.sleep(0.05)


def _ensure_database(layout: Layout) -> None:
    with psycopg.connect(_url(layout, "postgres"), autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if found is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def _stop_server(layout: Layout) -> None:
    if running_pid(layout) is not None:
        _run(
            layout, find_binaries(layout.account), "pg_ctl", "stop", "-s", "-w", "-t", "60", "-m", "fast", "-D", "data"
        )


def _run(layout: Layout, binaries: Path, program: str, *arguments: str) -> str:
    """Run one of PostgreSQL's programs as the account, in the server's own directory; returns what it printed."""
    # output goes to a file: with a pipe, a server started by pg_ctl would keep it open and we would wait for ever
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        try:
            done = subprocess.run(
                [str(binaries / program), *arguments],
                cwd=layout.place,
                user=layout.account.uid,
                group=layout.account.gid,
                extra_groups=None if layout.account.uid is None else [],
                env={"PATH": os.defpath, "HOME": str(layout.place), "LC_ALL": "C"},
                umask=0o077,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=2 * START_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise ServerFailed(str(layout.place), f"{program} could not be run: {error}") from error
        output.seek(0)
        said = output.read().strip()
    if done.returncode != 0:
        raise ServerFailed(str(layout.place), f"{program} failed ({done.returncode}): {said}", _tail(layout))
    return said


def _tail(layout: Layout) -> str:
    try:
        with layout.log.open("rb") as handle:
            handle.seek(max(0, layout.log.stat().st_size - 8_000))
            return "\n".join(handle.read().decode("utf-8", "replace").splitlines()[-_TAIL_LINES:])
    except OSError:
        return ""
