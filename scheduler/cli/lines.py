"""What a person decides about single lines: retry, skip, approve."""

from __future__ import annotations

from typing import Annotated

import typer

from scheduler.cli.common import HomeOption, NameArgument, transaction

LineIds = Annotated[
    list[int], typer.Argument(metavar="LINE...", help="Line numbers, as `voicefarm status NAME` lists them.")
]


def retry(
    name: NameArgument,
    line: Annotated[
        list[int] | None, typer.Option("--line", help="Only this line, whatever its state (repeatable).")
    ] = None,
    home: HomeOption = None,
) -> None:
    """Try a production's failed lines, sections and delivery again, with all their attempts.

    Example: voicefarm retry the-fables
    """
    from db.queries import jobs, status, verdicts

    with transaction(home) as conn:
        job_id = status.latest_job(conn, name)
        if line:
            count = verdicts.retry(conn, line)
        else:
            count = verdicts.retry(conn, job_id=job_id) + jobs.retry_failed(conn, job_id)
    typer.echo(f"{count} line(s), section(s) or deliveries of {name} are tried again")


def skip(line: LineIds, home: HomeOption = None) -> None:
    """Leave lines out of their tracks; the report says so.

    Example: voicefarm skip 4711 4712
    """
    from db.queries import verdicts

    with transaction(home) as conn:
        count = verdicts.skip(conn, line)
    typer.echo(f"{count} line(s) are left out")


def approve(line: LineIds, home: HomeOption = None) -> None:
    """Accept flagged takes that wait for a verdict (jobs submitted with --review).

    Example: voicefarm approve 4711
    """
    from db.queries import verdicts

    with transaction(home) as conn:
        count = verdicts.approve(conn, line)
    typer.echo(f"{count} take(s) are accepted")


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    for command in (retry, skip, approve):
        app.command()(command)
