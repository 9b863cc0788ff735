"""The recording of one response, from the JSON of the server to the events of a run."""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING

from runreel.capture.marks import log_name
from runreel.capture.scope import Scope
from runreel.capture.streams import run_resolver
from runreel.capture.streams.request import capture_request
from runreel.codec import json_values as pj
from runreel.codec.json_text import loads
from runreel.model.errors import BadValue, RecordingError
from runreel.model.events import CONTEXT, RUN, STREAM_EVENT, TOOL_RESULTS
from runreel.recording.error_policy import GuardedRecorder
from runreel.sources import reader_of
from runreel.sources.anthropic import messages_reader
from runreel.sources.openai import chat_reader, responses_reader
from runreel.system import loops
from runreel.system.sync_bridge import completed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from runreel.capture.streams.request import SentRequest
    from runreel.recording.recorder import Recorder
    from runreel.store.database import Database

RESPONSES = responses_reader.reader.name
CHAT = chat_reader.reader.name
DONE = chat_reader.DONE
MESSAGES = messages_reader.reader.name
CUT = "the stream ended before its last event"
# The last event of a message, which may end with an error instead.
_STOPS = (messages_reader.STOP, "error")
# Keys of events with the response or message that they are about.
_HOLDERS = ("response", "message")

_log = logging.getLogger("runreel")


class ResponseRecording:
    """Stores the values of one response as they arrive, and ends the recording.

    It knows the server's JSON and no client. ``request`` holds the arguments that the program gave,
    ``sent`` is the client's request, None if unknown. With ``blocking``, for threads that may wait,
    the coroutines never suspend. ``open`` is True while there is a recording to end.
    """

    def __init__(  # noqa: PLR0913 - all that is known of a response beforehand
        self,
        database: Database,
        source: str,
        sent: SentRequest | None,
        *,
        request: dict[str, object] | None,
        scope: Scope,
        on_error: str,
        blocking: bool,
    ) -> None:
        self.source = source
        self._reader = reader_of(source)
        self.blocking = blocking
        self.open = False
        self._database = database
        self._scope = scope
        self._request = capture_request(source, request, sent)
        self._identity = self._request.identity
        self._started = False
        self._ended = False
        self._recorder = GuardedRecorder(self._open_recorder, on_error, blocking=blocking)
        self._pid = os.getpid()
        self._end_thread: threading.Thread | None = None

    @property
    def log(self) -> str:
        """The name of the log that it is stored in."""
        return log_name(self._database)

    def add_labels(self, labels: dict[str, str] | None) -> None:
        """Add labels to the run, if that is not stored yet."""
        self._scope = Scope(labels=labels).within(self._scope)

    async def store_texts(
        self, texts: Iterable[str], received: object, *, close: bool = False
    ) -> bool:
        """Store the JSON texts of one chunk; True if nothing of the response can follow.

        ``received`` is what the program gets for them, or the error that it gets instead. With
        ``close`` the recording ends in the same commit if nothing can follow: call ``end`` then.

        Raises:
            RecordingError: if they cannot be stored.
        """
        await self._join_end_thread()
        values = self._decoded(texts, received)
        await self._store(STREAM_EVENT, values, received, close=close)
        return self._is_over(values)

    async def store_finished(self, value: dict[str, object], received: object) -> None:
        """Store a finished response and end the recording."""
        await self._store(RUN, [value], received, close=True)
        self._ended = True
        await self.end(CUT)

    async def fail(self, texts: Iterable[str], error: BaseException) -> None:
        """Store the texts that made the client raise ``error``, and end the recording.

        Invalid ones have caused the error, and are not stored.
        """
        try:
            await self.store_texts(texts, error)
        except RecordingError:
            _log.exception("the failure of a stream of %s could not be stored", self.source)
        finally:
            await self.end(type(error).__name__)

    async def end(self, reason: str) -> None:
        """End the recording: as interrupted, with ``reason``, if the final event is missing."""
        await self._join_end_thread()
        await self._end(reason)

    def end_in_thread(
        self, reason: str, close: Callable[[], object] | None = None
    ) -> threading.Thread | None:
        """Like ``end``, in a thread, for callers that cannot await; None if there is nothing to do.

        ``close`` is called there too. Later writes wait for the thread.
        """
        if not self.open and close is None:
            return None

        def steps() -> None:
            completed(self._end(reason, blocking=True))
            if close is not None:
                close()

        # It outlives an event loop, which may be about to end.
        thread = threading.Thread(target=steps, daemon=self.blocking)
        try:
            thread.start()
        except RuntimeError:
            # At interpreter exit no new threads can be started.
            steps()
            return None
        self._end_thread = thread
        return thread

    async def _join_end_thread(self) -> None:
        thread = self._end_thread
        if thread is not None and thread is not threading.current_thread():
            self._end_thread = None
            if self.blocking:
                thread.join()
            else:
                await loops.wait_to_end(loops.in_thread(thread.join))

    async def _end(self, reason: str, *, blocking: bool = False) -> None:
        was_open, self.open = self.open, False
        # A forked child has a copy of its parent's recording, which it must not end.
        if was_open and os.getpid() == self._pid:
            await self._recorder.end(None if self._ended else reason, blocking=blocking)

    async def _store(
        self, kind: str, values: list[object], received: object, *, close: bool
    ) -> None:
        if not self._started:
            for value in values:
                self._identify(pj.as_object(value))
        ended = self._ended
        rows: list[tuple[str, object]] = []
        for value in values:
            if value != DONE or (self.source == CHAT and not self._ended):
                rows += self._rows(kind, value)
        try:
            if rows:
                close = close and (kind == RUN or self._is_over(values))
                await self._recorder.offer_all(rows, received, close=close)
        except BaseException:
            self._ended = ended
            raise

    def _is_over(self, values: Sequence[object]) -> bool:
        """Whether nothing can follow these values of a stream."""
        if not self._ended or self.source == RESPONSES:
            return self._ended
        if self.source == MESSAGES:
            return any(pj.as_object(value).get("type") in _STOPS for value in values[-1:])
        if self.source == CHAT:
            return values[-1:] == [DONE]
        # The Gemini API marks no end but an error: token counts may follow the last text.
        return any("error" in pj.as_object(value) for value in values[-1:])

    def _decoded(self, texts: Iterable[str], received: object) -> list[object]:
        values = []
        for text in texts:
            try:
                values.append(DONE if text.startswith(DONE) else loads(text))
            except BadValue as error:
                if not isinstance(received, BaseException):
                    self._left_out(error, received)
        return values

    def _left_out(self, error: BadValue, received: object) -> None:
        """Handle a text that is not JSON."""
        self._recorder.failed(error, received)

    def _rows(self, kind: str, value: object) -> Iterator[tuple[str, object]]:
        """Yield the value, interpreted; before the first one, the request and its tool results."""
        self.open = True
        if not self._started:
            self._started = True
            if self._request.context is not None:
                yield CONTEXT, self._request.context
            if self._request.tool_results:
                yield TOOL_RESULTS, {"tool_results": self._request.tool_results}
        event = self._reader.interpret(kind, value)
        self._ended = self._ended or event.is_last
        yield kind, event

    def _identify(self, value: dict[str, object]) -> None:
        held = (pj.as_object(value[key]) for key in _HOLDERS if key in value)
        response = next(filter(None, held), value)
        id_ = self._identity.id or pj.as_text(response.get("id"))
        previous = self._identity.previous
        if self.source == RESPONSES:
            previous = previous or pj.as_text(response.get("previous_response_id"))
        self._identity = self._identity._replace(id=id_, previous=previous)

    def _open_recorder(self) -> Recorder:
        return self._database.retry_unavailable(
            lambda: run_resolver.recorder_for(self._database, self._identity, self._scope)
        )
