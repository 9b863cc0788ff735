"""Listening to a run: from the log as far as it goes, then from the service, whatever breaks."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import grpc

from runreel import queries
from runreel.live import yandex_proto as protos
from runreel.live.yandex_session import SENT, STOPPED, Waiting
from runreel.live.yandex_wire import passing
from runreel.words.errors import SourceError
from runreel.words.log import NOTE, STREAM_EVENT, TOOL_RESULTS
from runreel.words.status import StreamEvent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from runreel.live.yandex_session import Session
    from runreel.store.database import Database
    from runreel.words.log import StoredEvent

_CALLS = StreamEvent.TOOL_CALLS.name
_ENDS = (StreamEvent.DONE.name, StreamEvent.ERROR.name)


class Listener:
    """Tells a run's events, each stored before it is told.

    ``shown`` makes of a proto what the program gets. ``answers`` is whether the program is one
    that answers tool calls: others wait until somebody else has.
    """

    def __init__(
        self,
        database: Database,
        session: Session,
        shown: Callable[[Any], Any],
        *,
        answers: bool = True,
    ) -> None:
        self._database = database
        self._session = session
        self._shown = shown
        self._answers = answers

    async def events(self, start: int | None, timeout: float) -> AsyncGenerator[Any, None]:
        """The events from number ``start`` on; None: those that the log does not have yet.

        A connection lasts ``timeout`` s at most; then there is another. Tool calls that nobody
        has answered are told again.
        """
        session = self._session
        try:
            await session.begin()
            async with aclosing(self._all(start, timeout)) as events:
                async for event in events:
                    yield self._shown(event)
        except BaseException as error:
            await session.cut(_reason(error))
            raise
        session.done()

    async def _all(self, start: int | None, timeout: float) -> AsyncGenerator[Any, None]:
        session, over = self._session, False
        if start is None:
            start = session.store.index + 1
            over, event = await self._tail()
            if event is not None:
                yield event
        else:
            for stored in self._logged(start):
                event = protos.stream_event(stored.raw)
                yield event
                start = start if stored.source_index is None else stored.source_index + 1
                over = protos.ends(event)
        if over:
            if not session.store.state.settled:
                await session.ended()
            return
        async with aclosing(self._live(start, timeout)) as events:
            async for event in events:
                yield event

    async def _live(self, start: int, timeout: float) -> AsyncGenerator[Any, None]:
        session, waiting = self._session, Waiting(self._session.patience)
        told: set[int] = set()
        while True:
            came, error = False, None
            stream = session.wire.listen(max(told, default=start - 1) + 1, timeout)
            try:
                async for event in stream:
                    await session.keep_event(event, lambda event=event: self._shown(event))
                    index = protos.index_of(event)
                    if index is not None and (index < start or index in told):
                        continue
                    if index is not None:
                        told.add(index)
                    await self._prepare(event)
                    yield event
                    came = True
                    waiting.renew()
                    if protos.ends(event):
                        return
            except grpc.RpcError as broken:
                if not passing(broken):
                    raise
                error = broken
            finally:
                await stream.aclose()
            if await self._over(waiting, error, came=came):
                return
            await session.wire.sleep(waiting.pause())

    async def _prepare(self, event: Any) -> None:
        """Store what belongs to an event before the program sees it, for it may leave then."""
        if protos.ends(event):
            await self._session.ended()
        elif event.event_type == protos.TOOL_CALLS:
            await self._session.called()

    async def _over(self, waiting: Waiting, error: Any, *, came: bool) -> bool:
        """Whether a stream that has stopped before the run's last event is not to be resumed."""
        session = self._session
        run = await session.peek()
        if run is not None:
            waiting.alive()
            if error is None and protos.waiting(run) and self._answers and not session.answered:
                # As in the SDK, this is where the loop ends; the answers come after it.
                return True
            if error is None and not came and not protos.going_on(run) and not protos.waiting(run):
                await session.store.close()
                return True
        if not waiting.over:
            return False
        if error is not None:
            raise error
        raise SourceError(f"run {session.wire.run_id} has told nothing new for too long")

    async def _tail(self) -> tuple[bool, Any]:
        """Whether the log has the run's last event, and tool calls that are to be told again."""
        session = self._session
        if session.store.index < 0:
            return False, None
        last: StoredEvent | None = None
        sent = False
        with self._database.reading() as connection:
            for row in queries.events(connection, session.wire.run_id):
                if row.kind == STREAM_EVENT:
                    last, sent = row, False
                sent = sent or (row.kind == NOTE and row.type == SENT)
        if last is None or last.type in _ENDS:
            return last is not None, None
        if last.type != _CALLS or session.run is None or not protos.waiting(session.run):
            return False, None
        if sent and not await session.unmoved():
            return False, None
        return False, protos.stream_event(last.raw)

    def _logged(self, start: int) -> Iterator[StoredEvent]:
        """The events in the log from number ``start`` on, without a gap."""
        early: dict[int, StoredEvent] = {}
        with self._database.reading() as connection:
            for row in queries.events(connection, self._session.wire.run_id):
                if row.kind != STREAM_EVENT or row.raw is None:
                    continue
                if row.source_index is None:
                    yield row
                    continue
                early[row.source_index] = row
                while start in early:
                    yield early.pop(start)
                    start += 1
