"""The connections to one log: pooled ones for reading, one reserved for writing."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from runreel.model.errors import DatabaseLocked, DatabaseUnavailable
from runreel.store import database_url, fork_guard
from runreel.store.connection import Connection
from runreel.store.drivers import errors as driver_errors
from runreel.store.drivers.factory import create_engine
from runreel.store.drivers.log_file import LogFile
from runreel.store.fork_guard import gate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from runreel.model.errors import LogError
    from runreel.store.drivers.interface import Engine

T = TypeVar("T")


class Connections:
    """The connections to one log. Thread-safe; usable in a forked child."""

    def __init__(self, url: str, *, durability: str) -> None:
        self.url = database_url.parse_url(url)
        self.postgres = self.url.postgres
        self.shown = database_url.shown(self.url)
        self.durable = durability == "full"
        self._durability = durability
        path = database_url.sqlite_path(self.url)
        # Absolute, so that a change of the working directory does not change the log.
        self._path: Path | None = None if path is None else _absolute(path)
        self._lock = threading.RLock()
        self._engine: Engine | None = None
        self._file: LogFile | None = None
        self._writer: Connection | None = None
        self._writing = 0
        self._checked = False
        # Commits for all writers of this process; a forked child gets its own.
        self.committer: Any = None
        fork_guard.register(self)

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
                if self._file is not None:
                    self._file.check()
            except BaseException:
                self._drop_writer()
                raise
            finally:
                self._writing -= 1

    def write(self, step: Callable[..., T], *arguments: Any) -> T:
        """Call ``step`` with the writing connection and ``arguments``; return its result.

        The same as ``writing`` for frequent writes: a context manager costs more than SQLite needs
        to look up a row.
        """
        if gate.shut:
            gate.wait()
        with self._lock:
            try:
                if self._writer is None:
                    self._writer = self._connect(reserved=True)
                if not self._writer.waits:
                    self._writer.wait_for_lock(waits=True)
                result = step(self._writer, *arguments)
                # Rows written to a file that was removed are not stored.
                if self._file is not None:
                    self._file.check_commit()
            except BaseException as error:
                ours = self._failed(error)
                if ours is None:
                    raise
                raise ours from error
            return result

    def write_at_once(self, step: Callable[..., T], *arguments: Any) -> T:
        """Like ``write`` on SQLite, but never wait for another thread or for the write lock.

        Raises:
            DatabaseLocked: if it would have to wait, also because nothing is open yet.
        """
        if gate.shut or not self._lock.acquire(blocking=False):
            raise DatabaseLocked(f"{self.shown} is in use by another thread")
        try:
            if self._writer is None:
                raise DatabaseLocked(f"{self.shown} is not open yet")
            try:
                if self._writer.waits:
                    self._writer.wait_for_lock(waits=False)
                result = step(self._writer, *arguments)
                if self._file is not None:
                    self._file.check_commit()
            except BaseException as error:
                ours = self._failed(error)
                if ours is None:
                    raise
                raise ours from error
            return result
        finally:
            self._lock.release()

    def close(self) -> None:
        """Close every connection; the next use opens new ones."""
        with self._lock:
            writer, self._writer = self._writer, None
            if writer is not None:
                writer.close()
            self.close_idle()
            self._engine = self._file = None
            if self._path is not None:
                # Another file may have this name by then.
                self._checked = False

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
        if self._engine is not None:
            self._engine.dispose()

    def leave_parent(self) -> None:
        """In a forked child: drop the parent's connections without sending anything on them."""
        engine, self._engine = self._engine, None
        self._writer = self.committer = None
        self._writing = 0
        self._lock = threading.RLock()
        if engine is not None:
            engine.leave_parent()
            if self._file is not None:
                self._engine = create_engine(self.url, durability=self._durability, file=self._file)

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
        if checked and not self._checked:
            self._check()
        return Connection(self._engine_now().connect(reserved=reserved))

    def _check(self) -> None:
        """Check before first use that the log can be used."""
        raise NotImplementedError

    def _engine_now(self) -> Engine:
        # Without the lock first: the thread that holds it may be waiting for SQLite's write lock.
        if (engine := self._engine) is not None:
            return engine
        with self._lock:
            if self._engine is None:
                if self._path is not None:
                    self._file = LogFile(self._path, often=self.durable)
                self._engine = create_engine(self.url, durability=self._durability, file=self._file)
            return self._engine


@contextlib.contextmanager
def in_use() -> Iterator[None]:
    """Mark the block as using a connection, so that a fork waits for its end."""
    user = gate.enter()
    try:
        yield
    finally:
        gate.leave(user)


def _absolute(path: Path) -> Path:
    try:
        return path.absolute()
    except FileNotFoundError as error:
        raise DatabaseUnavailable(
            f"cannot open {path}: the working directory no longer exists",
            hint="Change to another directory, or give the path from the root.",
        ) from error
