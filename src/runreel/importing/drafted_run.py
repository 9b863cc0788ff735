"""Drafted runs: the rows of a new run and its projection, made before they are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.importing.run_import import ImportedRun
from runreel.model.events import EventRow
from runreel.recording.append_unit import AppendUnit

if TYPE_CHECKING:
    from runreel.importing.batch import Batch
    from runreel.model.import_report import Report
    from runreel.projection.key_frames import KeyFrame
    from runreel.projection.run_projection import RunProjection
    from runreel.store.database import Database


class DraftedRun(NamedTuple):
    """All rows of a run, as tuples, with what they change."""

    run_id: str
    source: str
    rows: list[tuple[object, ...]]
    projected: RunProjection | None
    frames: list[KeyFrame]


class Draft(NamedTuple):
    """The runs of some lines, in order, and the report of the lines."""

    runs: list[DraftedRun]
    report: Report


class DraftToStore:
    """A drafted run in a batch; ``rows`` are all of its rows."""

    def __init__(self, database: Database, batch: Batch, run: DraftedRun) -> None:
        self.run_id = run.run_id
        self.rows = list(map(EventRow._make, run.rows))
        self._database = database
        self._batch = batch
        self._run = run

    def drain(self) -> AppendUnit:
        """Hand over the rows, with what they change."""
        return AppendUnit(self.rows, self._run.projected, self._run.frames)

    def retry(self, rows: list[EventRow]) -> None:
        """Offer the events of these rows again, after an append conflict.

        Raises:
            RunPruned: if the run was pruned.
        """
        run = ImportedRun(self._database, self._batch, self.run_id, self._run.source, new=True)
        run.retry(rows)
