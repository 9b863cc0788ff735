"""Compares the projections of runs with those computed from the log."""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.model.errors import LogError
from runreel.model.finding import Finding
from runreel.model.runs import Difference
from runreel.projection import run_mapper
from runreel.projection.projector import DamagedRow, RunProjector
from runreel.store.events import damage as integrity
from runreel.store.events import event_log
from runreel.store.projections import run_prefetch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from runreel.model.events import EventRow
    from runreel.projection.run_mapper import Label, RunProjection
    from runreel.store.connection import Connection
    from runreel.store.projections.run_prefetch import StoredProjection

    # A context manager around reads that may fail, such as a savepoint.
    Attempt = Callable[[Connection], AbstractContextManager[Any]]

_seq = itemgetter(event_log.COLUMNS.index("seq"))


class DamagedRun(LogError):
    """The log of a run is damaged at ``finding``; ``other_runs`` is the number of further ones."""

    hint = "The rows before it can still be read. Restore the log from a backup."

    def __init__(self, finding: Finding, *, other_runs: int = 0) -> None:
        self.finding = finding
        more = "; so is another run" * other_runs
        if other_runs > 1:
            more = f"; so are {other_runs} other runs"
        super().__init__(
            f"row {finding.seq} of run {finding.run_id} is damaged: {finding.detail}{more}"
        )


class ExpectedProjection(NamedTuple):
    """The expected projection of a run: its row of ``runs`` and its labels."""

    row: tuple[Any, ...]
    labels: list[Label]

    @property
    def by_column(self) -> dict[str, Any]:
        """The row as a dictionary by column name."""
        return run_mapper.as_dict(self.row)


class RunComparison(NamedTuple):
    """The result of comparing one run with its log.

    ``expected`` is None if nothing differs, or if the run should have no projection. ``damage``
    is set instead if the log is damaged.
    """

    run_id: str
    differences: list[Difference]
    expected: ExpectedProjection | None
    damage: Finding | None = None


class ProjectionComparer:
    """Compares the stored projection of a run with that of its rows, which are applied in order.

    A stored projection may lag behind the log, but only by events that do not change it.
    """

    __slots__ = ("_last_change_at", "_projection_then", "_projector", "_stored", "_stored_seq")

    def __init__(self, run_id: str, stored: StoredProjection) -> None:
        self._projector = RunProjector(run_id)
        self._stored = stored
        self._stored_seq = -1 if stored.row is None else stored.row["projected_seq"]
        self._last_change_at = -1
        self._projection_then: RunProjection | None = None

    def apply_rows(self, rows: Sequence[Any]) -> None:
        """Apply the next rows; see ``RunProjector.apply_rows``.

        Raises:
            DamagedRow: if one is damaged.
        """
        if self._stored.row is not None and (end := bisect_right(rows, self._stored_seq, key=_seq)):
            self._apply(rows[:end])
            if _seq(rows[end - 1]) == self._stored_seq:
                self._projection_then = self._projector.projection()
            rows = rows[end:]
        self._apply(rows)

    def compare(self) -> RunComparison:
        """Compare the stored projection with that of the rows applied so far."""
        run_id, (row, labels) = self._projector.run_id, self._stored
        if not self._has_projection:
            found = [Difference(run_id, "*", row or labels, None)] if row or labels else []
            return RunComparison(run_id, found, None)
        if row is None:
            return self._differing([Difference(run_id, "*", None, "a row")])
        if self._projection_then is not None and self._stored_seq >= self._last_change_at:
            expected = self._projection_then
        else:
            expected = self._projector.projection()
        found = [
            Difference(run_id, *wrong) for wrong in run_mapper.differing_columns(row, expected)
        ]
        expected_labels = run_mapper.label_rows(expected.summary)
        # SQLite may store a number with another type, which compares equal in Python.
        if repr(labels) != repr(expected_labels):
            found.append(Difference(run_id, "labels", labels, expected_labels))
        return self._differing(found) if found else RunComparison(run_id, found, None)

    def _apply(self, rows: Sequence[Any]) -> None:
        self._last_change_at = max(self._last_change_at, self._projector.apply_rows(rows))

    def _differing(self, found: list[Difference]) -> RunComparison:
        projected = self._projector.projection()
        labels = run_mapper.label_rows(projected.summary)
        return RunComparison(
            self._projector.run_id, found, ExpectedProjection(run_mapper.to_row(projected), labels)
        )

    @property
    def _has_projection(self) -> bool:
        state = self._projector.state
        return state.last_seq >= 0 and state.has_projection


def compare_runs(
    connection: Connection,
    run_ids: list[str],
    *,
    attempt: Attempt = contextlib.nullcontext,
) -> list[RunComparison]:
    """Compare neighbouring runs of the log; a damaged one is reported with its ``damage``."""
    try:
        with attempt(connection):
            return compare_intact_runs(connection, run_ids)
    except DamagedRun as error:
        if len(run_ids) == 1:
            return [RunComparison(run_ids[0], [], None, error.finding)]
    # Compare one by one, so that a damaged run does not affect the others.
    return [
        run for run_id in run_ids for run in compare_runs(connection, [run_id], attempt=attempt)
    ]


def compare_intact_runs(connection: Connection, run_ids: list[str]) -> list[RunComparison]:
    """Like ``compare_runs``, but raises an error for damage.

    Runs that differ are compared again if another process has changed them meanwhile.

    Raises:
        DamagedRun: if the log is damaged; with several runs, its run may be a neighbour.
    """
    stored = run_prefetch.stored_projections(connection, run_ids)
    comparers = {run_id: ProjectionComparer(run_id, stored[run_id]) for run_id in run_ids}
    _compare_rows(connection, comparers)
    found = [comparer.compare() for comparer in comparers.values()]
    wrong = [run.run_id for run in found if run.differences]
    current_rows = run_prefetch.rows_of(connection, wrong) if wrong else {}
    changed_meanwhile = {
        run_id for run_id in wrong if current_rows.get(run_id) != stored[run_id].row
    }
    return [
        compare_intact_runs(connection, [run.run_id])[0] if run.run_id in changed_meanwhile else run
        for run in found
    ]


def _compare_rows(connection: Connection, comparers: dict[str, ProjectionComparer]) -> None:
    """Apply the rows of all runs to their comparers.

    Raises:
        DamagedRun: if a row is damaged, or cannot be read.
    """
    run_id, seq = min(comparers), -1
    try:
        for run_id, rows in event_log.read_range(connection, min(comparers), max(comparers)):
            seq = _seq(rows[-1])
            # The range may contain runs that were added meanwhile.
            if run_id in comparers:
                comparers[run_id].apply_rows(rows)
    except Exception as error:
        raise _damaged(run_id, seq, error) from error


def for_each_row(connection: Connection, run_id: str, apply: Callable[[EventRow], object]) -> None:
    """Call ``apply`` with each row of a run, in order.

    Raises:
        DamagedRun: if ``apply`` raises DamagedRow, or a row cannot be read.
    """
    seq = -1
    try:
        for row in event_log.read(connection, run_id):
            seq = row.seq
            apply(row)
    except Exception as error:
        raise _damaged(run_id, seq, error) from error


def _damaged(run_id: str, seq: int, error: Exception) -> DamagedRun:
    """Convert an error after row ``seq`` to DamagedRun; raises it again if it is no damage."""
    if isinstance(error, DamagedRow):
        reason = str(error.__cause__ or error)
        return DamagedRun(Finding(run_id, error.row.seq, "damaged", reason))
    if (damage_reason := integrity.damage_reason(error)) is None:
        raise error
    detail = f"what comes after row {seq} cannot be read: {damage_reason}"
    return DamagedRun(Finding(run_id, seq + 1, "unreadable", detail))
