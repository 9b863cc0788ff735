"""The stepper: where an interactive replay of a run is, and where it goes next.

It computes only: times are passed to it, in seconds of a clock that never goes back.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from runreel.model.errors import UsageError
from runreel.projection import event_times

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runreel.replay.run_index import Mark, RunIndex

SLOWEST, FASTEST = 1 / 64, 4096.0
# [hours:][minutes:]seconds
_TIME = re.compile(r"\+(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)", re.ASCII)
_MICROS = 1_000_000
_MARGIN = 1 / _MICROS
# A faulty clock of a source may imply a pause of centuries.
_LONGEST = 10_000_000.0


class Stepper:
    """A position in the rows ``first`` to ``last`` of a run, which moves by itself if it plays.

    ``hits`` are the rows that a search has found. Except for playing, each move pauses.
    """

    def __init__(
        self,
        index: RunIndex,
        *,
        start: int = 0,
        stop: int | None = None,
        speed: float = 1.0,
        max_gap: float | None = None,
    ) -> None:
        """Begin at row ``start``, paused; ``stop`` is exclusive, ``max_gap`` is in seconds.

        Raises:
            UsageError: if there are no such rows.
        """
        count = len(index.times)
        self.index = index
        self.first, self.last = start, (count if stop is None else min(stop, count)) - 1
        if self.last < self.first:
            raise UsageError(f"run {index.run_id} has no rows to step through there")
        self.position = start
        self.speed = speed
        self.hits: tuple[int, ...] = ()
        times = index.times[self.first : self.last + 1]
        # When each row comes, in seconds at speed 1.
        self._due = list(accumulate(event_times.delays(times, max_gap=max_gap)))
        # The moment at which it began to play, and what was due then; None if it is paused.
        self._began: tuple[float, float] | None = None

    @property
    def playing(self) -> bool:
        """True if it moves by itself."""
        return self._began is not None

    @property
    def time(self) -> int:
        """The time of the current row, in µs since the run was asked."""
        return self.index.times[self.position]

    def play(self, now: float) -> None:
        """Play from the current row on; from the first one if it is at the end."""
        if self.position == self.last:
            self.position = self.first
        if self.first == self.last:
            return
        self._began = now, self._due[self.position - self.first]

    def pause(self) -> None:
        """Stay at the current row."""
        self._began = None

    def advance(self, now: float) -> bool:
        """Move to the last row that is due; True if that is another one. Pauses at the end."""
        if self._began is None:
            return False
        # Without the margin, the sum of two numbers might miss a row that is due.
        row = self.first + bisect_right(self._due, self._played(now) + _MARGIN) - 1
        moved, self.position = row > self.position, max(row, self.position)
        if self.position == self.last:
            self.pause()
        return moved

    def wait(self, now: float) -> float | None:
        """Return the seconds until the next row; None if it is paused."""
        if self._began is None:
            return None
        due = self._due[self.position - self.first + 1]
        return min(max(0.0, (due - self._played(now)) / self.speed), _LONGEST)

    def faster(self, factor: float, now: float) -> None:
        """Multiply the speed, within limits, without a jump."""
        played = None if self._began is None else self._played(now)
        self.speed = min(max(self.speed * factor, SLOWEST), FASTEST)
        if played is not None:
            self._began = now, played

    def _played(self, now: float) -> float:
        began, due = self._began or (now, 0.0)
        return due + (now - began) * self.speed

    def step(self, rows: int) -> None:
        """Move by a number of rows, backwards if it is negative."""
        self.go(self.position + rows)

    def go(self, seq: int) -> None:
        """Move to a row, or to the nearest one there is."""
        self.pause()
        self.position = min(max(seq, self.first), self.last)

    def go_to(self, place: str) -> None:
        """Move to a row, ``12``, or to the last one up to a time, ``+2.5`` or ``+1:30``.

        Raises:
            UsageError: if it is neither.
        """
        place = place.strip()
        if place.isascii() and place.isdigit():
            # Longer numbers are slow to convert.
            self.go(int(place[:18]))
            return
        found = _TIME.fullmatch(place)
        if found is None:
            raise UsageError(f"{place!r} is neither a row, such as 12, nor a time, such as +1:30")
        hours, minutes, seconds = (float(part or 0) for part in found.groups())
        time = round(min(hours * 3600 + minutes * 60 + seconds, 1e12) * _MICROS)
        self.go(bisect_right(self.index.times, time) - 1)

    def next_mark(self, direction: int) -> bool:
        """Move to the next mark (1) or to the one before (-1); False if there is none."""
        seqs = sorted({mark.seq for mark in self.index.marks})
        return self._next(seqs, direction)

    def marks(self) -> Sequence[Mark]:
        """Return the marks of the current row."""
        return [mark for mark in self.index.marks if mark.seq == self.position]

    def find(self, hits: Iterable[int]) -> bool:
        """Move to the first of these rows from the current one on, else to the first of all.

        False if there is none in the rows of the stepper.
        """
        self.hits = tuple(sorted({hit for hit in hits if self.first <= hit <= self.last}))
        if not self.hits:
            return False
        place = bisect_left(self.hits, self.position)
        self.go(self.hits[place % len(self.hits)])
        return True

    def next_hit(self, direction: int) -> bool:
        """Move to the next hit (1) or the one before (-1); after the last comes the first."""
        if not self.hits:
            return False
        if not self._next(self.hits, direction):
            self.go(self.hits[0 if direction > 0 else -1])
        return True

    def _next(self, seqs: Sequence[int], direction: int) -> bool:
        if direction > 0:
            place = bisect_right(seqs, self.position)
        else:
            place = bisect_left(seqs, self.position) - 1
        if not 0 <= place < len(seqs) or not self.first <= seqs[place] <= self.last:
            return False
        self.go(seqs[place])
        return True
