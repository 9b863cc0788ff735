"""What is wrong with a file, found before anything of it is stored."""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING

from runreel import inputs
from runreel.rules.ids import check_run_id
from runreel.sources.spoken_lines import Growth, SpokenLine, SpokenLines
from runreel.words.errors import BadInput
from runreel.words.intake import Problem
from runreel.words.log import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.sources.lines import Line

# Where an unreadable line may be looked at for the run that it names.
_HEAD = 1024 * 1024
_TOLD_RUN = re.compile(
    rb'(?:"run_?[iI]d"|"type"\s*:\s*"run"\s*,.{0,200}?"id")\s*:\s*"([^"\\]{1,200})"'
)


class Ends:
    """Behind which line files have nothing more of a run, lines being counted over all of them."""

    def __init__(self) -> None:
        self.lines = 0
        self._runs: dict[str, int] = {}
        self._contexts: dict[tuple[str | None, str | None], int] = {}

    def __iter__(self) -> Iterator[str]:
        """The runs in the order in which they are first told."""
        return iter(self._runs)

    def tell(self, run_id: str) -> None:
        """The line that is counted is of this run."""
        self._runs[run_id] = self.lines

    def tell_context(self, line: Line) -> None:
        """The line that is counted is of the runs of an assistant or a thread."""
        self._contexts[line.assistant, line.thread] = self.lines

    def of(self, run_id: str) -> int:
        """The last line that is this run's own."""
        return self._runs.get(run_id, 0)

    def of_context(self, line: Line) -> int:
        """The last line about the assistant or the thread of a run that ``line`` tells of."""
        return max(
            self._contexts.get((line.assistant, None), 0),
            self._contexts.get((None, line.thread), 0),
        )


class Survey:
    """The first reading of a file: which runs are ``bad``, to be left untouched, and why."""

    def __init__(self, name: str, file: IO[bytes], ends: Ends) -> None:
        self.bad: set[str] = set()
        self.problems: list[Problem] = []
        self.name = name
        self._ends = ends
        self._last: str | None = None
        self._sources: dict[str, str] = {}
        self._doubtful: int | None = None
        spoken, growth = SpokenLines(), Growth()
        for number, _, raw in inputs.lines(file):
            ends.lines += 1
            line: Line | SpokenLine | None = None
            try:
                told = spoken.read(raw)
                if told is not None and growth.goes_on(told.text):
                    line = told
                    self._place(line)
                    continue
                line = inputs.read(raw)
                if line is not None and inputs.is_of_one_run(line):
                    self._place(line)
                elif line is not None and line.kind == CONTEXT:
                    ends.tell_context(line)
            except BadInput as error:
                self._blame(number, raw, line, error)
        # There may be many files.
        self._sources.clear()

    def _place(self, line: Line | SpokenLine) -> None:
        run_id = line.run_id or self._last
        if run_id is None:
            raise BadInput("this event belongs to no run that the file has told")
        if run_id != self._last:
            self._last = run_id
            check_run_id(run_id)
        source = self._sources.setdefault(run_id, line.source)
        if source != line.source:
            raise BadInput(f"run {run_id} is told by {source} and by {line.source}")
        if run_id not in self.bad:
            self._ends.tell(run_id)
        if self._doubtful is not None:
            self._resolve(run_id, self._doubtful)

    def _blame(
        self, number: int, raw: bytes, line: Line | SpokenLine | None, error: BadInput
    ) -> None:
        run_id = self._last
        if line is not None:
            run_id = line.run_id or run_id
        elif told := _TOLD_RUN.search(raw[:_HEAD]):
            run_id = told[1].decode(errors="replace")
        else:
            self._doubtful = number
        self._refuse(number, str(error), run_id)

    def _resolve(self, run_id: str, number: int) -> None:
        """A line that names no run may be of the run before it, or of the one behind it."""
        if run_id not in self.bad:
            message = f"run {run_id} begins behind this line, which may be of it"
            self._refuse(number, message, run_id)
        self._doubtful = None

    def _refuse(self, number: int, message: str, run_id: str | None) -> None:
        self.problems.append(Problem(self.name, number, message, run_id))
        if run_id is not None:
            self.bad.add(run_id)
