"""Search the texts of runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

Key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
# Compressed on SQLite; Postgres compresses long texts itself.
Packed = sa.LargeBinary().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "run_text",
        sa.Column("run_id", Key, nullable=False),
        sa.Column("part", Key, nullable=False),
        sa.Column("text", Packed, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "part"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    raise CommandError("runreel has no downgrades: restore a backup of the older revision")
