"""Listens to a run: yields its events from the log, then from the service, with reconnects."""

from __future__ import annotations

from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Generic

import grpc

from runreel.capture.yandex import proto_json as protos
from runreel.capture.yandex.retry import Backoff
from runreel.capture.yandex.run_service import is_transient
from runreel.capture.yandex.session import EventIntake, T
from runreel.model.errors import RunNotFound, SourceError
from runreel.model.events import NOTE, SENT, STREAM_EVENT
from runreel.model.status import StreamEvent
from runreel.query import run_history

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from yandex.cloud.ai.assistants.v1.runs.run_pb2 import Run
    from yandex.cloud.ai.assistants.v1.runs.run_service_pb2 import StreamEvent as EventProto

    from runreel.capture.yandex.run_service import EventService
    from runreel.capture.yandex.session import MakeEvent, Session
    from runreel.model.events import StoredEvent

_TOOL_CALLS = StreamEvent.TOOL_CALLS.name
_ENDS = (StreamEvent.DONE.name, StreamEvent.ERROR.name)


class Listener(Generic[T]):
    """Yields the events of a run, each stored first.

    ``make_event`` converts a proto to what the program receives. ``sends_results`` is True if this
    program submits the tool results; otherwise the listener waits for another program to do so.
    """

    def __init__(
        self,
        session: Session,
        source: EventService,
        make_event: MakeEvent[T],
        *,
        sends_results: bool = True,
    ) -> None:
        self._session = session
        self._source = source
        self._make_event = make_event
        self._sends_results = sends_results
        self._first = True

    async def events(self, start: int | None, seconds: float) -> AsyncGenerator[T, None]:
        """Yield the events from number ``start`` on.

        None means: after the last event in the log on the first call, from the beginning on later
        calls. A connection lasts at most ``seconds`` and is followed by another one. Pending tool
        calls are yielded again.
        """
        session = self._session
        resumes, self._first = self._first and start is None, False
        async with session.listening():
            await session.on_start()
            generator = self._resume(seconds) if resumes else self._replay_from(start or 0, seconds)
            async with aclosing(generator) as events:
                async for event in events:
                    yield self._make_event(event)

    async def _resume(self, seconds: float) -> AsyncGenerator[EventProto, None]:
        session = self._session
        start = session.store.index + 1
        nothing: tuple[StoredEvent | None, bool] = (None, False)
        last, sent = await session.store.query(self._last_event, nothing) if start else nothing
        if _ends(last):
            await session.on_end()
            return
        if last is not None and await self._is_pending_call(last, sent=sent):
            yield protos.stream_event(last.raw)
        async with aclosing(self._listen(start, seconds)) as events:
            async for event in events:
                yield event

    async def _replay_from(self, start: int, seconds: float) -> AsyncGenerator[EventProto, None]:
        session = self._session
        async with aclosing(session.store.read(self._stored_events(start))) as rows:
            async for row in rows:
                if _ends(row):
                    await session.on_end()
                if row.raw is not None:
                    yield protos.stream_event(row.raw)
                if _ends(row):
                    return
                start = start if row.source_index is None else row.source_index + 1
        async with aclosing(self._listen(start, seconds)) as events:
            async for event in events:
                yield event

    async def _listen(self, start: int, seconds: float) -> AsyncGenerator[EventProto, None]:
        session, backoff = self._session, Backoff(self._session.patience)
        # Events before ``start`` that the log lacks are stored too, but not yielded.
        intake = EventIntake(session, self._make_event, min(start, session.store.index + 1))
        while True:
            received, error = False, None
            stream = self._source.listen(intake.next, seconds)
            try:
                async for event in stream:
                    if not await intake.accepts(event):
                        continue
                    index = protos.index_of(event)
                    if index is None or index >= start:
                        yield event
                    received = True
                    backoff.event_received()
                    if protos.is_last_event(event):
                        return
            except grpc.RpcError as grpc_error:
                if not is_transient(grpc_error):
                    raise
                error = grpc_error
            finally:
                await session.store.to_end(stream.aclose())
            if await self._on_stream_end(backoff, error, received=received):
                return
            await session.store.sleep(backoff.next_pause())

    async def _on_stream_end(
        self, backoff: Backoff, error: grpc.RpcError | None, *, received: bool
    ) -> bool:
        """Decide after a stream ended early: True to stop listening, False to reconnect.

        Raises:
            grpc.RpcError: if the service stayed unreachable too long.
            SourceError: if the run sent no event for too long.
        """
        run = await self._session.try_fetch_run()
        if run is not None:
            backoff.response_received()
            if error is None and await self._is_over(run, received=received):
                return True
        if not backoff.is_over:
            return False
        if error is not None and (run is None or self._sends_results):
            raise error
        raise _stalled_error(self._session.client.run_id, run) from error

    async def _is_over(self, run: Run, *, received: bool) -> bool:
        """Whether the listener ends with a stream that ended without an error."""
        session = self._session
        if protos.needs_tool_results(run):
            # As with the SDK, the loop ends here; the program submits tool results after it.
            return self._sends_results and not session.results_sent
        if received or protos.is_running(run):
            return False
        await session.store.close()
        return True

    async def _is_pending_call(self, last: StoredEvent, *, sent: bool) -> bool:
        """Whether the last event is a tool call that still waits for its results."""
        run = self._session.run
        if last.type != _TOOL_CALLS or last.raw is None:
            return False
        if run is None or not protos.needs_tool_results(run):
            return False
        return not sent or not await self._session.has_changed(run)

    def _last_event(self) -> tuple[StoredEvent | None, bool]:
        """The last stream event in the log, and whether tool results were sent after it."""
        last: StoredEvent | None = None
        sent = False
        with self._session.store.database.reading() as connection:
            for row in run_history.events(connection, self._session.client.run_id):
                if row.kind == STREAM_EVENT:
                    last, sent = row, False
                sent = sent or (row.kind == NOTE and row.type == SENT)
        return last, sent

    def _stored_events(self, start: int) -> Iterator[StoredEvent]:
        """Yield the events in the log from number ``start`` on, up to the first gap."""
        out_of_order: dict[int, StoredEvent] = {}
        with self._session.store.database.reading() as connection, suppress(RunNotFound):
            for row in run_history.events(connection, self._session.client.run_id):
                if row.kind != STREAM_EVENT:
                    continue
                if row.source_index is None:
                    yield row
                elif row.source_index >= start:
                    out_of_order[row.source_index] = row
                while start in out_of_order:
                    yield out_of_order.pop(start)
                    start += 1


def _ends(row: StoredEvent | None) -> bool:
    return row is not None and row.type in _ENDS


def _stalled_error(run_id: str, run: Run | None) -> SourceError:
    status = "unknown" if run is None else protos.status_name(run)
    waits = run is not None and protos.needs_tool_results(run)
    return SourceError(
        f"run {run_id} sent no new event for too long; its status is {status}",
        hint="The run waits for tool results, which its program has to submit." if waits else None,
    )
