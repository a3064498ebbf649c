"""Find the farm's watermark in a file."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scheduler.cli.common import HomeOption, JsonOption, database_url, echo_json, load_settings
from scheduler.cli.exits import ExitCode

if TYPE_CHECKING:
    import sqlalchemy as sa


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
    answer = _look(file, home)
    if as_json:
        echo_json(answer)
    elif answer["found"]:
        what = f"{answer['deliverable']}, made {answer['made_at']}" if answer["deliverable"] else "track not on record"
        typer.echo(f"{file}: {answer['production']}, {what}")
        typer.echo(
            f"payload {answer['payload']:08x}, score {answer['score']:.1f} (threshold {answer['threshold']:.1f}, "
            f"false positives {answer['false_positive_rate']:.0e})"
        )
    else:
        typer.echo(f"{file}: no watermark of this farm's productions")
    raise typer.Exit(ExitCode.OK if answer["found"] else ExitCode.NO)


def _look(file: Path, home: Path | None) -> dict[str, Any]:
    from db.schema import require_current
    from db.session import make_engine

    with database_url(load_settings(home)) as url:
        engine = make_engine(url, pool_size=1, application_name="voicefarm-cli")
        try:
            with engine.connect() as conn:
                require_current(conn)
            return _detect(file, engine)
        finally:
            engine.dispose()


def _detect(file: Path, engine: sa.Engine) -> dict[str, Any]:
    """Detect between two short transactions: an unmarked hour takes seconds, and no connection should wait for it."""
    from db.queries import watermarks
    from synthesis.watermark import detect_file

    with engine.begin() as conn:
        # a farm without titles has no key to find; one nobody used still makes sure that the file can be read
        titles = watermarks.title_keys(conn) or [(0, "", secrets.token_bytes(16))]
    detection = detect_file(file, [key for _, _, key in titles])
    answer: dict[str, Any] = {
        "found": detection.found,
        "payload": detection.payload,
        "score": detection.score,
        "threshold": detection.threshold,
        "false_positive_rate": detection.false_positive_rate,
        "production": None,
        "deliverable": None,
        "made_at": None,
    }
    if not detection.found or detection.key_index is None or detection.payload is None:
        return answer
    production_id, title, _ = titles[detection.key_index]
    with engine.begin() as conn:
        record = watermarks.lookup(conn, detection.payload)
    if record is None or record["production_id"] != production_id:
        return answer | {"production": title}  # marked with this title's key, but the payload is not on record
    return answer | {key: record[key] for key in ("production", "deliverable", "made_at")}


def add_to(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command()(verify)
