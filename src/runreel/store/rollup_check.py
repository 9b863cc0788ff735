"""What usage adds up to, compared with the runs themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

_OF_ONE = (
    "1",
    "CASE WHEN total_tokens IS NULL THEN 0 ELSE 1 END",
    *(
        f"coalesce({part}, 0)"
        for name in TOKENS
        for part in (f"{name} / {PART}", f"{name} % {PART}")
    ),
)


def differences(
    connection: Connection,
    moves: Iterable[Move] = (),
    *,
    day: int | None = None,
) -> list[Wrong]:
    """The buckets that do not hold what the runs add up to, of a day or of all.

    ``moves`` are rows of ``runs`` that are not what they should be, and what they should be. Call
    it inside of a snapshot. ``day`` is counted in quarters, like the start of its bucket.
    """
    found: dict[Bucket, Wrong] = {}
    for dimension, (shortest, *spans) in SPANS.items():
        right = True
        for wrong in _compared(connection, dimension, shortest, day):
            found[wrong.bucket], right = wrong, False
        for span in spans:
            # There are fewer of the shortest than there are runs.
            for wrong in _compared(connection, dimension, span, day, by_shortest=right):
                found[wrong.bucket] = wrong
    for bucket, more in changes(moves).items():
        known = found.get(bucket)
        stored = _stored(connection, bucket) if known is None else known.stored
        due = stored if known is None else known.due
        found[bucket] = Wrong(bucket, stored, tuple(map(sum, zip(due, more, strict=True))))
    return sorted(wrong for wrong in found.values() if wrong.stored != wrong.due)


def _compared(
    connection: Connection,
    dimension: str,
    span: int,
    day: int | None,
    *,
    by_shortest: bool = False,
) -> Iterator[Wrong]:
    """The buckets of a dimension and span that do not hold what the runs add up to.

    Or what the buckets of its shortest span do, where these are right.
    """
    parts = [_kept(dimension, span, span, day)]
    if by_shortest:
        parts.append(_kept(dimension, SPANS[dimension][0], span, day))
    else:
        parts.append(_due(dimension, span, day, binary=connection.postgres))
    both = " UNION ALL ".join(f"SELECT {due} AS due, {part}" for due, part in enumerate(parts))
    stored, due = (
        [f"sum(CASE due WHEN {side} THEN {name} ELSE 0 END)" for name in COUNTS] for side in (0, 1)
    )
    unequal = " OR ".join(f"{one} <> {other}" for one, other in zip(stored, due, strict=True))
    found = connection.all(
        f"SELECT start, value, named, {', '.join([*stored, *due])} FROM ({both}) AS both_sides"
        f" GROUP BY start, value, named HAVING {unequal}"
    )
    for start, value, named, *counts in found:
        bucket, sums = Bucket(dimension, span, start, value, named), tuple(map(int, counts))
        yield Wrong(bucket, sums[: len(COUNTS)], sums[len(COUNTS) :])


def _kept(dimension: str, span: int, longer: int, day: int | None) -> str:
    """SQL for buckets of a span, with the starts of those of a longer one that they are in."""
    table, value = "usage_by_time", "'' AS value, 1 AS named"
    where = [f"span = {span}"]
    if dimension:
        table, value = "usage_by_value", "value, named"
        where.append(f"dimension = '{dimension}'")
    if day is not None:
        where.append(f"start >= {day} AND start < {day + DAY}")
    start = "start" if longer == span else f"{floored('start', longer)} * {longer} AS start"
    return f"{start}, {value}, {', '.join(COUNTS)} FROM {table} WHERE {' AND '.join(where)}"


def _due(dimension: str, span: int, day: int | None, *, binary: bool) -> str:
    """SQL for what runs add to buckets."""
    value = "'', 1"
    if dimension:
        collation = ' COLLATE "C"' if binary else ""
        named = f"CASE WHEN {dimension} IS NULL THEN 0 ELSE 1 END"
        value = f"coalesce({dimension}, ''){collation}, {named}"
    where = f"recording <> '{OPEN}'"
    if day is not None:
        where += f" AND started_at >= {day * MICROS} AND started_at < {(day + DAY) * MICROS}"
    start = start_of("started_at", span)
    return f"{start}, {value}, {', '.join(_OF_ONE)} FROM runs WHERE {where}"


def _stored(connection: Connection, bucket: Bucket) -> tuple[int, ...]:
    table, key, values = row_of(bucket)
    where = " AND ".join(f"{name} = ?" for name in key)
    found = connection.one(f"SELECT {SUMS} FROM {table} WHERE {where}", values)
    return tuple(int(count or 0) for count in found)
