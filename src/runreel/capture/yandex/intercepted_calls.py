"""Calls that a program makes through interceptors, and further calls over the same route."""

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

# Metadata key by which the SDK configures its own retry interceptor.
_RETRY = "yc-ml-sdk-retry"


class CallRoute(NamedTuple):
    """How the program made a call, so that further calls can be made the same way."""

    continuation: Continuation
    details: Any
    metadata: tuple[Any, ...]

    @classmethod
    def from_call(cls, continuation: Continuation, details: Any) -> CallRoute:
        """The route of a call; copies its metadata, which later interceptors may change."""
        return cls(continuation, details, tuple(details.metadata or ()))

    async def send(self, request: Any) -> Any:
        """Make the same call with this request."""
        details = self.details._replace(metadata=grpc.aio.Metadata(*self.metadata))
        return await self.continuation(details, request)

    async def call(self, method: str, request: Any, seconds: float) -> Any:
        """Make another unary call, without the SDK's retries."""
        metadata = grpc.aio.Metadata(*self.metadata)
        if _RETRY in metadata:
            metadata[_RETRY] = "NONE"
        name = method.encode() if isinstance(self.details.method, bytes) else method
        details = self.details._replace(method=name, timeout=seconds, metadata=metadata)
        return await (await self.continuation(details, request))


class ResumedStream:
    """The events of a run; when a call exceeds its deadline, another one continues.

    All calls use ``route``; ``call`` is the current one.
    """

    def __init__(self, route: CallRoute, request: Any, call: Any) -> None:
        self.route = route
        self.call = call
        self._request = request
        self._next = 0

    async def events(self, session: Session) -> AsyncGenerator[Any, None]:
        """Yield the events; the SDK's own retries may repeat some.

        Raises:
            grpc.RpcError: as the SDK does, except for deadlines while the run goes on.
        """
        backoff = Backoff(session.patience)
        while True:
            try:
                async for event in self.call:
                    yield require_message(event)
                    backoff.event_received()
                    index = protos.index_of(event)
                    self._next = self._next if index is None else max(self._next, index + 1)
            except grpc.RpcError as error:
                if not await _should_resume(error, session, backoff):
                    raise
                await session.client.sleep(backoff.next_pause())
                self.call = await self.route.send(self._rest())
            else:
                return

    def _rest(self) -> Any:
        """The request for the events after the last one received."""
        request = type(self._request)()
        request.CopyFrom(self._request)
        request.events_start_idx.value = max(self._next, request.events_start_idx.value)
        return request


class RecordedCall:
    """The call as the program sees it, with recorded events; ``cancel`` ends the recording."""

    def __init__(self, stream: ResumedStream, events: Any) -> None:
        self._stream = stream
        self._events = events
        self._closing: asyncio.Task[None] | None = None

    def __aiter__(self) -> Any:
        return self._events

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream.call, name)

    def cancel(self) -> bool:
        """Cancel the call and close the recording."""
        # A generator that waits for an event is ended by the call, a finished one needs nothing.
        halted = self._events.ag_frame is not None and not self._events.ag_running
        # Without a loop, at the end of the program, the exit hooks write to the log.
        with contextlib.suppress(RuntimeError):
            if halted and self._closing is None:
                self._closing = asyncio.get_running_loop().create_task(self._close())
        return bool(self._stream.call.cancel())

    async def _close(self) -> None:
        await self._events.aclose()


# grpcio checks whether an interceptor returned a call or only an iterator.
grpc.aio.UnaryStreamCall.register(RecordedCall)


async def _should_resume(error: Any, session: Session, backoff: Backoff) -> bool:
    """Whether to resume: the error is a deadline and the retry policy allows another attempt."""
    if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
        return False
    if await session.try_fetch_run() is not None:
        backoff.response_received()
    return not backoff.is_over
