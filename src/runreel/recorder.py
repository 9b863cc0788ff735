"""Appending to the log: one event, one row, committed before the caller goes on."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from runreel import drafts, process
from runreel.commit import Unit, committer_of
from runreel.drafts import Draft, Entry
from runreel.projector import Fold, stored_event
from runreel.rules import chain
from runreel.rules.ids import check_run_id
from runreel.rules.masking import Masker
from runreel.rules.masks import veiled
from runreel.rules.matching import Matcher, Offer, fingerprint
from runreel.rules.reading import spoken
from runreel.rules.runs import IMPORT
from runreel.rules.tombstones import epitaph, is_tombstone
from runreel.sources import reader_of
from runreel.store import event_log
from runreel.words.errors import LogError, RunPruned, SourceMismatch
from runreel.words.log import (
    CLOSED,
    INTERRUPTED,
    NOTE,
    OPEN,
    OPENED,
    REDACTED,
    RESUMED,
    RUN,
    STREAM_EVENT,
    EventRow,
    StoredEvent,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from runreel.rules.runs import RunState
    from runreel.store.connection import Connection
    from runreel.store.database import Database
    from runreel.store.read_models import Projected

T = TypeVar("T")

# How often an append is tried anew after another recorder of the run was faster.
_RACES = 100


class Stage(Protocol):
    """Holds the rows of several recorders back, to commit them together."""

    def add(self, recorder: Recorder, unit: Unit, redo: Callable[[], object] | None) -> None:
        """Take rows; ``redo`` offers their event again where another recorder was faster."""
        ...

    def flush(self) -> None:
        """Commit what is held."""
        ...


class Recorder:
    """Appends one run's events, knowing the run up to its head.

    ``via`` says how the events come: ``import`` where the rows' times are not the events' own.
    Nothing is written, not even a note, until there is something new to store. A log that cannot
    be read yet is an error at once, or, if ``lenient``, with the first event. Threads may share a
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
        batch: Stage | None = None,
        offered: Counter[bytes] | None = None,
        lenient: bool = False,
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
        self._masker = Masker(database.masking) if database.masking else None
        self._identity = self._masked(identity or {})
        self.batch = batch
        self._clock = clock
        self._timer = timer
        self._begun = timer()
        self._offered: Counter[bytes] = Counter() if offered is None else offered
        self._reader = reader_of(source)
        self._turn, self._task_turn = threading.RLock(), asyncio.Lock()
        self._first: EventRow | None = None
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
        """
        self._stale = True
        self._fold = Fold(self.run_id)
        self._digest = chain.genesis(self.run_id)
        self._matcher = Matcher(self._look, self._offered)
        with self.database.reading() as connection:
            self._catch_up(connection)
            self._stale = False
            # Whoever was interrupted in the middle of its first commit has begun all the same.
            if not self.opened and self._first is not None:
                self.opened = event_log.holds(connection, self._first)
        if self._fold.state.last_seq < 0:
            self._fold.use(self.source)
            self._matcher.start()
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
    def index(self) -> int:
        """The highest number that the source gave an event, -1 if it gave none."""
        return self._matcher.index

    @property
    def state(self) -> RunState:
        """The run's state at its head."""
        return self._fold.state

    @property
    def reader(self) -> Any:
        """The reader of the run's source."""
        return self._reader

    def append(self, kind: str, value: Any) -> StoredEvent:
        """Append a new event, whatever the log has already."""
        self._matcher.bypass()
        return self._stored(self._run(self._appending([self._entry(kind, value)])))

    async def aappend(self, kind: str, value: Any) -> StoredEvent:
        """Like ``append``, sharing commits with whatever else is ready in the event loop."""
        self._matcher.bypass()
        return self._stored(await self._arun(self._appending([self._entry(kind, value)])))

    def offer(self, kind: str, value: Any) -> Offer:
        """Append a source's event unless the log has it already.

        Events that the source numbers are known by their number, others by content and count: the
        n-th equal one that is offered is the n-th equal row. Another telling of a known event is
        kept as a note, the first stays.
        """
        entry, content = self._offered_entry(kind, value)
        return self._run(self._offering(entry, content), lambda: self._again(entry, content))

    async def aoffer(self, kind: str, value: Any) -> Offer:
        """Like ``offer``, sharing commits with whatever else is ready in the event loop."""
        return await self._arun(self._offering(*self._offered_entry(kind, value)))

    def note(self, type_: str, value: dict[str, Any]) -> None:
        """Append a note of the recorder's own."""
        self._run(self._appending([Entry(NOTE, type_, None, value)]))

    async def anote(self, type_: str, value: dict[str, Any]) -> None:
        """Like ``note``, in an event loop."""
        await self._arun(self._appending([Entry(NOTE, type_, None, value)]))

    def close(self) -> None:
        """Say that the recording is complete; nothing is said where nothing was stored."""
        self._run(self._ending(CLOSED, {}), self.close)

    async def aclose(self) -> None:
        """Like ``close``, in an event loop."""
        await self._arun(self._ending(CLOSED, {}))

    def interrupt(self, reason: str) -> None:
        """Say that the recording was cut short, and why."""
        self._run(self._ending(INTERRUPTED, {"reason": reason}))

    async def ainterrupt(self, reason: str) -> None:
        """Like ``interrupt``, in an event loop."""
        await self._arun(self._ending(INTERRUPTED, {"reason": reason}))

    def abandon(self, reason: str) -> bool:
        """End, as interrupted, a recording that its own process cannot; False if it has ended."""
        ended = False

        def decide() -> list[Entry]:
            nonlocal ended
            ended = self.state.recording == OPEN
            return [Entry(NOTE, INTERRUPTED, None, {"reason": reason})] if ended else []

        self.opened = True  # this is the end of that session, not one of our own
        self._run(self._deciding(decide))
        self.opened = False
        return ended

    def projected(self) -> Projected:
        """What lists show of the run."""
        return self._fold.projected()

    def _run(self, steps: Generator[Unit, bool, T], redo: Callable[[], object] | None = None) -> T:
        """Go through ``steps``, committing each unit that they ask for."""
        stored: Any = None  # what starts a generator
        with self._turn:
            try:
                while True:
                    unit = steps.send(stored)
                    if self.batch is None:
                        stored = committer_of(self.database).commit(unit)
                    else:
                        self.batch.add(self, unit, redo)
                        stored = True
            except StopIteration as end:
                return cast("T", end.value)
            except BaseException:
                # What became of the rows is unknown: the log is asked before the next append.
                self._stale = True
                raise

    async def _arun(self, steps: Generator[Unit, bool, T]) -> T:
        """Like ``_run``. Who is cancelled leaves once it is known what became of the rows."""
        stored: Any = None  # what starts a generator
        cancelled: asyncio.CancelledError | None = None
        async with self._task_turn:
            try:
                while True:
                    pending = committer_of(self.database).acommit(steps.send(stored))
                    try:
                        stored = await pending
                    except asyncio.CancelledError as error:
                        cancelled = error
                        stored = await pending
            except StopIteration as end:
                if cancelled is not None:
                    raise cancelled from None
                return cast("T", end.value)
            except BaseException:
                self._stale = True
                raise

    def _appending(self, entries: list[Entry]) -> Generator[Unit, bool, list[Draft]]:
        return self._deciding(lambda: entries)

    def _offering(self, entry: Entry, content: bytes) -> Generator[Unit, bool, Offer]:
        known: Offer | None = None
        missing = 0

        def decide() -> list[Entry]:
            nonlocal known, missing, content
            told = self._veiled(entry)
            if told is not entry and content:
                content = fingerprint(told.kind, told.value)
            known, missing = self._matcher.find(*told, content), 0
            if known is not None and not known.new:
                return []
            if known is not None:
                return [drafts.conflict(told, known.seq)]
            missing = self._matcher.missing(told.number)
            if missing and told.number is not None:
                return [drafts.gap(told.number - missing, told.number), told]
            return [told]

        made = yield from self._deciding(decide)
        if entry.number is None:
            self._offered[content] += 1
        return known or Offer(made[-1].row.seq, new=True, missing=missing)

    def _ending(self, type_: str, value: dict[str, Any]) -> Generator[Unit, bool, None]:
        if self._stale:
            self.reload()
        if not self.opened and self._via == IMPORT:
            # What an import that was cut short left open ends with the one that finds it complete.
            self.opened = self.state.recording == OPEN and not self.state.live
        if self.opened:
            hits = {} if self._masker is None else {"masked": self._masker.hits}
            yield from self._appending([Entry(NOTE, type_, None, value | hits)])
            self.opened = False

    def _deciding(self, decide: Callable[[], list[Entry]]) -> Generator[Unit, bool, list[Draft]]:
        """Append what ``decide`` says, deciding anew whenever another recorder was faster."""
        for _ in range(_RACES):
            if self._stale:
                self.reload()
            made = self._draft(decide())
            if not made:
                return []
            if len(made) == 1 and self._fold.flows(made[0].row):
                if (yield Unit([made[0].row], None)):
                    self._fold.flow(made[0].text)
                    self._settle(made)
                    return made
            else:
                state, text = self._fold.state.copy(), self._fold.transcript.now
                changed = self._move(made)
                self.owes_projection |= changed
                rows = [draft.row for draft in made]
                self._first = self._first if self.opened else rows[0]
                shown = self._fold.projected() if changed and not self.batch else None
                if (yield Unit(rows, shown)):
                    self._settle(made)
                    return made
                self._fold.state, self._fold.transcript.now = state, text
            with self.database.reading() as connection:
                self._catch_up(connection)
        raise LogError(f"others append to run {self.run_id} faster than this process can")

    def _stored(self, made: list[Draft]) -> StoredEvent:
        row, value, reading, text = made[-1]
        return stored_event(row, value, reading, text)

    def _offered_entry(self, kind: str, value: Any) -> tuple[Entry, bytes]:
        entry = self._entry(kind, value)
        return entry, b"" if entry.number is not None else fingerprint(kind, entry.value)

    def _again(self, entry: Entry, content: bytes) -> None:
        """Offer once more what was thought to be stored and is not."""
        if entry.number is None and self._offered[content]:
            self._offered[content] -= 1
        self._run(self._offering(entry, content))

    def _masked(self, value: Any) -> Any:
        return value if self._masker is None else self._masker.apply(value)

    def _entry(self, kind: str, value: Any) -> Entry:
        value = self._masked(value)
        number = self._reader.index_of(kind, value)
        return Entry(kind, self._reader.type_of(kind, value), number, value)

    def _veiled(self, entry: Entry) -> Entry:
        """The entry without what was erased of the run's text, should it tell that again."""
        transcript = self._fold.transcript
        if not transcript.hidden or entry.kind not in (STREAM_EVENT, RUN):
            return entry
        value = veiled(entry.value, self._reader, transcript.text, transcript.hidden)
        return entry if value is entry.value else entry._replace(value=value)

    def _draft(self, entries: list[Entry]) -> list[Draft]:
        if entries and not self.opened:
            entries = [self._opening(), *entries]
        if self._fold.transcript.hidden:
            entries = [self._veiled(entry) for entry in entries]
        at, elapsed = self._clock() // 1_000, (self._timer() - self._begun) // 1_000
        return drafts.draft(self._fold, self._digest, entries, at, elapsed)

    def _opening(self) -> Entry:
        value = {"via": self._via, **process.this()._asdict(), **self._identity}
        if self._fold.state.last_seq >= 0:
            return Entry(NOTE, RESUMED, None, value)
        return Entry(NOTE, OPENED, None, {"source": self.source, **value})

    def _move(self, made: list[Draft]) -> bool:
        changed = False
        for row, value, reading, text in made:
            changed |= self._fold.move(row.kind, row.type, row.at, value, reading or spoken(text))
            self._fold.transcript.move(row.keep, text)
        return changed

    def _settle(self, made: list[Draft]) -> None:
        self.opened = True
        self._digest = made[-1].row.digest
        for row, value, _, _ in made:
            self._matcher.mark(row, value)

    def _catch_up(self, connection: Connection) -> None:
        """Move over the rows that others appended."""
        start = self._fold.state.last_seq + 1
        for row in event_log.read(connection, self.run_id, start=start):
            if is_tombstone(row):
                raise RunPruned(epitaph(row))
            value = self._fold.take(row).value
            self._digest = row.digest
            self._matcher.mark(row, value)
            self._matcher.forget()
            # What was erased of the rows before must not come back from our memory of them.
            self._stale |= row.kind == NOTE and row.type == REDACTED

    def _look(self) -> Iterator[tuple[EventRow, Any]]:
        """What the log holds of the run, event by event."""
        if self.batch is not None:
            self.batch.flush()
        reading = Fold(self.run_id)
        with self.database.reading() as connection:
            for row in event_log.read(connection, self.run_id, stop=self.last_seq + 1):
                yield row, reading.take(row).value
