"""Voices and the consents that let them be heard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from db.errors import NotFound
from db.notify import notify
from db.queries.holds import release_voice
from db.records import VoiceRecord

LIVE = (
    "EXISTS (SELECT 1 FROM consent c WHERE c.voice_id = v.id AND c.revoked_at IS NULL "
    "AND (c.expires_at IS NULL OR c.expires_at > now()))"
)
"""SQL: whether a consent covers voice ``v`` now."""

_COLUMNS = (
    "v.id, v.name, v.version, v.engine, v.engine_version, v.languages, v.parameters, v.description, v.digest, "
    f"{LIVE} AS live"
)
_LATEST = sa.text(
    f"SELECT DISTINCT ON (v.name) {_COLUMNS} FROM voice v "
    "WHERE CAST(:engine AS text) IS NULL OR v.engine = :engine ORDER BY v.name, v.version DESC"
)
_NAMED = sa.text(
    f"SELECT {_COLUMNS} FROM voice v WHERE v.name = :name "
    "AND (CAST(:version AS bigint) IS NULL OR v.version = :version) ORDER BY v.version DESC LIMIT 1"
)
_BY_ID = sa.text(f"SELECT {_COLUMNS} FROM voice v WHERE v.id = :id")
_VERSIONS = sa.text("SELECT id, version, digest FROM voice WHERE name = :name")
_ADD = sa.text(
    "INSERT INTO voice (name, version, engine, engine_version, languages, parameters, description, digest) "
    "VALUES (:name, :version, :engine, :engine_version, :languages, :parameters, :description, :digest) RETURNING id"
).bindparams(sa.bindparam("languages", type_=JSONB), sa.bindparam("parameters", type_=JSONB))
_PROLONG = sa.text(
    "UPDATE consent SET expires_at = :expires_at WHERE voice_id = :voice_id AND kind = :kind AND holder = :holder "
    "AND evidence = :evidence RETURNING id"
)
_CONSENT = sa.text(
    "INSERT INTO consent (voice_id, kind, holder, evidence, expires_at) "
    "VALUES (:voice_id, :kind, :holder, :evidence, :expires_at) RETURNING id"
)
_THERE = sa.text("SELECT true FROM voice WHERE id = :id")
_REVOKE = sa.text("UPDATE consent SET revoked_at = now() WHERE voice_id = :id AND revoked_at IS NULL")
_LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('voicefarm.voice:' || :name, 0))")
_TELL = sa.text(
    "UPDATE voice SET languages = :languages, description = :description, parameters = :parameters WHERE id = :id "
    "AND (languages, description, parameters) IS DISTINCT FROM (:languages, :description, :parameters)"
).bindparams(
    sa.bindparam("languages", type_=JSONB),
    sa.bindparam("description", type_=sa.Text),
    sa.bindparam("parameters", type_=JSONB),
)


def upsert_voice(
    conn: sa.Connection,
    *,
    name: str,
    version: int,
    engine: str,
    engine_version: str,
    languages: Sequence[str],
    parameters: Mapping[str, Any],
    description: str,
    digest: str,
) -> int:
    """Make sure a voice is known, and return its id.

    A voice that sounds different is another version: when ``version`` is taken by another digest, the next free
    number is used, so lines already rendered keep the voice they were rendered with. Languages, description and what
    of the parameters is not in the digest (where files are) do not change the sound and are brought up to date.
    """
    conn.execute(_LOCK, {"name": name})
    known = conn.execute(_VERSIONS, {"name": name}).all()
    for row in known:
        if row.digest == digest:
            told = {"languages": list(languages), "description": description, "parameters": dict(parameters)}
            conn.execute(_TELL, {"id": row.id, **told})
            return int(row.id)
    taken = {row.version for row in known}
    values = {
        "name": name,
        "version": version if version not in taken else max(taken) + 1,
        "engine": engine,
        "engine_version": engine_version,
        "languages": list(languages),
        "parameters": dict(parameters),
        "description": description,
        "digest": digest,
    }
    return int(conn.execute(_ADD, values).scalar_one())


def ensure_consent(
    conn: sa.Connection,
    voice_id: int,
    kind: str,
    holder: str = "",
    evidence: str = "",
    expires_at: datetime | None = None,
) -> int:
    """Make sure this consent is on record, and return its id. Lines held for want of a live one go on at once.

    One that was revoked stays revoked: a worker that registers its voices at every start must not undo what a person
    decided. A new consent has other evidence.
    """
    conn.execute(_LOCK, {"name": f"consent {voice_id}"})
    values = {"voice_id": voice_id, "kind": kind, "holder": holder, "evidence": evidence, "expires_at": expires_at}
    consent = conn.scalar(_PROLONG, values)
    if consent is None:
        consent = conn.execute(_CONSENT, values).scalar_one()
    release_voice(conn, voice_id)
    return int(consent)


def revoke_consent(conn: sa.Connection, voice_id: int) -> int:
    """Revoke every consent of a voice from now on; returns how many were live. Raises NotFound for an unknown voice."""
    if conn.scalar(_THERE, {"id": voice_id}) is None:
        raise NotFound("voice", voice_id)
    revoked = conn.execute(_REVOKE, {"id": voice_id})
    notify(conn)
    return revoked.rowcount


def list_voices(conn: sa.Connection, engine: str | None = None) -> list[VoiceRecord]:
    """The newest version of each voice (of one engine), by name."""
    return [_record(row) for row in conn.execute(_LATEST, {"engine": engine})]


def get_voice(conn: sa.Connection, name: str, version: int | None = None) -> VoiceRecord:
    """One voice: the newest version, or the one asked for. Raises NotFound."""
    row = conn.execute(_NAMED, {"name": name, "version": version}).one_or_none()
    if row is None:
        raise NotFound("voice", name if version is None else f"{name}@{version}")
    return _record(row)


def get_voice_by_id(conn: sa.Connection, voice_id: int) -> VoiceRecord:
    """One voice in exactly this version. Raises NotFound."""
    row = conn.execute(_BY_ID, {"id": voice_id}).one_or_none()
    if row is None:
        raise NotFound("voice", voice_id)
    return _record(row)


def _record(row: sa.Row[Any]) -> VoiceRecord:
    return VoiceRecord(
        id=row.id,
        name=row.name,
        version=row.version,
        engine=row.engine,
        engine_version=row.engine_version,
        languages=tuple(row.languages),
        parameters=row.parameters,
        description=row.description,
        digest=row.digest,
        live=row.live,
    )
