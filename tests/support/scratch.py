"""Temporary files of a run in memory, where there is plenty: a cluster of Postgres is a thousand small files.

TMPDIR decides where it is set. What a failed run left is kept, and its place is said.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import psutil
import pytest

MEMORY = Path("/dev/shm")
NEEDED = 4 << 30
"""Bytes that must be free there, and twice that in the machine's memory."""
SCRATCH = "VF_TEST_SCRATCH"


def _suits() -> bool:
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):
        return False
    found = os.statvfs(MEMORY)
    programs = not found.f_flag & os.ST_NOEXEC  # some tests write a program and run it
    return programs and found.f_bavail * found.f_frsize > NEEDED and psutil.virtual_memory().available > 2 * NEEDED


if SCRATCH not in os.environ and _suits():  # at import, before any other plugin makes a folder
    _made = tempfile.mkdtemp(prefix="vf-tests-", dir=MEMORY)
    Path(_made).chmod(0o1777)  # as /tmp is: some tests and servers run as nobody
    os.environ[SCRATCH] = os.environ["TMPDIR"] = tempfile.tempdir = _made
    MINE: Path | None = Path(_made)
else:  # processes of xdist inherit both names
    MINE = None

_failed = False


def pytest_sessionfinish(exitstatus: int) -> None:
    global _failed
    _failed = exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if MINE is not None:
        config.add_cleanup(_clean_up)  # the first that is added is called last


def _clean_up() -> None:
    if _failed:
        print(f"temporary files are kept in {MINE}")
    else:
        shutil.rmtree(str(MINE), ignore_errors=True)
