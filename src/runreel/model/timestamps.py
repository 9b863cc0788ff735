"""Times in the log: whole microseconds since the epoch, UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, overload

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)
# Longer strings are not cached: the times of services are shorter.
_MAX_CACHED = 40
# 10^11 is the year 5138 in seconds and 1973 in milliseconds; 10^14 is 5138 in milliseconds.
_FIRST_MS, _LAST_MS = 10**11, 10**14
_leap_second = re.compile(r"([0-9T:-]+:)60(?:\.[0-9]+)?(Z|[+-][0-9:]+)?").fullmatch


@overload
def to_micros(moment: datetime) -> int: ...
@overload
def to_micros(moment: None) -> None: ...
def to_micros(moment: datetime | None) -> int | None:
    """Convert a time to µs since the epoch; a naive time is taken as UTC, and None stays None."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // _MICROSECOND


@overload
def from_micros(value: int) -> datetime: ...
@overload
def from_micros(value: None) -> None: ...
def from_micros(value: int | None) -> datetime | None:
    """Convert µs since the epoch to an aware UTC time; None stays None.

    Times outside the range of datetime become the first or the last one in it.
    """
    if value is None:
        return None
    try:
        return EPOCH + value * _MICROSECOND
    except OverflowError:
        return _LAST if value > 0 else _FIRST


def micros(value: Any) -> int | None:
    """Convert an RFC 3339 time, or a number of s or ms, to µs since the epoch; else None.

    Case is ignored, digits beyond µs are dropped, and a leap second becomes the last µs of the
    second before. Numbers from 10^11 are ms; those from 10^14 are not times.
    """
    if isinstance(value, str):
        try:
            return (_cached_micros if len(value) <= _MAX_CACHED else _micros)(value)
        except (ValueError, OverflowError):
            return None
    if type(value) not in (int, float) or not 0 < value < _LAST_MS:
        return None
    scale = 1_000_000 if value < _FIRST_MS else 1_000
    return int(value * scale + 0.5) if isinstance(value, float) else value * scale


def is_unreadable(value: Any) -> bool:
    """Return whether a value is given but is not a time."""
    return value is not None and micros(value) is None


def naive(value: Any) -> datetime | None:
    """Convert a value with ``micros`` to a naive UTC time, as in the SDK; None if it is no time."""
    time = micros(value)
    return None if time is None else _naive(time)


def rfc3339(value: int | datetime | None) -> str | None:
    """Format a time as in JSON: UTC with microseconds and ``Z``."""
    if value is None:
        return None
    moment = from_micros(value) if isinstance(value, int) else value.astimezone(UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def first_text_ms(requested_at: int | None, first_text_at: int | None) -> float | None:
    """Return the ms from the request of a run to its first text; arguments are µs.

    None if one is unknown, or if the text is earlier: the request is then of a later response.
    """
    if requested_at is None or first_text_at is None or first_text_at < requested_at:
        return None
    return (first_text_at - requested_at) / 1000


def duration_ms(requested_at: int | None, started_at: int, finished_at: int | None) -> float | None:
    """Return the duration of a run in ms; arguments are µs.

    It counts from the request, or from the start if the request is unknown or after the end.
    """
    if finished_at is None:
        return None
    first = started_at if requested_at is None or requested_at > finished_at else requested_at
    return (finished_at - first) / 1000


def _micros(text: str) -> int:
    text = text.upper()
    try:
        return to_micros(datetime.fromisoformat(text))
    except ValueError:
        leap = _leap_second(text)
        if leap is None:
            raise
        return to_micros(datetime.fromisoformat(f"{leap[1]}59.999999{leap[2]}"))


# Cached, because the events of a run repeat its times.
_cached_micros = lru_cache(maxsize=256)(_micros)


@lru_cache(maxsize=256)
def _naive(time: int) -> datetime:
    return from_micros(time).replace(tzinfo=None)
