"""Times as the log keeps them: microseconds since the epoch, UTC, exact."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)
# A time may have any number of digits; those of services are not longer.
_USUAL = 40
# Seconds of the year 5138, milliseconds of 1973 and of 5138.
_FIRST_MS, _LAST_MS = 10**11, 10**14
_leap_second = re.compile(r"([0-9T:-]+:)60(?:\.[0-9]+)?(Z|[+-][0-9:]+)?").fullmatch


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


def micros(value: Any) -> int | None:
    """µs since the epoch of an RFC 3339 time, or of a number of s or ms; None if it is neither.

    Letters may be small, digits beyond µs are cut, and a leap second is the end of the second
    before it. Numbers from 10^11 on are ms, those from 10^14 on are no times.
    """
    if isinstance(value, str):
        try:
            return (_cached_micros if len(value) <= _USUAL else _micros)(value)
        except (ValueError, OverflowError):
            return None
    if type(value) not in (int, float) or not 0 < value < _LAST_MS:
        return None
    scale = 1_000_000 if value < _FIRST_MS else 1_000
    return int(value * scale + 0.5) if isinstance(value, float) else value * scale


def is_unreadable(value: Any) -> bool:
    """Whether a value that is there is no time."""
    return value is not None and micros(value) is None


def naive(value: Any) -> datetime | None:
    """The UTC time that ``micros`` reads, without a time zone as in the SDK; None if none."""
    time = micros(value)
    return None if time is None else _naive(time)


def rfc3339(value: int | datetime | None) -> str | None:
    """UTC with microseconds, as JSON shows times."""
    if value is None:
        return None
    moment = from_micros(value) if isinstance(value, int) else value.astimezone(UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def first_text_ms(requested_at: int | None, first_text_at: int | None) -> float | None:
    """How long after its request the first text of a run came, ms; times are µs.

    None where one of them is unknown, or the text came before the request, which is of another one.
    """
    if requested_at is None or first_text_at is None or first_text_at < requested_at:
        return None
    return (first_text_at - requested_at) / 1000


def duration_ms(requested_at: int | None, started_at: int, finished_at: int | None) -> float | None:
    """How long a run took, ms: from its request, or its start where that is unknown or later."""
    if finished_at is None:
        return None
    began = started_at if requested_at is None or requested_at > finished_at else requested_at
    return (finished_at - began) / 1000


def _micros(text: str) -> int:
    text = text.upper()
    try:
        return to_micros(datetime.fromisoformat(text))
    except ValueError:
        leap = _leap_second(text)
        if leap is None:
            raise
        return to_micros(datetime.fromisoformat(f"{leap[1]}59.999999{leap[2]}"))


# A run's events repeat its times.
_cached_micros = lru_cache(maxsize=256)(_micros)


@lru_cache(maxsize=256)
def _naive(time: int) -> datetime:
    return from_micros(time).replace(tzinfo=None)
