"""Look at a script without a farm: what a reader makes of it, and the ids that its lines keep."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.cli.common import JsonOption, echo_json, echo_table
from scheduler.cli.exits import ExitCode
from scheduler.cli.options import (
    EncodingOption,
    FramesOption,
    IncludeOption,
    LanguageOption,
    MapOption,
    ScriptArgument,
    ScriptFormatOption,
    TablesOption,
)

if TYPE_CHECKING:
    from scheduler.scripts.model import ScriptDocument

app = typer.Typer(help="Look at a script without a farm.", no_args_is_help=True)

_LINES_SHOWN = 12

KindOption = Annotated[
    str | None,
    typer.Option("--kind", help="What the script is, over what its format usually is: audiobook, dubbing, course …"),
]


@app.callback()
def _group() -> None:
    """Look at a script without a farm.

    Example: voicefarm script show sheet.xlsx --fps 25 --json
    """


@app.command()
def show(
    file: ScriptArgument,
    kind: KindOption = None,
    script_format: ScriptFormatOption = None,
    fps: FramesOption = None,
    mapping: MapOption = None,
    language: LanguageOption = None,
    encoding: EncodingOption = None,
    tables: TablesOption = "skip",
    include: IncludeOption = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="CSV", help="Write the rejected parts, with place and reason.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is read from a script: sections, lines, times, who speaks. No database is asked.

    Exits 0 when all of it was read, 3 when parts were rejected, 2 when it was refused.

    Example: voicefarm script show dialogue.csv --fps 23.976 --map map.yaml --json
    """
    from scheduler.local.order import Order, parse_roles, read_source
    from scheduler.scripts.rejects import write_rejects
    from scheduler.scripts.shown import as_json as values

    document = read_source(
        Order(
            source=file,
            script_format=script_format,
            script_kind=kind,
            language=language,
            encoding=encoding,
            tables=tables,
            include_roles=parse_roles(include or []),
            frame_rate=fps,
            mapping=mapping,
        )
    )
    if report is not None:
        write_rejects(document, file.name, report)
    if as_json:
        echo_json(values(document))
    else:
        _tell(document)
    raise typer.Exit(ExitCode.INCOMPLETE if document.rejected else ExitCode.OK)


@app.command()
def ids(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The ink script; files that it includes stay.", show_default=False)
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 if a line has no id, naming the lines.")
    ] = False,
    encoding: EncodingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write an id behind every line of an ink script that has none, so that a changed line replaces its own take.

    Ids that are there stay, and a second run changes nothing. Lines known only while the game runs get none.

    Example: voicefarm script ids market.ink --check
    """
    from scheduler.scripts.inkids import identify_file, write_back

    made, data = identify_file(file, encoding)
    writes = bool(made.new) and not check
    if writes:
        write_back(file, data)
    if as_json:
        new = [{"line": line.line, "id": line.name, "text": line.text} for line in made.new]
        echo_json({"file": file.name, "lines": made.lines, "written": writes, "new": new})
    elif not made.new:
        typer.echo(f"{file.name}: all {made.lines} lines have ids")
    elif writes:
        typer.echo(f"{file.name}: {len(made.new)} of {made.lines} lines were given an id")
    else:
        typer.echo(f"{file.name}: {len(made.new)} of {made.lines} lines have no id")
        echo_table(("line", "text"), [(str(line.line), line.text) for line in made.new[:_LINES_SHOWN]])
        if len(made.new) > _LINES_SHOWN:
            typer.echo(f"… {len(made.new) - _LINES_SHOWN} more; --json has them all")
    raise typer.Exit(ExitCode.NO if made.new and check else ExitCode.OK)


def _tell(document: ScriptDocument) -> None:
    about = ", ".join(part for part in (document.author, document.language, document.kind, document.format) if part)
    typer.echo(f"{document.title or 'untitled'} ({about}): {document.line_count} lines")
    for section in document.sections:
        typer.echo(f"\n{section.title or section.key} ({section.kind}, {len(section.lines)} lines)")
        shown = section.lines[:_LINES_SHOWN]
        echo_table(
            ("id", "who", "in", "text"),
            [
                (
                    line.key,
                    " / ".join(line.characters) or ("" if line.kind == "speech" else line.kind),
                    "" if line.in_ms is None else f"{line.in_ms / 1000:.3f}",
                    line.said,
                )
                for line in shown
            ],
        )
        if len(section.lines) > len(shown):
            typer.echo(f"… {len(section.lines) - len(shown)} more; --json has them all")
    for name, items in (("rejected", document.rejected), ("noticed", document.notices)):
        for item in items:
            typer.echo(f"{name}: {item.place + ': ' if item.place else ''}{item.reason}", err=True)
