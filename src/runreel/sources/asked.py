"""What is the same in sources that keep nothing of an answer for the next: requests, failures."""

from __future__ import annotations

from runreel.codec.json_values import as_object
from runreel.codec.source_protocol import Interpretation, RunMetadata, SourceEvent
from runreel.model.events import CONTEXT
from runreel.model.results import RunResult, RunStreamEvent
from runreel.model.status import RunStatus, StreamEvent


class Asked(SourceEvent):
    """A request, or the results of tool calls: another answer follows."""

    def read(self, _text: str, _memory: object, /) -> Interpretation:
        """Return the meaning: see ``SourceEvent``."""
        is_request = self.kind == CONTEXT
        return Interpretation(metadata=self.metadata(as_object(self.value)) if is_request else None)

    def metadata(self, request: dict[str, object]) -> RunMetadata | None:
        """Return what a request says of the run."""
        raise NotImplementedError


def failed(
    message: str | None, code: int | str | None, memory: object, *, whole: bool
) -> Interpretation:
    """Return the meaning of an error in place of an answer; ``whole`` if not in a stream."""
    event = None if whole else RunStreamEvent(StreamEvent.ERROR, error=message)
    result = RunResult(RunStatus.FAILED, message) if whole else None
    return Interpretation(event, result, memory, error_code=code)
