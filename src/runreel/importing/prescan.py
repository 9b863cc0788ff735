"""The first pass of an import: finds unreadable lines and the last line of each run."""

from __future__ import annotations

from array import array
from typing import IO, TYPE_CHECKING

from runreel.importing import input_files
from runreel.importing.attribution import Attribution, RunLine, attribute
from runreel.importing.file_kinds import refuse_output
from runreel.model.errors import BadInput
from runreel.model.events import CONTEXT
from runreel.model.identifiers import check_new_id
from runreel.model.import_report import NO_RUN, Problem
from runreel.sources import reader_of
from runreel.sources.cumulative_lines import CumulativeLine, CumulativeText
from runreel.sources.line_cursor import LineCursor
from runreel.sources.line_parser import YANDEX
from runreel.sources.line_times import require_times

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.importing.text_stretches import TextStretches
    from runreel.sources.line_parser import Line


class LastLineIndex:
    """The last line of each run; lines are counted over all files.

    ``places`` has for each
    run, in the order of the first lines, the number of its first line, over all files and in its
    file, and its offset, if these are wanted.
    """

    def __init__(self, *, with_places: bool = False) -> None:
        self.lines = 0
        self.places: array[int] | None = array("q") if with_places else None
        self._runs: dict[str, int] = {}
        self._contexts: dict[tuple[str | None, str | None], int] = {}

    def __iter__(self) -> Iterator[str]:
        """Iterate over run ids in the order of their first lines."""
        return iter(self._runs)

    def mark(self, run_id: str) -> None:
        """Record that the current line belongs to this run."""
        self._runs[run_id] = self.lines

    def begin(self, run_id: str, number: int, offset: int) -> None:
        """Like ``mark``, for what may be the first line of the run, with its place in the file."""
        if self.places is not None and run_id not in self._runs:
            self.places.extend((self.lines, number, offset))
        self.mark(run_id)

    def last_lines(self) -> Iterator[tuple[str, int]]:
        """Iterate over run ids and their last lines, in the order of their first lines."""
        return iter(self._runs.items())

    def mark_context(self, line: Line) -> None:
        """Record that the current line belongs to the runs of an assistant or a thread."""
        self._contexts[line.assistant, line.thread] = self.lines

    def last_line_of(self, run_id: str) -> int:
        """Return the last line of this run itself, 0 if there is none."""
        return self._runs.get(run_id, 0)

    def last_context_line_of(self, line: Line) -> int:
        """Return the last line about the assistant or the thread of the run in ``line``."""
        return max(
            self._contexts.get((line.assistant, None), 0),
            self._contexts.get((None, line.thread), 0),
        )


class ImportPrescan:
    """The prescan of a file: ``bad`` are the runs to skip, ``problems`` the reasons.

    ``lines`` is the number of lines, ``lines_before`` that of all files before, ``runs`` the number
    of runs whose places are known after it.
    """

    def __init__(
        self,
        name: str,
        file: IO[bytes],
        last_lines: LastLineIndex,
        stretches: TextStretches,
    ) -> None:
        self.bad: set[str] = set()
        self.problems: list[Problem] = []
        self.name = name
        self._last_lines = last_lines
        self._stretches = stretches
        self._cursor = LineCursor()
        self._sources: dict[str, str] = {}
        # The run of the previous line, if ``_check_run`` need not check a line that continues it.
        self._continuing_run: str | None = None
        # Offsets of the lines of shared contexts, and the number of the last one over all files.
        self.contexts = array("q")
        self.last_context = 0
        # Reasons of unreadable lines without a run id, by line number.
        self._unattributed: dict[int, str] = {}
        self.lines_before = last_lines.lines
        self._scan(file)
        self.lines = last_lines.lines - self.lines_before
        self.runs = len(last_lines.places or ()) // 3
        if self._unattributed:
            self._attribute(file)
        # Frees memory: there may be many files.
        self._sources.clear()

    @property
    def is_empty(self) -> bool:
        """True if no line belongs to a run and no line is unreadable."""
        return self._cursor.run_id is None and not self.problems

    def _scan(self, file: IO[bytes]) -> None:
        cursor, text, last_lines = self._cursor, CumulativeText(), self._last_lines
        for number, offset, raw in input_files.lines(file):
            last_lines.lines += 1
            event = cursor.cumulative(raw)
            added = None if event is None else text.append_from(event.text)
            if event is None or (added is None and not text.restart(event.text)):
                self._check_line(number, offset, raw, None)
                continue
            run_id = self._continuing_run
            if run_id and run_id == cursor.run_id and event.run_id in (None, run_id):
                last_lines.mark(run_id)
                if added is not None:
                    end = offset + len(raw)
                    self._stretches.add(last_lines.lines, end, run_id, event, added)
                    continue
            else:
                self._check_line(number, offset, raw, event)
            self._stretches.begin(last_lines.lines, event)

    def _check_line(
        self, number: int, offset: int, raw: bytes, event: CumulativeLine | None
    ) -> None:
        """Check a line, which is parsed unless it is ``event``, and report what is wrong."""
        line: Line | CumulativeLine | None = event
        try:
            line = event or input_files.read(raw)
            if isinstance(line, CumulativeLine):
                self._check_run(line, number, offset)
            elif line is not None and input_files.is_of_one_run(line):
                self._check_run(line, number, offset)
                if (reason := refuse_output(line.value)) is not None:
                    raise BadInput(reason)
                require_times(line)
            elif line is not None and line.kind == CONTEXT:
                self._mark_context(line, offset)
        except BadInput as error:
            run_id = self._cursor.skip(raw) if line is None else self._cursor.run_id
            if line is None and run_id is None:
                self._unattributed[number] = str(error)
            else:
                self._add_problem(number, str(error), run_id)

    def _mark_context(self, line: Line, offset: int) -> None:
        self._last_lines.mark_context(line)
        self.last_context = self._last_lines.lines
        if self._last_lines.places is not None:
            self.contexts.append(offset)

    def _check_run(self, line: Line | CumulativeLine, number: int, offset: int) -> None:
        self._continuing_run = None
        run_id = self._cursor.move(line)
        if run_id is None:
            raise BadInput(NO_RUN)
        source = self._sources.get(run_id)
        if source is None:
            # Stored before the check, so that an invalid id is reported only once.
            self._sources[run_id] = line.source
            check_new_id(run_id)
        elif source != line.source:
            raise BadInput(f"run {run_id} has events of two sources: {source} and {line.source}")
        if run_id not in self.bad:
            self._last_lines.begin(run_id, number, offset)
            self._continuing_run = run_id if line.source == YANDEX else None

    def _attribute(self, file: IO[bytes]) -> None:
        file.seek(0)
        found = attribute(_run_lines(file), list(self._unattributed))
        for number, attribution in found.items():
            self._report_attribution(number, self._unattributed[number], attribution)
        self.problems.sort(key=lambda problem: problem.line)

    def _report_attribution(self, number: int, reason: str, attribution: Attribution) -> None:
        runs = [run for run in (attribution.before, *attribution.skipping) if run is not None]
        self._add_problem(number, reason, runs[0] if runs else None)
        for run_id in runs[1:]:
            message = f"run {run_id} lacks an event here; this line may be that event"
            self._add_problem(number, message, run_id)
        if attribution.after is not None:
            message = f"run {attribution.after} begins after this line, which may belong to it"
            self._add_problem(number, message, attribution.after)

    def _add_problem(self, number: int, message: str, run_id: str | None) -> None:
        self.problems.append(Problem(self.name, number, message, run_id))
        if run_id is not None:
            self.bad.add(run_id)
            self._continuing_run = None


def _run_lines(file: IO[bytes]) -> Iterator[RunLine]:
    """Yield the lines of a file that belong to a run."""
    cursor = LineCursor()
    for number, _, raw in input_files.lines(file):
        try:
            line = input_files.read(raw)
        except BadInput:
            if (run_id := cursor.skip(raw)) is not None:
                yield RunLine(number, run_id, named=True, number=None)
            continue
        if line is not None and input_files.is_of_one_run(line):
            run_id = cursor.move(line)
            if run_id is not None:
                index = reader_of(line.source).interpret(line.kind, line.value).index
                yield RunLine(number, run_id, line.run_id is not None, index)
