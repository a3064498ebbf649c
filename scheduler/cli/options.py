"""Options that render, submit and plan share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scheduler.local.order import Order, parse_cast, parse_roles

ScriptArgument = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="The script: a book, a sheet, subtitles, a lesson, a game's lines (docs/scripts.md).",
        show_default=False,
    ),
]
OutOption = Annotated[
    str | None,
    typer.Option(
        "--out", "-o", metavar="OUT", help="Folder (or s3:// URL) for what is made; default FILE's name-audio."
    ),
]
EngineOption = Annotated[
    str | None,
    typer.Option("--engine", help="The engine that renders: draft, gpt-sovits, fake; the one of --voice by default."),
]
VoiceOption = Annotated[str | None, typer.Option("--voice", help="The narrator's voice; the engine's own by default.")]
CastOption = Annotated[
    list[str] | None, typer.Option("--cast", metavar="NAME=VOICE", help="Give a character a voice (repeatable).")
]
CastingOption = Annotated[
    Path | None,
    typer.Option("--casting", metavar="YAML", help="A casting file: who speaks whom, for this script or a series."),
]
ProfileOption = Annotated[
    str, typer.Option("--profile", help="Mastering profile: audiobook, acx, r128, podcast, netflix-premix.")
]
FormatsOption = Annotated[str, typer.Option("--formats", help="What to make: m4b, mp3, flac, vtt, with commas.")]
ScriptFormatOption = Annotated[
    str | None, typer.Option("--format", help="The script's format, where its name does not tell.")
]
LanguageOption = Annotated[
    str | None, typer.Option("--language", help="The script's language (BCP 47), over what it says of itself.")
]
EncodingOption = Annotated[
    str | None, typer.Option("--encoding", help="A text file's encoding, such as cp1252, where it is guessed wrong.")
]
TablesOption = Annotated[
    str, typer.Option("--tables", help="Tables in books and lessons: skip (captions only), or read cell after cell.")
]
IncludeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--include",
        metavar="ROLE",
        help="Read parts that are left out by default, such as footnote (repeatable; docs/scripts.md).",
    ),
]
ReviewOption = Annotated[bool, typer.Option("--review", help="Flagged takes wait for `voicefarm approve` or `retry`.")]
FramesOption = Annotated[
    str | None,
    typer.Option("--fps", metavar="RATE", help="Frames per second of timecodes that count them: 23.976, 25, 29.97 …"),
]
MapOption = Annotated[
    Path | None,
    typer.Option("--map", metavar="YAML", help="What a sheet's columns hold, where their names do not say."),
]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="Refuse a script of which any part cannot be read, instead of leaving it out.")
]
RejectsOption = Annotated[
    Path | None,
    typer.Option(
        "--rejects", metavar="CSV", help="Report of what could not be read; default FILE's name-rejected.csv."
    ),
]
TitleOption = Annotated[str | None, typer.Option("--title", help="Title, over what the script says.")]
AuthorOption = Annotated[str | None, typer.Option("--author", help="Author, over what the script says.")]
SlugOption = Annotated[
    str | None, typer.Option("--slug", help="The production's name; made from the title by default.")
]
PriorityOption = Annotated[int, typer.Option("--priority", min=0, max=100, help="Higher is dispatched first.")]


def make_order(
    file: Path,
    out: str | None,
    engine: str | None,
    voice: str | None,
    cast: list[str] | None,
    casting: Path | None,
    profile: str,
    formats: str,
    script_format: str | None,
    language: str | None,
    encoding: str | None,
    tables: str,
    include: list[str] | None,
    fps: str | None,
    mapping: Path | None,
    strict: bool,
    rejects: Path | None,
    review: bool,
    title: str | None,
    author: str | None,
    slug: str | None,
    priority: int,
) -> Order:
    """The order these options add up to. Raises OrderError."""
    return Order(
        source=file,
        engine=engine,
        voice=voice,
        cast=parse_cast(cast or []),
        casting=casting,
        profile=profile,
        formats=tuple(part.strip() for part in formats.split(",") if part.strip()),
        out=out,
        script_format=script_format,
        language=language,
        encoding=encoding,
        tables=tables,
        include_roles=parse_roles(include or []),
        frame_rate=fps,
        mapping=mapping,
        strict=strict,
        rejects=rejects,
        title=title,
        author=author,
        slug=slug,
        priority=priority,
        review=review,
    )
