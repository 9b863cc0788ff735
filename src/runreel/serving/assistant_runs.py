"""Recorded runs of the Assistants service, played again; knows no server."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from runreel.codec.json_values import as_object
from runreel.model.events import CONTEXT, RUN, STREAM_EVENT, TOOL_RESULTS
from runreel.serving import recordings, timing
from runreel.sources.yandex.proto_json import get, mapping

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runreel.serving.recordings import TimedRow
    from runreel.serving.timing import Timing
    from runreel.sources.requests import Body
    from runreel.store.database import Database

SOURCE = "yandex-assistants"
TOOL_CALLS, COMPLETED, FAILED = "TOOL_CALLS", "COMPLETED", "FAILED"
_ENDS = ("DONE", "ERROR")
# What an assistant is compared by; ids and dates differ.
_COMPARED = ("modelUri", "instruction", "tools")


class Step(NamedTuple):
    """An event of the stream, or a state of the run if it has none, ``time`` µs after the request.

    ``calls``: nothing follows until the program has sent the results of tools; the next step comes
    as long after these as it did.
    """

    time: int
    value: Body
    calls: bool


class AssistantRun(NamedTuple):
    """A recorded run: its assistant if that is known, its steps, and its states as Get reported.

    ``streamed``: the steps are events. ``cut``: the last of them is missing.
    """

    run_id: str
    assistant: Body | None
    steps: tuple[Step, ...]
    states: tuple[Body, ...]
    streamed: bool
    cut: bool


def of_run(database: Database, run_id: str) -> AssistantRun | None:
    """Return a recorded run; None if it is of another source or has no answers.

    Raises:
        RunNotFound: if the log has no such run.
    """
    source, rows = recordings.timed_rows(database, run_id)
    if source != SOURCE:
        return None
    streamed = any(one.kind == STREAM_EVENT for one in rows)
    steps = _steps(rows, STREAM_EVENT) if streamed else _changes(_steps(rows, RUN))
    if not steps:
        return None
    ends = _ENDS if streamed else (COMPLETED, FAILED)
    return AssistantRun(
        run_id,
        next(iter(_values(rows, CONTEXT)), None),
        tuple(steps),
        tuple(_values(rows, RUN)),
        streamed,
        cut=_type_of(steps[-1].value) not in ends,
    )


def of_runs(database: Database, run_ids: Sequence[str]) -> tuple[list[AssistantRun], list[str]]:
    """Return the recorded runs among these, and the ids of the others.

    Raises:
        RunNotFound: if the log does not have one of them.
    """
    read = {run_id: of_run(database, run_id) for run_id in run_ids}
    others = [run_id for run_id, run in read.items() if run is None]
    return [run for run in read.values() if run is not None], others


def _values(rows: Sequence[TimedRow], kind: str) -> list[Body]:
    return [as_object(one.value) for one in rows if one.kind == kind and one.value]


def _steps(rows: Sequence[TimedRow], kind: str) -> list[Step]:
    """Return the rows of a kind, without the time that the program took for its tools."""
    steps: list[Step] = []
    lag = 0
    for one in rows:
        if one.kind == TOOL_RESULTS and steps and steps[-1].calls:
            lag += max(0, one.time - lag - steps[-1].time)
        elif one.kind == kind and one.value is not None:
            value = as_object(one.value)
            steps.append(Step(max(0, one.time - lag), value, _type_of(value) == TOOL_CALLS))
    return steps


def assistant_of(value: Body) -> Body:
    """Return what an assistant is compared by."""
    return {name: get(value, name) for name in _COMPARED if get(value, name)}


def _type_of(value: Body) -> object:
    """Return the type of an event, or the status of a run."""
    return get(value, "eventType") or get(mapping(value, "state"), "status")


def _changes(steps: Sequence[Step]) -> list[Step]:
    """Leave out the states that repeat the one before; a program asks again and again."""
    changed = [
        new for old, new in pairwise(steps) if old.value.get("state") != new.value.get("state")
    ]
    return [*steps[:1], *changed]


class PlayedRun:
    """A run that a program has created: which steps are due, by ``now`` in seconds."""

    def __init__(self, recorded: AssistantRun, as_timed: Timing, now: Callable[[], float]) -> None:
        self.recorded = recorded
        self._now = now
        self._times = timing.plan([step.time for step in recorded.steps], as_timed)
        # When the step at the same place comes if no results of tools were waited for.
        self._begun = now()
        # Steps up to this one may come; the results of its tools are waited for.
        self._gate = self._next_gate(0)

    def due_in(self, place: int) -> float | None:
        """Return in how many seconds a step is due; None while results of tools are waited for."""
        if place > self._gate:
            return None
        return max(0.0, self._begun + self._times[place] - self._now())

    @property
    def due(self) -> int:
        """The number of steps that are due."""
        places = range(len(self._times))
        return next((n for n in places if self.due_in(n) != 0.0), len(self._times))

    @property
    def waits(self) -> bool:
        """Whether the run waits for the results of tools."""
        return self.due == self._gate + 1 and self.recorded.steps[self._gate].calls

    @property
    def is_over(self) -> bool:
        """Whether nothing follows."""
        return self.due == len(self._times)

    def submit(self) -> bool:
        """Take results of tools; False if none are waited for."""
        if not self.waits:
            return False
        self._begun = self._now() - self._times[self._gate]
        self._gate = self._next_gate(self._gate + 1)
        return True

    def _next_gate(self, start: int) -> int:
        steps = self.recorded.steps
        return next((n for n in range(start, len(steps)) if steps[n].calls), len(steps) - 1)
