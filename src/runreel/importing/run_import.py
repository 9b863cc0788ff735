"""One run of an import: built without reading the log while it is new, else by a recorder."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from runreel.importing.new_run_writer import NewRunWriter
from runreel.model.events import CLOSED, NOTE
from runreel.projection.projector import RunProjector
from runreel.projection.run_state import IMPORT
from runreel.recording.append_unit import AppendUnit
from runreel.recording.deduplication import fingerprint
from runreel.recording.recorder import Recorder
from runreel.store.events import event_log

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runreel.importing.batch import Batch
    from runreel.importing.text_stretches import TextStretch
    from runreel.model.events import EventRow
    from runreel.recording.deduplication import AppendOutcome
    from runreel.sources.cumulative_lines import CumulativeLine
    from runreel.store.database import Database


class ImportedRun:
    """Stores the events of a run that are read from files.

    ``new``: the log had no rows of the run when it was looked up. ``offered``: counts of the
    contents offered earlier. ``changed``: an event was stored. ``last_line``: number of the run's
    last line, set by the importer. ``identity``: what the first note says of a run of an archive,
    which has no sessions: it is never open, and goes on without a note.
    """

    def __init__(  # noqa: PLR0913 - the parts it works with
        self,
        database: Database,
        batch: Batch,
        run_id: str,
        source: str,
        *,
        new: bool,
        offered: Counter[bytes] | None = None,
        identity: dict[str, object] | None = None,
    ) -> None:
        self.run_id = run_id
        self.source = source
        self.changed = False
        self.last_line = 0
        self._database = database
        self._batch = batch
        self._identity = identity
        self._offered: Counter[bytes] = Counter() if offered is None else offered
        self._new_run_writer: NewRunWriter | None = None
        self._recorder: Recorder | None = None
        if new:
            self._new_run_writer = NewRunWriter(run_id, source, identity)
        else:
            self._recorder = self._open_recorder(batch)
        self.was_empty = self._recorder is None or self._recorder.last_seq < 0

    def offer(self, kind: str, value: Any) -> AppendOutcome:
        """Store a source's event unless the log already has it; see ``Recorder.offer``."""
        writer = self._new_run_writer
        if writer is not None and (outcome := writer.offer(kind, value)) is not None:
            self.changed = True
            self._batch.add_run(self, writer.rows[-1])
            return outcome
        recorder = self._switch_to_recorder()
        outcome = recorder.offer(kind, value)
        self.changed |= recorder.opened
        return outcome

    def append_text(self, line: CumulativeLine) -> bool:
        """Like ``offer``, for a line that only continues the text; False if that is not enough."""
        if self._new_run_writer is None or not self._new_run_writer.append_text(line):
            return False
        self.changed = True
        self._batch.add_run(self, self._new_run_writer.rows[-1])
        return True

    def append_stretch(self, stretch: TextStretch) -> bool:
        """Like ``append_text`` for each line of a stretch; False if that is not possible."""
        writer = self._new_run_writer
        if writer is None or not writer.append_texts(stretch.number, stretch.added):
            return False
        self.changed = True
        self._batch.add_run(self, *writer.rows[-len(stretch.added) :])
        return True

    def close(self) -> None:
        """Append the note ``closed``, if anything was stored."""
        if self._recorder is not None:
            self._recorder.close()
        elif self._new_run_writer is not None and self._new_run_writer.seq >= 0:
            self._new_run_writer.close()
            self._batch.add_run(self, self._new_run_writer.rows[-1])

    def offered(self) -> Counter[bytes]:
        """Count the contents offered so far. Pending rows must be committed first."""
        if self._new_run_writer is not None:
            self._offered = self._count_contents(
                self._rows_and_values(self._new_run_writer.seq + 1, ())
            )
        return self._offered

    def drain(self) -> AppendUnit:
        """Hand over the pending rows, with what they change."""
        writer = self._new_run_writer
        return AppendUnit([], None) if writer is None else writer.drain()

    def retry(self, rows: list[EventRow]) -> None:
        """Offer the events of these rows again, after an append conflict.

        Raises:
            RunPruned: if the run was pruned.
        """
        first_seq = rows[0].seq
        self._new_run_writer = None
        self._offered = self._count_contents(self._rows_and_values(first_seq, ()))
        recorder = self._recorder = self._open_recorder(None)
        for row, value in self._rows_and_values(first_seq, rows):
            if row.seq >= first_seq and row.kind != NOTE:
                recorder.offer(row.kind, value)
        if (rows[-1].kind, rows[-1].type) == (NOTE, CLOSED):
            recorder.close()

    def _switch_to_recorder(self) -> Recorder:
        """Return the recorder that continues the run once deduplication needs the log."""
        if self._new_run_writer is not None:
            self._batch.flush()
        if self._new_run_writer is not None:
            self._offered, opened = self.offered(), self._new_run_writer.seq >= 0
            self._new_run_writer, self._recorder = None, self._open_recorder(self._batch)
            self._recorder.opened = opened
        if self._recorder is None:
            self._recorder = self._open_recorder(self._batch)
        return self._recorder

    def _open_recorder(self, batch: Batch | None) -> Recorder:
        recorder = Recorder(
            self._database,
            self.run_id,
            source=self.source,
            via=IMPORT,
            identity=self._identity,
            batch=batch,
            offered=self._offered,
        )
        recorder.opened = self._identity is not None and recorder.last_seq >= 0
        return recorder

    def _rows_and_values(
        self, stop: int, rows: Iterable[EventRow]
    ) -> Iterator[tuple[EventRow, Any]]:
        """Yield the rows of the log up to but not ``stop``, then ``rows``, with their values."""
        projector = RunProjector(self.run_id)
        if stop:
            with self._database.reading() as connection:
                for row in event_log.read(connection, self.run_id, stop=stop):
                    yield row, projector.apply(row).value
        for row in rows:
            yield row, projector.apply(row).value

    @staticmethod
    def _count_contents(rows_and_values: Iterable[tuple[EventRow, Any]]) -> Counter[bytes]:
        return Counter(
            fingerprint(row.kind, value)
            for row, value in rows_and_values
            if row.kind != NOTE and row.source_index is None
        )
