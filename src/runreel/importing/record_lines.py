"""Stores the events of one run as they arrive in lines."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from runreel.importing import input_files
from runreel.importing.outcomes import count_outcome
from runreel.importing.payloads import Payload, error_body, read_payloads
from runreel.model.errors import BadInput, RunreelError
from runreel.model.events import OPEN, STREAM_EVENT
from runreel.model.identifiers import check_run_id
from runreel.model.import_report import Problem, Report
from runreel.model.status import RunStatus
from runreel.projection.projector import RunProjector
from runreel.query import run_history
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
from runreel.system.sync_bridge import completed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runreel.store.database import Database
    from runreel.system.arrivals import Arrival

CUT = "the input ended before the last event of the run"

# In these states a stream is over, or waits for the program's tool results.
_ENDED = (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.TOOL_CALLS)
# Maximum number of events held until one shows the source of the run.
_MAX_HELD = 100


def record_lines(  # noqa: PLR0913 - the options of a user
    database: Database,
    lines: Iterable[bytes | Arrival],
    *,
    run_id: str,
    source: str | None = None,
    identity: dict[str, Any] | None = None,
    on_event: Callable[[Report], None] | None = None,
) -> Report:
    """Store one run's events as they arrive, each committed before the next is read.

    ``lines`` are JSON lines, server-sent events, or both: lines with or without line ends, or
    chunks of any size with the time of their arrival, which becomes the time of their events.
    Without ``source``, the source is that of the run in the log, or else is detected from the
    lines. Unreadable lines are reported and skipped. If the input ends before the source's last
    event, the recording is interrupted and ``cut`` is set in the report.

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
    """Records a run from payloads; ``report`` counts what was stored."""

    def __init__(
        self, database: Database, run_id: str, source: str | None, identity: dict[str, Any]
    ) -> None:
        self.report = Report(source=source)
        self._database = database
        self._run_id = run_id
        self._source_is_given = source is not None
        self._source = source or self._stored_source()
        self._identity = identity
        self._clock = ArrivalClock()
        self._recorder: Recorder | None = None
        self._completion: Completion | None = None
        self._undecided: list[tuple[Payload, Arrival | None]] = []
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
                self._undecided.append((payload, arrival))
            else:
                self._release(line.source)
                self._store(payload, line, arrival)
        except BadInput as error:
            self._refuse(payload, error)
        if len(self._undecided) > _MAX_HELD:
            self._decide()

    def end(self) -> None:
        """Close the recording; interrupt it if the source's last event is missing."""
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
        """Interrupt the recording. Never raises RunreelError: the caller has an error already."""
        with suppress(RunreelError):
            self._decide()
        self._clock.set(None)
        recorder = self._recorder
        if recorder is None:
            return
        with suppress(RunreelError):
            if self._ending:
                # It is unknown if the last note was stored.
                recorder.reload()
        if recorder.state.recording == OPEN:
            completed(GuardedRecorder(recorder).end(reason))

    def _finish(self) -> None:
        """Handle ``[DONE]``; append it as a row if no earlier event has ended the run."""
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
        """Return the event of a payload; None while the source is unknown."""
        value = self._value(payload, self._source)
        given = self._source if self._source_is_given else None
        line = line_of_source(given, value) if given else try_detect_line(value)
        if line is None or not line.certain:
            if self._source is None:
                return None
            line = line_of_source(self._source, value)
        elif self._recorder is not None and line.source != self._source:
            raise BadInput(f"this is an event of {line.source}, not of {self._source}")
        if line.run_id not in (None, self._run_id):
            raise BadInput(f"this line belongs to run {line.run_id}, not to {self._run_id}")
        return line

    @staticmethod
    def _value(payload: Payload, source: str | None) -> dict[str, Any]:
        return error_body(source or RESPONSES, payload) or input_files.read_value(payload.data)

    def _is_over(self) -> bool:
        if self._recorder is None:
            return False
        state = self._recorder.state
        # A stream may end with a pause, after which another one goes on.
        return state.status in _ENDED or getattr(state.adapter_memory, "ended", False)

    def _decide(self, source: str | None = None) -> None:
        """Store the held events as of ``source``, or of the first source that one of them shows."""
        shapes = [try_detect_line(self._value(payload, source)) for payload, _ in self._undecided]
        self._release(next((source or line.source for line in shapes if line is not None), None))

    def _release(self, source: str | None) -> None:
        """Store the held events; report them as unreadable if the source is still unknown."""
        if not self._undecided:
            return
        undecided, self._undecided = self._undecided, []
        for payload, arrival in undecided:
            value = self._value(payload, source)
            try:
                line = detect_line(value) if source is None else line_of_source(source, value)
                self._store(payload, line, arrival)
            except BadInput as error:
                self._refuse(payload, error)

    def _store(self, payload: Payload, line: Line, arrival: Arrival | None) -> None:
        self._clock.set(arrival)
        recorder = self._recorder or self._open_recorder(line.source)
        if self._completion is not None:
            self._completion.add(line.kind, line.value)
        outcome = recorder.offer(line.kind, line.value)
        self._done = False
        count_outcome(self.report, outcome, "-", payload.number, self._run_id)

    def _open_recorder(self, source: str) -> Recorder:
        recorder = self._recorder = Recorder(
            self._database,
            self._run_id,
            source=source,
            via="lines",
            identity=self._identity,
            clock=self._clock.wall,
            timer=self._clock.timer,
        )
        self._source = self.report.source = source
        if source == CHAT:
            self._completion = Completion()
            if recorder.last_seq >= 0:
                with self._database.reading() as connection, suppress(BadInput):
                    for event in run_history.events(connection, self._run_id):
                        self._completion.add(event.kind, event.raw)
        return recorder

    def _stored_source(self) -> str | None:
        """Return the source of the run in the log; None if the log has no such run."""
        with self._database.reading() as connection:
            for row in event_log.read(connection, self._run_id, stop=1):
                projector = RunProjector(self._run_id)
                projector.apply(row)
                return projector.state.source or None
        return None
