"""Commits: what several callers want stored at the same time goes into one transaction."""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, cast
from weakref import WeakKeyDictionary

from runreel.model.errors import DatabaseLocked, DatabaseReadOnly, DatabaseUnavailable, LogError
from runreel.store import fork_guard
from runreel.store.connection import RollbackTransaction
from runreel.store.events import event_log
from runreel.store.projections import run_table
from runreel.system import backoff, loops
from runreel.system.turns import EventLoopBatcher

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from runreel.model.events import EventRow
    from runreel.projection.run_mapper import RunProjection
    from runreel.store.connection import Connection
    from runreel.store.database import Database
    from runreel.system.loops import Pending

# How many units share a transaction at the most.
GROUP = 512


class AppendUnit(NamedTuple):
    """Rows of one run that are stored together or not at all, and what lists show after them."""

    rows: list[EventRow]
    projected: RunProjection | None


# Whether a unit is stored; False where another recorder of the run was faster.
Outcome = bool | BaseException


class _CommitRequest:
    """Units that a caller waits for; ``called`` once there is something for it to do."""

    __slots__ = ("called", "outcomes", "since", "units", "wake")

    def __init__(self, units: Sequence[AppendUnit]) -> None:
        self.units = units
        self.since = time.monotonic()
        self.outcomes: list[Outcome] = []
        self.called = False
        self.wake = threading.Lock()
        self.wake.acquire()

    def notify(self) -> None:
        """Wake whoever waits."""
        self.called = True
        self.wake.release()


class Committer:
    """Stores units. Whoever finds it idle commits, at once; whoever finds it busy queues.

    Whoever commits takes all that is queued along, so that threads share the cost of a
    transaction when they meet and pay nothing when they do not. A transaction that fails is tried
    again unit by unit: a bad one cannot fail its neighbours.
    """

    def __init__(self, database: Database) -> None:
        self._database = weakref.proxy(database)
        self._mutex = threading.Lock()
        self._queue: deque[_CommitRequest] = deque()
        self._led = False
        # When a lock was last waited for in vain.
        self._in_vain = 0.0
        self._turns: WeakKeyDictionary[
            asyncio.AbstractEventLoop, EventLoopBatcher[AppendUnit, bool]
        ]
        self._turns = WeakKeyDictionary()

    def acommit(self, unit: AppendUnit) -> Pending[bool]:
        """Like ``commit``: all that is ready in one turn of the loop shares a transaction.

        The loop never waits: SQLite commits in the loop itself, which is faster than any thread,
        while its lock is free and its disk is fast, else in a thread; Postgres always in a thread.

        Raises:
            UsageError: if something other than asyncio runs the task.
        """
        loop = loops.running()
        turns = self._turns.get(loop)
        if turns is None:
            turns = self._turns[loop] = self._made_turns()
        return turns.add(unit, loop)

    def _made_turns(self) -> EventLoopBatcher[AppendUnit, bool]:
        database = self._database
        at_once = None if database.postgres else self.commit_at_once
        return EventLoopBatcher(
            self.commit_all, at_once, measured=database.durable, max_group=GROUP
        )

    def commit(self, unit: AppendUnit) -> bool:
        """Store one unit; False if another recorder of the run was faster.

        Raises:
            LogError: if the database does not take it. It is not stored then, unless the database
                cannot even be asked.
        """
        with self._mutex:
            # Nobody queues where nobody commits.
            leads, self._led = not self._led, True
        if not leads:
            outcome = self.commit_all([unit])[0]
        else:
            try:
                outcome = self._commit_unit(unit)
            finally:
                self._wake_next()
        return _result_or_raise(outcome)

    def commit_all(self, units: Sequence[AppendUnit]) -> list[Outcome]:
        """Store units in order, each with an outcome of its own."""
        ticket = _CommitRequest(units)
        with self._mutex:
            self._queue.append(ticket)
            leads, self._led = not self._led, True
        interrupt = None if leads else _wait(ticket)
        if not ticket.outcomes:
            self._commit_queue(ticket)
        if interrupt is not None:
            raise interrupt
        return ticket.outcomes

    def commit_at_once(self, units: Sequence[AppendUnit]) -> list[Outcome] | None:
        """Store units without waiting for a lock or for another committer.

        None where that is not possible, or failed: ``commit_all`` finds out what is stored.
        """
        with self._mutex:
            if self._led:
                return None
            self._led = True
        try:
            if len(units) == 1:
                return [bool(self._database.write_at_once(self._append_once, units[0]))]
            stored = self._database.write_at_once(self._transact, units)
        except Exception:  # noqa: BLE001 - commit_all meets it again, and gives it to its caller
            return None
        finally:
            self._wake_next()
        return [True] * len(units) if stored else None

    def _commit_queue(self, own: _CommitRequest) -> None:
        tickets: list[_CommitRequest] = []
        try:
            with self._mutex:
                size = 0
                while self._queue and size < GROUP:
                    tickets.append(self._queue.popleft())
                    size += len(tickets[-1].units)
            self._store(tickets)
        finally:
            with self._mutex:
                # If we were interrupted, somebody else finds out what became of the others' rows.
                unfinished = [t for t in tickets if not t.outcomes and t is not own]
                self._queue.extendleft(reversed(unfinished))
            for ticket in tickets:
                if ticket.outcomes and ticket is not own:
                    ticket.notify()
            self._wake_next()

    def _wake_next(self) -> None:
        """Let whoever has queued meanwhile commit next."""
        with self._mutex:
            self._led = bool(self._queue)
            successor = self._queue[0] if self._queue else None
        if successor is not None:
            successor.notify()

    def _store(self, tickets: list[_CommitRequest]) -> None:
        units = [unit for ticket in tickets for unit in ticket.units]
        # What was queued while another unit waited for a lock in vain has waited with it.
        waits = min(ticket.since for ticket in tickets) >= self._in_vain
        outcomes = self._outcomes(units, waits=waits)
        done = 0
        for ticket in tickets:
            ticket.outcomes = outcomes[done : done + len(ticket.units)]
            done += len(ticket.units)

    def _outcomes(self, units: Sequence[AppendUnit], *, waits: bool) -> list[Outcome]:
        """Store units together, else each by itself; all wait for a lock once, and equally long."""
        write = self._database.write if waits else self._database.write_at_once
        deadline = time.monotonic() + self._database.patience
        locked: LogError | None = None
        if len(units) > 1:
            try:
                if write(self._transact, units):
                    return [True] * len(units)
            except LogError as error:
                locked = error if isinstance(error, DatabaseLocked) else None
        outcomes: list[Outcome] = []
        for unit in units:
            if locked is None:
                outcome = self._commit_unit(unit, write, deadline)
                locked = outcome if isinstance(outcome, DatabaseLocked) else None
            else:
                outcome = self._retry(unit, locked, deadline)
            outcomes.append(outcome)
        return outcomes

    def _commit_unit(
        self,
        unit: AppendUnit,
        write: Callable[..., bool] | None = None,
        deadline: float | None = None,
    ) -> Outcome:
        """Store one unit; after an error the log is asked, for it may be stored all the same."""
        try:
            return bool((write or self._database.write)(self._append_once, unit))
        except LogError as error:
            return self._retry(unit, error, deadline or time.monotonic() + self._database.patience)
        except Exception as error:  # noqa: BLE001 - a bug must reach the caller it belongs to
            return error

    def _retry(self, unit: AppendUnit, error: LogError, deadline: float) -> Outcome:
        """Store a unit whose first try failed: once more at once, then as long as it may pass."""
        more = backoff.until(deadline)
        # A lock has been waited for by now.
        at_once = not isinstance(error, DatabaseLocked)
        while not self._is_stored(unit):
            if not (at_once or (_is_transient(error) and next(more, False))):
                if isinstance(error, DatabaseLocked):
                    self._in_vain = time.monotonic()
                return error
            at_once = False
            try:
                return bool(self._database.write(self._append_once, unit))
            except LogError as failure:
                error = failure
            except Exception as bug:  # noqa: BLE001 - as above
                return bug
        return True

    def _is_stored(self, unit: AppendUnit) -> bool:
        try:
            return bool(self._database.write(event_log.contains, unit.rows[-1]))
        except LogError:
            return False

    def _append_once(self, connection: Connection, unit: AppendUnit) -> bool:
        rows = unit.rows
        if unit.projected is None and len(rows) == 1:
            # An event that no list shows is one statement, which commits by itself.
            stored = event_log.append_one(connection, rows[0], durable=self._database.durable)
        else:
            stored = self._transact(connection, [unit])
        return stored or event_log.contains(connection, rows[-1])

    def _transact(self, connection: Connection, units: Sequence[AppendUnit]) -> bool:
        stored = False
        # Everybody takes the runs in one order: then no two wait for each other.
        units = sorted(units, key=lambda unit: unit.rows[0].run_id)
        rows = [row for unit in units for row in unit.rows]
        if connection.postgres and not any(unit.projected for unit in units):
            # One statement is a transaction by itself.
            return event_log.append(connection, rows, durable=self._database.durable)
        with connection.transaction():
            stored = event_log.append(connection, rows, durable=self._database.durable)
            if not stored:
                raise RollbackTransaction
            run_table.save(connection, *(unit.projected for unit in units if unit.projected))
        return stored


_making = fork_guard.Lock()


def committer_of(database: Database) -> Committer:
    """The one committer of a database in this process; a forked child has its own."""
    if database.committer is None:
        with _making:
            database.committer = database.committer or Committer(database)
    return cast("Committer", database.committer)


def _result_or_raise(outcome: Outcome) -> bool:
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def _wait(ticket: _CommitRequest) -> BaseException | None:
    """Wait to be called; an interrupt is handed back, for the rows may be on their way already."""
    interrupt: BaseException | None = None
    while not ticket.called:
        try:
            ticket.wake.acquire(timeout=1.0)
        except BaseException as error:  # noqa: BLE001 - raised by whoever asked
            interrupt = error
    return interrupt


def _is_transient(error: LogError) -> bool:
    """Whether the error may go by itself."""
    return isinstance(error, DatabaseUnavailable) and not isinstance(error, DatabaseReadOnly)
