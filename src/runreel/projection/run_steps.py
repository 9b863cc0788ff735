"""The steps of a run: what it waited for, from the request to its end."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from runreel.model.events import (
    ATTEMPT,
    CONTEXT,
    NOTE,
    OPENED,
    RESUMED,
    STREAM_EVENT,
    TOOL_RESULTS,
)
from runreel.model.steps import Gap, RunSteps, Step
from runreel.projection.row_times import RowClock
from runreel.sources import thoughts
from runreel.sources.conversation import hosted_calls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.model.events import EventRow
    from runreel.model.results import RunResult, RunStreamEvent
    from runreel.projection.projector import ProjectedRow, RunProjector
    from runreel.projection.row_times import RowTimes

# What a row means for the time: from it on, the run waits for something else or for the same.
_ASKS, _ANSWERS, _BEGINS, _THINKS, _TEXT, _CALLS, _RESULTS, _ENDS = range(8)
REQUEST, FIRST_TEXT, STREAM, TOOL, IDLE = "request", "first_text", "stream", "tool", "idle"
# After an answer that asks for no tools.
_DONE = "done"


class _Mark(NamedTuple):
    seq: int
    what: int
    name: str | None = None


@dataclass(slots=True)
class _Interval:
    """The time between two rows, in µs, and what the run waited for."""

    step: str
    name: str | None
    call: int
    start: int
    end: int
    from_seq: int
    to_seq: int


class StepBuilder:
    """Collects the steps of a run from its rows, from the first."""

    def __init__(self, projector: RunProjector) -> None:
        self._projector = projector
        self.clock = RowClock()
        self._marks: list[_Mark] = []
        # The tools that the server executes now by call, and whether text came before them.
        self._hosted: dict[str | None, str | None] = {}
        self._has_text = False

    def add(self, row: EventRow, projected: ProjectedRow) -> None:
        """Add the next row, which the projector has just applied."""
        self.clock.add(row, projected, self._projector.state)
        mark = self._mark(row, projected)
        if mark is not None:
            self._marks.append(mark)
            if mark.what in (_ASKS, _RESULTS, _BEGINS, _ENDS):
                self._hosted, self._has_text = {}, False
            self._has_text |= mark.what == _TEXT

    def times(self) -> RowTimes:
        """Return the times of the rows so far."""
        return self.clock.times(self._projector.state.metadata.requested_at)

    def steps(self, run_id: str, *, idle: int) -> RunSteps:
        """Return the steps of the rows so far; ``idle`` is the longest pause of a stream, in µs."""
        times = self.times()
        timed: list[tuple[int, _Mark]] = []
        for mark in self._marks:
            time = times.requests.get(mark.seq, times.rows[mark.seq])
            if mark.name == RESUMED and mark.seq not in times.requests:
                continue
            timed.append((max(time, timed[-1][0]) if timed else time, mark))
        intervals = [one for one in _intervals(timed, idle) if one.end > one.start]
        longest = max(intervals, key=lambda one: one.end - one.start, default=None)
        gap = None
        if longest is not None:
            lasted = (longest.end - longest.start) / 1_000
            gap = Gap(lasted, longest.from_seq, longest.to_seq)
        return RunSteps(run_id, times.clock, tuple(_merged(intervals)), gap)

    def _mark(self, row: EventRow, projected: ProjectedRow) -> _Mark | None:
        if row.kind == NOTE:
            if row.type in (OPENED, RESUMED):
                return _Mark(row.seq, _ASKS, row.type)
            return _Mark(row.seq, _ENDS) if row.type == ATTEMPT else None
        if row.kind in (CONTEXT, TOOL_RESULTS):
            return _Mark(row.seq, _ASKS if row.kind == CONTEXT else _RESULTS)
        return self._mark_of_event(row, projected)

    def _mark_of_event(self, row: EventRow, projected: ProjectedRow) -> _Mark:
        interpretation = projected.interpretation
        if interpretation is None:
            return _Mark(row.seq, _TEXT)
        content = interpretation.event or interpretation.result
        if content is not None and (mark := _of_content(row.seq, content)) is not None:
            return mark
        if row.kind == STREAM_EVENT and self._follow_hosted(projected.value):
            if self._hosted:
                names = dict.fromkeys(filter(None, self._hosted.values()))
                return _Mark(row.seq, _CALLS, ", ".join(names) or None)
            return _Mark(row.seq, _TEXT if self._has_text else _BEGINS)
        if any(thoughts(self._projector.reader.name, row.kind, projected.value)):
            return _Mark(row.seq, _THINKS)
        begins = interpretation.starts_response and row.kind == STREAM_EVENT
        return _Mark(row.seq, _BEGINS if begins else _ANSWERS)

    def _follow_hosted(self, value: object) -> bool:
        """Whether the server begins or ends to execute a tool itself, as an event says."""
        memory, before = self._projector.state.adapter_memory, len(self._hosted)
        for one in hosted_calls(self._projector.reader.name, STREAM_EVENT, value, memory):
            if one.finished:
                self._hosted.pop(one.call.id, None)
            elif one.call.function is not None:
                self._hosted[one.call.id] = one.call.function.name
        return len(self._hosted) != before


def _of_content(seq: int, content: RunStreamEvent | RunResult) -> _Mark | None:
    if content.tool_calls is not None:
        names = [call.function.name for call in content.tool_calls if call.function is not None]
        return _Mark(seq, _CALLS, ", ".join(names) or None)
    if content.is_finished:
        return _Mark(seq, _ENDS)
    return _Mark(seq, _TEXT) if content.text_so_far else None


def _intervals(timed: list[tuple[int, _Mark]], idle: int) -> Iterator[_Interval]:
    """Yield the time between each two rows, with what the run waited for."""
    phase, name, call = REQUEST, None, 0
    results = False
    for (start, mark), (end, following) in pairwise(timed):
        phase, name, call = _after(mark, phase, name, call)
        step, shown = phase, name if phase == TOOL else None
        if results and mark.what == _RESULTS and following.what == _RESULTS:
            step, shown = TOOL, name
        results = mark.what in (_CALLS, _RESULTS)
        if phase in (STREAM, _DONE) and end - start > idle:
            step, shown = IDLE, "service" if phase == STREAM else "program"
        elif phase == FIRST_TEXT and _THINKS in (mark.what, following.what):
            shown = "reasoning"
        yield _Interval(step, shown, call, start, end, mark.seq, following.seq)


def _after(mark: _Mark, phase: str, name: str | None, call: int) -> tuple[str, str | None, int]:
    """Return what the run waits for after a row, the tools that it waits for, and its call."""
    if mark.what in (_ASKS, _RESULTS):
        return REQUEST, name, call if phase == REQUEST else call + 1
    if mark.what == _CALLS:
        return TOOL, mark.name, call
    if mark.what == _ENDS:
        return _DONE, None, call
    if mark.what == _TEXT:
        # A snapshot after the end repeats the text.
        return (_DONE if phase == _DONE else STREAM), name, call
    if phase == REQUEST or mark.what == _BEGINS:
        return FIRST_TEXT, name, call
    return phase, name, call


def _merged(intervals: list[_Interval]) -> Iterator[Step]:
    """Join the intervals of one step."""
    open_: _Interval | None = None
    for one in intervals:
        if open_ is not None and _goes_on(open_, one):
            open_.end, open_.to_seq, open_.name = one.end, one.to_seq, open_.name or one.name
            continue
        if open_ is not None:
            yield _step(open_)
        open_ = one
        if one.step == _DONE:
            one.step = STREAM
    if open_ is not None:
        yield _step(open_)


def _goes_on(step: _Interval, one: _Interval) -> bool:
    """Whether an interval belongs to a step: what follows an answer at once does."""
    is_same = (one.step, one.call) == (step.step, step.call)
    if one.step == TOOL and one.name != step.name:
        return False
    return one.step == _DONE or (is_same and one.step != IDLE)


def _step(one: _Interval) -> Step:
    return Step(one.step, one.name, one.start / 1_000, one.end / 1_000, one.from_seq, one.to_seq)
