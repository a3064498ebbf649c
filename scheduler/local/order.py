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
    from db.records import ImportPlan, VoiceRecord
    from db.store import Store
    from scheduler.scripts.model import ScriptDocument

DEFAULT_PRIORITY = 50
DEFAULT_ENGINE = "draft"


class OrderError(SchedulerError):
    """What was asked for does not go together; the message says what to change."""


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
    profile: str = "audiobook"
    formats: tuple[str, ...] = ("m4b", "mp3", "flac", "vtt")
    out: str | None = None
    """Folder or URL; None is '<name>-audio' in the working directory."""
    script_format: str | None = None
    language: str | None = None
    encoding: str | None = None
    """Of a text file; None finds it."""
    tables: str = "skip"
    """skip or read."""
    include_roles: frozenset[str] = frozenset()
    """Parts of a book read although they are left out by default."""
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
    unknown = sorted(set(order.formats) - set(get_args(Format)))
    if unknown or not order.formats:
        raise OrderError(f"--formats {', '.join(unknown) or 'none'}: choose from {', '.join(get_args(Format))}")
    if order.tables not in ("skip", "read"):
        raise OrderError(f"--tables {order.tables!r}: choose skip or read")
    if order.slug is not None and order.slug != slug_of(order.slug):
        raise OrderError(f"--slug {order.slug!r} is not made of a-z, 0-9 and single hyphens")


def engine_of(order: Order, voices: Sequence[VoiceRecord]) -> str:
    """The engine that renders an order: the one it names, else the narrator's own, else draft."""
    if order.engine is not None:
        return order.engine
    own = (voice.engine for voice in voices if order.voice in (voice.name, voice.label))
    return next(own, DEFAULT_ENGINE)


def profile_notice(order: Order) -> str:
    """What a person must know before delivering to the order's profile; '' for most. Raises ProfileUnknown."""
    from synthesis.mastering.profiles import get_profile

    return get_profile(order.profile).notice


def read(order: Order) -> ScriptDocument:
    """Check the order and read its script; title and author are the order's where it has any. Raises ScriptError."""
    from scheduler.scripts.model import ReadOptions
    from scheduler.scripts.registry import read_script

    check(order)
    options = ReadOptions(
        language=order.language,
        encoding=order.encoding,
        include_roles=order.include_roles,
        tables="read" if order.tables == "read" else "skip",
    )
    document = read_script(order.source, format=order.script_format, options=options)
    return replace(
        document,
        title=order.title or document.title or order.source.stem,
        author=document.author if order.author is None else order.author,
    )


def plan(order: Order, document: ScriptDocument, voices: Sequence[VoiceRecord], store: Store | None) -> ImportPlan:
    """Cast and plan; the cover goes to ``store``, or nowhere in a dry run. Raises CastingError, ProfileUnknown …"""
    from db.records import JobOptions
    from scheduler.casting import cast
    from scheduler.local.voices import NARRATORS
    from scheduler.planning import make_plan, source_sha256

    engine = order.engine or DEFAULT_ENGINE
    narrator = order.voice or NARRATORS.get(engine)
    if narrator is None:
        raise OrderError(f"engine {engine!r} has no voice of its own: name the narrator with --voice")
    casting = cast(document, voices, narrator=narrator, overrides=order.cast)
    options = JobOptions.model_validate(
        {"formats": order.formats, "review": order.review, "year": document.year, "cover": _keep_cover(document, store)}
    )
    return make_plan(
        document,
        casting,
        slug=order.slug or slug_of(document.title, order.source.stem),
        source_name=order.source.name,
        source_sha256=source_sha256(order.source),
        profile=order.profile,
        options=options,
        out_url=order.out_url,
        priority=order.priority,
    )


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
    if document.cover is None or store is None:
        return None
    return store.put_bytes(document.cover, "png" if document.cover.startswith(b"\x89PNG") else "jpg")
