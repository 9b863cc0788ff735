"""Client for a run over plain gRPC, with the SDK's environment variables but without the SDK."""

from __future__ import annotations

import time
from collections import deque
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
from google.protobuf.wrappers_pb2 import Int64Value
from yandex.cloud.ai.assistants.v1.assistant_service_pb2 import GetAssistantRequest
from yandex.cloud.ai.assistants.v1.assistant_service_pb2_grpc import AssistantServiceStub
from yandex.cloud.ai.assistants.v1.runs.run_service_pb2 import GetRunRequest, ListenRunRequest
from yandex.cloud.ai.assistants.v1.runs.run_service_pb2_grpc import RunServiceStub
from yandex.cloud.endpoint.api_endpoint_service_pb2 import ListApiEndpointsRequest
from yandex.cloud.endpoint.api_endpoint_service_pb2_grpc import ApiEndpointServiceStub

from runreel.capture.sync_bridge import blocking
from runreel.capture.yandex.credentials import KEYS, authorization
from runreel.capture.yandex.listener import Listener
from runreel.capture.yandex.recording_adapter import RecordingAdapter
from runreel.capture.yandex.sdk_client import invalid_message_error, is_unreadable
from runreel.capture.yandex.session import RetryPolicy, Session
from runreel.model.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from runreel.recording.deduplication import AppendOutcome
    from runreel.recording.error_policy import GuardedRecorder
    from runreel.store.database import Database

_ENDPOINT = "api.cloud.yandex.net:443"
_ASSISTANTS = "ai-assistants"
# Seconds that one connection lasts.
_LISTEN_SECONDS = 60.0
_OFF = "The Assistants service was switched off in January 2026; only compatible servers respond."


def listen(
    database: Database,
    recorder: GuardedRecorder,
    environment: Mapping[str, str],
    patience: RetryPolicy | None = None,
) -> Iterator[AppendOutcome | None]:
    """Record a run until it ends; yields the outcome of each stored value.

    Raises:
        SourceError: if the service refuses or fails before the end of the run.
    """
    run_id = recorder.recorder.run_id
    patience = patience or RetryPolicy()
    outcomes: deque[AppendOutcome | None] = deque()
    with _translated_errors(run_id), ExitStack() as closing:
        # Connects lazily: a run that is complete in the log needs no service.
        client = GrpcClient(
            run_id, lambda: closing.enter_context(_connected(environment, patience.ask))
        )
        session = Session(client, _ReportingStore(recorder, outcomes.append), patience=patience)
        listener = Listener(database, session, client, lambda event: event, sends_results=False)
        for _ in blocking(listener.events(None, _LISTEN_SECONDS)):
            while outcomes:
                yield outcomes.popleft()
    yield from outcomes


class _ReportingStore(RecordingAdapter):
    """Reports the outcome of each stored value."""

    def __init__(
        self, recorder: GuardedRecorder, report: Callable[[AppendOutcome | None], None]
    ) -> None:
        super().__init__(recorder)
        self._report = report

    async def offer(
        self, kind: str, value: Any, make_event: Callable[[], Any] = lambda: None
    ) -> AppendOutcome | None:
        """Like ``RecordingAdapter.offer``."""
        outcome = await super().offer(kind, value, make_event)
        self._report(outcome)
        return outcome


class Connection(NamedTuple):
    """A channel to the Assistants service, and the metadata that authorizes calls."""

    channel: Any
    metadata: list[tuple[str, str]]


class GrpcClient:
    """Blocking calls to the service of one run. Its coroutines never suspend."""

    def __init__(self, run_id: str, connect: Callable[[], Connection]) -> None:
        self.run_id = run_id
        self._connect = connect

    @cached_property
    def _connection(self) -> Connection:
        return self._connect()

    def listen(self, start: int, seconds: float) -> _Stream:
        """Stream the events from number ``start`` on, for at most ``seconds``."""
        request = ListenRunRequest(run_id=self.run_id, events_start_idx=Int64Value(value=start))
        channel, metadata = self._connection
        return _Stream(RunServiceStub(channel).Listen(request, timeout=seconds, metadata=metadata))

    async def get(self, seconds: float) -> Any:
        """Fetch the run."""
        request = GetRunRequest(run_id=self.run_id)
        channel, metadata = self._connection
        return RunServiceStub(channel).Get(request, timeout=seconds, metadata=metadata)

    async def assistant(self, assistant_id: str, seconds: float) -> Any:
        """Fetch an assistant."""
        request = GetAssistantRequest(assistant_id=assistant_id)
        channel, metadata = self._connection
        return AssistantServiceStub(channel).Get(request, timeout=seconds, metadata=metadata)

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)  # noqa: ASYNC251 - this client owns its thread


class _Stream:
    def __init__(self, call: Any) -> None:
        self._call = call

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        try:
            return next(self._call)
        except StopIteration:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        self._call.cancel()


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


def _discover(channel: Any, seconds: float) -> str | None:
    """Ask the endpoint for the address of the assistants; None if it lists none."""
    discovery = ApiEndpointServiceStub(channel)
    try:
        response = discovery.List(ListApiEndpointsRequest(), timeout=seconds)
    except grpc.RpcError as error:
        code: Any = error
        # A server without discovery is the Assistants service itself.
        if code.code() is grpc.StatusCode.UNIMPLEMENTED:
            return None
        raise
    return next((found.address for found in response.endpoints if found.id == _ASSISTANTS), None)


@contextmanager
def _translated_errors(run_id: str) -> Iterator[None]:
    """Translate gRPC's errors to ``SourceError``."""
    try:
        yield
    except grpc.RpcError as error:
        raise _to_source_error(error, run_id) from error


def _to_source_error(error: Any, run_id: str) -> SourceError:
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
