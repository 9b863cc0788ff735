"""Usage of runs added up beside them: the only writer of ``usage_by_time`` and ``usage_by_value``.

Runs that are still being recorded are not in it: their rows change all the while, and there are
few of them. A run comes in when its recording ends, in the transaction that says so.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from runreel.words.log import OPEN
from runreel.words.times import from_micros

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from runreel.store.connection import Connection

# Spans of time in quarters of an hour: every time zone's days begin on a quarter.
QUARTER, HOUR, DAY = 1, 4, 96
MICROS = 900_000_000
# What there are few of beside runs; a thread has about as many rows here as it has runs.
DIMENSIONS = ("source", "status", "assistant_id", "model")
_SPANS = {"": (QUARTER, HOUR), **dict.fromkeys(DIMENSIONS, (QUARTER, HOUR, DAY))}
_NAMES = {QUARTER: "quarter", HOUR: "hour", DAY: "day"}

# A sum of 64-bit counts can be wider: SQLite fails then. The two parts of a count never add up so.
PART = 1_000_000_000
TOKENS = ("input_text_tokens", "completion_tokens", "total_tokens")
COUNTS = (
    *("runs", "known", "input_high", "input_low"),
    *("completion_high", "completion_low", "total_high", "total_low"),
)
SUMS = ", ".join(f"sum({name})" for name in COUNTS)
_OF_ONE = (
    "1",
    "CASE WHEN total_tokens IS NULL THEN 0 ELSE 1 END",
    *(
        f"coalesce({part}, 0)"
        for name in TOKENS
        for part in (f"{name} / {PART}", f"{name} % {PART}")
    ),
)


class Counted(NamedTuple):
    """The columns of a row of ``runs`` that its usage is added up by, and its usage."""

    recording: str
    started_at: int
    source: str
    status: str
    assistant_id: str | None
    model: str | None
    input_text_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None


class Bucket(NamedTuple):
    """Runs that began within ``span`` quarters from ``start`` on, counted since 1970.

    Those of one value of a dimension, or of none where it is not ``named``; dimension ``""`` is
    all of them.
    """

    dimension: str
    span: int
    start: int
    value: str
    named: int

    @property
    def name(self) -> str:
        """The table, time and value of it."""
        time = from_micros(self.start * MICROS).replace(tzinfo=None).isoformat(timespec="minutes")
        when = f"{_NAMES[self.span]} {time}Z"
        if not self.dimension:
            return f"usage_by_time {when}"
        value = f"= {self.value!r}" if self.named else "unknown"
        return f"usage_by_value {when} {self.dimension} {value}"


class Wrong(NamedTuple):
    """A bucket that does not hold what it should: see ``COUNTS``."""

    bucket: Bucket
    stored: tuple[int, ...]
    due: tuple[int, ...]


Changes = dict[Bucket, list[int]]
_TIME_KEY, _VALUE_KEY = ("span", "start"), Bucket._fields


def changes(moves: Iterable[tuple[Counted | None, Counted | None]]) -> Changes:
    """What is to be added to which buckets when rows of ``runs`` change from one to the other."""
    found: Changes = defaultdict(lambda: [0] * len(COUNTS))
    for before, after in moves:
        for row, sign in ((before, -1), (after, 1)):
            if row is None or row.recording == OPEN:
                continue
            counts = _of_one(row)
            for bucket in _buckets(row):
                sums = found[bucket]
                for place, count in enumerate(counts):
                    sums[place] += sign * count
    return {bucket: sums for bucket, sums in found.items() if any(sums)}


def move(connection: Connection, moves: Iterable[tuple[Counted | None, Counted | None]]) -> None:
    """Follow rows of ``runs`` that have just been changed from one to the other.

    Call it last in a transaction that keeps others from these rows.
    """
    found = changes(moves)
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


def differences(
    connection: Connection,
    moves: Iterable[tuple[Counted | None, Counted | None]] = (),
    *,
    day: int | None = None,
) -> list[Wrong]:
    """The buckets that do not hold what the runs add up to, of a day or of all.

    ``moves`` are rows of ``runs`` that are not what they should be, and what they should be. Call
    it inside of a snapshot. ``day`` is counted in quarters, like the start of its bucket.
    """
    found = {
        wrong.bucket: wrong
        for dimension, spans in _SPANS.items()
        for span in spans
        for wrong in _compared(connection, dimension, span, day)
    }
    for bucket, more in changes(moves).items():
        known = found.get(bucket)
        stored = _stored(connection, bucket) if known is None else known.stored
        due = stored if known is None else known.due
        found[bucket] = Wrong(bucket, stored, tuple(map(sum, zip(due, more, strict=True))))
    return sorted(wrong for wrong in found.values() if wrong.stored != wrong.due)


def mend(connection: Connection, wrong: Iterable[Wrong]) -> None:
    """Have buckets hold what they should. Nobody else may end runs meanwhile."""
    by_table: dict[tuple[str, tuple[str, ...]], list[tuple[tuple[Any, ...], tuple[int, ...]]]]
    by_table = defaultdict(list)
    for bucket, _, due in wrong:
        table, key, values = _row_of(bucket)
        by_table[table, key].append((values, due))
    for (table, key), rows in by_table.items():
        where = " AND ".join(f"{name} = ?" for name in key)
        connection.executemany(f"DELETE FROM {table} WHERE {where}", [values for values, _ in rows])
        anew = [(*values, 0, *due) for values, due in rows if any(due)]
        if anew:
            connection.executemany(_insert(table, key), anew)


def totals(counts: Sequence[int]) -> dict[str, int] | None:
    """The counts of a bucket for people, None where it has none."""
    runs, known, *parts = counts
    if not any(counts):
        return None
    sums = [high * PART + low for high, low in zip(parts[::2], parts[1::2], strict=True)]
    return dict(zip(("runs", "known", *TOKENS), (runs, known, *sums), strict=True))


def days_of(rows: Iterable[Counted]) -> set[int]:
    """The days that runs are counted in, as the starts of their buckets."""
    return {row.started_at // MICROS // DAY * DAY for row in rows}


def start_of(column: str, span: int = QUARTER) -> str:
    """SQL for the start of the bucket that a time in µs is in."""
    length = span * MICROS
    # Division cuts towards zero, also before 1970.
    before = f"CASE WHEN {column} % {length} < 0 THEN 1 ELSE 0 END"
    return f"({column} / {length} - {before})" + (f" * {span}" if span > 1 else "")


def _buckets(row: Counted) -> Iterator[Bucket]:
    quarter = row.started_at // MICROS
    for dimension, spans in _SPANS.items():
        value = getattr(row, dimension) if dimension else ""
        for span in spans:
            start = quarter // span * span
            yield Bucket(dimension, span, start, value or "", int(value is not None))


def _of_one(row: Counted) -> list[int]:
    counts = [1, int(row.total_tokens is not None)]
    for told in (row.input_text_tokens, row.completion_tokens, row.total_tokens):
        tokens = told or 0
        high, low = divmod(abs(tokens), PART)
        counts += (high, low) if tokens >= 0 else (-high, -low)
    return counts


def _row_of(bucket: Bucket) -> tuple[str, tuple[str, ...], tuple[Any, ...]]:
    """The table that a bucket is in, and its key there."""
    if bucket.dimension:
        return "usage_by_value", _VALUE_KEY, bucket
    return "usage_by_time", _TIME_KEY, (bucket.span, bucket.start)


def _add(connection: Connection, rows: list[tuple[Bucket, list[int]]]) -> None:
    """Add counts to buckets, in their order; those that are not there are made."""
    if connection.postgres:
        from runreel.store import postgres_rollups

        postgres_rollups.add(connection, rows)
        return
    for table, key in (("usage_by_value", _VALUE_KEY), ("usage_by_time", _TIME_KEY)):
        values = [
            (*place, 0, *sums)
            for (of, _, place), sums in ((_row_of(bucket), sums) for bucket, sums in rows)
            if of == table
        ]
        added = ", ".join(f"{name} = {name} + excluded.{name}" for name in COUNTS)
        connection.executemany(f"{_insert(table, key)} ON CONFLICT DO UPDATE SET {added}", values)


def _insert(table: str, key: tuple[str, ...]) -> str:
    columns = (*key, "slot", *COUNTS)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


def _stored(connection: Connection, bucket: Bucket) -> tuple[int, ...]:
    table, key, values = _row_of(bucket)
    where = " AND ".join(f"{name} = ?" for name in key)
    found = connection.one(f"SELECT {SUMS} FROM {table} WHERE {where}", values)
    return tuple(int(count or 0) for count in found)


def _compared(
    connection: Connection, dimension: str, span: int, day: int | None
) -> Iterator[Wrong]:
    """The buckets of a dimension and span that do not hold what the runs add up to."""
    table, value, named = "usage_by_time", "''", "1"
    stored, of_runs = "start, '' AS value, 1 AS named", f"recording <> '{OPEN}'"
    where = f"span = {span}"
    if dimension:
        binary = ' COLLATE "C"' if connection.postgres else ""
        table, value = "usage_by_value", f"coalesce({dimension}, ''){binary}"
        named = f"CASE WHEN {dimension} IS NULL THEN 0 ELSE 1 END"
        stored = "start, value, named"
        where += f" AND dimension = '{dimension}'"
    parameters: list[int] = []
    if day is not None:
        where += " AND start >= ? AND start < ?"
        of_runs += " AND started_at >= ? AND started_at < ?"
        parameters = [day, day + DAY, day * MICROS, (day + DAY) * MICROS]
    sides = [
        ", ".join(f"sum(CASE due WHEN {due} THEN {name} ELSE 0 END)" for name in COUNTS)
        for due in (0, 1)
    ]
    unequal = " OR ".join(
        f"sum(CASE due WHEN 1 THEN {name} ELSE -{name} END) <> 0" for name in COUNTS
    )
    found = connection.all(
        f"SELECT start, value, named, {', '.join(sides)} FROM ("
        f"SELECT {stored}, 0 AS due, {', '.join(COUNTS)} FROM {table} WHERE {where} UNION ALL"
        f" SELECT {start_of('started_at', span)}, {value}, {named}, 1, {', '.join(_OF_ONE)}"
        f" FROM runs WHERE {of_runs}) AS both_sides GROUP BY start, value, named HAVING {unequal}",
        parameters,
    )
    for start, text, is_named, *counts in found:
        bucket = Bucket(dimension, span, start, text, is_named)
        both = tuple(map(int, counts))
        yield Wrong(bucket, both[: len(COUNTS)], both[len(COUNTS) :])
