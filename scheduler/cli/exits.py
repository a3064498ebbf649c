"""Exit codes, and which of our errors ends a command with which: data, printed in docs/cli.md and in the help."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    """Done."""
    NO = 1
    """The answer is no (verify: no watermark; doctor: something is missing), or an error that is ours to mend."""
    USAGE = 2
    """The command line, the script or a setting is not right; nothing was changed. verify: unreadable file."""
    INCOMPLETE = 3
    """The render ended, but lines failed or wait for a person; `voicefarm status` names them."""
    UNREACHABLE = 4
    """The farm's database, broker or store cannot be reached or used."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C or SIGTERM; the same command continues."""


def code_sentences() -> Mapping[ExitCode, str]:
    """What each code means, for people."""
    import inspect
    import re

    found = re.findall(r'^    ([A-Z]+) = \d+\n    """(.+?)"""', inspect.getsource(ExitCode), flags=re.MULTILINE)
    return {ExitCode[name]: sentence for name, sentence in found}


def explain(error: Exception) -> tuple[str, ExitCode] | None:
    """The sentence and the exit code for an error we know; None for one that is a defect of ours.

    Imports the trees only now: an error of theirs can only exist once they are loaded.
    """
    from pydantic import ValidationError
    from sqlalchemy.exc import DBAPIError

    from db.errors import BadDatabaseUrl, DatabaseError, FarmError, StoreError
    from db.session import is_transient
    from scheduler.errors import SchedulerError
    from synthesis.errors import SynthesisError
    from workers.errors import WorkerError

    if isinstance(error, ValidationError):
        problems = "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors())
        return f"a setting is not right: {problems} (.env.example lists them all)", ExitCode.USAGE
    if isinstance(error, BadDatabaseUrl):
        return str(error), ExitCode.USAGE
    if isinstance(error, (DatabaseError, StoreError)):
        return str(error), ExitCode.UNREACHABLE
    if isinstance(error, DBAPIError) and is_transient(error):
        return f"the database does not answer: {_first_line(error.orig)}; `voicefarm doctor` looks at it", (
            ExitCode.UNREACHABLE
        )
    if isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) == "42P01":
        return "the database has no tables of the farm yet: run `voicefarm db upgrade`", ExitCode.UNREACHABLE
    if isinstance(error, DBAPIError) and str(getattr(error.orig, "sqlstate", "")).startswith(("28", "3D")):
        return (
            f"the database refuses the connection: {_first_line(error.orig)}; check DATABASE_URL",
            ExitCode.UNREACHABLE,
        )
    if _is_broker_error(error):
        return f"the broker does not answer: {_first_line(error)}; check BROKER_URL", ExitCode.UNREACHABLE
    if isinstance(error, (FarmError, SchedulerError, SynthesisError, WorkerError)):
        return str(error), ExitCode.USAGE
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}", ExitCode.USAGE
    return None


def _is_broker_error(error: Exception) -> bool:
    from kombu.exceptions import KombuError, OperationalError

    return isinstance(error, (KombuError, OperationalError))


def _first_line(error: object) -> str:
    return str(error).strip().partition("\n")[0]
