"""Runs beside their log: what the projections say of them, and what they should."""

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

    # What reads are done inside of that may fail.
    Attempt = Callable[[Connection], AbstractContextManager[Any]]

_seq = itemgetter(event_log.COLUMNS.index("seq"))


class DamagedRun(LogError):
    """A run's log is damaged: ``finding`` says where; so are so many ``others``."""

    hint = "The rows before it can still be read. Restore the log from a backup."

    def __init__(self, finding: Finding, *, others: int = 0) -> None:
        self.finding = finding
        more = f"; so are {others} other runs" if others > 1 else "; so is another run" * others
        super().__init__(
            f"row {finding.seq} of run {finding.run_id} is damaged: {finding.detail}{more}"
        )


class ExpectedProjection(NamedTuple):
    """What the projections are to hold of a run: its row of ``runs``, and its labels."""

    row: tuple[Any, ...]
    labels: list[Label]

    @property
    def named(self) -> dict[str, Any]:
        """The row by column names."""
        return run_mapper.as_dict(self.row)


class RunComparison(NamedTuple):
    """A run beside its log: what differs, what the projections are to hold, or what is damaged.

    ``due`` is None if nothing differs, or if they are to have nothing of the run.
    """

    run_id: str
    differences: list[Difference]
    expected: ExpectedProjection | None
    damage: Finding | None = None


class ProjectionComparer:
    """The fold of a run, moved along its rows, beside what the projections say of the run.

    Their row may lag behind the log by events that a list does not show, and by no others.
    """

    __slots__ = ("_fold", "_known", "_owed", "_seq", "_then")

    def __init__(self, run_id: str, known: StoredProjection) -> None:
        self._fold = RunProjector(run_id)
        self._known = known
        self._seq = -1 if known.row is None else known.row["projected_seq"]
        self._owed = -1
        self._then: RunProjection | None = None

    def apply_rows(self, rows: Sequence[Any]) -> None:
        """Move over the rows that come next, as ``Fold.follow`` does.

        Raises:
            DamagedRow: if one is damaged.
        """
        if self._known.row is not None and (end := bisect_right(rows, self._seq, key=_seq)):
            self._move(rows[:end])
            if _seq(rows[end - 1]) == self._seq:
                self._then = self._fold.projection()
            rows = rows[end:]
        self._move(rows)

    def compared(self) -> RunComparison:
        """Where the projections are not what the rows so far say."""
        run_id, (row, labels) = self._fold.run_id, self._known
        if not self._has_row:
            found = [Difference(run_id, "*", row or labels, None)] if row or labels else []
            return RunComparison(run_id, found, None)
        if row is None:
            return self._differing([Difference(run_id, "*", None, "a row")])
        lags = self._then is not None and self._seq >= self._owed
        expected = self._then if self._then is not None and lags else self._fold.projection()
        found = [
            Difference(run_id, *wrong) for wrong in run_mapper.differing_columns(row, expected)
        ]
        expected_labels = run_mapper.label_rows(expected.summary)
        # SQLite may hold a number of another type, which Python calls equal.
        if repr(labels) != repr(expected_labels):
            found.append(Difference(run_id, "labels", labels, expected_labels))
        return self._differing(found) if found else RunComparison(run_id, found, None)

    def _move(self, rows: Sequence[Any]) -> None:
        self._owed = max(self._owed, self._fold.apply_rows(rows))

    def _differing(self, found: list[Difference]) -> RunComparison:
        projected = self._fold.projection()
        labels = run_mapper.label_rows(projected.summary)
        return RunComparison(
            self._fold.run_id, found, ExpectedProjection(run_mapper.to_row(projected), labels)
        )

    @property
    def _has_row(self) -> bool:
        state = self._fold.state
        return state.last_seq >= 0 and state.has_projection


def compare_runs(
    connection: Connection,
    run_ids: list[str],
    *,
    attempt: Attempt = contextlib.nullcontext,
) -> list[RunComparison]:
    """Runs that are neighbours in the log, compared with it while nobody moved them."""
    try:
        with attempt(connection):
            return compared(connection, run_ids)
    except DamagedRun as error:
        if len(run_ids) == 1:
            return [RunComparison(run_ids[0], [], None, error.finding)]
    # What is damaged takes nothing with it.
    return [
        one for run_id in run_ids for one in compare_runs(connection, [run_id], attempt=attempt)
    ]


def compared(connection: Connection, run_ids: list[str]) -> list[RunComparison]:
    """Like ``examine``.

    Raises:
        DamagedRun: if one is damaged, as far as can be told of many.
    """
    known = run_prefetch.stored_projections(connection, run_ids)
    besides = {run_id: ProjectionComparer(run_id, known[run_id]) for run_id in run_ids}
    _compare_rows(connection, besides)
    found = [beside.compared() for beside in besides.values()]
    wrong = [run.run_id for run in found if run.differences]
    now = run_prefetch.rows_of(connection, wrong) if wrong else {}
    moved = {run_id for run_id in wrong if now.get(run_id) != known[run_id].row}
    return [compared(connection, [run.run_id])[0] if run.run_id in moved else run for run in found]


def _compare_rows(connection: Connection, besides: dict[str, ProjectionComparer]) -> None:
    """Move each along the rows of its run.

    Raises:
        DamagedRun: if a row is damaged, or cannot be read.
    """
    run_id, seq = min(besides), -1
    try:
        for run_id, rows in event_log.read_range(connection, min(besides), max(besides)):
            seq = _seq(rows[-1])
            # Others may have begun in between.
            if run_id in besides:
                besides[run_id].apply_rows(rows)
    except Exception as error:
        raise _damaged(run_id, seq, error) from error


def for_each_row(connection: Connection, run_id: str, take: Callable[[EventRow], object]) -> None:
    """Hand each row of a run to ``take``, in order.

    Raises:
        DamagedRun: if that raises DamagedRow, or a row cannot be read.
    """
    seq = -1
    try:
        for row in event_log.read(connection, run_id):
            seq = row.seq
            take(row)
    except Exception as error:
        raise _damaged(run_id, seq, error) from error


def _damaged(run_id: str, seq: int, error: Exception) -> DamagedRun:
    """The damage that an error tells of behind row ``seq``; any other error is raised again."""
    if isinstance(error, DamagedRow):
        reason = str(error.__cause__ or error)
        return DamagedRun(Finding(run_id, error.row.seq, "damaged", reason))
    if (broken := integrity.damage_reason(error)) is None:
        raise error
    behind = f"what comes after row {seq} cannot be read: {broken}"
    return DamagedRun(Finding(run_id, seq + 1, "unreadable", behind))
