"""When a job last moved, and an index to find stale lines by.

Revision: 0002
After: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "job", sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)
    )
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_line_stale",
            "line",
            ["id"],
            unique=False,
            postgresql_where=sa.text("state = 'stale'"),
            postgresql_concurrently=True,
        )
