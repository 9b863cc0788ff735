"""The second reading of files of recorded traffic: each line to the run that it is of."""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice
from typing import IO, TYPE_CHECKING, NamedTuple

from runreel.importing import input_files
from runreel.importing.batch import Batch
from runreel.importing.run_import import ImportedRun
from runreel.model.errors import BadInput, RunPruned, RunreelError
from runreel.model.events import NOTE, RUN
from runreel.model.import_report import Problem, Report
from runreel.sources.line_cursor import LineCursor
from runreel.sources.shared_contexts import Contexts
from runreel.store.events import stream_ids

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from runreel.importing.prescan import ImportPrescan, LastLineIndex
    from runreel.recording.deduplication import AppendOutcome
    from runreel.sources.cumulative_lines import CumulativeLine
    from runreel.sources.line_parser import Line
    from runreel.store.database import Database

# How many runs an import holds open at once, and of how many it asks the log at once.
OPEN_RUNS = 500
_ASKED = 500


class _SuspendedRun(NamedTuple):
    """A run that is not open; ``offered`` is None where it never was."""

    offered: Counter[bytes] | None
    end: int
    touched: bool = False


class _File:
    """What is known of a file that is being read."""

    __slots__ = ("contexts", "cursor", "file", "survey")

    def __init__(self, file: IO[bytes], survey: ImportPrescan, cursor: LineCursor) -> None:
        self.file, self.survey, self.cursor = file, survey, cursor
        self.contexts = Contexts()


class Importer:
    """Stores the lines of files, each as soon as there are enough of them; ``finish`` it."""

    def __init__(self, database: Database, report: Report, ends: LastLineIndex) -> None:
        self._database = database
        self._report = report
        self._ends = ends
        self._batch = Batch(database)
        self._lines = 0
        self._open: OrderedDict[str, ImportedRun] = OrderedDict()
        # Runs that were closed before their end, and what was offered of them.
        self._early: dict[str, _SuspendedRun] = {}
        self._spoke: ImportedRun | None = None
        # Those that were closed since the last commit.
        self._ended: list[ImportedRun] = []
        self._refused: set[str] = set()
        self._upcoming = iter(ends)
        self._asked: set[str] = set()
        self._logged: set[str] = set()

    def store(
        self, file: IO[bytes], survey: ImportPrescan, progress: Callable[[int, int], None]
    ) -> None:
        """Store a file's lines, but for those of the runs that are bad."""
        bad, cursor = survey.bad, LineCursor()
        source = _File(file, survey, cursor)
        for number, place, raw in input_files.lines(file):
            self._lines += 1
            event = cursor.cumulative(raw)
            if event is None or not self._append_text(event.run_id or cursor.run_id, event, bad):
                self._store_line(source, number, place, raw)
            elif event.run_id is not None:
                cursor.run_id = event.run_id
            if self._batch.full:
                self._flush()
                progress(file.tell(), self._report.lines)

    def _store_line(self, source: _File, number: int, place: int, raw: bytes) -> None:
        """Store a line that has to be read as a whole."""
        try:
            line = input_files.read(raw)
        except BadInput:
            # The prescan has reported it.
            source.cursor.skip(raw)
            return
        if line is None:
            return
        self._report.lines += 1
        if input_files.is_of_one_run(line):
            run_id = source.cursor.move(line)
            if run_id is not None and run_id not in source.survey.bad:
                for context in input_files.reread(
                    source.file, source.contexts.positions_for(run_id, line)
                ):
                    self._offer(run_id, context, source.survey.name, number)
                self._offer(run_id, line, source.survey.name, number)
                self._end_if_over(run_id)
        elif line.kind == NOTE:
            self._notice("notes of another recorder were left out")
        else:
            for run_id in source.contexts.runs_of(line):
                self._offer(run_id, line, source.survey.name, number)
                self._end_if_over(run_id)
            source.contexts.add(line, place)

    def finish(self) -> None:
        """Close what is open and commit what is held."""
        while self._open:
            self._end(next(iter(self._open)))
        self._flush()
        self._report.runs_touched += sum(early.touched for early in self._early.values())
        if pruned := len(self._batch.pruned):
            were = "run was pruned and stays" if pruned == 1 else "runs were pruned and stay"
            self._notice(f"{pruned:,} {were} so")

    def _append_text(self, run_id: str | None, line: CumulativeLine, bad: set[str]) -> bool:
        """Store a line of text that goes on; False where it takes the whole line."""
        run = None if run_id is None or run_id in bad else self._open.get(run_id)
        if run is None or run.source != line.source or not run.append_text(line):
            return False
        if run is not self._spoke:
            self._open.move_to_end(run.run_id)
            self._spoke = run
        self._report.lines += 1
        self._report.events_new += 1
        if self._lines >= run.end:
            self._end(run.run_id)
        return True

    def _offer(self, run_id: str, line: Line, name: str, number: int) -> None:
        if run_id in self._refused or run_id in self._batch.pruned:
            return
        try:
            run = self._run(run_id, line.source)
            offer = run.offer(line.kind, line.value)
        except RunPruned:
            self._batch.pruned.add(run_id)
        except RunreelError as error:
            if error.exit_code == 3:
                raise
            self._refused.add(run_id)
            self._report.problems.append(Problem(name, number, str(error), run_id))
            if run_id in self._open:
                self._end(run_id)
        else:
            if line.kind == RUN:
                run.end = max(run.end, self._ends.last_context_line_of(line))
            count_outcome(self._report, offer, name, number, run_id)

    def _run(self, run_id: str, source: str) -> ImportedRun:
        run = self._open.get(run_id)
        if run is not None:
            if run.source != source:
                raise BadInput(f"run {run_id} is told by {run.source} and by {source}")
            self._open.move_to_end(run_id)
            return run
        if len(self._open) >= OPEN_RUNS:
            self._make_room()
        if self._batch.holds(run_id):
            # It was closed too early; what is asked of the log next includes its rows.
            self._flush()
        early = self._early.pop(run_id, None) or _SuspendedRun(
            None, self._ends.last_line_of(run_id)
        )
        new = early.offered is None and self._is_new(run_id)
        run = ImportedRun(
            self._database, self._batch, run_id, source, new=new, offered=early.offered
        )
        run.touched, run.end = early.touched, early.end
        self._report.runs_new += run.was_empty
        self._open[run_id] = run
        return run

    def _is_new(self, run_id: str) -> bool:
        """Whether the log had nothing of the run when it was asked, which is now and then."""
        if run_id not in self._asked:
            self._asked = {run_id, *islice(self._upcoming, _ASKED)}
            with self._database.reading() as connection:
                self._logged = stream_ids.existing(connection, self._asked)
        # Only a recorder masks.
        new = run_id not in self._logged and self._database.masking is None
        self._logged.add(run_id)
        return new

    def _make_room(self) -> None:
        """Close the runs that have been quiet longest, though there is more to come of them."""
        self._flush()
        for run_id in list(islice(self._open, OPEN_RUNS // 2)):
            run = self._open[run_id]
            self._early[run_id] = _SuspendedRun(run.offered(), run.end, run.touched)
            self._close(run_id)

    def _end_if_over(self, run_id: str) -> None:
        """What ends a run is committed together with the rest of it."""
        run = self._open.get(run_id)
        if run is not None and self._lines >= run.end:
            self._end(run_id)

    def _end(self, run_id: str) -> None:
        self._ended.append(self._close(run_id))

    def _close(self, run_id: str) -> ImportedRun:
        run = self._open.pop(run_id)
        if run_id not in self._batch.pruned:
            run.close()
        return run

    def _flush(self) -> None:
        """Commit what is held. What has ended is stored then, or known to be pruned."""
        self._batch.flush()
        for run in self._ended:
            self._report.runs_touched += run.touched and run.run_id not in self._batch.pruned
        self._ended.clear()

    def _notice(self, text: str) -> None:
        if text not in self._report.notices:
            self._report.notices.append(text)


def count_outcome(
    report: Report, offer: AppendOutcome, name: str, number: int, run_id: str
) -> None:
    """Report what became of an event that a line of a file told."""
    report.count(new=offer.new, conflict=offer.conflict)
    if offer.unread:
        report.note_unread(
            offer.unread, run_id, f"line {number}" if name == "-" else f"{name}:{number}"
        )
    if offer.conflict:
        message = (
            f"run {run_id} has this event with other content in row {offer.seq}:"
            " that stays, this is kept as a conflict note"
        )
        report.problems.append(Problem(name, number, message, run_id))
    if offer.missing:
        message = f"{offer.missing} of the source's events are missing before this one"
        report.problems.append(Problem(name, number, message, run_id))
