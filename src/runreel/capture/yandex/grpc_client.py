"""Client for a run over plain gRPC, with the SDK's environment variables but without the SDK."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple

import grpc
from yandex.cloud.ai.assistants.v1.runs.run_service_pb2_grpc import RunServiceStub
from yandex.cloud.endpoint.api_endpoint_service_pb2 import ListApiEndpointsRequest
from yandex.cloud.endpoint.api_endpoint_service_pb2_grpc import ApiEndpointServiceStub

from runreel.capture.yandex.credentials import KEYS, authorization
from runreel.capture.yandex.listener import Listener
from runreel.capture.yandex.retry import RetryPolicy
from runreel.capture.yandex.run_service import (
    EventService,
    T,
    blocking_events,
    invalid_message_error,
    is_unreadable,
)
from runreel.capture.yandex.session import Session
from runreel.model.errors import SourceError
from runreel.system.sync_bridge import blocking

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Mapping

    from google.protobuf.message import Message
    from yandex.cloud.ai.assistants.v1.runs.run_service_pb2 import ListenRunRequest, StreamEvent

    from runreel.capture.yandex.recording_adapter import RecordingAdapter


_ENDPOINT = "api.cloud.yandex.net:443"
_ASSISTANTS = "ai-assistants"
# Seconds that one connection lasts.
_LISTEN_SECONDS = 60.0
_OFF = "The Assistants service was switched off in January 2026; only compatible servers respond."


def listen(
    store: RecordingAdapter,
    run_id: str,
    environment: Mapping[str, str],
    patience: RetryPolicy | None = None,
) -> None:
    """Record a run until it ends.

    Raises:
        SourceError: if the service refuses or fails before the end of the run.
    """
    patience = patience or RetryPolicy()
    with ExitStack() as closing:
        # Connects lazily: a run that is complete in the log needs no service.
        client = GrpcClient(
            run_id, lambda: closing.enter_context(_connected(environment, patience.ask))
        )
        session = Session(client, store, patience=patience)
        listener = Listener(session, client, lambda event: event, sends_results=False)
        try:
            for _ in blocking(listener.events(None, _LISTEN_SECONDS)):
                pass
        except grpc.RpcError as error:
            raise _to_source_error(error, run_id) from error


class Connection(NamedTuple):
    """A channel to the Assistants service, and the metadata that authorizes calls."""

    channel: grpc.Channel
    metadata: list[tuple[str, str]]


class GrpcClient(EventService):
    """Blocking calls to the service of one run. Its coroutines never suspend."""

    def __init__(self, run_id: str, connect: Callable[[], Connection]) -> None:
        super().__init__(run_id)
        self._connect = connect

    @cached_property
    def _connection(self) -> Connection:
        return self._connect()

    async def _get(self, stub: type, request: Message, response_type: type[T], seconds: float) -> T:  # noqa: ARG002
        channel, metadata = self._connection
        response: T = stub(channel).Get(request, timeout=seconds, metadata=metadata)
        return response

    def _listen(
        self, request: ListenRunRequest, seconds: float
    ) -> AsyncGenerator[StreamEvent, None]:
        channel, metadata = self._connection
        call = RunServiceStub(channel).Listen(request, timeout=seconds, metadata=metadata)
        return blocking_events(partial(next, call), call.cancel)


@contextmanager
def _connected(environment: Mapping[str, str], seconds: float) -> Iterator[Connection]:
    metadata = [("authorization", _key(environment))]
    endpoint = environment.get("YC_API_ENDPOINT") or _ENDPOINT
    credentials = grpc.ssl_channel_credentials()
    with grpc.secure_channel(endpoint, credentials) as channel:
        address = _discover(channel, seconds) or endpoint
    with grpc.secure_channel(address, credentials) as channel:
        yield Connection(channel, metadata)


def _key(environment: Mapping[str, str]) -> str:
    key = authorization(environment)
    if key is None:
        raise SourceError(
            "no key for the Assistants service is set",
            hint=f"Set one of {', '.join(KEYS)}. {_OFF}",
        )
    return key


def _discover(channel: grpc.Channel, seconds: float) -> str | None:
    """Ask the endpoint for the address of the assistants; None if it lists none."""
    discovery = ApiEndpointServiceStub(channel)
    try:
        response = discovery.List(ListApiEndpointsRequest(), timeout=seconds)
    except grpc.RpcError as error:
        # A server without discovery is the Assistants service itself.
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            return None
        raise
    return next((found.address for found in response.endpoints if found.id == _ASSISTANTS), None)


def _to_source_error(error: grpc.RpcError, run_id: str) -> SourceError:
    if is_unreadable(error):
        return invalid_message_error()
    code, details = error.code(), " ".join(str(error.details()).split())
    if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        return SourceError(
            f"the Assistants service refuses the key: {details}",
            hint=f"Check {', '.join(KEYS)}; the first that is set is used.",
        )
    if code is grpc.StatusCode.NOT_FOUND:
        return SourceError(f"the Assistants service has no run {run_id}: {details}")
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return SourceError(
            f"the Assistants service does not answer: {details}",
            hint=f"Check YC_API_ENDPOINT and the network. {_OFF}",
        )
    return SourceError(f"the Assistants service fails ({code.name}): {details}")
