"""Appending to the log: one event, one row, committed before the caller goes on."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from runreel import drafts, process
from runreel.drafts import Draft, Entry
from runreel.projector import Fold, stored_event
from runreel.rules import chain
from runreel.rules.seen import Seen, fingerprint
from runreel.store import event_log, read_models
from runreel.store.connection import GiveUp
from runreel.words.errors import BadInput, LogError, SourceMismatch
from runreel.words.log import (
    CLOSED,
    INTERRUPTED,
    MAX_RUN_ID,
    NOTE,
    OPENED,
    RESUMED,
    STREAM_EVENT,
    EventRow,
    StoredEvent,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.store.connection import Connection
    from runreel.store.database import Database

# How often an append is tried anew after another recorder of the run was faster.
_RACES = 100


class Offer(NamedTuple):
    """What became of a source's value: the row that holds it, and whether it is a new one.

    ``conflict`` is whether that row holds another telling of the same event; ``missing`` counts
    the source's events that should have come before this one.
    """

    seq: int
    new: bool
    conflict: bool = False
    missing: int = 0


class Stage(Protocol):
    """Holds the rows of several recorders back, to commit them together."""

    def add(
        self, recorder: Recorder, rows: list[EventRow], redo: Callable[[], object] | None
    ) -> None:
        """Take rows; ``redo`` offers their event again where another recorder was faster."""
        ...

    def flush(self) -> None:
        """Commit what is held."""
        ...


class Recorder:
    """Appends one run's events, knowing the run up to its head.

    ``via`` says how the events come: ``import`` where the rows' times are not the events' own.
    Nothing is written, not even a note, until there is something new to store.
    """

    def __init__(  # noqa: PLR0913 - the parts it works with
        self,
        database: Database,
        run_id: str,
        *,
        source: str,
        via: str,
        identity: dict[str, Any] | None = None,
        batch: Stage | None = None,
        offered: Counter[bytes] | None = None,
        clock: Callable[[], int] = time.time_ns,
        timer: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        check_run_id(run_id)
        self.run_id = run_id
        self.database = database
        self.opened = False
        self.owes_projection = False
        self.source = source
        self._via = via
        self._identity = identity or {}
        self.batch = batch
        self._clock = clock
        self._timer = timer
        self._begun = timer()
        self._seen: Seen | None = None
        self._offered: Counter[bytes] = Counter() if offered is None else offered
        self.reload()

    def reload(self) -> None:
        """Read the run from the log, whatever was thought of it before.

        Raises:
            SourceMismatch: if the log has the run from another source.
        """
        self._stale = False
        self._fold = Fold(self.run_id)
        self._digest = chain.genesis(self.run_id)
        self._index = -1
        self._seen = None
        with self.database.writing() as connection:
            self._catch_up(connection)
        if self._fold.state.last_seq < 0:
            self._fold.use(self.source)
            self._seen = Seen()
        elif self._fold.state.source != self.source:
            raise SourceMismatch(
                f"run {self.run_id} is recorded from {self._fold.state.source},"
                f" not from {self.source}"
            )

    @property
    def last_seq(self) -> int:
        """The head of the run."""
        return self._fold.state.last_seq

    @property
    def reader(self) -> Any:
        """The reader of the run's source."""
        return self._fold.reader

    def append(self, kind: str, value: Any) -> StoredEvent:
        """Append a new event, whatever the log has already."""
        entry = self._entry(kind, value)
        draft = self._append(lambda: [entry], None)[-1]
        return stored_event(draft.row, value, draft.reading, draft.encoded.text)

    def offer(self, kind: str, value: Any) -> Offer:
        """Append a source's event unless the log has it already.

        Events that the source numbers are known by their number, others by content and count: the
        n-th equal one that is offered is the n-th equal row. Another telling of a known event is
        kept as a note, the first stays.
        """
        entry = self._entry(kind, value)
        content = b"" if entry.number is not None else fingerprint(kind, value)
        known: Offer | None = None
        missing = 0

        def decide() -> list[Entry]:
            nonlocal known, missing
            known, missing = self._known(entry, content), 0
            if known is not None and not known.new:
                return []
            if known is not None:
                return [drafts.conflict(entry, known.seq)]
            if entry.number is not None and entry.number > self._index + 1:
                missing = entry.number - self._index - 1
                return [drafts.gap(self._index + 1, entry.number), entry]
            return [entry]

        def redo() -> None:
            self._offered[content] -= 1
            self.offer(kind, value)

        made = self._append(decide, redo)
        if entry.number is None:
            self._offered[content] += 1
        if known is not None:
            return known
        return Offer(made[-1].row.seq, new=True, missing=missing)

    def close(self) -> None:
        """Say that the recording is complete; nothing is said where nothing was stored."""
        self._end(CLOSED, {})

    def interrupt(self, reason: str) -> None:
        """Say that the recording was cut short, and why."""
        self._end(INTERRUPTED, {"reason": reason})

    def note(self, type_: str, value: dict[str, Any]) -> None:
        """Append a note of the recorder's own."""
        self._append(lambda: [Entry(NOTE, type_, None, value)], None)

    def save_projection(self, connection: Connection) -> None:
        """Write what lists show of the run, inside of the transaction that changed it."""
        read_models.save(connection, self._fold.projected())
        self.owes_projection = False

    def _end(self, type_: str, value: dict[str, Any]) -> None:
        if self.opened:
            self._append(lambda: [Entry(NOTE, type_, None, value)], None)
            self.opened = False

    def _entry(self, kind: str, value: Any) -> Entry:
        reader = self._fold.reader
        return Entry(kind, reader.type_of(kind, value), reader.index_of(kind, value), value)

    def _append(
        self, decide: Callable[[], list[Entry]], redo: Callable[[], object] | None
    ) -> list[Draft]:
        """Append what ``decide`` says; whatever goes wrong, the log is asked before the next."""
        try:
            if self._stale:
                self.reload()
            return self._try(decide, redo)
        except BaseException:
            self._stale = True
            raise

    def _try(
        self, decide: Callable[[], list[Entry]], redo: Callable[[], object] | None
    ) -> list[Draft]:
        failed = False
        for _ in range(_RACES):
            made = self._draft(decide())
            if not made:
                return []
            if self.batch is not None:
                self.owes_projection |= self._move(made)
                self._settle(made)
                self.batch.add(self, [draft.row for draft in made], redo)
                return made
            try:
                if self._commit(made):
                    return made
            except LogError:
                # Whether it was committed is unknown: the log tells.
                if self._holds(made):
                    return made
                if failed:
                    raise
                failed = True
        raise LogError(f"others append to run {self.run_id} faster than this process can")

    def _draft(self, entries: list[Entry]) -> list[Draft]:
        if entries and not self.opened:
            entries = [self._opening(), *entries]
        at, elapsed = self._clock() // 1_000, (self._timer() - self._begun) // 1_000
        return drafts.draft(self._fold, self._digest, entries, at, elapsed)

    def _opening(self) -> Entry:
        value = {"via": self._via, **process.this()._asdict(), **self._identity}
        if self._fold.state.last_seq >= 0:
            return Entry(NOTE, RESUMED, None, value)
        return Entry(NOTE, OPENED, None, {"source": self.source, **value})

    def _commit(self, made: list[Draft]) -> bool:
        """Store the drafts, all or none; False if another recorder was faster."""
        before = self._fold.state.copy()
        changed = self._move(made)
        rows = [draft.row for draft in made]
        # An event that no list shows is one statement, which commits by itself.
        alone = len(rows) == 1 and not changed
        stored = False
        with self.database.writing() as connection:
            with nullcontext() if alone else connection.transaction():
                stored = event_log.append(connection, rows, durable=self.database.durable)
                if not stored and not alone:
                    raise GiveUp
                if stored and changed:
                    self.save_projection(connection)
            if not stored:
                self._fold.state = before
                self._catch_up(connection)
                return False
        self._settle(made)
        return True

    def _move(self, made: list[Draft]) -> bool:
        changed = False
        for row, value, reading, _ in made:
            changed |= self._fold.move(row.kind, row.type, row.at, value, reading)
        return changed

    def _settle(self, made: list[Draft]) -> None:
        self.opened = True
        self._digest = made[-1].row.digest
        self._fold.transcript.text = made[-1].encoded.text
        for row, value, _, _ in made:
            self._mark(row, value)

    def _mark(self, row: EventRow, value: Any) -> None:
        if row.kind == STREAM_EVENT and row.source_index is not None:
            self._index = max(self._index, row.source_index)
        elif self._seen is not None:
            self._seen.add(row, value)

    def _catch_up(self, connection: Connection) -> None:
        """Move over the rows that others appended."""
        start = self._fold.state.last_seq + 1
        for row in event_log.read(connection, self.run_id, start=start):
            value = self._fold.take(row).value
            self._digest = row.digest
            self._mark(row, value)
            self._seen = None

    def _holds(self, made: list[Draft]) -> bool:
        """Whether the log holds the drafts after all; whatever it holds is known then."""
        opened = self.opened
        self.reload()
        last = made[-1].row
        with self.database.writing() as connection:
            found = next(event_log.read(connection, self.run_id, start=last.seq), None)
        self.opened = opened or (found is not None and found.digest == last.digest)
        return found is not None and found.digest == last.digest

    def _known(self, entry: Entry, content: bytes) -> Offer | None:
        """The row that an offered event is, None if it is new to the log."""
        if entry.number is not None and entry.number > self._index:
            return None
        if self._seen is None or (entry.number is not None and entry.number not in self._seen.rows):
            self._seen = self._look()
        if entry.number is None:
            seq = self._seen.nth(content, self._offered[content] + 1)
            return None if seq is None else Offer(seq, new=False)
        held = self._seen.rows.get(entry.number)
        if held is None:
            return None
        if self._seen.equal(entry.number, entry.value):
            return Offer(held.seq, new=False)
        noted = self._seen.noted(entry.number, entry.value)
        return Offer(held.seq, new=not noted, conflict=True)

    def _look(self) -> Seen:
        """What the log holds of the run, event by event."""
        if self.batch is not None:
            self.batch.flush()
        seen, reading = Seen(), Fold(self.run_id)
        with self.database.writing() as connection:
            for row in event_log.read(connection, self.run_id, stop=self.last_seq + 1):
                seen.add(row, reading.take(row).value)
        return seen


def check_run_id(run_id: str) -> None:
    """See that a run can be called so.

    Raises:
        BadInput: if it cannot.
    """
    if not isinstance(run_id, str) or not 0 < len(run_id) <= MAX_RUN_ID:
        raise BadInput(f"a run's id has 1 to {MAX_RUN_ID} characters")
    if any(char < " " or "\ud800" <= char <= "\udfff" for char in run_id):
        raise BadInput("a run's id has no control characters and no lone surrogates")
