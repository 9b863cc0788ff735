"""The calls that a program makes through interceptors, and those that we make in its name."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc

from runreel.capture.yandex import proto_json as protos
from runreel.capture.yandex.sdk_client import require_message
from runreel.capture.yandex.session import Backoff

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from runreel.capture.yandex.session import Session

    Continuation = Callable[[Any, Any], Awaitable[Any]]

# The SDK's note to its own retry interceptor.
_RETRY = "yc-ml-sdk-retry"


class CallRoute(NamedTuple):
    """How a call of the program's went out: another one can go the same way."""

    continuation: Continuation
    details: Any
    metadata: tuple[Any, ...]

    @classmethod
    def from_call(cls, continuation: Continuation, details: Any) -> CallRoute:
        """The way of a call that is about to go out: what is behind it may change its metadata."""
        return cls(continuation, details, tuple(details.metadata or ()))

    async def send(self, request: Any) -> Any:
        """The same call with this request."""
        details = self.details._replace(metadata=grpc.aio.Metadata(*self.metadata))
        return await self.continuation(details, request)

    async def call(self, method: str, request: Any, seconds: float) -> Any:
        """Another call, once, with an answer of the same kind."""
        metadata = grpc.aio.Metadata(*self.metadata)
        if _RETRY in metadata:
            metadata[_RETRY] = "NONE"
        name = method.encode() if isinstance(self.details.method, bytes) else method
        details = self.details._replace(method=name, timeout=seconds, metadata=metadata)
        return await (await self.continuation(details, request))


class ResumedStream:
    """A run's events for as long as they come: when a call's deadline passes, another goes on.

    ``way`` is the way of all of them, ``call`` the one that is heard now.
    """

    def __init__(self, way: CallRoute, request: Any, call: Any) -> None:
        self.way = way
        self.call = call
        self._request = request
        self._next = 0

    async def events(self, session: Session) -> AsyncGenerator[Any, None]:
        """The events, some twice if the SDK's own retries tell them so.

        Raises:
            grpc.RpcError: as the SDK would, but for deadlines while the run goes on.
        """
        waiting = Backoff(session.patience)
        while True:
            try:
                async for event in self.call:
                    yield require_message(event)
                    waiting.renew()
                    index = protos.index_of(event)
                    self._next = self._next if index is None else max(self._next, index + 1)
            except grpc.RpcError as error:
                if not await _resumes(error, session, waiting):
                    raise
                await session.wire.sleep(waiting.pause())
                self.call = await self.way.send(self._rest())
            else:
                return

    def _rest(self) -> Any:
        """The request for what has not come yet."""
        request = type(self._request)()
        request.CopyFrom(self._request)
        request.events_start_idx.value = max(self._next, request.events_start_idx.value)
        return request


class RecordedCall:
    """A call like that of a stream, but for the events; to cancel it is to stop listening."""

    def __init__(self, stream: ResumedStream, events: Any) -> None:
        self._stream = stream
        self._events = events
        self._closing: asyncio.Task[None] | None = None

    def __aiter__(self) -> Any:
        return self._events

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream.call, name)

    def cancel(self) -> bool:
        """Like the call's own."""
        # One that waits for an event hears of it through the call, one that is over knows.
        halted = self._events.ag_frame is not None and not self._events.ag_running
        # Without a loop, in the last moments of the program, the log is told elsewhere.
        with contextlib.suppress(RuntimeError):
            if halted and self._closing is None:
                self._closing = asyncio.get_running_loop().create_task(self._close())
        return bool(self._stream.call.cancel())

    async def _close(self) -> None:
        await self._events.aclose()


# grpcio asks what it gets back from an interceptor whether it is a call or a mere iterator.
grpc.aio.UnaryStreamCall.register(RecordedCall)


async def _resumes(error: Any, session: Session, waiting: Backoff) -> bool:
    """Whether it was no more than a deadline, and there is patience left."""
    if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
        return False
    if await session.try_fetch_run() is not None:
        waiting.alive()
    return not waiting.over
