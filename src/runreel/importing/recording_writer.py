"""Stores the rows of recordings together with the projections of their runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.importing.batch import ROWS, WEIGHT
from runreel.projection.key_frames import KeyFrames
from runreel.projection.projector import RunProjector
from runreel.projection.tombstone import is_tombstone
from runreel.recording.append_unit import AppendUnit, result_or_raise
from runreel.recording.group_commit import committer_of
from runreel.store.connection import RollbackTransaction
from runreel.store.events import event_log
from runreel.store.projections import key_frame_table, run_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runreel.model.events import EventRow
    from runreel.projection.key_frames import KeyFrame
    from runreel.projection.run_projection import RunProjection
    from runreel.store.connection import Connection
    from runreel.store.database import Database


class ProjectedRows:
    """The projections of a run whose rows are added in order; ``masks`` are of erased rows."""

    def __init__(self, run_id: str, masks: Mapping[int, str]) -> None:
        self._masks = masks
        self._projector = RunProjector(run_id, frames=KeyFrames())

    def add(self, rows: list[EventRow]) -> AppendUnit:
        """Apply the next rows; return them with the projection after them and their key-frames.

        Raises:
            DamagedRow: if one cannot be interpreted.
        """
        filled = event_log.with_masked_payloads([*rows], lambda: dict(self._masks))
        self._projector.apply_rows(filled)
        has_projection = self._projector.state.has_projection
        projected = self._projector.projection() if has_projection else None
        return AppendUnit(rows, projected, self._projector.drain_frames())


class RecordingWriter:
    """Collects rows of runs that are new to the log, and commits those of many runs together.

    ``conflicts`` are the ids of runs that another process has begun meanwhile.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._units: list[AppendUnit] = []
        self._tombstones: list[tuple[EventRow, RunProjection | None]] = []
        self._rows = self._weight = 0
        self.conflicts: list[str] = []

    def add(self, unit: AppendUnit) -> None:
        """Add rows of a new run, with what is projected of them."""
        rows, projected, frames = unit.rows, unit.projected, unit.frames
        first, *rest = rows
        if is_tombstone(first) and first.seq:
            self._tombstones.append((first, None if rest else projected))
            rows = rest
        if rows:
            self._units.append(AppendUnit(rows, projected, frames))
        self._rows += len(rows) + 1
        self._weight += sum(len(row.payload or "") for row in rows)
        if self._rows >= ROWS or self._weight >= WEIGHT:
            self.flush()

    def flush(self) -> None:
        """Commit what was added.

        Raises:
            LogError: if the database fails.
        """
        units, tombstones = self._units, self._tombstones
        self._units, self._tombstones, self._rows, self._weight = [], [], 0, 0
        if tombstones:
            with self._database.writing() as connection, connection.transaction():
                event_log.lock_appends(connection)
                self._store_tombstones(connection, tombstones)
        if not units:
            return
        for unit, outcome in zip(
            units, committer_of(self._database).commit_all(units), strict=True
        ):
            if not result_or_raise(outcome):
                self.conflicts.append(unit.rows[0].run_id)

    def _store_tombstones(
        self, connection: Connection, tombstones: Iterable[tuple[EventRow, RunProjection | None]]
    ) -> None:
        for row, projected in tombstones:
            if event_log.last_position(connection, row.run_id) >= 0:
                self.conflicts.append(row.run_id)
                continue
            event_log.append_tombstone(connection, row)
            if projected is not None:
                run_table.save(connection, projected)


def extend_run(
    database: Database,
    chunks: Iterable[list[EventRow]],
    masks: Mapping[int, str],
    *,
    head: tuple[int, bytes],
) -> bool:
    """Append the rows of a run after ``head``, the last position in the log and its digest.

    Rows that were redacted since are erased in the log as well. Everything is one transaction.
    False, and nothing is changed, if the rows do not continue those in the log.

    Raises:
        LogError: if the database fails.
    """
    stored = False
    with database.writing() as connection, connection.transaction():
        stored = _append_after(connection, chunks, masks, *head)
        if not stored:
            raise RollbackTransaction
    return stored


def _append_after(
    connection: Connection,
    chunks: Iterable[list[EventRow]],
    masks: Mapping[int, str],
    seq: int,
    digest: bytes,
) -> bool:
    projected, follows = None, False
    frames: list[KeyFrame] = []
    run: ProjectedRows | None = None
    erased: list[EventRow] = []
    for rows in chunks:
        run = run or ProjectedRows(rows[0].run_id, masks)
        follows |= _has_row(rows, seq, digest)
        new = [row for row in rows if row.seq > seq]
        if new and not (follows and event_log.append(connection, new)):
            return False
        erased += [row for row in rows[: len(rows) - len(new)] if row.redacted is not None]
        unit = run.add(rows)
        projected = unit.projected
        frames += unit.frames
    _erase(connection, erased)
    if projected is not None:
        key_frame_table.replace(connection, projected.summary.run_id, frames)
        run_table.save(connection, projected, force=True)
    return True


def _has_row(rows: Iterable[EventRow], seq: int, digest: bytes) -> bool:
    return any(row.seq == seq and row.digest == digest for row in rows)


def _erase(connection: Connection, rows: Sequence[EventRow]) -> None:
    """Erase the payloads of rows of one run that the log still has; a note lists them by now."""
    if rows:
        gone = event_log.erased(connection, rows[0].run_id)
        for row in rows:
            if row.seq not in gone:
                event_log.erase(connection, row.run_id, row.seq)
