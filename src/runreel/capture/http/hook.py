"""The hook that records the model calls of clients of httpx and httpx2."""

from __future__ import annotations

import logging
import weakref
from typing import TYPE_CHECKING, Any

from runreel.capture import marks, scope
from runreel.capture.http.answers import EventAnswer, WholeAnswer
from runreel.capture.http.call_recording import CallRecording
from runreel.capture.http.calls import call_of
from runreel.capture.http.late_errors import as_recording_error, raise_at_use
from runreel.capture.http.streams import recorded_stream
from runreel.model.errors import RecordingError, RunreelError
from runreel.store.write_check import check_writable
from runreel.system import loops
from runreel.system.sync_bridge import completed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runreel.capture.http.answers import Answer
    from runreel.capture.http.calls import Call
    from runreel.store.database import Database

_EVENTS, _JSON = "event-stream", "json"
# The first status of an error.
_ERROR = 400

_log = logging.getLogger("runreel")


class CallHook:
    """Records the calls that pass through it in one log, each of them once.

    ``labels`` are those of every run. With ``requests`` the requests are stored too.
    """

    def __init__(
        self,
        database: Database,
        *,
        labels: dict[str, str] | None = None,
        requests: bool = True,
        on_error: str = "raise",
    ) -> None:
        self.database = database
        self.requests = requests
        self._labels = scope.Scope(labels=labels)
        self._on_error = on_error
        self.log = marks.log_name(database)

    def send(self, send: Callable[[Any], Any], request: Any) -> Any:
        """Return the response to ``request``, whose body is stored as it is read.

        Raises:
            RecordingError: before anything is sent, if the log cannot be written.
        """
        call = self._call(request)
        if call is None:
            return send(request)

        async def fetch() -> Any:
            return send(request)

        with marks.marked(request, self.log):
            return completed(self._recorded(call, fetch, asynchronous=False))

    async def asend(self, send: Callable[[Any], Awaitable[Any]], request: Any) -> Any:
        """Like ``send``, for an asynchronous client."""
        call = self._call(request)
        if call is None:
            return await send(request)
        with marks.marked(request, self.log):
            return await self._recorded(call, lambda: send(request), asynchronous=True)

    async def before_send(self, recording: CallRecording) -> None:
        """Called before a request is sent: check that the log can be written.

        Raises:
            RecordingError: if it cannot.
        """
        if self._on_error == "warn":
            return
        try:
            if recording.blocking:
                check_writable(self.database)
            else:
                await loops.wait_to_end(loops.in_thread(lambda: check_writable(self.database)))
        except RunreelError as error:
            raise RecordingError(
                f"the model was not asked, because its answer could not be stored: {error}",
                event=recording.call.body,
                hint=error.hint,
            ) from error

    async def failed(self, recording: CallRecording, error: BaseException) -> None:
        """Called when a request got no response, or its task was cancelled."""

    async def refused(self, recording: CallRecording, response: Any) -> None:
        """Called with a response that has the status of an error; its body is not read yet."""

    def answer_in(self, recording: CallRecording, response: Any) -> Answer | None:
        """Return the answer in a response, None if its content is not that of a model."""
        content_type = response.headers.get("content-type", "").lower()
        kind: type[Answer]
        if _EVENTS in content_type:
            kind = EventAnswer
        elif _JSON in content_type:
            kind = WholeAnswer
        else:
            return None
        return kind(recording, response.headers.get("content-encoding", ""))

    async def _recorded(
        self, call: Call, fetch: Callable[[], Awaitable[Any]], *, asynchronous: bool
    ) -> Any:
        # Of the event loops, only asyncio has what storing without blocking needs.
        blocking = not asynchronous or loops.current() is None
        recording = CallRecording(self.database, call, on_error=self._on_error, blocking=blocking)
        await self.before_send(recording)
        try:
            response = await fetch()
        except BaseException as error:
            await self.failed(recording, error)
            raise
        if response.status_code >= _ERROR:
            await self.refused(recording, response)
            return response
        answer = self.answer_in(recording, response)
        if answer is not None:
            marks.add_recording(response, self.log, recording)
            await self._record(answer, response, asynchronous=asynchronous)
        return response

    async def _record(self, answer: Answer, response: Any, *, asynchronous: bool) -> None:
        if response.is_stream_consumed:
            # A mock of another package: nothing will be read any more.
            try:
                await answer.add_decoded(response.content)
            except RunreelError as error:
                raise_at_use(response, as_recording_error(error))
            return
        # The response holds its stream, which must not hold the response.
        reference = weakref.ref(response)

        def fail_late(error: RecordingError) -> None:
            _log.error("%s", error)
            if (late := reference()) is not None:
                raise_at_use(late, error)

        response.stream = recorded_stream(
            response.stream,
            answer,
            fail_late if isinstance(answer, WholeAnswer) else None,
            asynchronous=asynchronous,
        )

    def _call(self, request: Any) -> Call | None:
        if marks.is_marked(request, self.log):
            return None
        return call_of(request, scope.current(self.log).within(self._labels))
