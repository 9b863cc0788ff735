"""Reaching a run over plain gRPC, with the SDK's environment variables and without the SDK."""

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
from runreel.capture.yandex.by_id import KEYS, authorization
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
# How long one connection lasts.
_LISTEN_SECONDS = 60.0
_OFF = "The Assistants service was switched off in January 2026: only servers like it answer."


def listen(
    database: Database,
    keeper: GuardedRecorder,
    environment: Mapping[str, str],
    patience: RetryPolicy | None = None,
) -> Iterator[AppendOutcome | None]:
    """What becomes of each value that the service tells of a run, until the run is over.

    Raises:
        SourceError: if the service does not let us listen to its end.
    """
    run_id = keeper.recorder.run_id
    patience = patience or RetryPolicy()
    kept: deque[AppendOutcome | None] = deque()
    with _message_for(run_id), ExitStack() as closing:
        # Connected only when asked: what the log has whole needs no service.
        wire = GrpcClient(
            run_id, lambda: closing.enter_context(_connected(environment, patience.ask))
        )
        session = Session(wire, _ReportingStore(keeper, kept.append), patience=patience)
        listener = Listener(database, session, wire, lambda event: event, answers=False)
        for _ in blocking(listener.events(None, _LISTEN_SECONDS)):
            while kept:
                yield kept.popleft()
    yield from kept


class _ReportingStore(RecordingAdapter):
    """A store that tells what became of each value."""

    def __init__(
        self, keeper: GuardedRecorder, tell: Callable[[AppendOutcome | None], None]
    ) -> None:
        super().__init__(keeper)
        self._tell = tell

    async def offer(
        self, kind: str, value: Any, shown: Callable[[], Any] = lambda: None
    ) -> AppendOutcome | None:
        """Like ``Store.offer``."""
        offer = await super().offer(kind, value, shown)
        self._tell(offer)
        return offer


class Connection(NamedTuple):
    """A channel to the Assistants service, and the metadata that opens its doors."""

    channel: Any
    metadata: list[tuple[str, str]]


class GrpcClient:
    """Calls that block; its coroutines never suspend."""

    def __init__(self, run_id: str, connect: Callable[[], Connection]) -> None:
        self.run_id = run_id
        self._connect = connect

    @cached_property
    def _service(self) -> Connection:
        return self._connect()

    def listen(self, start: int, seconds: float) -> _Stream:
        """The events from number ``start`` on, for at most ``seconds``."""
        request = ListenRunRequest(run_id=self.run_id, events_start_idx=Int64Value(value=start))
        channel, metadata = self._service
        return _Stream(RunServiceStub(channel).Listen(request, timeout=seconds, metadata=metadata))

    async def get(self, seconds: float) -> Any:
        """The run."""
        request = GetRunRequest(run_id=self.run_id)
        channel, metadata = self._service
        return RunServiceStub(channel).Get(request, timeout=seconds, metadata=metadata)

    async def assistant(self, assistant_id: str, seconds: float) -> Any:
        """An assistant."""
        request = GetAssistantRequest(assistant_id=assistant_id)
        channel, metadata = self._service
        return AssistantServiceStub(channel).Get(request, timeout=seconds, metadata=metadata)

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)  # noqa: ASYNC251 - there is a thread of its own to block


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
    told = environment.get("YC_API_ENDPOINT")
    credentials = grpc.ssl_channel_credentials()
    with grpc.secure_channel(told or _ENDPOINT, credentials) as channel:
        address = _address(channel, seconds) or told or _ENDPOINT
    with grpc.secure_channel(address, credentials) as channel:
        yield Connection(channel, metadata)


def _key(environment: Mapping[str, str]) -> str:
    key = authorization(environment)
    if key is None:
        raise SourceError(
            "there is no key for the Assistants service",
            hint=f"Set one of {', '.join(KEYS)}. {_OFF}",
        )
    return key


def _address(channel: Any, seconds: float) -> str | None:
    """Where the service says that its assistants are; None where it says nothing of the kind."""
    discovery = ApiEndpointServiceStub(channel)
    try:
        told = discovery.List(ListApiEndpointsRequest(), timeout=seconds)
    except grpc.RpcError as error:
        code: Any = error
        # A server that has nothing but assistants is what was meant.
        if code.code() is grpc.StatusCode.UNIMPLEMENTED:
            return None
        raise
    return next((found.address for found in told.endpoints if found.id == _ASSISTANTS), None)


@contextmanager
def _message_for(run_id: str) -> Iterator[None]:
    """What gRPC raises, as errors of ours."""
    try:
        yield
    except grpc.RpcError as error:
        raise _translated(error, run_id) from error


def _translated(error: Any, run_id: str) -> SourceError:
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
