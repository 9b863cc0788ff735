"""The steps of appends to one run, without running them."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from runreel.codec.secret_masking import StreamSecretFilter
from runreel.codec.source_protocol import SourceEvent
from runreel.model.errors import LogError
from runreel.model.events import OPEN, EventRow
from runreel.model.identifiers import check_new_id, check_run_id
from runreel.projection import key_frames
from runreel.projection.projector import RunProjector
from runreel.projection.run_state import IMPORT
from runreel.query import seek
from runreel.recording import event_builder
from runreel.recording.append_unit import AppendUnit
from runreel.recording.deduplication import AppendOutcome
from runreel.recording.run_head import StreamHead, with_number
from runreel.sources import reader_of
from runreel.store import fork_guard
from runreel.store.events import damage, event_log

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from runreel.projection.run_projection import RunProjection
    from runreel.projection.run_state import RunState
    from runreel.recording.event_builder import NewEvent
    from runreel.store.connection import Connection
    from runreel.store.database import Database

T = TypeVar("T")

_log = logging.getLogger("runreel")

# A generator of the steps of an append. It yields units to commit, and receives whether they are
# stored; and functions to call, which read the log.
Steps: TypeAlias = "Generator[AppendUnit | Callable[[], object], bool, T]"

# Maximum number of attempts of an append after conflicts with other recorders.
_MAX_APPEND_ATTEMPTS = 100


class BatchSink(Protocol):
    """Collects the rows of several recorders, to commit them together."""

    def add(
        self, recorder: AppendSteps, unit: AppendUnit, retry: Callable[[], object] | None
    ) -> None:
        """Add rows; ``retry`` offers their event again after an append conflict."""
        ...

    def flush(self) -> None:
        """Commit the collected rows."""
        ...


class AppendSteps:
    """The head of a run and the steps that append to it; ``Recorder`` runs them."""

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
        self.reader = reader_of(source)
        self._via = via
        self._masker = (
            StreamSecretFilter(database.masking, self._too_slow) if database.masking else None
        )
        self.batch = batch
        self._clock, self._timer, self._begun_ns = clock, timer, timer()
        self._offered: Counter[bytes] = Counter() if offered is None else offered
        self._lock, self._task_lock = threading.RLock(), asyncio.Lock()
        self._first_row: EventRow | None = None
        self._match_from = 0
        self._head: StreamHead
        self._stale = True
        self._identity = identity or {}
        if self._masker is not None:
            self._identity = self._masker.apply(self._identity)
        fork_guard.register_in_child(self)
        try:
            self.reload()
        except LogError:
            if not defer_open_errors:
                raise
            self._head = self._new_head()

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
            self._read_head(connection, head)
            if head.state.last_seq < 0:
                check_new_id(self.run_id)
            # After an interrupt during the first commit, its rows may be stored.
            if not self.opened and self._first_row is not None:
                self.opened = event_log.contains(connection, self._first_row)
        head.begin()
        return head

    def _read_head(self, connection: Connection, head: StreamHead) -> None:
        """Apply the rows of the run to its new head; those of a long run from a key-frame on."""
        rows = event_log.read(connection, self.run_id, chunk=key_frames.ROWS)
        first = list(islice(rows, key_frames.ROWS))
        if len(first) < key_frames.ROWS:
            head.catch_up(first)
            return
        # All of it is read at one moment: otherwise a redaction may come in between.
        with damage.snapshot(connection):
            projector = seek.nearest(connection, self.run_id)
            start = max(projector.state.last_seq, 0)
            head.catch_up(event_log.read(connection, self.run_id, start=start), projector)

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

    def projected(self) -> RunProjection:
        """Return the projection of the run at its head."""
        return self._head.projected()

    def interpret(self, kind: str, value: object) -> SourceEvent:
        """Return a value, or a ``SourceEvent``, as an event whose secrets are masked."""
        if type(value) is not dict and isinstance(value, SourceEvent):
            if self._masker is None:
                return value
            value = value.value
        if self._masker is not None:
            value = self._masker.apply(value)
        return self.reader.interpret(kind, value)

    def _append_steps(self, event: SourceEvent) -> Steps[NewEvent]:
        text_event = None if self._stale or not self.opened else self._head.text_row(event)
        if text_event is not None and (yield AppendUnit([text_event.row], None)):
            self._head.commit_text_row(text_event)
            return text_event
        new_events = yield from self._decide_steps(lambda: [event])
        return new_events[-1]

    def _note_steps(self, type_: str, value: dict[str, Any]) -> Steps[list[NewEvent]]:
        masked = value if self._masker is None else self._masker.apply(value)
        return self._decide_steps(lambda: [event_builder.note(type_, masked)])

    def _offer_steps(self, event: SourceEvent) -> Steps[AppendOutcome]:
        text_event = None if self._stale or not self.opened else self._head.text_row(event)
        if (
            text_event is not None
            and self._head.deduplicator.is_next(event.index)
            and (yield AppendUnit([text_event.row], None))
        ):
            self._head.commit_text_row(text_event)
            if event.index is None:
                self._head.count(event)
            return AppendOutcome(text_event.row.seq, new=True)
        return (yield from self._match_steps(event))

    def _match_steps(self, event: SourceEvent) -> Steps[AppendOutcome]:
        known: AppendOutcome | None = None
        masked_event, missing = event, 0

        def decide() -> list[SourceEvent]:
            nonlocal known, missing, masked_event
            masked_event, deduplicator = self._head.remasked(event), self._head.deduplicator
            known, missing = deduplicator.find(masked_event), 0
            if known is not None:
                conflict = event_builder.conflict_note(masked_event, known.seq)
                return [conflict] if known.new else []
            number = masked_event.index
            missing = deduplicator.missing(number)
            if missing and number is not None:
                return [event_builder.gap_note(number - missing, number), masked_event]
            return [masked_event]

        new_events = yield from self._decide_steps(decide, compared=event)
        if event.index is None:
            self._head.count(masked_event)
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

    def _decide_steps(
        self,
        decide: Callable[[], list[SourceEvent]],
        *,
        opens: bool = True,
        compared: SourceEvent | None = None,
    ) -> Steps[list[NewEvent]]:
        """Append the entries that ``decide`` returns; after an append conflict, decide again.

        With ``opens``, the ``opened`` note is prepended unless the session has started.
        ``compared`` is the entry that ``decide`` looks for in the log.
        """
        for _ in range(_MAX_APPEND_ATTEMPTS):
            if self._stale:
                yield self.reload
            if compared is not None and self._head.deduplicator.reads(compared.index):
                yield self._head.deduplicator.read
            entries = decide()
            if not entries:
                return []
            if opens and not self.opened:
                entries = [self._opened_note(), *entries]
            new_events = self._head.build(entries)
            unit, undo = self._unit(new_events)
            if (yield unit):
                self.opened |= opens
                self._head.mark_stored(new_events)
                return new_events
            undo()
            yield self._catch_up
        raise LogError(
            f"run {self.run_id}: {_MAX_APPEND_ATTEMPTS} append conflicts with other recorders"
        )

    def _unit(self, new_events: list[NewEvent]) -> tuple[AppendUnit, Callable[[], None]]:
        """Apply new rows; return the unit to commit, and what undoes this."""
        changed, frames, undo = self._head.apply(new_events)
        self.projection_pending |= changed
        rows = [new_event.row for new_event in new_events]
        self._first_row = self._first_row if self.opened else rows[0]
        projection = self._head.projected() if changed and not self.batch else None
        return AppendUnit(rows, projection, frames), undo

    def _too_slow(self, report: str) -> None:
        _log.warning(
            "%s after row %d of run %s: such strings are masked completely",
            *(report, self.last_seq, self.run_id),
        )

    def _timestamps(self) -> tuple[int, int]:
        return self._clock() // 1_000, (self._timer() - self._begun_ns) // 1_000

    def _opened_note(self) -> SourceEvent:
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

    def _match_from_head(self) -> None:
        """Match events that are offered from now on only with rows after the current head."""
        self._match_from = self.last_seq + 1
        self._head.deduplicator.assume_empty()

    def _read_rows(self) -> Iterator[tuple[EventRow, object]]:
        """Read the rows of the run up to its known head, with their values."""
        if self.batch is not None:
            self.batch.flush()
        projector = RunProjector(self.run_id)
        with self.database.reading() as connection:
            for row in event_log.read(connection, self.run_id, stop=self.last_seq + 1):
                projected = projector.apply(row)
                if row.seq >= self._match_from:
                    yield with_number(row, projected)
