"""Usage reports: the groupings, and the periods of a time zone."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from runreel.model.errors import UsageError
from runreel.model.usage import UsageItem, UsageReport, UsageTotals
from runreel.projection import period_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import tzinfo

TIMES = period_names.TIMES
COLUMNS = {
    "assistant": "assistant_id",
    "thread": "thread_id",
    "model": "model",
    "source": "source",
    "status": "status",
    "created_by": "created_by",
    "error": "error",
}
LABEL = "label:"
_QUARTERS_PER_DAY = 96
# Runs, known, and the sums of tokens: the last columns of every row.
_COUNTS = 8


def column_of(grouping: str) -> str:
    """Return the column of a grouping that is not a time; ``label:K`` is returned as it is.

    Raises:
        UsageError: if the grouping does not exist.
    """
    if grouping.startswith(LABEL) and len(grouping) > len(LABEL):
        return grouping
    try:
        return COLUMNS[grouping]
    except KeyError:
        raise UsageError(
            f"invalid grouping {grouping!r}",
            hint=f"Choose from {', '.join((*TIMES, *COLUMNS))}, label:KEY.",
        ) from None


def utc_offsets(tz: tzinfo | None, days: Iterable[int]) -> list[tuple[int, int]]:
    """Return pairs of a quarter of an hour and the UTC offset in seconds from then on.

    Quarters of an hour and days are counted since the epoch, in UTC. Only the given ``days`` are
    covered; they must be in order.
    """
    found: list[tuple[int, int]] = []
    offset_at = lru_cache(maxsize=2)(partial(period_names.offset_at, tz))
    for day in days:
        quarters = range(day * _QUARTERS_PER_DAY, (day + 1) * _QUARTERS_PER_DAY)
        if offset_at(quarters.start) == offset_at(quarters.stop):
            quarters = quarters[:1]
        for quarter in quarters:
            seconds = offset_at(quarter)
            if not found or found[-1][1] != seconds:
                found.append((quarter, seconds))
    return found


def report(by: Sequence[str], rows: Iterable[Sequence[Any]], *, tz_name: str) -> UsageReport:
    """Build a report from rows ``(time?, group values…, runs, known, sums…)``.

    The sums are those of ``UsageTotals``. The day (since the epoch) comes first if ``by`` contains
    a time, and the local hour if it contains the hour. Rows of the same group are summed.
    """
    groups = sum_groups(by, ((row[:-_COUNTS], row[-_COUNTS:]) for row in rows))
    items = tuple(UsageItem(key, UsageTotals(*sums)) for key, sums in groups)
    total = sum_groups((), (((), sums) for _, sums in groups))
    return UsageReport(tuple(by), items, UsageTotals(*(total[0][1] if total else ())), tz_name)


def sum_groups(
    by: Sequence[str], rows: Iterable[tuple[Sequence[Any], Sequence[Any]]]
) -> list[tuple[tuple[Any, ...], list[Any]]]:
    """Return the key and the sums of each group, in order; None adds nothing.

    The keys of ``rows`` have the values of a row's groups, after the time if ``by`` contains one,
    as in ``report``. Values after these are kept.
    """
    by_time = any(grouping in TIMES for grouping in by)
    groups: dict[tuple[Any, ...], list[Any]] = {}
    for values, added in rows:
        key = tuple(_group_key(by, values) if by_time else values)
        sums = groups.setdefault(key, [None] * len(added))
        for index, count in enumerate(added):
            if count is not None:
                sums[index] = count + (sums[index] or 0)
    return sorted(groups.items(), key=lambda group: [*map(period_names.order, group[0])])


def _group_key(by: Sequence[str], row: Sequence[Any]) -> Iterator[str | None]:
    """Return the key of a row that begins with a day, or with the local time of an hour."""
    time, values = row[0], iter(row[1:])
    if not isinstance(time, datetime):
        ordinal = period_names.EPOCH.toordinal() + time
        time = datetime.fromordinal(min(max(ordinal, 1), date.max.toordinal()))
    for grouping in by:
        yield period_names.name(time, grouping) if grouping in TIMES else next(values)
    yield from values
