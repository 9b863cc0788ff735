"""The names of hours, days, weeks, months, quarters and years in a time zone."""

from __future__ import annotations

import re
from bisect import bisect
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
# From the shortest to the longest.
TIMES = ("hour", "day", "week", "month", "quarter", "year")
HOUR = "hour"
# A local hour and its UTC offset in seconds are one number: see ``hour_code``.
OFFSET_RANGE, OFFSET_SHIFT = 262_144, 131_072
_SECONDS_PER_HOUR = 3_600
_LOCAL_EPOCH = EPOCH.replace(tzinfo=None)
_FIRST_HOUR = (date.min.toordinal() - EPOCH.toordinal()) * 24
_LAST_HOUR = (date.max.toordinal() - EPOCH.toordinal()) * 24 + 23
_QUARTERS_PER_HOUR = 4
_DAY = 96
_east = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2})\+(\d{2}):(\d{2})").fullmatch


def name(time: datetime, grouping: str) -> str:
    """Return the name of the period of a local time; weeks are those of ISO 8601.

    An aware time is in an hour that the clock shows twice: its name has the UTC offset.
    """
    if grouping == HOUR:
        return time.isoformat(timespec="hours")
    if grouping == "week":
        year, week, _ = time.isocalendar()
        return f"{year:04d}-W{week:02d}"
    day = time.date().isoformat()
    if grouping == "quarter":
        return f"{day[:4]}-Q{(time.month + 2) // 3}"
    return day[: {"day": 10, "month": 7, "year": 4}[grouping]]


def order(value: str | None) -> tuple[bool, str]:
    """Return what a key is sorted by: names of periods by time, and None last.

    Of an hour that the clock shows twice, the one with the larger offset was first.
    """
    hour = _east(value) if value else None
    if hour is not None:
        return False, f"{hour[1]} {99 - int(hour[2])}:{99 - int(hour[3])}"
    return value is None, value or ""


def hour_code(hour: int, offset: int) -> int:
    """Return one number for a local hour since the epoch and its UTC offset in seconds."""
    return hour * OFFSET_RANGE + offset + OFFSET_SHIFT


def local_hour(start: int, utc_offsets: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return the code of the local hour that begins with a quarter since the epoch, and its day.

    ``utc_offsets`` are pairs of a quarter and the UTC offset in seconds from then on.
    """
    at = bisect(utc_offsets, start, key=itemgetter(0)) - 1
    seconds = utc_offsets[max(at, 0)][1] if utc_offsets else 0
    hour = (start * 900 + seconds) // _SECONDS_PER_HOUR
    return hour_code(hour, seconds), hour // 24


def hour_of(code: int, tz: tzinfo | None) -> datetime:
    """Return the local hour of a code, naive; aware if the clock shows that hour twice."""
    hour, shifted = divmod(code, OFFSET_RANGE)
    offset = shifted - OFFSET_SHIFT
    local = _LOCAL_EPOCH + timedelta(hours=min(max(hour, _FIRST_HOUR), _LAST_HOUR))
    if _is_repeated(tz, hour, offset):
        return local.replace(tzinfo=timezone(timedelta(seconds=offset)))
    return local


def offset_at(tz: tzinfo | None, quarter: int) -> int:
    """Return the UTC offset in seconds at a quarter of an hour since the epoch."""
    try:
        offset = (EPOCH + quarter * QUARTER).astimezone(tz).utcoffset()
    except (OverflowError, ValueError):
        # Some programs write year 1 for an unknown time.
        return 0
    return (offset or timedelta()) // timedelta(seconds=1)


@lru_cache(maxsize=4096)
def _is_repeated(tz: tzinfo | None, hour: int, offset: int) -> bool:
    """Return whether a part of a local hour also has another offset."""
    quarter = (hour * _SECONDS_PER_HOUR - offset) // 900
    others = {offset_at(tz, quarter + days * _DAY) for days in (-1, 1)} - {offset}
    return any(
        offset_at(tz, (hour * _SECONDS_PER_HOUR + part * 900 - other) // 900) == other
        for other in others
        for part in range(_QUARTERS_PER_HOUR)
    )
