"""A step of a story while it is collected."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runreel.model.story import StoryStep


@dataclass(slots=True)
class Draft:
    """A step that begins with row ``seq``; ``values`` are the other fields of ``make``.

    ``requested_by`` is the note ``opened`` or ``resumed`` that has the time of a request.
    ``done_at`` is when something was done to the run later, in µs since the epoch.
    """

    make: type[StoryStep]
    seq: int
    values: dict[str, Any] = field(default_factory=dict)
    requested_by: int | None = None
    done_at: int | None = None
