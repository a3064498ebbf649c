"""A real RabbitMQ for the tests: the one they are given, one that answers here, or a private node they start.

A private node listens on loopback only, keeps everything under one temporary directory and is ended by pid. Debian's
``/usr/lib/rabbitmq/bin`` scripts are used: those in ``/usr/sbin`` insist on the rabbitmq account.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlsplit, urlunsplit

import amqp

BIN = Path("/usr/lib/rabbitmq/bin")
VHOSTS = 24
"""Virtual hosts that a node is started with."""
LOCAL_URL = "amqp://guest:guest@127.0.0.1:5672//"
INSTALL_HINT = (
    "the tests need a RabbitMQ: set BROKER_URL=amqp://user:password@host:port/vhost, or start one on localhost:5672, "
    "or install Debian's package (apt-get install --no-install-recommends rabbitmq-server), or start a Docker engine"
)


class BrokerUnavailable(Exception):
    """No RabbitMQ can be had here; the message says what to install."""


class Broker(Protocol):
    """What a test may ask of the broker it was given."""

    private: bool
    """Whether the node may be stopped, killed and wiped."""

    def vhost_url(self) -> str:
        """URL of an empty virtual host of its own (or the given one where that is not possible)."""

    def close(self) -> None:
        """End what was started."""


def answers(url: str, timeout_s: float = 2.0) -> bool:
    """Whether an AMQP 0-9-1 broker accepts this URL's credentials now."""
    parts = urlsplit(url)
    try:
        connection = amqp.Connection(
            host=f"{parts.hostname}:{parts.port or 5672}",
            userid=parts.username or "guest",
            password=parts.password or "guest",
            virtual_host=parts.path.removeprefix("/") or "/",
            connect_timeout=timeout_s,
        )
        connection.connect()
        connection.close()
    except (OSError, amqp.AMQPError):
        return False
    return True


def free_port() -> int:
    """A TCP port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class GivenBroker:
    """A broker somebody else runs; it is neither stopped nor wiped, its queues are purged by their users."""

    url: str
    private: bool = False

    def vhost_url(self) -> str:
        return self.url

    def close(self) -> None:
        return None


def new_vhost() -> str:
    """A name for a virtual host that no other test has."""
    return f"t{uuid.uuid4().hex[:12]}"


def definitions(vhosts: Sequence[str]) -> dict[str, object]:
    """What a node knows from its start: its user and these virtual hosts, each worth two calls of rabbitmqctl."""
    salt = b"salt"
    hashed = base64.b64encode(salt + hashlib.sha256(salt + b"guest").digest()).decode()
    every = {"user": "guest", "configure": ".*", "write": ".*", "read": ".*"}
    return {
        "users": [
            {
                "name": "guest",
                "password_hash": hashed,
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": ["administrator"],
            }
        ],
        "vhosts": [{"name": name} for name in ("/", *vhosts)],
        "permissions": [{**every, "vhost": name} for name in ("/", *vhosts)],
    }


@dataclass
class PrivateNode:
    """A RabbitMQ node of our own, below one directory."""

    root: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="vf-rabbit-")))
    private: bool = True
    port: int = field(default_factory=free_port)
    _dist: int = field(default_factory=free_port)
    _epmd: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None
    _uid: int | None = None
    _gid: int | None = None
    _vhosts: list[str] = field(default_factory=lambda: [new_vhost() for _ in range(VHOSTS)])

    def __post_init__(self) -> None:
        for name in ("home", "mnesia", "log"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        (self.root / "enabled_plugins").write_text("[].")
        (self.root / "rabbitmq.conf").write_text(
            f"listeners.tcp.local = 127.0.0.1:{self.port}\n"
            "loopback_users.guest = true\n"
            "vm_memory_high_watermark.absolute = 1GB\n"
            "disk_free_limit.absolute = 50MB\n"
            "log.console = false\n"
            f"load_definitions = {self.root / 'definitions.json'}\n"
        )
        (self.root / "definitions.json").write_text(json.dumps(definitions(self._vhosts)))
        if os.getuid() == 0:  # the node refuses to share files with root; nobody is enough
            self._uid = self._gid = 65534
            self.root.chmod(0o755)
            for path in [self.root, *self.root.rglob("*")]:
                os.chown(path, 65534, 65534)

    def _environment(self) -> dict[str, str]:
        # The whole set, always: a rabbitmqctl without ERL_EPMD_PORT starts a stray epmd on every interface.
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LANG": "C.UTF-8",
            "HOME": str(self.root / "home"),
            "RABBITMQ_NODENAME": f"vf{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._dist),
            "ERL_EPMD_PORT": str(self._epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(self.root / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.root / "advanced.config"),
            "RABBITMQ_MNESIA_BASE": str(self.root / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.root / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.root / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(self.root / "rabbit.pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
        }

    def _spawn(self, *command: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            env=self._environment(),
            cwd=self.root,
            user=self._uid,
            group=self._gid,
            extra_groups=[] if self._uid is not None else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def start(self, timeout_s: float = 60.0) -> None:
        """Start the node and wait until it accepts connections."""
        self._process = self._spawn(str(BIN / "rabbitmq-server"))
        deadline = time.monotonic() + timeout_s
        while not answers(self.url):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise BrokerUnavailable(f"the private RabbitMQ node did not start; its log is in {self.root / 'log'}")
            time.sleep(0.1)

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def ctl(self, *arguments: str, timeout_s: float = 60.0) -> None:
        """Run rabbitmqctl against this node."""
        code = self._spawn(str(BIN / "rabbitmqctl"), *arguments).wait(timeout_s)
        if code != 0:
            raise BrokerUnavailable(f"rabbitmqctl {' '.join(arguments)} ended with {code}")

    def vhost_url(self) -> str:
        if self._vhosts:
            name = self._vhosts.pop()
        else:
            name = new_vhost()
            self.ctl("add_vhost", name)
            self.ctl("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        return f"amqp://guest:guest@127.0.0.1:{self.port}/{quote(name)}"

    def stop(self) -> None:
        """End the node in an orderly way; its data stays."""
        if self._process is None:
            return
        with contextlib.suppress(BrokerUnavailable, subprocess.TimeoutExpired):
            self.ctl("shutdown", timeout_s=30)
        self.kill()

    def kill(self) -> None:
        """SIGKILL the node's whole process group; its data stays."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(30)
        self._process = None

    def wipe(self) -> None:
        """Delete the data of a stopped node; only the virtual hosts of its start come back."""
        for path in (self.root / "mnesia").iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def close(self) -> None:
        self.kill()
        self._end_epmd()
        shutil.rmtree(self.root, ignore_errors=True)

    def _end_epmd(self) -> None:
        # epmd detaches itself into a session of its own and outlives the node
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                command = entry.read_bytes().split(b"\0")
                environment = (entry.parent / "environ").read_bytes().split(b"\0")
                if b"epmd" in command[0] and f"ERL_EPMD_PORT={self._epmd}".encode() in environment:
                    os.kill(int(entry.parent.name), signal.SIGKILL)


@dataclass
class DockerNode:
    """A RabbitMQ in a container, where an engine answers."""

    name: str = field(default_factory=lambda: f"vf-rabbit-{uuid.uuid4().hex[:8]}")
    port: int = field(default_factory=free_port)
    private: bool = False

    def start(self, timeout_s: float = 120.0) -> None:
        subprocess.run(
            ["docker", "run", "--rm", "-d", "--name", self.name, "-p", f"127.0.0.1:{self.port}:5672", "rabbitmq:4"],
            check=True,
            capture_output=True,
            timeout=timeout_s,
        )
        deadline = time.monotonic() + timeout_s
        while not answers(self.vhost_url()):
            if time.monotonic() > deadline:
                raise BrokerUnavailable(f"container {self.name} did not accept connections in {timeout_s:.0f} s")
            time.sleep(0.5)

    def vhost_url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def close(self) -> None:
        subprocess.run(["docker", "rm", "-f", self.name], capture_output=True, check=False)


def docker_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    with contextlib.suppress(subprocess.TimeoutExpired):
        return subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=10).returncode == 0
    return False


def provide(environment: dict[str, str]) -> Broker:
    """The broker of this test run. Raises BrokerUnavailable with what to install."""
    given = environment.get("BROKER_URL")
    if given:
        if not answers(given):
            raise BrokerUnavailable(f"BROKER_URL is set but nothing answers at {without_password(given)}")
        return GivenBroker(given)
    if answers(LOCAL_URL):
        return GivenBroker(LOCAL_URL)
    if (BIN / "rabbitmq-server").exists():
        node = PrivateNode()
        try:
            node.start()
        except BrokerUnavailable:
            node.close()
            raise
        return node
    if docker_answers():
        container = DockerNode()
        container.start()
        return container
    raise BrokerUnavailable(INSTALL_HINT)


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.username}:***@{parts.hostname}:{parts.port or 5672}"))
