"""The recorder: appends events to one run, each committed before the call returns."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, cast

from runreel.codec.secret_masking import StreamSecretFilter
from runreel.model.errors import LogError
from runreel.model.events import CLOSED, INTERRUPTED, NOTE, OPEN, EventRow, StoredEvent
from runreel.model.identifiers import check_new_id, check_run_id
from runreel.projection.projector import RunProjector, stored_event
from runreel.projection.run_state import IMPORT
from runreel.recording import event_builder
from runreel.recording.append_unit import AppendUnit
from runreel.recording.deduplication import AppendOutcome
from runreel.recording.event_builder import EventInput, NewEvent
from runreel.recording.group_commit import committer_of
from runreel.recording.run_head import StreamHead
from runreel.store import fork_guard
from runreel.store.events import event_log
from runreel.system import loops

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from runreel.projection.run_mapper import RunProjection
    from runreel.projection.run_state import RunState
    from runreel.store.database import Database
    from runreel.system.loops import Pending

T = TypeVar("T")

_log = logging.getLogger("runreel")

# A generator of the steps of an append. It yields units to commit, and receives whether they are
# stored; and functions to call, which read the log.
Steps: TypeAlias = "Generator[AppendUnit | Callable[[], object], bool, T]"

# Maximum number of attempts of an append after conflicts with other recorders.
_MAX_APPEND_ATTEMPTS = 100


class BatchSink(Protocol):
    """Collects the rows of several recorders, to commit them together."""

    def add(self, recorder: Recorder, unit: AppendUnit, retry: Callable[[], object] | None) -> None:
        """Add rows; ``retry`` offers their event again after an append conflict."""
        ...

    def flush(self) -> None:
        """Commit the collected rows."""
        ...


class Recorder:
    """Appends events to one run; keeps the state of the run's head in memory.

    ``via`` is the recording mode stored in the ``opened`` note; with ``import`` the rows' times
    are not those of the events. Nothing is written, not even a note, before the first new event.
    If the log cannot be read within the patience of the database, the constructor raises; with
    ``defer_open_errors`` the first append does. Threads and the tasks of an event loop may share
    a recorder: appends are serialised.
    """

    def __init__(  # noqa: PLR0913 - the parts it works with
        self,
        database: Database,
        run_id: str,
        *,
        source: str,
        via: str,
        identity: dict[str, Any] | None = None,
        batch: BatchSink | None = None,
        offered: Counter[bytes] | None = None,
        defer_open_errors: bool = False,
        clock: Callable[[], int] = time.time_ns,
        timer: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        check_run_id(run_id)
        self.run_id = run_id
        self.database = database
        self.opened = False
        self.projection_pending = False
        self.source = source
        self._via = via
        self._masker = (
            StreamSecretFilter(database.masking, self._too_slow) if database.masking else None
        )
        self.batch = batch
        self._clock, self._timer, self._begun_ns = clock, timer, timer()
        self._offered: Counter[bytes] = Counter() if offered is None else offered
        self._lock, self._task_lock = threading.RLock(), asyncio.Lock()
        self._first_row: EventRow | None = None
        self._head, self._stale = self._new_head(), True
        self._identity = self._masked(identity or {})
        fork_guard.register_in_child(self)
        try:
            self.reload()
        except LogError:
            if not defer_open_errors:
                raise

    def reload(self) -> None:
        """Discard the cached state and read the run from the log again.

        Raises:
            SourceMismatch: if the log has the run from another source.
            RunPruned: if it was pruned.
            BadInput: if the run is new and its id is reserved.
        """
        self._stale = True
        self._head = self.database.retry_unavailable(self._read)
        self._stale = False

    def _read(self) -> StreamHead:
        head = self._new_head()
        with self.database.reading() as connection:
            head.catch_up(event_log.read(connection, self.run_id))
            if head.state.last_seq < 0:
                check_new_id(self.run_id)
            # After an interrupt during the first commit, its rows may be stored.
            if not self.opened and self._first_row is not None:
                self.opened = event_log.contains(connection, self._first_row)
        head.begin()
        return head

    def leave_parent(self) -> None:
        """In a forked child: start a new session with the next event."""
        # Another thread of the parent may have held the locks during an append.
        self._lock, self._task_lock = threading.RLock(), asyncio.Lock()
        self._stale, self.opened, self._first_row = True, False, None
        self._begun_ns = self._timer()

    @property
    def last_seq(self) -> int:
        """The seq of the run's last row, -1 if it has none."""
        return self._head.state.last_seq

    @property
    def index(self) -> int:
        """The highest number of an event by its source, -1 if events have none."""
        return self._head.deduplicator.index

    @property
    def state(self) -> RunState:
        """The run's state at its head."""
        return self._head.state

    @property
    def reader(self) -> Any:
        """The adapter of the run's source."""
        return self._head.reader

    def append(self, kind: str, value: Any) -> StoredEvent:
        """Append an event, even if the log already has an equal one."""
        self._head.deduplicator.assume_duplicates()
        return stored_event(*self._drive(self._append_steps(kind, self._masked(value))))

    async def aappend(self, kind: str, value: Any) -> StoredEvent:
        """Like ``append``, sharing a commit with other appends in the same turn of the loop."""
        self._head.deduplicator.assume_duplicates()
        return stored_event(*await self._adrive(self._append_steps(kind, self._masked(value))))

    def offer(self, kind: str, value: Any) -> AppendOutcome:
        """Append a source's event unless the log already has it.

        Numbered events are matched by number. Others are matched by content and count: the n-th
        equal event offered is the n-th equal row. If the log has the event with other content,
        the first one stays and this one is stored as a ``conflict`` note.
        """
        value = self._masked(value)
        return self._drive(self._offer_steps(kind, value), lambda: self._retry(kind, value))

    async def aoffer(self, kind: str, value: Any) -> AppendOutcome:
        """Like ``offer``, sharing a commit with other appends in the same turn of the loop."""
        return await self._adrive(self._offer_steps(kind, self._masked(value)))

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

    def begin(self, is_free: Callable[[], bool]) -> bool:
        """Start the session by appending its first note if ``is_free()``; False if it is not.

        Of several recorders that try this at once, one succeeds: the condition is checked again
        after each append conflict.
        """
        self.opened = self._only_if(is_free, self._opened_note)
        return self.opened

    def abandon(self, reason: str) -> bool:
        """Interrupt the recording of another, dead process; False if it has already ended."""
        note = EventInput(NOTE, INTERRUPTED, None, {"reason": reason})
        return self._only_if(lambda: self.state.recording == OPEN, lambda: note)

    def _only_if(self, condition: Callable[[], bool], entry: Callable[[], EventInput]) -> bool:
        """Append an entry if a condition holds at the head before it; True if it did."""
        steps = self._decide_steps(lambda: [entry()] if condition() else [], opens=False)
        return bool(self._drive(steps))

    def projected(self) -> RunProjection:
        """Return the projection of the run at its head."""
        return self._head.projected()

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
                return cast("T", end.value)
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

    def _append_steps(self, kind: str, value: Any) -> Steps[NewEvent]:
        text_event = self._text_delta(kind, value)
        if text_event is not None and (yield AppendUnit([text_event.row], None)):
            self._head.commit_text_row(text_event)
            return text_event
        entry = self._head.entry(kind, value)
        new_events = yield from self._decide_steps(lambda: [entry])
        return new_events[-1]

    def _note_steps(self, type_: str, value: dict[str, Any]) -> Steps[list[NewEvent]]:
        return self._decide_steps(lambda: [EventInput(NOTE, type_, None, value)])

    def _offer_steps(self, kind: str, value: Any) -> Steps[AppendOutcome]:
        text_event = self._text_delta(kind, value)
        if (
            text_event is not None
            and self._head.deduplicator.is_next(text_event.row.source_index)
            and (yield AppendUnit([text_event.row], None))
        ):
            self._head.commit_text_row(text_event)
            if text_event.row.source_index is None:
                self._head.count(kind, value)
            return AppendOutcome(text_event.row.seq, new=True)
        return (yield from self._match_steps(self._head.entry(kind, value)))

    def _match_steps(self, entry: EventInput) -> Steps[AppendOutcome]:
        known: AppendOutcome | None = None
        masked_entry, missing = entry, 0

        def decide() -> list[EventInput]:
            nonlocal known, missing, masked_entry
            masked_entry, deduplicator = self._head.remasked(entry), self._head.deduplicator
            known, missing = deduplicator.find(*masked_entry), 0
            if known is not None and not known.new:
                return []
            if known is not None:
                return [event_builder.conflict_note(masked_entry, known.seq)]
            missing = deduplicator.missing(masked_entry.number)
            if missing and masked_entry.number is not None:
                return [
                    event_builder.gap_note(masked_entry.number - missing, masked_entry.number),
                    masked_entry,
                ]
            return [masked_entry]

        new_events = yield from self._decide_steps(decide, compared=entry)
        if entry.number is None:
            self._head.count(masked_entry.kind, masked_entry.value)
        if known is not None:
            return known
        interpretation = new_events[-1].interpretation
        unread = () if interpretation is None else interpretation.unread
        return AppendOutcome(new_events[-1].row.seq, new=True, missing=missing, unread=unread)

    def _end_steps(self, type_: str, value: dict[str, Any]) -> Steps[None]:
        if self._stale:
            yield self.reload
        if not self.opened and self._via == IMPORT:
            # The import that completes an interrupted one also closes its open session.
            self.opened = self.state.recording == OPEN and not self.state.has_live_clock
        if self.opened:
            masked_count = {} if self._masker is None else {"masked": self._masker.masked_count}
            yield from self._note_steps(type_, value | masked_count)
            self.opened = False

    def _text_delta(self, kind: str, value: Any) -> NewEvent | None:
        return None if self._stale or not self.opened else self._head.text_delta(kind, value)

    def _decide_steps(
        self,
        decide: Callable[[], list[EventInput]],
        *,
        opens: bool = True,
        compared: EventInput | None = None,
    ) -> Steps[list[NewEvent]]:
        """Append the entries that ``decide`` returns; after an append conflict, decide again.

        With ``opens``, the ``opened`` note is prepended unless the session has started.
        ``compared`` is the entry that ``decide`` looks for in the log.
        """
        for _ in range(_MAX_APPEND_ATTEMPTS):
            if self._stale:
                yield self.reload
            if compared is not None and self._head.deduplicator.reads(compared.number):
                yield self._head.deduplicator.read
            entries = decide()
            if not entries:
                return []
            if opens and not self.opened:
                entries = [self._opened_note(), *entries]
            new_events = self._head.build(entries)
            changed, undo = self._head.apply(new_events)
            self.projection_pending |= changed
            rows = [new_event.row for new_event in new_events]
            self._first_row = self._first_row if self.opened else rows[0]
            projection = self._head.projected() if changed and not self.batch else None
            if (yield AppendUnit(rows, projection)):
                self.opened |= opens
                self._head.mark_stored(new_events)
                return new_events
            undo()
            yield self._catch_up
        raise LogError(
            f"run {self.run_id}: {_MAX_APPEND_ATTEMPTS} append conflicts with other recorders"
        )

    def _retry(self, kind: str, value: Any) -> None:
        """Offer a value again whose row was not stored after all."""
        if self._head.number(kind, value) is None:
            self._head.count(kind, value, undo=True)
        self._drive(self._offer_steps(kind, value))

    def _masked(self, value: Any) -> Any:
        return value if self._masker is None else self._masker.apply(value)

    def _too_slow(self, report: str) -> None:
        _log.warning(
            "%s after row %d of run %s: such strings are masked completely",
            *(report, self.last_seq, self.run_id),
        )

    def _timestamps(self) -> tuple[int, int]:
        return self._clock() // 1_000, (self._timer() - self._begun_ns) // 1_000

    def _opened_note(self) -> EventInput:
        new = self.last_seq < 0
        return event_builder.opened_note(self.source, self._via, self._identity, new=new)

    def _catch_up(self) -> None:
        """Apply the rows that others appended."""
        with self.database.reading() as connection:
            rows = event_log.read(connection, self.run_id, start=self.last_seq + 1)
            self._stale |= not self._head.catch_up(rows)

    def _new_head(self) -> StreamHead:
        return StreamHead(
            self.run_id,
            self.source,
            read_rows=self._read_rows,
            offered=self._offered,
            timestamps=self._timestamps,
        )

    def _read_rows(self) -> Iterator[tuple[EventRow, Any]]:
        """Read the rows of the run up to its known head, with their values."""
        if self.batch is not None:
            self.batch.flush()
        projector = RunProjector(self.run_id)
        with self.database.reading() as connection:
            for row in event_log.read(connection, self.run_id, stop=self.last_seq + 1):
                value = projector.apply(row).value
                yield self._head.numbered(row, value), value
