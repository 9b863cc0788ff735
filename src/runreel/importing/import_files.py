"""Recorded traffic into the log: whole files at once, or one run's lines as they arrive."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from runreel.importing import input_files
from runreel.importing.importer import Importer, count_outcome
from runreel.importing.payloads import Payload, error_body, read_payloads
from runreel.importing.prescan import ImportPrescan, LastLineIndex
from runreel.model.errors import BadInput, RunreelError
from runreel.model.events import OPEN, STREAM_EVENT
from runreel.model.identifiers import check_run_id
from runreel.model.import_report import Problem, Report
from runreel.model.status import RunStatus
from runreel.projection.projector import RunProjector
from runreel.query import runs as queries
from runreel.recording.error_policy import GuardedRecorder
from runreel.recording.recorder import Recorder
from runreel.sources.line_parser import (
    CHAT,
    DONE,
    RESPONSES,
    Line,
    detect_line,
    line_of_source,
    try_detect_line,
)
from runreel.sources.openai.completions import Completion
from runreel.store.events import event_log
from runreel.system.arrivals import ArrivalClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runreel.store.database import Database
    from runreel.system.arrivals import Arrival

    Progress = Callable[[int, int | None, int], None]

CUT = "the input ended before the last event of the run"

# After these a source's stream has nothing to say until the program answers.
_ENDED = (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.TOOL_CALLS)
# How many events may come before the one that shows which source the run has.
_MOST_HELD = 100


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
    report, ends = Report(), LastLineIndex()
    with input_files.opened(paths) as files:
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
    lines: Iterable[bytes | Arrival],
    *,
    run_id: str,
    source: str | None = None,
    identity: dict[str, Any] | None = None,
    on_event: Callable[[Report], None] | None = None,
) -> Report:
    """Store one run's events as they arrive, each committed before the next is read.

    ``lines`` are JSON lines, events of a server-sent stream, or both: lines with or without their
    ends, or chunks of any size with the time of their arrival, at which their events are stored.
    The source is that of the run in the log, else the first one that a line's shape shows, unless
    it is named. Lines that cannot be read are reported and left out. Where the input ends before
    the source's last event, the report says ``cut``, and the recording is interrupted.

    Raises:
        SourceMismatch: if the log has the run from another source.
        RunPruned: if the run was pruned.
    """
    check_run_id(run_id)
    recording = _LineRecording(database, run_id, source, identity or {})
    try:
        for payload, arrival in read_payloads(lines):
            recording.add(payload, arrival)
            if on_event is not None:
                on_event(recording.report)
        recording.end()
    except BaseException as error:
        recording.interrupt(type(error).__name__)
        raise
    return recording.report


class _LineRecording:
    """A run whose events come as payloads; ``report`` says what became of them."""

    def __init__(
        self, database: Database, run_id: str, source: str | None, identity: dict[str, Any]
    ) -> None:
        self.report = Report(source=source)
        self._database = database
        self._run_id = run_id
        self._named = source is not None
        self._known = source or self._stored_source()
        self._identity = identity
        self._clock = ArrivalClock()
        self._recorder: Recorder | None = None
        self._completion: Completion | None = None
        self._held: list[tuple[Payload, Arrival | None]] = []
        self._done = self._ending = False

    def add(self, payload: Payload, arrival: Arrival | None) -> None:
        """Store an event, or hold it until the source of the run is known."""
        if payload.is_empty:
            return
        if payload.is_done:
            self._finish()
            return
        self.report.lines += 1
        try:
            line = self._line(payload)
            if line is None:
                self._held.append((payload, arrival))
            else:
                self._release(line.source)
                self._store(payload, line, arrival)
        except BadInput as error:
            self._refuse(payload, error)
        if len(self._held) > _MOST_HELD:
            self._decide()

    def end(self) -> None:
        """Close the recording; interrupt it where the source's last event has not come."""
        self._decide()
        self._clock.set(None)
        recorder, self._ending = self._recorder, True
        if self._done or self._is_over():
            if recorder is not None:
                recorder.close()
        else:
            if recorder is not None:
                recorder.interrupt(CUT)
            self.report.cut = True
            self.report.notices.append(
                CUT if recorder is None else f"{CUT}: the recording is interrupted"
            )
        self.report.problems.sort(key=lambda problem: problem.line)

    def interrupt(self, reason: str) -> None:
        """End the recording early. Never raises, for the caller has an error already."""
        with suppress(RunreelError):
            self._decide()
        self._clock.set(None)
        recorder = self._recorder
        if recorder is None:
            return
        with suppress(RunreelError):
            if self._ending:
                # Whether the last note was stored is unknown.
                recorder.reload()
        if recorder.state.recording == OPEN:
            GuardedRecorder(recorder).interrupt(reason)

    def _finish(self) -> None:
        """The stream says that it is over: a row says so where no event before did."""
        self._decide(CHAT)
        recorder = self._recorder
        if recorder is not None and recorder.source == CHAT and not self._is_over():
            recorder.offer(STREAM_EVENT, DONE.decode())
        self._done = True
        if self._completion is not None:
            self._completion.mark_ended()

    def _refuse(self, payload: Payload, error: BadInput) -> None:
        self.report.problems.append(Problem("-", payload.number, str(error), self._run_id))

    def _line(self, payload: Payload) -> Line | None:
        """The event in a payload; None where it does not show the source and nothing else does."""
        value = self._value(payload, self._known)
        line = (
            line_of_source(self._known, value)
            if self._named and self._known
            else try_detect_line(value)
        )
        if line is None or not line.certain:
            if self._known is None:
                return None
            line = line_of_source(self._known, value)
        elif self._recorder is not None and line.source != self._known:
            raise BadInput(f"this is an event of {line.source}, not of {self._known}")
        if line.run_id not in (None, self._run_id):
            raise BadInput(f"this line is of run {line.run_id}, not of {self._run_id}")
        return line

    @staticmethod
    def _value(payload: Payload, source: str | None) -> dict[str, Any]:
        return error_body(source or RESPONSES, payload) or input_files.read_value(payload.data)

    def _is_over(self) -> bool:
        return self._recorder is not None and self._recorder.state.status in _ENDED

    def _decide(self, source: str | None = None) -> None:
        """Store what is held, as of ``source`` or else of the first source that fits."""
        shapes = [try_detect_line(self._value(payload, source)) for payload, _ in self._held]
        self._release(next((source or line.source for line in shapes if line is not None), None))

    def _release(self, source: str | None) -> None:
        """Store what is held, if the source is known now, and report it as unreadable if not."""
        if not self._held:
            return
        held, self._held = self._held, []
        for payload, arrival in held:
            value = self._value(payload, source)
            try:
                line = detect_line(value) if source is None else line_of_source(source, value)
                self._store(payload, line, arrival)
            except BadInput as error:
                self._refuse(payload, error)

    def _store(self, payload: Payload, line: Line, arrival: Arrival | None) -> None:
        self._clock.set(arrival)
        recorder = self._recorder or self._begin(line.source)
        if self._completion is not None:
            self._completion.add(line.kind, line.value)
        offer = recorder.offer(line.kind, line.value)
        self._done = False
        count_outcome(self.report, offer, "-", payload.number, self._run_id)

    def _begin(self, source: str) -> Recorder:
        recorder = self._recorder = Recorder(
            self._database,
            self._run_id,
            source=source,
            via="lines",
            identity=self._identity,
            clock=self._clock.wall,
            timer=self._clock.timer,
        )
        self._known = self.report.source = source
        if source == CHAT:
            self._completion = Completion()
            if recorder.last_seq >= 0:
                with self._database.reading() as connection, suppress(BadInput):
                    for event in queries.events(connection, self._run_id):
                        self._completion.add(event.kind, event.raw)
        return recorder

    def _stored_source(self) -> str | None:
        """The source of the run in the log; None where the log has no such run."""
        with self._database.reading() as connection:
            for row in event_log.read(connection, self._run_id, stop=1):
                fold = RunProjector(self._run_id)
                fold.apply(row)
                return fold.state.source or None
        return None


def _scanned(source: input_files.Input, ends: LastLineIndex) -> ImportPrescan:
    with source.open() as file:
        return ImportPrescan(source.name, file, ends)


def _empty(surveys: list[ImportPrescan]) -> list[str]:
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
