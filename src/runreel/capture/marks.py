"""Marks on requests and responses, by which each call is recorded once in a log."""

from __future__ import annotations

import os
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from runreel.store import database_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.store.database import Database

# The key in the extensions of requests and responses, which httpx keeps for such purposes.
_KEY = "runreel"
_KEPT = "runreel.recordings"
_observed: ContextVar[list[str]] = ContextVar("runreel_observed")


class CallRecording(Protocol):
    """The recording of the answer to one call."""

    def add_labels(self, labels: dict[str, str] | None) -> None:
        """Add labels to its run, if that is not stored yet."""
        ...


def log_name(database: Database) -> str:
    """A name of a log that is the same for each Reel on it, without passwords."""
    path = database_url.sqlite_path(database.url)
    return database.shown if path is None else os.path.realpath(path)


def is_marked(request: Any, log: str) -> bool:
    """Whether a hook of this log has the request in its hands already."""
    return log in request.extensions.get(_KEY, ())


@contextmanager
def marked(request: Any, log: str) -> Iterator[None]:
    """Mark a request while it is sent; a redirect would copy a mark that stays."""
    extensions = request.extensions
    before = extensions.get(_KEY)
    extensions[_KEY] = (*(before or ()), log)
    try:
        yield
    finally:
        if before is None:
            del extensions[_KEY]
        else:
            extensions[_KEY] = before


def add_recording(response: Any, log: str, recording: CallRecording) -> None:
    """Keep the recording of a response with it."""
    recordings = response.extensions.get(_KEY, {})
    response.extensions[_KEY] = {**recordings, log: recording}


def keep_recording(request: Any, log: str, recording: CallRecording) -> None:
    """Keep the recording of a call with a request, for the one that a redirect makes of it."""
    request.extensions[_KEPT] = {**request.extensions.get(_KEPT, {}), log: recording}


def kept_recording(request: Any, log: str) -> CallRecording | None:
    """Remove and return the recording that the request of a redirect goes on with, else None."""
    kept: dict[str, CallRecording] = request.extensions.pop(_KEPT, {})
    found = kept.pop(log, None)
    if kept:
        request.extensions[_KEPT] = kept
    return found


def observe(log: str) -> None:
    """Let the block of ``observed`` around know that a call is recorded in this log."""
    _observed.get([]).append(log)


@contextmanager
def observed() -> Iterator[list[str]]:
    """Collect the names of the logs in which a call that is made inside is recorded."""
    logs: list[str] = []
    token = _observed.set(logs)
    try:
        yield logs
    finally:
        _observed.reset(token)


def recording_of(response: Any, database: Database) -> CallRecording | None:
    """Return the recording of a response in this log that a hook makes, else None."""
    recordings = getattr(response, "extensions", {}).get(_KEY, {})
    found: CallRecording | None = recordings.get(log_name(database))
    return found
