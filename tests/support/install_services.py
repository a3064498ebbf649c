"""Install RabbitMQ, Chromium and Compose for the tests from Debian's packages, when this is root: pip has none of them.

Run by ``make test``. Where nothing can be installed it says what is missing and lets the tests decide: they skip what
needs it, or fail where CI=true.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rabbitmq import BIN, INSTALL_HINT, LOCAL_URL, answers, docker_answers

CHROMIUM_HINT = "the tests of the Jobs pages need Chromium: apt-get install --no-install-recommends chromium"

COMPOSE_HINT = "the test of docker-compose.yml needs Compose: apt-get install --no-install-recommends docker-compose"


def broker_can_be_had() -> bool:
    """Whether some RabbitMQ will be there for the tests."""
    given = bool(os.environ.get("BROKER_URL"))
    return given or (BIN / "rabbitmq-server").exists() or answers(LOCAL_URL) or docker_answers()


def chromium_can_be_had() -> bool:
    """Whether a browser is there for the tests."""
    return any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))


def compose_can_be_had() -> bool:
    """Whether something is there that understands a compose file."""
    if shutil.which("docker-compose"):
        return True
    asked = ["docker", "compose", "version"]
    return bool(shutil.which("docker")) and subprocess.run(asked, capture_output=True, check=False).returncode == 0


@contextmanager
def no_service_starts() -> Iterator[None]:
    """Debian starts a service it installs; the tests start their own, on another port."""
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


def main() -> int:
    """Install what is missing; 0 also where that is not possible, since skipping is the tests' decision."""
    wanted = {
        package: hint
        for package, hint, there in (
            ("rabbitmq-server", INSTALL_HINT, broker_can_be_had()),
            ("chromium", CHROMIUM_HINT, chromium_can_be_had()),
            ("docker-compose", COMPOSE_HINT, compose_can_be_had()),
        )
        if not there
    }
    if not wanted:
        return 0
    if os.getuid() != 0 or shutil.which("apt-get") is None:
        sys.stderr.write("".join(f"{hint}\n" for hint in wanted.values()))
        return 0
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    sys.stderr.write(f"installing {', '.join(wanted)} with apt ...\n")
    with no_service_starts():
        subprocess.run(["apt-get", "update", "-qq"], env=environment, check=True)
        install = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *wanted]
        subprocess.run(install, env=environment, check=True, stdout=subprocess.DEVNULL)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
