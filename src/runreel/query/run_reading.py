"""One pass over the rows of a run for everything that its page shows."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from runreel.model.events import NOTE
from runreel.projection import run_marks
from runreel.projection.projector import DamagedRow, ProjectedRow, RunProjector
from runreel.projection.run_columns import ColumnBuilder, tail_times
from runreel.projection.run_steps import StepBuilder
from runreel.projection.story import StoryBuilder
from runreel.query import run_history, seek
from runreel.query.run_steps import IDLE
from runreel.store.events import damage, event_log
from runreel.store.projections import run_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runreel.model.events import EventRow
    from runreel.model.runs import RunSummary
    from runreel.model.steps import RunSteps
    from runreel.model.story import StoryStep
    from runreel.projection.run_columns import RunColumns
    from runreel.projection.run_marks import CallBar, Marker
    from runreel.store.connection import Connection
    from runreel.store.database import Database

_IDLE = round(IDLE * 1_000_000)
# What a row of which nothing can be read does to the builders.
_NOTHING = ProjectedRow(None, None, False, None)  # noqa: FBT003 - affects_projection
_DAMAGED = "damaged"


class DamagedSeq(NamedTuple):
    """A row that cannot be read, and why."""

    seq: int
    error: DamagedRow

    @property
    def run_id(self) -> str:
        """The run of the row."""
        return self.error.row.run_id

    @property
    def why(self) -> str:
        """The reason in a sentence."""
        return str(self.error)


class RunReading(NamedTuple):
    """A run, row by row: its ``summary`` and ``story`` as of one row, the rest as of the last.

    Rows that are ``damaged`` are left out; what follows them may miss their text.
    """

    summary: RunSummary
    story: tuple[StoryStep, ...]
    timing: RunSteps
    columns: RunColumns
    calls: list[CallBar]
    markers: list[Marker]
    damaged: tuple[DamagedSeq, ...]


def reading(database: Database, run_id: str, seq: int | None = None) -> RunReading:
    """Return a run with its story as of row ``seq`` (None: the last one), read in one pass.

    Raises:
        RunNotFound: if the log has no such run, or it was pruned.
        UsageError: if the run has no such row.
    """
    with database.reading() as connection, damage.snapshot(connection):
        return of_run(connection, run_id, seq)


def of_run(connection: Connection, run_id: str, seq: int | None = None) -> RunReading:
    """Return the same in a snapshot of the caller."""
    head = run_history.require_logged(connection, run_id)
    here = run_history.require_row(run_id, seq, head)
    projector = RunProjector(run_id)
    steps = StepBuilder(projector)
    story = StoryBuilder(projector, steps.clock)
    columns = ColumnBuilder(projector)
    summary: RunSummary | None = None
    then: tuple[StoryStep, ...] = ()
    damaged: list[DamagedSeq] = []
    for row, projected, why in projected_rows(
        connection, projector, event_log.read(connection, run_id)
    ):
        steps.add(row, projected)
        story.add(row, projected)
        _add(columns, row, projected, why)
        if why is not None:
            damaged.append(DamagedSeq(row.seq, why))
        if row.seq == here < head:
            summary, then = projector.projection().summary, story.story_so_far().steps
    whole = story.story().steps
    if summary is None:
        summary, then = projector.projection().summary, whole
    times, timing = steps.times(), steps.steps(run_id, idle=_IDLE)
    found = columns.columns(times.clock, [0, *times.rows])
    seqs = [one.seq for one in damaged]
    marks = run_marks.markers(timing, found, whole, seqs)
    calls = run_marks.calls(whole)
    return RunReading(summary, then, timing, found, calls, marks, tuple(damaged))


def columns_after(database: Database, run_id: str, after: int) -> RunColumns:
    """Return the rows after row ``after`` (-1: all) as columns.

    Of a run that was recorded, rows before the last key-frame are not read.

    Raises:
        RunNotFound: if the log has no such run, or it was pruned.
    """
    with database.reading() as connection, damage.snapshot(connection):
        head = run_history.require_logged(connection, run_id)
        if after >= 0:
            projector = seek.nearest(connection, run_id, min(after, head) + 1)
            projector.frames = None
            if projector.state.last_seq >= 0 and projector.state.has_live_clock:
                return _tail(connection, projector, min(after, head))
        projector = RunProjector(run_id)
        steps, columns = StepBuilder(projector), ColumnBuilder(projector, after)
        for row, projected, why in projected_rows(
            connection, projector, event_log.read(connection, run_id)
        ):
            steps.add(row, projected)
            _add(columns, row, projected, why)
        times = steps.times()
        first = max(min(after, head), -1)
        return columns.columns(times.clock, [0, *times.rows][first + 1 :])


def _tail(connection: Connection, projector: RunProjector, after: int) -> RunColumns:
    """Return the rows of a recorded run after row ``after``; the projector is before it."""
    start = projector.state.last_seq + 1
    columns = ColumnBuilder(projector, after)
    rows: list[EventRow] = list(event_log.read_at(connection, [(projector.run_id, after)]))
    read = event_log.read(connection, projector.run_id, start=start)
    for row, projected, why in projected_rows(connection, projector, read):
        _add(columns, row, projected, why)
        if row.seq > after:
            rows.append(row)
    return columns.columns("recorded", tail_times(rows[0], rows[1:]))


def _add(
    columns: ColumnBuilder, row: EventRow, projected: ProjectedRow, why: DamagedRow | None
) -> None:
    if why is None:
        columns.add(row, projected)
    else:
        columns.add_damaged(row, str(why))


def projected_rows(
    connection: Connection, projector: RunProjector, rows: Iterable[EventRow]
) -> Iterator[tuple[EventRow, ProjectedRow, DamagedRow | None]]:
    """Apply rows in order; yield each with what it is, and why it is damaged.

    A damaged row counts as a note of which nothing is known.
    """
    for row in rows:
        try:
            yield row, projector.apply(row), None
        except DamagedRow as error:
            if row.seq == 0 and not _use_stored_source(connection, projector):
                raise
            projector.state.last_seq = row.seq
            # The rows after it keep some of its text: as of an erased row, masks are in its place.
            with suppress(ArithmeticError, TypeError):
                projector.transcript.skip(row._replace(payload=None))
            yield row._replace(kind=NOTE, type=_DAMAGED, payload=None), _NOTHING, error


def _use_stored_source(connection: Connection, projector: RunProjector) -> bool:
    """Take the source, which the first row names, from the list of runs; False if it has none."""
    stored = run_table.load(connection, projector.run_id)
    if stored is None:
        return False
    projector.use(stored[0].source)
    projector.state.source = stored[0].source
    return True
