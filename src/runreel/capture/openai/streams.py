"""Streams of the openai client whose events are stored before they are yielded."""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Any, Self

from runreel.capture.openai.exits import ABANDONED, AsyncExit, Exit
from runreel.capture.openai.response_recording import CUT
from runreel.capture.sync_bridge import completed
from runreel.system import loops

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from types import TracebackType

    from runreel.capture.openai.response_recording import ResponseRecording
    from runreel.capture.openai.sse_tap import SseTap

_END = object()


class _Recorded:
    """The common part of recorded streams: the client's stream, its recording and its tap."""

    _exit: Exit

    def __init__(self, stream: Any, recording: ResponseRecording, tap: SseTap) -> None:
        self._stream = stream
        self._recording = recording
        self._tap = tap
        exit_type = AsyncExit if tap.asynchronous else Exit
        self._exit = exit_type(stream, recording, tap)
        weakref.finalize(self, self._exit.stream_dropped)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def _next_stored(self, fetch_next: Callable[[], Awaitable[Any]]) -> Any:
        """Fetch and store the next event; ``_END`` at the end of the stream."""
        try:
            event = await fetch_next()
        except BaseException as error:
            await self._exit.close_after_error(self._recording.fail(self._tap.received(), error))
            raise
        try:
            await self._recording.store_event(self._tap.received(), event)
            if event is _END:
                self._exit.closed = True
                await self._recording.end(CUT)
        except BaseException as error:
            await self._exit.close_after_error(self._recording.end(type(error).__name__))
            raise
        return event


class RecordedStream(_Recorded):
    """A ``Stream`` whose events are stored before they are yielded."""

    def __next__(self) -> Any:
        event = completed(self._next_stored(self._fetch_next))
        if event is _END:
            raise StopIteration
        return event

    async def _fetch_next(self) -> Any:
        return next(self._stream, _END)

    def __iter__(self) -> Iterator[Any]:
        return _StreamIterator(self, self._exit)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        completed(self._exit.close(ABANDONED if error_type is None else error_type.__name__))

    def close(self) -> None:
        """Close the connection and end the recording."""
        completed(self._exit.close(ABANDONED))


class RecordedHelper(RecordedStream):
    """A stream of ``client.responses.stream(...)`` or ``client.chat.completions.stream(...)``."""

    def until_done(self) -> Self:
        """Read the stream to its end."""
        for _ in self:
            pass
        return self

    def get_final_response(self) -> Any:
        """Read to the end and return the response."""
        self.until_done()
        return self._stream.get_final_response()

    def get_final_completion(self) -> Any:
        """Read to the end and return the completion."""
        self.until_done()
        return self._stream.get_final_completion()


class RecordedAsyncStream(_Recorded):
    """An ``AsyncStream`` whose events are stored before they are yielded."""

    _exit: AsyncExit

    async def __anext__(self) -> Any:
        self._exit.check_loop()
        event = await self._next_stored(lambda: anext(self._stream, _END))
        if event is _END:
            raise StopAsyncIteration
        return event

    def __aiter__(self) -> AsyncIterator[Any]:
        return _AsyncStreamIterator(self, self._exit)

    async def __aenter__(self) -> Self:
        self._exit.check_loop()
        return self

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._exit.close(ABANDONED if error_type is None else error_type.__name__)

    async def close(self) -> None:
        """Close the connection and end the recording."""
        await self._exit.close(ABANDONED)

    async def aclose(self) -> None:
        """Like ``close``."""
        await self.close()


class RecordedAsyncHelper(RecordedAsyncStream):
    """The asynchronous counterpart of ``RecordedHelper``."""

    async def until_done(self) -> Self:
        """Read the stream to its end."""
        async for _ in self:
            pass
        return self

    async def get_final_response(self) -> Any:
        """Read to the end and return the response."""
        await self.until_done()
        return await self._stream.get_final_response()

    async def get_final_completion(self) -> Any:
        """Read to the end and return the completion."""
        await self.until_done()
        return await self._stream.get_final_completion()


class RecordedManager:
    """The manager that ``client.responses.stream(...)`` returns; entering it sends the request."""

    def __init__(self, manager: Any, record: Callable[[Any], RecordedHelper]) -> None:
        self._manager = manager
        self._record = record
        self._recorded: RecordedHelper | None = None

    def __enter__(self) -> RecordedHelper:
        helper = self._manager.__enter__()
        try:
            self._recorded = self._record(helper)
        except BaseException:
            self._manager.__exit__(*sys.exc_info())
            raise
        return self._recorded

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._manager.__exit__(error_type, error, traceback)
        finally:
            if self._recorded is not None:
                self._recorded.__exit__(error_type, error, traceback)


class RecordedAsyncManager:
    """The asynchronous counterpart of ``RecordedManager``."""

    def __init__(self, manager: Any, record: Callable[[Any], RecordedAsyncHelper]) -> None:
        self._manager = manager
        self._record = record
        self._recorded: RecordedAsyncHelper | None = None

    async def __aenter__(self) -> RecordedAsyncHelper:
        loops.running()
        helper = await self._manager.__aenter__()
        try:
            self._recorded = self._record(helper)
        except BaseException:
            await self._manager.__aexit__(*sys.exc_info())
            raise
        return self._recorded

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._manager.__aexit__(error_type, error, traceback)
        finally:
            if self._recorded is not None:
                await self._recorded.__aexit__(error_type, error, traceback)


class _StreamIterator:
    """One iteration over a stream; ends the recording if it is dropped before the end."""

    def __init__(self, stream: RecordedStream, exit_: Exit) -> None:
        self._stream = stream
        self._exit = exit_
        self._token = object()
        weakref.finalize(self, exit_.reader_dropped, self._token)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        self._exit.reader = self._token
        return next(self._stream)


class _AsyncStreamIterator:
    """The asynchronous counterpart of ``_StreamIterator``."""

    def __init__(self, stream: RecordedAsyncStream, exit_: AsyncExit) -> None:
        self._stream = stream
        self._exit = exit_
        self._token = object()
        weakref.finalize(self, exit_.reader_dropped, self._token)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        self._exit.reader = self._token
        return await anext(self._stream)
