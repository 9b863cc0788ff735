"""Many runs' rows in one transaction: how an import commits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from runreel.model.errors import RunPruned
from runreel.recording.group_commit import AppendUnit, committer_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.model.events import EventRow
    from runreel.projection.run_mapper import RunProjection
    from runreel.recording.recorder import Recorder
    from runreel.store.database import Database

ROWS = 1_000
# Characters, of values as they came: what is held back is held in memory.
WEIGHT = 8_000_000


class PendingRun(Protocol):
    """A run that holds rows back."""

    run_id: str

    def drain(self) -> tuple[list[EventRow], RunProjection | None]:
        """The rows, to commit them, and what lists show after them."""
        ...

    def retry(self, rows: list[EventRow], /) -> None:
        """Offer once more what rows hold that were not stored: somebody else was faster."""
        ...


class Batch:
    """Commits the rows that runs hold back all at once, when there are enough of them.

    ``pruned`` are the runs whose rows were not committed because they had been pruned.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.pruned: set[str] = set()
        self._count = self._weight = 0
        self._held: dict[str, PendingRun] = {}

    def hold(self, run: PendingRun, row: EventRow) -> None:
        """Have a run's rows committed with the others', of which this is the last."""
        held = self._held.get(run.run_id)
        if held is not run:
            if held is not None:
                # Another holder's rows of this run come first.
                self.flush()
            self._held[run.run_id] = run
        self._count += 1
        self._weight += len(row.payload or "")

    def add(self, recorder: Recorder, unit: AppendUnit, redo: Callable[[], object] | None) -> None:
        """Take rows; ``redo`` offers their event again where another recorder was faster."""
        held = self._held.get(recorder.run_id)
        if not isinstance(held, _RecorderBatch) or held.recorder is not recorder:
            if held is not None:
                self.flush()
            held = self._held[recorder.run_id] = _RecorderBatch(recorder)
        held.rows += unit.rows
        self._count += len(unit.rows)
        self._weight += sum((row.keep or 0) + len(row.payload or "") for row in unit.rows)
        if redo is not None:
            held.redo.append(redo)

    def holds(self, run_id: str) -> bool:
        """Whether rows of this run are not committed yet: the log does not know its head then."""
        return run_id in self._held

    @property
    def full(self) -> bool:
        """Whether it is time to flush."""
        return self._count >= ROWS or self._weight >= WEIGHT

    def flush(self) -> None:
        """Commit what is held.

        Raises:
            LogError: if the database does not take it; what it refuses is not stored then.
        """
        held = list(self._held.values())
        self._held, self._count, self._weight = {}, 0, 0
        if not held:
            return
        units = [AppendUnit(*run.drain()) for run in held]
        outcomes = committer_of(self._database).commit_all(units)
        for run, unit, outcome in zip(held, units, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                raise outcome
            if not outcome:
                self._retry(run, unit)

    def _retry(self, run: PendingRun, unit: AppendUnit) -> None:
        """Somebody else records this run: each of its events by itself, from now on."""
        try:
            run.retry(unit.rows)
        except RunPruned:
            self.pruned.add(run.run_id)


class _RecorderBatch:
    """What is held back of a run that has a recorder."""

    __slots__ = ("recorder", "redo", "rows", "run_id")

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.run_id = recorder.run_id
        self.rows: list[EventRow] = []
        self.redo: list[Callable[[], object]] = []

    def drain(self) -> tuple[list[EventRow], RunProjection | None]:
        owes, self.recorder.projection_pending = self.recorder.projection_pending, False
        return self.rows, self.recorder.projected() if owes else None

    def retry(self, _: list[EventRow]) -> None:
        self.recorder.batch = None
        self.recorder.opened = False
        self.recorder.reload()
        for redo in self.redo:
            redo()
