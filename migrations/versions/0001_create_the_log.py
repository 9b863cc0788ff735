"""Create the event log, the projections and the views."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

from runreel.store.schema.migrations import PROJECTION_VERSION

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# Ids compare by their bytes, at any locale of the server.
Key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

TRANSCRIPT_SQLITE = """
CREATE VIEW transcript AS
SELECT run_id, seq,
       strftime('%Y-%m-%dT%H:%M:%S', at / 1000000, 'unixepoch')
         || printf('.%06dZ', at % 1000000) AS time,
       kind, type,
       CASE WHEN keep IS NULL OR payload IS NULL THEN NULL
            WHEN substr(payload, 1, 1) = '"' THEN json_extract(payload, '$')
            ELSE json_extract(payload, '$."+"') END AS appended
  FROM events
"""
# Postgres refuses to extract NUL and lone surrogates from JSON.
TRANSCRIPT_POSTGRES = """
CREATE VIEW transcript AS
SELECT run_id, seq,
       to_char(to_timestamp(0) AT TIME ZONE 'UTC' + at * interval '1 microsecond',
               'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS time,
       kind, type,
       CASE WHEN keep IS NULL OR payload ~* '\\\\u(0000|d[89a-f])' THEN NULL
            WHEN left(payload, 1) = '"' THEN payload::json #>> '{}'
            ELSE payload::json ->> '+' END AS appended
  FROM events
"""
RUN_LIST = """
CREATE VIEW run_list AS
SELECT run_id, {time} AS started, source, status, recording, assistant_id, thread_id, model,
       error, input_text_tokens, completion_tokens, total_tokens, events
  FROM runs
 ORDER BY started_at DESC, run_id DESC
"""
TIME_SQLITE = (
    "strftime('%Y-%m-%dT%H:%M:%S', started_at / 1000000, 'unixepoch')"
    " || printf('.%06dZ', started_at % 1000000)"
)
TIME_POSTGRES = (
    "to_char(to_timestamp(0) AT TIME ZONE 'UTC' + started_at * interval '1 microsecond',"
    ' \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\')'
)


def upgrade() -> None:
    sqlite = op.get_context().dialect.name == "sqlite"
    _create_log()
    _create_projections()
    _create_meta(sqlite=sqlite)
    op.execute(sa.text((TRANSCRIPT_SQLITE if sqlite else TRANSCRIPT_POSTGRES).replace(":", "\\:")))
    time = TIME_SQLITE if sqlite else TIME_POSTGRES
    op.execute(sa.text(RUN_LIST.format(time=time).replace(":", "\\:")))


def _create_log() -> None:
    op.create_table(
        "events",
        sa.Column("run_id", Key, nullable=False),
        sa.Column("seq", Big, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("type", sa.Text),
        sa.Column("source_index", Big),
        sa.Column("at", Big, nullable=False),
        sa.Column("elapsed", Big, nullable=False),
        sa.Column("keep", Big),
        sa.Column("added", Big),
        sa.Column("payload", sa.Text),
        sa.Column("salt", sa.LargeBinary),
        sa.Column("redacted", sa.LargeBinary),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "seq"),
        sa.CheckConstraint("seq >= 0", name="events_seq"),
        sa.CheckConstraint("length(run_id) BETWEEN 1 AND 200", name="events_run_id"),
        sa.CheckConstraint(
            "kind IN ('run', 'stream_event', 'context', 'tool_results', 'note')",
            name="events_kind",
        ),
        sa.CheckConstraint(
            "(payload IS NULL) = (redacted IS NOT NULL) AND (payload IS NULL) = (salt IS NULL)",
            name="events_erased",
        ),
        sqlite_with_rowid=False,
        sqlite_strict=True,
    )


def _create_projections() -> None:
    op.create_table(
        "runs",
        sa.Column("run_id", Key, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("recording", sa.Text, nullable=False),
        sa.Column("assistant_id", sa.Text),
        sa.Column("thread_id", sa.Text),
        sa.Column("created_by", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("labels", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("error_code", sa.Text),
        sa.Column("tool_calls", sa.Text),
        sa.Column("created_at", Big),
        sa.Column("started_at", Big, nullable=False),
        sa.Column("first_text_at", Big),
        sa.Column("finished_at", Big),
        sa.Column("input_text_tokens", Big),
        sa.Column("completion_tokens", Big),
        sa.Column("total_tokens", Big),
        sa.Column("cached_tokens", Big),
        sa.Column("reasoning_tokens", Big),
        sa.Column("response_id", Key),
        sa.Column("events", Big, nullable=False),
        sa.Column("result", sa.LargeBinary, nullable=False),
        sa.Column("projected_seq", Big, nullable=False),
        sa.PrimaryKeyConstraint("run_id"),
        sqlite_strict=True,
    )
    op.create_index("runs_by_start", "runs", ["started_at", "run_id"])
    op.create_index("runs_by_response", "runs", ["response_id"])
    op.create_table(
        "run_labels",
        sa.Column("key", Key, nullable=False),
        sa.Column("value", Key, nullable=False),
        sa.Column("run_id", Key, nullable=False),
        sa.PrimaryKeyConstraint("key", "value", "run_id"),
        sqlite_with_rowid=False,
        sqlite_strict=True,
    )
    op.create_index("run_labels_by_run", "run_labels", ["run_id"])


def _create_meta(*, sqlite: bool) -> None:
    meta = op.create_table(
        "runreel_meta",
        sa.Column("key", Key, nullable=False),
        sa.Column("value", Key, nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sqlite_with_rowid=False,
        sqlite_strict=True,
    )
    op.bulk_insert(
        meta,
        [
            {"key": "database_id", "value": str(uuid.uuid4())},
            # Without runs the projections are up to date at any version of the code.
            {"key": "projection_version", "value": PROJECTION_VERSION},
        ],
    )
    if sqlite:
        # "RREL": marks the file as a runreel database.
        op.execute("PRAGMA application_id = 1381123404")


def downgrade() -> None:
    raise CommandError("runreel has no downgrades: restore a backup of the older revision")
