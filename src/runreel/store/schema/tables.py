"""All tables as SQLAlchemy Core metadata; ``migrations/`` builds exactly these."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

# Increase it when the projector or the meaning of a projection's column changes.
PROJECTION_VERSION = "5"

metadata = MetaData()

# STRICT tables of SQLite have INTEGER only, which is 64 bits wide.
Big = BigInteger().with_variant(Integer(), "sqlite")
Small = SmallInteger().with_variant(Integer(), "sqlite")

# Ids compare by their bytes on both databases, at any locale of the server.
Key = Text().with_variant(Text(collation="C"), "postgresql")

# Compressed on SQLite; Postgres compresses long texts itself.
Packed = LargeBinary().with_variant(Text(collation="C"), "postgresql")

_compact: dict[str, Any] = {"sqlite_with_rowid": False, "sqlite_strict": True}


def _page(name: str, *columns: str, where: str | None = None) -> Index:
    """Return an index along which a list of runs is read page by page."""
    condition = None if where is None else text(where)
    return Index(
        name,
        *columns,
        "started_at",
        "run_id",
        sqlite_where=condition,
        postgresql_where=condition,
    )


def _counts() -> list[Column[int]]:
    """Return the columns for runs, runs with known usage, and tokens, in parts of 64-bit sums.

    For each detail, ``known`` is the number of runs that reported it.
    """
    sums = (f"{tokens}_{part}" for tokens in ("input", "completion", "total") for part in _PARTS)
    details = (f"{detail}_{part}" for detail in _DETAILS for part in ("known", *_PARTS))
    return [
        *(Column(name, Big, nullable=False) for name in ("runs", "known", *sums)),
        *(Column(name, Big, nullable=False, server_default=text("0")) for name in details),
    ]


_PARTS = ("high", "low")
_DETAILS = ("cached", "cache_write", "reasoning")

events = Table(
    "events",
    metadata,
    Column("run_id", Key, nullable=False),
    Column("seq", Big, nullable=False),
    Column("kind", Text, nullable=False),
    Column("type", Text),
    Column("source_index", Big),
    Column("at", Big, nullable=False),
    Column("elapsed", Big, nullable=False),
    Column("keep", Big),
    Column("added", Big),
    Column("payload", Text),
    Column("salt", LargeBinary),
    Column("redacted", LargeBinary),
    Column("digest", LargeBinary, nullable=False),
    PrimaryKeyConstraint("run_id", "seq"),
    CheckConstraint("seq >= 0", name="events_seq"),
    CheckConstraint("length(run_id) BETWEEN 1 AND 200", name="events_run_id"),
    CheckConstraint(
        "kind IN ('run', 'stream_event', 'context', 'tool_results', 'note')", name="events_kind"
    ),
    CheckConstraint(
        "(payload IS NULL) = (redacted IS NOT NULL) AND (payload IS NULL) = (salt IS NULL)",
        name="events_erased",
    ),
    **_compact,
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", Key, nullable=False),
    Column("source", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("recording", Text, nullable=False),
    Column("assistant_id", Text),
    Column("thread_id", Text),
    Column("created_by", Text),
    Column("model", Text),
    Column("labels", Text),
    Column("error", Text),
    Column("error_code", Text),
    Column("tool_calls", Text),
    Column("created_at", Big),
    Column("started_at", Big, nullable=False),
    Column("first_text_at", Big),
    Column("finished_at", Big),
    Column("input_text_tokens", Big),
    Column("completion_tokens", Big),
    Column("total_tokens", Big),
    Column("cached_tokens", Big),
    Column("reasoning_tokens", Big),
    Column("response_id", Key),
    Column("events", Big, nullable=False),
    Column("result", LargeBinary, nullable=False),
    Column("projected_seq", Big, nullable=False),
    Column("requested_at", Big),
    Column("cache_write_tokens", Big),
    Column("call_usage", Text),
    Column("service_tier", Text),
    Column("billed_model", Text),
    PrimaryKeyConstraint("run_id"),
    _page("runs_by_start"),
    _page("runs_by_source", "source"),
    _page("runs_by_status", "status"),
    _page("runs_by_assistant", "assistant_id", where="assistant_id IS NOT NULL"),
    _page("runs_by_thread", "thread_id", where="thread_id IS NOT NULL"),
    _page("runs_by_model", "model", where="model IS NOT NULL"),
    _page("runs_by_recording", "recording", where="recording <> 'closed'"),
    _page("runs_with_error", where="error IS NOT NULL OR error_code IS NOT NULL"),
    _page("runs_without_usage", where="total_tokens IS NULL"),
    sqlite_strict=True,
)

run_labels = Table(
    "run_labels",
    metadata,
    Column("key", Key, nullable=False),
    Column("value", Key, nullable=False),
    Column("started_at", Big, nullable=False),
    Column("run_id", Key, nullable=False),
    PrimaryKeyConstraint("key", "value", "started_at", "run_id"),
    Index("run_labels_by_run", "run_id"),
    **_compact,
)

run_keys = Table(
    "run_keys",
    metadata,
    Column("kind", Key, nullable=False),
    Column("key", Key, nullable=False),
    Column("at", Big, nullable=False),
    Column("run_id", Key, nullable=False),
    Column("seq", Big, nullable=False),
    PrimaryKeyConstraint("kind", "key", "at", "run_id", "seq"),
    Index("run_keys_by_run", "run_id", "seq"),
    **_compact,
)

key_frames = Table(
    "key_frames",
    metadata,
    Column("run_id", Key, nullable=False),
    Column("seq", Big, nullable=False),
    Column("base", Big),
    Column("keep", Big, nullable=False),
    Column("until", Big),
    Column("text", LargeBinary, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    PrimaryKeyConstraint("run_id", "seq"),
    sqlite_strict=True,
)

run_text = Table(
    "run_text",
    metadata,
    Column("run_id", Key, nullable=False),
    Column("part", Key, nullable=False),
    Column("text", Packed, nullable=False),
    PrimaryKeyConstraint("run_id", "part"),
    sqlite_strict=True,
)

usage_by_time = Table(
    "usage_by_time",
    metadata,
    Column("span", Small, nullable=False),
    Column("start", Big, nullable=False),
    Column("slot", Small, nullable=False),
    *_counts(),
    PrimaryKeyConstraint("span", "start", "slot"),
    **_compact,
)

usage_by_value = Table(
    "usage_by_value",
    metadata,
    Column("dimension", Key, nullable=False),
    Column("span", Small, nullable=False),
    Column("start", Big, nullable=False),
    Column("value", Key, nullable=False),
    Column("named", Small, nullable=False),
    Column("slot", Small, nullable=False),
    *_counts(),
    PrimaryKeyConstraint("dimension", "span", "start", "value", "named", "slot"),
    **_compact,
)

cost_books = Table(
    "cost_books",
    metadata,
    Column("book", Big, nullable=False, autoincrement=False),
    Column("digest", Key, nullable=False),
    PrimaryKeyConstraint("book"),
    sqlite_strict=True,
)

run_costs = Table(
    "run_costs",
    metadata,
    Column("run_id", Key, nullable=False),
    Column("book", Big, nullable=False),
    Column("currency", Key),
    Column("cost", Key),
    Column("reason", Key),
    PrimaryKeyConstraint("run_id", "book"),
    **_compact,
)

cost_hours = Table(
    "cost_hours",
    metadata,
    Column("book", Big, nullable=False),
    Column("start", Big, nullable=False),
    Column("runs", Big, nullable=False),
    PrimaryKeyConstraint("book", "start"),
    **_compact,
)

cost_sums = Table(
    "cost_sums",
    metadata,
    Column("book", Big, nullable=False),
    Column("dimension", Key, nullable=False),
    Column("span", Small, nullable=False),
    Column("start", Big, nullable=False),
    Column("sums", Key, nullable=False),
    PrimaryKeyConstraint("book", "dimension", "span", "start"),
    **_compact,
)

PROJECTIONS = (
    *(runs, run_labels, run_keys, key_frames, run_text, usage_by_time, usage_by_value),
    *(cost_books, run_costs, cost_hours, cost_sums),
)

meta = Table(
    "runreel_meta",
    metadata,
    Column("key", Key, nullable=False),
    Column("value", Key, nullable=False),
    PrimaryKeyConstraint("key"),
    **_compact,
)
