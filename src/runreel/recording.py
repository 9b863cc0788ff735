"""Recording from a program of one's own: what ``reel.recording`` answers."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Self

from runreel.rules import plain_json
from runreel.words.errors import RecordingError, RunreelError
from runreel.words.log import LOST, RUN, STREAM_EVENT, TOOL_RESULTS

if TYPE_CHECKING:
    from types import TracebackType

    from runreel.recorder import Recorder
    from runreel.rules.matching import Offer
    from runreel.words.log import StoredEvent
    from runreel.words.results import RunResult, RunStreamEvent

_log = logging.getLogger("runreel")


class Recording:
    """A run that is being recorded; leaving its ``with`` block closes it.

    An exception that leaves the block is noted as the reason why the recording was interrupted.
    With ``on_error="warn"`` an event that cannot be stored is counted and logged instead of
    raised, and the count goes into the log as soon as it can be written again.
    """

    def __init__(self, recorder: Recorder, *, on_error: str = "raise") -> None:
        self._recorder = recorder
        self._warn = on_error == "warn"
        self._lost = 0
        self._lost_in_all = 0

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._recorder.run_id

    @property
    def lost(self) -> int:
        """How many events could not be stored, with ``on_error="warn"``."""
        return self._lost_in_all

    def append(self, event: RunStreamEvent) -> StoredEvent | None:
        """Store a stream event as a new row.

        Raises:
            RecordingError: if it cannot be stored (with ``on_error="warn"``: answers None).
        """
        return self._store(STREAM_EVENT, plain_json.event_value(event), event)

    def result(self, result: RunResult) -> StoredEvent | None:
        """Store a state of the run, usage included, as its service told it; see ``append``."""
        return self._store(RUN, plain_json.result_value(result), result)

    def tool_results(self, results: list[Any]) -> StoredEvent | None:
        """Store what the program answered to the run's tool calls; see ``append``."""
        return self._store(TOOL_RESULTS, {"tool_results": results}, results)

    def offer(self, kind: str, value: Any) -> Offer:
        """Store a source's own JSON value, unless the log has it already."""
        return self._recorder.offer(kind, value)

    def close(self) -> None:
        """Say that the recording is complete."""
        self._tell_lost()
        self._recorder.close()

    def interrupt(self, reason: str) -> None:
        """Say that the recording was cut short, and why."""
        self._tell_lost()
        self._recorder.interrupt(reason)

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
            if kind is None and not self._warn:
                raise
            _log.exception("the end of recording %s could not be stored", self.run_id)

    def _store(self, kind: str, value: Any, told: Any) -> StoredEvent | None:
        try:
            self._tell_lost()
            return self._recorder.append(kind, value)
        except RunreelError as error:
            if not self._warn:
                raise RecordingError(
                    f"an event of run {self.run_id} could not be stored: {error}",
                    event=told,
                    hint=error.hint,
                ) from error
            self._lost += 1
            self._lost_in_all += 1
            _log.warning("an event of run %s is not in the log: %s", self.run_id, error)
            return None

    def _tell_lost(self) -> None:
        if self._lost:
            self._recorder.note(LOST, {"events": self._lost})
            self._lost = 0
