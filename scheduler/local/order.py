"""What is to be rendered: from a script file and options to a plan that can be stored."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.errors import SchedulerError

if TYPE_CHECKING:
    from db.records import ImportPlan, Reading, VoiceRecord
    from db.store import Store
    from scheduler.castfile import CastingFile
    from scheduler.lexicon import Lexicon
    from scheduler.scripts.model import ScriptDocument

DEFAULT_PRIORITY = 50
DEFAULT_ENGINE = "draft"
DEFAULT_FORMATS = ("m4b", "mp3", "flac", "vtt")
GAME_LINES = "lines-flac"
"""What a game's script makes besides: games play line by line, and find a file by the line's id."""
GAME_SCRIPTS = frozenset({"yarn", "yarn-strings", "ink", "renpy", "renpy-dialogue", "twee"})
"""Readers of game scripts."""

RECORDED_KINDS = frozenset({"dubbing", "dialogue"})
"""Productions whose script is handed back as it was recorded."""


class OrderError(SchedulerError):
    """What was asked for does not go together; the message says what to change."""


class ScriptRejected(OrderError):
    """Parts of a script cannot be read, and all of it was asked for. Picklable, with its fields."""

    def __init__(self, file: str, place: str, reason: str, count: int) -> None:
        super().__init__(file, place, reason, count)
        self.file = file
        self.place = place
        """Of the first part."""
        self.reason = reason
        self.count = count

    def __str__(self) -> str:
        more = f" and {self.count - 1} more" if self.count > 1 else ""
        return (
            f"{self.file}, {self.place}: {self.reason}{more}; `voicefarm script show` lists them, "
            "without --strict they are left out"
        )


@dataclass(frozen=True, slots=True)
class Order:
    """One script and how it is to be rendered."""

    source: Path
    engine: str | None = None
    """None is the engine of ``voice``, and draft where there is none."""
    voice: str | None = None
    """The narrator; None is the engine's own."""
    cast: Mapping[str, str] = field(default_factory=dict)
    """Character → voice."""
    casting: Path | None = None
    """A casting file, such as a series' bible; ``cast`` and ``voice`` win over it."""
    profile: str = "audiobook"
    formats: tuple[str, ...] | None = None
    """None is DEFAULT_FORMATS, and single lines as well for the script of a game."""
    out: str | None = None
    """Folder or URL; None is '<name>-audio' in the working directory."""
    script_format: str | None = None
    language: str | None = None
    encoding: str | None = None
    """Of a text file; None finds it."""
    tables: str | None = None
    """skip or read; None is skip."""
    include_roles: frozenset[str] = frozenset()
    """Parts of a book read although they are left out by default."""
    script_kind: str | None = None
    """audiobook, dubbing, course or dialogue; None is what the format usually is."""
    frame_rate: str | None = None
    """Frames per second of timecodes that count them, as people write it: 23.976, 25, 30000/1001."""
    mapping: Path | None = None
    """A YAML file that says what a sheet's columns hold."""
    mapping_text: str | None = None
    """What an earlier order's file of that kind said, where ``mapping`` names none."""
    strict: bool = False
    """Refuse a script of which any part was rejected."""
    rejects: Path | None = None
    """Where the report of rejected parts goes; None is '<name>-rejected.csv' in the working directory."""
    title: str | None = None
    author: str | None = None
    slug: str | None = None
    priority: int = DEFAULT_PRIORITY
    review: bool = False

    @property
    def out_url(self) -> str:
        """Where deliverables go, as a URL."""
        out = self.out or f"{self.source.stem}-audio"
        return out if "://" in out else Path(out).absolute().as_uri()


def check(order: Order) -> None:
    """Refuse what cannot be made, before anything is read. Raises OrderError, ProfileUnknown, EngineUnknown."""
    from typing import get_args

    from db.records import Format
    from synthesis.errors import EngineUnknown
    from synthesis.mastering.profiles import get_profile
    from synthesis.registry import ENGINE_NAMES

    get_profile(order.profile)
    if order.engine is not None and order.engine not in ENGINE_NAMES:
        raise EngineUnknown(order.engine, ENGINE_NAMES)
    formats = DEFAULT_FORMATS if order.formats is None else order.formats
    unknown = sorted(set(formats) - set(get_args(Format)))
    if unknown or not formats:
        raise OrderError(f"--formats {', '.join(unknown) or 'none'}: choose from {', '.join(get_args(Format))}")
    if order.tables not in (None, "skip", "read"):
        raise OrderError(f"--tables {order.tables!r}: choose skip or read")
    if order.slug is not None and order.slug != slug_of(order.slug):
        raise OrderError(f"--slug {order.slug!r} is not made of a-z, 0-9 and single hyphens")


def engine_of(order: Order, voices: Sequence[VoiceRecord]) -> str:
    """The engine that renders an order: the one it names, else the narrator's own, else draft."""
    if order.engine is not None:
        return order.engine
    narrator = order.voice or casting_file(order).narrator
    own = (voice.engine for voice in voices if narrator in (voice.name, voice.label))
    return next(own, DEFAULT_ENGINE)


def profile_notice(order: Order) -> str:
    """What a person must know before delivering to the order's profile; '' for most. Raises ProfileUnknown."""
    from synthesis.mastering.profiles import get_profile

    return get_profile(order.profile).notice


def read(order: Order) -> ScriptDocument:
    """Check the order and read its script; title and author are the order's where it has any. Raises ScriptError."""
    check(order)
    document = read_source(order)
    if order.strict and document.rejected:
        first = document.rejected[0]
        raise ScriptRejected(order.source.name, first.place, first.reason, len(document.rejected))
    return replace(
        document,
        title=order.title or document.title or order.source.stem,
        author=document.author if order.author is None else order.author,
    )


def note_rejects(order: Order, document: ScriptDocument) -> str:
    """Write what a script's reader left out into the order's report; returns a sentence for people, or ''.

    Raises ScriptUnreadable when the report cannot be written: nobody would look for what was never said.
    """
    from scheduler.scripts.rejects import write_rejects

    if not document.rejected:
        return ""
    report = order.rejects or Path(f"{order.source.stem}-rejected.csv")
    count = write_rejects(document, order.source.name, report)
    parts = "1 part of {} is" if count == 1 else f"{count} parts of {{}} are"
    return f"{parts.format(order.source.name)} left out; {report} says which and why (--strict refuses such scripts)"


def read_source(order: Order) -> ScriptDocument:
    """Read an order's script as its reading options say. Raises OrderError, ScriptError."""
    from typing import get_args

    from scheduler.scripts.mapping import read_mapping
    from scheduler.scripts.model import ScriptKind
    from scheduler.scripts.reading import mapping_of, read_as
    from scheduler.scripts.timecode import FrameRateInvalid

    kinds = get_args(ScriptKind)
    if order.script_kind is not None and order.script_kind not in kinds:
        raise OrderError(f"--kind {order.script_kind!r}: choose from {', '.join(kinds)}")
    reading = reading_of(order)
    mapping = mapping_of(reading) if order.mapping is None else read_mapping(order.mapping)
    try:
        return read_as(order.source, reading, mapping)
    except FrameRateInvalid as error:
        raise OrderError(f"--fps {order.frame_rate!r}: {error}") from error


def reading_of(order: Order) -> Reading:
    """How an order reads its script, to be stored with its job. Raises ScriptUnreadable."""
    from db.records import Reading
    from scheduler.scripts.errors import ScriptUnreadable

    mapping = order.mapping_text
    if order.mapping is not None:
        try:
            mapping = order.mapping.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise ScriptUnreadable(order.mapping.name, "", f"cannot be read: {error}") from error
    return Reading(
        script_format=order.script_format,
        script_kind=order.script_kind,
        language=order.language,
        encoding=order.encoding,
        tables=order.tables,
        include_roles=tuple(sorted(order.include_roles)),
        frame_rate=order.frame_rate,
        mapping=mapping,
    )


def read_as_before(order: Order, before: Reading, source_name: str) -> Order:
    """The order with the reading options of an earlier one, where it says nothing of its own.

    The format is taken over for a file with the same ending only: a sheet may become a workbook.
    """
    same_kind = order.source.suffix.lower() == Path(source_name).suffix.lower()
    return replace(
        order,
        script_format=order.script_format or (before.script_format if same_kind else None),
        script_kind=order.script_kind or before.script_kind,
        language=order.language or before.language,
        encoding=order.encoding or before.encoding,
        tables=order.tables or before.tables,
        include_roles=order.include_roles or frozenset(before.include_roles),
        frame_rate=order.frame_rate or before.frame_rate,
        mapping_text=before.mapping if order.mapping is None else None,
    )


def plan(
    order: Order,
    document: ScriptDocument,
    voices: Sequence[VoiceRecord],
    store: Store | None,
    lexicon: Lexicon | None = None,
) -> ImportPlan:
    """Cast and plan. Raises CastingError, ProfileUnknown …

    The cover, and a script that is delivered again as recorded, go to ``store``; in a dry run they are named only.
    """
    from db.records import JobOptions
    from scheduler.castfile import Uncast
    from scheduler.casting import cast, roles_of
    from scheduler.local.voices import NARRATORS
    from scheduler.planning import make_plan, source_sha256

    engine = order.engine or DEFAULT_ENGINE
    written = casting_file(order)
    narrator = order.voice or written.narrator or NARRATORS.get(engine)
    if narrator is None:
        raise OrderError(f"engine {engine!r} has no voice of its own: name the narrator with --voice")
    roles = roles_of(document)
    uncast = written.uncast_of(roles)
    if written.uncast == "refuse" and (missing := [name for name in uncast if not _is_cast(name, order.cast)]):
        raise Uncast(written.file, tuple(missing))
    overrides = {**written.overrides(roles), **order.cast}
    casting = cast(document, voices, narrator=narrator, overrides=overrides)
    options = JobOptions.model_validate(
        {
            "formats": formats_of(order, document.format),
            "review": order.review,
            "year": document.year,
            "cover": _keep_cover(document, store),
            "script": _keep_script(order, document, store),
            "reading": reading_of(order),
        }
    )
    made = make_plan(
        document,
        casting,
        slug=order.slug or slug_of(document.title, order.source.stem),
        source_name=order.source.name,
        source_sha256=source_sha256(order.source),
        profile=order.profile,
        options=options,
        out_url=order.out_url,
        priority=order.priority,
        lexicon=lexicon,
    )
    check_line_files(made)
    return made


def formats_of(order: Order, script_format: str) -> tuple[str, ...]:
    """What an order makes of a script that this reader read."""
    if order.formats is not None:
        return order.formats
    return (*DEFAULT_FORMATS, GAME_LINES) if script_format in GAME_SCRIPTS else DEFAULT_FORMATS


def check_line_files(plan: ImportPlan) -> None:
    """Refuse a plan in which two lines would become one file. Raises OrderError."""
    from workers.clips import LINE_FORMATS, clash

    if not any(name in LINE_FORMATS for name in plan.options.formats):
        return
    found = clash((section.title or section.key, line.key) for section in plan.sections for line in section.lines)
    if found is not None:
        one, other, name = found
        raise OrderError(
            f"lines {one!r} and {other!r} would both be {name}: give them ids that differ, or leave "
            "lines-… out of --formats"
        )


def casting_file(order: Order) -> CastingFile:
    """The order's casting file; one that says nothing where there is none. Raises CastFileError."""
    from scheduler.castfile import CastingFile, read_casting_file

    return CastingFile("") if order.casting is None else read_casting_file(order.casting)


def _is_cast(name: str, cast: Mapping[str, str]) -> bool:
    from scheduler.casting import same_name

    return any(same_name(key).partition(":")[0] == same_name(name) for key in cast)


def slug_of(*candidates: str) -> str:
    """The first candidate that leaves something of itself in [a-z0-9-], at most 60 characters; else a digest."""
    for candidate in candidates:
        plain = unicodedata.normalize("NFKD", candidate).encode("ascii", "ignore").decode("ascii").lower()
        slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].rstrip("-")
        if slug:
            return slug
    return "p-" + hashlib.sha256("\0".join(candidates).encode()).hexdigest()[:12]


def parse_cast(pairs: Sequence[str]) -> dict[str, str]:
    """'FOX=draft-2' … as a mapping. Raises OrderError for anything else, and for a character cast twice."""
    cast: dict[str, str] = {}
    for pair in pairs:
        character, mark, voice = pair.partition("=")
        if not mark or not character.strip() or not voice.strip():
            raise OrderError(f"--cast {pair!r} is not NAME=VOICE, for example --cast FOX=draft-2")
        if character.strip() in cast:
            raise OrderError(f"--cast names {character.strip()!r} twice")
        cast[character.strip()] = voice.strip()
    return cast


def parse_roles(names: Sequence[str]) -> frozenset[str]:
    """Roles of a book to be read, as the reader knows them. Raises OrderError for one that is read anyway, or unknown.

    A name that says nothing to the reader would be believed and do nothing.
    """
    from scheduler.scripts.roles import SKIPPED_ROLES, role_names

    roles = role_names(" ".join(names), None)
    unknown = sorted(roles - SKIPPED_ROLES)
    if unknown:
        known = ", ".join(sorted(SKIPPED_ROLES))
        raise OrderError(f"--include {', '.join(unknown)}: no such part is left out; these are: {known}")
    return roles


def _keep_cover(document: ScriptDocument, store: Store | None) -> str | None:
    cover = document.cover
    if cover is None:
        return None
    suffix = "png" if cover.startswith(b"\x89PNG") else "jpg"
    return f"{hashlib.sha256(cover).hexdigest()}.{suffix}" if store is None else store.put_bytes(cover, suffix)


def _keep_script(order: Order, document: ScriptDocument, store: Store | None) -> str | None:
    """Keep the file whose columns and notes are handed back with what was recorded. Raises ScriptUnreadable."""
    from scheduler.planning import source_sha256
    from scheduler.scripts.errors import ScriptUnreadable

    if document.kind not in RECORDED_KINDS:
        return None
    if store is None:
        return source_sha256(order.source)
    try:
        return store.put_file(order.source)
    except FileNotFoundError as error:
        raise ScriptUnreadable(order.source.name, "", "is gone; name the script again") from error
