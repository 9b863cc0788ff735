"""Recording from a program of one's own: what ``reel.recording`` answers."""

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

_log = logging.getLogger("runreel")

# What another type is passed to instead.
_HINTS: dict[type, str] = {
    RunResult: "Pass a RunResult to result().",
    RunStreamEvent: "Pass a RunStreamEvent to append().",
    dict: "Pass JSON values to offer(kind, value), or make a RunStreamEvent.",
}


class Recording:
    """A run that is being recorded; leaving its ``with`` block closes it.

    An exception that leaves the block is noted as the reason why the recording was interrupted.
    With ``on_error="warn"`` an event that cannot be stored is counted and logged instead of
    raised, and the count goes into the log as soon as it can be written again.
    """

    def __init__(self, recorder: Recorder, *, on_error: str = "raise") -> None:
        self._recorder = recorder
        self._keeper = GuardedRecorder(recorder, on_error)

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._recorder.run_id

    @property
    def lost(self) -> int:
        """How many events could not be stored, with ``on_error="warn"``."""
        return self._keeper.lost

    def append(self, event: RunStreamEvent) -> StoredEvent | None:
        """Store a stream event as a new row.

        Raises:
            UsageError: if it is no RunStreamEvent, or the recording's source is not ``plain``,
                whose events are JSON of its own.
            RecordingError: if it cannot be stored (with ``on_error="warn"``: answers None).
        """
        if type(event) is not RunStreamEvent:
            arguments.require("append", event, RunStreamEvent, hint=_HINTS.get(type(event)))
        self._require_plain("append")
        return self._keeper.append(STREAM_EVENT, plain_json.event_value(event), event)

    def result(self, result: RunResult) -> StoredEvent | None:
        """Store a state of the run, usage included, as its service told it; see ``append``."""
        arguments.require("result", result, RunResult, hint=_HINTS.get(type(result)))
        self._require_plain("result")
        return self._keeper.append(RUN, plain_json.result_value(result), result)

    def tool_results(self, results: list[Any]) -> StoredEvent | None:
        """Store what the program answered to the run's tool calls; see ``append``."""
        arguments.require("tool_results", results, list)
        return self._keeper.append(TOOL_RESULTS, {"tool_results": results}, results)

    def offer(self, kind: str, value: Any, *, strict: bool = False) -> AppendOutcome:
        """Store a source's own JSON value, unless the log has it already.

        Where the log has the event with other content, that stays, and the value is stored as a
        note ``conflict``. The returned ``Offer.conflict`` is then true, and a new note is logged
        as a warning; ``strict`` raises instead.

        Raises:
            SourceConflict: with ``strict``, if the log has the event with other content.
            UsageError: if ``kind`` is no string.
        """
        arguments.require("offer(kind=…)", kind, str)
        arguments.require("offer(strict=…)", strict, bool)
        offer = self._keeper.warn_unread(self._recorder.offer(kind, value))
        if offer.conflict:
            message = f"run {self.run_id} has this event with other content in row {offer.seq}"
            if strict:
                raise SourceConflict(message)
            if offer.new:
                _log.warning("%s: that stays, the log keeps both", message)
        return offer

    def close(self) -> None:
        """Say that the recording is complete."""
        self._keeper.report_drops()
        self._recorder.close()

    def interrupt(self, reason: str) -> None:
        """Say that the recording was cut short, and why."""
        arguments.require("interrupt", reason, str)
        self._keeper.report_drops()
        self._recorder.interrupt(reason)

    def _require_plain(self, call: str) -> None:
        source = self._recorder.source
        if source != PLAIN:
            raise UsageError(
                f"{call}() writes plain events, which no reader of {source} understands",
                hint=f"Give the JSON of {source} to offer(kind, value), or record as 'plain'.",
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
            # The caller hears of its own error, not of the note that could not be written.
            if kind is None and not self._keeper.warns:
                raise
            _log.exception("the end of recording %s could not be stored", self.run_id)
