"""What is the same in sources that keep nothing of an answer for the next: requests, failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec.json_values import as_object
from runreel.codec.source_protocol import Interpretation, SourceEvent, TextMode
from runreel.model.events import CONTEXT
from runreel.model.results import RunResult, RunStreamEvent
from runreel.model.status import RunStatus, StreamEvent

if TYPE_CHECKING:
    from collections.abc import Callable


class _Asked(SourceEvent):
    """A request, or the results of tool calls: another answer follows.

    ``meaning`` is that of a request. The memory of the answer before it is dropped.
    """

    def read(self, _text: str, _memory: object, /) -> Interpretation:
        """Return the meaning: see ``SourceEvent``."""
        return Interpretation() if self.meaning is None else self.meaning(as_object(self.value))


def asked(
    kind: str, value: object, meaning: Callable[[dict[str, object]], Interpretation]
) -> SourceEvent:
    """Return what is no answer as an event; ``meaning`` is that of a request."""
    is_request = kind == CONTEXT
    return _Asked(kind, value, mode=TextMode.RESTART, meaning=meaning if is_request else None)


def failed(
    message: str | None, code: int | str | None, memory: object, *, whole: bool
) -> Interpretation:
    """Return the meaning of an error in place of an answer; ``whole`` if not in a stream."""
    event = None if whole else RunStreamEvent(StreamEvent.ERROR, error=message)
    result = RunResult(RunStatus.FAILED, message) if whole else None
    return Interpretation(event, result, memory, error_code=code)
