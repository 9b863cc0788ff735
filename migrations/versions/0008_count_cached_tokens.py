"""Count cached, cache-write and reasoning tokens; keep service tier and billed model."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

DETAILS = ("cached", "cache_write", "reasoning")

# New columns come last: only then can Postgres replace a view and keep its grants.
RUN_LIST = """
{create} run_list AS
SELECT run_id, {started} AS started, source, status, recording, assistant_id, thread_id, model,
       error, input_text_tokens, completion_tokens, total_tokens, events,
       {requested} AS requested, cached_tokens, cache_write_tokens, reasoning_tokens, service_tier
  FROM runs
 ORDER BY started_at DESC, run_id DESC
"""
TIME_SQLITE = (
    "strftime('%Y-%m-%dT%H:%M:%S', {0} / 1000000, 'unixepoch') || printf('.%06dZ', {0} % 1000000)"
)
TIME_POSTGRES = (
    "to_char(to_timestamp(0) AT TIME ZONE 'UTC' + {0} * interval '1 microsecond',"
    ' \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\')'
)


def upgrade() -> None:
    sqlite = op.get_context().dialect.name == "sqlite"
    if sqlite:
        op.execute("DROP VIEW run_list")
    op.add_column("runs", sa.Column("cache_write_tokens", Big))
    for name in ("call_usage", "service_tier", "billed_model"):
        op.add_column("runs", sa.Column(name, sa.Text))
    _replace_view(sqlite=sqlite)
    for table in ("usage_by_time", "usage_by_value"):
        for detail in DETAILS:
            for part in ("known", "high", "low"):
                column = sa.Column(f"{detail}_{part}", Big, nullable=False, server_default="0")
                op.add_column(table, column)


def _replace_view(*, sqlite: bool) -> None:
    time = TIME_SQLITE if sqlite else TIME_POSTGRES
    view = RUN_LIST.format(
        create="CREATE VIEW" if sqlite else "CREATE OR REPLACE VIEW",
        started=time.format("started_at"),
        requested=time.format("requested_at"),
    )
    op.execute(sa.text(view.replace(":", "\\:")))


def downgrade() -> None:
    raise CommandError("runreel has no downgrades: restore a backup of the older revision")
