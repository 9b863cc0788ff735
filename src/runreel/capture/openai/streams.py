"""Streams of the openai client that store what they tell before they tell it."""

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
    """What both kinds of streams share: the client's own, and what comes over its wire."""

    _exit: Exit

    def __init__(self, stream: Any, take: ResponseRecording, wire: SseTap) -> None:
        self._stream = stream
        self._take = take
        self._wire = wire
        kind = AsyncExit if wire.asynchronous else Exit
        self._exit = kind(stream, take, wire)
        weakref.finalize(self, self._exit.dropped)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def _next_stored(self, ahead: Callable[[], Awaitable[Any]]) -> Any:
        """What comes next, stored: an event, or that there is none."""
        try:
            event = await ahead()
        except BaseException as error:
            await self._exit.leave_for(self._take.fail(self._wire.received(), error))
            raise
        try:
            await self._take.store_event(self._wire.received(), event)
            if event is _END:
                self._exit.closed = True
                await self._take.end(CUT)
        except BaseException as error:
            await self._exit.leave_for(self._take.end(type(error).__name__))
            raise
        return event


class RecordedStream(_Recorded):
    """A ``Stream`` whose events are stored before they are yielded; else as the client's own."""

    def __next__(self) -> Any:
        event = completed(self._next_stored(self._ahead))
        if event is _END:
            raise StopIteration
        return event

    async def _ahead(self) -> Any:
        return next(self._stream, _END)

    def __iter__(self) -> Iterator[Any]:
        return _StreamIterator(self, self._exit)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        completed(self._exit.abandon(ABANDONED if kind is None else kind.__name__))

    def close(self) -> None:
        """Close the connection; the recording ends here."""
        completed(self._exit.abandon(ABANDONED))


class RecordedHelper(RecordedStream):
    """A stream of ``client.responses.stream(...)`` or ``client.chat.completions.stream(...)``."""

    def until_done(self) -> Self:
        """Read to the end."""
        for _ in self:
            pass
        return self

    def get_final_response(self) -> Any:
        """The response, once all is read."""
        self.until_done()
        return self._stream.get_final_response()

    def get_final_completion(self) -> Any:
        """The completion, once all is read."""
        self.until_done()
        return self._stream.get_final_completion()


class RecordedAsyncStream(_Recorded):
    """An ``AsyncStream`` whose events are stored before they are yielded."""

    _exit: AsyncExit

    async def __anext__(self) -> Any:
        self._exit.entered()
        event = await self._next_stored(lambda: anext(self._stream, _END))
        if event is _END:
            raise StopAsyncIteration
        return event

    def __aiter__(self) -> AsyncIterator[Any]:
        return _AsyncStreamIterator(self, self._exit)

    async def __aenter__(self) -> Self:
        self._exit.entered()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._exit.abandon(ABANDONED if kind is None else kind.__name__)

    async def close(self) -> None:
        """Close the connection; the recording ends here."""
        await self._exit.abandon(ABANDONED)

    async def aclose(self) -> None:
        """Like ``close``."""
        await self.close()


class RecordedAsyncHelper(RecordedAsyncStream):
    """The asynchronous twin of ``RecordedHelper``."""

    async def until_done(self) -> Self:
        """Read to the end."""
        async for _ in self:
            pass
        return self

    async def get_final_response(self) -> Any:
        """The response, once all is read."""
        await self.until_done()
        return await self._stream.get_final_response()

    async def get_final_completion(self) -> Any:
        """The completion, once all is read."""
        await self.until_done()
        return await self._stream.get_final_completion()


class RecordedManager:
    """What ``client.responses.stream(...)`` answers: the request is sent on entering."""

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
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._manager.__exit__(kind, error, traceback)
        finally:
            if self._recorded is not None:
                self._recorded.__exit__(kind, error, traceback)


class RecordedAsyncManager:
    """The asynchronous twin of ``RecordedManager``."""

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
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._manager.__aexit__(kind, error, traceback)
        finally:
            if self._recorded is not None:
                await self._recorded.__aexit__(kind, error, traceback)


class _StreamIterator:
    """One loop over a stream: dropped half-way, it ends the recording."""

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
    """The asynchronous twin of ``_Reader``."""

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
