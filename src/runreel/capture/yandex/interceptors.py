"""Recording every run of an SDK object, with nothing changed in the program but its making."""

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
# How many runs that are over stay in mind.
_SETTLED = 256


def create(database: Database, on_error: str, patience: RetryPolicy | None) -> list[Any]:
    """The interceptors of one SDK object."""
    book = _Recordings(database, on_error, patience or RetryPolicy())
    return [_Answers(book), _Streams(book), _Attachments(book)]


class _InterceptedClient:
    """Asks about a run through the calls that the program itself has made."""

    def __init__(self, run_id: str, assistants: dict[str, Any]) -> None:
        self.run_id = run_id
        self.way: CallRoute | None = None
        self._assistants = assistants

    async def get(self, seconds: float) -> Any:
        """The run."""
        if self.way is None:
            raise SourceError(f"there is no way to ask for run {self.run_id}")
        return await self.way.call(_RUNS + "Get", GetRunRequest(run_id=self.run_id), seconds)

    async def assistant(self, assistant_id: str, seconds: float) -> Any:  # noqa: ARG002
        """An assistant, if the program has seen it."""
        if assistant_id not in self._assistants:
            raise SourceError(f"assistant {assistant_id} is not known")
        return self._assistants[assistant_id]

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)


class _RunRecording(NamedTuple):
    """One run's recording, and how its service is asked."""

    session: Session
    wire: _InterceptedClient


class _Recordings:
    """The recordings of one SDK object, found by their runs."""

    def __init__(self, database: Database, on_error: str, patience: RetryPolicy) -> None:
        self.assistants: dict[str, Any] = {}
        self._database = database
        self._on_error = on_error
        self._patience = patience
        self._kept: OrderedDict[str, _RunRecording] = OrderedDict()

    def recording_for(self, run_id: str) -> _RunRecording:
        """The recording of a run."""
        if run_id not in self._kept:
            make, patience = partial(self._recorder, run_id), self._database.patience
            keeper = GuardedRecorder(make, self._on_error, patience)
            wire = _InterceptedClient(run_id, self.assistants)
            session = Session(wire, AsyncRecordingAdapter(keeper), patience=self._patience)
            exit_hooks.register(session)
            self._kept[run_id] = _RunRecording(session, wire)
            self._make_room()
        self._kept.move_to_end(run_id)
        return self._kept[run_id]

    async def on_run(self, run: Any, way: CallRoute) -> None:
        """Store what a call has answered about a run."""
        session, wire = self.recording_for(run.id)
        wire.way = way
        await session.store_run(run)

    async def on_listen(self, stream: ResumedStream, run_id: str) -> AsyncGenerator[Any, None]:
        """The events of a stream, each stored first and told once."""
        session, wire = self.recording_for(run_id)
        if wire.way is not None:
            # What opens the doors may be old by now.
            wire.way = wire.way._replace(metadata=stream.way.metadata)
        told: set[int] = set()
        session.listener_started()
        try:
            async with aclosing(stream.events(session)) as events:
                async for event in events:
                    await session.store_event(event, lambda: None)
                    index = protos.index_of(event)
                    if index is not None and index in told:
                        continue
                    if index is not None:
                        told.add(index)
                    if protos.ends(event):
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

    def _make_room(self) -> None:
        over = [
            run_id
            for run_id, (session, _) in self._kept.items()
            if session.run is not None and protos.final(session.run)
        ]
        for run_id in over[:-_SETTLED]:
            del self._kept[run_id]


class _Answers(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc]  # grpc has no types
    """Sees runs and assistants as calls answer with them."""

    def __init__(self, book: _Recordings) -> None:
        self._book = book

    async def intercept_unary_unary(
        self, continuation: Continuation, client_call_details: Any, request: Any
    ) -> Any:
        """Store a run before the program has it."""
        method = _name(client_call_details)
        way = CallRoute.from_call(continuation, client_call_details)
        call = await continuation(client_call_details, request)
        if method in _RUN:
            await self._book.on_run(await call, way)
        elif method in _ASSISTANT:
            assistant = await call
            self._book.assistants[assistant.id] = assistant
        return call


class _Streams(grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[misc]
    """Sees events."""

    def __init__(self, book: _Recordings) -> None:
        self._book = book

    async def intercept_unary_stream(
        self, continuation: Continuation, client_call_details: Any, request: Any
    ) -> Any:
        """Store each event before the program has it."""
        way = CallRoute.from_call(continuation, client_call_details)
        call = await continuation(client_call_details, request)
        if _name(client_call_details) != _RUNS + "Listen":
            return call
        stream = ResumedStream(way, request, call)
        return RecordedCall(stream, self._book.on_listen(stream, request.run_id))


class _Attachments(grpc.aio.StreamStreamClientInterceptor):  # type: ignore[misc]
    """Sees tool results."""

    def __init__(self, book: _Recordings) -> None:
        self._book = book

    async def intercept_stream_stream(
        self, continuation: Continuation, client_call_details: Any, request_iterator: Any
    ) -> Any:
        """Store tool results before they are sent, and that they have arrived."""
        if _name(client_call_details) != _RUNS + "Attach":
            return await continuation(client_call_details, request_iterator)
        unsent: list[tuple[Session, int]] = []

        async def requests() -> AsyncIterator[Any]:
            async for request in request_iterator:
                if request.HasField("tool_result_list"):
                    session, _ = self._book.recording_for(request.run_id)
                    seq = await session.store.append(TOOL_RESULTS, protos.to_json(request))
                    if seq is not None:
                        unsent.append((session, seq))
                yield request

        call = await continuation(client_call_details, requests())
        return self._arriving(call, unsent)

    async def _arriving(
        self, call: AsyncIterator[Any], unsent: list[tuple[Session, int]]
    ) -> AsyncIterator[Any]:
        try:
            async for event in call:
                # Whoever answers has read what was asked.
                while unsent:
                    session, seq = unsent.pop()
                    session.answered = True
                    await session.store.note(SENT, {"seq": seq})
                yield event
        except grpc.RpcError:
            for session, _ in unsent:
                await session.on_refused()
            raise


def _name(details: Any) -> str:
    method = details.method
    return method.decode() if isinstance(method, bytes) else str(method)
