"""What is wrong with a file, found before anything of it is stored."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from runreel.importing import input_files
from runreel.importing.attribution import Attribution, RunLine, attribute
from runreel.importing.file_kinds import refuse_output
from runreel.model.errors import BadInput
from runreel.model.events import CONTEXT
from runreel.model.identifiers import check_new_id
from runreel.model.import_report import Problem
from runreel.sources import reader_of
from runreel.sources.cumulative_lines import CumulativeLine, CumulativeText
from runreel.sources.line_cursor import LineCursor
from runreel.sources.line_parser import YANDEX
from runreel.sources.line_times import require_times

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.sources.line_parser import Line


class LastLineIndex:
    """Behind which line files have nothing more of a run, lines being counted over all of them."""

    def __init__(self) -> None:
        self.lines = 0
        self._runs: dict[str, int] = {}
        self._contexts: dict[tuple[str | None, str | None], int] = {}

    def __iter__(self) -> Iterator[str]:
        """The runs in the order in which they are first told."""
        return iter(self._runs)

    def mark(self, run_id: str) -> None:
        """The line that is counted is of this run."""
        self._runs[run_id] = self.lines

    def mark_context(self, line: Line) -> None:
        """The line that is counted is of the runs of an assistant or a thread."""
        self._contexts[line.assistant, line.thread] = self.lines

    def last_line_of(self, run_id: str) -> int:
        """The last line that is this run's own."""
        return self._runs.get(run_id, 0)

    def last_context_line_of(self, line: Line) -> int:
        """The last line about the assistant or the thread of a run that ``line`` tells of."""
        return max(
            self._contexts.get((line.assistant, None), 0),
            self._contexts.get((None, line.thread), 0),
        )


class ImportPrescan:
    """The prescan of a file: which runs are ``bad``, to be left untouched, and why."""

    def __init__(self, name: str, file: IO[bytes], ends: LastLineIndex) -> None:
        self.bad: set[str] = set()
        self.problems: list[Problem] = []
        self.name = name
        self._ends = ends
        self._cursor = LineCursor()
        self._sources: dict[str, str] = {}
        # The run of the line before, if the checks of ``_place`` let through its next text as well.
        self._placed: str | None = None
        # Unreadable lines that name no run.
        self._unattributed: dict[int, str] = {}
        self._scan(file)
        if self._unattributed:
            self._attribute(file)
        # There may be many files.
        self._sources.clear()

    @property
    def is_empty(self) -> bool:
        """Whether no line is of a run, and none is unreadable."""
        return self._cursor.run_id is None and not self.problems

    def _scan(self, file: IO[bytes]) -> None:
        cursor, growth = self._cursor, CumulativeText()
        for number, _, raw in input_files.lines(file):
            self._ends.lines += 1
            line: Line | CumulativeLine | None = None
            try:
                event = cursor.cumulative(raw)
                if event is not None and growth.update(event.text):
                    run_id = self._placed
                    if run_id and run_id == cursor.run_id and event.run_id in (None, run_id):
                        self._ends.mark(run_id)
                    else:
                        line = event
                        self._place(line)
                    continue
                line = input_files.read(raw)
                if line is not None and input_files.is_of_one_run(line):
                    self._place(line)
                    if (why := refuse_output(line.value)) is not None:
                        raise BadInput(why)
                    require_times(line)
                elif line is not None and line.kind == CONTEXT:
                    self._ends.mark_context(line)
            except BadInput as error:
                self._blame(number, raw, line, str(error))

    def _place(self, line: Line | CumulativeLine) -> None:
        self._placed = None
        run_id = self._cursor.move(line)
        if run_id is None:
            raise BadInput("this event belongs to no run that the file has told")
        source = self._sources.get(run_id)
        if source is None:
            # First, so that an id that no run can have is reported once.
            self._sources[run_id] = line.source
            check_new_id(run_id)
        elif source != line.source:
            raise BadInput(f"run {run_id} is told by {source} and by {line.source}")
        if run_id not in self.bad:
            self._ends.mark(run_id)
            self._placed = run_id if line.source == YANDEX else None

    def _blame(self, number: int, raw: bytes, line: Line | CumulativeLine | None, why: str) -> None:
        run_id = self._cursor.skip(raw) if line is None else self._cursor.run_id
        if line is None and run_id is None:
            self._unattributed[number] = why
        else:
            self._refuse(number, why, run_id)

    def _attribute(self, file: IO[bytes]) -> None:
        file.seek(0)
        found = attribute(_run_lines(file), list(self._unattributed))
        for number, attribution in found.items():
            self._report(number, self._unattributed[number], attribution)
        self.problems.sort(key=lambda problem: problem.line)

    def _report(self, number: int, why: str, attribution: Attribution) -> None:
        runs = [run for run in (attribution.before, *attribution.skipping) if run is not None]
        self._refuse(number, why, runs[0] if runs else None)
        for run_id in runs[1:]:
            message = f"run {run_id} lacks an event here, which this line may be"
            self._refuse(number, message, run_id)
        if attribution.after is not None:
            message = f"run {attribution.after} begins behind this line, which may be of it"
            self._refuse(number, message, attribution.after)

    def _refuse(self, number: int, message: str, run_id: str | None) -> None:
        self.problems.append(Problem(self.name, number, message, run_id))
        if run_id is not None:
            self.bad.add(run_id)
            self._placed = None


def _run_lines(file: IO[bytes]) -> Iterator[RunLine]:
    """The lines of a file that are of a run."""
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
                index = reader_of(line.source).index_of(line.kind, line.value)
                yield RunLine(number, run_id, line.run_id is not None, index)
