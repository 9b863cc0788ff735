"""Times as the log keeps them: microseconds since the epoch, UTC, exact."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)
# A time may have any number of digits; those of services are not longer.
_USUAL = 40


def to_micros(moment: datetime) -> int:
    """µs since the epoch; a naive time is taken as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // _MICROSECOND


def from_micros(value: int) -> datetime:
    """The aware UTC time; times that no datetime reaches become the nearest that one does."""
    try:
        return EPOCH + timedelta(0, 0, value)
    except OverflowError:
        return _LAST if value > 0 else _FIRST


def micros(text: Any) -> int | None:
    """µs since the epoch of an RFC 3339 time, further digits cut; None if it is none."""
    if not isinstance(text, str):
        return None
    try:
        return (_again if len(text) <= _USUAL else _micros)(text)
    except (ValueError, OverflowError):
        return None


def naive(text: Any) -> datetime | None:
    """The UTC time of an RFC 3339 time, without a time zone as in the SDK; None if it is none."""
    time = micros(text)
    return None if time is None else _naive(time)


def rfc3339(value: int | datetime | None) -> str | None:
    """UTC with microseconds, as JSON shows times."""
    if value is None:
        return None
    moment = from_micros(value) if isinstance(value, int) else value.astimezone(UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _micros(text: str) -> int:
    return to_micros(datetime.fromisoformat(text))


# A run's events repeat its times.
_again = lru_cache(maxsize=256)(_micros)


@lru_cache(maxsize=256)
def _naive(time: int) -> datetime:
    return from_micros(time).replace(tzinfo=None)
