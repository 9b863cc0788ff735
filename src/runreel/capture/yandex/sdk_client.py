"""Reaching a run by the SDK's own client: from an event loop, or from a thread that may block."""

from __future__ import annotations

import asyncio
import copy
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

import grpc
from google.protobuf.wrappers_pb2 import Int64Value
from yandex.cloud.ai.assistants.v1.assistant_pb2 import Assistant
from yandex.cloud.ai.assistants.v1.assistant_service_pb2 import GetAssistantRequest
from yandex.cloud.ai.assistants.v1.assistant_service_pb2_grpc import AssistantServiceStub
from yandex.cloud.ai.assistants.v1.runs.run_pb2 import Run
from yandex.cloud.ai.assistants.v1.runs.run_service_pb2 import (
    GetRunRequest,
    ListenRunRequest,
    StreamEvent,
)
from yandex.cloud.ai.assistants.v1.runs.run_service_pb2_grpc import RunServiceStub

from runreel.model.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Coroutine

T = TypeVar("T")

_TRANSIENT = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.CANCELLED,
    }
)


# How grpcio reports that what came is no message; only its blocking half does.
_UNREADABLE = "Exception deserializing response!"


def is_transient(error: Any) -> bool:
    """Whether the same call may well succeed a little later."""
    return error.code() in _TRANSIENT and not is_unreadable(error)


def is_unreadable(error: Any) -> bool:
    """Whether what came was no message of the API."""
    return bool(error.details() == _UNREADABLE)


def invalid_message_error() -> SourceError:
    """The error that it was none."""
    return SourceError(
        "the service sends something that is no message of the Assistants API",
        hint="Check the endpoint (YC_API_ENDPOINT): does it speak yandex.cloud.ai.assistants.v1?",
    )


def require_message(message: Any) -> Any:
    """The message, which grpcio's asynchronous half makes None where the bytes were none."""
    if message is None:
        raise invalid_message_error()
    return message


class Stream(Protocol):
    """A run's events as they come."""

    def __aiter__(self) -> AsyncIterator[Any]:
        """The protos."""
        ...

    async def aclose(self) -> None:
        """Stop listening."""
        ...


class RunService(Protocol):
    """What the service can be asked about one run; ``grpc.RpcError`` where it does not answer."""

    run_id: str

    async def get(self, seconds: float) -> Any:
        """The run."""
        ...

    async def assistant(self, assistant_id: str, seconds: float) -> Any:
        """An assistant."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        ...


class EventSource(Protocol):
    """What listens to the run."""

    def listen(self, start: int, seconds: float) -> Stream:
        """The events from number ``start`` on, for at most ``seconds``."""
        ...


class AsyncSdkClient:
    """Calls in the event loop that one is in."""

    def __init__(self, sdk: Any, run_id: str) -> None:
        self.run_id = run_id
        self._client = _without_sdk_interceptors(sdk._client)  # noqa: SLF001 - the SDK shows no protos otherwise

    async def listen(self, start: int, seconds: float) -> AsyncGenerator[Any, None]:
        """The events from number ``start`` on, for at most ``seconds``."""
        request = ListenRunRequest(run_id=self.run_id, events_start_idx=Int64Value(value=start))
        try:
            async with self._client.get_service_stub(RunServiceStub, timeout=seconds) as stub:
                told = self._client.call_service_stream(
                    stub.Listen, request, timeout=seconds, expected_type=StreamEvent
                )
                async with aclosing(told) as events:
                    async for event in events:
                        yield require_message(event)
        except asyncio.CancelledError:
            # When the service cancels, this looks the same, and is no more than an early end.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise

    async def get(self, seconds: float) -> Any:
        """The run."""
        return await self._ask(RunServiceStub, GetRunRequest(run_id=self.run_id), Run, seconds)

    async def assistant(self, assistant_id: str, seconds: float) -> Any:
        """An assistant."""
        request = GetAssistantRequest(assistant_id=assistant_id)
        return await self._ask(AssistantServiceStub, request, Assistant, seconds)

    async def submit(self, request: Any, seconds: float) -> None:
        """Send tool results; over, as for the SDK, with the second event that comes back."""

        async def requests() -> AsyncIterator[Any]:
            yield request

        heard = 0
        async with self._client.get_service_stub(RunServiceStub, timeout=seconds) as stub:
            told = self._client.stream_service_stream(
                stub.Attach, requests(), timeout=seconds, expected_type=StreamEvent
            )
            async with aclosing(told) as events:
                async for _ in events:
                    heard += 1
                    if heard == 2:
                        return

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    async def _ask(self, stub_class: Any, request: Any, answer: Any, seconds: float) -> Any:
        async with self._client.get_service_stub(stub_class, timeout=seconds) as stub:
            told = await self._client.call_service(
                stub.Get, request, timeout=seconds, expected_type=answer
            )
            return require_message(told)


class BlockingSdkClient:
    """Calls in the SDK's own event loop, for which the calling thread waits.

    Its coroutines never suspend.
    """

    def __init__(self, sdk: Any, run_id: str) -> None:
        self.run_id = run_id
        self._calls = AsyncSdkClient(sdk, run_id)
        self._loop: asyncio.AbstractEventLoop = sdk._get_event_loop()  # noqa: SLF001

    def listen(self, start: int, seconds: float) -> Stream:
        """The events from number ``start`` on, for at most ``seconds``."""
        return _BlockingStream(self._calls.listen(start, seconds), self._loop)

    async def get(self, seconds: float) -> Any:
        """The run."""
        return _wait(self._calls.get(seconds), self._loop)

    async def assistant(self, assistant_id: str, seconds: float) -> Any:
        """An assistant."""
        return _wait(self._calls.assistant(assistant_id, seconds), self._loop)

    async def submit(self, request: Any, seconds: float) -> None:
        """Send tool results."""
        _wait(self._calls.submit(request, seconds), self._loop)

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)  # noqa: ASYNC251 - blocking is what this one is for


class _BlockingStream:
    def __init__(self, events: AsyncGenerator[Any, None], loop: asyncio.AbstractEventLoop) -> None:
        self._events = events
        self._loop = loop
        self._closed = False

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        return _wait(self._next(), self._loop)

    async def aclose(self) -> None:
        # Nobody waits for it: at the end of the interpreter nothing answers any more.
        if not self._closed:
            self._closed = True
            asyncio.run_coroutine_threadsafe(self._events.aclose(), self._loop)

    async def _next(self) -> Any:
        return await anext(self._events)


def _wait(coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> T:
    future = asyncio.run_coroutine_threadsafe(coroutine, loop)
    try:
        return future.result()
    except BaseException:
        # Ctrl-C: what we waited for must not go on and swallow an event.
        future.cancel()
        raise


_quieted: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()


def _without_sdk_interceptors(client: Any) -> Any:
    """The SDK's client, with the user's interceptors but without the SDK's own.

    Its retries tell events twice, and its call log makes grpcio report errors that are none.
    """
    if client not in _quieted:
        twin = copy.copy(client)
        twin._interceptors = tuple(  # noqa: SLF001
            interceptor
            for interceptor in client._interceptors  # noqa: SLF001
            if not type(interceptor).__module__.startswith("yandex_ai_studio_sdk.")
        )
        twin._channels = {}  # noqa: SLF001
        _quieted[client] = twin
    return _quieted[client]
