"""Usage reports with the periods in which no run started."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from runreel.model.run_filter import run_filter
from runreel.model.usage import UsageItem, UsageTotals
from runreel.projection import period_names
from runreel.projection.period_ranges import TimeRange, keys_between, range_of, time_groupings
from runreel.system.zones import zone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.model.run_filter import Filters
    from runreel.model.selection import RunFilter
    from runreel.model.usage import UsageReport

_EMPTY = UsageTotals(input_text_tokens=0, completion_tokens=0, total_tokens=0)
_MICROSECOND = timedelta(microseconds=1)


def filled(report: UsageReport, filters: Filters, *, tz: str | None) -> UsageReport:
    """Return a report with an item for each period, of which those without runs have 0 tokens.

    The periods are those from the first to the last one with runs, or from ``since`` and to
    ``until`` of the filters, but not later than now. Other groups get all periods, each.

    Raises:
        UsageError: if there are more than 100,000 periods.
    """
    positions = time_groupings(report.by)
    if not positions:
        return report
    time_zone, _ = zone(tz)
    now = datetime.now(UTC)
    by = [report.by[position] for position in positions]
    known = [[str(item.key[position]) for position in positions] for item in report.items]
    seen = range_of(by, known, time_zone) if known else None
    within = _range(run_filter(filters, now=now, zone=time_zone), seen, now)
    if within is None:
        return report
    others = dict.fromkeys(_others(item.key, positions) for item in report.items)
    if len(by) == len(report.by):
        others = {(): None}
    periods = keys_between(by, within, time_zone)
    keys = {item.key for item in report.items}
    empty = _EMPTY if report.prices is None else replace(_EMPTY, priced=0, unpriced=0)
    wanted = (_merged(positions, period, other) for period in periods for other in others)
    items = [*report.items, *(UsageItem(key, empty) for key in wanted if key not in keys)]
    items.sort(key=lambda item: [*map(period_names.order, item.key)])
    return replace(report, items=tuple(items))


def _range(selected: RunFilter, seen: TimeRange | None, now: datetime) -> TimeRange | None:
    """Return the time to fill; None if nothing bounds it."""
    first, last = _bounds(selected)
    if last is not None:
        last = min(last, now)
    if seen is not None:
        first = seen.first if first is None else first
        last = seen.last if last is None else max(last, seen.last)
    if first is None or last is None or first > last:
        return None
    return TimeRange(first, last)


def _bounds(selected: RunFilter) -> tuple[datetime | None, datetime | None]:
    """Return the first and the last moment that a filter selects; None is unbounded."""
    starts = [selected.since, min((one.start for one in selected.within), default=None)]
    ends = [selected.until, max((one.end for one in selected.within), default=None)]
    until = min((end for end in ends if end is not None), default=None)
    return (
        max((start for start in starts if start is not None), default=None),
        None if until is None else until - _MICROSECOND,
    )


def _others(key: Sequence[str | None], positions: Sequence[int]) -> tuple[str | None, ...]:
    return tuple(value for index, value in enumerate(key) if index not in positions)


def _merged(
    positions: Sequence[int], period: Sequence[str], other: Sequence[str | None]
) -> tuple[str | None, ...]:
    """Return a key with the names of a period at their positions, and the other values."""
    times, values = iter(period), iter(other)
    width = len(period) + len(other)
    return tuple(next(times) if index in positions else next(values) for index in range(width))
