"""The steps that append the events of one network chunk in one commit."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from runreel.model.events import CLOSED
from runreel.recording.append_steps import AppendSteps, T
from runreel.recording.append_unit import AppendUnit
from runreel.recording.deduplication import AppendOutcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.codec.source_protocol import SourceEvent
    from runreel.model.events import EventRow
    from runreel.projection.key_frames import KeyFrame
    from runreel.projection.run_projection import RunProjection
    from runreel.recording.append_steps import Steps


class ChunkSteps(AppendSteps):
    """Adds the steps for several events to those of one event."""

    # The chunk whose rows may not be in the log although the recorder counts on them.
    _unsettled: _Chunk | None = None

    def reload(self) -> None:
        """Read the run from the log again; forget what was built for a commit that failed."""
        chunk, self._unsettled = self._unsettled, None
        if chunk is not None:
            self.opened = chunk.opened
            for event in chunk.offered:
                if event.index is None:
                    self._head.count(event, undo=True)
        super().reload()

    def _offer_all_steps(
        self, events: Sequence[SourceEvent], *, close: bool = False
    ) -> Steps[list[AppendOutcome]]:
        """Offer events of the source; the rows that they append are one unit.

        With ``close`` the note ``closed`` is in it too, unless there is an append conflict.
        """
        if self._stale:
            yield self.reload
        chunk = self._unsettled = _Chunk(self.opened)
        if not (yield from self._collect_steps(events, chunk, close=close)):
            # Another recorder has appended meanwhile: each event may be in the log by now.
            self._stale = True
            self.opened = chunk.opened
            del chunk.outcomes[chunk.committed :]
            for event in events[chunk.committed :]:
                chunk.outcomes.append((yield from self._offer_steps(event)))
        self._unsettled = None
        return chunk.outcomes

    def _collect_steps(
        self, events: Sequence[SourceEvent], chunk: _Chunk, *, close: bool
    ) -> Steps[bool]:
        """Build the rows of each event as if those before were stored; then append all."""
        position = 0
        while position < len(events):
            if self.opened and not self._stale:
                rows = self._head.add_text_rows(islice(events, position, None))
                chunk.collect(rows, events[position : position + len(rows)])
                position += len(rows)
                if position == len(events):
                    break
            outcome = yield from self._collected(self._offer_steps(events[position]), chunk)
            if outcome is None:
                return False
            chunk.outcomes.append(outcome)
            chunk.offered.append(events[position])
            position += 1
        if close and (yield from self._collected(self._closed_steps(), chunk)) is None:
            return False
        return (yield from self._commit_steps(chunk))

    def _closed_steps(self) -> Steps[bool]:
        yield from self._end_steps(CLOSED, {})
        return True

    def _collected(self, steps: Steps[T], chunk: _Chunk) -> Steps[T | None]:
        """Run steps whose rows are added to a chunk; None after an append conflict."""
        stored: Any = None  # what starts a generator
        while True:
            try:
                step = steps.send(stored)
            except StopIteration as end:
                result: T = end.value
                return result
            if isinstance(step, AppendUnit):
                chunk.add(step)
                stored = True
            elif (yield from self._commit_steps(chunk)):
                # What reads the log finds the rows before it.
                stored = yield step
            else:
                return None

    def _commit_steps(self, chunk: _Chunk) -> Steps[bool]:
        """Append the collected rows; False after an append conflict."""
        if chunk.rows:
            if not (yield AppendUnit(chunk.rows, chunk.projection, chunk.frames)):
                return False
            chunk.settle(opened=self.opened)
        return True


class _Chunk:
    """The rows that are collected for one commit, and the events that they are of.

    ``opened`` is whether the session has begun in the log. ``committed`` counts the events whose
    rows are in the log.
    """

    __slots__ = ("committed", "frames", "offered", "opened", "outcomes", "projection", "rows")

    def __init__(self, opened: bool) -> None:  # noqa: FBT001 - a state, no option
        self.opened = opened
        self.committed = 0
        self.outcomes: list[AppendOutcome] = []
        self.offered: list[SourceEvent] = []
        self.rows: list[EventRow] = []
        self.projection: RunProjection | None = None
        self.frames: list[KeyFrame] = []

    def collect(self, rows: Sequence[EventRow], events: Sequence[SourceEvent]) -> None:
        """Add the rows of new events, one of each."""
        self.rows += rows
        self.offered += events
        self.outcomes += [AppendOutcome(row.seq, new=True) for row in rows]

    def add(self, unit: AppendUnit) -> None:
        """Add what another unit would store; only its projection is stored of several."""
        self.rows += unit.rows
        self.frames += unit.frames
        if unit.projected is not None:
            first, self.projection = self.projection, unit.projected
            if first is not None:
                self.projection = replace(unit.projected, replaces=first.replaces)

    def settle(self, *, opened: bool) -> None:
        """Note that the rows are in the log."""
        self.opened = opened
        self.committed = len(self.outcomes)
        self.rows, self.projection, self.frames, self.offered = [], None, [], []
