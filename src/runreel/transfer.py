"""Recorded traffic into the log: whole files at once, or one run's lines as they arrive."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from runreel import inputs
from runreel.importer import Importer, tell
from runreel.recorder import Recorder
from runreel.rules.ids import check_run_id
from runreel.survey import Ends, Survey
from runreel.words.errors import BadInput
from runreel.words.intake import Problem, Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runreel.sources.lines import Line
    from runreel.store.database import Database

    Progress = Callable[[int, int | None, int], None]


def import_files(
    database: Database, paths: Sequence[str], *, progress: Progress | None = None
) -> Report:
    """Store recorded traffic; ``-`` is standard input. Importing again adds nothing.

    A run with a line that cannot be read is left untouched, and so is one that was pruned; the rest
    goes in. Compressed files are decompressed; a file that is no JSON lines is one problem.
    ``progress`` gets bytes read, bytes in all and lines stored; every file is read twice, all of
    them before anything is stored.

    Raises:
        UsageError: if a file cannot be opened.
        LogError: if the database fails; runs stored before stay.
    """
    report, ends = Report(), Ends()
    with inputs.opened(paths) as files:
        done = sum(source.size for source in files)
        step = _step(progress, done * 2)
        surveys = {
            place: _scanned(source, ends)
            for place, source in enumerate(files)
            if source.refusal is None
        }
        importer = Importer(database, report, ends)
        for place, source in enumerate(files):
            survey = surveys.get(place)
            if survey is None:
                report.problems.append(Problem(source.name, 1, str(source.refusal), None))
                continue
            report.problems += survey.problems
            with source.open() as file:
                importer.store(file, survey, partial(step, done))
            done += source.size
            step(done, 0, report.lines)
    importer.finish()
    report.notices += _empty([survey for survey in surveys.values() if survey.is_empty])
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
                offer = recorder.offer(line.kind, line.value)
                tell(report, offer, "-", number, run_id)
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


def _recorder(
    database: Database, run_id: str, source: str, identity: dict[str, Any] | None
) -> Recorder:
    return Recorder(database, run_id, source=source, via="lines", identity=identity)


def _line_of(raw: bytes, run_id: str) -> Line | None:
    line = inputs.read(raw)
    if line is not None and line.run_id not in (None, run_id):
        raise BadInput(f"this line is of run {line.run_id}, not of {run_id}")
    return line


def _scanned(source: inputs.Input, ends: Ends) -> Survey:
    with source.open() as file:
        return Survey(source.name, file, ends)


def _empty(surveys: list[Survey]) -> list[str]:
    """What is reported of files without any event."""
    if not surveys:
        return []
    names = ["standard input" if survey.name == "-" else survey.name for survey in surveys[:3]]
    more = ", …" if len(surveys) > len(names) else ""
    hold = "holds" if len(surveys) == 1 else "hold"
    return [f"{', '.join(names)}{more} {hold} no event of a run: nothing to import"]


def _step(progress: Progress | None, total: int) -> Callable[[int, int, int], None]:
    def step(done: int, read: int, lines: int) -> None:
        if progress is not None:
            progress(done + read, total, lines)

    return step
