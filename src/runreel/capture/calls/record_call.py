"""Records a call that the program passes as a function: its time, its failure and its result."""

from __future__ import annotations

import inspect
import logging
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from runreel.capture import marks
from runreel.capture import scope as scopes
from runreel.capture.calls.call import model_call
from runreel.capture.calls.recording import CallRecording
from runreel.capture.streams.request import sent_request
from runreel.capture.streams.vendor import Recordings, recorded_by
from runreel.capture.vendors import NAMES, vendor_of
from runreel.model.errors import RunreelError, UsageError
from runreel.sources import requests
from runreel.system.sync_bridge import completed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from runreel.capture.scope import Scope
    from runreel.capture.streams.request import SentRequest
    from runreel.capture.streams.response_recording import ResponseRecording
    from runreel.store.database import Database

_log = logging.getLogger("runreel")


def recorded_call(
    call: Callable[[], Any],
    database: Database,
    *,
    request: dict[str, object] | None,
    scope: Scope,
    on_error: str,
) -> object:
    """Call ``call``, and return its result recorded; an awaitable if it returns one.

    A failure of a request to a model is stored before it is raised again. ``request`` is what the
    program says that it sends, which counts only where the client does not know.
    """
    recordings = _CallRecordings(database, request, on_error, scope)
    recordings.requested_at = time.time_ns() // 1_000
    try:
        with recordings.observed() as logs:
            result = call()
    except Exception as error:
        completed(recordings.store_failure(error, logs, blocking=True))
        raise
    if inspect.isawaitable(result):
        return recordings.awaited(result)
    return recordings.recorded(result, logs)


class _CallRecordings(Recordings):
    """Records the result or the failure of one call, unless a hook below its client does."""

    # The time of the call in µs since the epoch.
    requested_at = 0

    @contextmanager
    def observed(self) -> Iterator[list[str]]:
        """Collect the logs in which hooks record a call inside; they use its scope."""
        with scopes.entered(marks.log_name(self.database), self.scope), marks.observed() as logs:
            yield logs

    def recorded(self, result: Any, logs: list[str]) -> object:
        """Return the recorded result of the call."""
        if self._is_recorded(logs):
            return result
        vendor = vendor_of(result)
        if vendor is None:
            raise UsageError(
                f"cannot record the {type(result).__name__} that the call returned",
                hint="The function returns what a call of openai or anthropic returns.",
            )
        return recorded_by(vendor, self, result)

    def _is_recorded(self, logs: list[str]) -> bool:
        """Whether the call has been recorded below; after this one it is for those around it."""
        log = marks.log_name(self.database)
        marks.observe(log)
        return log in logs

    async def awaited(self, pending: Awaitable[Any]) -> object:
        """Return the recorded result of an asynchronous call."""
        try:
            with self.observed() as logs:
                result = await pending
        except Exception as error:
            await self.store_failure(error, logs, blocking=False)
            raise
        return self.recorded(result, logs)

    async def store_failure(self, error: Any, logs: list[str], *, blocking: bool) -> None:
        """Store why the call failed; an error that prevents this is only logged."""
        if self._is_recorded(logs):
            return
        packages = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
        request = getattr(error, "request", None)
        if packages.isdisjoint(NAMES) or request is None:
            return
        sent = sent_request(request)
        source = requests.source_of_path(sent.path)
        if source is None:
            return
        body: bytes | None = None
        with suppress(Exception):  # the body may not be read
            body = error.response.content
        recording = self._new_call(source, sent.body, blocking=blocking)
        try:
            await recording.attempt_failed(
                status=getattr(error, "status_code", None), error=error, body=body
            )
        except RunreelError:
            _log.exception("the failure of a call could not be stored")

    def new(self, source: str, sent: SentRequest | None, *, blocking: bool) -> ResponseRecording:
        """Return the recording of the answer to what was sent."""
        if sent is None or sent.creates:
            return self._new_call(source, {} if sent is None else sent.body, blocking=blocking)
        # It retrieves a response, which may be in the log.
        return super().new(source, sent, blocking=blocking)

    def _new_call(self, source: str, body: dict[str, object], *, blocking: bool) -> CallRecording:
        call = model_call(
            source,
            body or self.request or {},
            requested_at=self.requested_at,
            scope=self.scope,
        )
        return CallRecording(self.database, call, on_error=self.on_error, blocking=blocking)
