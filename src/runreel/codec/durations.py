"""Durations as people read them."""

from __future__ import annotations

from typing import overload


@overload
def duration_text(milliseconds: float) -> str: ...
@overload
def duration_text(milliseconds: None) -> None: ...
def duration_text(milliseconds: float | None) -> str | None:
    """Format a duration: ``1.234s``, ``2m 05s``, ``1h 02m 05s``; None stays None."""
    if milliseconds is None:
        return None
    seconds = milliseconds / 1000
    if abs(seconds) < 60:
        return f"{seconds:.3f}s" if abs(seconds) < 10 else f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m {rest:02}s" if hours else f"{minutes}m {rest:02}s"
