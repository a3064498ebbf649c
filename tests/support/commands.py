"""Run ``voicefarm`` commands in the test's own process: a start of the interpreter each costs more than most of them.

What a process of its own shows (signals, exit of the interpreter, nothing imported before) is tested with real ones.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from unittest import mock

from scheduler.cli.main import main

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def environment(**given: str) -> dict[str, str]:
    """This process's environment without any farm in it, and what is given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VOICEFARM_")}
    for name in ("DATABASE_URL", "BROKER_URL"):
        kept.pop(name, None)
    return {**kept, **given}


def voicefarm(*arguments: str, folder: Path, env: Mapping[str, str]) -> CompletedProcess[str]:
    """What ``voicefarm ARGUMENTS`` run in that folder and environment prints and returns."""
    out, err = io.StringIO(), io.StringIO()
    with _as_it_was(), contextlib.chdir(folder), mock.patch.dict(os.environ, env, clear=True):
        sys.argv = ["voicefarm", *arguments]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = _exit_code()
    return CompletedProcess(sys.argv, code, out.getvalue(), err.getvalue())


def _exit_code() -> int:
    try:
        main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


@contextlib.contextmanager
def _as_it_was() -> Iterator[None]:
    """Whatever a command sets for its whole process is taken back."""
    root, arguments = logging.getLogger(), sys.argv
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    signals = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers = handlers
        root.setLevel(level)
        logging.getLogger("alembic").setLevel(logging.NOTSET)
        sys.argv = arguments
        for number, action in signals.items():
            signal.signal(number, action)
