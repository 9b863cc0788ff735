"""Find runs by ids of their responses and tool calls, and by their requests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "run_keys",
        sa.Column("kind", Key, nullable=False),
        sa.Column("key", Key, nullable=False),
        sa.Column("at", Big, nullable=False),
        sa.Column("run_id", Key, nullable=False),
        sa.Column("seq", Big, nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", "at", "run_id", "seq"),
        sqlite_with_rowid=False,
        sqlite_strict=True,
    )
    op.create_index("run_keys_by_run", "run_keys", ["run_id", "seq"])
    # Until the next rebuild: enough to continue the last response of each run.
    op.execute(
        "INSERT INTO run_keys (kind, key, at, run_id, seq)"
        " SELECT 'response', response_id, started_at, run_id, projected_seq"
        " FROM runs WHERE response_id IS NOT NULL"
    )
    op.drop_index("runs_by_response", "runs")


def downgrade() -> None:
    raise CommandError("runreel has no downgrades: restore a backup of the older revision")
