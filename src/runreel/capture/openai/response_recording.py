"""One response as it is recorded: from the JSON on the wire to the run that it belongs to."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from runreel.capture.openai import run_resolver as runs
from runreel.capture.sync_bridge import completed
from runreel.codec import plain_json as pj
from runreel.codec.json_text import loads
from runreel.model.errors import BadValue, RecordingError
from runreel.model.events import CONTEXT, RUN, STREAM_EVENT, TOOL_RESULTS
from runreel.recording.error_policy import GuardedRecorder
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
_ENDS = {RESPONSES: responses_reader.ends, CHAT: chat_reader.ends}


class AsyncRecorder(Protocol):
    """What a take is written with."""

    async def aoffer(self, kind: str, value: Any, event: Any) -> object:
        """Store a value; ``event`` is what the program knows it as."""
        ...

    async def aclose(self) -> None:
        """Say that the recording is complete."""
        ...

    async def ainterrupt(self, reason: str) -> None:
        """Say that it was cut short."""
        ...


class ResponseRecording:
    """What a client's stream tells, stored value by value, and how the recording ends.

    ``id_`` is the response's id where it is known beforehand, ``again`` whether the same response
    may have been recorded before. ``blocking`` is for threads that may wait: the coroutines never
    suspend then. ``open`` is whether there is a recording to end.
    """

    def __init__(  # noqa: PLR0913 - what is known of a response beforehand
        self,
        database: Database,
        source: str,
        asked: CapturedRequest,
        *,
        labels: dict[str, str] | None,
        on_error: str,
        blocking: bool,
        id_: str | None = None,
        again: bool = False,
    ) -> None:
        self.source = source
        self.open = False
        self._database = database
        self._asked = asked
        self._labels = labels
        self._told = runs.ResponseIdentity(source, id_, asked.previous, again)
        self._begun = False
        self._over = False
        self._keeper = GuardedRecorder(self._recorder, on_error, database.patience)
        self._pen: AsyncRecorder = _SyncRecorder(self._keeper) if blocking else self._keeper
        self._pid = os.getpid()
        self._blocking = blocking
        self._parting: threading.Thread | None = None

    async def store_event(self, wire: Iterable[str], event: Any) -> None:
        """Store what came on the wire for ``event``.

        Raises:
            RecordingError: if it cannot be stored.
        """
        await self._ended_recorder()
        for kind, value in self._rows(wire, event):
            await self._pen.aoffer(kind, value, event)

    async def store_finished(self, value: dict[str, Any], event: Any) -> None:
        """Store a finished response, which is all that there is of it."""
        self._identify(value)
        for kind, row in self._values(RUN, value):
            await self._pen.aoffer(kind, row, event)
        self._over = True
        await self.end(CUT)

    async def fail(self, wire: Iterable[str], error: BaseException) -> None:
        """The client's stream has raised: store what it raised it for, and end the recording."""
        try:
            await self.store_event(_readable(wire), error)
        except RecordingError:
            _log.exception("what a stream of %s failed with could not be stored", self.source)
        finally:
            await self.end(type(error).__name__)

    async def end(self, reason: str) -> None:
        """Close the recording; as interrupted, and why, if the stream's last event has not come."""
        await self._ended_recorder()
        await self._end(self._pen, reason)

    def end_in_thread(
        self, reason: str, close: Callable[[], object] | None, *, daemon: bool
    ) -> threading.Thread | None:
        """Like ``end``, in a thread, where nothing can be awaited; None if nothing is to be done.

        ``close`` is called there too. What is stored next waits for the thread.
        """
        if not self.open and close is None:
            return None

        def steps() -> None:
            completed(self._end(_SyncRecorder(self._keeper), reason))
            if close is not None:
                close()

        thread = threading.Thread(target=steps, daemon=daemon)
        try:
            thread.start()
        except RuntimeError:
            # The interpreter is about to end, and starts no threads any more.
            steps()
            return None
        self._parting = thread
        return thread

    async def _ended_recorder(self) -> None:
        thread = self._parting
        if thread is not None and thread is not threading.current_thread():
            self._parting = None
            if self._blocking:
                thread.join()
            else:
                await loops.wait_to_end(loops.in_thread(thread.join))

    async def _end(self, pen: AsyncRecorder, reason: str) -> None:
        ending, self.open = self.open, False
        # A forked child has its own copy of what its parent records.
        if ending and os.getpid() == self._pid:
            await (pen.aclose() if self._over else pen.ainterrupt(reason))

    def _rows(self, wire: Iterable[str], event: Any) -> Iterator[tuple[str, Any]]:
        values: list[Any] = []
        for text in wire:
            try:
                values.append(DONE if text.startswith(DONE) else loads(text))
            except BadValue as error:
                self._keeper.failed(error, event)
        if not self._begun:
            for value in values:
                self._identify(pj.as_object(value))
        for value in values:
            if value != DONE or (self.source == CHAT and not self._over):
                yield from self._values(STREAM_EVENT, value)

    def _values(self, kind: str, value: Any) -> Iterator[tuple[str, Any]]:
        """The value, and before the first one what it was asked for with."""
        self.open = True
        if not self._begun:
            self._begun = True
            if self._asked.context is not None:
                yield CONTEXT, self._asked.context
            if self._asked.tool_results:
                yield TOOL_RESULTS, {"tool_results": self._asked.tool_results}
        self._over = self._over or _ENDS[self.source](value)
        yield kind, value

    def _identify(self, value: dict[str, Any]) -> None:
        response = pj.as_object(value.get("response") if "response" in value else value)
        id_ = self._told.id or pj.as_text(response.get("id"))
        previous = self._told.previous
        if self.source == RESPONSES:
            previous = previous or pj.as_text(response.get("previous_response_id"))
        self._told = self._told._replace(id=id_, previous=previous)

    def _recorder(self) -> Recorder:
        return runs.recorder_for(self._database, self._told, self._labels)


class _SyncRecorder:
    """A pen for threads that may wait: its coroutines never suspend."""

    def __init__(self, keeper: GuardedRecorder) -> None:
        self._keeper = keeper

    async def aoffer(self, kind: str, value: Any, event: Any) -> None:
        self._keeper.offer(kind, value, event)

    async def aclose(self) -> None:
        self._keeper.close()

    async def ainterrupt(self, reason: str) -> None:
        self._keeper.interrupt(reason)


def _readable(wire: Iterable[str]) -> Iterator[str]:
    """What of the wire is JSON: what is not has been the client's error."""
    for text in wire:
        with suppress(BadValue):
            if not text.startswith(DONE):
                loads(text)
            yield text
