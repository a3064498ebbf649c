"""Voices and their consents."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import typer

from scheduler.cli.common import HomeOption, JsonOption, echo_json, echo_table, transaction
from scheduler.cli.exits import ExitCode

VoiceArgument = Annotated[str, typer.Argument(metavar="VOICE", help="The voice's name.")]

consent_app = typer.Typer(help="The consent without which a voice is not rendered.", no_args_is_help=True)


def voices(
    engine: Annotated[str | None, typer.Option("--engine", help="Only this engine's voices.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the voices of the farm with their languages and whether a consent covers them now.

    Example: voicefarm voices --engine draft
    """
    from db.queries import voices as queries

    with transaction(home) as conn:
        found = queries.list_voices(conn, engine)
    if as_json:
        echo_json(found)
        return
    echo_table(
        ("voice", "engine", "consent", "description", "languages"),
        [
            (voice.label, voice.engine, "live" if voice.live else "none", voice.description, _some(voice.languages))
            for voice in found
        ],
    )


@consent_app.command("grant")
def grant(
    voice: VoiceArgument,
    kind: Annotated[
        Literal["synthetic", "signed", "licence"],
        typer.Option("--kind", help="synthetic: nobody's voice. signed: the speaker agreed. licence: bought."),
    ] = "signed",
    holder: Annotated[str, typer.Option("--holder", help="Who gave it.")] = "",
    evidence: Annotated[str, typer.Option("--evidence", help="Where the document is kept.")] = "",
    expires: Annotated[datetime | None, typer.Option("--expires", help="When it ends; never, if left out.")] = None,
    home: HomeOption = None,
) -> None:
    """Record that a voice may be rendered.

    Example: voicefarm consent grant anna --kind signed --holder "Anna Ito" --evidence contracts/2026-014.pdf
    """
    from db.queries import voices as queries

    ends = expires.astimezone() if expires is not None else None
    with transaction(home) as conn:
        queries.ensure_consent(
            conn, queries.get_voice(conn, voice).id, kind, holder=holder, evidence=evidence, expires_at=ends
        )
        live = queries.get_voice(conn, voice).live
    if not live:
        typer.echo(f"voicefarm: this consent of {voice} was revoked or has ended; name other --evidence", err=True)
        raise typer.Exit(ExitCode.USAGE)
    typer.echo(f"{voice} may be rendered")


@consent_app.command("revoke")
def revoke(voice: VoiceArgument, home: HomeOption = None) -> None:
    """Revoke a voice's consent: from now on no line of it is dispatched or claimed.

    Example: voicefarm consent revoke anna
    """
    from db.queries import voices as queries

    with transaction(home) as conn:
        queries.revoke_consent(conn, queries.get_voice(conn, voice).id)
    typer.echo(f"{voice} is not rendered any more")


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.command()(voices)
    app.add_typer(consent_app, name="consent")


def _some(languages: tuple[str, ...]) -> str:
    shown = ", ".join(languages[:12])
    return shown if len(languages) <= 12 else f"{shown} … {len(languages)} in all"
