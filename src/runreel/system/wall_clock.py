"""The current time, against which queries read times such as ``today``."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time in UTC.

    A query or a command calls it once and passes the result on: a report whose parts are of two
    days, because midnight was between two readings, is wrong. Call it as ``wall_clock.now()``, so
    that tests can replace it in one place.
    """
    return datetime.now(UTC)
