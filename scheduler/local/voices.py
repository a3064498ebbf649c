"""The voices that come with the engines, for casting with or without a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa

    from db.records import VoiceRecord

NARRATORS = {"draft": "draft-narrator", "fake": "fake-1"}
"""Who narrates when nobody was named, by engine."""


def register_builtin_voices(conn: sa.Connection) -> int:
    """Store every engine's built-in voices with the consent nobody's voice needs; returns how many."""
    from synthesis.registry import WITH_VOICES, make_engine
    from workers.voices import register_engine_voices

    count = 0
    for name in WITH_VOICES:
        engine = make_engine(name)
        try:
            count += register_engine_voices(conn, engine)
        finally:
            engine.close()
    return count


def builtin_voices(engine_name: str) -> list[VoiceRecord]:
    """An engine's built-in voices as if they were stored (ids 1, 2, …): what `plan` casts from without a database."""
    from db.digest import voice_digest
    from db.records import VoiceRecord
    from synthesis.registry import WITH_VOICES, make_engine

    if engine_name not in WITH_VOICES:
        return []
    engine = make_engine(engine_name)
    try:
        return [
            VoiceRecord(
                id=number,
                name=voice.name,
                version=voice.version,
                engine=engine.name,
                engine_version=engine.version,
                languages=voice.languages,
                parameters=voice.parameters,
                description=voice.description,
                digest=voice_digest(voice.name, voice.version, engine.name, engine.version, voice.parameters),
                live=True,
            )
            for number, voice in enumerate(engine.voices(), start=1)
        ]
    finally:
        engine.close()
