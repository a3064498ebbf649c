"""What is there and how far it is; pause, resume, cancel, priority."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.cli.common import HomeOption, JsonOption, NameArgument, echo_json, echo_table, span, transaction

if TYPE_CHECKING:
    from db.records import JobProgress, LineRow


def jobs(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the jobs, newest first, with their progress.

    Example: voicefarm jobs
    """
    from db.queries import status

    with transaction(home) as conn:
        found = status.jobs(conn)
    if as_json:
        echo_json(found)
        return
    echo_table(
        ("job", "name", "title", "state", "lines", "failed", "audio", "left", "out"),
        [
            (
                job.job_id,
                job.slug,
                job.title,
                _state(job),
                f"{job.done}/{job.total}",
                job.failed or "",
                span(job.audio_ms / 1000),
                span(job.eta_s) if job.state == "active" else "",
                job.out_url,
            )
            for job in found
        ],
    )


def show(
    name: NameArgument,
    failed: Annotated[bool, typer.Option("--failed", help="Only the lines that wait for a person.")] = False,
    lines: Annotated[bool, typer.Option("--lines", help="Every line, not only those that wait for a person.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one production's newest job: its sections, and the lines that failed or wait, with the reason.

    Example: voicefarm status the-fables --failed
    """
    from db.queries import status
    from db.states import LineState

    with transaction(home) as conn:
        job_id = status.latest_job(conn, name)
        job = status.job(conn, job_id)
        sections = status.sections(conn, job_id)
        shown: list[LineRow] = []
        states = None if lines else (LineState.FAILED, LineState.RENDERED, LineState.HELD)
        while page := status.lines(conn, job_id, states=states, limit=1000, offset=len(shown)):
            shown.extend(page)
    if as_json:
        echo_json({"job": job, "sections": sections, "lines": shown})
        return
    typer.echo(f"{job.title} ({job.slug}), job {job.job_id}: {_state(job)}, {job.done}/{job.total} lines")
    if job.message:
        typer.echo(job.message)
    if not failed:
        echo_table(
            ("section", "title", "state", "lines", "failed", "audio", "LUFS", "dBTP", ""),
            [
                (
                    section.position + 1,
                    section.title,
                    section.state,
                    f"{section.done}/{section.total}",
                    section.failed or "",
                    span(section.audio_ms / 1000),
                    _level(section.loudness_lufs),
                    _level(section.true_peak_dbtp),
                    section.message,
                )
                for section in sections
            ],
        )
    if shown:
        echo_table(
            ("line", "section", "character", "voice", "state", "tries", "why", "text"),
            [_line_cells(line) for line in shown],
        )


def pause(name: NameArgument, home: HomeOption = None) -> None:
    """Start no new line of a production; lines in flight finish.

    Example: voicefarm pause the-fables
    """
    _set_state(name, "paused", home)
    typer.echo(f"{name} is paused; `voicefarm resume {name}` goes on")


def resume(name: NameArgument, home: HomeOption = None) -> None:
    """Go on with a paused production.

    Example: voicefarm resume the-fables
    """
    _set_state(name, "active", home)
    typer.echo(f"{name} goes on")


def cancel(name: NameArgument, home: HomeOption = None) -> None:
    """Cancel a production's newest job. Takes that were made are kept and reused when it is submitted again.

    Example: voicefarm cancel the-fables
    """
    from db.queries import status, verdicts

    with transaction(home) as conn:
        job_id = status.latest_job(conn, name)
        verdicts.cancel_job(conn, job_id)
    typer.echo(f"job {job_id} of {name} is cancelled")


def priority(
    name: NameArgument,
    value: Annotated[int, typer.Argument(min=0, max=100, help="0 … 100; higher is dispatched first.")],
    home: HomeOption = None,
) -> None:
    """Change a production's priority; it counts for every line not dispatched yet.

    Example: voicefarm priority the-fables 80
    """
    from db.queries import productions

    with transaction(home) as conn:
        productions.set_priority(conn, name, value)
    typer.echo(f"{name} has priority {value}")


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.command("jobs")(jobs)
    app.command("status")(show)
    for command in (pause, resume, cancel, priority):
        app.command()(command)


def _set_state(name: str, state: str, home: HomeOption) -> None:
    from db.queries import productions
    from db.states import ProductionState

    with transaction(home) as conn:
        productions.set_state(conn, name, ProductionState(state))


def _state(job: JobProgress) -> str:
    paused = job.state == "active" and job.production_state == "paused"
    return "paused" if paused else job.state


def _level(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _line_cells(line: LineRow) -> tuple[object, ...]:
    why = ": ".join(part for part in (line.failure_class, line.failure_message) if part)
    flags = ", ".join(str(finding.get("message", finding.get("code", ""))) for finding in line.findings)
    text = line.text if len(line.text) <= 60 else line.text[:57] + "…"
    return (
        line.line_id,
        line.section_position + 1,
        line.character,
        line.voice,
        line.state,
        line.attempt,
        why or flags,
        text,
    )
