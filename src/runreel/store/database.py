"""One log's database: opened, checked, created where that is ours to do, closed, fork-safe."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from runreel.store import driver_errors, schema, urls
from runreel.store import engine as engines
from runreel.store.connection import Connection
from runreel.words.errors import (
    DatabaseLocked,
    DatabaseUnavailable,
    SchemaMissing,
    SchemaTooOld,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from runreel.rules.masking import Masking
    from runreel.store.engine import Engine
    from runreel.store.space import Space

T = TypeVar("T")

_log = logging.getLogger("runreel")


class Database:
    """Connections to one log. Thread-safe, and safe to use on in a forked child.

    SQLite is created and migrated by itself if ``create``; Postgres by ``upgrade`` alone.
    ``patience`` is for how many seconds a writer tries a database anew that cannot be reached;
    ``masking`` what its recorders mask before they store anything.
    """

    def __init__(
        self,
        url: str,
        *,
        durability: str = "full",
        create: bool = True,
        patience: float = 0.0,
        masking: Masking | None = None,
    ) -> None:
        self.url = urls.parse_url(url)
        self.patience = patience
        self.masking = masking
        self.postgres = self.url.postgres
        self.shown = urls.shown(self.url)
        self.durable = durability == "full"
        self._durability = durability
        self._create = create and urls.may_create(self.url)
        self._path: Path | None = urls.sqlite_path(self.url)
        self._lock = threading.RLock()
        self._engine: Engine | None = None
        self._writer: Connection | None = None
        self._checked = False
        # Whoever commits for all of this process's writers; a forked child has its own.
        self.committer: Any = None
        _databases.add(self)

    @contextlib.contextmanager
    def reading(self, *, checked: bool = True) -> Iterator[Connection]:
        """A connection of one's own."""
        with driver_errors.our_errors(self.url):
            connection = self._connect(checked=checked)
            try:
                yield connection
            except BaseException:
                connection.discard()
                raise
            connection.close()

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """The connection that is held for writing; one thread at a time."""
        with self._lock, driver_errors.our_errors(self.url):
            if self._writer is None:
                self._writer = self._connect()
            self._writer.wait_for_lock(waits=True)
            try:
                yield self._writer
            except BaseException:
                self._drop_writer()
                raise

    def write(self, step: Callable[..., T], *arguments: Any) -> T:
        """What ``step`` answers, called with the connection held for writing and ``arguments``.

        The same as ``writing``, for those who write often: a context manager costs more than
        all that SQLite needs to look for a row.
        """
        with self._lock:
            try:
                if self._writer is None:
                    self._writer = self._connect()
                if not self._writer.waits:
                    self._writer.wait_for_lock(waits=True)
                return step(self._writer, *arguments)
            except BaseException as error:
                self._drop_writer()
                ours = driver_errors.our_error(error, self.url)
                if ours is None:
                    raise
                raise ours from error

    def write_at_once(self, step: Callable[..., T], *arguments: Any) -> T:
        """``write`` on SQLite without waiting: not for a thread that writes, nor for a lock.

        Raises:
            DatabaseLocked: if there is something to wait for, be it that nothing is open yet.
        """
        if not self._lock.acquire(blocking=False):
            raise DatabaseLocked(f"{self.shown} is in use by another thread")
        try:
            if self._writer is None:
                raise DatabaseLocked(f"{self.shown} is not open yet")
            try:
                if self._writer.waits:
                    self._writer.wait_for_lock(waits=False)
                return step(self._writer, *arguments)
            except BaseException as error:
                ours = driver_errors.our_error(error, self.url)
                if not isinstance(ours, DatabaseLocked) or self._writer.driver.in_transaction:
                    self._drop_writer()
                if ours is None:
                    raise
                raise ours from error
        finally:
            self._lock.release()

    def upgrade(self, *, partitions: int | None = None) -> tuple[str | None, str]:
        """Create or migrate the tables; the revisions before and after.

        ``partitions`` is how many the log is to have, on Postgres.

        Raises:
            UsageError: if it can have none, or not so many.
        """
        self._check_partitions(partitions)
        with driver_errors.our_errors(self.url):
            if self._path is not None and not self._is_file(self._path) and self._create:
                engines.make_private(self._path)
            with self.reading(checked=False) as connection:
                schema.current(connection)
            moved = self._migrate(partitions)
        self._checked = True
        return moved

    def current(self) -> str | None:
        """The revision of the tables, None where there are none."""
        self.see_exists()
        with self.reading(checked=False) as connection:
            return schema.current(connection)

    def see_exists(self) -> None:
        """See that the file of a SQLite log exists, without opening it.

        Raises:
            DatabaseUnavailable: if it does not.
        """
        if self._path is not None and not self._is_file(self._path):
            raise self._missing(self._path)

    def sql(self, *, partitions: int | None = None) -> str:
        """The DDL of this kind of database; the log in so many partitions, on Postgres.

        Raises:
            UsageError: if it can have none, or not so many.
        """
        self._check_partitions(partitions)
        return schema.ddl(self.url, partitions=partitions)

    def status(self) -> dict[str, Any]:
        """Sizes in bytes, rows, settings and revision."""
        from runreel.store import status

        with self.reading() as connection:
            return status.of(connection, self._path)

    def size(self) -> int:
        """The bytes that the log takes: see ``space.size``."""
        from runreel.store import space

        with self.reading() as connection:
            return space.size(connection, self._path)

    def release(self, *, purge: bool) -> Space:
        """Let go of the bytes of what was erased or deleted: see ``space.release``."""
        from runreel.store import space

        with self.writing() as connection:
            return space.release(connection, self._path, purge=purge)

    def close(self) -> None:
        """Give up every connection; using the database again opens new ones."""
        with self._lock:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    def _drop_writer(self) -> None:
        # What went wrong may be the connection: the next writer gets another.
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.discard()

    def _connect(self, *, checked: bool = True) -> Connection:
        if checked and not self._checked:
            self._check()
        return Connection(self._engine_now().connect())

    def _check(self) -> None:
        with self._lock:
            if self._path is not None:
                self._see_file(self._path)
            connection = Connection(self._engine_now().connect())
            try:
                schema.require(connection)
            except (SchemaMissing, SchemaTooOld):
                # A reader changes nothing: older versions of runreel may still use the file.
                if self._path is None or not self._create:
                    raise
                connection.close()
                self._say_migrated(*self._migrate())
            finally:
                connection.close()
            self._checked = True

    def _check_partitions(self, number: int | None) -> None:
        if number is None:
            return
        from runreel.store import partitions

        if not self.postgres:
            raise UsageError("only a log in Postgres has partitions")
        partitions.check(number)

    def _migrate(self, partitions: int | None = None) -> tuple[str | None, str]:
        engine = self._engine_now()
        moved = schema.upgrade(engine, partitions=partitions)
        # A file is given its journal mode by the first connection that finds it ours.
        engine.dispose()
        return moved

    def _say_migrated(self, before: str | None, after: str) -> None:
        if before is not None and before != after:
            _log.warning(
                "%s was migrated from revision %s to %s; older versions of runreel can no longer"
                " open it",
                *(self.shown, before, after),
            )

    def _see_file(self, path: Path) -> None:
        if self._is_file(path):
            return
        if not self._create:
            raise self._missing(path)
        engines.make_private(path)

    @staticmethod
    def _is_file(path: Path) -> bool:
        with driver_errors.file_errors(path):
            if path.is_dir():
                raise DatabaseUnavailable(f"{path} is a directory")
            return path.exists()

    @staticmethod
    def _missing(path: Path) -> DatabaseUnavailable:
        return DatabaseUnavailable(
            f"there is no database at {path}",
            hint="`runreel record` and `runreel import` create it; `runreel demo` has its own.",
        )

    def _engine_now(self) -> Engine:
        # A reader does not wait for the thread that writes, which may wait for SQLite's lock.
        if (engine := self._engine) is not None:
            return engine
        with self._lock:
            if self._engine is None:
                self._engine = engines.create(self.url, durability=self._durability)
            return self._engine

    def leave_parent(self) -> None:
        """In a forked child: let go of the parent's connections without a word on their wires."""
        _inherited.append((self._engine, self._writer))
        self._engine = self._writer = self.committer = None
        self._lock = threading.RLock()


_databases: WeakSet[Database] = WeakSet()
# What a child got of its parent's is never used again, nor collected: that would say goodbye on
# the parent's connections, or roll back what it is in the middle of.
_inherited: list[object] = []


def _leave_parents() -> None:
    for database in _databases:
        database.leave_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_parents)
