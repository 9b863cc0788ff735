"""Follows runs: the events that the log has, then new ones as they are committed.

No connection is held between two looks at the log, so nothing that must wait for readers waits for
a follow. A SQLite file is only read where its counter of commits has changed; a server is asked for
the last row of a run, less often while nothing comes.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runreel.model.errors import RunNotFound, UsageError
from runreel.model.events import StoredEvent
from runreel.model.identifiers import not_found
from runreel.query import run_history, seek
from runreel.query.followed_run import ONCE, TIMEOUT, End, FollowedRun
from runreel.query.open_recordings import is_abandoned
from runreel.store.events import event_log
from runreel.store.projections import run_queries
from runreel.store.schema import migrations
from runreel.system import loops, sync_bridge

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator

    from runreel.store.connection import Connection
    from runreel.store.database import Database

    Find = Callable[[Connection], str]
    Sleep = Callable[[float], Awaitable[None]]
    Look = Callable[[], "list[FollowedRun]"]
    Call = Callable[[Look], "Awaitable[list[FollowedRun]]"]

# Seconds between two looks at the log.
_FIRST_PAUSE = 0.05
_LONGEST_FOR_FILE, _LONGEST_FOR_SERVER = 0.1, 0.25
# Seconds in which a run may appear, unless there is a timeout.
_APPEARS = 2.0
# Runs with rows that are read at a time.
_RUNS = 20
# Ended runs that are looked at again: a program may go on with them at any time.
_REMEMBERED = 200
# µs by which the start of a run may lie before the commit of its first row: clocks differ.
_LATE = 10_000_000


@dataclass(frozen=True, slots=True)
class FollowRequest:
    """What to follow: the run that ``find`` returns, or all open runs, also those that open later.

    ``start`` is the first row of each run, and ``last`` the number of rows that the log may have
    already; None means all. It ends after ``timeout`` seconds without anything new, and with
    ``once`` as soon as there is nothing new.
    """

    find: Find | None = None
    start: int | None = None
    last: int | None = None
    timeout: float | None = None
    once: bool = False

    def __post_init__(self) -> None:
        if self.start is not None and self.start < 0:
            raise UsageError(f"invalid start {self.start}: use the number of a row, from 0")
        if self.timeout is not None and not self.timeout >= 0:
            raise UsageError(f"invalid timeout {self.timeout}: use a number of seconds from 0")

    def first_row(self, head: int) -> int:
        """Return the first row to read of a run with this last row."""
        tail = 0 if self.last is None else head + 1 - self.last
        return max(self.start or 0, tail)


def exactly(run_id: str) -> Find:
    """Return the function that finds the run with this id, or else of such a response."""

    def find(connection: Connection) -> str:
        found = run_history.with_id(connection, run_id)
        if event_log.last_position(connection, found) < 0:
            raise not_found(run_id)
        return found

    return find


def follow(
    database: Database, request: FollowRequest, *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[StoredEvent | End]:
    """Yield events, and an ``End`` for each run that ends; the last item is an ``End``.

    Raises:
        RunNotFound: if the run is not in the log, and does not appear in time, or was pruned.
        AmbiguousRun: as ``find`` does.
    """

    async def call(look: Look) -> list[FollowedRun]:
        return look()

    async def wait(seconds: float) -> None:
        sleep(seconds)

    return sync_bridge.blocking(_steps(_Follower(database, request), call, wait))


def events(database: Database, request: FollowRequest) -> Iterator[StoredEvent]:
    """Yield the events of ``follow``."""
    for item in follow(database, request):
        if isinstance(item, StoredEvent):
            yield item


async def aevents(database: Database, request: FollowRequest) -> AsyncIterator[StoredEvent]:
    """Like ``events``, without blocking the event loop.

    Raises:
        UsageError: also if the task does not run in asyncio.
    """
    loops.running()

    def call(look: Look) -> Awaitable[list[FollowedRun]]:
        return loops.wait_to_end(loops.in_thread(look))

    async with aclosing(_steps(_Follower(database, request), call, asyncio.sleep)) as items:
        async for item in items:
            if isinstance(item, StoredEvent):
                yield item


async def _steps(
    follower: _Follower, call: Call, sleep: Sleep
) -> AsyncGenerator[StoredEvent | End, None]:
    """Yield what is new, again and again; the same for threads and for event loops."""
    while True:
        found = await call(follower.look)
        for run in found:
            for event in run.events():
                yield event
        for end in follower.ends(is_idle=not found):
            yield end
        if follower.is_done:
            return
        if not found:
            await sleep(follower.pause())


class _Follower:
    """The runs of one follow."""

    def __init__(self, database: Database, request: FollowRequest) -> None:
        self._database = database
        self._request = request
        self._once = request.once or database.is_temporary
        self._begun = self._new_at = time.monotonic()
        server = not database.driver.in_process
        self._longest = _LONGEST_FOR_SERVER if server else _LONGEST_FOR_FILE
        self._pause = _FIRST_PAUSE
        # Of the moment before which everything was read; a mark is equal to no other object.
        self._mark: object = object()
        self._looked, self._looked_at = False, _now()
        self._missing: RunNotFound | None = None
        self._runs: dict[str, FollowedRun] = {}
        # The next rows of runs that are not followed now.
        self._known: dict[str, int] = {}
        self._ended: deque[str] = deque(maxlen=_REMEMBERED)
        self.is_done = False

    def look(self) -> list[FollowedRun]:
        """Return the runs that have new rows, with these rows; nothing else is read.

        Raises:
            LogError: if the database cannot be read for as long as its ``patience``.
        """
        return self._database.retry_unavailable(self._look)

    def ends(self, *, is_idle: bool) -> Iterator[End]:
        """Yield the end of each run that has ended, and that of the follow, if it has."""
        now = time.monotonic()
        if not is_idle:
            self._new_at, self._pause = now, _FIRST_PAUSE
        for run in [*self._runs.values()]:
            end = run.end(once=self._once and self._request.find is not None)
            if end is not None:
                self._forget(run)
                yield end
        if self.is_done or not is_idle:
            return
        self._require_found(now)
        timeout = self._request.timeout
        if self._once:
            yield from self._last(ONCE)
        elif timeout is not None and now >= self._new_at + timeout:
            yield from self._last(TIMEOUT)

    def pause(self) -> float:
        """Return the seconds to wait; the pauses grow while nothing comes."""
        pause, self._pause = self._pause, min(self._pause * 1.5, self._longest)
        if self._request.timeout is None:
            return pause
        return max(0.0, min(pause, self._new_at + self._request.timeout - time.monotonic()))

    def _last(self, reason: str) -> Iterator[End]:
        self.is_done = True
        if self._request.find is None:
            yield End(reason)
            return
        for run in self._runs.values():
            yield run.timed_out()

    def _forget(self, run: FollowedRun) -> None:
        del self._runs[run.run_id]
        self._known[run.run_id] = run.next
        self._ended.append(run.run_id)
        self.is_done = self._request.find is not None

    def _require_found(self, now: float) -> None:
        timeout = self._request.timeout
        waits = 0.0 if self._once else _APPEARS if timeout is None else timeout
        if self._missing is not None and now >= self._begun + waits:
            raise self._missing

    def _look(self) -> list[FollowedRun]:
        with self._database.reading() as connection:
            mark = connection.driver.change_mark(connection)
            runs = self._runs.values()
            if mark == self._mark and not any(run.has_more or run.is_suspect for run in runs):
                return []
            heads = self._find_one(connection) if self._request.find else self._find_all(connection)
            found: list[FollowedRun] = []
            for run in [*runs]:
                if len(found) == _RUNS:
                    # The others are read at the next look, before these.
                    return found
                if run.fetch(connection, heads.get(run.run_id)):
                    found.append(run)
                    self._runs[run.run_id] = self._runs.pop(run.run_id)
            self._mark = mark
            return found

    def _find_one(self, connection: Connection) -> dict[str, int]:
        """Find the run to follow, unless it was found; return no last rows."""
        find = self._request.find
        if find is None or self._looked:
            return {}
        try:
            run_id = find(connection)
        except RunNotFound as error:
            self._missing = error
            return {}
        head = run_history.require_logged(connection, run_id)
        self._looked, self._missing = True, None
        self._runs[run_id] = FollowedRun(run_id, self._request.first_row(head))
        return {}

    def _find_all(self, connection: Connection) -> dict[str, int]:
        """Find the runs to follow from now on; return the last rows of runs that are known."""
        migrations.require_projections(connection)
        # A run that has begun and ended since the last look is followed, too.
        heads, now, ended = dict[str, int](), _now(), [*dict.fromkeys(self._ended)]
        found = run_queries.open_since(connection, self._looked_at - _LATE, ended)
        for run_id, head, is_open in found:
            heads[run_id] = head
            if run_id in self._runs:
                continue
            run = self._start(connection, run_id, head, is_open=is_open)
            if run is None:
                self._known.setdefault(run_id, head + 1)
            else:
                self._runs[run_id] = run
        self._known = {run_id: row for run_id, row in self._known.items() if run_id in heads}
        self._looked, self._looked_at = True, now
        return heads

    def _start(
        self, connection: Connection, run_id: str, head: int, *, is_open: bool
    ) -> FollowedRun | None:
        """Return a run to follow from now on, None if it has nothing new."""
        known = self._known.pop(run_id, None)
        if known is not None and known > head:
            self._known[run_id] = known
            return None
        if known is not None:
            return FollowedRun(run_id, known)
        if not self._looked and not is_open:
            return None
        note = seek.session(connection, run_id, head)
        if self._looked:
            begun = 0 if note is None else note.seq
            return FollowedRun(run_id, max(begun, self._request.start or 0))
        if note is not None and is_abandoned(note.payload):
            return None
        return FollowedRun(run_id, self._request.first_row(head))


def _now() -> int:
    return time.time_ns() // 1_000
