"""A new revision of a production: what changed, what that costs, and only that is rendered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scheduler.cli.common import (
    HomeOption,
    JsonOption,
    NameArgument,
    echo_json,
    echo_table,
    load_settings,
    span,
    transaction,
)
from scheduler.cli.exits import ExitCode
from scheduler.cli.options import (
    AuthorOption,
    Reading,
    RejectsOption,
    TitleOption,
    Voices,
    grouped,
    make_order,
    parse_formats,
)
from scheduler.cli.render import QuietOption, tell_outcome, until_interrupted, view_of

if TYPE_CHECKING:
    from db.records import ImportResult
    from db.settings import Settings
    from scheduler.diffing import LineDiff
    from scheduler.local.update import Changes, Proposal

_LINES_SHOWN = 40
_TEXT_SHOWN = 60

NewScriptArgument = Annotated[
    Path | None,
    typer.Argument(metavar="FILE", help="The new script; without it the stored lines are taken as they are."),
]
OutOption = Annotated[
    str | None, typer.Option("--out", "-o", metavar="OUT", help="Folder (or s3:// URL); the last job's by default.")
]
ProfileOption = Annotated[str | None, typer.Option("--profile", help="Mastering profile; the last job's by default.")]
FormatsOption = Annotated[
    str | None, typer.Option("--formats", help="What to make, with commas; as the last job by default.")
]
ReviewOption = Annotated[
    bool | None,
    typer.Option("--review/--no-review", help="Whether flagged takes wait for a verdict; as the last job by default."),
]
PriorityOption = Annotated[
    int | None, typer.Option("--priority", min=0, max=100, help="Higher is dispatched first; unchanged by default.")
]
RecastOption = Annotated[
    list[str] | None,
    typer.Option("--recast", metavar="NAME=VOICE", help="Give a character another voice (repeatable)."),
]
VersionOption = Annotated[
    list[str] | None,
    typer.Option(
        "--voice-version",
        metavar="VOICE[@N]",
        help="Use a voice in its newest version, or in version N (repeatable); else its lines keep the one they have.",
    ),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would change and what it costs; do nothing.")]


@grouped
def update(
    name: NameArgument,
    *,
    file: NewScriptArgument = None,
    dry_run: DryRunOption = False,
    recast: RecastOption = None,
    voice_version: VersionOption = None,
    voices: Voices,
    reading: Reading,
    out: OutOption = None,
    profile: ProfileOption = None,
    formats: FormatsOption = None,
    rejects: RejectsOption = None,
    review: ReviewOption = None,
    title: TitleOption = None,
    author: AuthorOption = None,
    priority: PriorityOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make a new revision of a production: a changed script or lexicon, another casting, newer voices.

    Only what changed renders. Without FILE the stored lines are taken, with the lexicon as it is now.

    Voices, profile, formats and place are those of the last job unless they are given. Locked lines keep their takes.
    On a machine without a farm the revision is rendered at once.

    Exits 0 when it was stored (rendered, without a farm), 3 when lines failed or wait.

    Example: voicefarm update the-fables fables-v2.epub --dry-run
    """
    from scheduler.local.order import OrderError, parse_cast
    from scheduler.local.update import Changes, propose

    if file is None and (reading.is_said or rejects is not None):
        raise OrderError("--format, --language, --fps and the like say how a script is read: name the new FILE")
    changes = Changes(
        reading=None if file is None else replace(make_order(file, reading), rejects=rejects),
        cast=parse_cast([*(recast or []), *(voices.cast or [])]),
        voice=voices.voice,
        casting=voices.casting,
        versions=tuple(voice_version or ()),
        out=out,
        profile=profile,
        formats=parse_formats(formats),
        review=review,
        title=title,
        author=author,
        priority=priority,
    )
    settings = load_settings(home)
    if dry_run:
        with transaction(home) as conn:
            proposal = propose(conn, name, changes, None)
        _tell(proposal, None, as_json=as_json)
        return
    farm = settings.database_url is not None
    proposal, result, left_out = _carry_out(name, changes, home, alone=not farm)
    if left_out:
        typer.echo(left_out, err=True)
    if farm:
        _tell(proposal, result, as_json=as_json)
    else:
        _render(settings, proposal, result, as_json=as_json, quiet=quiet)


def _render(settings: Settings, proposal: Proposal, result: ImportResult, *, as_json: bool, quiet: bool) -> None:
    """Render what was stored here and now, and say what was made."""
    from scheduler.local.following import follow

    if not as_json:
        _tell_changes(proposal)
    outcome = until_interrupted(lambda: follow(settings, proposal, result, view_of(quiet, as_json)))
    if as_json:
        echo_json({**_values(proposal, result), "outcome": outcome.as_json()})
    else:
        tell_outcome(outcome)
    if not outcome.complete:
        raise typer.Exit(ExitCode.INCOMPLETE)


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.command()(update)


def _carry_out(name: str, changes: Changes, home: Path | None, *, alone: bool) -> tuple[Proposal, ImportResult, str]:
    from db.locks import lock_title
    from db.store import Store
    from scheduler.local.following import one_engine
    from scheduler.local.update import carry_out, note_left_out, propose

    store = Store(load_settings(home).resolved_store_url)
    with transaction(home) as conn:
        lock_title(conn, name)
        proposal = propose(conn, name, changes, store)
        if alone:
            one_engine(proposal)
        left_out = note_left_out(proposal)
        return proposal, carry_out(conn, proposal), left_out


def _tell(proposal: Proposal, result: ImportResult | None, *, as_json: bool) -> None:
    if as_json:
        echo_json(_values(proposal, result))
        return
    _tell_changes(proposal)
    if result is None:
        typer.echo("nothing was changed; without --dry-run it is done")
    elif result.resumed:
        typer.echo(f"nothing is different: job {result.job_id} goes on")
    else:
        slug = proposal.plan.slug
        typer.echo(f"job {result.job_id} is stored; `voicefarm status {slug}` shows how far it is")


def _values(proposal: Proposal, result: ImportResult | None) -> dict[str, Any]:
    done = {} if result is None else {"job_id": result.job_id, "reused": result.reused, "resumed": result.resumed}
    return {"dry_run": result is None, **proposal.as_json(), **done}


def _tell_changes(proposal: Proposal) -> None:
    """Every line that is not kept, and what the revision costs."""
    found = proposal.comparison.diff
    shown = [entry for entry in found.lines if entry.status != "kept" or entry.locked]
    if shown:
        wanted = {line.key for line in proposal.to_render}
        echo_table(
            ("", "line", "section", "character", "what", "renders", "text"),
            [_cells(entry, wanted) for entry in shown[:_LINES_SHOWN]],
        )
    if len(shown) > _LINES_SHOWN:
        typer.echo(f"… {len(shown) - _LINES_SHOWN} more; --json has them all")
    for part in found.sections:
        if part.status != "kept":
            typer.echo(f"section {part.status.value}: {' → '.join(dict.fromkeys(filter(None, (part.old, part.new))))}")
    for warning in proposal.warnings:
        typer.echo(f"warning: {warning}", err=True)
    for kind, items in (("not read", proposal.rejected), ("note", proposal.notices)):
        for item in items:
            typer.echo(f"{kind}: {item.place + ': ' if item.place else ''}{item.reason}", err=True)
    counts = ", ".join(f"{count} {status.value}" for status, count in found.counts.items())
    held = f", {len(proposal.comparison.held)} locked" if proposal.comparison.held else ""
    typer.echo(f"{proposal.plan.slug}, against revision {proposal.stored.revision}: {counts}{held}")
    length = 0.0 if proposal.estimate is None else proposal.estimate.audio_ms / 1000
    typer.echo(
        f"to render: {len(proposal.to_render)} lines, about {span(length)} of audio; "
        f"tracks to make again: {len(proposal.sections_again)} of {len(proposal.plan.sections)}"
    )


def _cells(entry: LineDiff, wanted: set[str]) -> tuple[object, ...]:
    line = entry.new or entry.old
    if line is None:
        return ()
    what = ", ".join((*entry.changes, *(("place",) if entry.moved else ())))
    text = line.text if len(line.text) <= _TEXT_SHOWN else line.text[: _TEXT_SHOWN - 1] + "…"
    status = f"{entry.status.value}, locked" if entry.locked else entry.status.value
    renders = "yes" if entry.new is not None and entry.new.key in wanted else ""
    return status, line.key, line.section, line.character, what, renders, text
