"""What usage adds up to, compared with the runs themselves, and made what it should be."""

from __future__ import annotations

import heapq
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from runreel.store.rollups import (
    COUNTS,
    DAY,
    MICROS,
    PART,
    SPANS,
    SUMS,
    TOKENS,
    Bucket,
    Wrong,
    changes,
    floored,
    row_of,
    start_of,
)
from runreel.words.log import OPEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runreel.store.connection import Connection
    from runreel.store.rollups import Move
    from runreel.store.spool import Spool

    Row = tuple[Any, ...]

_OF_ONE = (
    "1",
    "CASE WHEN total_tokens IS NULL THEN 0 ELSE 1 END",
    *(
        f"coalesce({part}, 0)"
        for name in TOKENS
        for part in (f"{name} / {PART}", f"{name} % {PART}")
    ),
)
_PLACE = "span, start, value, named"
_STORED, _DUE = ([f"{side}_{name}" for name in COUNTS] for side in ("stored", "due"))
_STAGED = (
    f"CREATE TEMPORARY TABLE staged_usage AS SELECT dimension, {_PLACE},"
    f" {', '.join(f'{name} AS stored_{name}' for name in COUNTS)},"
    f" {', '.join(f'{name} AS due_{name}' for name in COUNTS)} FROM usage_by_value WHERE 1 = 0"
)
_KEY = len(Bucket._fields)
_SIDE = _KEY + len(COUNTS)
_AT_ONCE = 1_000
_of = attrgetter("bucket")


def differences(
    connection: Connection, moves: Iterable[Move] = (), *, day: int | None = None
) -> Iterator[Wrong]:
    """The buckets that do not hold what the runs add up to, of a day or of all, in order.

    ``moves`` are rows of ``runs`` that are not what they should be, and what they should be. Call
    it inside of a snapshot. ``day`` is counted in quarters, like the start of its bucket.
    """
    more = changes(moves)
    moved = (Wrong(bucket, (), ()) for bucket in sorted(more))
    for bucket, some in groupby(heapq.merge(_found(connection, day), moved, key=_of), key=_of):
        _, stored, due = next(some)
        if not stored:
            stored = due = _stored(connection, bucket)
        if bucket in more:
            due = tuple(map(sum, zip(due, more[bucket], strict=True)))
        if stored != due:
            yield Wrong(bucket, stored, due)


def wrong_of(row: Row) -> Wrong:
    """A bucket that does not hold what it should, as ``mend`` tells of it."""
    return Wrong(Bucket._make(row[:_KEY]), row[_KEY:_SIDE], row[_SIDE:])


def mend(
    connection: Connection, *, day: int | None = None, wrong: Spool[Row] | None = None
) -> None:
    """Have usage add up to what the runs do, of a day or in all.

    ``wrong`` is told where it did not: see ``wrong_of``. Call it in a transaction in which nobody
    else may end runs.
    """
    connection.execute(_STAGED)
    for dimension in SPANS:
        sql = (
            f"SELECT '{dimension}', wrong.* FROM ({_unequal(connection, dimension, day)}) AS wrong"
        )
        connection.execute(f"INSERT INTO staged_usage {sql}")
    for table, key, where in (
        ("usage_by_time", "span, start", "dimension = ''"),
        ("usage_by_value", f"dimension, {_PLACE}", "dimension <> ''"),
    ):
        those = f"FROM staged_usage WHERE {where}"
        connection.execute(f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} {those})")
        some = " OR ".join(f"{name} <> 0" for name in _DUE)
        connection.execute(
            f"INSERT INTO {table} ({key}, slot, {', '.join(COUNTS)})"
            f" SELECT {key}, 0, {', '.join(_DUE)} {those} AND ({some})"
        )
    if wrong is not None:
        sql = f"SELECT * FROM staged_usage ORDER BY dimension, {_PLACE}"
        wrong.extend(_streamed(connection, sql))
    connection.execute("DROP TABLE staged_usage")


def _found(connection: Connection, day: int | None) -> Iterator[Wrong]:
    """The buckets that do not hold what the rows of ``runs`` add up to, in order."""
    for dimension in sorted(SPANS):
        sql = f"{_unequal(connection, dimension, day)} ORDER BY {_PLACE}"
        for row in _streamed(connection, sql):
            # Postgres adds its integers up as another type.
            yield wrong_of((dimension, *row[:4], *map(int, row[4:])))


def _streamed(connection: Connection, sql: str) -> Iterator[Row]:
    """The rows of a query inside of a transaction, few of which are held."""
    if not connection.postgres:
        yield from connection.execute(sql)
        return
    connection.execute(f"DECLARE wrong_usage NO SCROLL CURSOR FOR {sql}")
    while rows := connection.all(f"FETCH FORWARD {_AT_ONCE} FROM wrong_usage"):
        yield from rows
    connection.execute("CLOSE wrong_usage")


def _unequal(connection: Connection, dimension: str, day: int | None) -> str:
    """SQL for the buckets of a dimension that do not hold what the runs add up to."""
    shortest, *longer = SPANS[dimension]
    due = _due(dimension, shortest, day, binary=connection.postgres)
    counts = ", ".join(COUNTS)
    sums = ", ".join(f"sum({name}) AS {name}" for name in COUNTS)
    parts = [_kept(dimension, day), f"SELECT 1, {shortest}, start, value, named, {counts} FROM due"]
    for span in longer:
        start = f"{floored('start', span)} * {span}"
        # There are fewer of the shortest than there are runs.
        parts.append(f"SELECT 1, {span}, {start}, value, named, {counts} FROM due")
    sides = [
        [f"sum(CASE side WHEN {side} THEN {name} ELSE 0 END)" for name in COUNTS] for side in (0, 1)
    ]
    unequal = " OR ".join(f"{one} <> {other}" for one, other in zip(*sides, strict=True))
    return (
        f"WITH due AS (SELECT start, value, named, {sums} FROM ({due}) AS each_run"
        f" GROUP BY start, value, named) SELECT {_PLACE}, {', '.join(sides[0] + sides[1])}"
        f" FROM ({' UNION ALL '.join(parts)}) AS both_sides GROUP BY {_PLACE} HAVING {unequal}"
    )


def _kept(dimension: str, day: int | None) -> str:
    """SQL for what buckets hold."""
    table, value, where = "usage_by_time", "'' AS value, 1 AS named", []
    if dimension:
        table, value, where = "usage_by_value", "value, named", [f"dimension = '{dimension}'"]
    where.append(f"span IN ({', '.join(map(str, SPANS[dimension]))})")
    if day is not None:
        where.append(f"start >= {day} AND start < {day + DAY}")
    columns = f"0 AS side, span, start, {value}, {', '.join(COUNTS)}"
    return f"SELECT {columns} FROM {table} WHERE {' AND '.join(where)}"


def _due(dimension: str, span: int, day: int | None, *, binary: bool) -> str:
    """SQL for what each run adds to buckets."""
    value, named = "''", "1"
    if dimension:
        collation = ' COLLATE "C"' if binary else ""
        named = f"CASE WHEN {dimension} IS NULL THEN 0 ELSE 1 END"
        value = f"coalesce({dimension}, ''){collation}"
    where = f"recording <> '{OPEN}'"
    if day is not None:
        where += f" AND started_at >= {day * MICROS} AND started_at < {(day + DAY) * MICROS}"
    counts = ", ".join(f"{sql} AS {name}" for sql, name in zip(_OF_ONE, COUNTS, strict=True))
    start = start_of("started_at", span)
    bucket = f"{start} AS start, {value} AS value, {named} AS named"
    return f"SELECT {bucket}, {counts} FROM runs WHERE {where}"


def _stored(connection: Connection, bucket: Bucket) -> tuple[int, ...]:
    table, key, values = row_of(bucket)
    where = " AND ".join(f"{name} = ?" for name in key)
    found = connection.one(f"SELECT {SUMS} FROM {table} WHERE {where}", values)
    return tuple(int(count or 0) for count in found)
