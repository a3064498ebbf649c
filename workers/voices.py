"""The voices an engine brings with it, written where the scheduler can cast them."""

from __future__ import annotations

import sqlalchemy as sa

from db.digest import voice_digest
from db.queries import voices
from synthesis.engine import Engine


def register_engine_voices(conn: sa.Connection, engine: Engine) -> int:
    """Store the engine's built-in voices with the consent nobody's voice needs; returns how many. Safe to repeat."""
    built_in = engine.voices()
    for voice in built_in:
        voice_id = voices.upsert_voice(
            conn,
            name=voice.name,
            version=voice.version,
            engine=engine.name,
            engine_version=engine.version,
            languages=voice.languages,
            parameters=voice.parameters,
            description=voice.description,
            digest=voice_digest(voice.name, voice.version, engine.name, engine.version, voice.parameters),
        )
        voices.ensure_consent(conn, voice_id, "synthetic")
    return len(built_in)
