"""Many recorders' rows in one transaction: how an import commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.commit import Unit, committer_of
from runreel.words.errors import RunPruned

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.recorder import Recorder
    from runreel.store.database import Database
    from runreel.store.read_models import Projected
    from runreel.words.log import EventRow

ROWS = 1_000
# Characters, of values as they came: what is held back is held in memory.
WEIGHT = 8_000_000


class _Held:
    """What is held back of one run."""

    __slots__ = ("recorder", "redo", "rows")

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.rows: list[EventRow] = []
        self.redo: list[Callable[[], object]] = []


class Batch:
    """Holds rows back until there are enough of them, then commits them all at once.

    ``pruned`` are the runs whose rows were not committed because they had been pruned.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.pruned: set[str] = set()
        self._count = self._weight = 0
        self._held: dict[str, _Held] = {}

    def add(self, recorder: Recorder, unit: Unit, redo: Callable[[], object] | None) -> None:
        """Take rows; ``redo`` offers their event again where another recorder was faster."""
        held = self._held.get(recorder.run_id)
        if held is None:
            held = self._held[recorder.run_id] = _Held(recorder)
        held.rows += unit.rows
        self._count += len(unit.rows)
        self._weight += sum((row.keep or 0) + len(row.payload or "") for row in unit.rows)
        if redo is not None:
            held.redo.append(redo)

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
        units = [Unit(run.rows, _owed(run.recorder)) for run in held]
        outcomes = committer_of(self._database).commit_all(units)
        for run, outcome in zip(held, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                raise outcome
            if not outcome:
                self._again(run)

    def _again(self, run: _Held) -> None:
        """Somebody else records this run: each of its events by itself, from now on."""
        run.recorder.batch = None
        run.recorder.opened = False
        try:
            run.recorder.reload()
            for redo in run.redo:
                redo()
        except RunPruned:
            self.pruned.add(run.recorder.run_id)


def _owed(recorder: Recorder) -> Projected | None:
    if not recorder.owes_projection:
        return None
    recorder.owes_projection = False
    return recorder.projected()
