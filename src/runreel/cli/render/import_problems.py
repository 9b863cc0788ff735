"""Prints the lines that an import could not store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.cli.render import terminal
from runreel.model.import_report import NO_RUN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.model.import_report import Problem, Report

STDIN = "-"
# Maximum problems printed per file.
SHOWN_PROBLEMS = 20


def show(report: Report, file: str | None) -> None:
    """Print the first problems of each file, and the number of the others.

    ``file`` is the name of the only file, if the report has none.
    """
    by_file: dict[str, list[Problem]] = {}
    for problem in report.problems:
        by_file.setdefault(file or problem.file, []).append(problem)
    for name, problems in by_file.items():
        shown = "<stdin>" if name == STDIN else name
        if len(problems) > 1 and all(problem.message == NO_RUN for problem in problems):
            _show_nameless(name, shown, problems)
        else:
            _show_first(shown, problems)


def _show_nameless(file: str, name: str, problems: Sequence[Problem]) -> None:
    """Say once that no event of a file names its run."""
    events = terminal.counted(len(problems), "event")
    message = f"{events} without a run_id, the first in line {problems[0].line}"
    terminal.write_notice((f"{name}: ", "bold"), message)
    command = f"`runreel record --run ID --input {file}`"
    hint = f"If they are the stream of one run, store it with {command}."
    terminal.write_notice(("Hint: ", "bold"), hint)


def _show_first(name: str, problems: Sequence[Problem]) -> None:
    for problem in problems[:SHOWN_PROBLEMS]:
        run = "" if problem.run_id is None else f" (run {problem.run_id})"
        terminal.write_notice((f"{name}:{problem.line}: ", "bold"), f"{problem.message}{run}")
    if (more := len(problems) - SHOWN_PROBLEMS) > 0:
        message = f"{more:,} more; --json lists all of them"
        terminal.write_notice((f"{name}: ", "bold"), message)
