"""Known values of filters for shell completion, read in bounded time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runreel.store.connection import Connection

# Values of the newest runs are enough, at any size of the log.
_NEWEST = 5_000
_NEWEST_RUNS = (
    "SELECT run_id, model FROM runs WHERE recording <> 'pruned'"
    f" ORDER BY started_at DESC, run_id DESC LIMIT {_NEWEST}"
)
_RUN_IDS = f"SELECT run_id FROM ({_NEWEST_RUNS}) AS newest"
_MODELS = f"SELECT DISTINCT model FROM ({_NEWEST_RUNS}) AS newest WHERE model IS NOT NULL"

# Jumps from value to value in the primary key: a label may be on every run.
_SKIP = """
WITH RECURSIVE found(value, place) AS (
    SELECT (SELECT min({column}) FROM run_labels WHERE {column} >= ?{key}), 1
    UNION ALL
    SELECT (SELECT min({column}) FROM run_labels WHERE {column} > found.value{key}), place + 1
      FROM found WHERE value IS NOT NULL AND place < ?
)
SELECT value FROM found WHERE value IS NOT NULL
"""
_KEYS = _SKIP.format(column="key", key="")
_VALUES = _SKIP.format(column="value", key=" AND key = ?")


def run_ids(connection: Connection) -> list[str]:
    """Return the ids of the newest runs, newest first."""
    return [row[0] for row in connection.all(_RUN_IDS)]


def models(connection: Connection) -> list[str]:
    """Return the models of the newest runs, sorted."""
    return sorted(row[0] for row in connection.all(_MODELS))


def label_keys(connection: Connection, prefix: str, limit: int) -> list[str]:
    """Return the first label keys that start with ``prefix``, sorted."""
    return _starting(connection.all(_KEYS, (prefix, limit)), prefix)


def label_values(connection: Connection, key: str, prefix: str, limit: int) -> list[str]:
    """Return the first values of the label ``key`` that start with ``prefix``, sorted."""
    return _starting(connection.all(_VALUES, (prefix, key, key, limit)), prefix)


def _starting(rows: list[tuple[str]], prefix: str) -> list[str]:
    return [value for (value,) in rows if value.startswith(prefix)]
