"""The recording of one response, from the JSON of the server to the events of a run."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from runreel.capture.openai import run_resolver
from runreel.capture.sync_bridge import completed
from runreel.codec import json_values as pj
from runreel.codec.json_text import loads
from runreel.model.errors import BadValue, RecordingError
from runreel.model.events import CONTEXT, RUN, STREAM_EVENT, TOOL_RESULTS
from runreel.recording.error_policy import GuardedRecorder
from runreel.sources import reader_of
from runreel.sources.openai import chat_reader, responses_reader
from runreel.system import loops

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from runreel.capture.openai.request import CapturedRequest
    from runreel.recording.recorder import Recorder
    from runreel.store.database import Database

RESPONSES = responses_reader.reader.name
CHAT = chat_reader.reader.name
DONE = chat_reader.DONE
CUT = "the stream ended before its last event"

_log = logging.getLogger("runreel")


class AsyncRecorder(Protocol):
    """The write operations of a recording."""

    async def aoffer(self, kind: str, value: Any, event: Any) -> object:
        """Store a value; ``event`` is the client's object for it."""
        ...

    async def aclose(self) -> None:
        """Close the recording as complete."""
        ...

    async def ainterrupt(self, reason: str) -> None:
        """Mark the recording as interrupted."""
        ...


class ResponseRecording:
    """Stores the events of a client's stream, and ends the recording.

    ``id_`` is the response's id if known beforehand. ``may_exist`` is True if the same response
    may have been recorded already. With ``blocking``, for threads that may wait, the coroutines
    never suspend. ``open`` is True while there is a recording to end.
    """

    def __init__(  # noqa: PLR0913 - all that is known of a response beforehand
        self,
        database: Database,
        source: str,
        request: CapturedRequest,
        *,
        labels: dict[str, str] | None,
        on_error: str,
        blocking: bool,
        id_: str | None = None,
        may_exist: bool = False,
    ) -> None:
        self.source = source
        self._reader = reader_of(source)
        self.open = False
        self._database = database
        self._request = request
        self._labels = labels
        self._identity = run_resolver.ResponseIdentity(source, id_, request.previous, may_exist)
        self._started = False
        self._ended = False
        self._recorder = GuardedRecorder(self._open_recorder, on_error, database.patience)
        self._writer: AsyncRecorder = _SyncRecorder(self._recorder) if blocking else self._recorder
        self._pid = os.getpid()
        self._blocking = blocking
        self._end_thread: threading.Thread | None = None

    async def store_event(self, texts: Iterable[str], event: Any) -> None:
        """Store the texts that arrived for ``event``.

        Raises:
            RecordingError: if they cannot be stored.
        """
        await self._join_end_thread()
        for kind, value in self._rows(texts, event):
            await self._writer.aoffer(kind, value, event)

    async def store_finished(self, value: dict[str, Any], event: Any) -> None:
        """Store a finished response and end the recording."""
        self._identify(value)
        for kind, row in self._values(RUN, value):
            await self._writer.aoffer(kind, row, event)
        self._ended = True
        await self.end(CUT)

    async def fail(self, texts: Iterable[str], error: BaseException) -> None:
        """Store the texts that made the client raise ``error``, and end the recording."""
        try:
            await self.store_event(_valid_texts(texts), error)
        except RecordingError:
            _log.exception("the failure of a stream of %s could not be stored", self.source)
        finally:
            await self.end(type(error).__name__)

    async def end(self, reason: str) -> None:
        """End the recording: as interrupted, with ``reason``, if the final event is missing."""
        await self._join_end_thread()
        await self._end(self._writer, reason)

    def end_in_thread(
        self, reason: str, close: Callable[[], object] | None, *, daemon: bool
    ) -> threading.Thread | None:
        """Like ``end``, in a thread, for callers that cannot await; None if there is nothing to do.

        ``close`` is called there too. Later writes wait for the thread.
        """
        if not self.open and close is None:
            return None

        def steps() -> None:
            completed(self._end(_SyncRecorder(self._recorder), reason))
            if close is not None:
                close()

        thread = threading.Thread(target=steps, daemon=daemon)
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
            if self._blocking:
                thread.join()
            else:
                await loops.wait_to_end(loops.in_thread(thread.join))

    async def _end(self, writer: AsyncRecorder, reason: str) -> None:
        was_open, self.open = self.open, False
        # A forked child has a copy of its parent's recording, which it must not end.
        if was_open and os.getpid() == self._pid:
            await (writer.aclose() if self._ended else writer.ainterrupt(reason))

    def _rows(self, texts: Iterable[str], event: Any) -> Iterator[tuple[str, Any]]:
        values: list[Any] = []
        for text in texts:
            try:
                values.append(DONE if text.startswith(DONE) else loads(text))
            except BadValue as error:
                self._recorder.failed(error, event)
        if not self._started:
            for value in values:
                self._identify(pj.as_object(value))
        for value in values:
            if value != DONE or (self.source == CHAT and not self._ended):
                yield from self._values(STREAM_EVENT, value)

    def _values(self, kind: str, value: Any) -> Iterator[tuple[str, Any]]:
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

    def _identify(self, value: dict[str, Any]) -> None:
        response = pj.as_object(value.get("response") if "response" in value else value)
        id_ = self._identity.id or pj.as_text(response.get("id"))
        previous = self._identity.previous
        if self.source == RESPONSES:
            previous = previous or pj.as_text(response.get("previous_response_id"))
        self._identity = self._identity._replace(id=id_, previous=previous)

    def _open_recorder(self) -> Recorder:
        return run_resolver.recorder_for(self._database, self._identity, self._labels)


class _SyncRecorder:
    """An ``AsyncRecorder`` for threads that may block: its coroutines never suspend."""

    def __init__(self, recorder: GuardedRecorder) -> None:
        self._recorder = recorder

    async def aoffer(self, kind: str, value: Any, event: Any) -> None:
        self._recorder.offer(kind, value, event)

    async def aclose(self) -> None:
        self._recorder.close()

    async def ainterrupt(self, reason: str) -> None:
        self._recorder.interrupt(reason)


def _valid_texts(texts: Iterable[str]) -> Iterator[str]:
    """The texts that are JSON; invalid ones have caused the client's error."""
    for text in texts:
        with suppress(BadValue):
            if not text.startswith(DONE):
                loads(text)
            yield text
