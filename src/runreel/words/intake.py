"""What becomes of events that come in: how many were new, what was wrong with the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Problem(NamedTuple):
    """A line that was not stored as it stands, or not at all; ``line`` counts from 1."""

    file: str
    line: int
    message: str
    run_id: str | None


@dataclass(slots=True)
class Report:
    """What became of what came in. ``events_known`` were in the log before."""

    lines: int = 0
    events_new: int = 0
    events_known: int = 0
    runs_new: int = 0
    runs_touched: int = 0
    source: str | None = None
    problems: list[Problem] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def count(self, *, new: bool, conflict: bool) -> None:
        """Take in what became of one event."""
        if not conflict:
            self.events_new += new
            self.events_known += not new
