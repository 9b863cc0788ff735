"""Parsers of times, periods and durations as people write them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    Zone = tzinfo | None

HINT = (
    "use 2026-11-30, 2026-11-30T18:30, 2026-11, 2026-W48, today, yesterday, last-week, 24h,"
    " '3 days ago' or epoch seconds"
)
_AGO = re.compile(r"(\d{1,9})\s*([a-z]+)(?:\s+ago)?", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("w", "week", "weeks"), "w"),
}
_WORD = re.compile(r"(this|last)[ -](week|month|year)")
_YEAR = re.compile(r"(\d{4})", re.ASCII)
_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_WEEK = re.compile(r"(\d{4})-?w(\d{2})", re.ASCII)
_DATE = re.compile(r"\d{4}-?\d{2}-?\d{2}|\d{4}-?w\d{2}-?\d", re.ASCII)
_EPOCH = re.compile(r"@(\d{1,12}(?:\.\d{1,6})?)|(\d{9,11}(?:\.\d{1,6})?)", re.ASCII)
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(ms|[a-z]*)\s*", re.ASCII)


class Period(NamedTuple):
    """A period without its ``end``, or a single moment if ``end`` is None. Times are aware."""

    start: datetime
    end: datetime | None = None


def parse(text: str, *, now: datetime, zone: Zone = None) -> Period:
    """Parse a period or moment; ``zone`` None is the local time zone.

    Raises:
        ValueError: if ``text`` is neither.
    """
    given = text.strip()
    try:
        for read in _FORMS:
            found = read(given.lower(), now, zone)
            if found is not None:
                return found
        return Period(_aware(datetime.fromisoformat(given.upper()), zone))
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"invalid time {text!r}: {HINT}") from None


def moment(value: datetime | date | float | str, *, now: datetime, zone: Zone = None) -> datetime:
    """Convert ``value`` to an aware UTC time; without an offset it is in ``zone``.

    A period yields its start; a number is epoch seconds.

    Raises:
        ValueError: if it is not a time.
    """
    if isinstance(value, str):
        return parse(value, now=now, zone=zone).start
    if isinstance(value, datetime):
        return _aware(value, zone)
    if isinstance(value, date):
        return _midnight(value, zone)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(  # noqa: TRY004 - one error type for all invalid times
            f"invalid time {value!r}: use a datetime, a date or a text like '7d'"
        )
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError, ValueError):
        raise ValueError(f"invalid time {value!r}: epoch seconds out of range") from None


def period(value: date | str, *, now: datetime, zone: Zone = None) -> tuple[datetime, datetime]:
    """Return the start and end of the period that a date or text denotes.

    Raises:
        ValueError: if it denotes no period, or a single moment.
    """
    if isinstance(value, str):
        start, end = parse(value, now=now, zone=zone)
        if end is not None:
            return start, end
    elif isinstance(value, date) and not isinstance(value, datetime):
        return _days(value, value + timedelta(days=1), zone)
    raise ValueError(
        f"{value!r} is not a period: use a day, week, month or year such as yesterday, 2026-W48,"
        " 2026-11"
    )


def duration(value: timedelta | float | str) -> timedelta:
    """Convert seconds, or a text such as 500ms, 2.5s or 1m30s, to a duration.

    Raises:
        ValueError: if it is not a duration.
    """
    try:
        if isinstance(value, timedelta):
            length = value
        elif isinstance(value, str):
            length = timedelta(seconds=_seconds(value.strip().lower()))
        else:
            length = timedelta(seconds=value)
    except (ValueError, OverflowError, TypeError, KeyError):
        length = timedelta(-1)
    if length < timedelta():
        raise ValueError(f"invalid duration {value!r}: use 500ms, 2.5s, 1m30s or 2h")
    return length


def _seconds(text: str) -> float:
    total, position = 0.0, 0
    while match := _DURATION.match(text, position):
        unit = match[2] or "s"
        total += float(match[1]) * (0.001 if unit == "ms" else _SECONDS[_UNITS[unit]])
        position = match.end()
    if not position or position < len(text):
        raise ValueError(text)
    return total


def _named(text: str, now: datetime, zone: Zone) -> Period | None:
    if text == "now":
        return Period(now.astimezone(UTC))
    today = now.astimezone(zone).date()
    if text in ("today", "yesterday"):
        day = today if text == "today" else today - timedelta(days=1)
        return _whole(day, day + timedelta(days=1), zone)
    word = _WORD.fullmatch(text)
    if word is None:
        return None
    begin = {"week": _monday, "month": _first_of_month, "year": _first_of_year}[word[2]]
    start = begin(today)
    if word[1] == "last":
        return _whole(begin(start - timedelta(days=1)), start, zone)
    # At least the longest period of its kind, and less than two: this falls into the next one.
    length = {"week": 7, "month": 31, "year": 366}[word[2]]
    return _whole(start, begin(start + timedelta(days=length)), zone)


def _calendar(text: str, now: datetime, zone: Zone) -> Period | None:  # noqa: ARG001 - common signature
    if match := _YEAR.fullmatch(text):
        year = int(match[1])
        return _whole(date(year, 1, 1), date(year + 1, 1, 1), zone)
    if match := _MONTH.fullmatch(text):
        first = date(int(match[1]), int(match[2]), 1)
        return _whole(first, _first_of_month(first + timedelta(days=31)), zone)
    if match := _WEEK.fullmatch(text):
        monday = date.fromisocalendar(int(match[1]), int(match[2]), 1)
        return _whole(monday, monday + timedelta(days=7), zone)
    if _DATE.fullmatch(text):
        day = date.fromisoformat(text.upper())
        return _whole(day, day + timedelta(days=1), zone)
    return None


def _relative(text: str, now: datetime, zone: Zone) -> Period | None:  # noqa: ARG001 - common signature
    if match := _EPOCH.fullmatch(text):
        return Period(datetime.fromtimestamp(float(match[1] or match[2]), UTC))
    match = _AGO.fullmatch(text)
    if match is None or match[2] not in _UNITS:
        return None
    length = int(match[1]) * _SECONDS[_UNITS[match[2]]]
    return Period(now.astimezone(UTC) - timedelta(seconds=length))


_FORMS: tuple[Callable[[str, datetime, Zone], Period | None], ...] = (_named, _relative, _calendar)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _first_of_month(day: date) -> date:
    return day.replace(day=1)


def _first_of_year(day: date) -> date:
    return day.replace(month=1, day=1)


def _whole(first: date, end: date, zone: Zone) -> Period:
    return Period(*_days(first, end, zone))


def _days(first: date, end: date, zone: Zone) -> tuple[datetime, datetime]:
    return _midnight(first, zone), _midnight(end, zone)


def _midnight(day: date, zone: Zone) -> datetime:
    """Return the start of a day; if clocks skip midnight, the first moment after it."""
    return _aware(datetime(day.year, day.month, day.day), zone)  # noqa: DTZ001 - becomes aware


def _aware(value: datetime, zone: Zone) -> datetime:
    if value.tzinfo is None and zone is not None:
        value = value.replace(tzinfo=zone)
    return value.astimezone(UTC)
