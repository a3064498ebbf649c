"""What the commands share: settings, the database they talk to, and how they print."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import sqlalchemy as sa

    from db.settings import Settings

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="State directory of this machine.", envvar="VOICEFARM_HOME", show_envvar=True),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The production's name, as `voicefarm jobs` lists it.")
]


class _WithoutTraceback(logging.Formatter):
    """One line per record; the traceback is in the log file."""

    def format(self, record: logging.LogRecord) -> str:
        brief = copy.copy(record)
        brief.exc_info = brief.exc_text = brief.stack_info = None
        return super().format(brief)


class _LateFile(logging.FileHandler):
    """Makes its folder with the first record: a command that is refused leaves nothing behind."""

    def _open(self) -> TextIOWrapper:
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return super()._open()


def load_settings(home: Path | None = None, *, process: bool = False, log_file: str | None = None) -> Settings:
    """Settings from the environment and .env, with the command line's home over them; logging is set up with them.

    A long-running ``process`` writes its log to standard error. Other commands show warnings only; ``log_file`` names
    a file below the home's ``logs`` that takes everything.
    """
    from db.settings import Settings

    settings = Settings() if home is None else Settings(home=home)
    if not settings.home.is_absolute():
        settings = settings.model_copy(update={"home": settings.home.absolute()})
    level = settings.log_level.upper()
    logging.basicConfig(level=level, format=LOG_FORMAT, force=True)
    if level != "DEBUG":
        logging.getLogger("alembic").setLevel(logging.WARNING)
    if level != "DEBUG" and not process:
        for handler in logging.getLogger().handlers:
            handler.setLevel(logging.WARNING)
            handler.setFormatter(_WithoutTraceback("%(levelname)s: %(message)s"))
    if log_file is not None:
        file = _LateFile(settings.home / "logs" / log_file, mode="w", encoding="utf-8", delay=True)
        file.setFormatter(logging.Formatter(LOG_FORMAT))
        logging.getLogger().addHandler(file)
    return settings


@contextlib.contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """URL of the farm's database: the configured one, or the embedded server under the home directory.

    Raises NotFound where nothing was ever rendered under the home directory.
    """
    if settings.database_url is not None:
        yield settings.database_url
        return
    from db.errors import NotFound
    from db.server import EmbeddedPostgres

    if not settings.home.is_dir():
        raise NotFound("farm in", str(settings.home))
    with EmbeddedPostgres(settings.home) as server:
        yield server.url


@contextlib.contextmanager
def transaction(home: Path | None = None) -> Iterator[sa.Connection]:
    """One transaction on the farm's database, committed when the block ends without an error."""
    from db.schema import require_current
    from db.session import make_engine

    settings = load_settings(home)
    with database_url(settings) as url:
        engine = make_engine(url, pool_size=1, application_name="voicefarm-cli")
        try:
            with engine.begin() as conn:
                require_current(conn)
                yield conn
        finally:
            engine.dispose()


def plain(value: Any) -> Any:
    """A value of ours as JSON knows it: dataclasses as objects, times as ISO 8601."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def echo_json(value: Any) -> None:
    """Print one JSON value on standard output."""
    typer.echo(json.dumps(plain(value), ensure_ascii=False, indent=2))


def echo_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print an aligned table; a terminal gets rich's, a pipe gets plain columns."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(*headers, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 200
    console.print(table)


def span(seconds: float | None) -> str:
    """A duration for people: 1:02:03, 4:05, or a dash when unknown."""
    if seconds is None:
        return "—"
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, second = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{second:02}" if hours else f"{minutes}:{second:02}"
