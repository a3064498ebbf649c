"""A cloned voice on its way into the database: what people named, who allowed it, under which digest."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.local.order import OrderError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from db.records import VoiceRecord
    from db.settings import Settings
    from synthesis.gptsovits.registering import ClipFiles
    from synthesis.gptsovits.voice import Voice


@dataclass(frozen=True, slots=True)
class ConsentGiven:
    """Who allows the voice to be heard."""

    kind: str
    holder: str = ""
    evidence: str = ""
    expires_at: datetime | None = None


def clips_of(
    audio: Sequence[Path], texts: Sequence[str], languages: Sequence[str], emotions: Sequence[str], also: Sequence[Path]
) -> list[ClipFiles]:
    """Clips from options given once per clip. Raises OrderError when their numbers do not go together."""
    from synthesis.gptsovits.registering import ClipFiles

    if len(texts) != len(audio):
        raise OrderError(f"{len(audio)} --ref and {len(texts)} --ref-text: each clip needs its own transcript")
    if len(languages) not in (1, len(audio)):
        raise OrderError(f"{len(audio)} --ref and {len(languages)} --ref-lang: give one for all, or one for each")
    if emotions and len(emotions) != len(audio):
        raise OrderError(f"{len(audio)} --ref and {len(emotions)} --ref-emotion: give one for each, '' for none")
    spoken = list(languages) * (len(audio) if len(languages) == 1 else 1)
    tags = [_parts(each) for each in emotions] or [()] * len(audio)
    return [
        ClipFiles(path, text, language, emotion, tuple(also) if not number else ())
        for number, (path, text, language, emotion) in enumerate(zip(audio, texts, spoken, tags, strict=True))
    ]


def store_voice(
    settings: Settings,
    name: str,
    voice: Voice,
    *,
    version: str | None,
    languages: str | None,
    description: str,
    consent: ConsentGiven | None,
) -> VoiceRecord:
    """Store a voice, and its consent if there is one, in one transaction. Raises OrderError, DatabaseUnavailable.

    The digest is made of contents: a file that only moved is the same voice, and its new place is written down.
    """
    from db.digest import voice_digest
    from db.queries import voices
    from synthesis.gptsovits.registering import languages_of
    from synthesis.gptsovits.voice import ENGINE, ENGINE_VERSION

    able = languages_of(voice, version)
    wanted = _parts(languages) if languages is not None else able
    if not wanted or set(wanted) - set(able):
        raise OrderError(f"--languages {languages!r}: this voice speaks {', '.join(able)} (zh with --roberta)")
    with _database(settings) as conn:
        voice_id = voices.upsert_voice(
            conn,
            name=name,
            version=1,
            engine=ENGINE,
            engine_version=ENGINE_VERSION,
            languages=wanted,
            parameters=voice.to_parameters(),
            description=description,
            digest=voice_digest(name, 1, ENGINE, ENGINE_VERSION, voice.identity()),
        )
        if consent is not None:
            voices.ensure_consent(
                conn, voice_id, consent.kind, consent.holder, consent.evidence, expires_at=consent.expires_at
            )
        return voices.get_voice_by_id(conn, voice_id)


@contextlib.contextmanager
def _database(settings: Settings) -> Iterator[sa.Connection]:
    """A transaction on the configured database, or on this home's own, which is made if need be."""
    from db.migrate import upgrade
    from db.schema import require_current
    from db.server import EmbeddedPostgres
    from db.session import make_engine

    with contextlib.ExitStack() as stack:
        if settings.database_url is None:
            settings.home.mkdir(parents=True, exist_ok=True)
            url = stack.enter_context(EmbeddedPostgres(settings.home)).url
            upgrade(url)
        else:
            url = settings.database_url
        database = make_engine(url, pool_size=1, application_name="voicefarm-voices")
        stack.callback(database.dispose)
        with database.begin() as conn:
            require_current(conn)
            yield conn


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
