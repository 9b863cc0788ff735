"""Usage reports with the periods in which no run started."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from runreel.model.errors import UsageError
from runreel.model.run_filter import run_filter
from runreel.model.usage import UsageItem, UsageTotals
from runreel.projection import period_names
from runreel.projection.period_ranges import TimeRange, keys_between, range_of, time_groupings
from runreel.system.zones import zone

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from runreel.model.run_filter import Filters
    from runreel.model.selection import RunFilter
    from runreel.model.usage import UsageReport

_EMPTY = UsageTotals(input_text_tokens=0, completion_tokens=0, total_tokens=0)
_MICROSECOND = timedelta(microseconds=1)
# Items of a report with the filled ones.
_MOST = 1_000_000


def filled(report: UsageReport, filters: Filters, *, tz: str | None, now: datetime) -> UsageReport:
    """Return a report with an item for each period, of which those without runs have 0 tokens.

    The periods are those from the first to the last one with runs, or from ``since`` and to
    ``until`` of the filters, but not later than ``now``. Other groups get all periods, each.

    Raises:
        UsageError: if there are more than 100,000 periods, or 1,000,000 items.
    """
    positions = time_groupings(report.by)
    if not positions:
        return report
    time_zone, name = zone(tz)
    # The local zone by its name: at the ends of the calendar it has no offset otherwise.
    time_zone = time_zone or zone(name)[0]
    by = [report.by[position] for position in positions]
    known = [[str(item.key[position]) for position in positions] for item in report.items]
    seen = range_of(by, known, time_zone) if known else None
    within = _range(run_filter(filters, now=now, zone=time_zone), seen, now)
    if within is None:
        return report
    periods = keys_between(by, within, time_zone)
    items = [*report.items, *_missing(report, positions, periods)]
    items.sort(key=lambda item: [*map(period_names.order, item.key)])
    return replace(report, items=tuple(items))


def _missing(
    report: UsageReport, positions: Sequence[int], periods: Collection[tuple[str, ...]]
) -> list[UsageItem]:
    """Return an item of 0 tokens for each period and other group that the report lacks."""
    others = _other_groups(report, positions)
    if len(periods) * len(others) > _MOST:
        raise UsageError(
            f"there are {len(periods):,} periods to fill for each of {len(others):,} other groups",
            hint="Select runs, or leave out a grouping.",
        )
    empty = _EMPTY if report.prices is None else replace(_EMPTY, priced=0, unpriced=0)
    known = {item.key for item in report.items}
    wanted = (_merged(positions, period, other) for period in periods for other in others)
    return [UsageItem(key, empty) for key in wanted if key not in known]


def _other_groups(
    report: UsageReport, positions: Sequence[int]
) -> dict[tuple[str | None, ...], None]:
    """Return the values of the groups that are no periods; a single empty one without any."""
    if len(positions) == len(report.by):
        return {(): None}
    return dict.fromkeys(
        tuple(value for index, value in enumerate(item.key) if index not in positions)
        for item in report.items
    )


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


def _merged(
    positions: Sequence[int], period: Sequence[str], other: Sequence[str | None]
) -> tuple[str | None, ...]:
    """Return a key with the names of a period at their positions, and the other values."""
    times, values = iter(period), iter(other)
    width = len(period) + len(other)
    return tuple(next(times) if index in positions else next(values) for index in range(width))
