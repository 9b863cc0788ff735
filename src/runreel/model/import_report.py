"""What becomes of events that come in: how many were new, what was wrong with the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

# What is not understood of an event none of whose keys its source knows.
KEYS = "keys"


class Problem(NamedTuple):
    """A line that was not stored as it stands, or not at all; ``line`` counts from 1."""

    file: str
    line: int
    message: str
    run_id: str | None


@dataclass(slots=True)
class Report:
    """What became of what came in.

    ``events_known`` were in the log before. ``cut`` is whether a stream's last event did not come.
    """

    lines: int = 0
    events_new: int = 0
    events_known: int = 0
    runs_new: int = 0
    runs_touched: int = 0
    source: str | None = None
    cut: bool = False
    problems: list[Problem] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    _unread: dict[str, _Unread] = field(default_factory=dict, repr=False)

    def count(self, *, new: bool, conflict: bool) -> None:
        """Take in what became of one event."""
        if not conflict:
            self.events_new += new
            self.events_known += not new

    def note_unread(self, unread: tuple[str, ...], run_id: str, place: str) -> None:
        """Say in one notice a kind, however often it comes, what of an event is not understood."""
        for what in unread:
            known = self._unread.get(what)
            if known is None:
                known = self._unread[what] = _Unread(len(self.notices), place)
                self.notices.append("")
            known.runs.add(run_id)
            self.notices[known.notice] = _notice(what, len(known.runs), known.first)


@dataclass(slots=True)
class _Unread:
    """Something that is not understood: where its notice is, where it came first, in which runs."""

    notice: int
    first: str
    runs: set[str] = field(default_factory=set)


def _notice(what: str, runs: int, place: str) -> str:
    of = "a run" if runs == 1 else f"{runs:,} runs"
    where = f"first in {place}"
    if what == KEYS:
        return f"no key of an event is known to its source, in {of}; {where}"
    if what == "usage":
        return f"usage is not understood and counts as unknown, in {of}; {where}"
    return f"the value of {what} is not understood and left out, in {of}; {where}"
