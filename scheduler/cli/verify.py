"""Find the farm's watermark in a file."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scheduler.cli.common import HomeOption, JsonOption, database_url, echo_json, load_settings
from scheduler.cli.exits import ExitCode

if TYPE_CHECKING:
    import sqlalchemy as sa

    from db.settings import Settings

Title = tuple[int, str, bytes]
"""Production id, title, watermark key."""


def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An audio file in any format ffmpeg reads.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look for a watermark of this farm's productions; names the production, the track and when it was made.

    Exits 0 when one is found, 1 when none is, 2 when the file cannot be read.

    Example: voicefarm verify suspicious.mp3 --json
    """
    if not file.is_file():
        typer.echo(f"voicefarm: {file}: no such file", err=True)
        raise typer.Exit(ExitCode.USAGE)
    settings = load_settings(home)
    answer = _look(file, settings)
    if as_json:
        echo_json(answer)
    elif answer["found"]:
        what = f"{answer['deliverable']}, made {answer['made_at']}" if answer["deliverable"] else "track not on record"
        typer.echo(f"{file}: {answer['production']}, {what}")
        typer.echo(
            f"payload {answer['payload']:08x}, score {answer['score']:.1f} (threshold {answer['threshold']:.1f}, "
            f"false positives {answer['false_positive_rate']:.0e})"
        )
    elif answer["titles"]:
        typer.echo(f"{file}: no watermark of this farm's productions")
    else:
        place = settings.home if settings.database_url is None else "the database of DATABASE_URL"
        typer.echo(
            f"{file}: not found, for no title is registered in {place}: marks are found with the keys of the farm that "
            "made them, name it with --home or DATABASE_URL"
        )
    raise typer.Exit(ExitCode.OK if answer["found"] else ExitCode.NO)


def _look(file: Path, settings: Settings) -> dict[str, Any]:
    from db.server_files import is_made
    from db.session import make_engine

    if settings.database_url is None and not is_made(settings.home):
        return _detect(file, [])[0]
    with database_url(settings) as url:
        engine = make_engine(url, pool_size=1, application_name="voicefarm-cli")
        try:
            answer, title = _detect(file, _titles(engine))
            return answer if title is None else answer | _record(engine, answer["payload"], title)
        finally:
            engine.dispose()


def _titles(engine: sa.Engine) -> list[Title]:
    """Every title with its key; none where nobody made a schema yet. Raises SchemaOutdated."""
    from db.queries import watermarks
    from db.schema import require_current, revision_of

    with engine.begin() as conn:
        if revision_of(conn) is None:
            return []
        require_current(conn)
        return watermarks.title_keys(conn)


def _detect(file: Path, titles: Sequence[Title]) -> tuple[dict[str, Any], Title | None]:
    """Look for the titles' marks, with no connection open: an unmarked hour takes seconds."""
    from synthesis.watermark import detect_file

    # a farm without titles has no key to find; one nobody used still makes sure that the file can be read
    keys = [key for _, _, key in titles] or [secrets.token_bytes(16)]
    detection = detect_file(file, keys)
    title = titles[detection.key_index] if titles and detection.found and detection.key_index is not None else None
    answer = {
        "found": title is not None,
        "titles": len(titles),
        "payload": detection.payload,
        "score": detection.score,
        "threshold": detection.threshold,
        "false_positive_rate": detection.false_positive_rate,
        "production": None if title is None else title[1],
        "deliverable": None,
        "made_at": None,
    }
    return answer, title


def _record(engine: sa.Engine, payload: int, title: Title) -> dict[str, Any]:
    """What a payload stands for; nothing where it is not on record as this title's."""
    from db.queries import watermarks

    with engine.begin() as conn:
        record = watermarks.lookup(conn, payload)
    if record is None or record["production_id"] != title[0]:
        return {}
    return {key: record[key] for key in ("production", "deliverable", "made_at")}


def add_to(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command()(verify)
