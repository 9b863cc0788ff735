"""Compares the usage rollups with the runs themselves, and repairs them."""

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
    DETAILS,
    MICROS,
    SPANS,
    SUMS,
    TOKEN_LIMB,
    TOKENS,
    RollupBucket,
    RollupMismatch,
)
from runreel.store.projections.usage_rollups import bucket_changes, floored, start_of, table_and_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runreel.store.connection import Connection
    from runreel.store.projections.usage_buckets import ContributionChange
    from runreel.system.disk_queue import DiskQueue

    Row = tuple[Any, ...]


def _reported(name: str) -> str:
    return f"CASE WHEN {name} IS NULL THEN 0 ELSE 1 END"


def _limbs(name: str) -> tuple[str, str]:
    return f"coalesce({name} / {TOKEN_LIMB}, 0)", f"coalesce({name} % {TOKEN_LIMB}, 0)"


_OF_ONE = (
    "1",
    _reported("total_tokens"),
    *(part for name in TOKENS for part in _limbs(name)),
    *(part for name in DETAILS for part in (_reported(name), *_limbs(name))),
)
_PLACE = "span, start, value, named"
_ADDED_UP = ", ".join(f"sum({name}) AS {name}" for name in COUNTS)
_SIDES = [[f"{side}_{name}" for name in COUNTS] for side in ("stored", "expected")]
_STAGED = (
    f"CREATE TEMPORARY TABLE staged_usage AS SELECT dimension, {_PLACE}, "
    + ", ".join(f"{name} AS {side}_{name}" for side in ("stored", "expected") for name in COUNTS)
    + " FROM usage_by_value WHERE 1 = 0"
)
_KEY = len(RollupBucket._fields)
_SIDE = _KEY + len(COUNTS)
_AT_ONCE = 1_000
_of = attrgetter("bucket")
_dimension = attrgetter("bucket.dimension")


class MissingRollup(NamedTuple):
    """A dimension without any stored bucket, and how many it should have."""

    dimension: str
    expected: int

    @property
    def name(self) -> str:
        """Its table and dimension, for messages."""
        return f"usage_by_value {self.dimension}" if self.dimension else "usage_by_time"


def differences(
    connection: Connection,
    row_changes: Iterable[ContributionChange] = (),
    *,
    day: int | None = None,
) -> Iterator[RollupMismatch | MissingRollup]:
    """Yield the wrong buckets of a day, or of all days, in order.

    ``row_changes`` are pairs (stored, expected) of rows of ``runs`` that are known to be wrong.
    Call it inside a snapshot. ``day`` is the start of its bucket, in quarters of an hour.
    """
    for dimension, found in groupby(_mismatches(connection, row_changes, day), key=_dimension):
        if _holds_nothing(connection, dimension):
            yield from _as_missing(dimension, found)
        else:
            yield from found


def is_consistent(connection: Connection) -> bool:
    """True if every rollup is the sum of its runs."""
    with damage.snapshot(connection):
        return next(differences(connection), None) is None


def repair(
    connection: Connection,
    *,
    day: int | None = None,
    wrong: DiskQueue[RollupMismatch | MissingRollup] | None = None,
) -> None:
    """Make the rollups of a day, or all of them, the sums of their runs.

    Mismatches are added to ``wrong``, as ``differences`` returns them. Call it in a transaction in
    which no other connection can end runs.
    """
    connection.execute(_STAGED)
    for dimension in sorted(SPANS):
        if day is None and _holds_nothing(connection, dimension):
            number = _fill(connection, dimension)
            if wrong is not None and number:
                wrong.extend([MissingRollup(dimension, number)])
            continue
        found = _rewrite_wrong(connection, dimension, day)
        if wrong is not None:
            wrong.extend(found)
    connection.execute("DROP TABLE staged_usage")


def _holds_nothing(connection: Connection, dimension: str) -> bool:
    table, _, where = _rows_of(dimension)
    return connection.one(f"SELECT 1 FROM {table} WHERE {where} LIMIT 1") is None


def _as_missing(dimension: str, found: Iterable[RollupMismatch]) -> Iterator[MissingRollup]:
    number = sum(1 for _ in found)
    if number:
        yield MissingRollup(dimension, number)


def _fill(connection: Connection, dimension: str) -> int:
    """Store the buckets of a dimension that has none; return their number."""
    # There is nothing to compare them with, which takes half of the time.
    with_clause, parts = _expected_sql(connection, dimension, None)
    table, key, _ = _rows_of(dimension)
    named = key.replace("dimension", f"'{dimension}'", 1)
    cursor = connection.execute(
        f"INSERT INTO {table} ({key}, slot, {', '.join(COUNTS)}) {with_clause}"
        f" SELECT {named}, 0, {_ADDED_UP} FROM ({' UNION ALL '.join(parts)}) AS each_one"
        f" GROUP BY {_PLACE}"
    )
    return int(cursor.rowcount)


def _rewrite_wrong(
    connection: Connection, dimension: str, day: int | None
) -> Iterator[RollupMismatch]:
    """Rewrite the wrong buckets of a dimension; yield what was wrong."""
    sql = (
        f"SELECT '{dimension}', wrong.* FROM ({_unequal_sql(connection, dimension, day)}) AS wrong"
    )
    connection.execute(f"INSERT INTO staged_usage {sql}")
    table, key, _ = _rows_of(dimension)
    from_staged = f"FROM staged_usage WHERE dimension = '{dimension}'"
    connection.execute(f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} {from_staged})")
    is_not_empty = " OR ".join(f"{name} <> 0" for name in _SIDES[1])
    connection.execute(
        f"INSERT INTO {table} ({key}, slot, {', '.join(COUNTS)})"
        f" SELECT {key}, 0, {', '.join(_SIDES[1])} {from_staged} AND ({is_not_empty})"
    )
    return map(_to_mismatch, _streamed(connection, f"SELECT * {from_staged} ORDER BY {_PLACE}"))


def _mismatches(
    connection: Connection, row_changes: Iterable[ContributionChange], day: int | None
) -> Iterator[RollupMismatch]:
    changes = bucket_changes(row_changes)
    moved = (RollupMismatch(bucket, (), ()) for bucket in sorted(changes))
    for bucket, group in groupby(
        heapq.merge(_stored_mismatches(connection, day), moved, key=_of), key=_of
    ):
        _, stored, expected = next(group)
        if not stored:
            stored = expected = _stored(connection, bucket)
        if bucket in changes:
            expected = tuple(map(sum, zip(expected, changes[bucket], strict=True)))
        if stored != expected:
            yield RollupMismatch(bucket, stored, expected)


def _to_mismatch(row: Row) -> RollupMismatch:
    return RollupMismatch(RollupBucket._make(row[:_KEY]), row[_KEY:_SIDE], row[_SIDE:])


def _stored_mismatches(connection: Connection, day: int | None) -> Iterator[RollupMismatch]:
    """Yield the buckets that differ from the rows of ``runs``, in order."""
    for dimension in sorted(SPANS):
        sql = f"{_unequal_sql(connection, dimension, day)} ORDER BY {_PLACE}"
        for row in _streamed(connection, sql):
            # Postgres returns sums of integers as another type.
            yield _to_mismatch((dimension, *row[:4], *map(int, row[4:])))


def _streamed(connection: Connection, sql: str) -> Iterator[Row]:
    """Yield the rows of a query inside a transaction; few are in memory."""
    fetch = connection.driver.stream(connection, sql, name="wrong_usage")
    while rows := fetch(_AT_ONCE):
        yield from rows


def _unequal_sql(connection: Connection, dimension: str, day: int | None) -> str:
    """Return SQL for the buckets of a dimension that differ from the runs."""
    with_clause, parts = _expected_sql(connection, dimension, day)
    sides = [f"SELECT 0 AS side, kept.* FROM ({_stored_sql(dimension, day)}) AS kept"]
    sides += [f"SELECT 1, each_one.* FROM ({part}) AS each_one" for part in parts]
    sums = [
        [f"sum(CASE side WHEN {side} THEN {name} ELSE 0 END)" for name in COUNTS] for side in (0, 1)
    ]
    unequal = " OR ".join(f"{one} <> {other}" for one, other in zip(*sums, strict=True))
    return (
        f"{with_clause} SELECT {_PLACE}, {', '.join(sums[0] + sums[1])}"
        f" FROM ({' UNION ALL '.join(sides)}) AS both_sides GROUP BY {_PLACE} HAVING {unequal}"
    )


def _rows_of(dimension: str) -> tuple[str, str, str]:
    """Return the table of a dimension, its key without the slot, and SQL to select its rows."""
    spans = f"span IN ({', '.join(map(str, SPANS[dimension]))})"
    if not dimension:
        return "usage_by_time", "span, start", spans
    return "usage_by_value", f"dimension, {_PLACE}", f"dimension = '{dimension}' AND {spans}"


def _stored_sql(dimension: str, day: int | None) -> str:
    """Return SQL for the stored counts of buckets."""
    table, _, where = _rows_of(dimension)
    if day is not None:
        where += f" AND start >= {day} AND start < {day + DAY}"
    place = _PLACE if dimension else "span, start, '' AS value, 1 AS named"
    return f"SELECT {place}, {', '.join(COUNTS)} FROM {table} WHERE {where}"


def _expected_sql(connection: Connection, dimension: str, day: int | None) -> tuple[str, list[str]]:
    """Return SQL for the expected counts: a WITH clause, and the SELECTs whose rows to sum."""
    shortest, *longer = SPANS[dimension]
    each = _contributions_sql(dimension, shortest, day, connection.driver.dialect.bytewise)
    counts = ", ".join(COUNTS)
    parts = [f"SELECT {shortest} AS span, start, value, named, {counts} FROM expected"]
    for span in longer:
        # Sums of the shortest span: there are fewer of them than runs.
        start = f"{floored('start', span)} * {span}"
        parts.append(f"SELECT {span}, {start}, value, named, {counts} FROM expected")
    with_clause = (
        f"WITH expected AS (SELECT start, value, named, {_ADDED_UP} FROM ({each}) AS each_run"
        f" GROUP BY start, value, named)"
    )
    return with_clause, parts


def _contributions_sql(dimension: str, span: int, day: int | None, bytewise: str) -> str:
    """Return SQL for what each run adds to buckets."""
    value, named = "''", "1"
    if dimension:
        named = f"CASE WHEN {dimension} IS NULL THEN 0 ELSE 1 END"
        value = f"coalesce({dimension}, ''){bytewise}"
    where = f"recording <> '{OPEN}'"
    if day is not None:
        where += f" AND started_at >= {day * MICROS} AND started_at < {(day + DAY) * MICROS}"
    counts = ", ".join(f"{sql} AS {name}" for sql, name in zip(_OF_ONE, COUNTS, strict=True))
    start = start_of("started_at", span)
    bucket = f"{start} AS start, {value} AS value, {named} AS named"
    return f"SELECT {bucket}, {counts} FROM runs WHERE {where}"


def _stored(connection: Connection, bucket: RollupBucket) -> tuple[int, ...]:
    table, key, values = table_and_key(bucket)
    where = " AND ".join(f"{name} = ?" for name in key)
    found = connection.one(f"SELECT {SUMS} FROM {table} WHERE {where}", values)
    return tuple(int(count or 0) for count in found)
