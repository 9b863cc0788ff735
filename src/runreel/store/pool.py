"""The connections to one log: those that read, and the one that is held for writing."""

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
    """Connections to one log. Thread-safe, and safe to use on in a forked child."""

    def __init__(self, url: str, *, durability: str) -> None:
        self.url = database_url.parse_url(url)
        self.postgres = self.url.postgres
        self.shown = database_url.shown(self.url)
        self.durable = durability == "full"
        self._durability = durability
        path = database_url.sqlite_path(self.url)
        # A process that changes its directory keeps its log.
        self._path: Path | None = None if path is None else _absolute(path)
        self._lock = threading.RLock()
        self._engine: Engine | None = None
        self._file: LogFile | None = None
        self._writer: Connection | None = None
        self._writing = 0
        self._checked = False
        # What commits for all writers of this process; a forked child has its own.
        self.committer: Any = None
        fork_guard.register(self)

    @contextlib.contextmanager
    def reading(self, *, checked: bool = True) -> Iterator[Connection]:
        """A connection of one's own."""
        # Without the context managers, which take longer than all that is done here.
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
        """The connection that is held for writing; one thread at a time."""
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
        """What ``step`` answers, called with the connection held for writing and ``arguments``.

        The same as ``writing``, for those who write often: a context manager costs more than
        all that SQLite needs to look for a row.
        """
        if gate.shut:
            gate.wait()
        with self._lock:
            try:
                if self._writer is None:
                    self._writer = self._connect(reserved=True)
                if not self._writer.waits:
                    self._writer.wait_for_lock(waits=True)
                done = step(self._writer, *arguments)
                # What went into a file that is gone is not stored.
                if self._file is not None:
                    self._file.check_commit()
            except BaseException as error:
                ours = self._failed(error)
                if ours is None:
                    raise
                raise ours from error
            return done

    def write_at_once(self, step: Callable[..., T], *arguments: Any) -> T:
        """``write`` on SQLite without waiting: not for a thread that writes, nor for a lock.

        Raises:
            DatabaseLocked: if there is something to wait for, be it that nothing is open yet.
        """
        if gate.shut or not self._lock.acquire(blocking=False):
            raise DatabaseLocked(f"{self.shown} is in use by another thread")
        try:
            if self._writer is None:
                raise DatabaseLocked(f"{self.shown} is not open yet")
            try:
                if self._writer.waits:
                    self._writer.wait_for_lock(waits=False)
                done = step(self._writer, *arguments)
                if self._file is not None:
                    self._file.check_commit()
            except BaseException as error:
                ours = self._failed(error)
                if ours is None:
                    raise
                raise ours from error
            return done
        finally:
            self._lock.release()

    def close(self) -> None:
        """Give up every connection; using the database again opens new ones."""
        with self._lock:
            writer, self._writer = self._writer, None
            if writer is not None:
                writer.close()
            self.close_idle()
            self._engine = self._file = None
            if self._path is not None:
                # Another file may have its name by then.
                self._checked = False

    def block_writers(self) -> bool:
        """Keep every thread from writing until ``unblock_writers``; False if one is writing."""
        return self._lock.acquire(blocking=False)

    def unblock_writers(self) -> None:
        """Let other threads write again."""
        self._lock.release()

    def close_idle(self) -> None:
        """Close the connections that nobody uses; call it where no other thread is writing."""
        # This thread may be in the middle of something.
        writer = self._writer
        if writer is not None and not self._writing and not writer.in_transaction:
            self._writer = None
            writer.close()
        if self._engine is not None:
            self._engine.dispose()

    def leave_parent(self) -> None:
        """In a forked child: let go of the parent's connections without a word on their wires."""
        engine, self._engine = self._engine, None
        self._writer = self.committer = None
        self._writing = 0
        self._lock = threading.RLock()
        if engine is not None:
            engine.leave_parent()
            if self._file is not None:
                self._engine = create_engine(self.url, durability=self._durability, file=self._file)

    def _failed(self, error: BaseException) -> LogError | None:
        """What went wrong with the writer, as an error of ours."""
        ours = driver_errors.our_error(error, self.url)
        writer = self._writer
        # Who finds it locked needs no other connection.
        if not isinstance(ours, DatabaseLocked) or writer is None or writer.in_transaction:
            self._drop_writer()
        return ours

    def _drop_writer(self) -> None:
        # What went wrong may be the connection: the next writer gets another.
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.discard()

    def _connect(self, *, checked: bool = True, reserved: bool = False) -> Connection:
        if checked and not self._checked:
            self._check()
        return Connection(self._engine_now().connect(reserved=reserved))

    def _check(self) -> None:
        """See that the log can be used, before it is for the first time."""
        raise NotImplementedError

    def _engine_now(self) -> Engine:
        # A reader does not wait for the thread that writes, which may wait for SQLite's lock.
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
    """Use a connection inside, which a fork waits for."""
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
