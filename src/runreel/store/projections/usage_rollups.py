"""The writer of the usage rollups ``usage_by_time`` and ``usage_by_value``.

``usage_rollup_check`` finds and repairs wrong rollups.

Open runs are not included: their rows change all the time, and there are few of them. A run is
added in the transaction in which its recording ends.
"""

from __future__ import annotations

from operator import add
from typing import TYPE_CHECKING

from runreel.model.events import OPEN
from runreel.store.projections.usage_buckets import (
    COUNTS,
    DAY,
    DETAILS,
    MICROS,
    PLAIN,
    QUARTER,
    SPANS,
    TOKEN_LIMB,
    TOKENS,
    RollupBucket,
    sums_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runreel.store.connection import Connection
    from runreel.store.projections.usage_buckets import ContributionChange, UsageContribution

    Changes = dict[RollupBucket, list[int]]

# ``_make`` is a function of Python around this one.
_new_tuple = tuple.__new__
_TIME_KEY, _VALUE_KEY = ("span", "start"), RollupBucket._fields
_KEYS = (("usage_by_time", _TIME_KEY), ("usage_by_value", _VALUE_KEY))


def bucket_changes(row_changes: Iterable[ContributionChange]) -> Changes:
    """Return the counts to add to buckets for these changes of rows of ``runs``."""
    sums_by_bucket: Changes = {}
    for before, after in row_changes:
        for row, sign in ((before, -1), (after, 1)):
            if row is None or row.recording == OPEN:
                continue
            counts = _counts_of(row)
            added = counts if sign > 0 else [-count for count in counts]
            for bucket in _buckets_of(row):
                sums = sums_by_bucket.get(bucket)
                sums_by_bucket[bucket] = added if sums is None else list(map(add, sums, added))
    return {bucket: sums for bucket, sums in sums_by_bucket.items() if any(sums)}


def apply_changes(connection: Connection, row_changes: Iterable[ContributionChange]) -> None:
    """Update the rollups for rows of ``runs`` that have just changed.

    Call it last in a transaction that has locked these rows.
    """
    sums_by_bucket = bucket_changes(row_changes)
    if not sums_by_bucket:
        return
    emptied = [
        bucket for bucket, sums in sums_by_bucket.items() if bucket.dimension and sums[0] < 0
    ]
    if emptied:
        # If two transactions remove the last runs of a bucket, one of them must see it empty.
        connection.driver.lock_writes(connection, "usage_by_value")
    # Every transaction uses the same order, to avoid deadlocks.
    rows: dict[str, list[tuple[object, ...]]] = {table: [] for table, _ in _KEYS}
    # Many sources report no details; without them, the statement takes less time.
    width = len(COUNTS) if any(any(sums[PLAIN:]) for sums in sums_by_bucket.values()) else PLAIN
    for bucket, sums in sorted(sums_by_bucket.items()):
        table, _, values = table_and_key(bucket)
        rows[table].append((*values, *sums[:width]))
    connection.driver.add_counts(connection, _KEYS, COUNTS[:width], rows)
    # An empty bucket would still reveal the value of a deleted run.
    key = " AND ".join(f"{name} = ?" for name in _VALUE_KEY)
    empty = f"(SELECT sum(runs) FROM usage_by_value WHERE {key}) = 0"
    for bucket in emptied:
        sql = f"DELETE FROM usage_by_value WHERE {key} AND {empty}"
        connection.execute(sql, (*bucket, *bucket))


def totals(counts: Sequence[int]) -> dict[str, int | None] | None:
    """Return the counts of a bucket for display, None if it has none."""
    if not any(counts):
        return None
    shown: dict[str, int | None] = {"runs": counts[0], "known": counts[1]}
    return shown | dict(zip((*TOKENS, *DETAILS), sums_of(counts), strict=True))


def days_of(rows: Iterable[UsageContribution]) -> set[int]:
    """Return the starts of the day buckets that these runs are in."""
    return {row.started_at // MICROS // DAY * DAY for row in rows}


def start_of(column: str, span: int = QUARTER) -> str:
    """Return SQL for the start of the bucket that contains a time in µs."""
    start = floored(column, span * MICROS)
    return start if span == QUARTER else f"{start} * {span}"


def floored(number: str, by: int) -> str:
    """Return SQL for a quotient rounded down, since databases round negative ones towards zero."""
    return f"({number} / {by} - CASE WHEN {number} % {by} < 0 THEN 1 ELSE 0 END)"


def _buckets_of(row: UsageContribution) -> Iterator[RollupBucket]:
    quarter = row.started_at // MICROS
    for dimension, spans in SPANS.items():
        value = getattr(row, dimension) if dimension else ""
        for span in spans:
            start = quarter // span * span
            yield _new_tuple(
                RollupBucket, (dimension, span, start, value or "", int(value is not None))
            )


def _counts_of(row: UsageContribution) -> list[int]:
    counts = [1, int(row.total_tokens is not None)]
    for reported in (row.input_text_tokens, row.completion_tokens, row.total_tokens):
        counts += _limbs(reported or 0)
    for detail in (row.cached_tokens, row.cache_write_tokens, row.reasoning_tokens):
        counts += (0, 0, 0) if detail is None else (1, *_limbs(detail))
    return counts


def _limbs(tokens: int) -> tuple[int, int]:
    high, low = divmod(abs(tokens), TOKEN_LIMB)
    return (high, low) if tokens >= 0 else (-high, -low)


def table_and_key(bucket: RollupBucket) -> tuple[str, tuple[str, ...], tuple[object, ...]]:
    """Return the table of a bucket, and its key there."""
    if bucket.dimension:
        return "usage_by_value", _VALUE_KEY, bucket
    return "usage_by_time", _TIME_KEY, (bucket.span, bucket.start)
