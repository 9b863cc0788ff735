"""Usage reports, read from the rollups or from the runs themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.model.timestamps import to_micros
from runreel.store.projections import usage_rollups
from runreel.store.projections.filter_planner import plan_filter
from runreel.store.projections.run_queries import where_clause
from runreel.store.projections.usage_buckets import COUNTS, DAY, HOUR, MICROS, QUARTER, sums_of
from runreel.store.projections.usage_statements import (
    OPEN_RUNS,
    UsageQuery,
    dimension_of,
    longest_span,
    rollup_statements,
    runs_of,
    runs_statement,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runreel.model.selection import RunFilter
    from runreel.store.connection import Connection
    from runreel.store.projections.usage_statements import UtcOffsets

# Jumps from day to day in the index on the runs' start.
_FIRST_DAY = f"SELECT {usage_rollups.start_of('min(started_at)', DAY)} FROM runs"
_DAYS = (
    f"WITH RECURSIVE found(day) AS ({_FIRST_DAY} WHERE started_at >= ? UNION ALL"
    f" SELECT ({_FIRST_DAY} WHERE started_at >= (found.day + {DAY}) * {MICROS} AND started_at <= ?)"
    f" FROM found WHERE found.day IS NOT NULL)"
    f" SELECT day / {DAY} FROM found WHERE day IS NOT NULL"
)
_MANY_DAYS = 10_000
_AT_ONCE = 1_000


def days(connection: Connection, run_filter: RunFilter) -> Sequence[int]:
    """Return the UTC days since the epoch on which runs started, within the filter's times.

    They are in order. Days without runs may be among them.
    """
    bounds = {"started_at >= ?": run_filter.since, "started_at < ?": run_filter.until}
    bound_values = {sql: to_micros(time) for sql, time in bounds.items() if time is not None}
    within = where_clause([*bound_values])
    ends = [f"(SELECT {end}(started_at) FROM runs{within})" for end in ("min", "max")]
    first, last = connection.one(
        f"SELECT {', '.join(ends)}", [*bound_values.values(), *bound_values.values()]
    )
    if first is None:
        return ()
    all_days = range(first // MICROS // DAY, last // MICROS // DAY + 1)
    if len(all_days) < _MANY_DAYS:
        return all_days
    # Some programs write year 1 for an unknown time.
    return [int(day) for (day,) in connection.all(_DAYS, (first, last))]


def usage(
    connection: Connection,
    columns: Sequence[str],
    run_filter: RunFilter,
    *,
    utc_offsets: UtcOffsets | None = None,
    by_hour: bool = False,
) -> list[tuple[Any, ...]]:
    """Return runs, known runs and sums of tokens by ``columns`` of ``runs`` or ``label:K``.

    A row has the values of its group, then runs, known, input, completion, total, cached,
    cache_write, reasoning. With ``utc_offsets`` it begins with the day since the epoch on which its
    runs started. Sums are exact at any size. A group may come in several rows.
    """
    filter_plan = plan_filter(connection, run_filter)
    query = UsageQuery(columns, run_filter, filter_plan, utc_offsets, by_hour)
    statements = [*rollup_statements(query)] or [runs_statement(query)]
    # A single statement reads one snapshot.
    sql = " UNION ALL ".join(text for text, _ in statements)
    parameters = [value for _, values in statements for value in values]
    return [_summed(row) for row in connection.all(sql, parameters) if row[-len(COUNTS)]]


def each_run(  # noqa: PLR0913 - parts of the query
    connection: Connection,
    selected: Sequence[str],
    columns: Sequence[str],
    run_filter: RunFilter,
    *,
    utc_offsets: UtcOffsets | None = None,
    by_hour: bool = False,
    also: Sequence[str] = (),
) -> Iterator[tuple[Any, ...]]:
    """Yield for each run the values of its groups, as ``usage``, and its ``selected`` columns.

    ``also`` are further conditions on the runs ``r``. Call it inside a snapshot.
    """
    filter_plan = plan_filter(connection, run_filter)
    query = UsageQuery(columns, run_filter, filter_plan, utc_offsets, by_hour)
    groups, tables, parameters = runs_of(query, *also)
    asked = ", ".join([*groups, *(f"r.{column}" for column in selected)])
    sql = f"SELECT {asked} FROM {tables}"
    fetch = connection.driver.stream(connection, sql, parameters, name="each_run")
    while rows := fetch(_AT_ONCE):
        yield from rows


class HourPlan(NamedTuple):
    """The sums by hour that answer a report: those of a dimension and values of it.

    ``first`` and ``last`` are the first hour and the one after the last, None is unbounded.
    ``left`` has the conditions of the runs that they lack: open ones, and parts of hours.
    """

    dimension: str
    values: tuple[str | None, ...]
    first: int | None
    last: int | None
    left: tuple[tuple[str, ...], ...]


def hour_plan(
    columns: Sequence[str], run_filter: RunFilter, utc_offsets: UtcOffsets | None
) -> HourPlan | None:
    """Return how to answer a report from sums by hour, None if these do not fit."""
    dimension = dimension_of(columns, run_filter)
    if dimension is None or longest_span(utc_offsets) == QUARTER:
        return None
    length = HOUR * MICROS
    since, until = to_micros(run_filter.since), to_micros(run_filter.until)
    first = None if since is None else -(-since // length) * HOUR
    last = None if until is None else until // length * HOUR
    if first is not None and last is not None and first >= last:
        return None
    left = [OPEN_RUNS]
    for end, border in (("<", first), (">=", last)):
        if border is not None:
            left.append(("r.recording <> 'open'", f"r.started_at {end} {border * MICROS}"))
    return HourPlan(*dimension, first, last, tuple(left))


def micros_of(start: int) -> int:
    """Return the time of a start in quarters of an hour, in µs."""
    return start * MICROS


def _summed(row: Sequence[Any]) -> tuple[object, ...]:
    width = len(row) - len(COUNTS)
    counts = row[width:]
    return (*row[:width], int(counts[0]), int(counts[1]), *sums_of(counts))
