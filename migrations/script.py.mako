"""${message}

Revision: ${up_revision}
After: ${down_revision or "nothing"}

Policy, read before writing:
- Old code runs on the new schema while a farm is being upgraded. Add columns as nullable or with a server default;
  drop or rename only in a later release than the one that stopped using the name.
- Locks are waited for 4 s and a statement may take 30 s (env.py). Raise it here, for this migration only, with
  op.execute("SET LOCAL statement_timeout = '10min'") and say why.
- An index on a table that is in use: with op.get_context().autocommit_block(): op.create_index(..., postgresql_concurrently=True).
- A new NOT NULL or CHECK on a big table: add it NOT VALID, validate it in the next migration.
- Change db/models.py in the same commit; a test compares the two. There is no downgrade: go forward.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "raise NotImplementedError"}
