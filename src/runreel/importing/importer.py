"""The second pass of an import: stores each line in its run."""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice
from typing import IO, TYPE_CHECKING, NamedTuple

from runreel.importing import input_files
from runreel.importing.batch import Batch
from runreel.importing.drafted_run import DraftToStore
from runreel.importing.outcomes import count_outcome
from runreel.importing.run_import import ImportedRun
from runreel.model.errors import BadInput, RunPruned, RunreelError
from runreel.model.events import NOTE, RUN
from runreel.model.import_report import Problem, Report
from runreel.sources.line_cursor import LineCursor
from runreel.sources.line_parser import YANDEX
from runreel.sources.shared_contexts import Contexts
from runreel.store.events import stream_ids

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from runreel.importing.drafted_run import Draft
    from runreel.importing.file_parts import FilePart
    from runreel.importing.input_files import LineSource
    from runreel.importing.prescan import ImportPrescan, LastLineIndex
    from runreel.importing.text_stretches import Stretches
    from runreel.sources.cumulative_lines import CumulativeLine
    from runreel.sources.line_parser import Line
    from runreel.store.database import Database

# Maximum number of open runs, and number of run ids looked up in the log at once.
OPEN_RUNS = 500
_LOOKUP_SIZE = 500


class _SuspendedRun(NamedTuple):
    """State of a run that is not open; ``offered`` is None if it was never open."""

    offered: Counter[bytes] | None
    last_line: int
    changed: bool = False


class Importer:
    """Stores the lines of files in batches; call ``finish`` after the last file."""

    def __init__(
        self,
        database: Database,
        report: Report,
        last_lines: LastLineIndex,
        stretches: Stretches,
        batch: Batch | None = None,
    ) -> None:
        self._database = database
        self._report = report
        self._last_lines = last_lines
        self._stretches = stretches
        self._batch = Batch(database) if batch is None else batch
        self._lines = 0
        self._open: OrderedDict[str, ImportedRun] = OrderedDict()
        # Runs that were closed to limit the number of open runs.
        self._suspended: dict[str, _SuspendedRun] = {}
        self._last_text_run: ImportedRun | None = None
        # Runs that were changed and have ended since the last commit.
        self._changed: set[str] = set()
        self._failed: set[str] = set()
        self._next_run_ids = iter(last_lines)
        self._looked_up: set[str] = set()
        self._existing: set[str] = set()

    def store(
        self,
        file: IO[bytes],
        _size: int,
        prescan: ImportPrescan,
        progress: Callable[[int, int], None],
    ) -> None:
        """Store the lines of a file, except those of runs that the prescan found bad."""
        self.open(file, prescan.name, prescan.bad, progress)
        self.store_lines(input_files.Lines(file), self._lines)

    def open(
        self,
        file: IO[bytes],
        name: str,
        bad: AbstractSet[str],
        progress: Callable[[int, int], None],
    ) -> None:
        """Begin with a file: with the runs ``bad``, which are skipped."""
        self._file, self._name, self._bad, self._progress = file, name, bad, progress
        self._contexts = Contexts()

    def store_lines(self, lines: LineSource, before: int) -> None:
        """Store these lines of the file; ``before`` is the number of lines before, over all files.

        The first of them is the first of the file, or names its run.
        """
        self._lines = before
        cursor = self._cursor = LineCursor()
        for number, offset, raw in lines:
            self._lines += 1
            event = cursor.cumulative(raw)
            if event is None or not self._append_text(event.run_id or cursor.run_id, event):
                self._store_line(number, offset, raw)
            elif event.run_id is not None:
                cursor.run_id = event.run_id
            self._flush_if_full()
            self._append_stretches(lines)

    def store_part(self, file: IO[bytes], part: FilePart) -> None:
        """Store the lines of a part of the file."""
        last = part.number + part.lines
        self.store_lines(input_files.Lines(file, part.number, part.start, last), part.before)

    def store_draft(self, draft: Draft, end: int) -> None:
        """Store the runs that were drafted of a part of the file, up to byte ``end``."""
        self._report.merge(draft.report)
        for drafted in draft.runs:
            run = DraftToStore(self._database, self._batch, drafted)
            self._batch.add_run(run, *run.rows)
            self._changed.add(run.run_id)
            if self._batch.is_full:
                self._flush()
                self._progress(end, self._report.lines)

    def know_context(self, raw: bytes, offset: int) -> None:
        """Know a context that stands before the lines that are stored, and where it is."""
        if (line := input_files.read(raw)) is not None:
            self._contexts.add(line, offset)

    def _flush_if_full(self) -> None:
        if self._batch.is_full:
            self._flush()
            self._progress(self._file.tell(), self._report.lines)

    def _store_line(self, number: int, offset: int, raw: bytes) -> None:
        """Store a line that needs full parsing."""
        try:
            line = input_files.read(raw)
        except BadInput:
            # The prescan has reported it.
            self._cursor.skip(raw)
            return
        if line is None:
            return
        self._report.lines += 1
        if input_files.is_of_one_run(line):
            run_id = self._cursor.move(line)
            if run_id is not None and run_id not in self._bad:
                positions = self._contexts.positions_for(run_id, line)
                for context in input_files.reread(self._file, positions):
                    self._offer(run_id, context, number)
                self._offer(run_id, line, number)
                self._end_if_over(run_id)
        elif line.kind == NOTE:
            self._notice("notes of another recorder were skipped")
        else:
            for run_id in self._contexts.runs_of(line):
                self._offer(run_id, line, number)
                self._end_if_over(run_id)
            self._contexts.add(line, offset)

    def end_runs(self) -> None:
        """Close the open runs."""
        while self._open:
            self._end(next(iter(self._open)))

    def finish(self) -> None:
        """Close the open runs and commit the batch."""
        self.end_runs()
        self._flush()
        self._report.runs_touched += sum(run.changed for run in self._suspended.values())
        if pruned := len(self._batch.pruned):
            self._notice(f"{pruned:,} run{'s' * (pruned != 1)} skipped: pruned earlier")

    def _append_stretches(self, lines: LineSource) -> None:
        """Store the next lines as far as they only continue a text, which the prescan has kept."""
        while (stretch := self._stretches.next_at(self._lines + 1)) is not None:
            run_id = stretch.run_id
            run = None if run_id in self._bad else self._open.get(run_id)
            if run is None or run.source != YANDEX or not run.append_stretch(stretch):
                return
            count = len(stretch.added)
            lines.skip(count, stretch.end)
            self._cursor.run_id = run_id
            self._lines += count
            self._report.lines += count
            self._report.events_new += count
            self._end_if_over(run_id)
            self._flush_if_full()

    def _append_text(self, run_id: str | None, line: CumulativeLine) -> bool:
        """Store a line that only continues the text; False if it needs full parsing."""
        run = None if run_id is None or run_id in self._bad else self._open.get(run_id)
        if run is None or run.source != line.source or not run.append_text(line):
            return False
        if run is not self._last_text_run:
            self._open.move_to_end(run.run_id)
            self._last_text_run = run
        self._report.lines += 1
        self._report.events_new += 1
        if self._lines >= run.last_line:
            self._end(run.run_id)
        return True

    def _offer(self, run_id: str, line: Line, number: int) -> None:
        if run_id in self._failed or run_id in self._batch.pruned:
            return
        try:
            run = self._run(run_id, line.source)
            outcome = run.offer(line.kind, line.value)
        except RunPruned:
            self._batch.pruned.add(run_id)
        except RunreelError as error:
            if error.exit_code == 3:
                raise
            self._failed.add(run_id)
            self._report.problems.append(Problem(self._name, number, str(error), run_id))
            if run_id in self._open:
                self._end(run_id)
        else:
            if line.kind == RUN:
                run.last_line = max(run.last_line, self._last_lines.last_context_line_of(line))
            count_outcome(self._report, outcome, self._name, number, run_id)

    def _run(self, run_id: str, source: str) -> ImportedRun:
        run = self._open.get(run_id)
        if run is not None:
            if run.source != source:
                raise BadInput(f"run {run_id} has events of two sources: {run.source} and {source}")
            self._open.move_to_end(run_id)
            return run
        if len(self._open) >= OPEN_RUNS:
            self._suspend_runs()
        if self._batch.contains(run_id):
            # It was suspended: its rows must be in the log before that is read.
            self._flush()
        never_open = _SuspendedRun(None, self._last_lines.last_line_of(run_id))
        offered, last_line, changed = self._suspended.pop(run_id, never_open)
        new = offered is None and self._is_new(run_id)
        run = ImportedRun(self._database, self._batch, run_id, source, new=new, offered=offered)
        run.last_line, run.changed = last_line, changed
        self._report.runs_new += run.was_empty
        self._open[run_id] = run
        return run

    def _is_new(self, run_id: str) -> bool:
        """True if the log had no rows of the run at the last look-up of run ids."""
        if run_id not in self._looked_up:
            self._looked_up = {run_id, *islice(self._next_run_ids, _LOOKUP_SIZE)}
            with self._database.reading() as connection:
                self._existing = stream_ids.existing(connection, self._looked_up)
        # Secrets are masked only by a recorder.
        new = run_id not in self._existing and self._database.masking is None
        self._existing.add(run_id)
        return new

    def _suspend_runs(self) -> None:
        """Suspend the half of the open runs that had no line for the longest time."""
        self._flush()
        for run_id in list(islice(self._open, OPEN_RUNS // 2)):
            run = self._open[run_id]
            self._suspended[run_id] = _SuspendedRun(run.offered(), run.last_line, run.changed)
            self._close(run_id)

    def _end_if_over(self, run_id: str) -> None:
        """Close a run after its last line, so that its end is in the same batch."""
        run = self._open.get(run_id)
        if run is not None and self._lines >= run.last_line:
            self._end(run_id)

    def _end(self, run_id: str) -> None:
        if self._close(run_id).changed:
            self._changed.add(run_id)

    def _close(self, run_id: str) -> ImportedRun:
        run = self._open.pop(run_id)
        if run_id not in self._batch.pruned:
            run.close()
        return run

    def _flush(self) -> None:
        """Commit the batch, and count the runs that ended: each is stored now, or pruned."""
        self._batch.flush()
        self._report.runs_touched += len(self._changed - self._batch.pruned)
        self._changed.clear()

    def _notice(self, text: str) -> None:
        if text not in self._report.notices:
            self._report.notices.append(text)
