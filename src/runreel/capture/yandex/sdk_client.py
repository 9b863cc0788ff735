"""Calls for a run through the SDK's own client: for event loops and for blocking threads."""

from __future__ import annotations

import asyncio
import copy
from contextlib import aclosing
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from yandex.cloud.ai.assistants.v1.runs.run_service_pb2 import StreamEvent
from yandex.cloud.ai.assistants.v1.runs.run_service_pb2_grpc import RunServiceStub

from runreel.capture.yandex.run_service import EventService, T, blocking_events, require_message

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Coroutine

    from google.protobuf.message import Message
    from yandex.cloud.ai.assistants.v1.runs.run_service_pb2 import (
        AttachRunRequest,
        ListenRunRequest,
    )
    from yandex_ai_studio_sdk._client import AsyncCloudClient
    from yandex_ai_studio_sdk._sdk import BaseSDK


# Streams of blocking clients: the garbage collector of a thread must not finalize one that the
# event loop closes.
_open_streams: set[AsyncGenerator[StreamEvent, None]] = set()


class AsyncSdkClient(EventService):
    """Makes calls in the running event loop."""

    def __init__(self, sdk: BaseSDK, run_id: str) -> None:
        super().__init__(run_id)
        self._client = _without_sdk_interceptors(sdk._client)  # noqa: SLF001 - the only access to protos

    async def submit(self, request: AttachRunRequest, seconds: float) -> None:
        """Send tool results; like the SDK, returns after the second event in return."""

        async def requests() -> AsyncIterator[AttachRunRequest]:
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

    async def _get(self, stub: type, request: Message, response_type: type[T], seconds: float) -> T:
        async with self._client.get_service_stub(stub, timeout=seconds) as service:
            response: T | None = await self._client.call_service(
                service.Get, request, timeout=seconds, expected_type=response_type
            )
            return require_message(response)

    async def _listen(
        self, request: ListenRunRequest, seconds: float
    ) -> AsyncGenerator[StreamEvent, None]:
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


class BlockingSdkClient(AsyncSdkClient):
    """Makes calls in the SDK's own event loop, while the calling thread waits.

    Its coroutines never suspend.
    """

    def __init__(self, sdk: BaseSDK, run_id: str) -> None:
        super().__init__(sdk, run_id)
        self._loop: asyncio.AbstractEventLoop = sdk._get_event_loop()  # noqa: SLF001

    async def submit(self, request: AttachRunRequest, seconds: float) -> None:
        """Send tool results."""
        _run_in_loop(super().submit(request, seconds), self._loop)

    async def _get(self, stub: type, request: Message, response_type: type[T], seconds: float) -> T:
        return _run_in_loop(super()._get(stub, request, response_type, seconds), self._loop)

    def _listen(
        self, request: ListenRunRequest, seconds: float
    ) -> AsyncGenerator[StreamEvent, None]:
        events, loop = super()._listen(request, seconds), self._loop
        _open_streams.add(events)

        def close() -> None:
            # Not awaited: at the exit of the interpreter the loop no longer runs.
            closing = asyncio.run_coroutine_threadsafe(events.aclose(), loop)
            closing.add_done_callback(lambda _: _open_streams.discard(events))

        return blocking_events(lambda: _run_in_loop(_next(events), loop), close)


async def _next(events: AsyncGenerator[T, None]) -> T:
    return await anext(events)  # first called in the loop, which then knows the generator


def _run_in_loop(coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> T:
    future = asyncio.run_coroutine_threadsafe(coroutine, loop)
    try:
        return future.result()
    except BaseException:
        # On Ctrl-C the pending call must not continue and consume an event.
        future.cancel()
        raise


_clones: WeakKeyDictionary[AsyncCloudClient, AsyncCloudClient] = WeakKeyDictionary()


def _without_sdk_interceptors(client: AsyncCloudClient) -> AsyncCloudClient:
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
