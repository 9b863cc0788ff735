"""Recorded traffic into the log: whole files at once, or one run's lines as they arrive."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from typing import IO, TYPE_CHECKING, Any

from runreel import inputs
from runreel.batch import Batch
from runreel.recorder import Recorder
from runreel.rules.ids import check_run_id
from runreel.rules.runs import IMPORT
from runreel.sources.contexts import Contexts
from runreel.survey import Survey
from runreel.words.errors import BadInput, RunPruned, RunreelError
from runreel.words.intake import Problem, Report
from runreel.words.log import NOTE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runreel.sources.lines import Line
    from runreel.store.database import Database

    Progress = Callable[[int, int | None, int], None]

# How many runs an import holds open at once.
OPEN_RUNS = 500


def import_files(
    database: Database, paths: Sequence[str], *, progress: Progress | None = None
) -> Report:
    """Store recorded traffic; ``-`` is standard input. Importing again adds nothing.

    A run with a line that cannot be read is left untouched, and so is one that was pruned; the rest
    goes in. ``progress`` is told bytes read, bytes in all and lines stored; every file is read
    twice.

    Raises:
        UsageError: if a file cannot be opened.
        LogError: if the database fails; runs stored before stay.
    """
    report = Report()
    importer = _Importer(database, report)
    with inputs.opened(paths) as files:
        total = sum(source.size for source in files) * 2
        done = 0
        for source in files:
            with source.open() as file:
                survey = Survey(source.name, file)
                report.problems += survey.problems
                file.seek(0)
                step = _step(progress, done + source.size, total)
                importer.store(source.name, file, survey.bad, step)
            done += source.size * 2
            _step(progress, done, total)(0, report.lines)
    importer.finish()
    return report


def record_lines(  # noqa: PLR0913 - what a user can say of a run
    database: Database,
    lines: Iterable[bytes],
    *,
    run_id: str,
    source: str | None = None,
    identity: dict[str, Any] | None = None,
    on_event: Callable[[Report], None] | None = None,
) -> Report:
    """Store one run's events as they arrive, each committed before the next is read.

    The source is told by the first line's shape unless named. Lines that cannot be read are
    reported and left out.

    Raises:
        RunPruned: if the run was pruned.
    """
    check_run_id(run_id)
    report = Report(source=source)
    recorder: Recorder | None = None
    try:
        for number, raw in enumerate(lines, 1):
            try:
                line = _line_of(raw, run_id)
                if line is None:
                    continue
                recorder = recorder or _recorder(database, run_id, source or line.source, identity)
                report.source = recorder.source
                if source is None and line.source != recorder.source:
                    raise BadInput(f"this is an event of {line.source}, not of {recorder.source}")
                _offer(recorder, line, report, "-", number)
            except BadInput as error:
                report.problems.append(Problem("-", number, str(error), run_id))
            report.lines += 1
            if on_event is not None:
                on_event(report)
    except BaseException as error:
        if recorder is not None:
            recorder.interrupt(type(error).__name__)
        raise
    if recorder is not None:
        recorder.close()
    return report


class _Importer:
    """The second reading: each line to the recorders of its runs."""

    def __init__(self, database: Database, report: Report) -> None:
        self._database = database
        self._report = report
        self._batch = Batch(database)
        self._recorders: OrderedDict[str, Recorder] = OrderedDict()
        self._offered: defaultdict[str, Counter[bytes]] = defaultdict(Counter)
        self._refused: set[str] = set()
        self._touched: set[str] = set()

    def store(
        self, name: str, file: IO[bytes], bad: set[str], progress: Callable[[int, int], None]
    ) -> None:
        """Store a file's lines, but for those of the runs that are bad."""
        contexts = Contexts()
        last: str | None = None
        for number, place, raw in inputs.lines(file):
            try:
                line = inputs.read(raw)
            except BadInput:
                continue
            if line is None:
                continue
            self._report.lines += 1
            if line.kind == NOTE:
                self._notice("notes of another recorder were left out")
            elif not inputs.is_of_one_run(line):
                for run_id in contexts.runs_of(line):
                    self._offer(run_id, line, name, number)
                contexts.keep(line, place)
            elif (last := line.run_id or last) is not None and last not in bad:
                for context in inputs.reread(file, contexts.new_for(last, line)):
                    self._offer(last, context, name, number)
                self._offer(last, line, name, number)
            if self._batch.full:
                self._batch.flush()
                progress(file.tell(), self._report.lines)

    def finish(self) -> None:
        """Close what is open and commit what is held."""
        self._close(len(self._recorders))
        pruned = self._batch.pruned
        self._report.runs_touched = len(self._touched - pruned)
        if pruned:
            were = "run was pruned and stays" if len(pruned) == 1 else "runs were pruned and stay"
            self._notice(f"{len(pruned):,} {were} so")

    def _offer(self, run_id: str, line: Line, name: str, number: int) -> None:
        if run_id in self._refused or run_id in self._batch.pruned:
            return
        try:
            recorder = self._recorder(run_id, line.source)
            _offer(recorder, line, self._report, name, number)
        except RunPruned:
            self._batch.pruned.add(run_id)
            return
        except RunreelError as error:
            if error.exit_code == 3:
                raise
            self._refused.add(run_id)
            self._report.problems.append(Problem(name, number, str(error), run_id))
            return
        if recorder.opened:
            self._touched.add(run_id)

    def _recorder(self, run_id: str, source: str) -> Recorder:
        recorder = self._recorders.get(run_id)
        if recorder is not None:
            if recorder.source != source:
                raise BadInput(f"run {run_id} is told by {recorder.source} and by {source}")
            self._recorders.move_to_end(run_id)
            return recorder
        if len(self._recorders) >= OPEN_RUNS:
            self._close(OPEN_RUNS // 2)
        recorder = Recorder(
            self._database,
            run_id,
            source=source,
            via=IMPORT,
            batch=self._batch,
            offered=self._offered[run_id],
        )
        if recorder.last_seq < 0:
            self._report.runs_new += 1
        self._recorders[run_id] = recorder
        return recorder

    def _close(self, count: int) -> None:
        """Close the runs that have been quiet longest; their rows are committed then."""
        for _ in range(count):
            run_id, recorder = self._recorders.popitem(last=False)
            if run_id not in self._batch.pruned:
                recorder.close()
        self._batch.flush()

    def _notice(self, text: str) -> None:
        if text not in self._report.notices:
            self._report.notices.append(text)


def _offer(recorder: Recorder, line: Line, report: Report, name: str, number: int) -> None:
    offer = recorder.offer(line.kind, line.value)
    report.count(new=offer.new, conflict=offer.conflict)
    if offer.conflict:
        message = (
            f"run {recorder.run_id} has this event with other content in row {offer.seq}:"
            " that stays, this is kept as a conflict note"
        )
        report.problems.append(Problem(name, number, message, recorder.run_id))
    if offer.missing:
        message = f"{offer.missing} of the source's events are missing before this one"
        report.problems.append(Problem(name, number, message, recorder.run_id))


def _recorder(
    database: Database, run_id: str, source: str, identity: dict[str, Any] | None
) -> Recorder:
    return Recorder(database, run_id, source=source, via="lines", identity=identity)


def _line_of(raw: bytes, run_id: str) -> Line | None:
    line = inputs.read(raw)
    if line is not None and line.run_id not in (None, run_id):
        raise BadInput(f"this line is of run {line.run_id}, not of {run_id}")
    return line


def _step(progress: Progress | None, done: int, total: int) -> Callable[[int, int], None]:
    def step(read: int, lines: int) -> None:
        if progress is not None:
            progress(done + read, total, lines)

    return step
