"""Time zones by name, and the name of the local one."""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from runreel.model.errors import UsageError

_OFFSET = re.compile(r"(?:UTC)?([+-])(\d{1,2})(?::?(\d{2}))?", re.IGNORECASE)
_LOCALTIME = Path("/etc/localtime")
_TIMEZONE = Path("/etc/timezone")
_FOLDER = "zoneinfo/"


def zone(name: str | None) -> tuple[tzinfo | None, str]:
    """Return a time zone and its name; for None, the local zone as None with its name.

    ``name`` is an IANA name or an offset such as +03:00.

    Raises:
        UsageError: if the zone is unknown.
    """
    if name is None:
        return None, local_name()
    found = _named(name) or _offset(name)
    if found is None:
        raise UsageError(
            f"invalid time zone {name!r}",
            hint="Use a name such as Europe/Moscow or UTC, or +03:00.",
        )
    return found, name


def local_name() -> str:
    """Return the name of the local time zone, as ``zone`` accepts it."""
    for name in _candidates():
        if _named(name) is not None:
            return name
    return _offset_name(datetime.now().astimezone().utcoffset() or timedelta())


def _candidates() -> list[str]:
    """Return possible names of the local zone; only that of TZ if it is set."""
    name = os.environ.get("TZ")
    if name is not None:
        name = name.removeprefix(":")
        return [name.rpartition(_FOLDER)[2] if name.startswith("/") else name or "UTC"]
    found = []
    try:
        found.append(str(_LOCALTIME.resolve()).rpartition(_FOLDER)[2])
        found.append(_TIMEZONE.read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        pass
    return found


def _named(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _offset(name: str) -> tzinfo | None:
    match = _OFFSET.fullmatch(name)
    if match is None:
        return None
    length = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    return timezone(-length if match[1] == "-" else length) if length < timedelta(days=1) else None


def _offset_name(offset: timedelta) -> str:
    sign = "-" if offset < timedelta() else "+"
    hours, minutes = divmod(abs(offset) // timedelta(minutes=1), 60)
    return f"{sign}{hours:02d}:{minutes:02d}"
