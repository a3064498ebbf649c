"""The first schema.

Revision: 0001
After: nothing
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _titles()
    _work()
    _results()
    _machinery()


def _titles() -> None:
    """Productions, voices with their consents, scripts."""
    op.create_table(
        "production",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), server_default="", nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("priority", sa.BigInteger(), server_default=sa.text("50"), nullable=False),
        sa.Column("state", sa.Text(), server_default="active", nullable=False),
        sa.Column("watermark_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("state IN ('active', 'paused')", name=op.f("ck_production_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_production")),
        sa.UniqueConstraint("slug", name=op.f("uq_production_slug")),
    )
    op.create_table(
        "voice",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("engine_version", sa.Text(), nullable=False),
        sa.Column("languages", JSONB(), nullable=False),
        sa.Column("parameters", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voice")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_voice_name_version")),
    )
    op.create_table(
        "consent",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("voice_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), server_default="", nullable=False),
        sa.Column("evidence", sa.Text(), server_default="", nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('synthetic', 'signed', 'licence')", name=op.f("ck_consent_kind")),
        sa.ForeignKeyConstraint(["voice_id"], ["voice.id"], name=op.f("fk_consent_voice_id_voice")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
    )
    op.create_index(op.f("ix_consent_voice_id"), "consent", ["voice_id"], unique=False)
    op.create_table(
        "script",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("production_id", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("source_name", sa.Text(), nullable=False),
        sa.Column("source_sha256", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["production_id"], ["production.id"], name=op.f("fk_script_production_id_production")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_script")),
        sa.UniqueConstraint("production_id", "revision", name=op.f("uq_script_production_id_revision")),
    )


def _work() -> None:
    """Jobs, sections and lines: everything with a life. One partial index per hot query."""
    op.create_table(
        "job",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("production_id", sa.BigInteger(), nullable=False),
        sa.Column("script_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="active", nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("waiting", sa.BigInteger(), nullable=False),
        sa.Column("out_url", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("options", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('active', 'ready', 'delivering', 'delivered', 'failed', 'cancelled')", name=op.f("ck_job_state")
        ),
        sa.CheckConstraint("waiting >= 0", name=op.f("ck_job_waiting")),
        sa.ForeignKeyConstraint(["production_id"], ["production.id"], name=op.f("fk_job_production_id_production")),
        sa.ForeignKeyConstraint(["script_id"], ["script.id"], name=op.f("fk_job_script_id_script")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
    )
    op.create_index(op.f("ix_job_production_id"), "job", ["production_id"], unique=False)
    op.create_table(
        "track",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("section_id", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("files", JSONB(), nullable=False),
        sa.Column("samples", sa.BigInteger(), nullable=False),
        sa.Column("sample_rate", sa.BigInteger(), nullable=False),
        sa.Column("loudness_lufs", sa.Double(), nullable=False),
        sa.Column("true_peak_dbtp", sa.Double(), nullable=False),
        sa.Column("measurements", JSONB(), nullable=False),
        sa.Column("offsets", JSONB(), nullable=False),
        sa.Column("watermark", sa.BigInteger(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_track")),
    )
    op.create_index(op.f("ix_track_digest"), "track", ["digest"], unique=False)
    op.create_index(op.f("ix_track_section_id"), "track", ["section_id"], unique=False)
    op.create_table(
        "section",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("production_id", sa.BigInteger(), nullable=False),
        sa.Column("script_id", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("waiting", sa.BigInteger(), nullable=False),
        sa.Column("track_id", sa.BigInteger(), nullable=True),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'ready', 'assembling', 'assembled', 'failed', 'cancelled')",
            name=op.f("ck_section_state"),
        ),
        sa.CheckConstraint("waiting >= 0", name=op.f("ck_section_waiting")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_section_job_id_job")),
        sa.ForeignKeyConstraint(["production_id"], ["production.id"], name=op.f("fk_section_production_id_production")),
        sa.ForeignKeyConstraint(["script_id"], ["script.id"], name=op.f("fk_section_script_id_script")),
        sa.ForeignKeyConstraint(["track_id"], ["track.id"], name=op.f("fk_section_track_id_track")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_section")),
        sa.UniqueConstraint("script_id", "position", name=op.f("uq_section_script_id_position")),
    )
    op.create_index("ix_section_job_id", "section", ["job_id"], unique=False)
    op.create_table(
        "line",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("production_id", sa.BigInteger(), nullable=False),
        sa.Column("section_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("character", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("spoken", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("pause_ms", sa.BigInteger(), nullable=False),
        sa.Column("in_ms", sa.BigInteger(), nullable=True),
        sa.Column("out_ms", sa.BigInteger(), nullable=True),
        sa.Column("direction", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("voice_id", sa.BigInteger(), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("attempt", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("burnt", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("alone", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("take_id", sa.BigInteger(), nullable=True),
        sa.Column("failure_class", sa.Text(), nullable=True),
        sa.Column("failure_message", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "failure_class IS NULL OR failure_class IN ('crash', 'oom', 'timeout', 'engine_error', "
            "'model_missing', 'store_full', 'bad_text', 'consent_revoked')",
            name=op.f("ck_line_failure_class"),
        ),
        sa.CheckConstraint("state <> 'accepted' OR take_id IS NOT NULL", name=op.f("ck_line_accepted_has_take")),
        sa.CheckConstraint(
            "state IN ('pending', 'queued', 'rendering', 'rendered', 'accepted', 'failed', 'held', 'stale', "
            "'skipped', 'cancelled')",
            name=op.f("ck_line_state"),
        ),
        sa.ForeignKeyConstraint(["production_id"], ["production.id"], name=op.f("fk_line_production_id_production")),
        sa.ForeignKeyConstraint(["section_id"], ["section.id"], name=op.f("fk_line_section_id_section")),
        sa.ForeignKeyConstraint(["voice_id"], ["voice.id"], name=op.f("fk_line_voice_id_voice")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_line")),
        sa.UniqueConstraint("section_id", "position", name=op.f("uq_line_section_id_position")),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index("ix_line_held", "line", ["voice_id"], unique=False, postgresql_where=sa.text("state = 'held'"))
    op.create_index(
        "ix_line_pending", "line", ["production_id", "id"], unique=False, postgresql_where=sa.text("state = 'pending'")
    )
    op.create_index("ix_line_queued", "line", ["queued_at"], unique=False, postgresql_where=sa.text("state = 'queued'"))
    op.create_index(
        "ix_line_rendering", "line", ["session_id"], unique=False, postgresql_where=sa.text("state = 'rendering'")
    )


def _results() -> None:
    """What was made: takes, deliverables, watermarks."""
    op.create_table(
        "take",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("audio_sha256", sa.Text(), nullable=False),
        sa.Column("samples", sa.BigInteger(), nullable=False),
        sa.Column("sample_rate", sa.BigInteger(), nullable=False),
        sa.Column("voice", sa.Text(), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("engine_version", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("findings", JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("render_ms", sa.BigInteger(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_take")),
        sa.UniqueConstraint("line_id", "attempt", name=op.f("uq_take_line_id_attempt")),
    )
    op.create_index(op.f("ix_take_digest"), "take", ["digest"], unique=False)
    op.create_index(op.f("ix_take_line_id"), "take", ["line_id"], unique=False)
    op.create_table(
        "deliverable",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_deliverable_job_id_job")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliverable")),
        sa.UniqueConstraint("job_id", "name", name=op.f("uq_deliverable_job_id_name")),
    )
    op.create_index(op.f("ix_deliverable_job_id"), "deliverable", ["job_id"], unique=False)
    op.create_table(
        "watermark",
        sa.Column("payload", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("production_id", sa.BigInteger(), nullable=False),
        sa.Column("deliverable", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["production_id"], ["production.id"], name=op.f("fk_watermark_production_id_production")
        ),
        sa.PrimaryKeyConstraint("payload", name=op.f("pk_watermark")),
    )
    op.create_index(op.f("ix_watermark_production_id"), "watermark", ["production_id"], unique=False)


def _machinery() -> None:
    """Worker sessions, holds, the outbox and the history."""
    op.create_table(
        "worker_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("engine", sa.Text(), server_default="", nullable=False),
        sa.Column("device", sa.Text(), server_default="", nullable=False),
        sa.Column("capacity", sa.BigInteger(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("voices", JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("counters", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker_session")),
    )
    op.create_table(
        "hold",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("failure_class", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold")),
        sa.UniqueConstraint("scope", "key", name=op.f("uq_hold_scope_key")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("args", JSONB(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("entity_id", sa.BigInteger(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=True),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("detail", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    op.create_index("ix_event_entity", "event", ["entity", "entity_id"], unique=False)
