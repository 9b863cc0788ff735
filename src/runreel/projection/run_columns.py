"""The rows of a run as columns, from which a page draws the run at any of its rows."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, TypedDict

from runreel.codec.event_text import event_text
from runreel.model.events import NOTE, OPENED, RESUMED
from runreel.projection import run_state
from runreel.projection.event_times import EventTiming, event_times
from runreel.projection.stored_events import stored_event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.model.events import EventRow
    from runreel.model.timeline import Clock
    from runreel.projection.projector import ProjectedRow, RunProjector

# Characters of the summary of an event.
_LONGEST = 300


class StateColumns(TypedDict):
    """What a run shows from row ``seq`` on; ``tokens`` are input, output and total."""

    seq: int
    state: str
    recording: str
    model: str | None
    error: str | None
    tokens: tuple[int, int, int] | None


class RunColumns(TypedDict):
    """The rows after row ``after``, one item a row in each of five columns.

    ``wait_us`` is the time since the row before, of row 0 since the run was asked. ``kind`` and
    ``type`` are numbers in ``names``; type -1 is none. A row keeps the first ``keep`` characters of
    the text so far and adds ``added``; both are null in rows without text. Characters are counted
    as JavaScript does, in UTF-16. ``texts`` says what rows without text hold, by row; ``states``
    has the rows at which the state changes.
    """

    run_id: str
    after: int
    clock: Clock
    names: list[str]
    wait_us: list[int]
    kind: list[int]
    type: list[int]
    keep: list[int | None]
    added: list[str | None]
    texts: dict[int, str]
    states: list[StateColumns]


class ColumnBuilder:
    """Collects columns from the rows of a run after row ``after``, in order."""

    def __init__(self, projector: RunProjector, after: int = -1) -> None:
        self._projector = projector
        self._after = after
        self._numbers: dict[str, int] = {}
        self._kind: list[int] = []
        self._type: list[int] = []
        self._keep: list[int | None] = []
        self._added: list[str | None] = []
        self._texts: dict[int, str] = {}
        self._states: list[StateColumns] = []
        self._units = _Units(projector.transcript.text if projector.state.last_seq >= 0 else "")

    def add(self, row: EventRow, projected: ProjectedRow) -> None:
        """Add the next row, which the projector has just applied."""
        if not self._add_text(row):
            return
        if projected.affects_projection or not self._states:
            self._states.append(self._state(row.seq))
        if not row.added:
            text = self._projector.transcript.text
            event = stored_event(row, projected.value, projected.interpretation, text)
            if summary := event_text(event):
                self._texts[row.seq] = summary[:_LONGEST]

    def add_damaged(self, row: EventRow, why: str) -> None:
        """Add a row that cannot be read; its text is masked."""
        if self._add_text(row):
            self._texts[row.seq] = why[:_LONGEST]

    def _add_text(self, row: EventRow) -> bool:
        text = self._projector.transcript.text
        keep = None if row.keep is None else self._units.kept(row.keep, text)
        if row.seq <= self._after:
            return False
        self._kind.append(self._number(row.kind))
        self._type.append(-1 if row.type is None else self._number(row.type))
        self._keep.append(keep)
        self._added.append(None if row.keep is None else text[row.keep :])
        return True

    def columns(self, clock: Clock, times: Sequence[int]) -> RunColumns:
        """Return the columns; ``times`` in µs are those of the rows, and of the row before."""
        waits = [time - before for before, time in pairwise(times)]
        return RunColumns(
            run_id=self._projector.run_id,
            after=self._after,
            clock=clock,
            names=list(self._numbers),
            wait_us=waits,
            kind=self._kind,
            type=self._type,
            keep=self._keep,
            added=self._added,
            texts=self._texts,
            states=self._states,
        )

    def _number(self, name: str) -> int:
        return self._numbers.setdefault(name, len(self._numbers))

    def _state(self, seq: int) -> StateColumns:
        shown = run_state.summary(self._projector.run_id, self._projector.state)
        usage = shown.usage
        return StateColumns(
            seq=seq,
            state=shown.state,
            recording=shown.recording,
            model=shown.model,
            error=None if shown.error is None else shown.error.message or "no reason is known",
            tokens=None
            if usage is None
            else (usage.input_text_tokens, usage.completion_tokens, usage.total_tokens),
        )


def tail_times(last: EventRow, rows: Sequence[EventRow]) -> list[int]:
    """Return the times of recorded ``rows`` in µs since the row before them, ``last``; it is first.

    They are those that ``row_times`` gives with all rows of the run.
    """
    timings = [EventTiming(last.elapsed, 0, last.at, None)]
    for row in rows:
        begins = row.kind == NOTE and row.type in (OPENED, RESUMED)
        timings.append(EventTiming(row.elapsed, timings[-1].session + begins, row.at, None))
    return event_times(timings)[0]


class _Units:
    """Counts characters of a growing text in UTF-16."""

    def __init__(self, text: str) -> None:
        self._is_wide = _units(text) > len(text)
        self._length, self._units = len(text), _units(text)

    def kept(self, keep: int, text: str) -> int:
        """Return the units of the first ``keep`` characters of a text, which its row just got."""
        added = text[keep:]
        if not self._is_wide and (added.isascii() or _units(added) == len(added)):
            return keep
        if self._is_wide and keep != self._length:
            kept = _units(text[:keep])
        else:
            kept = self._units if self._is_wide else keep
        self._is_wide = True
        self._length, self._units = len(text), kept + _units(added)
        return kept


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
