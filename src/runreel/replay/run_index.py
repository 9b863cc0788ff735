"""What the stepper knows of all rows of a run: when they were, and which of them stand out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.model.events import ATTEMPT, NOTE
from runreel.model.status import RunStatus
from runreel.projection.projector import DamagedRow, RunProjector
from runreel.projection.run_steps import StepBuilder
from runreel.query import run_history, run_steps
from runreel.store.events import damage, event_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.codec.source_protocol import Interpretation
    from runreel.model.events import EventRow
    from runreel.model.timeline import Clock
    from runreel.projection.projector import ProjectedRow
    from runreel.store.connection import Connection
    from runreel.store.database import Database

    Progress = Callable[[int, int | None], None]

FIRST_TEXT, TOOL_CALL, ERROR, LONGEST_GAP = "first text", "tool call", "error", "longest gap"
_REPORT_ROWS = 1_000


class Mark(NamedTuple):
    """A row that stands out, and why; ``gap_ms`` is the time after it if that is the longest."""

    seq: int
    what: str
    gap_ms: float | None = None


class RunIndex(NamedTuple):
    """The rows of a run: ``times`` has the time of each, in µs since the run was asked.

    ``wall`` is the time of each since the epoch; ``marks`` are in the order of the rows.
    ``problem`` says why rows after these cannot be read, None if they can.
    """

    run_id: str
    clock: Clock
    times: list[int]
    wall: list[int]
    marks: tuple[Mark, ...]
    problem: str | None = None


def read(database: Database, run_id: str, *, progress: Progress | None = None) -> RunIndex:
    """Read the rows of a run once, up to the last one that it has now.

    Raises:
        RunNotFound: if the log has no such run.
        DamagedRow: if its first row is damaged.
    """
    with database.reading() as connection, damage.snapshot(connection):
        run_id = run_history.with_id(connection, run_id)
        head = run_history.require_logged(connection, run_id)
        return _read(connection, run_id, head, progress)


def _read(connection: Connection, run_id: str, head: int, progress: Progress | None) -> RunIndex:
    projector = RunProjector(run_id)
    builder, marks, problem = StepBuilder(projector), _Marks(projector), None
    try:
        for row in event_log.read(connection, run_id, stop=head + 1):
            projected = projector.apply(row)
            builder.add(row, projected)
            marks.add(row, projected)
            if progress is not None and row.seq % _REPORT_ROWS == 0:
                progress(row.seq, head + 1)
    except DamagedRow as error:
        if error.row.seq == 0:
            raise
        problem = str(error)
    times = builder.times()
    gap = builder.steps(run_id, idle=round(run_steps.IDLE * 1_000_000)).longest_gap
    found = list(marks.found)
    if gap is not None:
        found.append(Mark(gap.from_seq, LONGEST_GAP, gap.ms))
    found.sort(key=lambda mark: mark.seq)
    return RunIndex(run_id, times.clock, times.rows, times.wall, tuple(found), problem)


class _Marks:
    """Collects the rows that stand out."""

    def __init__(self, projector: RunProjector) -> None:
        self._projector = projector
        self._has_text = False
        self.found: list[Mark] = []

    def add(self, row: EventRow, projected: ProjectedRow) -> None:
        """Add the next row, which the projector has just applied."""
        if not self._has_text:
            message = self._projector.state.message
            if message is not None and message.text:
                self._has_text = True
                self.found.append(Mark(row.seq, FIRST_TEXT))
        if row.kind == NOTE:
            if row.type == ATTEMPT:
                self.found.append(Mark(row.seq, ERROR))
        elif projected.interpretation is not None:
            self._add_outcome(row.seq, projected.interpretation)

    def _add_outcome(self, seq: int, interpretation: Interpretation) -> None:
        event, result = interpretation.event, interpretation.result
        if event is not None:
            if event.tool_calls is not None:
                self.found.append(Mark(seq, TOOL_CALL))
            if event.is_failed:
                self.found.append(Mark(seq, ERROR))
        elif result is not None and result.status is RunStatus.FAILED and not self._has_error:
            # A snapshot repeats an error of the stream.
            self.found.append(Mark(seq, ERROR))

    @property
    def _has_error(self) -> bool:
        return any(mark.what == ERROR for mark in self.found)
