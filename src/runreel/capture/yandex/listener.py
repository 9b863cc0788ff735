"""Listening to a run: from the log as far as it goes, then from the service, whatever breaks."""

from __future__ import annotations

from contextlib import aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc

from runreel.capture.yandex import proto_json as protos
from runreel.capture.yandex.sdk_client import is_transient
from runreel.capture.yandex.session import Backoff
from runreel.model.errors import RunNotFound, SourceError
from runreel.model.events import NOTE, SENT, STREAM_EVENT
from runreel.model.status import StreamEvent
from runreel.query import run_history

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from runreel.capture.yandex.sdk_client import EventSource
    from runreel.capture.yandex.session import Session
    from runreel.model.events import StoredEvent
    from runreel.store.database import Database

_CALLS = StreamEvent.TOOL_CALLS.name
_ENDS = (StreamEvent.DONE.name, StreamEvent.ERROR.name)
_STOPPED = "the program stopped listening"


class LastEvent(NamedTuple):
    """The last stream event in the log, and whether tool results were sent after it."""

    row: StoredEvent | None = None
    sent: bool = False


class Listener:
    """Tells a run's events, each stored before it is told.

    ``shown`` makes of a proto what the program gets. ``answers`` is whether the program is the one
    to answer tool calls: if not, somebody else's answer is waited for.
    """

    def __init__(
        self,
        database: Database,
        session: Session,
        ear: EventSource,
        shown: Callable[[Any], Any],
        *,
        answers: bool = True,
    ) -> None:
        self._database = database
        self._session = session
        self._ear = ear
        self._shown = shown
        self._answers = answers
        self._first = True

    async def events(self, start: int | None, seconds: float) -> AsyncGenerator[Any, None]:
        """The events from number ``start`` on.

        None is at first where the log ends, later the beginning. A connection lasts ``seconds``
        at most, and is followed by another. Tool calls that nobody has answered are told again.
        """
        session = self._session
        resumes, self._first = self._first and start is None, False
        try:
            await session.on_start()
            source = self._new(seconds) if resumes else self._from(start or 0, seconds)
            async with aclosing(source) as events:
                async for event in events:
                    yield self._shown(event)
        except BaseException as error:
            await session.listener_failed(reason(error))
            raise
        session.listener_finished()

    async def _new(self, seconds: float) -> AsyncGenerator[Any, None]:
        session = self._session
        start = session.store.index + 1
        tail = await session.store.ask(self._last_event, LastEvent()) if start else LastEvent()
        if _ends(tail.row):
            await session.on_end()
            return
        if await self._is_unanswered(tail):
            yield _proto(tail.row)
        async with aclosing(self._live(start, seconds)) as events:
            async for event in events:
                yield event

    async def _from(self, start: int, seconds: float) -> AsyncGenerator[Any, None]:
        session = self._session
        async with aclosing(session.store.read(self._stored_events(start))) as rows:
            async for row in rows:
                if _ends(row):
                    await session.on_end()
                if row.raw is not None:
                    yield _proto(row)
                if _ends(row):
                    return
                start = start if row.source_index is None else row.source_index + 1
        async with aclosing(self._live(start, seconds)) as events:
            async for event in events:
                yield event

    async def _live(self, start: int, seconds: float) -> AsyncGenerator[Any, None]:
        session, waiting = self._session, Backoff(self._session.patience)
        # The log is to have them all, also those before ``start``.
        first = min(start, session.store.index + 1)
        told: set[int] = set()
        while True:
            came, error = False, None
            stream = self._ear.listen(max(told, default=first - 1) + 1, seconds)
            try:
                async for event in stream:
                    await session.store_event(event, partial(self._shown, event))
                    index = protos.index_of(event)
                    if index is not None and (index < first or index in told):
                        continue
                    if index is not None:
                        told.add(index)
                    await self._prepare(event)
                    if index is None or index >= start:
                        yield event
                    came = True
                    waiting.renew()
                    if protos.ends(event):
                        return
            except grpc.RpcError as broken:
                if not is_transient(broken):
                    raise
                error = broken
            finally:
                await session.store.to_end(stream.aclose())
            if await self._on_stream_end(waiting, error, came=came):
                return
            await session.wire.sleep(waiting.pause())

    async def _prepare(self, event: Any) -> None:
        """Store what belongs to an event before the program sees it, for it may leave then."""
        if protos.ends(event):
            await self._session.on_end()
        elif event.event_type == protos.TOOL_CALLS:
            await self._session.on_tool_calls()

    async def _on_stream_end(self, waiting: Backoff, error: Any, *, came: bool) -> bool:
        """Whether a stream that has stopped before the run's last event is not to be resumed."""
        session = self._session
        run = await session.try_fetch_run()
        if run is not None:
            waiting.alive()
        if run is not None and error is None:
            if protos.waiting(run) and self._answers and not session.answered:
                # As with the SDK, the loop ends here and the answers come after it.
                return True
            if not came and not protos.going_on(run) and not protos.waiting(run):
                await session.store.close()
                return True
        if not waiting.over:
            return False
        if error is not None and (run is None or self._answers):
            raise error
        raise _stalled(session.wire.run_id, run) from error

    async def _is_unanswered(self, tail: LastEvent) -> bool:
        """Whether the last event is a tool call that still waits for its answer."""
        run = self._session.run
        if tail.row is None or tail.row.type != _CALLS or tail.row.raw is None:
            return False
        if run is None or not protos.waiting(run):
            return False
        return not tail.sent or not await self._session.has_changed(run)

    def _last_event(self) -> LastEvent:
        last: StoredEvent | None = None
        sent = False
        with self._database.reading() as connection:
            for row in run_history.events(connection, self._session.wire.run_id):
                if row.kind == STREAM_EVENT:
                    last, sent = row, False
                sent = sent or (row.kind == NOTE and row.type == SENT)
        return LastEvent(last, sent)

    def _stored_events(self, start: int) -> Iterator[StoredEvent]:
        """The events in the log from number ``start`` on, as far as there is no gap."""
        early: dict[int, StoredEvent] = {}
        with self._database.reading() as connection, suppress(RunNotFound):
            for row in run_history.events(connection, self._session.wire.run_id):
                if row.kind != STREAM_EVENT:
                    continue
                if row.source_index is None:
                    yield row
                elif row.source_index >= start:
                    early[row.source_index] = row
                while start in early:
                    yield early.pop(start)
                    start += 1


def _proto(row: StoredEvent | None) -> Any:
    return None if row is None else protos.stream_event(row.raw)


def _ends(row: StoredEvent | None) -> bool:
    return row is not None and row.type in _ENDS


def _stalled(run_id: str, run: Any) -> SourceError:
    called = "nothing" if run is None else protos.status_name(run)
    waits = run is not None and protos.waiting(run)
    return SourceError(
        f"run {run_id} has told nothing new for long; the service calls it {called}",
        hint="Its program has to give the results that it waits for." if waits else None,
    )


def reason(error: BaseException) -> str:
    """Why a recording was cut short, in the words of its note."""
    if isinstance(error, GeneratorExit):
        return _STOPPED
    if isinstance(error, grpc.RpcError):
        code: Any = error
        return f"{code.code().name}: {code.details()}"
    return type(error).__name__
