"""The routes of calls that a program makes, and further calls over the same route."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import grpc

from runreel.capture.yandex.retry import Backoff
from runreel.capture.yandex.run_service import require_message

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from google.protobuf.message import Message
    from yandex.cloud.ai.assistants.v1.runs.run_service_pb2 import ListenRunRequest, StreamEvent

    from runreel.capture.yandex.recorded_call import CallDetails, Continuation
    from runreel.capture.yandex.session import EventIntake, Session

# Metadata key by which the SDK configures its own retry interceptor.
_RETRY = "yc-ml-sdk-retry"


class CallRoute(NamedTuple):
    """How the program made a call, so that further calls can be made the same way."""

    continuation: Continuation
    details: CallDetails
    metadata: tuple[tuple[str, str | bytes], ...]

    @classmethod
    def from_call(cls, continuation: Continuation, details: CallDetails) -> CallRoute:
        """The route of a call; copies its metadata, which later interceptors may change."""
        return cls(continuation, details, tuple(details.metadata or ()))

    async def send(self, request: Message) -> grpc.aio.Call:
        """Make the same call with this request."""
        details = self.details._replace(metadata=grpc.aio.Metadata(*self.metadata))
        return await self.continuation(details, request)

    async def call(self, method: str, request: Message, seconds: float) -> Message:
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

    def __init__(
        self, route: CallRoute, request: ListenRunRequest, call: grpc.aio.UnaryStreamCall
    ) -> None:
        self.route = route
        self.call = call
        self._request = request

    async def events(
        self, session: Session, intake: EventIntake
    ) -> AsyncGenerator[StreamEvent, None]:
        """Yield the events, for ``intake``; the SDK's own retries may repeat some.

        Raises:
            grpc.RpcError: as the SDK does, except for deadlines while the run goes on.
        """
        backoff = Backoff(session.patience)
        while True:
            try:
                async for event in self.call:
                    yield require_message(event)
                    backoff.event_received()
            except grpc.RpcError as error:
                if not await _should_resume(error, session, backoff):
                    raise
                await session.store.sleep(backoff.next_pause())
                self.call = await self.route.send(self._rest(intake.next))
            else:
                return

    def _rest(self, start: int) -> ListenRunRequest:
        """The request for the events from number ``start`` on."""
        request = type(self._request)()
        request.CopyFrom(self._request)
        request.events_start_idx.value = max(start, request.events_start_idx.value)
        return request


async def _should_resume(error: grpc.RpcError, session: Session, backoff: Backoff) -> bool:
    """Whether to resume: the error is a deadline and the retry policy allows another attempt."""
    if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
        return False
    if await session.try_fetch_run() is not None:
        backoff.response_received()
    return not backoff.is_over
