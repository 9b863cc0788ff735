"""Times as tables show them, in the zone of the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runreel.system import zones

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

_ZONE = "runreel.zone"


def set_zone(name: str | None) -> None:
    """Have the command that runs read and print times in this zone, None for the machine's own.

    Raises:
        UsageError: if there is no such zone.
    """
    click.get_current_context().meta[_ZONE] = zones.zone(name)


def zone() -> tuple[tzinfo | None, str]:
    """The zone of the command that runs, and its name; the machine's own is None."""
    context = click.get_current_context(silent=True)
    if context is None:
        return zones.zone(None)
    if _ZONE not in context.meta:
        context.meta[_ZONE] = zones.zone(None)
    found: tuple[tzinfo | None, str] = context.meta[_ZONE]
    return found


def requested_zone() -> str | None:
    """The name of the zone that was asked for, None if none was."""
    place, name = zone()
    return None if place is None else name


def local_time(moment: datetime | None, *, precise: bool = False) -> str | None:
    """The time in the command's zone to the second, or to the millisecond."""
    if moment is None:
        return None
    try:
        here = moment.astimezone(zone()[0])
    except (OverflowError, OSError):
        here = moment
    return here.replace(tzinfo=None).isoformat(" ", "milliseconds" if precise else "seconds")


def duration_text(milliseconds: float | None) -> str | None:
    """A duration in the unit that suits it."""
    if milliseconds is None:
        return None
    seconds = milliseconds / 1000
    if abs(seconds) < 60:
        return f"{seconds:.3f}s" if abs(seconds) < 10 else f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m {rest:02}s" if hours else f"{minutes}m {rest:02}s"
