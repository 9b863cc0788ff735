"""The recording session of a user's program, as returned by ``reel.recording``."""

from __future__ import annotations

import logging
from types import TracebackType  # noqa: TC003 - for typing.get_type_hints
from typing import Any, Self

from runreel.codec import plain_json
from runreel.model import arguments
from runreel.model.errors import RunreelError, SourceConflict, UsageError
from runreel.model.events import RUN, STREAM_EVENT, TOOL_RESULTS, StoredEvent
from runreel.model.results import RunResult, RunStreamEvent
from runreel.projection.run_state import PLAIN
from runreel.recording.deduplication import AppendOutcome  # noqa: TC001 - for typing.get_type_hints
from runreel.recording.error_policy import GuardedRecorder
from runreel.recording.recorder import Recorder  # noqa: TC001 - for typing.get_type_hints
from runreel.system.sync_bridge import completed

_log = logging.getLogger("runreel")

# Hints for arguments of a wrong type.
_HINTS: dict[type, str] = {
    RunResult: "Pass a RunResult to result().",
    RunStreamEvent: "Pass a RunStreamEvent to append().",
    dict: "Pass JSON values to offer(kind, value), or make a RunStreamEvent.",
}


class Recording:
    """An open recording of a run; leaving its ``with`` block closes it.

    An exception that leaves the block interrupts the recording; its type is stored as the reason.
    With ``on_error="warn"`` an event that cannot be stored is logged and counted instead of
    raised; the count is stored as soon as the database can be written again.
    """

    def __init__(self, recorder: Recorder, *, on_error: str = "raise") -> None:
        self._recorder = recorder
        self._guarded = GuardedRecorder(recorder, on_error)

    @property
    def run_id(self) -> str:
        """ID of the run."""
        return self._recorder.run_id

    @property
    def lost(self) -> int:
        """Number of events that could not be stored, with ``on_error="warn"``."""
        return self._guarded.lost

    def append(self, event: RunStreamEvent) -> StoredEvent | None:
        """Append a stream event as a new row.

        Raises:
            UsageError: if it is not a RunStreamEvent, or the recording's source is not ``plain``.
            RecordingError: if it cannot be stored (with ``on_error="warn"``: returns None).
        """
        if type(event) is not RunStreamEvent:
            arguments.require("append", event, RunStreamEvent, hint=_HINTS.get(type(event)))
        self._require_plain("append")
        return self._append(STREAM_EVENT, plain_json.event_value(event), event)

    def result(self, result: RunResult) -> StoredEvent | None:
        """Append a state of the run, with its usage, as its service reports it; see ``append``."""
        arguments.require("result", result, RunResult, hint=_HINTS.get(type(result)))
        self._require_plain("result")
        return self._append(RUN, plain_json.result_value(result), result)

    def tool_results(self, results: list[Any]) -> StoredEvent | None:
        """Append the program's results of the run's tool calls; see ``append``."""
        arguments.require("tool_results", results, list)
        return self._append(TOOL_RESULTS, {"tool_results": results}, results)

    def offer(self, kind: str, value: Any, *, strict: bool = False) -> AppendOutcome:
        """Append a source's own JSON value, unless the log already has it.

        If the log has the event with other content, the first one stays and the value is stored
        as a note ``conflict``. ``AppendOutcome.conflict`` is then true, and a new note is logged
        as a warning; with ``strict`` it is raised as an error instead.

        Raises:
            SourceConflict: with ``strict``, if the log has the event with other content.
            UsageError: if ``kind`` is not a string.
        """
        arguments.require("offer(kind=…)", kind, str)
        arguments.require("offer(strict=…)", strict, bool)
        outcome = self._guarded.warn_unread(self._recorder.offer(kind, value))
        if outcome.conflict:
            message = f"run {self.run_id} has this event with other content in row {outcome.seq}"
            if strict:
                raise SourceConflict(message)
            if outcome.new:
                _log.warning("%s: the first one stays, the other is kept as a note", message)
        return outcome

    def close(self) -> None:
        """End the recording as complete, with the note ``closed``."""
        completed(self._guarded.report_drops())
        self._recorder.close()

    def interrupt(self, reason: str) -> None:
        """End the recording as cut short, with the note ``interrupted`` and the reason."""
        arguments.require("interrupt", reason, str)
        completed(self._guarded.report_drops())
        self._recorder.interrupt(reason)

    def _append(self, kind: str, value: object, event: object) -> StoredEvent | None:
        return completed(self._guarded.append(kind, value, event))

    def _require_plain(self, call: str) -> None:
        source = self._recorder.source
        if source != PLAIN:
            raise UsageError(
                f"{call}() writes plain events, but the source of this recording is {source}",
                hint=f"Pass the JSON of {source} to offer(kind, value), or record as 'plain'.",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self.close()
            else:
                self.interrupt(kind.__name__)
        except RunreelError:
            # The caller's own error matters more than the failed note.
            if kind is None and not self._guarded.warns:
                raise
            _log.exception("the end of recording %s could not be stored", self.run_id)
