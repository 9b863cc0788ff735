"""Stores the events of archives: those that the log does not have yet, by their identity."""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice
from typing import TYPE_CHECKING

from runreel.importing.archives.known_rows import KnownRows
from runreel.importing.batch import Batch
from runreel.importing.run_import import ImportedRun
from runreel.model.errors import RunPruned, RunreelError
from runreel.model.identifiers import check_new_id
from runreel.model.import_report import Problem, Report
from runreel.store.events import stream_ids

if TYPE_CHECKING:
    from runreel.importing.archives.entries import Entry, Origin
    from runreel.store.database import Database

# Maximum number of open runs, and of events whose runs are looked up in the log at once.
OPEN_RUNS = 200
_WINDOW = 1_000


class _Run:
    """A run that events are added to: its known rows, and its writer once an event is new."""

    __slots__ = ("imported", "known", "new")

    def __init__(self, known: KnownRows, *, new: bool) -> None:
        self.known = known
        self.new = new
        self.imported: ImportedRun | None = None


class ArchiveWriter:
    """Stores events of archives in batches; call ``flush`` after the last one."""

    def __init__(self, database: Database, report: Report) -> None:
        self._database = database
        self._report = report
        self._batch = Batch(database)
        self._window: list[tuple[str, Entry]] = []
        self._open: OrderedDict[str, _Run] = OrderedDict()
        self._existing: set[str] = set()
        self._touched: set[str] = set()
        self._failed: set[str] = set()

    def add(self, name: str, entry: Entry) -> None:
        """Store an event of the file ``name``, soon."""
        self._window.append((name, entry))
        if len(self._window) >= _WINDOW:
            self._store()

    def flush(self) -> None:
        """Store all events, and commit them."""
        self._store()
        self._batch.flush()
        self._report.runs_touched += len(self._touched - self._batch.pruned)
        self._touched.clear()

    def finish(self) -> None:
        """Flush, and report the runs that were pruned earlier."""
        self.flush()
        if pruned := len(self._batch.pruned):
            text = f"{pruned:,} run{'s' * (pruned != 1)} skipped: pruned earlier"
            self._report.notices.append(text)

    def _store(self) -> None:
        window, self._window = self._window, []
        asked = {entry.run_id for _, entry in window} - self._open.keys()
        with self._database.reading() as connection:
            self._existing = stream_ids.existing(connection, asked)
        for name, entry in window:
            if entry.run_id in self._failed or entry.run_id in self._batch.pruned:
                continue
            try:
                self._offer(name, entry)
            except RunPruned:
                self._batch.pruned.add(entry.run_id)
                self._open.pop(entry.run_id, None)
            except RunreelError as error:
                if error.exit_code == 3:
                    raise
                self._failed.add(entry.run_id)
                problem = Problem(name, entry.number, str(error), entry.run_id)
                self._report.problems.append(problem)
            if self._batch.is_full:
                self._batch.flush()

    def _offer(self, name: str, entry: Entry) -> None:
        run, report = self._run(entry.run_id, entry.origin), self._report
        if run.known.has(entry.identity, entry.kind, entry.value):
            report.events_known += 1
            return
        if run.imported is None:
            run.imported = self._imported(entry, new=run.new)
            report.runs_new += run.imported.was_empty
        outcome = run.imported.offer(entry.kind, entry.value)
        run.known.add(entry.identity, entry.kind, entry.value)
        report.count(new=outcome.new, conflict=outcome.conflict)
        if outcome.unread:
            report.note_unread(outcome.unread, entry.run_id, f"{name}:{entry.number}")
        if outcome.new:
            self._touched.add(entry.run_id)

    def _imported(self, entry: Entry, *, new: bool) -> ImportedRun:
        if new:
            check_new_id(entry.run_id)
        origin = entry.origin
        return ImportedRun(
            self._database,
            self._batch,
            entry.run_id,
            origin.source,
            new=new and self._database.masking is None,
            identity=origin.note,
        )

    def _run(self, run_id: str, origin: Origin) -> _Run:
        run = self._open.get(run_id)
        if run is not None:
            self._open.move_to_end(run_id)
            return run
        if len(self._open) >= OPEN_RUNS:
            self._close_runs()
        new = run_id not in self._existing
        known = KnownRows(origin.source) if new else self._known(run_id, origin.source)
        run = self._open[run_id] = _Run(known, new=new)
        # It may be closed, and opened again, before the next look-up.
        self._existing.add(run_id)
        return run

    def _known(self, run_id: str, source: str) -> KnownRows:
        with self._database.reading() as connection:
            return KnownRows.read(connection, run_id, source)

    def _close_runs(self) -> None:
        """Forget the half of the open runs that had no event for the longest time."""
        self._batch.flush()
        for run_id in list(islice(self._open, OPEN_RUNS // 2)):
            del self._open[run_id]
