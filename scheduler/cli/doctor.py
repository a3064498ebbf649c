"""What is installed, reachable, missing."""

from __future__ import annotations

from typing import Annotated

import typer

from scheduler.cli.common import HomeOption, JsonOption, echo_json, load_settings
from scheduler.cli.exits import ExitCode


def doctor(
    home: HomeOption = None,
    as_json: JsonOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print only what is missing.")] = False,
) -> None:
    """Look at everything this machine needs, and say what is missing; exits 1 when something needed is.

    Example: voicefarm doctor
    """
    from scheduler.local.checks import examine

    findings = list(examine(load_settings(home)))
    ok = all(finding.ok for finding in findings if finding.required)
    if as_json:
        echo_json({"ok": ok, "checks": findings})
    else:
        for finding in findings:
            mark = "ok     " if finding.ok else ("MISSING" if finding.required else "none   ")
            if not quiet or (finding.required and not finding.ok):
                typer.echo(f"{mark}  {finding.name}: {finding.detail}")
    raise typer.Exit(ExitCode.OK if ok else ExitCode.NO)


def add_to(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command()(doctor)
