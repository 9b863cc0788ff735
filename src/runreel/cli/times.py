"""Times as people give them and as tables show them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

_AGO = re.compile(r"(\d{1,9})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse(text: str, *, now: datetime, zone: tzinfo | None = None) -> datetime:
    """The aware time that ``text`` means: ISO 8601, a date, or ``24h``: so long before ``now``.

    A time without an offset is of ``zone``, None for the local one.

    Raises:
        ValueError: if it means none.
    """
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None and zone is not None:
            moment = moment.replace(tzinfo=zone)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            f"{text!r} is no time: give 2025-12-31, 2025-12-31T18:30, 24h or 7d"
        ) from None


def zone_of(name: str) -> tzinfo:
    """The time zone of this name.

    Raises:
        ValueError: if there is none.
    """
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone: give one like Europe/Moscow or UTC") from None


def local(moment: datetime | None, *, precise: bool = False) -> str | None:
    """The local time to the second, or to the millisecond."""
    if moment is None:
        return None
    try:
        here = moment.astimezone()
    except (OverflowError, OSError):
        here = moment
    return here.replace(tzinfo=None).isoformat(" ", "milliseconds" if precise else "seconds")


def took(milliseconds: float | None) -> str | None:
    """A duration in the unit that suits it."""
    if milliseconds is None:
        return None
    seconds = milliseconds / 1000
    if abs(seconds) < 60:
        return f"{seconds:.3f}s" if abs(seconds) < 10 else f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m {rest:02}s" if hours else f"{minutes}m {rest:02}s"
