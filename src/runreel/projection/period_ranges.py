"""The periods between two times, also those in which nothing happened."""

from __future__ import annotations

import calendar
from datetime import date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING, NamedTuple

from runreel.model.errors import UsageError
from runreel.projection import period_names
from runreel.projection.period_names import EPOCH, HOUR, QUARTER, TIMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_DAY = timedelta(days=1)
# More periods are a mistake: some programs write year 1 for an unknown time.
_MOST = 100_000


class TimeRange(NamedTuple):
    """The first and the last time of a range, aware."""

    first: datetime
    last: datetime


def keys_between(
    by: Sequence[str], within: TimeRange, tz: tzinfo | None
) -> dict[tuple[str, ...], None]:
    """Return the keys of all periods of these groupings that touch the range, in order.

    Raises:
        UsageError: if they are too many.
    """
    times = _hours(within, tz) if HOUR in by else _days(within, tz)
    return dict.fromkeys(tuple(period_names.name(local, one) for one in by) for local in times)


def range_of(by: Sequence[str], keys: Sequence[Sequence[str]], tz: tzinfo | None) -> TimeRange:
    """Return the range of the periods with these keys; there is at least one."""
    ends = [
        [_ends(grouping, str(name), tz) for name in column]
        for grouping, column in zip(by, zip(*keys, strict=True), strict=True)
    ]
    # A week may begin in the month before: only what all groupings cover counts.
    first = max(min(first for first, _ in column) for column in ends)
    last = min(max(last for _, last in column) for column in ends)
    return TimeRange(first, last)


def time_groupings(by: Sequence[str]) -> list[int]:
    """Return the positions of the groupings that are periods."""
    return [index for index, grouping in enumerate(by) if grouping in TIMES]


def _ends(grouping: str, name: str, tz: tzinfo | None) -> tuple[datetime, datetime]:
    """Return the first and the last moment of a period."""
    if grouping == HOUR:
        hour = datetime.fromisoformat(name)
        first = hour if hour.tzinfo else hour.replace(tzinfo=tz) if tz else hour.astimezone()
        return first, first + timedelta(minutes=59)
    begin, end = _days_of(grouping, name)
    first, last = datetime.combine(begin, time(), tz), datetime.combine(end, time(23, 59), tz)
    return (first, last) if tz else (first.astimezone(), last.astimezone())


def _days_of(grouping: str, name: str) -> tuple[date, date]:
    if grouping == "week":
        begin = date.fromisocalendar(int(name[:4]), int(name[6:]), 1)
        return begin, begin + 6 * _DAY
    year = int(name[:4])
    if grouping == "year":
        return date(year, 1, 1), date(year, 12, 31)
    if grouping == "day":
        return date.fromisoformat(name), date.fromisoformat(name)
    last = int(name[6:]) * 3 if grouping == "quarter" else int(name[5:])
    begin = date(year, last - 2 if grouping == "quarter" else last, 1)
    return begin, date(year, last, calendar.monthrange(year, last)[1])


def _days(within: TimeRange, tz: tzinfo | None) -> Iterator[datetime]:
    first, last = (moment.astimezone(tz).toordinal() for moment in within)
    _refuse_many(last - first, "days")
    return map(datetime.fromordinal, range(first, last + 1))


def _hours(within: TimeRange, tz: tzinfo | None) -> Iterator[datetime]:
    # Aware times are subtracted without a conversion, which fails at the ends of the calendar.
    first, last = ((moment - EPOCH) // QUARTER for moment in within)
    _refuse_many((last - first) // 4, "hours")
    for quarter in range(first, last + 1):
        offset = period_names.offset_at(tz, quarter)
        hour = (quarter * 900 + offset) // 3_600
        yield period_names.hour_of(period_names.hour_code(hour, offset), tz)


def _refuse_many(count: int, noun: str) -> None:
    if count > _MOST:
        raise UsageError(
            f"there are {count:,} {noun} to fill", hint="Select a shorter time with --since."
        )
