"""Import batches: rows of many runs committed in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from runreel.model.errors import RunPruned
from runreel.recording.append_unit import AppendUnit
from runreel.recording.group_commit import committer_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.model.events import EventRow
    from runreel.projection.key_frames import KeyFrame
    from runreel.recording.append_steps import AppendSteps
    from runreel.store.database import Database

# Maximum rows of a batch, and maximum characters of their values: a batch is held in memory.
ROWS = 4_000
WEIGHT = 8_000_000


class PendingRun(Protocol):
    """A run with rows that are not committed yet."""

    run_id: str

    def drain(self) -> AppendUnit:
        """Hand over the rows to commit, with what they change."""
        ...

    def retry(self, rows: list[EventRow], /) -> None:
        """Offer the events of these rows again, after an append conflict."""
        ...


class Batch:
    """Collects pending rows of runs and commits them together.

    ``pruned`` are the ids of runs whose rows were not committed because the run was pruned.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.pruned: set[str] = set()
        self._count = self._weight = 0
        self._pending: dict[str, PendingRun] = {}

    def add_run(self, run: PendingRun, *rows: EventRow) -> None:
        """Add a run with pending rows; call it for all of them, with the rows last added to it."""
        pending = self._pending.get(run.run_id)
        if pending is not run:
            if pending is not None:
                # Rows of the same run from another writer must be committed first.
                self.flush()
            self._pending[run.run_id] = run
        self._count += len(rows)
        for row in rows:
            self._weight += len(row.payload or "")

    def add(
        self, recorder: AppendSteps, unit: AppendUnit, retry: Callable[[], object] | None
    ) -> None:
        """Add rows of a recorder; ``retry`` offers their event again after an append conflict."""
        pending = self._pending.get(recorder.run_id)
        if not isinstance(pending, _RecorderBatch) or pending.recorder is not recorder:
            if pending is not None:
                self.flush()
            pending = self._pending[recorder.run_id] = _RecorderBatch(recorder)
        pending.rows += unit.rows
        pending.frames += unit.frames
        self._count += len(unit.rows)
        self._weight += sum((row.keep or 0) + len(row.payload or "") for row in unit.rows)
        if retry is not None:
            pending.retries.append(retry)

    def contains(self, run_id: str) -> bool:
        """True if rows of this run are not committed yet, so that the log lacks its head."""
        return run_id in self._pending

    @property
    def is_full(self) -> bool:
        """True if the batch should be flushed."""
        return self._count >= ROWS or self._weight >= WEIGHT

    def flush(self) -> None:
        """Commit all pending rows.

        Raises:
            LogError: if the database fails; the rows that it rejects are not stored.
        """
        pending = list(self._pending.values())
        self._pending, self._count, self._weight = {}, 0, 0
        if not pending:
            return
        units = [run.drain() for run in pending]
        outcomes = committer_of(self._database).commit_all(units)
        for run, unit, outcome in zip(pending, units, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                raise outcome
            if not outcome:
                self._retry(run, unit)

    def _retry(self, run: PendingRun, unit: AppendUnit) -> None:
        """Offer the events one by one, now and later: another process records this run."""
        try:
            run.retry(unit.rows)
        except RunPruned:
            self.pruned.add(run.run_id)


class _RecorderBatch:
    """The pending rows of a run that has a recorder."""

    __slots__ = ("frames", "recorder", "retries", "rows", "run_id")

    def __init__(self, recorder: AppendSteps) -> None:
        self.recorder = recorder
        self.run_id = recorder.run_id
        self.rows: list[EventRow] = []
        self.frames: list[KeyFrame] = []
        self.retries: list[Callable[[], object]] = []

    def drain(self) -> AppendUnit:
        projection_pending = self.recorder.projection_pending
        self.recorder.projection_pending = False
        projected = self.recorder.projected() if projection_pending else None
        return AppendUnit(self.rows, projected, self.frames)

    def retry(self, _: list[EventRow]) -> None:
        self.recorder.batch = None
        self.recorder.opened = False
        self.recorder.reload()
        for retry in self.retries:
            retry()
