"""The report of an import: counts, problems and notices."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

# Entry of ``Interpretation.unread`` for an event without any known key.
KEYS = "keys"


# Message of the problem of each line of a stream that names no run.
NO_RUN = "no run_id, and no run line before it"


class Problem(NamedTuple):
    """A line that was not stored, or not unchanged; ``line`` counts from 1."""

    file: str
    line: int
    message: str
    run_id: str | None


@dataclass(slots=True)
class Report:
    """The result of an import.

    ``events_known`` counts duplicates of stored events. ``cut`` is true if a stream ended early.
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
        """Count one event by its outcome; conflicts are not counted."""
        if not conflict:
            self.events_new += new
            self.events_known += not new

    def note_unread(self, unread: tuple[str, ...], run_id: str, place: str) -> None:
        """Add one notice for each part of an event that is not understood."""
        for part in unread:
            known = self._unread.get(part)
            if known is None:
                known = self._unread[part] = _Unread(len(self.notices), place)
                self.notices.append("")
            known.runs.add(run_id)
            self.notices[known.notice] = _notice(part, len(known.runs), known.first)

    def merge(self, other: Report) -> None:
        """Add the report of later lines."""
        self.lines += other.lines
        self.events_new += other.events_new
        self.events_known += other.events_known
        self.runs_new += other.runs_new
        self.runs_touched += other.runs_touched
        self.problems += other.problems
        unread = {one.notice: (part, one) for part, one in other._unread.items()}
        for index, notice in enumerate(other.notices):
            if index in unread:
                part, one = unread[index]
                for run_id in one.runs:
                    self.note_unread((part,), run_id, one.first)
            elif notice not in self.notices:
                self.notices.append(notice)


@dataclass(slots=True)
class _Unread:
    """A part that is not understood: index of its notice, first occurrence, and its runs."""

    notice: int
    first: str
    runs: set[str] = field(default_factory=set)


def _notice(part: str, runs: int, place: str) -> str:
    scope = "1 run" if runs == 1 else f"{runs:,} runs"
    where = f"first in {place}"
    if part == KEYS:
        return f"unrecognised event: its source knows none of its keys, in {scope}; {where}"
    if part == "usage":
        return f"usage not understood, counted as unknown, in {scope}; {where}"
    return f"value of {part} not understood, left out, in {scope}; {where}"
