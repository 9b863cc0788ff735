"""gRPC interceptors that record every run of an SDK object."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import aclosing
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import grpc

from runreel.capture import exit_hooks
from runreel.capture.yandex import proto_json as protos
from runreel.capture.yandex.intercepted_calls import CallRoute, ResumedStream
from runreel.capture.yandex.recorded_call import RecordedCall, method_of
from runreel.capture.yandex.recording_adapter import RecordingAdapter
from runreel.capture.yandex.retry import RetryPolicy
from runreel.capture.yandex.run_service import RunService, T
from runreel.capture.yandex.session import EventIntake, Session
from runreel.model.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from google.protobuf.message import Message
    from yandex.cloud.ai.assistants.v1.assistant_pb2 import Assistant
    from yandex.cloud.ai.assistants.v1.runs.run_pb2 import Run
    from yandex.cloud.ai.assistants.v1.runs.run_service_pb2 import AttachRunRequest, StreamEvent

    from runreel.capture.yandex.recorded_call import CallDetails, Continuation
    from runreel.store.database import Database

_RUNS = "/yandex.cloud.ai.assistants.v1.runs.RunService/"
_ASSISTANTS = "/yandex.cloud.ai.assistants.v1.AssistantService/"
_RUN = frozenset({_RUNS + "Create", _RUNS + "Get", _RUNS + "GetLastByThread"})
_ASSISTANT = frozenset({_ASSISTANTS + "Create", _ASSISTANTS + "Get", _ASSISTANTS + "Update"})
Interceptor: TypeAlias = "grpc.aio.ClientInterceptor"

# Number of finished runs whose recordings stay in memory.
_MAX_FINAL = 256


def create(database: Database, on_error: str, patience: RetryPolicy | None) -> list[Interceptor]:
    """Create the interceptors of one SDK object."""
    recordings = _Recordings(database, on_error, patience or RetryPolicy())
    return [_UnaryCalls(recordings), _Streams(recordings), _ToolResults(recordings)]


class _InterceptedService(RunService):
    """Calls for a run that reuse the routes of the program's own calls."""

    def __init__(self, run_id: str, assistants: dict[str, Assistant]) -> None:
        super().__init__(run_id)
        self.route: CallRoute | None = None
        self._assistants = assistants

    async def assistant(self, assistant_id: str, seconds: float) -> Assistant:  # noqa: ARG002
        """Return an assistant, if the program has fetched it."""
        if assistant_id not in self._assistants:
            raise SourceError(f"assistant {assistant_id} is not known")
        return self._assistants[assistant_id]

    async def _get(self, stub: type, request: Message, response_type: type[T], seconds: float) -> T:  # noqa: ARG002
        if self.route is None:
            raise SourceError(f"no call of the program to run {self.run_id} was seen yet")
        run: T = await self.route.call(_RUNS + "Get", request, seconds)
        return run


class _RunRecording(NamedTuple):
    """The recording of one run, and the client for its service."""

    session: Session
    client: _InterceptedService


class _Recordings:
    """The recordings of one SDK object, by run id."""

    def __init__(self, database: Database, on_error: str, patience: RetryPolicy) -> None:
        self.assistants: dict[str, Assistant] = {}
        self._database = database
        self._on_error = on_error
        self._patience = patience
        self._by_run: OrderedDict[str, _RunRecording] = OrderedDict()

    def recording_for(self, run_id: str) -> _RunRecording:
        """The recording of a run, created on first use."""
        if run_id not in self._by_run:
            store = RecordingAdapter(
                self._database, run_id, blocking=False, on_error=self._on_error
            )
            client = _InterceptedService(run_id, self.assistants)
            session = Session(client, store, patience=self._patience)
            exit_hooks.register(session)
            self._by_run[run_id] = _RunRecording(session, client)
            self._evict()
        self._by_run.move_to_end(run_id)
        return self._by_run[run_id]

    async def on_run(self, run: Run, route: CallRoute) -> None:
        """Store a run that a call returned."""
        session, client = self.recording_for(run.id)
        client.route = route
        await session.store_run(run)

    async def on_listen(
        self, stream: ResumedStream, run_id: str
    ) -> AsyncGenerator[StreamEvent, None]:
        """Yield the events of a stream once each, after storing them."""
        session, client = self.recording_for(run_id)
        if client.route is not None:
            # The credentials of the earlier call may have expired.
            client.route = client.route._replace(metadata=stream.route.metadata)
        intake = EventIntake(session, lambda _: None)
        async with session.listening():
            try:
                async with aclosing(stream.events(session, intake)) as events:
                    async for event in events:
                        if await intake.accepts(event):
                            yield event
            except BaseException:
                stream.call.cancel()
                raise

    def _evict(self) -> None:
        final = [
            run_id
            for run_id, (session, _) in self._by_run.items()
            if session.run is not None and protos.is_final(session.run)
        ]
        for run_id in final[:-_MAX_FINAL]:
            del self._by_run[run_id]


class _Interceptor:
    def __init__(self, recordings: _Recordings) -> None:
        self._recordings = recordings


class _UnaryCalls(_Interceptor, grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc]  # grpc has no types
    """Intercepts calls that return runs and assistants."""

    async def intercept_unary_unary(
        self, continuation: Continuation, client_call_details: CallDetails, request: Message
    ) -> grpc.aio.Call:
        """Store a run before the program receives it."""
        method = method_of(client_call_details)
        route = CallRoute.from_call(continuation, client_call_details)
        call = await continuation(client_call_details, request)
        if method in _RUN:
            await self._recordings.on_run(await call, route)
        elif method in _ASSISTANT:
            assistant = await call
            self._recordings.assistants[assistant.id] = assistant
        return call


class _Streams(_Interceptor, grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[misc]
    """Intercepts event streams."""

    async def intercept_unary_stream(
        self, continuation: Continuation, client_call_details: CallDetails, request: Message
    ) -> grpc.aio.Call:
        """Store each event before the program receives it."""
        route = CallRoute.from_call(continuation, client_call_details)
        call = await continuation(client_call_details, request)
        if method_of(client_call_details) != _RUNS + "Listen":
            return call
        stream = ResumedStream(route, request, call)
        return RecordedCall(stream, self._recordings.on_listen(stream, request.run_id))


class _ToolResults(_Interceptor, grpc.aio.StreamStreamClientInterceptor):  # type: ignore[misc]
    """Intercepts tool results."""

    async def intercept_stream_stream(
        self,
        continuation: Continuation,
        client_call_details: CallDetails,
        request_iterator: AsyncIterator[AttachRunRequest],
    ) -> grpc.aio.StreamStreamCall | AsyncIterator[StreamEvent]:
        """Store tool results before they are sent, and a note once they have arrived."""
        if method_of(client_call_details) != _RUNS + "Attach":
            return await continuation(client_call_details, request_iterator)
        unsent: list[tuple[Session, int]] = []

        async def requests() -> AsyncIterator[AttachRunRequest]:
            async for request in request_iterator:
                if request.HasField("tool_result_list"):
                    session, _ = self._recordings.recording_for(request.run_id)
                    seq = await session.store_tool_results(request)
                    if seq is not None:
                        unsent.append((session, seq))
                yield request

        return _marked(await continuation(client_call_details, requests()), unsent)


async def _marked(
    call: AsyncIterator[StreamEvent], unsent: list[tuple[Session, int]]
) -> AsyncIterator[StreamEvent]:
    """Yield the events in return, and mark the tool results as sent."""
    try:
        async for event in call:
            # An event in return proves that the service has read the request.
            while unsent:
                session, seq = unsent.pop()
                await session.mark_sent(seq)
            yield event
    except grpc.RpcError:
        for session, _ in unsent:
            await session.on_refused()
        raise
