"""Errors between the lines of an archive, where such lines are recorded as they arrive."""

from __future__ import annotations

from runreel.codec.source_protocol import Interpretation
from runreel.model.results import RunStreamEvent
from runreel.model.status import StreamEvent
from runreel.sources.openai.values import body_error


def error_of(value: dict[str, object]) -> Interpretation:
    """Return the failure of a run if an object is the body of an error, else no meaning."""
    found = body_error(value) if value.get("error") else None
    if found is None:
        return Interpretation()
    message, code = found
    return Interpretation(RunStreamEvent(StreamEvent.ERROR, error=message), error_code=code)
