"""Streams of vendors' clients whose events are stored before they are yielded."""

from __future__ import annotations

import weakref
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

from runreel.capture.streams.exits import ABANDONED, Exit
from runreel.capture.streams.response_recording import CUT
from runreel.system import loops
from runreel.system.sync_bridge import completed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from runreel.capture.streams.response_recording import ResponseRecording
    from runreel.capture.streams.sse_tap import SseTap

R = TypeVar("R", bound="BaseRecordedStream")

_END = object()


class BaseRecordedStream:
    """The common part of recorded streams: the client's stream, its recording and its tap.

    ``helped``: the client's stream is a helper around another one, which the tap is in.
    """

    helped: ClassVar[bool] = False

    def __init__(self, stream: object, recording: ResponseRecording, tap: SseTap) -> None:
        self._stream: Any = stream
        self._recording = recording
        self._tap = tap
        self._exit = Exit(recording, partial(tap.close, stream))
        weakref.finalize(self, self._exit.stream_dropped)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def is_recorded_in(self, log: str) -> bool:
        """Whether its events are stored in the log of this name."""
        return self._recording.log == log

    def add_labels(self, labels: dict[str, str] | None) -> None:
        """Add labels to its run, if that is not stored yet."""
        self._recording.add_labels(labels)

    async def _next_stored(self, fetch_next: Callable[[], Awaitable[object]]) -> object:
        """Fetch and store the next event; ``_END`` at the end of the stream."""
        try:
            event = await fetch_next()
        except BaseException as error:
            await self._exit.close_after_error(self._recording.fail(self._tap.received(), error))
            raise
        try:
            await self._recording.store_texts(self._tap.received(), event)
            if event is _END:
                self._exit.closed = True
                await self._recording.end(CUT)
        except BaseException as error:
            await self._exit.close_after_error(self._recording.end(type(error).__name__))
            raise
        return event

    async def _leave(self, error_type: type[BaseException] | None = None) -> None:
        await self._exit.close(ABANDONED if error_type is None else error_type.__name__)


class RecordedStream(BaseRecordedStream):
    """A ``Stream`` whose events are stored before they are yielded."""

    def __next__(self) -> object:
        event = completed(self._next_stored(self._fetch_next))
        if event is _END:
            raise StopIteration
        return event

    async def _fetch_next(self) -> object:
        return next(self._stream, _END)

    def __iter__(self) -> _StreamIterator:
        return _StreamIterator(self, self._exit)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error_type: type[BaseException] | None, *error: object) -> None:
        completed(self._leave(error_type))

    def close(self) -> None:
        """Close the connection and end the recording."""
        completed(self._leave())


class RecordedAsyncStream(BaseRecordedStream):
    """An ``AsyncStream`` whose events are stored before they are yielded."""

    async def __anext__(self) -> object:
        self._exit.check_loop()
        event = await self._next_stored(lambda: anext(self._stream, _END))
        if event is _END:
            raise StopAsyncIteration
        return event

    def __aiter__(self) -> _AsyncStreamIterator:
        return _AsyncStreamIterator(self, self._exit)

    async def __aenter__(self) -> Self:
        self._exit.check_loop()
        return self

    async def __aexit__(self, error_type: type[BaseException] | None, *error: object) -> None:
        await self._leave(error_type)

    async def close(self) -> None:
        """Close the connection and end the recording."""
        await self._leave()

    aclose = close


class RecordedHelper(RecordedStream):
    """A stream of a helper of the client, around the stream of its events."""

    helped = True

    def until_done(self) -> Self:
        """Read the stream to its end."""
        for _ in self:
            pass
        return self


class RecordedAsyncHelper(RecordedAsyncStream):
    """The asynchronous counterpart of ``RecordedHelper``."""

    helped = True

    async def until_done(self) -> Self:
        """Read the stream to its end."""
        async for _ in self:
            pass
        return self


class RecordedManager:
    """The manager that a helper of the client returns; entering it sends the request."""

    def __init__(self, manager: object, record: Callable[[object], RecordedHelper]) -> None:
        self._manager: Any = manager
        self._record = record
        self._entered = ExitStack()

    def __enter__(self) -> RecordedHelper:
        with ExitStack() as entered:
            helper = self._record(entered.enter_context(self._manager))
            entered.enter_context(helper)
            self._entered = entered.pop_all()
        return helper

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._entered.__exit__(kind, error, traceback)


class RecordedAsyncManager:
    """The asynchronous counterpart of ``RecordedManager``."""

    def __init__(self, manager: object, record: Callable[[object], RecordedAsyncHelper]) -> None:
        self._manager: Any = manager
        self._record = record
        self._entered = AsyncExitStack()

    async def __aenter__(self) -> RecordedAsyncHelper:
        loops.running()
        async with AsyncExitStack() as entered:
            helper = self._record(await entered.enter_async_context(self._manager))
            await entered.enter_async_context(helper)
            self._entered = entered.pop_all()
        return helper

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._entered.__aexit__(kind, error, traceback)


class _Iterator(Generic[R]):
    """One iteration over a stream; ends the recording if it is dropped before the end."""

    def __init__(self, stream: R, exit_: Exit) -> None:
        self._stream = stream
        self._exit = exit_
        self._token = object()
        weakref.finalize(self, exit_.reader_dropped, self._token)


class _StreamIterator(_Iterator[RecordedStream]):
    def __iter__(self) -> Self:
        return self

    def __next__(self) -> object:
        self._exit.reader = self._token
        return next(self._stream)


class _AsyncStreamIterator(_Iterator[RecordedAsyncStream]):
    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> object:
        self._exit.reader = self._token
        return await anext(self._stream)
