"""The time zone and the time of the command, and times formatted for tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runreel.system import wall_clock, zones

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

_ZONE, _NOW = "runreel.zone", "runreel.now"


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


def now() -> datetime:
    """The time of the running command in UTC: the same for all its options and results."""
    context = click.get_current_context(silent=True)
    known: dict[str, datetime] = {} if context is None else context.meta
    if _NOW not in known:
        known[_NOW] = wall_clock.now()
    return known[_NOW]


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
