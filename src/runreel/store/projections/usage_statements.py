"""The statements behind usage reports: on the rollups, and on the runs themselves."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.model.selection import RunFilter, StatusChoice
from runreel.model.timestamps import to_micros
from runreel.projection.period_names import OFFSET_RANGE, OFFSET_SHIFT
from runreel.projection.run_mapper import index_key
from runreel.store.projections import usage_rollups
from runreel.store.projections.run_queries import where_clause
from runreel.store.projections.usage_buckets import (
    COUNTS,
    DAY,
    DETAILS,
    DIMENSIONS,
    HOUR,
    MICROS,
    QUARTER,
    TOKEN_LIMB,
    TOKENS,
    covering,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runreel.store.projections.filter_planner import FilterPlan
    from runreel.store.projections.usage_buckets import Starts

    Statement = tuple[str, list[Any]]
    # Starts and the time zone's UTC offset in seconds from then on, in order.
    UtcOffsets = Sequence[tuple[int, int]]


def _limbs(tokens: str) -> Iterator[str]:
    return (f"coalesce(sum(r.{tokens} {operator} {TOKEN_LIMB}), 0)" for operator in ("/", "%"))


_OF_RUNS = ", ".join(
    (
        *("count(*)", "count(r.total_tokens)"),
        *(limb for tokens in TOKENS for limb in _limbs(tokens)),
        *(part for name in DETAILS for part in (f"count(r.{name})", *_limbs(name))),
    )
)
_ADDED_UP = ", ".join(f"sum(u.{name})" for name in COUNTS)
# Integer division rounds to zero, so days are counted from before all of them.
_EARLIER = 1_000_000_000
# The runs that the rollups lack; the second condition is that of an index.
OPEN_RUNS = ("r.recording = 'open'", "r.recording <> 'closed'")
# Of the groups that are no column. A code is stored as JSON.
_EXPRESSIONS = {"error": "coalesce(r.error, trim(r.error_code, '\"'))"}

# The conditions that the rollups can answer, as in a filter without them.
_SUMMED: dict[str, Any] = {
    name: getattr(RunFilter(), name)
    for name in ("status", "source", "assistant", "model", "since", "until", "stale")
}


class UsageQuery(NamedTuple):
    """What a report groups by, and of which runs; ``utc_offsets`` if it is by day or hour."""

    columns: Sequence[str]
    run_filter: RunFilter
    filter_plan: FilterPlan
    utc_offsets: UtcOffsets | None
    by_hour: bool = False


def rollup_statements(query: UsageQuery) -> Iterator[Statement]:
    """Yield statements on the rollups, and on the runs that they lack; none if they do not fit.

    The rollups lack open runs, and those in the quarters in which the filter's times begin and end.
    """
    run_filter = query.run_filter
    dimension = dimension_of(query.columns, run_filter)
    since, until = to_micros(run_filter.since), to_micros(run_filter.until)
    first = None if since is None else -(-since // MICROS)
    last = None if until is None else until // MICROS
    if dimension is None or (first is not None and last is not None and first >= last):
        return
    yield from _bucket_statements(query, *dimension, (first, last))
    yield runs_statement(query, *OPEN_RUNS)
    for end, time, border in (("<", since, first), (">=", until, last)):
        if time is not None and border is not None and time != border * MICROS:
            cut = f"r.started_at {end} {border * MICROS}"
            yield runs_statement(query, "r.recording <> 'open'", cut)


def _bucket_statements(
    query: UsageQuery, dimension: str, values: tuple[str | None, ...], starts: Starts
) -> Iterator[Statement]:
    """Yield statements on the rollups of a dimension, ``""`` for all runs, from the longest on."""
    longest = longest_span(query.utc_offsets, by_hour=query.by_hour)
    if longest == DAY and values and query.utc_offsets is not None:
        # The values of a filter are looked up at times of which there are no days.
        longest = HOUR
    if longest == DAY and not dimension:
        # Days are only summed up by value, and there are few sources.
        dimension = "source"
    for span, part in covering(starts, longest, QUARTER):
        yield _buckets_statement(query, dimension, values, span, part)


def dimension_of(
    columns: Sequence[str], run_filter: RunFilter
) -> tuple[str, tuple[str | None, ...]] | None:
    """Return the one dimension that is grouped by or filtered, and its values; ``""`` is all runs.

    None if there are several dimensions, or any other column or filter.
    """
    statuses = () if run_filter.status is None else run_filter.status.whole
    values = {
        "source": run_filter.source,
        "status": tuple(one.name for one in statuses),
        "assistant_id": run_filter.assistant,
        "model": run_filter.model,
    }
    # There are no sums for other filters, nor for a status in some states of the recording only.
    by_status = StatusChoice(statuses) if statuses else None
    is_other = run_filter.status != by_status or replace(run_filter, **_SUMMED) != RunFilter()
    found = {*columns, *(dimension for dimension, value in values.items() if value)}
    if is_other or len(columns) > 1 or len(found) > 1 or not found.issubset(DIMENSIONS):
        return None
    dimension = next(iter(found), "")
    return dimension, tuple(dict.fromkeys(map(index_key, values.get(dimension, ()))))


def longest_span(utc_offsets: UtcOffsets | None, *, by_hour: bool = False) -> int:
    """Return the longest span whose buckets can answer the query."""
    if not by_hour and not any(seconds for _, seconds in utc_offsets or ()):
        return DAY
    offsets = utc_offsets or ()
    hourly = all(start % HOUR == 0 and seconds % 3_600 == 0 for start, seconds in offsets)
    return HOUR if hourly else QUARTER


def _buckets_statement(
    query: UsageQuery, dimension: str, values: Sequence[str | None], span: int, starts: Starts
) -> Statement:
    """Return a statement on the rollups."""
    where = ["u.span = ?"]
    parameters: list[Any] = [span]
    tables, time = "usage_by_value AS u" if dimension else "usage_by_time AS u", "u"
    if values and query.utc_offsets is not None:
        # A value is looked up at each time, to skip the many others that may be counted then.
        times = f"(SELECT DISTINCT start FROM usage_by_time WHERE span = {span}) AS t"
        tables, time = f"{times} CROSS JOIN {tables}", "t"
        where.append("u.start = t.start")
    for bound, operator in zip(starts, (">=", "<"), strict=True):
        if bound is not None:
            where.append(f"{time}.start {operator} ?")
            parameters.append(bound)
    if dimension:
        where.append("u.dimension = ?")
        parameters.append(dimension)
    if values:
        where += [f"u.value IN ({', '.join('?' * len(values))})", "u.named = 1"]
        parameters += values
    columns = _period_columns(query, "u.start", "u.start", 1)
    columns += ["CASE u.named WHEN 1 THEN u.value END"] * len(query.columns)
    sql = f"SELECT {', '.join([*columns, _ADDED_UP])} FROM {tables}{where_clause(where)}"
    return sql + _group_by(columns), parameters


def runs_statement(query: UsageQuery, *also: str) -> Statement:
    """Return a statement on the runs themselves; ``also`` are further conditions."""
    columns, tables, parameters = runs_of(query, *also)
    sql = f"SELECT {', '.join([*columns, _OF_RUNS])} FROM {tables}"
    return sql + _group_by(columns), parameters


def runs_of(query: UsageQuery, *also: str) -> tuple[list[str], str, list[Any]]:
    """Return SQL for the values of a run's groups, its tables with the filter, and parameters."""
    where, parameters = query.filter_plan.where()
    joins = ""
    joined: list[Any] = []
    start = usage_rollups.start_of("r.started_at")
    columns = _period_columns(query, start, "r.started_at", MICROS)
    for number, column in enumerate(query.columns):
        if column.startswith("label:"):
            joins += (
                f" LEFT JOIN run_labels AS g{number}"
                f" ON g{number}.run_id = r.run_id AND g{number}.key = ?"
            )
            joined.append(index_key(column.removeprefix("label:")))
            columns.append(f"g{number}.value")
        else:
            columns.append(_EXPRESSIONS.get(column, f"r.{column}"))
    tables = f"{query.filter_plan.tables}{joins}{where_clause([*where, *also])}"
    return columns, tables, [*joined, *parameters]


def _period_columns(query: UsageQuery, start: str, time: str, length: int) -> list[str]:
    """Return SQL for the local day or hour that contains a start in quarters of an hour, if any.

    ``time`` is faster to compare: it counts ``length`` per quarter.
    """
    utc_offsets = query.utc_offsets
    if utc_offsets is None:
        return []
    seconds = str(utc_offsets[-1][1]) if utc_offsets else "0"
    cases = [
        f"WHEN {time} < {stop * length} THEN {offset}"
        for (_, offset), (stop, _) in pairwise(utc_offsets)
    ]
    if cases:
        seconds = f"CASE {' '.join(cases)} ELSE {seconds} END"
    local = f"({start} * 900 + {seconds} + {_EARLIER * 86_400})"
    if not query.by_hour:
        return [f"{local} / 86400 - {_EARLIER}"]
    hour = f"({local} / 3600 - {_EARLIER * 24})"
    return [f"{hour} * {OFFSET_RANGE} + {seconds} + {OFFSET_SHIFT}"]


def _group_by(columns: Sequence[str]) -> str:
    return f" GROUP BY {', '.join(str(n + 1) for n in range(len(columns)))}" if columns else ""
