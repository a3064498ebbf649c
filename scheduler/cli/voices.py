"""Voices and their consents: listed, cloned, allowed, forbidden."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from scheduler.cli.common import HomeOption, JsonOption, echo_json, echo_table, load_settings, transaction
from scheduler.cli.exits import ExitCode

VoiceArgument = Annotated[str, typer.Argument(metavar="VOICE", help="The voice's name.")]

voices_app = typer.Typer(invoke_without_command=True)
consent_app = typer.Typer(help="The consent without which a voice is not rendered.", no_args_is_help=True)


@voices_app.callback()
def voices(
    ctx: typer.Context,
    engine: Annotated[str | None, typer.Option("--engine", help="Only this engine's voices.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the voices of the farm with their languages and whether a consent covers them now.

    Example: voicefarm voices --engine draft
    """
    if ctx.invoked_subcommand is not None:
        return
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


@voices_app.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The voice's name on the farm.")],
    s1: Annotated[
        str, typer.Option("--s1", help="Text to codes: a .ckpt or .safetensors, or its name in `voicefarm models`.")
    ],
    s2: Annotated[
        str, typer.Option("--s2", help="Codes to audio: a .pth or .safetensors, or its name in `voicefarm models`.")
    ],
    ref: Annotated[
        list[Path],
        typer.Option("--ref", help="A clip of 3 to 10 s of the speaker (repeatable; the first is the default)."),
    ],
    ref_text: Annotated[
        list[str], typer.Option("--ref-text", help="What is said in the clip, word for word; one for each --ref.")
    ],
    ref_lang: Annotated[
        list[str],
        typer.Option("--ref-lang", help="The clip's language: zh, yue, en, ja, ko; one for each --ref, or for all."),
    ],
    ref_emotion: Annotated[
        list[str] | None,
        typer.Option("--ref-emotion", help="Emotions the clip is for, with commas; one for each --ref ('' for none)."),
    ] = None,
    also: Annotated[
        list[Path] | None,
        typer.Option("--also", help="More of the speaker, for the timbre of the first clip (repeatable)."),
    ] = None,
    hubert: Annotated[
        str | None, typer.Option("--hubert", help="Folder of chinese-hubert-base, or a name; `hubert` by default.")
    ] = None,
    roberta: Annotated[
        str | None,
        typer.Option("--roberta", help="Folder of chinese-roberta-wwm-ext-large, or a name; needed for Chinese."),
    ] = None,
    speaker: Annotated[
        str | None, typer.Option("--speaker", help="ERes2NetV2 file, or a name; needed for v2Pro and v2ProPlus.")
    ] = None,
    g2pw: Annotated[Path | None, typer.Option("--g2pw", help="Folder of G2PWModel: reads Chinese polyphones.")] = None,
    languages: Annotated[
        str | None, typer.Option("--languages", help="Languages it is cast for, with commas; all it can, if left out.")
    ] = None,
    speed: Annotated[float, typer.Option("--speed", min=0.5, max=2.0, help="Pace: 1.1 is a tenth faster.")] = 1.0,
    top_k: Annotated[int, typer.Option("--top-k", min=1, max=1025, help="Codes that may be drawn.")] = 15,
    top_p: Annotated[float, typer.Option("--top-p", min=0.01, max=1.0, help="Their share; 1 switches it off.")] = 1.0,
    temperature: Annotated[float, typer.Option("--temperature", min=0.01, max=5.0, help="Above 1 is livelier.")] = 1.0,
    rerolls: Annotated[
        int, typer.Option("--rerolls", min=0, max=8, help="How often a suspicious take is drawn again.")
    ] = 2,
    consent: Annotated[
        Literal["synthetic", "signed", "licence"] | None,
        typer.Option("--consent", help="The consent there is; without one the voice is stored and not rendered."),
    ] = None,
    holder: Annotated[str, typer.Option("--holder", help="Who gave it.")] = "",
    evidence: Annotated[str, typer.Option("--evidence", help="Where the document is kept.")] = "",
    expires: Annotated[datetime | None, typer.Option("--expires", help="When it ends; never, if left out.")] = None,
    description: Annotated[str, typer.Option("--description", help="A sentence for people who cast.")] = "",
    home: HomeOption = None,
) -> None:
    """Clone a voice: GPT-SoVITS checkpoints and a clip of a speaker become a voice that scripts are cast with.

    Every file is read before anything is stored. The files stay where they are, and every machine that renders the
    voice needs them there. A name that exists becomes a new version; lines rendered before keep theirs.

    Example: voicefarm voices add anna --s1 s1-v3 --s2 anna.pth --ref anna.wav --ref-text "Good morning." --ref-lang en
    --consent signed --holder "Anna Ito" --evidence contracts/14.pdf
    """
    from scheduler.local.cloning import ConsentGiven, clips_of, store_voice
    from synthesis.gptsovits.registering import check_models, find_models, make_voice
    from synthesis.gptsovits.voice import SamplingNumbers

    settings = load_settings(home)
    voice = make_voice(
        name,
        find_models(settings.home / "models", s1, s2, hubert, roberta, speaker, g2pw),
        clips_of(ref, ref_text, ref_lang, ref_emotion or [], also or []),
        sampling=SamplingNumbers(top_k, top_p, temperature),
        speed=speed,
        rerolls=rerolls,
    )
    version = check_models(voice)
    if version is None:
        typer.echo("voicefarm: torch is not installed here, so the checkpoints were not opened", err=True)
    ends = expires.astimezone() if expires is not None else None
    given = None if consent is None else ConsentGiven(consent, holder, evidence, ends)
    stored = store_voice(
        settings, name, voice, version=version, languages=languages, description=description, consent=given
    )
    typer.echo(f"{stored.label} may be rendered" if stored.live else f"{stored.label} is stored; it has no consent yet")


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
    app.add_typer(voices_app, name="voices")
    app.add_typer(consent_app, name="consent")


def _some(languages: tuple[str, ...]) -> str:
    shown = ", ".join(languages[:12])
    return shown if len(languages) <= 12 else f"{shown} … {len(languages)} in all"
