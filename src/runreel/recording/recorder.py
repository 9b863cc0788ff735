"""The recorder: appends events to one run, each committed before the call returns."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from runreel.model.events import CLOSED, INTERRUPTED, OPEN, StoredEvent
from runreel.projection.stored_events import stored_event
from runreel.recording import event_builder
from runreel.recording.append_unit import AppendUnit
from runreel.recording.chunk_steps import ChunkSteps
from runreel.recording.group_commit import committer_of
from runreel.system import loops

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runreel.codec.source_protocol import SourceEvent
    from runreel.recording.append_steps import Steps, T
    from runreel.recording.deduplication import AppendOutcome
    from runreel.recording.event_builder import NewEvent
    from runreel.system.loops import Pending


class Recorder(ChunkSteps):
    """Appends events to one run; keeps the state of the run's head in memory.

    ``via`` is the recording mode stored in the ``opened`` note; with ``import`` the rows' times
    are not those of the events. Nothing is written, not even a note, before the first new event.
    If the log cannot be read within the patience of the database, the constructor raises; with
    ``defer_open_errors`` the first append does. Threads and the tasks of an event loop may share
    a recorder: appends are serialised.
    """

    def append(self, kind: str, value: object) -> StoredEvent:
        """Append an event, even if the log already has an equal one."""
        self._head.deduplicator.assume_duplicates()
        return _stored(self._drive(self._append_steps(self.interpret(kind, value))))

    async def aappend(self, kind: str, value: object) -> StoredEvent:
        """Like ``append``, sharing a commit with other appends in the same turn of the loop."""
        self._head.deduplicator.assume_duplicates()
        return _stored(await self._adrive(self._append_steps(self.interpret(kind, value))))

    def offer(self, kind: str, value: object) -> AppendOutcome:
        """Append a source's event unless the log already has it.

        Numbered events are matched by number. Others are matched by content and count: the n-th
        equal event offered is the n-th equal row. If the log has the event with other content,
        the first one stays and this one is stored as a ``conflict`` note. ``value`` may be
        interpreted already: see ``interpret``.
        """
        event = self.interpret(kind, value)
        retry = None if self.batch is None else lambda: self._retry(event)
        return self._drive(self._offer_steps(event), retry)

    async def aoffer(self, kind: str, value: object) -> AppendOutcome:
        """Like ``offer``, sharing a commit with other appends in the same turn of the loop."""
        return await self._adrive(self._offer_steps(self.interpret(kind, value)))

    def offer_all(
        self, events: Sequence[tuple[str, object]], *, close: bool = False
    ) -> list[AppendOutcome]:
        """Like ``offer`` for several kinds and values, in one commit; ``close`` ends the session.

        After an append conflict the session is still open: call ``close`` too.
        """
        if len(events) == 1 and not close:
            return [self.offer(*events[0])]
        interpreted = [self.interpret(*event) for event in events]
        return self._drive(self._offer_all_steps(interpreted, close=close))

    async def aoffer_all(
        self, events: Sequence[tuple[str, object]], *, close: bool = False
    ) -> list[AppendOutcome]:
        """Like ``offer_all``, in an event loop."""
        if len(events) == 1 and not close:
            return [await self.aoffer(*events[0])]
        interpreted = [self.interpret(*event) for event in events]
        return await self._adrive(self._offer_all_steps(interpreted, close=close))

    def note(self, type_: str, value: dict[str, Any]) -> None:
        """Append a note."""
        self._drive(self._note_steps(type_, value))

    async def anote(self, type_: str, value: dict[str, Any]) -> None:
        """Like ``note``, in an event loop."""
        await self._adrive(self._note_steps(type_, value))

    def close(self) -> None:
        """End the session with the note ``closed``; does nothing if nothing was stored."""
        self._drive(self._end_steps(CLOSED, {}), self.close)

    async def aclose(self) -> None:
        """Like ``close``, in an event loop."""
        await self._adrive(self._end_steps(CLOSED, {}))

    def interrupt(self, reason: str) -> None:
        """End the session with the note ``interrupted`` and the reason."""
        self._drive(self._end_steps(INTERRUPTED, {"reason": reason}))

    async def ainterrupt(self, reason: str) -> None:
        """Like ``interrupt``, in an event loop."""
        await self._adrive(self._end_steps(INTERRUPTED, {"reason": reason}))

    def begin(
        self,
        is_free: Callable[[], bool],
        values: Sequence[tuple[str, object]] = (),
        *,
        fresh: bool = False,
    ) -> bool:
        """Start the session by appending its first note if ``is_free()``; False if it is not.

        Of several recorders that try this at once, one succeeds: the condition is checked again
        after each append conflict. ``values``, each with its kind, are appended in the same commit.
        With ``fresh``, what is offered later is new even if the run has equal earlier events.
        """
        events = [self.interpret(kind, value) for kind, value in values]
        self.opened = self._only_if(is_free, lambda: [self._opened_note(), *events])
        if self.opened and fresh:
            self._match_from_head()
        return self.opened

    def abandon(self, reason: str) -> bool:
        """Interrupt the recording of another, dead process; False if it has already ended."""
        note = event_builder.note(INTERRUPTED, {"reason": reason})
        return self._only_if(lambda: self.state.recording == OPEN, lambda: [note])

    def _only_if(
        self, condition: Callable[[], bool], events: Callable[[], list[SourceEvent]]
    ) -> bool:
        """Append events if a condition holds at the head before them; True if it did."""
        steps = self._decide_steps(lambda: events() if condition() else [], opens=False)
        return bool(self._drive(steps))

    def _drive(self, steps: Steps[T], retry: Callable[[], object] | None = None) -> T:
        """Run ``steps``: commit each unit and call each function that they yield."""
        stored: Any = None  # what starts a generator
        with self._lock:
            try:
                while True:
                    step = steps.send(stored)
                    if not isinstance(step, AppendUnit):
                        step()
                    elif self.batch is None:
                        stored = committer_of(self.database).commit(step)
                    else:
                        self.batch.add(self, step, retry)
                        stored = True
            except StopIteration as end:
                result: T = end.value
                return result
            except BaseException:
                # It is unknown if the rows are stored: read the log before the next append.
                self._stale = True
                raise

    async def _adrive(self, steps: Steps[T]) -> T:
        """Like ``_drive``, with the functions called in a thread.

        On cancellation, waits for the commit's outcome before re-raising.
        """
        loops.running()
        stored: Any = None  # what starts a generator
        cancelled: asyncio.CancelledError | None = None
        async with self._task_lock:
            try:
                while True:
                    step = steps.send(stored)
                    pending: Pending[Any]
                    if isinstance(step, AppendUnit):
                        pending = committer_of(self.database).acommit(step)
                    else:
                        pending = loops.in_thread(step)
                    try:
                        stored = await pending
                    except asyncio.CancelledError as error:
                        cancelled = error
                        stored, _ = await loops.wait_finished(pending)
            except StopIteration as end:
                if cancelled is not None:
                    raise cancelled from None
                return cast("T", end.value)
            except BaseException as error:
                self._stale = True
                if cancelled is not None and cancelled is not error:
                    raise cancelled from error
                raise

    def _retry(self, event: SourceEvent) -> None:
        """Offer an event again whose row was not stored after all."""
        if event.index is None:
            self._head.count(event, undo=True)
        self._drive(self._offer_steps(event))


def _stored(new_event: NewEvent) -> StoredEvent:
    value, interpretation = new_event.event.value, new_event.interpretation
    return stored_event(new_event.row, value, interpretation, new_event.text)
