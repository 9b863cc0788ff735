"""How usage is added up on Postgres: one statement, one parameter, however many buckets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runreel.store.drivers.postgres_prepared import Prepared
from runreel.store.projections.usage_buckets import COUNTS, RollupBucket

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runreel.store.connection import Connection

# Whoever ends a run holds the row that it is added to until the commit is on disk, so that others
# would wait: each connection has one of several rows.
WRITE_SHARDS = 16

_NAMES = (*RollupBucket._fields, *COUNTS)
_TEXT = ("dimension", "value")
_GIVEN = ", ".join(f"{name} {'text' if name in _TEXT else 'bigint'}" for name in _NAMES)


def _upsert(table: str, key: Sequence[str], where: str) -> str:
    names = ", ".join((*key, *COUNTS))
    added = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in COUNTS)
    return (
        f"INSERT INTO {table} ({names}, slot) SELECT {names}, pg_backend_pid() % {WRITE_SHARDS}"
        f" FROM given WHERE {where} ON CONFLICT ({', '.join(key)}, slot) DO UPDATE SET {added}"
    )


_BY_TIME = _upsert("usage_by_time", ("span", "start"), "dimension = ''")
_BY_VALUE = _upsert("usage_by_value", RollupBucket._fields, "dimension <> ''")

# To hand over a list for each column takes longer than all the rest.
_ADD = Prepared(
    f"WITH given AS (SELECT * FROM json_to_recordset($1::json) AS given ({_GIVEN})),"
    f" timed AS ({_BY_TIME}) {_BY_VALUE}",
    [0],
)


def add(connection: Connection, rows: Iterable[tuple[RollupBucket, Sequence[int]]]) -> None:
    """Add counts to buckets, in their order; those that are not there are made."""
    told = [dict(zip(_NAMES, (*bucket, *sums), strict=True)) for bucket, sums in rows]
    connection.run_prepared(_ADD, [json.dumps(told).encode()])
