"""Streams of the openai client that store what they tell before they tell it."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any, Self

from runreel.live.driving import completed
from runreel.live.openai_take import CUT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from types import TracebackType

    from runreel.live.openai_take import Take
    from runreel.live.openai_wire import Wire

LEFT = "the program stopped reading"
_END = object()
# How long, in seconds, a reader that is thrown away waits for its recording to end.
_PARTING = 1.0


class _Recorded:
    """What both kinds of streams share: the client's own, and what is heard on its wire."""

    def __init__(self, stream: Any, take: Take, wire: Wire) -> None:
        self._stream = stream
        self._take = take
        self._wire = wire
        weakref.finalize(self, _part, take)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def _told(self, ahead: Callable[[], Awaitable[Any]]) -> Any:
        """What comes next, stored: an event, or that there is none."""
        try:
            event = await ahead()
        except BaseException as error:
            await self._take.fail(self._wire.heard(), error)
            raise
        try:
            await self._take.keep(self._wire.heard(), event)
        except BaseException as error:
            await self._take.end(type(error).__name__)
            raise
        if event is _END:
            await self._take.end(CUT)
        return event


class RecordedStream(_Recorded):
    """A ``Stream`` whose events are stored before they are yielded; else as the client's own."""

    def __next__(self) -> Any:
        event = completed(self._told(self._ahead))
        if event is _END:
            raise StopIteration
        return event

    async def _ahead(self) -> Any:
        return next(self._stream, _END)

    def __iter__(self) -> Iterator[Any]:
        return _Reader(self, self._take)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stream.close()
        self._take.end_now(LEFT if kind is None else kind.__name__)

    def close(self) -> None:
        """Close the connection; the recording ends here."""
        self._stream.close()
        self._take.end_now(LEFT)


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

    async def __anext__(self) -> Any:
        event = await self._told(lambda: anext(self._stream, _END))
        if event is _END:
            raise StopAsyncIteration
        return event

    def __aiter__(self) -> AsyncIterator[Any]:
        return _AsyncReader(self, self._take)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stream.close()
        await self._take.end(LEFT if kind is None else kind.__name__)

    async def close(self) -> None:
        """Close the connection; the recording ends here."""
        await self._stream.close()
        await self._take.end(LEFT)

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
        self._recorded = self._record(self._manager.__enter__())
        return self._recorded

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._manager.__exit__(kind, error, traceback)
        if self._recorded is not None:
            self._recorded.__exit__(kind, error, traceback)


class RecordedAsyncManager:
    """The asynchronous twin of ``RecordedManager``."""

    def __init__(self, manager: Any, record: Callable[[Any], RecordedAsyncHelper]) -> None:
        self._manager = manager
        self._record = record
        self._recorded: RecordedAsyncHelper | None = None

    async def __aenter__(self) -> RecordedAsyncHelper:
        self._recorded = self._record(await self._manager.__aenter__())
        return self._recorded

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._manager.__aexit__(kind, error, traceback)
        if self._recorded is not None:
            await self._recorded.__aexit__(kind, error, traceback)


class _Reader:
    """One loop over a stream: thrown away half-way, it ends the recording."""

    def __init__(self, stream: RecordedStream, take: Take) -> None:
        self._stream = stream
        self._take = take
        self._token = object()
        weakref.finalize(self, _part, take, self._token)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        self._take.reader = self._token
        return next(self._stream)


class _AsyncReader:
    """The asynchronous twin of ``_Reader``."""

    def __init__(self, stream: RecordedAsyncStream, take: Take) -> None:
        self._stream = stream
        self._take = take
        self._token = object()
        weakref.finalize(self, _part, take, self._token)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        self._take.reader = self._token
        return await anext(self._stream)


def _part(take: Take, token: object = None) -> None:
    """Whoever read a stream is gone; ``token`` tells it from one that reads now."""
    if not take.open or (token is not None and take.reader is not token):
        return
    # The garbage collector may have called us from within a commit, which we must not wait for.
    ending = threading.Thread(target=take.end_now, args=(LEFT,), daemon=True)
    try:
        ending.start()
    except RuntimeError:
        # The interpreter is about to end, and starts no threads any more.
        take.end_now(LEFT)
    else:
        ending.join(_PARTING)
