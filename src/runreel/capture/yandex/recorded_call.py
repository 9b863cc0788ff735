"""A call as the program sees it through an interceptor that records what it answers."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import grpc

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from google.protobuf.message import Message

# What an interceptor calls to make the call: a message, or an iterator of them, is sent.
Continuation: TypeAlias = (
    "Callable[[CallDetails, Message | AsyncIterator[Message]], Awaitable[grpc.aio.Call]]"
)
CallDetails: TypeAlias = "grpc.aio.ClientCallDetails"


class HasCall(Protocol):
    """Has the program's current call, or the one that took its place."""

    @property
    def call(self) -> grpc.aio.UnaryStreamCall:
        """The call."""
        ...


class RecordedCall:
    """The call as the program sees it, with recorded events; ``cancel`` ends the recording."""

    def __init__(self, stream: HasCall, events: AsyncGenerator[Message, None]) -> None:
        self._stream = stream
        self._events = events
        self._closing: asyncio.Task[None] | None = None

    def __aiter__(self) -> AsyncIterator[Message]:
        return self._events

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream.call, name)

    def cancel(self) -> bool:
        """Cancel the call and close the recording."""
        # A generator that waits for an event is ended by the call, a finished one needs nothing.
        events: Any = self._events  # the interface lacks these attributes
        halted = events.ag_frame is not None and not events.ag_running
        # Without a loop, at the end of the program, the exit hooks write to the log.
        with contextlib.suppress(RuntimeError):
            if halted and self._closing is None:
                self._closing = asyncio.get_running_loop().create_task(self._close())
        return bool(self._stream.call.cancel())

    async def _close(self) -> None:
        await self._events.aclose()


# grpcio checks whether an interceptor returned a call or only an iterator.
grpc.aio.UnaryStreamCall.register(RecordedCall)


def method_of(details: CallDetails) -> str:
    """The full name of the method that is called."""
    method = details.method
    return method.decode() if isinstance(method, bytes) else str(method)
