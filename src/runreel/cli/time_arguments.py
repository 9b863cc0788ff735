"""The time zone of the command, and times and durations formatted for tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runreel.system import zones

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

_ZONE = "runreel.zone"


def set_zone(name: str | None) -> None:
    """Set the time zone of the running command; None is that of the machine.

    Raises:
        UsageError: if the zone is unknown.
    """
    click.get_current_context().meta[_ZONE] = zones.zone(name)


def zone() -> tuple[tzinfo | None, str]:
    """The time zone of the running command and its name; None is that of the machine."""
    context = click.get_current_context(silent=True)
    known: dict[str, tuple[tzinfo | None, str]] = {} if context is None else context.meta
    if _ZONE not in known:
        known[_ZONE] = zones.zone(None)
    return known[_ZONE]


def requested_zone() -> str | None:
    """The name of the requested time zone; None for that of the machine."""
    tzinfo, name = zone()
    return None if tzinfo is None else name


def local_time(moment: datetime | None, *, precise: bool = False) -> str | None:
    """Format a time in the zone of the command, to the second or (``precise``) millisecond."""
    if moment is None:
        return None
    try:
        local = moment.astimezone(zone()[0])
    except (OverflowError, OSError):
        local = moment
    return local.replace(tzinfo=None).isoformat(" ", "milliseconds" if precise else "seconds")


def duration_text(milliseconds: float | None) -> str | None:
    """Format a duration: ``1.234s``, ``2m 05s``, ``1h 02m 05s``."""
    if milliseconds is None:
        return None
    seconds = milliseconds / 1000
    if abs(seconds) < 60:
        return f"{seconds:.3f}s" if abs(seconds) < 10 else f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m {rest:02}s" if hours else f"{minutes}m {rest:02}s"
