"""The hook that records the model calls of clients of httpx and httpx2."""

from __future__ import annotations

import logging
import weakref
from typing import TYPE_CHECKING, Any

from runreel.capture import marks, scope
from runreel.capture.anthropic.errors import pass_through
from runreel.capture.calls.attempts import Attempts
from runreel.capture.calls.recording import CallRecording
from runreel.capture.http import patching
from runreel.capture.http.answers import FOREIGN, EventAnswer, Refusal, WholeAnswer
from runreel.capture.http.calls import call_of
from runreel.capture.http.late_errors import as_recording_error, raise_at_use
from runreel.capture.http.streams import recorded_stream
from runreel.capture.streams.exits import ABANDONED
from runreel.model.errors import RecordingError, RunreelError
from runreel.system import loops
from runreel.system.sync_bridge import completed, to_end

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runreel.capture.http.answers import Answer
    from runreel.capture.http.calls import SentCall
    from runreel.store.database import Database

_EVENTS, _JSON = "event-stream", "json"
# The first status of a redirect, and of an error.
_REDIRECT, _ERROR = 300, 400

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
        self._attempts: Attempts[CallRecording] = Attempts()
        self.log = marks.log_name(database)

    def send(self, send: Callable[[Any], Any], request: Any) -> Any:
        """Return the response to ``request``, whose body is stored as it is read.

        Raises:
            RecordingError: before anything is sent, if the log cannot be written.
        """
        sent = self._call(request)
        if sent is None:
            return send(request)

        async def fetch() -> Any:
            return send(request)

        with marks.marked(request, self.log):
            return completed(self._recorded(sent, request, fetch, asynchronous=False))

    async def asend(self, send: Callable[[Any], Awaitable[Any]], request: Any) -> Any:
        """Like ``send``, for an asynchronous client."""
        sent = self._call(request)
        if sent is None:
            return await send(request)
        with marks.marked(request, self.log):
            return await self._recorded(sent, request, lambda: send(request), asynchronous=True)

    async def before_send(self, recording: CallRecording) -> None:
        """Called before a request is sent: begin its recording, with the request.

        Raises:
            RecordingError: if the log cannot be written.
        """
        try:
            await to_end(recording.before_send(), blocking=recording.blocking)
        except RecordingError as error:
            cause = error.__cause__ or error
            unasked = RecordingError(
                f"the model was not asked, because its answer could not be stored: {cause}",
                event=recording.call.body,
                hint=error.hint,
            )
            raise pass_through(unasked) from cause

    async def failed(self, sent: SentCall, recording: CallRecording, error: BaseException) -> None:
        """Called when a request got no response, or its task was cancelled."""
        if isinstance(error, GeneratorExit):
            # The event loop is gone: nothing can be awaited.
            recording.end_in_thread(ABANDONED)
            return
        if isinstance(error, Exception):
            self._attempts.failed(self._key(sent, sent.attempt + 1), recording, sent.size)
            steps = recording.attempt_failed(error=error, sent_at=sent.call.requested_at)
        else:
            steps = recording.end(type(error).__name__)
        try:
            await to_end(steps, blocking=recording.blocking)
        except RunreelError:
            # The program gets the client's error.
            _log.exception("the failure of a call could not be stored")

    def refused(
        self, sent: SentCall, recording: CallRecording, request: Any, response: Any
    ) -> Answer:
        """Called with a response that has the status of an error; its body is not read yet."""
        self._attempts.failed(self._key(sent, sent.attempt + 1), recording, sent.size)
        encoding = response.headers.get("content-encoding", "")
        status = response.status_code
        return Refusal(recording, encoding, request, status, sent.call.requested_at)

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
        self,
        sent: SentCall,
        request: Any,
        fetch: Callable[[], Awaitable[Any]],
        *,
        asynchronous: bool,
    ) -> Any:
        recording = self._recording(sent, request, asynchronous=asynchronous)
        marks.observe(self.log)
        try:
            await self.before_send(recording)
        except Exception:
            raise
        except BaseException as error:
            # Cancelled: the beginning is stored nevertheless.
            await self.failed(sent, recording, error)
            raise
        try:
            response = await fetch()
        except BaseException as error:
            await self.failed(sent, recording, error)
            raise
        if _REDIRECT <= response.status_code < _ERROR:
            # The next request goes on with the recording, if there is one.
            marks.keep_recording(request, self.log, recording)
            await recording.end("redirected")
            return response
        answer: Answer | None
        if response.status_code >= _ERROR:
            answer = self.refused(sent, recording, request, response)
        else:
            answer = self.answer_in(recording, response)
        if answer is None:
            await recording.end(FOREIGN)
            return response
        marks.add_recording(response, self.log, recording)
        await self._record(answer, response, asynchronous=asynchronous)
        return response

    def _recording(self, sent: SentCall, request: Any, *, asynchronous: bool) -> CallRecording:
        """Return the recording of a call: a new one, unless this is another attempt."""
        redirected = marks.kept_recording(request, self.log)
        if isinstance(redirected, CallRecording):
            return redirected
        # Of the event loops, only asyncio has what storing without blocking needs.
        blocking = not asynchronous or loops.current() is None
        return self._attempts.recording(
            self._key(sent, sent.attempt),
            sent.attempt,
            lambda: CallRecording(
                self.database,
                sent.call,
                on_error=self._on_error,
                blocking=blocking,
                store_request=self.requests,
            ),
        )

    def _key(self, sent: SentCall, attempt: int) -> str:
        """What identifies an attempt of a call; a recording stays in its event loop."""
        return f"{id(loops.current())} {attempt} {sent.key}"

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
            fail_late if isinstance(answer, (WholeAnswer, Refusal)) else None,
            asynchronous=asynchronous,
        )

    def _call(self, request: Any) -> SentCall | None:
        if marks.is_marked(request, self.log):
            return None
        return call_of(request, scope.current(self.log).within(self._all_labels()))

    def _all_labels(self) -> scope.Scope:
        """The labels of this hook, and of others that would record the call in the same log."""
        labels = self._labels
        for other in reversed(patching.hooks()):
            if isinstance(other, CallHook) and other.log == self.log:
                labels = labels.within(other._labels)  # noqa: SLF001
        return labels
