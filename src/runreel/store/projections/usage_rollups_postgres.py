"""Adds to usage rollups on Postgres: one statement and one parameter for any number of buckets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runreel.store.drivers.postgres_prepared import Prepared
from runreel.store.projections.usage_buckets import COUNTS, RollupBucket

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runreel.store.connection import Connection

# The transaction that ends a run locks the rows that it adds to until it is on disk. So that others
# do not wait, each bucket has several rows, and each connection uses one of them.
WRITE_SHARDS = 16

_NAMES = (*RollupBucket._fields, *COUNTS)
_TEXT = ("dimension", "value")
_ADDED_COLUMNS = ", ".join(f"{name} {'text' if name in _TEXT else 'bigint'}" for name in _NAMES)


def _upsert(table: str, key: Sequence[str], where: str) -> str:
    names = ", ".join((*key, *COUNTS))
    added = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in COUNTS)
    return (
        f"INSERT INTO {table} ({names}, slot) SELECT {names}, pg_backend_pid() % {WRITE_SHARDS}"
        f" FROM added WHERE {where} ON CONFLICT ({', '.join(key)}, slot) DO UPDATE SET {added}"
    )


_BY_TIME = _upsert("usage_by_time", ("span", "start"), "dimension = ''")
_BY_VALUE = _upsert("usage_by_value", RollupBucket._fields, "dimension <> ''")

# One array per column would take longer than everything else here.
_ADD = Prepared(
    f"WITH added AS (SELECT * FROM json_to_recordset($1::json) AS added ({_ADDED_COLUMNS})),"
    f" timed AS ({_BY_TIME}) {_BY_VALUE}",
    [0],
)


def add(connection: Connection, rows: Iterable[tuple[RollupBucket, Sequence[int]]]) -> None:
    """Add counts to buckets, in their order; missing buckets are inserted."""
    records = [dict(zip(_NAMES, (*bucket, *sums), strict=True)) for bucket, sums in rows]
    connection.run_prepared(_ADD, [json.dumps(records).encode()])
