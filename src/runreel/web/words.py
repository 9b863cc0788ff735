"""Values of pages as words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec.durations import duration_text

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

UNKNOWN = "unknown"
# Characters of one text that a page shows.
LONGEST = 20_000


def known(value: object) -> object:
    """Return the value; ``unknown`` for None."""
    return UNKNOWN if value is None else value


def duration(milliseconds: float | None) -> str:
    """Format a duration."""
    return UNKNOWN if milliseconds is None else duration_text(milliseconds)


def number(value: float | None) -> str:
    """Format a number, with commas."""
    return UNKNOWN if value is None else f"{value:,}"


def time(moment: datetime | None, zone: tzinfo | None) -> str:
    """Format a time in a zone (None: the local one), with its offset."""
    if moment is None:
        return UNKNOWN
    try:
        local = moment.astimezone(zone)
    except (OverflowError, OSError):
        local = moment
    return local.isoformat(" ", "seconds")


def clip(text: str | None, length: int = LONGEST) -> str:
    """Return the beginning of a text, and how much is left out."""
    if text is None:
        return UNKNOWN
    if len(text) <= length:
        return text
    return f"{text[:length]} … and {len(text) - length:,} more characters"
