"""The lexicon: terms, how they are said, and where that holds.

Revision: 0004
After: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lexicon_entry",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("term", sa.Text(), nullable=False),
        sa.Column("reading", sa.Text(), nullable=False),
        sa.Column("alphabet", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), server_default="", nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("scope_key", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), server_default="draft", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "scope IN ('farm', 'production', 'character', 'voice')", name=op.f("ck_lexicon_entry_scope")
        ),
        sa.CheckConstraint("(scope = 'farm') = (scope_key = '')", name=op.f("ck_lexicon_entry_scope_key")),
        sa.CheckConstraint("status IN ('draft', 'reviewed')", name=op.f("ck_lexicon_entry_status")),
        sa.CheckConstraint("term <> '' AND reading <> ''", name=op.f("ck_lexicon_entry_filled")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lexicon_entry")),
        sa.UniqueConstraint(
            "term", "language", "scope", "scope_key", name=op.f("uq_lexicon_entry_term_language_scope_scope_key")
        ),
    )
