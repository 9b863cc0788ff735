"""Clients for a run that use the SDK's own client: for event loops and for blocking threads."""

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


# Details of grpcio's error for a response that cannot be parsed (blocking API only).
_UNREADABLE = "Exception deserializing response!"


def is_transient(error: Any) -> bool:
    """Whether the same call may succeed later."""
    return error.code() in _TRANSIENT and not is_unreadable(error)


def is_unreadable(error: Any) -> bool:
    """Whether the response could not be parsed as a message of the API."""
    return bool(error.details() == _UNREADABLE)


def invalid_message_error() -> SourceError:
    """The error for a response that is not a message of the API."""
    return SourceError(
        "the service sent data that is not a message of the Assistants API",
        hint="Check the endpoint (YC_API_ENDPOINT): does it serve yandex.cloud.ai.assistants.v1?",
    )


def require_message(message: Any) -> Any:
    """Return the message.

    Raises:
        SourceError: if it is None, which grpcio's asynchronous API returns for unreadable bytes.
    """
    if message is None:
        raise invalid_message_error()
    return message


class Stream(Protocol):
    """The events of a run as they arrive."""

    def __aiter__(self) -> AsyncIterator[Any]:
        """Iterate over the protos."""
        ...

    async def aclose(self) -> None:
        """Stop listening."""
        ...


class RunService(Protocol):
    """Calls to the service of one run; they raise ``grpc.RpcError``."""

    run_id: str

    async def get(self, seconds: float) -> Any:
        """Fetch the run."""
        ...

    async def assistant(self, assistant_id: str, seconds: float) -> Any:
        """Fetch an assistant."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        ...


class EventSource(Protocol):
    """Streams the events of a run."""

    def listen(self, start: int, seconds: float) -> Stream:
        """Stream the events from number ``start`` on, for at most ``seconds``."""
        ...


class AsyncSdkClient:
    """Makes calls in the running event loop."""

    def __init__(self, sdk: Any, run_id: str) -> None:
        self.run_id = run_id
        self._client = _without_sdk_interceptors(sdk._client)  # noqa: SLF001 - the only access to protos

    async def listen(self, start: int, seconds: float) -> AsyncGenerator[Any, None]:
        """Stream the events from number ``start`` on, for at most ``seconds``."""
        request = ListenRunRequest(run_id=self.run_id, events_start_idx=Int64Value(value=start))
        try:
            async with self._client.get_service_stub(RunServiceStub, timeout=seconds) as stub:
                stream = self._client.call_service_stream(
                    stub.Listen, request, timeout=seconds, expected_type=StreamEvent
                )
                async with aclosing(stream) as events:
                    async for event in events:
                        yield require_message(event)
        except asyncio.CancelledError:
            # A cancellation by the service looks the same, and only ends the stream early.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise

    async def get(self, seconds: float) -> Any:
        """Fetch the run."""
        return await self._call(RunServiceStub, GetRunRequest(run_id=self.run_id), Run, seconds)

    async def assistant(self, assistant_id: str, seconds: float) -> Any:
        """Fetch an assistant."""
        request = GetAssistantRequest(assistant_id=assistant_id)
        return await self._call(AssistantServiceStub, request, Assistant, seconds)

    async def submit(self, request: Any, seconds: float) -> None:
        """Send tool results; like the SDK, returns after the second event in return."""

        async def requests() -> AsyncIterator[Any]:
            yield request

        received = 0
        async with self._client.get_service_stub(RunServiceStub, timeout=seconds) as stub:
            stream = self._client.stream_service_stream(
                stub.Attach, requests(), timeout=seconds, expected_type=StreamEvent
            )
            async with aclosing(stream) as events:
                async for _ in events:
                    received += 1
                    if received == 2:
                        return

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        await asyncio.sleep(seconds)

    async def _call(self, stub_class: Any, request: Any, response_type: Any, seconds: float) -> Any:
        async with self._client.get_service_stub(stub_class, timeout=seconds) as stub:
            response = await self._client.call_service(
                stub.Get, request, timeout=seconds, expected_type=response_type
            )
            return require_message(response)


class BlockingSdkClient:
    """Makes calls in the SDK's own event loop, while the calling thread waits.

    Its coroutines never suspend.
    """

    def __init__(self, sdk: Any, run_id: str) -> None:
        self.run_id = run_id
        self._calls = AsyncSdkClient(sdk, run_id)
        self._loop: asyncio.AbstractEventLoop = sdk._get_event_loop()  # noqa: SLF001

    def listen(self, start: int, seconds: float) -> Stream:
        """Stream the events from number ``start`` on, for at most ``seconds``."""
        return _BlockingStream(self._calls.listen(start, seconds), self._loop)

    async def get(self, seconds: float) -> Any:
        """Fetch the run."""
        return _run_in_loop(self._calls.get(seconds), self._loop)

    async def assistant(self, assistant_id: str, seconds: float) -> Any:
        """Fetch an assistant."""
        return _run_in_loop(self._calls.assistant(assistant_id, seconds), self._loop)

    async def submit(self, request: Any, seconds: float) -> None:
        """Send tool results."""
        _run_in_loop(self._calls.submit(request, seconds), self._loop)

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)  # noqa: ASYNC251 - this client blocks


class _BlockingStream:
    def __init__(self, events: AsyncGenerator[Any, None], loop: asyncio.AbstractEventLoop) -> None:
        self._events = events
        self._loop = loop
        self._closed = False

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        return _run_in_loop(self._next(), self._loop)

    async def aclose(self) -> None:
        # Not awaited: at the exit of the interpreter the loop no longer runs.
        if not self._closed:
            self._closed = True
            asyncio.run_coroutine_threadsafe(self._events.aclose(), self._loop)

    async def _next(self) -> Any:
        return await anext(self._events)


def _run_in_loop(coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> T:
    future = asyncio.run_coroutine_threadsafe(coroutine, loop)
    try:
        return future.result()
    except BaseException:
        # On Ctrl-C the pending call must not continue and consume an event.
        future.cancel()
        raise


_clones: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()


def _without_sdk_interceptors(client: Any) -> Any:
    """A clone of the SDK's client with the user's interceptors, but without the SDK's own.

    The SDK's retries repeat events, and its call log makes grpcio report false errors.
    """
    if client not in _clones:
        clone = copy.copy(client)
        clone._interceptors = tuple(  # noqa: SLF001
            interceptor
            for interceptor in client._interceptors  # noqa: SLF001
            if not type(interceptor).__module__.startswith("yandex_ai_studio_sdk.")
        )
        clone._channels = {}  # noqa: SLF001
        _clones[client] = clone
    return _clones[client]
