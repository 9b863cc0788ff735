"""Attributes unreadable lines without a run id to runs, by the lines around them.

If the lines of each run are contiguous, an unreadable line belongs to the run before or after it.
If runs are interleaved, it belongs to the run whose event numbers skip one there. A line that
cannot be attributed belongs to no run, and no run is skipped because of it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class RunLine(NamedTuple):
    """A readable line of a run.

    ``line`` is its line number, ``named`` whether it contains the run id, ``number`` the source's
    number of its event.
    """

    line: int
    run_id: str
    named: bool
    number: int | None


class Attribution(NamedTuple):
    """The runs that an unreadable line may belong to.

    ``before`` is the run of the line before it, ``after`` a run that begins after it, ``skipping``
    the runs whose event numbers have a gap there.
    """

    before: str | None
    after: str | None
    skipping: tuple[str, ...]


@dataclass(slots=True)
class _Run:
    first_position: int
    last_position: int = 0
    lines: int = 0
    highest: int = -1
    # Line number of the last numbered event; at first that of the run's first line.
    numbered_line: int = 0

    @property
    def is_contiguous(self) -> bool:
        return self.last_position - self.first_position + 1 == self.lines


def attribute(lines: Iterable[RunLine], unreadable: Sequence[int]) -> dict[int, Attribution]:
    """Return the possible runs of each unreadable line, by line number.

    ``lines`` are the file's readable lines in order; ``unreadable`` are the line numbers of the
    others, sorted.
    """
    runs: dict[str, _Run] = {}
    before: dict[int, str | None] = {}
    after: dict[int, RunLine] = {}
    skipping: dict[int, list[str]] = {number: [] for number in unreadable}
    current: str | None = None
    pending = 0
    for position, line in enumerate(lines):
        while pending < len(unreadable) and unreadable[pending] < line.line:
            before[unreadable[pending]], after[unreadable[pending]] = current, line
            pending += 1
        run = runs.get(line.run_id)
        if run is None:
            # A recording may begin in the middle of a stream: its first number is no gap.
            highest = -1 if line.number is None else line.number - 1
            run = runs[line.run_id] = _Run(position, numbered_line=line.line, highest=highest)
        for number in _skipped(run, line, unreadable):
            skipping[number].append(line.run_id)
        run.last_position, run.lines = position, run.lines + 1
        current = line.run_id
    before |= dict.fromkeys(unreadable[pending:], current)
    return {
        number: _attribution(runs, before[number], after.get(number), skipping[number])
        for number in unreadable
    }


def _skipped(run: _Run, line: RunLine, unreadable: Sequence[int]) -> Sequence[int]:
    """Return the unreadable lines at which the run's event numbers have a gap."""
    if line.number is None or line.number <= run.highest:
        return ()
    found: Sequence[int] = ()
    if line.number > run.highest + 1:
        start = bisect_right(unreadable, run.numbered_line)
        found = unreadable[start : bisect_left(unreadable, line.line)]
    run.highest, run.numbered_line = line.number, line.line
    return found


def _attribution(
    runs: dict[str, _Run], before: str | None, after: RunLine | None, skipping: list[str]
) -> Attribution:
    if after is not None and not after.named:
        # The unreadable line may have named the run that this line belongs to.
        return Attribution(before, None, tuple(run for run in skipping if run != before))
    if skipping:
        return Attribution(None, None, tuple(skipping))
    follower = None if after is None or after.run_id == before else after.run_id
    return Attribution(
        before if before is not None and runs[before].is_contiguous else None,
        follower if follower is not None and runs[follower].is_contiguous else None,
        (),
    )
