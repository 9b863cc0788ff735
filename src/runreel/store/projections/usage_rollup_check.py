"""What usage adds up to, compared with the runs themselves, and made what it should be."""

from __future__ import annotations

import heapq
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.model.events import OPEN
from runreel.store.events import damage
from runreel.store.projections.usage_buckets import (
    COUNTS,
    DAY,
    MICROS,
    SPANS,
    SUMS,
    TOKEN_LIMB,
    TOKENS,
    RollupBucket,
    RollupMismatch,
)
from runreel.store.projections.usage_rollups import bucket_changes, floored, row_of, start_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runreel.store.connection import Connection
    from runreel.store.projections.usage_buckets import ContributionChange
    from runreel.system.disk_queue import DiskQueue

    Row = tuple[Any, ...]

_OF_ONE = (
    "1",
    "CASE WHEN total_tokens IS NULL THEN 0 ELSE 1 END",
    *(
        f"coalesce({part}, 0)"
        for name in TOKENS
        for part in (f"{name} / {TOKEN_LIMB}", f"{name} % {TOKEN_LIMB}")
    ),
)
_PLACE = "span, start, value, named"
_ADDED_UP = ", ".join(f"sum({name}) AS {name}" for name in COUNTS)
_SIDES = [[f"{side}_{name}" for name in COUNTS] for side in ("stored", "due")]
_STAGED = (
    f"CREATE TEMPORARY TABLE staged_usage AS SELECT dimension, {_PLACE}, "
    + ", ".join(f"{name} AS {side}_{name}" for side in ("stored", "due") for name in COUNTS)
    + " FROM usage_by_value WHERE 1 = 0"
)
_KEY = len(RollupBucket._fields)
_SIDE = _KEY + len(COUNTS)
_AT_ONCE = 1_000
_of = attrgetter("bucket")
_dimension = attrgetter("bucket.dimension")


class MissingRollup(NamedTuple):
    """A dimension of which nothing is stored at all, and how many buckets there are to be."""

    dimension: str
    expected: int

    @property
    def name(self) -> str:
        """The table, and what of it."""
        return f"usage_by_value {self.dimension}" if self.dimension else "usage_by_time"


def differences(
    connection: Connection,
    row_changes: Iterable[ContributionChange] = (),
    *,
    day: int | None = None,
) -> Iterator[RollupMismatch | MissingRollup]:
    """The buckets that do not hold what the runs add up to, of a day or of all, in order.

    ``moves`` are rows of ``runs`` that are not what they should be, and what they should be. Call
    it inside of a snapshot. ``day`` is counted in quarters, like the start of its bucket.
    """
    for dimension, found in groupby(_differing(connection, row_changes, day), key=_dimension):
        if _holds_nothing(connection, dimension):
            yield MissingRollup(dimension, sum(1 for _ in found))
        else:
            yield from found


def is_consistent(connection: Connection) -> bool:
    """Whether usage is what the runs add up to."""
    with damage.snapshot(connection):
        return next(differences(connection), None) is None


def repair(
    connection: Connection,
    *,
    day: int | None = None,
    wrong: DiskQueue[RollupMismatch | MissingRollup] | None = None,
) -> None:
    """Have usage add up to what the runs do, of a day or in all.

    ``wrong`` is told where it did not, as ``differences`` tells it. Call it in a transaction in
    which nobody else may end runs.
    """
    connection.execute(_STAGED)
    for dimension in sorted(SPANS):
        found: Iterable[RollupMismatch | MissingRollup]
        if _holds_nothing(connection, dimension):
            filled = _insert_missing(connection, dimension, day)
            found = [MissingRollup(dimension, filled)] if filled else []
        else:
            found = _rewrite_wrong(connection, dimension, day)
        if wrong is not None:
            wrong.extend(found)
    connection.execute("DROP TABLE staged_usage")


def _holds_nothing(connection: Connection, dimension: str) -> bool:
    table, _, where = _rows_of(dimension)
    return connection.one(f"SELECT 1 FROM {table} WHERE {where} LIMIT 1") is None


def _insert_missing(connection: Connection, dimension: str, day: int | None) -> int:
    """Make all buckets of a dimension that has none; how many."""
    table, key, _ = _rows_of(dimension)
    place = _PLACE if dimension else "span, start"
    due, parts = _expected_sql(connection, dimension, day)
    what = f"'{dimension}', {place}" if dimension else place
    sql = (
        f"INSERT INTO {table} ({key}, slot, {', '.join(COUNTS)}) {due}"
        f" SELECT {what}, 0, {_ADDED_UP} FROM ({' UNION ALL '.join(parts)}) AS each_one"
        f" GROUP BY {place}"
    )
    return int(connection.execute(sql).rowcount)


def _rewrite_wrong(
    connection: Connection, dimension: str, day: int | None
) -> Iterator[RollupMismatch]:
    """Make all buckets of a dimension what they should be; those that were not."""
    sql = f"SELECT '{dimension}', wrong.* FROM ({_unequal(connection, dimension, day)}) AS wrong"
    connection.execute(f"INSERT INTO staged_usage {sql}")
    table, key, _ = _rows_of(dimension)
    those = f"FROM staged_usage WHERE dimension = '{dimension}'"
    connection.execute(f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} {those})")
    some = " OR ".join(f"{name} <> 0" for name in _SIDES[1])
    connection.execute(
        f"INSERT INTO {table} ({key}, slot, {', '.join(COUNTS)})"
        f" SELECT {key}, 0, {', '.join(_SIDES[1])} {those} AND ({some})"
    )
    return map(_wrong_of, _streamed(connection, f"SELECT * {those} ORDER BY {_PLACE}"))


def _differing(
    connection: Connection, moves: Iterable[ContributionChange], day: int | None
) -> Iterator[RollupMismatch]:
    more = bucket_changes(moves)
    moved = (RollupMismatch(bucket, (), ()) for bucket in sorted(more))
    for bucket, some in groupby(heapq.merge(_found(connection, day), moved, key=_of), key=_of):
        _, stored, due = next(some)
        if not stored:
            stored = due = _stored(connection, bucket)
        if bucket in more:
            due = tuple(map(sum, zip(due, more[bucket], strict=True)))
        if stored != due:
            yield RollupMismatch(bucket, stored, due)


def _wrong_of(row: Row) -> RollupMismatch:
    return RollupMismatch(RollupBucket._make(row[:_KEY]), row[_KEY:_SIDE], row[_SIDE:])


def _found(connection: Connection, day: int | None) -> Iterator[RollupMismatch]:
    """The buckets that do not hold what the rows of ``runs`` add up to, in order."""
    for dimension in sorted(SPANS):
        sql = f"{_unequal(connection, dimension, day)} ORDER BY {_PLACE}"
        for row in _streamed(connection, sql):
            # Postgres adds its integers up as another type.
            yield _wrong_of((dimension, *row[:4], *map(int, row[4:])))


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
    due, parts = _expected_sql(connection, dimension, day)
    sides = [f"SELECT 0 AS side, kept.* FROM ({_stored_sql(dimension, day)}) AS kept"]
    sides += [f"SELECT 1, each_one.* FROM ({part}) AS each_one" for part in parts]
    told = [
        [f"sum(CASE side WHEN {side} THEN {name} ELSE 0 END)" for name in COUNTS] for side in (0, 1)
    ]
    unequal = " OR ".join(f"{one} <> {other}" for one, other in zip(*told, strict=True))
    return (
        f"{due} SELECT {_PLACE}, {', '.join(told[0] + told[1])}"
        f" FROM ({' UNION ALL '.join(sides)}) AS both_sides GROUP BY {_PLACE} HAVING {unequal}"
    )


def _rows_of(dimension: str) -> tuple[str, str, str]:
    """The table of a dimension, its key without the slot, and SQL for which rows it has there."""
    spans = f"span IN ({', '.join(map(str, SPANS[dimension]))})"
    if not dimension:
        return "usage_by_time", "span, start", spans
    return "usage_by_value", f"dimension, {_PLACE}", f"dimension = '{dimension}' AND {spans}"


def _stored_sql(dimension: str, day: int | None) -> str:
    """SQL for what buckets hold."""
    table, _, where = _rows_of(dimension)
    if day is not None:
        where += f" AND start >= {day} AND start < {day + DAY}"
    place = _PLACE if dimension else "span, start, '' AS value, 1 AS named"
    return f"SELECT {place}, {', '.join(COUNTS)} FROM {table} WHERE {where}"


def _expected_sql(connection: Connection, dimension: str, day: int | None) -> tuple[str, list[str]]:
    """SQL for what buckets should hold: what goes before a query, and its parts to be added up."""
    shortest, *longer = SPANS[dimension]
    each = _of_each(dimension, shortest, day, binary=connection.postgres)
    counts = ", ".join(COUNTS)
    parts = [f"SELECT {shortest} AS span, start, value, named, {counts} FROM due"]
    for span in longer:
        # There are fewer of the shortest than there are runs.
        start = f"{floored('start', span)} * {span}"
        parts.append(f"SELECT {span}, {start}, value, named, {counts} FROM due")
    due = (
        f"WITH due AS (SELECT start, value, named, {_ADDED_UP} FROM ({each}) AS each_run"
        f" GROUP BY start, value, named)"
    )
    return due, parts


def _of_each(dimension: str, span: int, day: int | None, *, binary: bool) -> str:
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


def _stored(connection: Connection, bucket: RollupBucket) -> tuple[int, ...]:
    table, key, values = row_of(bucket)
    where = " AND ".join(f"{name} = ?" for name in key)
    found = connection.one(f"SELECT {SUMS} FROM {table} WHERE {where}", values)
    return tuple(int(count or 0) for count in found)
