"""From a script to deliverables: render here, submit to a running farm, or only plan."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scheduler.cli.common import HomeOption, JsonOption, echo_json, echo_table, load_settings, span
from scheduler.cli.exits import ExitCode
from scheduler.cli.options import (
    EngineOption,
    Making,
    OutOption,
    ProfileOption,
    Reading,
    ScriptArgument,
    SlugOption,
    TitleOption,
    Voices,
    grouped,
    make_order,
)

if TYPE_CHECKING:
    from db.records import ImportResult
    from scheduler.local.render import Outcome
    from scheduler.local.watch import View


QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]


@grouped
def render(
    file: ScriptArgument,
    *,
    out: OutOption = None,
    engine: EngineOption = None,
    voices: Voices,
    making: Making,
    reading: Reading,
    home: HomeOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Render a script to mastered, watermarked audio, on this machine or on the farm that BROKER_URL names.

    Run again, it continues where it was, and makes anew only what changed.

    Exits 0 when everything was made, 3 when lines failed or wait, 130 when interrupted.

    Example: voicefarm render book.epub -o out --cast FOX=draft-2
    """
    from scheduler.local.render import render as run

    order = make_order(file, reading, voices, making, out=out, engine=engine)
    settings = load_settings(home, log_file="render.log")
    say = _say if not (quiet or as_json) else _say_nothing
    outcome = until_interrupted(lambda: run(settings, order, view_of(quiet, as_json), say=say))
    if as_json:
        echo_json(outcome.as_json())
    else:
        tell_outcome(outcome)
    raise typer.Exit(ExitCode.OK if outcome.complete else ExitCode.INCOMPLETE)


def until_interrupted(work: Callable[[], Outcome]) -> Outcome:
    """What ``work`` returns; exits with a word when somebody stops it."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return work()
    except KeyboardInterrupt:
        typer.echo("\nstopped; the same command continues where it was", err=True)
        raise typer.Exit(ExitCode.INTERRUPTED) from None


@grouped
def submit(
    file: ScriptArgument,
    *,
    out: OutOption = None,
    engine: EngineOption = None,
    voices: Voices,
    making: Making,
    reading: Reading,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hand a script to a running farm and return; `voicefarm status NAME` shows how far it is.

    Example: voicefarm submit book.epub -o s3://audio/book --priority 80
    """
    from scheduler.local.order import profile_notice
    from scheduler.local.render import submit as run

    order = make_order(file, reading, voices, making, out=out, engine=engine)
    notice = profile_notice(order)
    plan, result = run(load_settings(home), order, say=_say)
    if as_json:
        facts = {"slug": plan.slug, "out_url": plan.out_url, "profile_notice": notice}
        echo_json({"job_id": result.job_id, **facts, **_counts(result)})
        return
    if notice:
        _say(f"{plan.profile}: {notice}")
    typer.echo(
        f"job {result.job_id} ({plan.slug}): {result.lines} lines, {result.reused} of them rendered before; "
        f"`voicefarm status {plan.slug}` shows how far it is"
    )


@grouped
def plan(
    file: ScriptArgument,
    *,
    engine: EngineOption = None,
    voices: Voices,
    reading: Reading,
    profile: ProfileOption = "audiobook",
    title: TitleOption = None,
    slug: SlugOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read a script and say what a render would do: lines, characters, voices, minutes. Stores and renders nothing.

    Cloned voices are those of DATABASE_URL, or else of this home. Exits 1 when a voice that was named is missing.

    Example: voicefarm plan book.epub --json
    """
    from scheduler.local.render import dry_run

    making = Making(profile=profile, title=title, slug=slug)
    order = make_order(file, reading, voices, making, engine=engine)
    found = dry_run(load_settings(home), order)
    if as_json:
        echo_json(found)
        _refuse_missing(found)
        return
    typer.echo(
        f"{found['title']} ({found['slug']}), {found['language']}: {found['lines']} lines in "
        f"{len(found['sections'])} sections, about {span(found['audio_s'])} of audio "
        f"({span(found['audio_low_s'])} to {span(found['audio_high_s'])})"
        + ("" if found["engine_s"] is None else f", {span(found['engine_s'])} of engine time")
    )
    echo_table(
        ("character", "voice", "lines", "audio"),
        [(who["character"], who["voice"], who["lines"], span(who["audio_s"])) for who in found["characters"]],
    )
    for name in found["uncast"]:
        typer.echo(f"not in the casting file: {name}")
    for left_out in found["rejected"]:
        typer.echo(f"not read: {left_out['place']}: {left_out['reason']}")
    if found["profile_notice"]:
        typer.echo(f"{found['profile']}: {found['profile_notice']}")
    for missing in found["voices_missing"]:
        typer.echo(f"no such voice: {missing}; `voicefarm voices` lists those at hand")
    _refuse_missing(found)


def _refuse_missing(found: dict[str, Any]) -> None:
    if found["voices_missing"]:
        raise typer.Exit(ExitCode.NO)


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    for command in (render, submit, plan):
        app.command()(command)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _say_nothing(text: str) -> None:
    return None


def view_of(quiet: bool, as_json: bool) -> Callable[[], View]:
    """How progress is shown: a bar on a terminal, a line every few seconds elsewhere, nothing when asked."""
    from rich.console import Console

    from scheduler.local.watch import PlainView, RichView, SilentView

    if quiet:
        return SilentView
    if as_json or not Console().is_terminal:
        return lambda: PlainView(_say)
    return RichView


def _counts(result: ImportResult) -> dict[str, object]:
    return {"lines": result.lines, "reused": result.reused, "resumed": result.resumed}


def tell_outcome(outcome: Outcome) -> None:
    """What was made, where it is, and what is left to do."""
    from db.states import LineState
    from scheduler.local.render import report_of

    job = outcome.job
    for line in outcome.waiting[:20]:
        why = line.failure_message or "; ".join(str(finding.get("message", "")) for finding in line.findings)
        typer.echo(f"{line.state}: line {line.line_id}, {line.section_title}, {line.character}: {why}", err=True)
    if not outcome.complete:
        message = f": {job.message}" if job.message else ""
        flagged = [str(line.line_id) for line in outcome.waiting if line.state == LineState.RENDERED]
        verdict = (
            f", `voicefarm approve {' '.join(flagged[:20])}` takes the flagged ones as they are" if flagged else ""
        )
        typer.echo(
            f"{job.title}: {job.state}{message}, {job.done} of {job.total} lines; "
            f"`voicefarm status {job.slug}` has the reasons, `voicefarm retry {job.slug}` or `skip` goes on{verdict}",
            err=True,
        )
        return
    length_s = sum(section.track_ms or 0 for section in outcome.sections) / 1000
    speed = f", {length_s / outcome.elapsed_s:.0f} × real time" if not outcome.result.reused else ""
    typer.echo(
        f"{job.title}: {job.total} lines, {len(outcome.sections)} tracks, {span(length_s)} "
        f"in {span(outcome.elapsed_s)}{speed}"
    )
    for section in outcome.sections:
        level = f"  {section.loudness_lufs:.1f} LUFS" if section.loudness_lufs is not None else ""
        typer.echo(f"  {section.position + 1:3}  {span((section.track_ms or 0) / 1000):>8}{level}  {section.title}")
    kinds: dict[str, list[str]] = {}
    for file in outcome.files:
        kinds.setdefault(file.kind, []).append(_near(outcome.path_of(file)))
    for kind, paths in kinds.items():
        typer.echo(f"{kind:9} {paths[0] if len(paths) == 1 else f'{len(paths)} files, {paths[0]} …'}")
    report = report_of(outcome)
    if report is not None:
        typer.echo(f"open {_near(str(report))} to see every chapter, its levels and its lines")


def _near(path: str) -> str:
    """The path as a person in the working directory would write it."""
    if "://" not in path and Path(path).is_relative_to(Path.cwd()):
        return str(Path(path).relative_to(Path.cwd()))
    return path
