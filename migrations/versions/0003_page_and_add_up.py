"""Indexes to page through runs by every filter, and usage rollups."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Small = sa.SmallInteger().with_variant(sa.Integer(), "sqlite")
Key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

# A row of a Postgres index has at most 2,704 bytes.
KEPT = 200
LONG = (
    ("runs", "assistant_id"),
    ("runs", "thread_id"),
    ("runs", "model"),
    ("runs", "response_id"),
    ("run_labels", "key"),
    ("run_labels", "value"),
)

# Name, first column, condition.
INDEXES = (
    ("runs_by_source", "source", None),
    ("runs_by_status", "status", None),
    ("runs_by_assistant", "assistant_id", "assistant_id IS NOT NULL"),
    ("runs_by_thread", "thread_id", "thread_id IS NOT NULL"),
    ("runs_by_model", "model", "model IS NOT NULL"),
    ("runs_by_recording", "recording", "recording <> 'closed'"),
    ("runs_with_error", None, "error IS NOT NULL OR error_code IS NOT NULL"),
    ("runs_without_usage", None, "total_tokens IS NULL"),
)

COUNTS = (
    "runs",
    "known",
    "input_high",
    "input_low",
    "completion_high",
    "completion_low",
    "total_high",
    "total_low",
)
# A sum of 64-bit counts may need more bits, so it is stored in two parts.
PART = 1_000_000_000
SUMS = ", ".join(
    f"coalesce(sum({part}), 0)"
    for tokens in ("input_text_tokens", "completion_tokens", "total_tokens")
    for part in (f"{tokens} / {PART}", f"{tokens} - {tokens} / {PART} * {PART}")
)
# The columns to sum usage by, and spans in quarters of an hour.
DIMENSIONS = ("source", "status", "assistant_id", "model")
QUARTER, HOUR, DAY = 1, 4, 96


def upgrade() -> None:
    if not op.get_context().as_sql:
        for table, column in LONG:
            _shorten(table, column)
    _label_by_time()
    _create_indexes()
    _create_usage()


def _shorten(table: str, column: str) -> None:
    """Shorten values that are too long for an index, as later writes do."""
    # The names are constants of this file.
    where = f"WHERE length({column}) > {KEPT}"
    connection = op.get_bind()
    long = sa.text(f"SELECT DISTINCT {column} FROM {table} {where}")  # noqa: S608
    for (text,) in connection.execute(long).all():
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        short = f"{text[: KEPT - 17]}\N{HORIZONTAL ELLIPSIS}{digest}"
        cut = sa.text(f"UPDATE {table} SET {column} = :short WHERE {column} = :text")  # noqa: S608
        connection.execute(cut, {"short": short, "text": text})


def _label_by_time() -> None:
    op.execute("CREATE TABLE run_labels_before AS SELECT key, value, run_id FROM run_labels")
    op.drop_table("run_labels")
    op.create_table(
        "run_labels",
        sa.Column("key", Key, nullable=False),
        sa.Column("value", Key, nullable=False),
        sa.Column("started_at", Big, nullable=False),
        sa.Column("run_id", Key, nullable=False),
        sa.PrimaryKeyConstraint("key", "value", "started_at", "run_id"),
        sqlite_with_rowid=False,
        sqlite_strict=True,
    )
    op.execute(
        "INSERT INTO run_labels (key, value, started_at, run_id)"
        " SELECT l.key, l.value, r.started_at, r.run_id"
        " FROM run_labels_before AS l JOIN runs AS r ON r.run_id = l.run_id"
    )
    op.drop_table("run_labels_before")
    op.create_index("run_labels_by_run", "run_labels", ["run_id"])


def _create_indexes() -> None:
    for name, column, where in INDEXES:
        columns = ["started_at", "run_id"] if column is None else [column, "started_at", "run_id"]
        _create_index(name, columns, where)
    op.drop_index("runs_by_response", "runs")
    _create_index("runs_by_response", ["response_id"], "response_id IS NOT NULL")


def _create_index(name: str, columns: list[str], where: str | None) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(name, "runs", columns, sqlite_where=condition, postgresql_where=condition)


def _create_usage() -> None:
    op.create_table(
        "usage_by_time",
        sa.Column("span", Small, nullable=False),
        sa.Column("start", Big, nullable=False),
        sa.Column("slot", Small, nullable=False),
        *(sa.Column(name, Big, nullable=False) for name in COUNTS),
        sa.PrimaryKeyConstraint("span", "start", "slot"),
        sqlite_with_rowid=False,
        sqlite_strict=True,
    )
    op.create_table(
        "usage_by_value",
        sa.Column("dimension", Key, nullable=False),
        sa.Column("span", Small, nullable=False),
        sa.Column("start", Big, nullable=False),
        sa.Column("value", Key, nullable=False),
        sa.Column("named", Small, nullable=False),
        sa.Column("slot", Small, nullable=False),
        *(sa.Column(name, Big, nullable=False) for name in COUNTS),
        sa.PrimaryKeyConstraint("dimension", "span", "start", "value", "named", "slot"),
        sqlite_with_rowid=False,
        sqlite_strict=True,
    )
    names = ", ".join(COUNTS)
    counted = f"count(*), count(total_tokens), {SUMS} FROM runs WHERE recording <> 'open'"
    for span in (QUARTER, HOUR):
        op.execute(
            f"INSERT INTO usage_by_time (span, start, slot, {names})"
            f" SELECT {span}, {_start(span)}, 0, {counted} GROUP BY 2"
        )
    for dimension in DIMENSIONS:
        for span in (QUARTER, HOUR, DAY):
            op.execute(
                f"INSERT INTO usage_by_value (dimension, span, start, value, named, slot, {names})"
                f" SELECT '{dimension}', {span}, {_start(span)}, coalesce({dimension}, ''),"
                f" CASE WHEN {dimension} IS NULL THEN 0 ELSE 1 END, 0, {counted}"
                " GROUP BY 3, 4, 5"
            )


def _start(span: int) -> str:
    """Return SQL for the start of a span in quarters of an hour since 1970."""
    length = span * 900_000_000
    # Integer division rounds to zero, also before 1970.
    before = f"CASE WHEN started_at < started_at / {length} * {length} THEN 1 ELSE 0 END"
    return f"(started_at / {length} - {before}) * {span}"


def downgrade() -> None:
    raise CommandError("runreel has no downgrades: restore a backup of the older revision")
