"""Usage of runs added up beside them: the writer of ``usage_by_time`` and ``usage_by_value``.

What is wrong in them is set right by ``rollup_check``.

Runs that are still being recorded are not in it: their rows change all the while, and there are
few of them. A run comes in when its recording ends, in the transaction that says so.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from runreel.model.events import OPEN
from runreel.store.projections.usage_buckets import (
    COUNTS,
    DAY,
    MICROS,
    QUARTER,
    SPANS,
    TOKEN_LIMB,
    RollupBucket,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from runreel.store.connection import Connection
    from runreel.store.projections.usage_buckets import ContributionChange, UsageContribution

    Changes = dict[RollupBucket, list[int]]

_TIME_KEY, _VALUE_KEY = ("span", "start"), RollupBucket._fields


def bucket_changes(row_changes: Iterable[ContributionChange]) -> Changes:
    """What is to be added to which buckets when rows of ``runs`` change from one to the other."""
    found: Changes = defaultdict(lambda: [0] * len(COUNTS))
    for before, after in row_changes:
        for row, sign in ((before, -1), (after, 1)):
            if row is None or row.recording == OPEN:
                continue
            counts = _of_one(row)
            for bucket in _buckets(row):
                sums = found[bucket]
                for place, count in enumerate(counts):
                    sums[place] += sign * count
    return {bucket: sums for bucket, sums in found.items() if any(sums)}


def apply_changes(connection: Connection, row_changes: Iterable[ContributionChange]) -> None:
    """Follow rows of ``runs`` that have just been changed from one to the other.

    Call it last in a transaction that keeps others from these rows.
    """
    found = bucket_changes(row_changes)
    if not found:
        return
    emptied = [bucket for bucket, sums in found.items() if bucket.dimension and sums[0] < 0]
    if emptied and connection.postgres:
        # Of two that take the last runs out of a bucket, one has to see that it is empty.
        connection.execute("LOCK TABLE usage_by_value IN SHARE ROW EXCLUSIVE MODE")
    # Everybody in one order: then no two wait for each other.
    ordered = sorted(found.items())
    _add(connection, ordered)
    # What a run was about goes with it.
    key = " AND ".join(f"{name} = ?" for name in _VALUE_KEY)
    empty = f"(SELECT sum(runs) FROM usage_by_value WHERE {key}) = 0"
    for bucket in emptied:
        sql = f"DELETE FROM usage_by_value WHERE {key} AND {empty}"
        connection.execute(sql, (*bucket, *bucket))


def totals(counts: Sequence[int]) -> dict[str, int] | None:
    """The counts of a bucket for people, None where it has none."""
    if not any(counts):
        return None
    runs, known, given_high, given_low, made_high, made_low, all_high, all_low = counts
    return {
        "runs": runs,
        "known": known,
        "input_text_tokens": given_high * TOKEN_LIMB + given_low,
        "completion_tokens": made_high * TOKEN_LIMB + made_low,
        "total_tokens": all_high * TOKEN_LIMB + all_low,
    }


def days_of(rows: Iterable[UsageContribution]) -> set[int]:
    """The days that runs are counted in, as the starts of their buckets."""
    return {row.started_at // MICROS // DAY * DAY for row in rows}


def start_of(column: str, span: int = QUARTER) -> str:
    """SQL for the start of the bucket that a time in µs is in."""
    start = floored(column, span * MICROS)
    return start if span == QUARTER else f"{start} * {span}"


def floored(number: str, by: int) -> str:
    """SQL for a quotient that is whole: databases cut towards zero, times may be before 1970."""
    return f"({number} / {by} - CASE WHEN {number} % {by} < 0 THEN 1 ELSE 0 END)"


def _buckets(row: UsageContribution) -> Iterator[RollupBucket]:
    quarter = row.started_at // MICROS
    for dimension, spans in SPANS.items():
        value = getattr(row, dimension) if dimension else ""
        for span in spans:
            start = quarter // span * span
            yield RollupBucket(dimension, span, start, value or "", int(value is not None))


def _of_one(row: UsageContribution) -> list[int]:
    counts = [1, int(row.total_tokens is not None)]
    for told in (row.input_text_tokens, row.completion_tokens, row.total_tokens):
        tokens = told or 0
        high, low = divmod(abs(tokens), TOKEN_LIMB)
        counts += (high, low) if tokens >= 0 else (-high, -low)
    return counts


def row_of(bucket: RollupBucket) -> tuple[str, tuple[str, ...], tuple[Any, ...]]:
    """The table that a bucket is in, and its key there."""
    if bucket.dimension:
        return "usage_by_value", _VALUE_KEY, bucket
    return "usage_by_time", _TIME_KEY, (bucket.span, bucket.start)


def _add(connection: Connection, rows: list[tuple[RollupBucket, list[int]]]) -> None:
    """Add counts to buckets, in their order; those that are not there are made."""
    if connection.postgres:
        from runreel.store.projections import usage_rollups_postgres

        usage_rollups_postgres.add(connection, rows)
        return
    for table, key in (("usage_by_value", _VALUE_KEY), ("usage_by_time", _TIME_KEY)):
        values = [
            (*place, 0, *sums)
            for (of, _, place), sums in ((row_of(bucket), sums) for bucket, sums in rows)
            if of == table
        ]
        added = ", ".join(f"{name} = {name} + excluded.{name}" for name in COUNTS)
        connection.executemany(f"{_insert(table, key)} ON CONFLICT DO UPDATE SET {added}", values)


def _insert(table: str, key: tuple[str, ...]) -> str:
    columns = (*key, "slot", *COUNTS)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
