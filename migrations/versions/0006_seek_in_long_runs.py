"""Seek in long runs: states of runs at some of their rows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "key_frames",
        sa.Column("run_id", Key, nullable=False),
        sa.Column("seq", Big, nullable=False),
        sa.Column("base", Big),
        sa.Column("keep", Big, nullable=False),
        sa.Column("until", Big),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "seq"),
        # Its rows are too long for a table without rowid.
        sqlite_strict=True,
    )


def downgrade() -> None:
    raise CommandError("runreel has no downgrades: restore a backup of the older revision")
