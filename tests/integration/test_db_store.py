"""The store: whole or not there, the same bytes once, damage noticed and replaceable."""

from __future__ import annotations

import errno
import hashlib
import os
import pickle
import random
import subprocess
import sys
import tempfile
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.errors import BadKey, BadStoreUrl, StoreCorrupt, StoreFull, StoreMissing, StoreUnreadable
from db.settings import Settings
from db.store import Store

BIG = random.Random(7).randbytes(3_000_000)


@pytest.fixture(params=["file", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "file":
        return Store((tmp_path / "a store #1?").as_uri())
    if request.param == "memory":
        return Store(f"memory://{tmp_path.name}/takes")
    return Store(f"{request.getfixturevalue('s3_bucket')}/takes")


@pytest.fixture
def local(tmp_path: Path) -> Store:
    return Store((tmp_path / "store").as_uri())


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def damage(store: Store, key: str) -> None:
    path = store.path(key)
    if path is None:
        import fsspec

        fs, root = fsspec.core.url_to_fs(store.url)
        fs.pipe_file(f"{root}/{key[:2]}/{key}", b"something else")
    else:
        with path.open("r+b") as handle:
            handle.write(b"\xff\x00\xff")


class TestRoundTrip:
    @given(data=st.binary(max_size=5000), suffix=st.sampled_from(["", "flac", ".wav"]))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
    def test_any_bytes(self, store: Store, data: bytes, suffix: str) -> None:
        key = store.put_bytes(data, suffix)
        assert key == hashlib.sha256(data).hexdigest() + (f".{suffix.strip('.')}" if suffix else "")
        assert store.get_bytes(key) == data
        with store.open(key) as handle:
            assert handle.read() == data
        assert store.exists(key)
        store.verify(key)

    def test_a_file(self, store: Store, tmp_path: Path) -> None:
        source = tmp_path / "take.flac"
        source.write_bytes(BIG)
        key = store.put_file(source, "flac")
        assert key == store.put_bytes(BIG, "flac")
        fetched = store.fetch_to(key, tmp_path / "fetched")
        assert fetched.read_bytes() == BIG
        assert source.read_bytes() == BIG

    def test_it_survives_pickling_and_another_process(self, store: Store, local: Store) -> None:
        key = store.put_bytes(b"x")
        again = pickle.loads(pickle.dumps(store))
        assert again.url == store.url
        assert again.get_bytes(key) == b"x"
        key = local.put_bytes(b"y")
        code = f"from db.store import Store; import sys; sys.exit(Store({local.url!r}).get_bytes({key!r}) != b'y')"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

    def test_making_one_touches_nothing(self, tmp_path: Path) -> None:
        store = Store((tmp_path / "never").as_uri())
        Store("s3://nowhere/prefix")
        assert not (tmp_path / "never").exists()
        assert not store.exists("0" * 64)

    def test_the_default_store_of_the_settings(self, tmp_path: Path) -> None:
        home = tmp_path / "a home with spaces"
        store = Store(Settings(home=home, _env_file=None).resolved_store_url)
        key = store.put_bytes(b"x")
        assert store.path(key) == home / "store" / key[:2] / key


class TestOnce:
    def test_what_is_there_is_not_written_again(self, local: Store) -> None:
        key = local.put_bytes(b"once", "txt")
        path = local.path(key)
        assert path is not None
        before = path.stat()
        assert local.put_bytes(b"once", "txt") == key
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)

    def test_nothing_else_is_left_in_the_folders(self, local: Store, tmp_path: Path) -> None:
        keys = {local.put_bytes(str(n).encode()) for n in range(20)}
        assert files(tmp_path / "store") == sorted(f"{key[:2]}/{key}" for key in keys)

    def test_threads(self, store: Store) -> None:
        with ThreadPoolExecutor(8) as pool:
            keys = set(pool.map(lambda _: store.put_bytes(BIG), range(16)))
        assert len(keys) == 1
        assert store.get_bytes(keys.pop()) == BIG

    def test_processes(self, local: Store, tmp_path: Path) -> None:
        code = textwrap.dedent(f"""
            import random
            from db.store import Store
            data = random.Random(7).randbytes(3_000_000)
            for _ in range(5):
                key = Store({local.url!r}).put_bytes(data, "flac")
            print(key)
        """)
        running = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
        answers = {process.communicate(timeout=60)[0].strip() for process in running}
        assert len(answers) == 1
        key = answers.pop()
        assert local.get_bytes(key) == BIG
        assert files(tmp_path / "store") == [f"{key[:2]}/{key}"]


class TestDamage:
    def test_is_noticed(self, store: Store, tmp_path: Path) -> None:
        key = store.put_bytes(b"a good take", "flac")
        damage(store, key)
        with pytest.raises(StoreCorrupt) as caught:
            store.get_bytes(key)
        assert caught.value.key == key
        with pytest.raises(StoreCorrupt):
            store.verify(key)
        with pytest.raises(StoreCorrupt):
            store.fetch_to(key, tmp_path / "fetched")
        assert not (tmp_path / "fetched").exists()
        assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []

    def test_can_be_replaced(self, store: Store) -> None:
        key = store.put_bytes(b"a good take", "flac")
        damage(store, key)
        assert store.quarantine(key)
        assert not store.exists(key)
        assert store.put_bytes(b"a good take", "flac") == key
        assert store.get_bytes(key) == b"a good take"

    def test_what_is_whole_is_not_moved(self, store: Store) -> None:
        key = store.put_bytes(b"a good take")
        assert not store.quarantine(key)
        assert store.get_bytes(key) == b"a good take"

    def test_a_truncated_file(self, local: Store) -> None:
        key = local.put_bytes(BIG)
        path = local.path(key)
        assert path is not None
        os.truncate(path, 1000)
        with pytest.raises(StoreCorrupt):
            local.get_bytes(key)


class TestRefusals:
    def test_missing(self, store: Store, tmp_path: Path) -> None:
        for ask in (store.get_bytes, store.verify, store.open, store.quarantine):
            with pytest.raises(StoreMissing):
                ask("0" * 64)
        with pytest.raises(StoreMissing):
            store.fetch_to("0" * 64, tmp_path / "x")

    @pytest.mark.parametrize(
        "key", ["", "abc", "0" * 63, "0" * 65, "G" * 64, f"{'0' * 64}.", f"{'0' * 64}./../x", f"../{'0' * 64}"]
    )
    def test_keys_that_are_none(self, store: Store, key: str) -> None:
        for ask in (store.get_bytes, store.exists, store.path, store.quarantine):
            with pytest.raises(BadKey):
                ask(key)

    def test_a_suffix_cannot_climb(self, store: Store) -> None:
        with pytest.raises(BadKey):
            store.put_bytes(b"x", "../../etc/passwd")

    @pytest.mark.parametrize("url", ["http://example.com/x", "sftp://host/dir", "nonsense://x"])
    def test_places_where_a_write_is_not_atomic(self, url: str) -> None:
        with pytest.raises(BadStoreUrl):
            Store(url)

    def test_a_source_that_is_not_there(self, store: Store, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            store.put_file(tmp_path / "nothing")


CHILD = textwrap.dedent("""
    import os, resource, sys
    from db.errors import StoreFull
    from db.store import Store
    {prepare}
    try:
        Store(sys.argv[1]).put_bytes(bytes(2_000_000), "flac")
    except StoreFull as error:
        print(error.reason)
""")


def put_in_child(url: str, prepare: str = "") -> str:
    """Put two megabytes from another process and return why the store refused ('' when it did not)."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD.format(prepare=prepare), url],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()


class TestFull:
    """A refused write is StoreFull, leaves nothing behind, and the store works again when there is space."""

    def check(self, root: Path, reason: str, code: int) -> None:
        assert reason == os.strerror(code)
        assert files(root) == []

    def test_file_size_limit(self, tmp_path: Path, local: Store) -> None:
        (tmp_path / "store").mkdir()
        limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))"
        self.check(tmp_path / "store", put_in_child(local.url, limit), errno.EFBIG)
        assert put_in_child(local.url) == ""
        assert len(files(tmp_path / "store")) == 1

    @pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system: needs root")
    def test_no_space_left(self, tmp_path: Path) -> None:
        root = tmp_path / "small"
        root.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "vf", root], check=False).returncode != 0:
            pytest.skip("this container may not mount")
        try:
            store = Store(root.as_uri())
            with pytest.raises(StoreFull) as caught:
                store.put_bytes(BIG, "flac")
            self.check(root, caught.value.reason, errno.ENOSPC)
            small = store.put_bytes(b"there is room for this")
            assert store.get_bytes(small) == b"there is room for this"
            subprocess.run(["mount", "-o", "remount,size=8m", root], check=True)
            assert store.get_bytes(store.put_bytes(BIG, "flac")) == BIG
            subprocess.run(["mount", "-o", "remount,ro", root], check=True)
            with pytest.raises(StoreFull) as caught:
                store.put_bytes(b"new")
            assert caught.value.reason == os.strerror(errno.EROFS)
            assert store.put_bytes(BIG, "flac"), "what is there already needs no write"
        finally:
            subprocess.run(["umount", root], check=True)

    def test_not_permitted(self) -> None:
        """As root in the shoes of nobody, who can reach the store but not write to it."""
        with tempfile.TemporaryDirectory(prefix="vf-store-") as name:
            place = Path(name)
            root = place / "store"
            root.mkdir(mode=0o555)
            place.chmod(0o755)
            drop = "os.setgroups([]); os.setgid(65534); os.setuid(65534)" if os.geteuid() == 0 else ""
            self.check(root, put_in_child(root.as_uri(), drop), errno.EACCES)

    def test_in_the_way(self, tmp_path: Path, local: Store) -> None:
        (tmp_path / "store").write_text("a file where the store should be")
        with pytest.raises(StoreFull):
            local.put_bytes(b"x")


class TestInterruptedWrites:
    def test_are_never_visible_and_swept_later(self, tmp_path: Path, local: Store) -> None:
        """Killed with SIGKILL in the middle of writing."""
        code = textwrap.dedent("""
            import io, os, signal, sys
            from db.store import Store
            class Dies(io.BytesIO):
                def read(self, size=-1):
                    data = super().read(1000)
                    if self.tell() > 5000:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return data
            Store(sys.argv[1])._backend.put("ab" * 32, Dies(bytes(100_000)))
        """)
        done = subprocess.run([sys.executable, "-c", code, local.url], check=False, timeout=60)
        assert done.returncode == -9
        left = files(tmp_path / "store")
        assert len(left) == 1
        assert left[0].endswith(".part")
        assert not local.exists("ab" * 32)
        with pytest.raises(StoreMissing):
            local.get_bytes("ab" * 32)
        assert local.sweep() == 0, "it might still be written to"
        old = time.time() - 7200
        os.utime(tmp_path / "store" / left[0], (old, old))
        kept = local.put_bytes(b"a take")
        assert local.sweep() == 1
        assert files(tmp_path / "store") == [f"{kept[:2]}/{kept}"]

    def test_a_reader_sees_all_or_nothing(self, local: Store) -> None:
        key = hashlib.sha256(BIG).hexdigest()
        seen: list[bool] = []
        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(lambda: [local.put_bytes(BIG) for _ in range(3)])
            while not writing.done():
                try:
                    seen.append(local.get_bytes(key) == BIG)
                except StoreMissing:
                    continue
            writing.result()
        assert all(seen)


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    s3fs = pytest.importorskip("s3fs")
    s3fs.S3FileSystem.clear_instance_cache()  # one that knows an address that answers
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    store = Store("s3://bucket/prefix")
    with pytest.raises(StoreFull):
        store.put_bytes(b"x")
    with pytest.raises(StoreUnreadable):
        store.get_bytes("0" * 64)


def test_a_bucket_that_is_not_there(s3_bucket: str) -> None:
    store = Store(f"{s3_bucket}-not/prefix")
    with pytest.raises(StoreFull):
        store.put_bytes(b"x")
    with pytest.raises(StoreMissing):
        store.get_bytes("0" * 64)
