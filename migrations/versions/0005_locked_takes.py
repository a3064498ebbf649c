"""Lines that keep their take whatever a later revision says.

Revision: 0005
After: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "locked_take",
        sa.Column("production_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("take_id", sa.BigInteger(), nullable=False),
        sa.Column("locked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["production_id"], ["production.id"], name=op.f("fk_locked_take_production_id_production")
        ),
        sa.ForeignKeyConstraint(["take_id"], ["take.id"], name=op.f("fk_locked_take_take_id_take")),
        sa.PrimaryKeyConstraint("production_id", "key", name=op.f("pk_locked_take")),
    )
