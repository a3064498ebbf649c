"""The `voicefarm` command: puts the groups together and turns errors into one sentence and an exit code."""

from __future__ import annotations

import sys
from importlib.metadata import version

import typer

from scheduler.cli import (
    database,
    doctor,
    jobs,
    lexicon,
    lines,
    models,
    processes,
    render,
    script,
    takes,
    update,
    verify,
    voices,
)
from scheduler.cli.exits import ExitCode, explain

EPILOG = (
    "Exit codes: 0 done, 1 no, 2 not right (usage, script, setting), 3 lines failed or wait, 4 farm unreachable, "
    "130 interrupted."
)

app = typer.Typer(
    name="voicefarm",
    help="A batch rendering farm for speech: scripts in, mastered, watermarked, labelled tracks out.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for _group in (render, update, jobs, lines, takes, voices, models, verify, processes, doctor):
    _group.add_to(app)
app.add_typer(database.app, name="db")
app.add_typer(script.app, name="script")
app.add_typer(lexicon.lexicon, name="lexicon")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("voicefarm"))
        raise typer.Exit


@app.callback(epilog=EPILOG)
def _root(
    debug: bool = typer.Option(False, "--debug", help="Show tracebacks and debug messages."),
    show_version: bool = typer.Option(
        False, "--version", help="Show the version and exit.", callback=_show_version, is_eager=True
    ),
) -> None:
    """A batch rendering farm for speech: scripts in, mastered, watermarked, labelled tracks out.

    Example: voicefarm render book.epub -o out
    """
    if debug:
        import os

        os.environ["VOICEFARM_LOG_LEVEL"] = "DEBUG"


def main() -> None:
    """Run the command line; ends the process."""
    try:
        app(prog_name="voicefarm")
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        known = explain(error)
        if known is None:
            text = f"{type(error).__name__}: {error}"
            known = (f"unexpected error, please report it: {text} (--debug shows where)", ExitCode.NO)
        typer.echo(f"voicefarm: {known[0]}", err=True)
        sys.exit(known[1])
