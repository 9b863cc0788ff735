"""The calls of the Assistants service that recording needs, and the errors that they raise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, TypeVar

import grpc
from google.protobuf.wrappers_pb2 import Int64Value
from yandex.cloud.ai.assistants.v1.assistant_pb2 import Assistant
from yandex.cloud.ai.assistants.v1.assistant_service_pb2 import GetAssistantRequest
from yandex.cloud.ai.assistants.v1.assistant_service_pb2_grpc import AssistantServiceStub
from yandex.cloud.ai.assistants.v1.runs.run_pb2 import Run
from yandex.cloud.ai.assistants.v1.runs.run_service_pb2 import GetRunRequest, ListenRunRequest
from yandex.cloud.ai.assistants.v1.runs.run_service_pb2_grpc import RunServiceStub

from runreel.model.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from google.protobuf.message import Message
    from yandex.cloud.ai.assistants.v1.runs.run_service_pb2 import StreamEvent

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


def is_transient(error: grpc.RpcError) -> bool:
    """Whether the same call may succeed later."""
    return error.code() in _TRANSIENT and not is_unreadable(error)


def is_unreadable(error: grpc.RpcError) -> bool:
    """Whether the response could not be parsed as a message of the API."""
    return bool(error.details() == _UNREADABLE)


def invalid_message_error() -> SourceError:
    """The error for a response that is not a message of the API."""
    return SourceError(
        "the service sent data that is not a message of the Assistants API",
        hint="Check the endpoint (YC_API_ENDPOINT): does it serve yandex.cloud.ai.assistants.v1?",
    )


def require_message(message: T | None) -> T:
    """Return the message.

    Raises:
        SourceError: if it is None, which grpcio's asynchronous API returns for unreadable bytes.
    """
    if message is None:
        raise invalid_message_error()
    return message


class RunService(ABC):
    """Calls to the service of one run; they raise ``grpc.RpcError``."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id

    async def get(self, seconds: float) -> Run:
        """Fetch the run."""
        request = GetRunRequest(run_id=self.run_id)
        return await self._get(RunServiceStub, request, Run, seconds)

    async def assistant(self, assistant_id: str, seconds: float) -> Assistant:
        """Fetch an assistant."""
        request = GetAssistantRequest(assistant_id=assistant_id)
        return await self._get(AssistantServiceStub, request, Assistant, seconds)

    @abstractmethod
    async def _get(self, stub: type, request: Message, response_type: type[T], seconds: float) -> T:
        """Call the method ``Get`` of a service."""


class EventService(RunService):
    """The same with the events of the run."""

    def listen(self, start: int, seconds: float) -> AsyncGenerator[StreamEvent, None]:
        """Stream the events from number ``start`` on, for at most ``seconds``."""
        request = ListenRunRequest(run_id=self.run_id, events_start_idx=Int64Value(value=start))
        return self._listen(request, seconds)

    @abstractmethod
    def _listen(
        self, request: ListenRunRequest, seconds: float
    ) -> AsyncGenerator[StreamEvent, None]:
        """Call the method ``Listen``."""


async def blocking_events(
    next_event: Callable[[], T], close: Callable[[], object]
) -> AsyncGenerator[T, None]:
    """Yield the events of a blocking stream, without suspending; ``close`` ends the stream."""
    try:
        while True:
            try:
                event = next_event()
            except (StopIteration, StopAsyncIteration):
                return
            yield event
    finally:
        close()
