"""Reports of usage, asked of what it adds up to, or of the runs themselves."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.model.selection import RunFilter, StatusChoice
from runreel.model.timestamps import to_micros
from runreel.projection.run_mapper import index_key
from runreel.store.projections import usage_rollups
from runreel.store.projections.filter_planner import plan_filter
from runreel.store.projections.run_queries import where_clause
from runreel.store.projections.usage_buckets import (
    COUNTS,
    DAY,
    DIMENSIONS,
    HOUR,
    MICROS,
    QUARTER,
    TOKEN_LIMB,
    TOKENS,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runreel.store.connection import Connection
    from runreel.store.projections.filter_planner import FilterPlan

    Statement = tuple[str, list[Any]]
    # From a start up to but not another; None is without end.
    Starts = tuple[int | None, int | None]
    # From which start on a time zone is how many seconds ahead of UTC, in order.
    Ahead = Sequence[tuple[int, int]]

_PARTS = (f"r.{tokens} {operator} {TOKEN_LIMB}" for tokens in TOKENS for operator in ("/", "%"))
_OF_RUNS = ", ".join(
    ("count(*)", "count(r.total_tokens)", *(f"coalesce(sum({part}), 0)" for part in _PARTS))
)
_ADDED_UP = ", ".join(f"sum(u.{name})" for name in COUNTS)
# Division cuts towards zero: days are counted from one before all of them.
_EARLIER = 1_000_000_000

# Skips from day to day along the index of the runs' start.
_FIRST_DAY = f"SELECT {usage_rollups.start_of('min(started_at)', DAY)} FROM runs"
_DAYS = (
    f"WITH RECURSIVE found(day) AS ({_FIRST_DAY} WHERE started_at >= ? UNION ALL"
    f" SELECT ({_FIRST_DAY} WHERE started_at >= (found.day + {DAY}) * {MICROS} AND started_at <= ?)"
    f" FROM found WHERE found.day IS NOT NULL)"
    f" SELECT day / {DAY} FROM found WHERE day IS NOT NULL"
)
_MANY_DAYS = 10_000


class _Asked(NamedTuple):
    """What a report is by, of which runs; ``ahead`` if it is by day."""

    columns: Sequence[str]
    chosen: RunFilter
    led: FilterPlan
    ahead: Ahead | None


def days(connection: Connection, run_filter: RunFilter) -> Sequence[int]:
    """The days of UTC, since the epoch and in order, that runs began on in the time asked for.

    There may be others among them.
    """
    bounds = {"started_at >= ?": run_filter.since, "started_at < ?": run_filter.until}
    told = {sql: to_micros(moment) for sql, moment in bounds.items() if moment is not None}
    within = where_clause([*told])
    ends = [f"(SELECT {end}(started_at) FROM runs{within})" for end in ("min", "max")]
    first, last = connection.one(f"SELECT {', '.join(ends)}", [*told.values(), *told.values()])
    if first is None:
        return ()
    whole = range(first // MICROS // DAY, last // MICROS // DAY + 1)
    if len(whole) < _MANY_DAYS:
        return whole
    # Some programs write year 1 for a time that they do not know.
    return [int(day) for (day,) in connection.all(_DAYS, (first, last))]


def usage(
    connection: Connection,
    columns: Sequence[str],
    run_filter: RunFilter,
    *,
    utc_offsets: Ahead | None = None,
) -> list[tuple[Any, ...]]:
    """Runs, known runs and sums of tokens by ``columns`` of ``runs`` or ``label:K``.

    Each row is a group's values, led by the day since the epoch that the runs began on where a
    time zone is told that is so many seconds ``ahead``, then runs, known, input, completion, total.
    Sums are exact whatever their size. A group may come in several rows.
    """
    asked = _Asked(columns, run_filter, plan_filter(connection, run_filter), utc_offsets)
    statements = [*_added_up(asked)] or [_of_runs(asked)]
    # One statement sees one moment.
    sql = " UNION ALL ".join(text for text, _ in statements)
    parameters = [value for _, values in statements for value in values]
    return [_summed(row) for row in connection.all(sql, parameters) if row[-len(COUNTS)]]


def _added_up(asked: _Asked) -> Iterator[Statement]:
    """Statements on what usage adds up to and on the runs that are not in it; none if it cannot.

    These are runs that are still recorded, and those in the quarters that the time asked for
    begins and ends in.
    """
    chosen = asked.chosen
    told = _dimension(asked)
    since, until = (
        None if moment is None else to_micros(moment) for moment in (chosen.since, chosen.until)
    )
    first = None if since is None else -(-since // MICROS)
    last = None if until is None else until // MICROS
    if told is None or (first is not None and last is not None and first >= last):
        return
    for span, starts in _spans((first, last), _longest(told[0], asked.ahead)):
        yield _buckets(asked, *told, span, starts)
    yield _of_runs(asked, "r.recording = 'open'", "r.recording <> 'closed'")
    for end, moment, border in (("<", since, first), (">=", until, last)):
        if moment is not None and border is not None and moment != border * MICROS:
            cut = f"r.started_at {end} {border * MICROS}"
            yield _of_runs(asked, "r.recording <> 'open'", cut)


def _dimension(asked: _Asked) -> tuple[str, tuple[str | None, ...]] | None:
    """The one dimension that is grouped by or asked for, and its values; ``""`` is all runs.

    None where there are several, or something else is.
    """
    chosen, columns = asked.chosen, asked.columns
    whole = () if chosen.status is None else chosen.status.whole
    if chosen.status is not None and (not whole or chosen.status != StatusChoice(whole)):
        return None
    values = {
        "source": chosen.source,
        "status": tuple(one.name for one in whole),
        "assistant_id": chosen.assistant,
        "model": chosen.model,
    }
    # Whatever else is asked for has no sums.
    kept = RunFilter(
        **{name: getattr(chosen, name) for name in ("status", "source", "assistant", "model")},
        **{name: getattr(chosen, name) for name in ("since", "until", "stale")},
    )
    found = {*columns, *(dimension for dimension, value in values.items() if value)}
    if chosen != kept or len(columns) > 1 or len(found) > 1 or not found.issubset(DIMENSIONS):
        return None
    dimension = next(iter(found), "")
    return dimension, tuple(dict.fromkeys(map(index_key, values.get(dimension, ()))))


def _longest(dimension: str, ahead: Ahead | None) -> int:
    """The longest span that what is asked for can be made of."""
    if ahead is None:
        return DAY if dimension else HOUR
    hourly = all(start % HOUR == 0 and seconds % 3_600 == 0 for start, seconds in ahead)
    return HOUR if hourly else QUARTER


def _spans(starts: Starts, longest: int) -> Iterator[tuple[int, Starts]]:
    """The spans of the buckets to be read, and between which starts: the longest, and the rest."""
    first, last = starts
    begin = None if first is None else -(-first // longest) * longest
    end = None if last is None else last // longest * longest
    if begin is not None and end is not None and begin >= end:
        yield QUARTER, starts
        return
    yield longest, (begin, end)
    if first != begin:
        yield QUARTER, (first, begin)
    if last != end:
        yield QUARTER, (end, last)


def _buckets(
    asked: _Asked, dimension: str, values: Sequence[str | None], span: int, starts: Starts
) -> Statement:
    """A statement on what usage adds up to."""
    where = ["u.span = ?"]
    parameters: list[Any] = [span]
    tables, time = "usage_by_value AS u" if dimension else "usage_by_time AS u", "u"
    if values and asked.ahead is not None:
        # A value is looked up at each time: many others may have been counted then.
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
    columns = [] if asked.ahead is None else [_day_of("u.start", "u.start", 1, asked.ahead)]
    columns += ["CASE u.named WHEN 1 THEN u.value END"] * len(asked.columns)
    sql = f"SELECT {', '.join([*columns, _ADDED_UP])} FROM {tables}{where_clause(where)}"
    return sql + _group_by(columns), parameters


def _of_runs(asked: _Asked, *also: str) -> Statement:
    """A statement on the runs themselves, of which more conditions hold."""
    where, parameters = asked.led.where()
    joins = ""
    joined: list[Any] = []
    columns = []
    if asked.ahead is not None:
        start = usage_rollups.start_of("r.started_at")
        columns.append(_day_of(start, "r.started_at", MICROS, asked.ahead))
    for number, column in enumerate(asked.columns):
        if column.startswith("label:"):
            joins += (
                f" LEFT JOIN run_labels AS g{number}"
                f" ON g{number}.run_id = r.run_id AND g{number}.key = ?"
            )
            joined.append(index_key(column.removeprefix("label:")))
            columns.append(f"g{number}.value")
        else:
            columns.append(f"r.{column}")
    tables = f"{asked.led.tables}{joins}{where_clause([*where, *also])}"
    sql = f"SELECT {', '.join([*columns, _OF_RUNS])} FROM {tables}"
    return sql + _group_by(columns), [*joined, *parameters]


def _day_of(start: str, time: str, length: int, ahead: Ahead) -> str:
    """SQL for the day since the epoch that a start of a quarter of an hour is on.

    ``time`` is told from another faster: it has so much ``length`` for each quarter.
    """
    seconds = str(ahead[-1][1]) if ahead else "0"
    cases = [
        f"WHEN {time} < {stop * length} THEN {told}" for (_, told), (stop, _) in pairwise(ahead)
    ]
    if cases:
        seconds = f"CASE {' '.join(cases)} ELSE {seconds} END"
    return f"({start} * 900 + {seconds} + {_EARLIER * 86_400}) / 86400 - {_EARLIER}"


def _group_by(columns: Sequence[str]) -> str:
    return f" GROUP BY {', '.join(str(n + 1) for n in range(len(columns)))}" if columns else ""


def _summed(row: Sequence[Any]) -> tuple[Any, ...]:
    width = len(row) - len(COUNTS)
    runs, known, *parts = row[width:]
    if not known:
        return (*row[:width], int(runs), 0, None, None, None)
    sums = (
        int(high) * TOKEN_LIMB + int(low) for high, low in zip(parts[::2], parts[1::2], strict=True)
    )
    return (*row[:width], int(runs), int(known), *sums)
