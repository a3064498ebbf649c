"""Takes are found by line through their unique key (line, attempt): an index on the line alone serves nobody.

Revision: 0003
After: 0002
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index("ix_take_line_id", table_name="take", postgresql_concurrently=True, if_exists=True)
