"""Options that render, submit, plan and update share, in groups: a command names a group and gets its values as one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from scheduler.local.order import DEFAULT_PRIORITY, Order, parse_cast, parse_roles

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
FormatsOption = Annotated[
    str | None,
    typer.Option(
        "--formats",
        help="What to make, with commas: m4b, mp3, flac, vtt, and lines-flac, lines-wav, lines-ogg for a file of each "
        "line. Default m4b,mp3,flac,vtt, and lines-flac as well for a game's script.",
    ),
]
ScriptFormatOption = Annotated[
    str | None, typer.Option("--format", help="The script's format, where its name does not tell.")
]
LanguageOption = Annotated[
    str | None, typer.Option("--language", help="The script's language (BCP 47), over what it says of itself.")
]
EncodingOption = Annotated[
    str | None, typer.Option("--encoding", help="A text file's encoding, such as cp1252, where it is guessed wrong.")
]
_TABLES = typer.Option("--tables", help="Tables in books and lessons: skip (captions only), or read cell after cell.")
TablesOption = Annotated[str, _TABLES]
IncludeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--include",
        metavar="ROLE",
        help="Read parts that are left out by default, such as footnote (repeatable; docs/scripts.md).",
    ),
]
ReviewOption = Annotated[bool, typer.Option("--review", help="Flagged takes wait for `voicefarm approve` or `retry`.")]
KindOption = Annotated[
    str | None,
    typer.Option(
        "--kind", help="What the script is, over what its format usually is: audiobook, dubbing, course, dialogue."
    ),
]
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


def parse_formats(formats: str | None) -> tuple[str, ...] | None:
    """'flac, vtt' as names; None where nothing was said."""
    return None if formats is None else tuple(part.strip() for part in formats.split(",") if part.strip())


@dataclass(frozen=True, slots=True)
class Reading:
    """How a script is read."""

    script_format: ScriptFormatOption = None
    kind: KindOption = None
    language: LanguageOption = None
    encoding: EncodingOption = None
    tables: Annotated[str | None, _TABLES] = None
    include: IncludeOption = None
    fps: FramesOption = None
    mapping: MapOption = None
    strict: StrictOption = False

    @property
    def is_said(self) -> bool:
        """Whether anything of it was given."""
        return replace(self, include=self.include or None) != Reading()


@dataclass(frozen=True, slots=True)
class Voices:
    """Who speaks."""

    voice: VoiceOption = None
    cast: CastOption = None
    casting: CastingOption = None


@dataclass(frozen=True, slots=True)
class Making:
    """What is made, how urgent it is, and what it is called."""

    profile: ProfileOption = "audiobook"
    formats: FormatsOption = None
    rejects: RejectsOption = None
    review: ReviewOption = False
    title: TitleOption = None
    author: AuthorOption = None
    slug: SlugOption = None
    priority: PriorityOption = DEFAULT_PRIORITY


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take groups: each parameter whose type is a dataclass of options becomes the options in it."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if is_dataclass(hint) and isinstance(hint, type)}
    parameters = [
        option
        for parameter in inspect.signature(command).parameters.values()
        for option in (
            _options(groups[parameter.name])
            if parameter.name in groups
            else [parameter.replace(annotation=hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY)]
        )
    ]

    def run(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        command(**values)

    run.__name__, run.__qualname__, run.__doc__ = command.__name__, command.__qualname__, command.__doc__
    run.__module__ = command.__module__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _options(group: type) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter(field.name, kind, default=field.default, annotation=hints[field.name])
        for field in fields(group)
    ]


def make_order(
    file: Path,
    reading: Reading,
    voices: Voices | None = None,
    making: Making | None = None,
    *,
    out: str | None = None,
    engine: str | None = None,
) -> Order:
    """The order these options add up to. Raises OrderError."""
    voices, making = voices or Voices(), making or Making()
    return Order(
        source=file,
        engine=engine,
        voice=voices.voice,
        cast=parse_cast(voices.cast or []),
        casting=voices.casting,
        profile=making.profile,
        formats=parse_formats(making.formats),
        out=out,
        script_format=reading.script_format,
        script_kind=reading.kind,
        language=reading.language,
        encoding=reading.encoding,
        tables=reading.tables,
        include_roles=parse_roles(reading.include or []),
        frame_rate=reading.fps,
        mapping=reading.mapping,
        strict=reading.strict,
        rejects=making.rejects,
        title=making.title,
        author=making.author,
        slug=making.slug,
        priority=making.priority,
        review=making.review,
    )
