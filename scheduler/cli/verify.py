"""Find the farm's watermark in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from scheduler.cli.common import HomeOption, JsonOption, echo_json, transaction
from scheduler.cli.exits import ExitCode


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
        typer.echo(f"{file}: {answer['production']}, {answer['deliverable']}, made {answer['made_at']}")
        typer.echo(
            f"payload {answer['payload']:08x}, score {answer['score']:.1f} (threshold {answer['threshold']:.1f}, "
            f"false positives {answer['false_positive_rate']:.0e})"
        )
    else:
        typer.echo(f"{file}: no watermark of this farm's productions")
    raise typer.Exit(ExitCode.OK if answer["found"] else ExitCode.NO)


def _look(file: Path, home: Path | None) -> dict[str, Any]:
    from db.queries import watermarks
    from synthesis.watermark import detect_file

    with transaction(home) as conn:
        titles = watermarks.title_keys(conn)
        nothing: dict[str, Any] = {
            "found": False,
            "payload": None,
            "score": 0.0,
            "threshold": None,
            "false_positive_rate": None,
            "production": None,
            "deliverable": None,
            "made_at": None,
        }
        if not titles:
            return nothing
        detection = detect_file(file, [key for _, _, key in titles])
        answer = nothing | {
            "found": detection.found,
            "payload": detection.payload,
            "score": detection.score,
            "threshold": detection.threshold,
            "false_positive_rate": detection.false_positive_rate,
        }
        if detection.found and detection.key_index is not None:
            answer["production"] = titles[detection.key_index][1]
        record = watermarks.lookup(conn, detection.payload) if detection.payload is not None else None
        if record is not None:
            answer |= {key: record[key] for key in ("production", "deliverable", "made_at") if key in record}
    return answer


def add_to(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command()(verify)
