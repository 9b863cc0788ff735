"""gRPC interceptors that record every run of an SDK object."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
from yandex.cloud.ai.assistants.v1.runs.run_service_pb2 import GetRunRequest

from runreel.capture import exit_hooks
from runreel.capture.yandex import proto_json as protos
from runreel.capture.yandex.intercepted_calls import CallRoute, RecordedCall, ResumedStream
from runreel.capture.yandex.listener import reason
from runreel.capture.yandex.record import SOURCE
from runreel.capture.yandex.recording_adapter import AsyncRecordingAdapter
from runreel.capture.yandex.session import RetryPolicy, Session
from runreel.model.errors import SourceError
from runreel.model.events import SENT, TOOL_RESULTS
from runreel.recording.error_policy import GuardedRecorder
from runreel.recording.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from runreel.capture.yandex.intercepted_calls import Continuation
    from runreel.store.database import Database

_RUNS = "/yandex.cloud.ai.assistants.v1.runs.RunService/"
_ASSISTANTS = "/yandex.cloud.ai.assistants.v1.AssistantService/"
_RUN = frozenset({_RUNS + "Create", _RUNS + "Get", _RUNS + "GetLastByThread"})
_ASSISTANT = frozenset({_ASSISTANTS + "Create", _ASSISTANTS + "Get", _ASSISTANTS + "Update"})
# Number of finished runs whose recordings stay in memory.
_MAX_FINAL = 256


def create(database: Database, on_error: str, patience: RetryPolicy | None) -> list[Any]:
    """Create the interceptors of one SDK object."""
    recordings = _Recordings(database, on_error, patience or RetryPolicy())
    return [_UnaryCalls(recordings), _Streams(recordings), _ToolResults(recordings)]


class _InterceptedClient:
    """Client for a run that reuses the routes of the program's own calls."""

    def __init__(self, run_id: str, assistants: dict[str, Any]) -> None:
        self.run_id = run_id
        self.route: CallRoute | None = None
        self._assistants = assistants

    async def get(self, seconds: float) -> Any:
        """Fetch the run."""
        if self.route is None:
            raise SourceError(f"no call of the program to run {self.run_id} was seen yet")
        return await self.route.call(_RUNS + "Get", GetRunRequest(run_id=self.run_id), seconds)

    async def assistant(self, assistant_id: str, seconds: float) -> Any:  # noqa: ARG002
        """Return an assistant, if the program has fetched it."""
        if assistant_id not in self._assistants:
            raise SourceError(f"assistant {assistant_id} is not known")
        return self._assistants[assistant_id]

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        await asyncio.sleep(seconds)


class _RunRecording(NamedTuple):
    """The recording of one run, and the client for its service."""

    session: Session
    client: _InterceptedClient


class _Recordings:
    """The recordings of one SDK object, by run id."""

    def __init__(self, database: Database, on_error: str, patience: RetryPolicy) -> None:
        self.assistants: dict[str, Any] = {}
        self._database = database
        self._on_error = on_error
        self._patience = patience
        self._by_run: OrderedDict[str, _RunRecording] = OrderedDict()

    def recording_for(self, run_id: str) -> _RunRecording:
        """The recording of a run, created on first use."""
        if run_id not in self._by_run:
            make_recorder, patience = partial(self._recorder, run_id), self._database.patience
            recorder = GuardedRecorder(make_recorder, self._on_error, patience)
            client = _InterceptedClient(run_id, self.assistants)
            session = Session(client, AsyncRecordingAdapter(recorder), patience=self._patience)
            exit_hooks.register(session)
            self._by_run[run_id] = _RunRecording(session, client)
            self._evict()
        self._by_run.move_to_end(run_id)
        return self._by_run[run_id]

    async def on_run(self, run: Any, route: CallRoute) -> None:
        """Store a run that a call returned."""
        session, client = self.recording_for(run.id)
        client.route = route
        await session.store_run(run)

    async def on_listen(self, stream: ResumedStream, run_id: str) -> AsyncGenerator[Any, None]:
        """Yield the events of a stream once each, after storing them."""
        session, client = self.recording_for(run_id)
        if client.route is not None:
            # The credentials of the earlier call may have expired.
            client.route = client.route._replace(metadata=stream.route.metadata)
        yielded: set[int] = set()
        session.listener_started()
        try:
            async with aclosing(stream.events(session)) as events:
                async for event in events:
                    await session.store_event(event, lambda: None)
                    index = protos.index_of(event)
                    if index is not None and index in yielded:
                        continue
                    if index is not None:
                        yielded.add(index)
                    if protos.is_last_event(event):
                        await session.on_end()
                    elif event.event_type == protos.TOOL_CALLS:
                        await session.on_tool_calls()
                    yield event
        except BaseException as error:
            stream.call.cancel()
            await session.listener_failed(reason(error))
            raise
        session.listener_finished()

    def _recorder(self, run_id: str) -> Recorder:
        return Recorder(self._database, run_id, source=SOURCE, via="live")

    def _evict(self) -> None:
        final = [
            run_id
            for run_id, (session, _) in self._by_run.items()
            if session.run is not None and protos.is_final(session.run)
        ]
        for run_id in final[:-_MAX_FINAL]:
            del self._by_run[run_id]


class _UnaryCalls(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc]  # grpc has no types
    """Intercepts calls that return runs and assistants."""

    def __init__(self, recordings: _Recordings) -> None:
        self._recordings = recordings

    async def intercept_unary_unary(
        self, continuation: Continuation, client_call_details: Any, request: Any
    ) -> Any:
        """Store a run before the program receives it."""
        method = _method(client_call_details)
        route = CallRoute.from_call(continuation, client_call_details)
        call = await continuation(client_call_details, request)
        if method in _RUN:
            await self._recordings.on_run(await call, route)
        elif method in _ASSISTANT:
            assistant = await call
            self._recordings.assistants[assistant.id] = assistant
        return call


class _Streams(grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[misc]
    """Intercepts event streams."""

    def __init__(self, recordings: _Recordings) -> None:
        self._recordings = recordings

    async def intercept_unary_stream(
        self, continuation: Continuation, client_call_details: Any, request: Any
    ) -> Any:
        """Store each event before the program receives it."""
        route = CallRoute.from_call(continuation, client_call_details)
        call = await continuation(client_call_details, request)
        if _method(client_call_details) != _RUNS + "Listen":
            return call
        stream = ResumedStream(route, request, call)
        return RecordedCall(stream, self._recordings.on_listen(stream, request.run_id))


class _ToolResults(grpc.aio.StreamStreamClientInterceptor):  # type: ignore[misc]
    """Intercepts tool results."""

    def __init__(self, recordings: _Recordings) -> None:
        self._recordings = recordings

    async def intercept_stream_stream(
        self, continuation: Continuation, client_call_details: Any, request_iterator: Any
    ) -> Any:
        """Store tool results before they are sent, and a note once they have arrived."""
        if _method(client_call_details) != _RUNS + "Attach":
            return await continuation(client_call_details, request_iterator)
        unsent: list[tuple[Session, int]] = []

        async def requests() -> AsyncIterator[Any]:
            async for request in request_iterator:
                if request.HasField("tool_result_list"):
                    session, _ = self._recordings.recording_for(request.run_id)
                    seq = await session.store.append(TOOL_RESULTS, protos.to_json(request))
                    if seq is not None:
                        unsent.append((session, seq))
                yield request

        call = await continuation(client_call_details, requests())
        return self._mark_arrival(call, unsent)

    async def _mark_arrival(
        self, call: AsyncIterator[Any], unsent: list[tuple[Session, int]]
    ) -> AsyncIterator[Any]:
        try:
            async for event in call:
                # An event in return proves that the service has read the request.
                while unsent:
                    session, seq = unsent.pop()
                    session.results_sent = True
                    await session.store.note(SENT, {"seq": seq})
                yield event
        except grpc.RpcError:
            for session, _ in unsent:
                await session.on_refused()
            raise


def _method(details: Any) -> str:
    method = details.method
    return method.decode() if isinstance(method, bytes) else str(method)
