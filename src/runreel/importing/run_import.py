"""One run of an import: drafted by itself while all of it is new, with the log's help if not."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from runreel.importing.new_run_writer import NewRunWriter
from runreel.model.events import CLOSED, NOTE
from runreel.projection.projector import RunProjector
from runreel.projection.run_state import IMPORT
from runreel.recording.deduplication import fingerprint
from runreel.recording.recorder import Recorder
from runreel.store.events import event_log

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runreel.importing.batch import Batch
    from runreel.model.events import EventRow
    from runreel.projection.run_mapper import RunProjection
    from runreel.recording.deduplication import AppendOutcome
    from runreel.sources.cumulative_lines import CumulativeLine
    from runreel.store.database import Database


class ImportedRun:
    """Stores what files tell of a run.

    ``new`` is whether the log seemed not to have it; ``offered`` counts what was offered of it
    before, content by content. ``touched`` is whether anything was stored; ``end`` is free for
    whoever reads the files.
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
    ) -> None:
        self.run_id = run_id
        self.source = source
        self.touched = False
        self.end = 0
        self._database = database
        self._batch = batch
        self._offered: Counter[bytes] = Counter() if offered is None else offered
        self._new: NewRunWriter | None = None
        self._recorder: Recorder | None = None
        if new:
            self._new = NewRunWriter(run_id, source)
        else:
            self._recorder = self._record(batch)
        self.was_empty = self._recorder is None or self._recorder.last_seq < 0

    def offer(self, kind: str, value: Any) -> AppendOutcome:
        """Store a source's event unless the log has it already: see ``Recorder.offer``."""
        if self._new is not None and (offer := self._new.offer(kind, value)) is not None:
            self.touched = True
            self._batch.hold(self, self._new.rows[-1])
            return offer
        recorder = self._ask_log()
        offer = recorder.offer(kind, value)
        self.touched |= recorder.opened
        return offer

    def append_text(self, line: CumulativeLine) -> bool:
        """``offer`` for a line whose text goes on; False where that takes the whole line."""
        if self._new is None or not self._new.append_text(line):
            return False
        self.touched = True
        self._batch.hold(self, self._new.rows[-1])
        return True

    def close(self) -> None:
        """Say that the recording is complete, if anything was stored."""
        if self._recorder is not None:
            self._recorder.close()
        elif self._new is not None and self._new.seq >= 0:
            self._new.close()
            self._batch.hold(self, self._new.rows[-1])

    def offered(self) -> Counter[bytes]:
        """What was offered of it so far. What is held back has to be committed."""
        if self._new is not None:
            self._offered = self._count(self._told(self._new.seq + 1, ()))
        return self._offered

    def drain(self) -> tuple[list[EventRow], RunProjection | None]:
        """The rows that are held back, to commit them, and what lists show after them."""
        return ([], None) if self._new is None else self._new.drain()

    def retry(self, rows: list[EventRow]) -> None:
        """Offer once more what these rows hold: somebody else was faster.

        Raises:
            RunPruned: if the run was pruned.
        """
        before = rows[0].seq
        self._new = None
        self._offered = self._count(self._told(before, ()))
        recorder = self._recorder = self._record(None)
        for row, value in self._told(before, rows):
            if row.seq >= before and row.kind != NOTE:
                recorder.offer(row.kind, value)
        if (rows[-1].kind, rows[-1].type) == (NOTE, CLOSED):
            recorder.close()

    def _ask_log(self) -> Recorder:
        """The recorder that goes on where drafting alone does not do."""
        if self._new is not None:
            self._batch.flush()
        if self._new is not None:
            self._offered, opened = self.offered(), self._new.seq >= 0
            self._new, self._recorder = None, self._record(self._batch)
            self._recorder.opened = opened
        if self._recorder is None:
            self._recorder = self._record(self._batch)
        return self._recorder

    def _record(self, batch: Batch | None) -> Recorder:
        return Recorder(
            self._database,
            self.run_id,
            source=self.source,
            via=IMPORT,
            batch=batch,
            offered=self._offered,
        )

    def _told(self, stop: int, rows: Iterable[EventRow]) -> Iterator[tuple[EventRow, Any]]:
        """The rows of the log to before ``stop`` and those behind them, with their values."""
        fold = RunProjector(self.run_id)
        if stop:
            with self._database.reading() as connection:
                for row in event_log.read(connection, self.run_id, stop=stop):
                    yield row, fold.apply(row).value
        for row in rows:
            yield row, fold.apply(row).value

    @staticmethod
    def _count(told: Iterable[tuple[EventRow, Any]]) -> Counter[bytes]:
        return Counter(
            fingerprint(row.kind, value)
            for row, value in told
            if row.kind != NOTE and row.source_index is None
        )
