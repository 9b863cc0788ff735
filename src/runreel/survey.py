"""What is wrong with a file, found before anything of it is stored."""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING

from runreel import inputs
from runreel.rules.ids import check_run_id
from runreel.words.errors import BadInput
from runreel.words.intake import Problem

if TYPE_CHECKING:
    from runreel.sources.lines import Line

# Where an unreadable line may be looked at for the run that it names.
_HEAD = 1024 * 1024
_TOLD_RUN = re.compile(
    rb'(?:"run_?[iI]d"|"type"\s*:\s*"run"\s*,.{0,200}?"id")\s*:\s*"([^"\\]{1,200})"'
)


class Survey:
    """The first reading of a file: which runs are ``bad``, to be left untouched, and why."""

    def __init__(self, name: str, file: IO[bytes]) -> None:
        self.bad: set[str] = set()
        self.problems: list[Problem] = []
        self._name = name
        self._last: str | None = None
        self._sources: dict[str, str] = {}
        self._doubtful: int | None = None
        for number, _, raw in inputs.lines(file):
            line = None
            try:
                line = inputs.read(raw)
                if line is not None and inputs.is_of_one_run(line):
                    self._place(line)
                    self._resolve()
            except BadInput as error:
                self._blame(number, raw, line, error)

    def _place(self, line: Line) -> None:
        run_id = line.run_id or self._last
        if run_id is None:
            raise BadInput("this event belongs to no run that the file has told")
        if run_id != self._last:
            self._last = run_id
            check_run_id(run_id)
        source = self._sources.setdefault(run_id, line.source)
        if source != line.source:
            raise BadInput(f"run {run_id} is told by {source} and by {line.source}")

    def _blame(self, number: int, raw: bytes, line: Line | None, error: BadInput) -> None:
        run_id = self._last
        if line is not None:
            run_id = line.run_id or run_id
        elif told := _TOLD_RUN.search(raw[:_HEAD]):
            run_id = told[1].decode(errors="replace")
        else:
            self._doubtful = number
        self._refuse(number, str(error), run_id)

    def _resolve(self) -> None:
        """A line that names no run may be of the run before it, or of the one behind it."""
        if self._doubtful is not None and self._last not in self.bad:
            message = f"run {self._last} begins behind this line, which may be of it"
            self._refuse(self._doubtful, message, self._last)
        self._doubtful = None

    def _refuse(self, number: int, message: str, run_id: str | None) -> None:
        self.problems.append(Problem(self._name, number, message, run_id))
        if run_id is not None:
            self.bad.add(run_id)
