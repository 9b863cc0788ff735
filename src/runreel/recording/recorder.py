"""Appending to the log: one event, one row, committed before the caller goes on."""

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
from runreel.recording.deduplication import AppendOutcome
from runreel.recording.event_builder import EventInput, NewEvent
from runreel.recording.group_commit import AppendUnit, committer_of
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

# What appending consists of: units to commit, answered by whether they are stored, and readings of
# the log to make.
Steps: TypeAlias = "Generator[AppendUnit | Callable[[], object], bool, T]"

# How often an append is tried anew after another recorder of the run was faster.
_MAX_APPEND_ATTEMPTS = 100


class BatchSink(Protocol):
    """Holds the rows of several recorders back, to commit them together."""

    def add(self, recorder: Recorder, unit: AppendUnit, redo: Callable[[], object] | None) -> None:
        """Take rows; ``redo`` offers their event again where another recorder was faster."""
        ...

    def flush(self) -> None:
        """Commit what is held."""
        ...


class Recorder:
    """Appends one run's events, knowing the run up to its head.

    ``via`` says how the events come: ``import`` where the rows' times are not the events' own.
    Nothing is written, not even a note, until there is something new to store. A log that cannot
    be read in the patience of the database is an error, or, if ``lenient``, with the first event.
    Threads may share a
    recorder, and so may the tasks of a loop: each append has its turn.
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
        lenient: bool = False,
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
        self._clock, self._timer, self._begun = clock, timer, timer()
        self._offered: Counter[bytes] = Counter() if offered is None else offered
        self._turn, self._task_turn = threading.RLock(), asyncio.Lock()
        self._first: EventRow | None = None
        self._tail, self._stale = self._new_tail(), True
        self._identity = self._masked(identity or {})
        fork_guard.register_in_child(self)
        try:
            self.reload()
        except LogError:
            if not lenient:
                raise

    def reload(self) -> None:
        """Read the run from the log, whatever was thought of it before.

        Raises:
            SourceMismatch: if the log has the run from another source.
            RunPruned: if it was pruned.
            BadInput: if the run is new and its id is reserved.
        """
        self._stale = True
        self._tail = self.database.retry_unavailable(self._read)
        self._stale = False

    def _read(self) -> StreamHead:
        tail = self._new_tail()
        with self.database.reading() as connection:
            tail.catch_up(event_log.read(connection, self.run_id))
            if tail.state.last_seq < 0:
                check_new_id(self.run_id)
            # An interrupt in the middle of the first commit may leave it stored.
            if not self.opened and self._first is not None:
                self.opened = event_log.contains(connection, self._first)
        tail.begin()
        return tail

    def leave_parent(self) -> None:
        """In a forked child: begin a session of one's own with the next event."""
        # Another thread of the parent may have been in the middle of an append.
        self._turn, self._task_turn = threading.RLock(), asyncio.Lock()
        self._stale, self.opened, self._first = True, False, None
        self._begun = self._timer()

    @property
    def last_seq(self) -> int:
        """The head of the run."""
        return self._tail.state.last_seq

    @property
    def index(self) -> int:
        """The highest number that the source gave an event, -1 if it gave none."""
        return self._tail.matcher.index

    @property
    def state(self) -> RunState:
        """The run's state at its head."""
        return self._tail.state

    @property
    def reader(self) -> Any:
        """The reader of the run's source."""
        return self._tail.reader

    def append(self, kind: str, value: Any) -> StoredEvent:
        """Append a new event, whatever the log has already."""
        self._tail.matcher.assume_duplicates()
        return stored_event(*self._drive(self._append_steps(kind, self._masked(value))))

    async def aappend(self, kind: str, value: Any) -> StoredEvent:
        """Like ``append``, sharing commits with whatever else is ready in the event loop."""
        self._tail.matcher.assume_duplicates()
        return stored_event(*await self._adrive(self._append_steps(kind, self._masked(value))))

    def offer(self, kind: str, value: Any) -> AppendOutcome:
        """Append a source's event unless the log has it already.

        Events that the source numbers are known by their number, others by content and count: the
        n-th equal one that is offered is the n-th equal row. Another telling of a known event is
        kept as a note, the first stays.
        """
        value = self._masked(value)
        return self._drive(self._offer_steps(kind, value), lambda: self._retry(kind, value))

    async def aoffer(self, kind: str, value: Any) -> AppendOutcome:
        """Like ``offer``, sharing commits with whatever else is ready in the event loop."""
        return await self._adrive(self._offer_steps(kind, self._masked(value)))

    def note(self, type_: str, value: dict[str, Any]) -> None:
        """Append a note of the recorder's own."""
        self._drive(self._note_steps(type_, value))

    async def anote(self, type_: str, value: dict[str, Any]) -> None:
        """Like ``note``, in an event loop."""
        await self._adrive(self._note_steps(type_, value))

    def close(self) -> None:
        """Say that the recording is complete; nothing is said where nothing was stored."""
        self._drive(self._end_steps(CLOSED, {}), self.close)

    async def aclose(self) -> None:
        """Like ``close``, in an event loop."""
        await self._adrive(self._end_steps(CLOSED, {}))

    def interrupt(self, reason: str) -> None:
        """Say that the recording was cut short, and why."""
        self._drive(self._end_steps(INTERRUPTED, {"reason": reason}))

    async def ainterrupt(self, reason: str) -> None:
        """Like ``interrupt``, in an event loop."""
        await self._adrive(self._end_steps(INTERRUPTED, {"reason": reason}))

    def begin(self, free: Callable[[], bool]) -> bool:
        """Begin the session with the note that says so, while it is ``free``; False if it is not.

        Of several recorders that ask for the same, one is told so: another's note comes in between.
        """
        self.opened = self._only_if(free, self._opening)
        return self.opened

    def abandon(self, reason: str) -> bool:
        """End, as interrupted, a recording that its own process cannot; False if it has ended."""
        note = EventInput(NOTE, INTERRUPTED, None, {"reason": reason})
        return self._only_if(lambda: self.state.recording == OPEN, lambda: note)

    def _only_if(self, condition: Callable[[], bool], entry: Callable[[], EventInput]) -> bool:
        """Append an entry where a condition holds right before it; whether it did."""
        steps = self._decide_steps(lambda: [entry()] if condition() else [], opens=False)
        return bool(self._drive(steps))

    def projected(self) -> RunProjection:
        """What lists show of the run."""
        return self._tail.projected()

    def _drive(self, steps: Steps[T], redo: Callable[[], object] | None = None) -> T:
        """Go through ``steps``: commit each unit and make each reading that they ask for."""
        stored: Any = None  # what starts a generator
        with self._turn:
            try:
                while True:
                    step = steps.send(stored)
                    if not isinstance(step, AppendUnit):
                        step()
                    elif self.batch is None:
                        stored = committer_of(self.database).commit(step)
                    else:
                        self.batch.add(self, step, redo)
                        stored = True
            except StopIteration as end:
                return cast("T", end.value)
            except BaseException:
                # What became of the rows is unknown: the log is asked before the next append.
                self._stale = True
                raise

    async def _adrive(self, steps: Steps[T]) -> T:
        """Like ``_run``, with the readings in a thread.

        A cancelled task leaves once it is known what became of the rows.
        """
        loops.running()
        stored: Any = None  # what starts a generator
        cancelled: asyncio.CancelledError | None = None
        async with self._task_turn:
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
        piece = self._text_delta(kind, value)
        if piece is not None and (yield AppendUnit([piece.row], None)):
            self._tail.commit_text_row(piece)
            return piece
        entry = self._tail.entry(kind, value)
        made = yield from self._decide_steps(lambda: [entry])
        return made[-1]

    def _note_steps(self, type_: str, value: dict[str, Any]) -> Steps[list[NewEvent]]:
        return self._decide_steps(lambda: [EventInput(NOTE, type_, None, value)])

    def _offer_steps(self, kind: str, value: Any) -> Steps[AppendOutcome]:
        piece = self._text_delta(kind, value)
        if (
            piece is not None
            and self._tail.matcher.is_next(piece.row.source_index)
            and (yield AppendUnit([piece.row], None))
        ):
            self._tail.commit_text_row(piece)
            if piece.row.source_index is None:
                self._tail.count(kind, value)
            return AppendOutcome(piece.row.seq, True)  # noqa: FBT003 - it is new
        return (yield from self._match_steps(self._tail.entry(kind, value)))

    def _match_steps(self, entry: EventInput) -> Steps[AppendOutcome]:
        known: AppendOutcome | None = None
        told, missing = entry, 0

        def decide() -> list[EventInput]:
            nonlocal known, missing, told
            told, matcher = self._tail.remasked(entry), self._tail.matcher
            known, missing = matcher.find(*told), 0
            if known is not None and not known.new:
                return []
            if known is not None:
                return [event_builder.conflict_note(told, known.seq)]
            missing = matcher.missing(told.number)
            if missing and told.number is not None:
                return [event_builder.gap_note(told.number - missing, told.number), told]
            return [told]

        made = yield from self._decide_steps(decide, compared=entry)
        if entry.number is None:
            self._tail.count(told.kind, told.value)
        if known is not None:
            return known
        unread = () if made[-1].reading is None else made[-1].reading.unread
        return AppendOutcome(made[-1].row.seq, new=True, missing=missing, unread=unread)

    def _end_steps(self, type_: str, value: dict[str, Any]) -> Steps[None]:
        if self._stale:
            yield self.reload
        if not self.opened and self._via == IMPORT:
            # What an import that was cut short left open ends with the one that finds it complete.
            self.opened = self.state.recording == OPEN and not self.state.has_live_clock
        if self.opened:
            hits = {} if self._masker is None else {"masked": self._masker.masked_count}
            yield from self._note_steps(type_, value | hits)
            self.opened = False

    def _text_delta(self, kind: str, value: Any) -> NewEvent | None:
        return None if self._stale or not self.opened else self._tail.text_delta(kind, value)

    def _decide_steps(
        self,
        decide: Callable[[], list[EventInput]],
        *,
        opens: bool = True,
        compared: EventInput | None = None,
    ) -> Steps[list[NewEvent]]:
        """Append what ``decide`` answers, again whenever another recorder was faster.

        If it ``opens``, it begins the session, should that not have begun. ``compared`` is the
        entry that ``decide`` looks for in the log.
        """
        for _ in range(_MAX_APPEND_ATTEMPTS):
            if self._stale:
                yield self.reload
            if compared is not None and self._tail.matcher.reads(compared.number):
                yield self._tail.matcher.read
            entries = decide()
            if not entries:
                return []
            if opens and not self.opened:
                entries = [self._opening(), *entries]
            made = self._tail.build(entries)
            changed, back = self._tail.apply(made)
            self.projection_pending |= changed
            rows = [draft.row for draft in made]
            self._first = self._first if self.opened else rows[0]
            shown = self._tail.projected() if changed and not self.batch else None
            if (yield AppendUnit(rows, shown)):
                self.opened |= opens
                self._tail.mark_stored(made)
                return made
            back()
            yield self._catch_up
        raise LogError(f"others append to run {self.run_id} faster than this process can")

    def _retry(self, kind: str, value: Any) -> None:
        """Offer once more what was thought to be stored and is not."""
        if self._tail.number(kind, value) is None:
            self._tail.count(kind, value, back=True)
        self._drive(self._offer_steps(kind, value))

    def _masked(self, value: Any) -> Any:
        return value if self._masker is None else self._masker.apply(value)

    def _too_slow(self, report: str) -> None:
        _log.warning(
            "%s in what comes after row %d of run %s: such strings are masked as a whole",
            *(report, self.last_seq, self.run_id),
        )

    def _timestamps(self) -> tuple[int, int]:
        return self._clock() // 1_000, (self._timer() - self._begun) // 1_000

    def _opening(self) -> EventInput:
        new = self.last_seq < 0
        return event_builder.opened_note(self.source, self._via, self._identity, new=new)

    def _catch_up(self) -> None:
        """Move over the rows that others appended."""
        with self.database.reading() as connection:
            rows = event_log.read(connection, self.run_id, start=self.last_seq + 1)
            self._stale |= not self._tail.catch_up(rows)

    def _new_tail(self) -> StreamHead:
        return StreamHead(
            self.run_id,
            self.source,
            look=self._read_rows,
            offered=self._offered,
            now=self._timestamps,
        )

    def _read_rows(self) -> Iterator[tuple[EventRow, Any]]:
        """What the log holds of the run, event by event."""
        if self.batch is not None:
            self.batch.flush()
        reading = RunProjector(self.run_id)
        with self.database.reading() as connection:
            for row in event_log.read(connection, self.run_id, stop=self.last_seq + 1):
                value = reading.apply(row).value
                yield self._tail.numbered(row, value), value
