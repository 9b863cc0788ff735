"""What can be read of a run some of whose rows are damaged."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from runreel.model.errors import LogError
from runreel.projection import result_codec
from runreel.projection.projector import DamagedRow, RunProjector
from runreel.projection.result_codec import NO_RESULT
from runreel.projection.run_projection import RunProjection
from runreel.query import run_diff, run_history, run_reading
from runreel.query.run_reading import DamagedSeq
from runreel.store.events import damage, event_log
from runreel.store.projections import run_table

if TYPE_CHECKING:
    from runreel.model.results import RunResult
    from runreel.model.run_diff import RunDiff
    from runreel.model.runs import RunSummary
    from runreel.query.run_diff import ComparedRun
    from runreel.store.connection import Connection
    from runreel.store.database import Database


class ReadState(NamedTuple):
    """A run after one of its rows, and the rows that could not be read for it."""

    summary: RunSummary
    result: RunResult
    damaged: tuple[DamagedSeq, ...]


class ReadDiff(NamedTuple):
    """The differences of two runs, and the rows that could not be read for them."""

    found: RunDiff
    damaged: tuple[DamagedSeq, ...]


def state(database: Database, run_id: str, seq: int | None = None) -> ReadState:
    """Return a run after row ``seq`` (None: the last one).

    Raises:
        RunNotFound: if the log has no such run, or it was pruned.
        UsageError: if the run has no such row.
        DamagedRow: if the first row is damaged, and the run is in no list.
    """
    with database.reading() as connection, damage.snapshot(connection):
        return state_of(connection, run_history.with_id(connection, run_id), seq)


def state_of(connection: Connection, run_id: str, seq: int | None = None) -> ReadState:
    """Return the same in a snapshot of the caller."""
    try:
        found = run_history.state(connection, run_id, seq)
    except DamagedRow:
        return _damaged_state(connection, run_id, seq)
    return ReadState(found.summary, found.result, ())


def diff(database: Database, a: str, b: str) -> ReadDiff:
    """Return the differences of two runs in all parts, read from one snapshot.

    Raises:
        RunNotFound: if the log lacks one of them.
        DamagedRow: if the first row of one is damaged, and the run is in no list.
    """
    with database.reading() as connection, damage.snapshot(connection):
        run_ids = [run_history.with_id(connection, one) for one in (a, b)]
        runs = {run_id: _compared(connection, run_id) for run_id in dict.fromkeys(run_ids)}
    (first, _), (second, _) = (runs[run_id] for run_id in run_ids)
    damaged = tuple(row for _, rows in runs.values() for row in rows)
    return ReadDiff(run_diff.compare(first, second), damaged)


def _compared(connection: Connection, run_id: str) -> tuple[ComparedRun, tuple[DamagedSeq, ...]]:
    try:
        return run_diff.read(connection, run_id), ()
    except DamagedRow:
        found = run_reading.of_run(connection, run_id)
    known = state_of(connection, run_id)
    return run_diff.compared(connection, known.summary, found.story, found.timing), found.damaged


def _damaged_state(connection: Connection, run_id: str, seq: int | None) -> ReadState:
    head = run_history.require_logged(connection, run_id)
    here = run_history.require_row(run_id, seq, head)
    projector = RunProjector(run_id)
    rows = event_log.read(connection, run_id, stop=here + 1)
    damaged = tuple(
        DamagedSeq(row.seq, why)
        for row, _, why in run_reading.projected_rows(connection, projector, rows)
        if why is not None
    )
    found = projector.projection()
    stored = run_table.load(connection, run_id) if here == head else None
    if stored is not None and stored[0].last_seq == head and stored[1] != NO_RESULT:
        # It has what the damaged rows said, but for their text; of a result, a part may be text.
        result = found.result
        with suppress(LogError):
            result = result_codec.decode_result(run_id, stored[1], found.text)
        found = RunProjection(stored[0], result, found.text)
    if here == head:
        found = run_history.with_stale(connection, found)
    return ReadState(found.summary, found.result, damaged)
