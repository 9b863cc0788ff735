"""Group commit: one transaction for the append units of several callers."""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from runreel.model.errors import DatabaseLocked, DatabaseReadOnly, DatabaseUnavailable, LogError
from runreel.recording.append_unit import AppendUnit, CommitRequest, Outcome, result_or_raise
from runreel.store import fork_guard
from runreel.store.connection import RollbackTransaction
from runreel.store.events import event_log
from runreel.store.projections import key_frame_table, run_table
from runreel.system import backoff, loops
from runreel.system.turns import EventLoopBatcher

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from runreel.store.connection import Connection
    from runreel.store.database import Database
    from runreel.system.loops import Pending

# Maximum number of units in a transaction.
GROUP = 512


class Committer:
    """Stores append units, those of concurrent callers in one transaction.

    The first caller becomes leader and commits immediately; later callers queue behind it. The
    next leader commits all queued units at once, so that concurrent threads share the cost of a
    transaction and a single thread has no overhead. If a group's transaction fails, each unit is
    retried by itself: a bad unit cannot fail the others.
    """

    def __init__(self, database: Database) -> None:
        self._database = weakref.proxy(database)
        self._mutex = threading.Lock()
        self._queue: deque[CommitRequest] = deque()
        self._has_leader = False
        # When waiting for a lock last timed out, in seconds of the monotonic clock.
        self._last_lock_timeout = 0.0
        self._turns: WeakKeyDictionary[
            asyncio.AbstractEventLoop, EventLoopBatcher[AppendUnit, bool]
        ]
        self._turns = WeakKeyDictionary()

    def acommit(self, unit: AppendUnit) -> Pending[bool]:
        """Like ``commit``; units added in the same turn of the event loop share a transaction.

        The event loop is never blocked. SQLite commits in the loop while its lock is free and its
        disk is fast, which is faster than a thread, and otherwise in a thread. Postgres always
        commits in a thread.

        Raises:
            UsageError: if the task does not run in asyncio.
        """
        loop = loops.running()
        turns = self._turns.get(loop)
        if turns is None:
            turns = self._turns[loop] = self._new_turns()
        return turns.add(unit, loop)

    def _new_turns(self) -> EventLoopBatcher[AppendUnit, bool]:
        database = self._database
        at_once = self.commit_at_once if database.driver.in_process else None
        return EventLoopBatcher(
            self.commit_all, at_once, measured=database.durable, max_group=GROUP
        )

    def commit(self, unit: AppendUnit) -> bool:
        """Store one unit. False after an append conflict.

        Raises:
            LogError: if the database fails. The unit is then not stored, unless the database
                cannot be read to check that.
        """
        with self._mutex:
            # A queue without a leader would never be committed.
            is_leader, self._has_leader = not self._has_leader, True
        if not is_leader:
            return result_or_raise(self.commit_all([unit])[0])
        try:
            return bool(self._database.write(self._append_once, unit))
        except LogError as error:
            outcome = self._retry(unit, error, time.monotonic() + self._database.patience)
        finally:
            self._wake_next()
        return result_or_raise(outcome)

    def commit_all(self, units: Sequence[AppendUnit]) -> list[Outcome]:
        """Store units and return their outcomes, in order."""
        request = CommitRequest(units)
        with self._mutex:
            self._queue.append(request)
            is_leader, self._has_leader = not self._has_leader, True
        interrupt = None if is_leader else request.wait()
        if not request.outcomes:
            self._commit_queue(request)
        if interrupt is not None:
            raise interrupt
        return request.outcomes

    def commit_at_once(self, units: Sequence[AppendUnit]) -> list[Outcome] | None:
        """Store units without waiting for a lock or for another leader.

        Returns None if that is not possible or fails; ``commit_all`` then checks what is stored.
        """
        with self._mutex:
            if self._has_leader:
                return None
            self._has_leader = True
        try:
            if len(units) == 1:
                return [bool(self._database.write_at_once(self._append_once, units[0]))]
            stored = self._database.write_at_once(self._transact, units)
        except Exception:  # noqa: BLE001 - commit_all raises it again if it persists
            return None
        finally:
            self._wake_next()
        return [True] * len(units) if stored else None

    def _commit_queue(self, own: CommitRequest) -> None:
        requests: list[CommitRequest] = []
        try:
            with self._mutex:
                size = 0
                while self._queue and size < GROUP:
                    requests.append(self._queue.popleft())
                    size += len(requests[-1].units)
            self._store(requests)
        finally:
            with self._mutex:
                # On interrupt, requeue unfinished units; the next leader checks if they are stored.
                unfinished = [
                    request for request in requests if not request.outcomes and request is not own
                ]
                self._queue.extendleft(reversed(unfinished))
            for request in requests:
                if request.outcomes and request is not own:
                    request.notify()
            self._wake_next()

    def _wake_next(self) -> None:
        """Make the first queued caller the next leader, if there is one."""
        with self._mutex:
            self._has_leader = bool(self._queue)
            successor = self._queue[0] if self._queue else None
        if successor is not None:
            successor.notify()

    def _store(self, requests: list[CommitRequest]) -> None:
        units = [unit for request in requests for unit in request.units]
        # Units queued before the last lock timeout have waited through it already.
        wait_for_lock = min(request.since for request in requests) >= self._last_lock_timeout
        outcomes = self._outcomes(units, wait_for_lock=wait_for_lock)
        done = 0
        for request in requests:
            request.outcomes = outcomes[done : done + len(request.units)]
            done += len(request.units)

    def _outcomes(self, units: Sequence[AppendUnit], *, wait_for_lock: bool) -> list[Outcome]:
        """Store units together, or else one by one; all share one deadline for locks."""
        write = self._database.write if wait_for_lock else self._database.write_at_once
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
        self, unit: AppendUnit, write: Callable[..., bool], deadline: float
    ) -> Outcome:
        """Store one unit; after an error, check the log: the unit may be stored nevertheless."""
        try:
            return bool(write(self._append_once, unit))
        except LogError as error:
            return self._retry(unit, error, deadline)
        except Exception as error:  # noqa: BLE001 - a bug must reach the caller it belongs to
            return error

    def _retry(self, unit: AppendUnit, error: LogError, deadline: float) -> Outcome:
        """Retry a failed unit: once at once, then with back-off while the error is transient."""
        attempts = backoff.until(deadline)
        # The first attempt has waited for the lock already.
        at_once = not isinstance(error, DatabaseLocked)
        while not self._is_stored(unit):
            if not (at_once or (_is_transient(error) and next(attempts, False))):
                if isinstance(error, DatabaseLocked):
                    self._last_lock_timeout = time.monotonic()
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
        if unit.projected is None and len(rows) == 1 and not unit.frames:
            # An event that does not change the projection is one statement, committed by itself.
            stored = event_log.append_one(connection, rows[0], durable=self._database.durable)
        else:
            stored = self._transact(connection, [unit])
        return stored or event_log.contains(connection, rows[-1])

    def _transact(self, connection: Connection, units: Sequence[AppendUnit]) -> bool:
        stored = False
        # Lock runs in id order to avoid deadlocks.
        units = sorted(units, key=lambda unit: unit.rows[0].run_id)
        rows = [row for unit in units for row in unit.rows]
        frames = [frame for unit in units for frame in unit.frames]
        only_rows = not frames and not any(unit.projected for unit in units)
        if connection.driver.atomic_appends and only_rows:
            # One statement is a transaction by itself.
            return event_log.append(connection, rows, durable=self._database.durable)
        with connection.transaction():
            stored = event_log.append(connection, rows, durable=self._database.durable)
            if not stored:
                raise RollbackTransaction
            key_frame_table.save(connection, frames)
            run_table.save(connection, *(unit.projected for unit in units if unit.projected))
        return stored


_committer_lock = fork_guard.Lock()


def committer_of(database: Database) -> Committer:
    """Return the committer of a database, one per process; a forked child has its own."""
    committer: Committer | None = database.committer
    if committer is None:
        with _committer_lock:
            committer = database.committer = database.committer or Committer(database)
    return committer


def _is_transient(error: LogError) -> bool:
    """True if the error may pass by itself."""
    return isinstance(error, DatabaseUnavailable) and not isinstance(error, DatabaseReadOnly)
