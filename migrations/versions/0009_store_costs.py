"""Store what runs cost, with sums by hour and by day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Small = sa.SmallInteger().with_variant(sa.Integer(), "sqlite")
Key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
COMPACT = {"sqlite_with_rowid": False, "sqlite_strict": True}


def upgrade() -> None:
    op.create_table(
        "cost_books",
        sa.Column("book", Big, nullable=False, autoincrement=False),
        sa.Column("digest", Key, nullable=False),
        sa.PrimaryKeyConstraint("book"),
        sqlite_strict=True,
    )
    op.create_table(
        "run_costs",
        sa.Column("run_id", Key, nullable=False),
        sa.Column("book", Big, nullable=False),
        sa.Column("currency", Key),
        sa.Column("cost", Key),
        sa.Column("reason", Key),
        sa.PrimaryKeyConstraint("run_id", "book"),
        **COMPACT,
    )
    op.create_table(
        "cost_hours",
        sa.Column("book", Big, nullable=False),
        sa.Column("start", Big, nullable=False),
        sa.Column("runs", Big, nullable=False),
        sa.PrimaryKeyConstraint("book", "start"),
        **COMPACT,
    )
    op.create_table(
        "cost_sums",
        sa.Column("book", Big, nullable=False),
        sa.Column("dimension", Key, nullable=False),
        sa.Column("span", Small, nullable=False),
        sa.Column("start", Big, nullable=False),
        sa.Column("sums", Key, nullable=False),
        sa.PrimaryKeyConstraint("book", "dimension", "span", "start"),
        **COMPACT,
    )


def downgrade() -> None:
    raise CommandError("runreel has no downgrades: restore a backup of the older revision")
