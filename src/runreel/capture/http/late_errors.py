"""Raises an error where a program uses a response, not where its client receives it.

Clients of vendors send a request again if receiving its response raises an error. An answer that
could not be stored must not make them ask the model a second time.
"""

from __future__ import annotations

import functools
from typing import Any

from runreel.model.errors import RecordingError

_METHODS = ("raise_for_status", "json")
_PROPERTIES = ("content", "text")


def raise_at_use(response: Any, error: RecordingError) -> None:
    """Raise ``error`` when the status, text or JSON of a response of httpx is used."""
    response_class: type = type(response)
    response.__class__ = _failing(response_class)
    response.runreel_error = error


def as_recording_error(error: Exception) -> RecordingError:
    """Return an error of the log as one that says what could not be done."""
    if isinstance(error, RecordingError):
        return error
    late = RecordingError(
        f"an answer could not be recorded to its end: {error}", hint=getattr(error, "hint", None)
    )
    late.__cause__ = error
    return late


@functools.cache
def _failing(response_class: type) -> type:
    def fail(response: Any, *_: object, **__: object) -> Any:
        raise response.runreel_error

    members: dict[str, Any] = dict.fromkeys(_METHODS, fail)
    members.update(dict.fromkeys(_PROPERTIES, property(fail)))
    return type(response_class.__name__, (response_class,), members)
