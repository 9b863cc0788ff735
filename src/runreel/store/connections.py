"""The connections to one log: pooled ones for reading, one reserved for writing."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from runreel.model.errors import DatabaseLocked
from runreel.store import database_url, fork_guard
from runreel.store.drivers import errors as driver_errors
from runreel.store.drivers.factory import create_driver
from runreel.store.fork_guard import gate
from runreel.store.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runreel.model.errors import LogError
    from runreel.store.connection import Connection
    from runreel.store.drivers.interface import Driver

T = TypeVar("T")


class Connections:
    """The connections to one log. Thread-safe; usable in a forked child.

    ``prepare`` is called with a new pool before its first use, to check the log or to create it.
    """

    # The log is a copy that is removed when it is closed.
    is_temporary = False

    def __init__(self, url: str, *, durability: str, prepare: Callable[[Pool], None]) -> None:
        self.url = database_url.parse_url(url)
        self.shown = database_url.shown(self.url)
        self.durable = durability == "full"
        self._prepare = prepare
        self._lock = threading.RLock()
        self._pool = Pool(create_driver(self.url, durability=durability))
        self._writer: Connection | None = None
        self._writing = 0
        self._prepared = False
        self.holds_files = self.driver.in_process
        # Commits for all writers of this process; a forked child gets its own.
        self.committer: Any = None
        fork_guard.register(self)

    @property
    def driver(self) -> Driver:
        """The driver of the database."""
        return self._pool.driver

    @contextlib.contextmanager
    def reading(self, *, checked: bool = True) -> Iterator[Connection]:
        """Lend a connection for reading."""
        # Inlined: the context managers take longer than the rest of this function.
        user = gate.enter()
        try:
            connection = self._connect(checked=checked)
            try:
                yield connection
            except BaseException:
                connection.discard()
                raise
            connection.close()
        except Exception as error:
            ours = driver_errors.our_error(error, self.url)
            if ours is None:
                raise
            raise ours from error
        finally:
            gate.leave(user)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """Lend the connection reserved for writing; one thread at a time."""
        with in_use(), self._lock, driver_errors.our_errors(self.url):
            self._writing += 1
            try:
                if self._writer is None:
                    self._writer = self._connect(reserved=True)
                self._writer.wait_for_lock(waits=True)
                yield self._writer
                self.driver.check_commit(now=True)
            except BaseException:
                self._drop_writer()
                raise
            finally:
                self._writing -= 1

    def write(self, step: Callable[..., T], *arguments: object) -> T:
        """Call ``step`` with the writing connection and ``arguments``; return its result.

        The same as ``writing`` for frequent writes: a context manager costs more than SQLite needs
        to look up a row.
        """
        if gate.shut:
            gate.wait()
        with self._lock:
            return self._write(step, arguments, waits=True)

    def write_at_once(self, step: Callable[..., T], *arguments: object) -> T:
        """Like ``write``, but never wait for another thread or for SQLite's write lock.

        Raises:
            DatabaseLocked: if it would have to wait, also because nothing is open yet.
        """
        if gate.shut or not self._lock.acquire(blocking=False):
            raise DatabaseLocked(f"{self.shown} is in use by another thread")
        try:
            if self._writer is None:
                raise DatabaseLocked(f"{self.shown} is not open yet")
            return self._write(step, arguments, waits=False)
        finally:
            self._lock.release()

    def _write(self, step: Callable[..., T], arguments: tuple[object, ...], *, waits: bool) -> T:
        try:
            writer = self._writer
            if writer is None:
                writer = self._writer = self._connect(reserved=True)
            if writer.waits is not waits:
                writer.wait_for_lock(waits=waits)
            result = step(writer, *arguments)
            # Rows written to a file that was removed are not stored.
            writer.driver.check_commit()
        except BaseException as error:
            ours = self._failed(error)
            if ours is None:
                raise
            raise ours from error
        return result

    def close(self) -> None:
        """Close every connection; the next use opens new ones."""
        with self._lock:
            writer, self._writer = self._writer, None
            if writer is not None:
                writer.close()
            self.close_idle()
            # Another file may have this name by then.
            self._pool = Pool(self.driver.fresh())
            self._prepared = False

    def block_writers(self) -> bool:
        """Block writing threads until ``unblock_writers``; False if one is writing now."""
        return self._lock.acquire(blocking=False)

    def unblock_writers(self) -> None:
        """Let other threads write again."""
        self._lock.release()

    def close_idle(self) -> None:
        """Close the idle connections; call it while no other thread is writing."""
        # This thread may itself be writing.
        writer = self._writer
        if writer is not None and not self._writing and not writer.in_transaction:
            self._writer = None
            writer.close()
        self._pool.dispose()

    def leave_parent(self) -> None:
        """In a forked child: drop the parent's connections without sending anything on them."""
        self._pool.leave_parent()
        self._pool = Pool(self.driver)
        self._writer = self.committer = None
        self._writing = 0
        self._lock = threading.RLock()

    def _failed(self, error: BaseException) -> LogError | None:
        """Translate an error of the writer; discard its connection unless it was only locked."""
        ours = driver_errors.our_error(error, self.url)
        writer = self._writer
        # After a lock timeout the connection is still good.
        if not isinstance(ours, DatabaseLocked) or writer is None or writer.in_transaction:
            self._drop_writer()
        return ours

    def _drop_writer(self) -> None:
        # The connection may be the cause of the error, so the next writer gets a new one.
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.discard()

    def _connect(self, *, checked: bool = True, reserved: bool = False) -> Connection:
        if checked and not self._prepared:
            with self._lock:
                self._prepare(self._pool)
                self._prepared = True
        return self._pool.connect(reserved=reserved)


@contextlib.contextmanager
def in_use() -> Iterator[None]:
    """Mark the block as using a connection, so that a fork waits for its end."""
    user = gate.enter()
    try:
        yield
    finally:
        gate.leave(user)
